//! The state machine behind the Runtime API: which call is allowed when, and how an invocation ends.
//!
//! Pure: no sockets, clocks, pids or JSON. Time is an argument, connections are [`Seat`]s, payloads
//! are an opaque `P`. The shell (`serve`) turns calls, exits, timers and signals into [`Input`]s and
//! carries out the [`Effect`]s. States and refusals follow the Runtime API as AWS's own emulator has
//! them (`internal/lambda/core/states.go`): the id is checked before the state.

mod types;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

pub use types::{
    Effect, Exit, Failure, Input, Invocation, Kind, Millis, Refusal, Seat, State, Upload, Verdict,
};

/// How long a runtime that reported an init error, or was told to stop after its answer, may take
/// to exit by itself, so that its last log lines are not cut off.
const LINGER: Millis = 500;

/// One runtime and the invocations that go through it, one at a time.
#[derive(Debug)]
pub struct Session<P> {
    state: State,
    parked: VecDeque<Seat>,
    current: Option<Invocation>,
    /// The answer given so far; the invocation ends only with the runtime's next call.
    answer: Option<Verdict<P>>,
    /// When the current wait is over: the invocation's deadline, or the end of a grace period.
    deadline: Option<Millis>,
    stopping: bool,
    grace: Millis,
}

impl<P> Session<P> {
    /// A session whose runtime has just been started. `grace` is how long a stopped runtime may
    /// take between SIGTERM and SIGKILL.
    pub fn new(grace: Millis) -> Self {
        Self {
            state: State::Started,
            parked: VecDeque::new(),
            current: None,
            answer: None,
            deadline: None,
            stopping: false,
            grace,
        }
    }

    /// When [`Input::Tick`] is due, in milliseconds since the epoch.
    pub const fn deadline(&self) -> Option<Millis> {
        self.deadline
    }

    /// The invocation that the runtime works on or is waited for.
    pub const fn current(&self) -> Option<&Invocation> {
        self.current.as_ref()
    }

    /// Takes one thing that happened and says what is to be done about it, in order.
    pub fn handle(&mut self, now: Millis, input: Input<P>) -> Vec<Effect<P>> {
        match input {
            Input::Submit(invocation) => self.submit(now, invocation),
            Input::Next(seat) => self.next(now, seat),
            Input::Left(seat) => self.left(seat),
            Input::Begin { seat, id, kind } => vec![self.begin(seat, id.as_deref(), kind)],
            Input::End { seat, upload } => self.end(now, seat, upload),
            Input::Exited(exit) => self.exited(exit),
            Input::Tick => self.tick(now),
            Input::Stop => self.stop(now),
        }
    }

    fn submit(&mut self, now: Millis, invocation: Invocation) -> Vec<Effect<P>> {
        debug_assert!(self.current.is_none(), "one invocation at a time");
        self.deadline = Some(now.saturating_add(invocation.limit));
        self.current = Some(invocation);
        match self.state {
            State::Ready => self.deliver(now),
            // It failed before there was anything to do: that is this invocation's answer.
            State::Exited => self.finish(),
            State::Started
            | State::Running
            | State::Receiving(_)
            | State::Sent
            | State::InitError => Vec::new(),
        }
    }

    /// Hands the current invocation to every parked connection. Its deadline counts from here.
    fn deliver(&mut self, now: Millis) -> Vec<Effect<P>> {
        let Some(invocation) = self.current.as_mut() else { return Vec::new() };
        invocation.deadline = now.saturating_add(invocation.limit);
        self.deadline = Some(invocation.deadline);
        self.state = State::Running;
        let mut effects = vec![Effect::Started];
        effects.extend(self.parked.drain(..).map(Effect::Deliver));
        effects
    }

    fn next(&mut self, now: Millis, seat: Seat) -> Vec<Effect<P>> {
        match self.state {
            State::Started | State::Ready if self.stopping => {
                self.parked.push_back(seat);
                Vec::new()
            }
            State::Started | State::Ready => {
                self.state = State::Ready;
                self.parked.push_back(seat);
                if self.current.is_some() { self.deliver(now) } else { Vec::new() }
            }
            State::Running => vec![Effect::Deliver(seat)],
            State::Sent => {
                self.state = State::Ready;
                self.parked.push_back(seat);
                self.finish()
            }
            State::InitError | State::Receiving(_) | State::Exited => {
                vec![Effect::Refuse(seat, self.refusal(State::Ready))]
            }
        }
    }

