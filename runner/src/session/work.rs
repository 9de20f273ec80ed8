//! The runtime's side of a session: which invocation it has, what it may upload, and when it is
//! done with one. The states are those of the Runtime API as AWS's own emulator has them
//! (`internal/lambda/core/states.go`): the id is checked before the state.

use std::collections::VecDeque;

use super::{Ended, Failure, Invocation, Kind, Millis, Refusal, Seat, State, Upload, Verdict};

/// The most idle connections of a concurrent runtime.
const MOST_IDLE: usize = 10_000;
/// How many timed-out invocations are remembered, so that late answers are told apart from wrong ones.
const REMEMBERED: usize = 1_000;

/// One invocation and how far it is.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) invocation: Invocation,
    /// Where the runtime stands with it: `Ready` until it is handed out.
    pub(super) state: State,
    /// Whoever asked has its answer.
    pub(super) answered: bool,
    /// Why the answer that was given is none.
    pub(super) failure: Option<Failure>,
    /// How the runtime ended it, while extensions are still busy with it.
    pub(super) ended: Option<Ended>,
    /// Who uploads its answer.
    uploader: Option<Seat>,
}

impl Active {
    fn is_handed_out(&self) -> bool {
        self.state != State::Ready
    }
}

/// What an upload that is over means.
#[derive(Debug)]
pub(super) enum Uploaded<P> {
    /// An answer to this invocation.
    Answer(String, Verdict<P>, Option<Refusal>),
    /// An init error.
    Init(Option<P>, Option<Refusal>),
    /// Nothing: what it belonged to is over.
    Late,
}

/// The runtime, and the invocations that it has or waits for.
#[derive(Debug)]
pub(super) struct Work {
    /// Where the runtime stands as a whole; between invocations of a concurrent one it is `Ready`.
    pub(super) state: State,
    /// It holds many invocations at once, and finishes each with its answer.
    pub(super) many: bool,
    parked: VecDeque<Seat>,
    pub(super) actives: Vec<Active>,
    init_uploader: Option<Seat>,
    timed_out: VecDeque<String>,
}

impl Work {
    pub(super) fn new(many: bool) -> Self {
        Self {
            state: State::Exited,
            many,
            parked: VecDeque::new(),
            actives: Vec::new(),
            init_uploader: None,
            timed_out: VecDeque::new(),
        }
    }

    /// A new process, which knows nothing of what was.
    pub(super) fn restart(&mut self) {
        (self.state, self.init_uploader) = (State::Started, None);
        self.parked.clear();
    }

    pub(super) fn submit(&mut self, invocation: Invocation) {
        self.actives.push(Active {
            invocation,
            state: State::Ready,
            answered: false,
            failure: None,
            ended: None,
            uploader: None,
        });
    }

    /// The next moment at which one of the invocations that were handed out is cut off.
    pub(super) fn deadline(&self) -> Option<Millis> {
        let counted = self.actives.iter().filter(|active| active.invocation.deadline > 0);
        counted.map(|active| active.invocation.deadline).min()
    }

    /// An invocation that is to be handed out, if the runtime waits for one.
    pub(super) fn deliverable(&self) -> Option<usize> {
        let waiting = self.state == State::Ready && (!self.many || !self.parked.is_empty());
        self.actives.iter().position(|active| !active.is_handed_out()).filter(|_| waiting)
    }

    /// Hands one out: to all parked connections, or, of a concurrent runtime, to the first.
    pub(super) fn deliver(&mut self, index: usize, now: Millis) -> (Invocation, Vec<Seat>) {
        let active = &mut self.actives[index];
        if active.invocation.deadline == 0 {
            active.invocation.deadline = now.saturating_add(active.invocation.limit);
        }
        active.state = State::Running;
        let seats = if self.many {
            self.parked.pop_front().into_iter().collect()
        } else {
            self.state = State::Running;
            self.parked.drain(..).collect()
        };
        (active.invocation.clone(), seats)
    }

    /// What to hand a runtime that asks while it has an invocation: the same again.
    pub(super) fn again(&self) -> Option<&Invocation> {
        let running = self.state == State::Running;
        self.actives.first().filter(|_| running).map(|active| &active.invocation)
    }

    /// The runtime asks for an event. It waits, or is refused.
    pub(super) fn park(&mut self, seat: Seat) -> Result<(), Refusal> {
        match self.state {
            State::Started | State::Ready | State::Sent => {
                if self.many && self.parked.len() >= MOST_IDLE {
                    return Err(Refusal::TooManyIdle);
                }
                self.state = State::Ready;
                self.parked.push_back(seat);
                Ok(())
            }
            from => Err(Refusal::Transition { from, to: State::Ready }),
        }
    }

    pub(super) fn left(&mut self, seat: Seat) {
        self.parked.retain(|parked| *parked != seat);
    }

