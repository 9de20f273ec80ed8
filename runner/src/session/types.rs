//! What goes into and comes out of a [`Session`](super::Session). No behaviour but names.

/// Milliseconds; since the Unix epoch where a moment is meant.
pub type Millis = u64;

/// One connection that waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Seat(pub u64);

/// `Lambda-Extension-Identifier`, a UUID's bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ExtensionId(pub u128);

/// One event on its way through a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// Request id, a UUID in practice.
    pub id: String,
    /// `Lambda-Runtime-Invocation-Id`: unique to this attempt, unlike the request id.
    pub nonce: String,
    /// How long it may run, in milliseconds.
    pub limit: Millis,
    /// When it is cut off; set when its time begins to count.
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
    /// The process is gone, or was never there.
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

/// Where an extension stands. The names are those in messages and in `platform.extension`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExtensionState {
    /// Its process runs and has not registered.
    Started,
    /// It has registered and not yet asked for an event.
    Registered,
    /// It waits for an event.
    Ready,
    /// It has an event.
    Running,
    /// It said that it could not start.
    InitError,
    /// It said that it is about to end.
    ExitError,
    /// Its process could not be started.
    LaunchError,
    /// Its process is gone.
    Exited,
}

impl ExtensionState {
    /// The name under which messages know this state.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Started => "Started",
            Self::Registered => "Registered",
            Self::Ready => "Ready",
            Self::Running => "Running",
            Self::InitError => "InitError",
            Self::ExitError => "ExitError",
            Self::LaunchError => "LaunchError",
            Self::Exited => "Exited",
        }
    }
}

/// What an extension can ask to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subscribed {
    /// Each invocation.
    Invoke,
    /// The end of the environment.
    Shutdown,
}

/// Why the environment ends, in the words of the `SHUTDOWN` event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// There is nothing more to do.
    Spindown,
    /// An invocation took too long.
    Timeout,
    /// Something broke.
    Failure,
}

impl Reason {
    /// `shutdownReason`
    pub const fn name(self) -> &'static str {
        match self {
            Self::Spindown => "spindown",
            Self::Timeout => "timeout",
            Self::Failure => "failure",
        }
    }
}

/// A process of the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Party {
    /// The language runtime.
    Runtime,
    /// An external extension, by its position in the list that the session was given.
    Extension(usize),
}

/// Whether the environment is being made ready before there is an invocation, or within one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The first time.
    Init,
    /// Again, at the cost of an invocation's own time ("suppressed init").
    Invoke,
}

impl Phase {
    /// `phase`
    pub const fn name(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Invoke => "invoke",
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
    /// Killed because memory ran out.
    OutOfMemory,
}

/// Which of the two APIs for telemetry is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Feed {
    /// `PUT /2022-07-01/telemetry`
    Telemetry,
    /// `PUT /2020-08-15/logs`
    Logs,
}