    fn left(&mut self, seat: Seat) -> Vec<Effect<P>> {
        self.parked.retain(|parked| *parked != seat);
        Vec::new()
    }

    /// May this answer be uploaded? `id` is none for an init error, which belongs to no invocation.
    fn begin(&mut self, seat: Seat, id: Option<&str>, kind: Kind) -> Effect<P> {
        let unknown = id.is_some_and(|id| !self.is_current(id));
        let allowed = match kind {
            Kind::InitError => self.state == State::Started,
            Kind::Response | Kind::Error => self.state == State::Running,
        };
        match (unknown, allowed) {
            (true, _) => Effect::Refuse(seat, Refusal::UnknownRequest),
            (false, false) => Effect::Refuse(seat, self.refusal(State::Receiving(kind))),
            (false, true) => {
                self.state = State::Receiving(kind);
                Effect::Proceed(seat)
            }
        }
    }

    /// An id counts once its invocation was handed out, and until the runtime asks for the next.
    fn is_current(&self, id: &str) -> bool {
        let handed_out = match self.state {
            State::Running | State::Receiving(_) | State::Sent => true,
            State::Started | State::Ready | State::InitError | State::Exited => false,
        };
        handed_out && self.current.as_ref().is_some_and(|current| current.id == id)
    }

    fn end(&mut self, now: Millis, seat: Seat, upload: Upload<P>) -> Vec<Effect<P>> {
        let State::Receiving(kind) = self.state else {
            return vec![Effect::Refuse(seat, self.refusal(State::Sent))];
        };
        let (verdict, reply) = match upload {
            Upload::Complete(payload) => (Verdict::answered(kind, payload), Effect::Accept(seat)),
            Upload::Broken(payload) => (Verdict::Error(payload), Effect::Accept(seat)),
            Upload::Refused(refusal) => {
                (Verdict::Failed(Failure::Upload(refusal)), Effect::Refuse(seat, refusal))
            }
        };
        self.answer = Some(verdict);
        if kind == Kind::InitError {
            self.state = State::InitError;
            self.shorten(now.saturating_add(LINGER));
        } else {
            self.state = State::Sent;
        }
        vec![reply]
    }

    fn shorten(&mut self, limit: Millis) {
        self.deadline = Some(self.deadline.map_or(limit, |deadline| deadline.min(limit)));
    }

    fn exited(&mut self, exit: Exit) -> Vec<Effect<P>> {
        if self.state == State::Exited {
            return Vec::new();
        }
        self.state = State::Exited;
        self.parked.clear();
        let verdict =
            if self.stopping { Verdict::Stopped } else { Verdict::Failed(Failure::Exited(exit)) };
        self.conclude(verdict)
    }

    /// Ends the invocation with the answer already given, or else with `verdict`. Without an
    /// invocation the answer is kept for the one to come.
    fn conclude(&mut self, verdict: Verdict<P>) -> Vec<Effect<P>> {
        self.answer.get_or_insert(verdict);
        if self.current.is_some() { self.finish() } else { Vec::new() }
    }

    fn finish(&mut self) -> Vec<Effect<P>> {
        self.current = None;
        self.deadline = None;
        self.answer.take().map(Effect::Done).into_iter().collect()
    }

    fn tick(&mut self, now: Millis) -> Vec<Effect<P>> {
        match self.deadline {
            Some(deadline) if deadline <= now => {
                let limit = self.current.as_ref().map_or(0, |current| current.limit);
                let verdict = if self.stopping {
                    Verdict::Stopped
                } else {
                    Verdict::Failed(Failure::TimedOut(limit))
                };
                let mut effects = vec![Effect::Kill];
                self.state = State::Exited;
                self.parked.clear();
                effects.extend(self.conclude(verdict));
                effects
            }
            Some(_) | None => Vec::new(),
        }
    }

    fn stop(&mut self, now: Millis) -> Vec<Effect<P>> {
        if self.stopping {
            return Vec::new();
        }
        self.stopping = true;
        self.shorten(now.saturating_add(self.grace));
        vec![Effect::Terminate]
    }

    const fn refusal(&self, to: State) -> Refusal {
        Refusal::Transition { from: self.state, to }
    }
}
