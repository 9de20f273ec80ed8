//! How an environment is brought down: the runtime first, then the extensions that want to know,
//! then whoever is left. Source: Lambda developer guide, "Shutdown phase"; shares of the time as in
//! AWS's emulator (`rapid/shutdown.go`).

use super::failing::conclude;
use super::{Effect, Effects, Ended, Life, Millis, Party, Reason, Seat, Session, State, Verdict};

/// For everything, where there are external extensions.
const EXTERNAL: Millis = 2_000;
/// Of that, for the runtime.
const RUNTIME_OF_EXTERNAL: Millis = 600;
/// For the runtime, where there are internal extensions alone.
const INTERNAL: Millis = 500;
/// After SIGKILL, before we stop waiting for a process that the kernel does not let go of.
const KILLED: Millis = 2_000;

/// How far bringing down is.
#[derive(Debug)]
pub(super) struct Ending {
    reason: Reason,
    step: Step,
    /// When this step is over.
    pub(super) until: Millis,
    /// When the extensions are to be gone.
    end: Millis,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The runtime was asked to end.
    Runtime,
    /// The runtime was killed.
    RuntimeKilled,
    /// The extensions were told.
    Extensions,
    /// Everybody was killed.
    Killed,
}

impl Ending {
    /// Nothing more is expected of the runtime: it has until then at most.
    pub(super) fn hurry(&mut self, moment: Millis) {
        if self.step == Step::Runtime {
            self.until = self.until.min(moment);
        }
    }
}

impl<P> Session<P> {
    /// Starts to bring the environment down.
    pub(super) fn bring_down(&mut self, now: Millis, reason: Reason) -> Effects<P> {
        (self.linger, self.init_deadline) = (None, None);
        let (runtime, all) = self.shares();
        let ending = |step, until| Ending { reason, step, until, end: now.saturating_add(all) };
        if self.work.state == State::Exited {
            self.life = Life::Ending(ending(Step::Runtime, now));
            return self.descend(now);
        }
        if runtime == 0 {
            self.life = Life::Ending(ending(Step::RuntimeKilled, now.saturating_add(KILLED)));
            return vec![Effect::Kill(Party::Runtime)];
        }
        self.life = Life::Ending(ending(Step::Runtime, now.saturating_add(runtime)));
        vec![Effect::Terminate(Party::Runtime)]
    }

    /// How long the runtime, and how long all together may take. Without extensions Lambda gives a
    /// runtime no time at all; one that is at work when we are told to stop has our grace.
    fn shares(&self) -> (Millis, Millis) {
        let external = !self.extensions.alive().is_empty();
        let grace = self.settings.grace;
        let making_ready = matches!(self.life, Life::Extensions(_) | Life::Runtime(_));
        if self.stopping && (making_ready || self.work.is_busy()) {
            return if external {
                (grace.saturating_sub(EXTERNAL).max(1), grace)
            } else {
                (grace, grace)
            };
        }
        match (external, self.extensions.any_registered()) {
            (true, _) => (RUNTIME_OF_EXTERNAL, EXTERNAL),
            (false, true) => (INTERNAL, INTERNAL),
            (false, false) => (0, 0),
        }
    }

    /// A process is gone, or a step is over: goes on with the next as far as nobody is waited for.
    pub(super) fn descend(&mut self, now: Millis) -> Effects<P> {
        let mut effects = Vec::new();
        if self.work.state != State::Exited {
            return effects;
        }
        for active in self.work.gone() {
            effects.extend(conclude(active, Verdict::Stopped, &Ended::Stopped));
        }
        let Life::Ending(ending) = &mut self.life else { return effects };
        let (reason, end) = (ending.reason, ending.end);
        if matches!(ending.step, Step::Runtime | Step::RuntimeKilled) {
            (ending.step, ending.until) = (Step::Extensions, end);
            let (told, rest) = self.extensions.farewell();
            effects.extend(told.into_iter().map(|seat| Effect::Farewell(seat, reason, end)));
            effects.extend(rest.into_iter().map(|it| Effect::Kill(Party::Extension(it))));
        }
        if self.extensions.alive().is_empty() {
            effects.extend(self.down(now));
        }
        effects
    }

    /// An extension that asks late is told all the same.
    pub(super) fn farewell(&self, seat: Seat) -> Option<Effect<P>> {
        let Life::Ending(ending) = &self.life else { return None };
        Some(Effect::Farewell(seat, ending.reason, ending.end))
    }

    /// A step took too long.
    pub(super) fn overdue(&mut self, now: Millis) -> Effects<P> {
        let Life::Ending(ending) = &mut self.life else { return Vec::new() };
        let step = ending.step;
        ending.until = now.saturating_add(KILLED);
        match step {
            Step::Runtime => {
                ending.step = Step::RuntimeKilled;
                vec![Effect::Kill(Party::Runtime)]
            }
            Step::Extensions => {
                ending.step = Step::Killed;
                let alive = self.extensions.alive().into_iter();
                alive.map(|it| Effect::Kill(Party::Extension(it))).collect()
            }
            Step::RuntimeKilled => {
                self.work.state = State::Exited;
                self.descend(now)
            }
            Step::Killed => self.down(now),
        }
    }

    /// Nothing runs any more. What waits starts all over, unless this was the last time.
    fn down(&mut self, now: Millis) -> Effects<P> {
        self.life = Life::Cold;
        let mut effects = vec![Effect::Down];
        if self.stopping {
            effects.splice(0..0, self.give_back());
        } else if self.work.actives.is_empty() {
            effects.push(Effect::Idle);
        } else {
            effects.extend(self.make_ready(now));
        }
        effects
    }

    /// No event is given out from now on; the environment is brought down.
    pub(super) fn stop(&mut self, now: Millis) -> Effects<P> {
        if std::mem::replace(&mut self.stopping, true) {
            return Vec::new();
        }
        let mut effects = self.give_back();
        match self.life {
            Life::Cold => effects.push(Effect::Down),
            Life::Ending(_) => {}
            Life::Extensions(_) | Life::Runtime(_) | Life::Ready => {
                effects.extend(self.bring_down(now, Reason::Spindown));
            }
        }
        effects
    }
}