/// Why a call was not allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The id in the path is not that of the invocation handed out.
    UnknownRequest,
    /// The echoed invocation id is not that of this attempt, or the attempt has timed out: 410.
    InvokeTimeout,
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
    /// The answer is larger than this many bytes.
    TooLarge(u64),
    /// The answer could not be kept, for instance because the disk is full.
    Unkept,
    /// More idle connections than anybody needs.
    TooManyIdle,
    /// `Extension.UnknownExtensionIdentifier`
    UnknownExtension(ExtensionId),
    /// `Extension.InvalidEventType`: `SHUTDOWN` is not for internal extensions.
    ShutdownForInternal,
    /// `Extension.InvalidEventType`: managed instances tell extensions of no invocation.
    InvokeForConcurrent,
    /// `Extension.RegistrationClosed`
    RegistrationClosed,
    /// `Extension.InvalidExtensionState`: this name is taken.
    AlreadyRegistered,
    /// `Extension.TooManyExtensions`
    TooManyExtensions,
    /// `Extension.InvalidExtensionState`
    ExtensionTransition {
        /// Where the extension stood.
        from: ExtensionState,
        /// Where the call would have taken it.
        to: ExtensionState,
    },
    /// `Telemetry.SubscriptionClosed`, `Logs.SubscriptionClosed`
    SubscriptionClosed(Feed),
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
    /// Make the environment ready ahead of any event.
    Boot,
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
        /// The echoed `Lambda-Runtime-Invocation-Id`.
        nonce: Option<String>,
        /// What it wants to upload.
        kind: Kind,
    },
    /// The upload that was allowed is over.
    End {
        /// Who uploaded; the same seat as at its beginning.
        seat: Seat,
        /// What came of it.
        upload: Upload<P>,
    },
    /// `POST /extension/register`
    Register {
        /// Who asks.
        seat: Seat,
        /// The identifier that it will have if it may.
        id: ExtensionId,
        /// `Lambda-Extension-Name`
        name: String,
        /// What it wants to be told.
        events: Vec<Subscribed>,
    },
    /// `GET /extension/event/next`
    ExtensionNext {
        /// Who asks.
        seat: Seat,
        /// Which extension.
        id: ExtensionId,
    },
    /// `POST /extension/init/error` or `/extension/exit/error`
    ExtensionFault {
        /// Who asks.
        seat: Seat,
        /// Which extension.
        id: ExtensionId,
        /// Init rather than exit.
        init: bool,
    },
    /// May this extension subscribe?
    Subscribe {
        /// Who asks.
        seat: Seat,
        /// Which extension.
        id: ExtensionId,
        /// To what.
        feed: Feed,
    },
    /// A process ended.
    Exited(Party, Exit),
    /// A process could not be started; what to tell about it.
    Unstarted(Party, String),
    /// Time has passed.
    Tick,
    /// The supervisor was told to stop, or there is nothing more to do.
    Stop,
}

/// Something to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect<P> {
    /// Start this process.
    Start(Party),
    /// Making the environment ready begins.
    InitStarted(Phase),
    /// It is over; with the fault if it failed.
    InitEnded(Phase, Option<Failure>),
    /// The invocation begins: the log's START.
    Started(String),
    /// Answer this connection with this invocation.
    Deliver(Seat, Invocation),
    /// Tell this extension of this invocation.
    Notify(Seat, Invocation),
    /// Tell this extension of the end: why, and when it will be over.
    Farewell(Seat, Reason, Millis),
    /// Let this connection upload, or subscribe. With the request id that an upload answers.
    Proceed(Seat, Option<String>),
    /// Tell this connection that its answer was taken.
    Accept(Seat),
    /// Tell this extension its identifier.
    Registered(Seat, ExtensionId),
    /// Tell this connection why not.
    Refuse(Seat, Refusal),
    /// How extensions stand now that making ready is over: name, state, subscriptions.
    Extension(String, ExtensionState, Vec<Subscribed>),
    /// Ask this process to end.
    Terminate(Party),
    /// End this process.
    Kill(Party),
    /// Whoever asked for this invocation can have its answer.
    Answered(String, Verdict<P>),
    /// The runtime is done with this invocation; extensions may not be.
    RuntimeDone(String, Ended),
    /// The invocation is over: the log's END and REPORT.
    Finished(String, Ended),
    /// The next invocation may come.
    Idle,
    /// All processes are gone.
    Down,
}

/// How an invocation ended, as its report says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// With an answer of the function's, be it an error.
    Answered,
    /// Otherwise.
    Failed(Failure),
    /// It was told to stop.
    Stopped,
}

/// How an invocation ended, for whoever asked.
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The runtime's process ended.
    Exited(Exit),
    /// It could not be started.
    Unstarted(String),
    /// The runtime said that it could not start the function. Only of an init.
    InitError,
    /// Making the environment ready took longer than this many milliseconds.
    InitTimedOut(Millis),
    /// It took longer than this many milliseconds.
    TimedOut(Millis),
    /// Its answer was not one.
    Upload(Refusal),
    /// An extension could not be started, and why.
    ExtensionLaunch(String),
    /// There are more than ten extensions.
    TooManyExtensions,
    /// An extension said that it could not start.
    ExtensionInit,
    /// An extension said that it is about to end.
    ExtensionExit,
    /// An extension ended.
    ExtensionCrash(Exit),
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
