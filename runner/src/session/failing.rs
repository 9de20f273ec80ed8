//! What ends an environment or an invocation before its time: exits, deadlines, faults. Whoever waits
//! is answered first.

use super::work::Active;
use super::{
    Effect, Effects, Ended, Exit, ExtensionState, Failure, Life, Millis, Party, Phase, Reason,
    Session, State, Verdict,
};

impl<P> Session<P> {
    pub(super) fn exited(&mut self, now: Millis, party: Party, exit: Exit) -> Effects<P> {
        match party {
            Party::Runtime if self.work.state == State::Exited => Vec::new(),
            Party::Runtime => {
                let failure = if self.init_error.is_some() {
                    Failure::InitError
                } else {
                    Failure::Exited(exit)
                };
                self.lost_runtime(now, failure)
            }
            Party::Extension(index) => {
                if self.extensions.gone(index, ExtensionState::Exited) {
                    self.lost(now, Failure::ExtensionCrash(exit))
                } else {
                    Vec::new()
                }
            }
        }
    }

    pub(super) fn unstarted(&mut self, now: Millis, party: Party, problem: String) -> Effects<P> {
        match party {
            Party::Runtime => self.lost_runtime(now, Failure::Unstarted(problem)),
            Party::Extension(index) => {
                self.extensions.gone(index, ExtensionState::LaunchError);
                self.lost(now, Failure::ExtensionLaunch(problem))
            }
        }
    }

    fn lost_runtime(&mut self, now: Millis, failure: Failure) -> Effects<P> {
        self.work.state = State::Exited;
        self.lost(now, failure)
    }

    /// A process is gone: expected while the environment is brought down, a failure otherwise.
    fn lost(&mut self, now: Millis, failure: Failure) -> Effects<P> {
        match self.life {
            Life::Cold => Vec::new(),
            Life::Ending(_) => self.descend(now),
            Life::Extensions(_) | Life::Runtime(_) | Life::Ready => self.fail(now, failure),
        }
    }

    pub(super) fn tick(&mut self, now: Millis) -> Effects<P> {
        if self.deadline().is_none_or(|deadline| deadline > now) {
            return Vec::new();
        }
        let due = |deadline: Option<Millis>| deadline.is_some_and(|deadline| deadline <= now);
        match self.life {
            Life::Ending(_) => self.overdue(now),
            _ if due(self.linger) => self.fail(now, Failure::InitError),
            _ if due(self.init_deadline) => {
                self.fail(now, Failure::InitTimedOut(self.settings.init_limit))
            }
            Life::Ready if self.work.many => self.expire(now),
            _ => {
                let limit = self.work.actives.first().map_or(0, |it| it.invocation.limit);
                self.fail(now, Failure::TimedOut(limit))
            }
        }
    }

    /// Invocations of a concurrent runtime that took too long; it goes on with the others.
    fn expire(&mut self, now: Millis) -> Effects<P> {
        let mut effects = Vec::new();
        for active in self.work.expired(now) {
            let failure = Failure::TimedOut(active.invocation.limit);
            effects.extend(conclude(
                active,
                Verdict::Failed(failure.clone()),
                &Ended::Failed(failure),
            ));
            effects.push(Effect::Idle);
        }
        effects
    }

    /// The environment cannot go on: whoever waits is answered, and it is brought down.
    pub(super) fn fail(&mut self, now: Millis, failure: Failure) -> Effects<P> {
        let failure = self.fault.take().unwrap_or(failure);
        let mut effects = Vec::new();
        let mut lost = self.work.handed_out();
        if let Life::Extensions(phase) | Life::Runtime(phase) = self.life {
            effects.push(Effect::InitEnded(phase, Some(failure.clone())));
            if phase == Phase::Invoke {
                lost.extend(self.work.first_waiting());
                effects.extend(lost.iter().map(|it| Effect::Started(it.invocation.id.clone())));
            }
        }
        for active in lost {
            let verdict = match self.init_error.take() {
                Some(error) => Verdict::Error(error),
                None => Verdict::Failed(failure.clone()),
            };
            effects.extend(conclude(active, verdict, &Ended::Failed(failure.clone())));
        }
        let timed_out = matches!(failure, Failure::TimedOut(_) | Failure::InitTimedOut(_));
        let reason = if timed_out { Reason::Timeout } else { Reason::Failure };
        effects.extend(self.bring_down(now, reason));
        effects
    }

    /// Invocations that were not handed out go back to whoever asked.
    pub(super) fn give_back(&mut self) -> Effects<P> {
        let waiting = self.work.waiting();
        waiting.into_iter().flat_map(|it| conclude(it, Verdict::Stopped, &Ended::Stopped)).collect()
    }
}

/// The end of an invocation whose runtime did not bring it there. An answer that was given counts.
pub(super) fn conclude<P>(active: Active, verdict: Verdict<P>, ended: &Ended) -> Effects<P> {
    let id = active.invocation.id;
    let mut effects = Vec::new();
    if !active.answered {
        effects.push(Effect::Answered(id.clone(), verdict));
    }
    if active.ended.is_none() {
        effects.push(Effect::RuntimeDone(id.clone(), ended.clone()));
    }
    effects.push(Effect::Finished(id, ended.clone()));
    effects
}
