//! What goes into and comes out of a [`Session`](super::Session). No behaviour but names.

/// Milliseconds; since the Unix epoch where a moment is meant.
pub type Millis = u64;

/// One connection that waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Seat(pub u64);

/// One event on its way through a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// Request id, a UUID in practice.
    pub id: String,
    /// How long it may run, in milliseconds.
    pub limit: Millis,
    /// When it is cut off; set when it is handed to the runtime.
    pub deadline: Millis,
}

/// What the runtime uploads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `POST …/invocation/{id}/response`
    Response,
    /// `POST …/invocation/{id}/error`
    Error,
    /// `POST …/init/error`
    InitError,
}

/// Where the runtime stands. The names are those in the Runtime API's own messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The process runs and has not called yet.
    Started,
    /// It waits for an event.
    Ready,
    /// It has an event and has not answered.
    Running,
    /// An answer is being uploaded.
    Receiving(Kind),
    /// It has answered and not yet asked for the next event.
    Sent,
    /// It could not start the function.
    InitError,
    /// The process is gone.
    Exited,
}

impl State {
    /// The name under which `InvalidStateTransition` messages know this state.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Started => "Started",
            Self::Ready => "Ready",
            Self::Running => "Running",
            Self::Receiving(Kind::Response) => "InvocationResponse",
            Self::Receiving(Kind::Error) => "InvocationErrorResponse",
            Self::Receiving(Kind::InitError) | Self::InitError => "InitError",
            Self::Sent => "RuntimeResponseSentState",
            Self::Exited => "Exited",
        }
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// With this status.
    Code(i32),
    /// Killed by this signal.
    Signal(i32),
}

/// Why a call was not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The id in the path is not that of the invocation handed out.
    UnknownRequest,
    /// Right id, wrong moment.
    Transition {
        /// Where the runtime stood.
        from: State,
        /// Where the call would have taken it.
        to: State,
    },
    /// The client went away in the middle of its upload.
    Truncated,
    /// `Lambda-Runtime-Function-Response-Mode` is neither absent nor `streaming`.
    ResponseMode,
    /// The answer could not be kept, for instance because the disk is full.
    Unkept,
}

/// How an upload went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upload<P> {
    /// All of it arrived.
    Complete(P),
    /// All of it arrived, and its trailers say that the function failed in the middle of a
    /// stream; the payload is the error they carry.
    Broken(P),
    /// It is not an answer.
    Refused(Refusal),
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input<P> {
    /// An event is to be run.
    Submit(Invocation),
    /// The runtime asks for an event.
    Next(Seat),
    /// A waiting connection closed.
    Left(Seat),
    /// The runtime wants to upload an answer.
    Begin {
        /// Who asks.
        seat: Seat,
        /// The request id in the path, none for an init error.
        id: Option<String>,
        /// What it wants to upload.
        kind: Kind,
    },
    /// The upload that was allowed is over.
    End {
        /// Who uploaded.
        seat: Seat,
        /// What came of it.
        upload: Upload<P>,
    },
    /// The runtime's process ended.
    Exited(Exit),
    /// Time has passed.
    Tick,
    /// The supervisor was told to stop.
    Stop,
}

/// Something to be done.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect<P> {
    /// The runtime gets its event now: the log's START.
    Started,
    /// Answer this connection with the current invocation.
    Deliver(Seat),
    /// Let this connection upload.
    Proceed(Seat),
    /// Tell this connection that its answer was taken.
    Accept(Seat),
    /// Tell this connection why not.
    Refuse(Seat, Refusal),
    /// Ask the runtime's processes to end.
    Terminate,
    /// End the runtime's processes.
    Kill,
    /// The invocation is over.
    Done(Verdict<P>),
}

/// How an invocation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict<P> {
    /// The function's answer.
    Response(P),
    /// The error that the function or its runtime reported, in its own words.
    Error(P),
    /// The runtime gave no answer that counts.
    Failed(Failure),
    /// The supervisor was told to stop before there was an answer.
    Stopped,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The runtime's process ended.
    Exited(Exit),
    /// It took longer than this many milliseconds.
    TimedOut(Millis),
    /// Its answer was not one.
    Upload(Refusal),
}

impl<P> Verdict<P> {
    /// What a complete upload of this kind means.
    pub fn answered(kind: Kind, payload: P) -> Self {
        match kind {
            Kind::Response => Self::Response(payload),
            Kind::Error | Kind::InitError => Self::Error(payload),
        }
    }
}