    /// May this answer be uploaded? With the id that it is for.
    pub(super) fn begin(
        &mut self,
        seat: Seat,
        id: Option<&str>,
        nonce: Option<&str>,
        kind: Kind,
    ) -> Result<Option<String>, Refusal> {
        let Some(id) = id else { return self.begin_init_error(seat).map(|()| None) };
        let Some(active) = self.actives.iter_mut().find(|active| active.invocation.id == id) else {
            return Err(self.unknown(id));
        };
        if !active.is_handed_out() {
            return Err(Refusal::UnknownRequest);
        }
        if nonce.is_some_and(|nonce| nonce != active.invocation.nonce) {
            return Err(Refusal::InvokeTimeout);
        }
        let interrupts = self.many && active.state == State::Receiving(Kind::Response);
        if active.state != State::Running && !(interrupts && kind == Kind::Error) {
            return Err(if self.many {
                Refusal::UnknownRequest
            } else {
                Refusal::Transition { from: active.state, to: State::Receiving(kind) }
            });
        }
        (active.state, active.uploader) = (State::Receiving(kind), Some(seat));
        if !self.many {
            self.state = State::Receiving(kind);
        }
        Ok(Some(id.to_owned()))
    }

    fn begin_init_error(&mut self, seat: Seat) -> Result<(), Refusal> {
        let to = State::Receiving(Kind::InitError);
        if self.state != State::Started {
            return Err(Refusal::Transition { from: self.state, to });
        }
        (self.state, self.init_uploader) = (to, Some(seat));
        Ok(())
    }

    /// The first late answer to an invocation that timed out is told so, a second is unknown.
    fn unknown(&mut self, id: &str) -> Refusal {
        match self.timed_out.iter().position(|known| known == id) {
            Some(index) => {
                self.timed_out.remove(index);
                Refusal::InvokeTimeout
            }
            None => Refusal::UnknownRequest,
        }
    }

    /// An upload that was allowed is over.
    pub(super) fn end<P>(&mut self, seat: Seat, upload: Upload<P>) -> Uploaded<P> {
        if self.init_uploader == Some(seat) {
            (self.state, self.init_uploader) = (State::InitError, None);
            return match upload {
                Upload::Complete(payload) | Upload::Broken(payload) => {
                    Uploaded::Init(Some(payload), None)
                }
                Upload::Refused(refusal) => Uploaded::Init(None, Some(refusal)),
            };
        }
        let found = self.actives.iter_mut().find(|active| active.uploader == Some(seat));
        let Some(active) = found else { return Uploaded::Late };
        let State::Receiving(kind) = active.state else { return Uploaded::Late };
        (active.state, active.uploader, active.answered) = (State::Sent, None, true);
        if !self.many {
            self.state = State::Sent;
        }
        let id = active.invocation.id.clone();
        match upload {
            Upload::Complete(payload) => {
                Uploaded::Answer(id, Verdict::answered(kind, payload), None)
            }
            Upload::Broken(payload) => Uploaded::Answer(id, Verdict::Error(payload), None),
            Upload::Refused(refusal) => {
                let failure = Failure::Upload(refusal.clone());
                active.failure = Some(failure.clone());
                Uploaded::Answer(id, Verdict::Failed(failure), Some(refusal))
            }
        }
    }

    /// Takes out an invocation that is over.
    pub(super) fn remove(&mut self, id: &str) -> Option<Active> {
        let index = self.actives.iter().position(|active| active.invocation.id == id)?;
        Some(self.actives.remove(index))
    }

    /// Takes out the invocations of a concurrent runtime that took too long; the others go on.
    pub(super) fn expired(&mut self, now: Millis) -> Vec<Active> {
        let out = self.take(|active| (1..=now).contains(&active.invocation.deadline));
        self.timed_out.extend(out.iter().map(|active| active.invocation.id.clone()));
        while self.timed_out.len() > REMEMBERED {
            self.timed_out.pop_front();
        }
        out
    }

    /// Does the runtime have something that is not answered yet?
    pub(super) fn is_busy(&self) -> bool {
        self.actives.iter().any(|active| active.is_handed_out() && !active.answered)
    }

    /// Takes out what had been handed out: its process is gone, or about to be.
    pub(super) fn handed_out(&mut self) -> Vec<Active> {
        self.take(Active::is_handed_out)
    }

    /// Takes out what was not handed out.
    pub(super) fn waiting(&mut self) -> Vec<Active> {
        self.take(|active| !active.is_handed_out())
    }

    /// Takes out the first that was not handed out: it is the one that making ready was for.
    pub(super) fn first_waiting(&mut self) -> Option<Active> {
        let index = self.actives.iter().position(|active| !active.is_handed_out())?;
        Some(self.actives.remove(index))
    }

    /// The process is gone: what it had been handed is taken out.
    pub(super) fn gone(&mut self) -> Vec<Active> {
        self.state = State::Exited;
        self.parked.clear();
        self.handed_out()
    }

    fn take(&mut self, which: impl Fn(&Active) -> bool) -> Vec<Active> {
        let (out, rest) = std::mem::take(&mut self.actives).into_iter().partition(which);
        self.actives = rest;
        out
    }
}
