//! What the runtime and the extensions ask for, and when an invocation is over for all of them.

use super::extensions::Told;
use super::work::Uploaded;
use super::{
    Effect, Effects, Ended, ExtensionId, Failure, Feed, LINGER, Life, Millis, Refusal, Seat,
    Session, State, Subscribed, Upload,
};

impl<P> Session<P> {
    pub(super) fn next(&mut self, now: Millis, seat: Seat) -> Effects<P> {
        if let Some(invocation) = self.work.again() {
            return vec![Effect::Deliver(seat, invocation.clone())];
        }
        let before = self.work.state;
        if let Err(refusal) = self.work.park(seat) {
            return vec![Effect::Refuse(seat, refusal)];
        }
        match before {
            State::Started => self.ready(now),
            State::Sent => self.runtime_done(now),
            _ => self.deliver(now),
        }
    }

    pub(super) fn left(&mut self, seat: Seat) -> Effects<P> {
        self.work.left(seat);
        self.extensions.left(seat);
        Vec::new()
    }

    pub(super) fn end(&mut self, now: Millis, seat: Seat, upload: Upload<P>) -> Effects<P> {
        let reply = |refusal: Option<Refusal>| match refusal {
            Some(refusal) => Effect::Refuse(seat, refusal),
            None => Effect::Accept(seat),
        };
        match self.work.end(seat, upload) {
            Uploaded::Answer(id, verdict, refusal) => {
                let mut effects = vec![reply(refusal), Effect::Answered(id.clone(), verdict)];
                if self.work.many {
                    effects.extend(self.over(&id));
                    effects.extend(self.deliver(now));
                }
                effects
            }
            Uploaded::Init(payload, refusal) => {
                self.init_error = payload;
                self.linger = Some(now.saturating_add(LINGER));
                vec![reply(refusal)]
            }
            Uploaded::Late => vec![Effect::Refuse(seat, Refusal::InvokeTimeout)],
        }
    }

    /// The runtime asked for the next event, and so is done with the one it had.
    pub(super) fn runtime_done(&mut self, now: Millis) -> Effects<P> {
        let Some(active) = self.work.actives.iter_mut().find(|it| it.answered) else {
            return Vec::new();
        };
        let ended = active.failure.clone().map_or(Ended::Answered, Ended::Failed);
        active.ended = Some(ended.clone());
        let mut effects = vec![Effect::RuntimeDone(active.invocation.id.clone(), ended)];
        effects.extend(self.finish(now));
        effects
    }

    /// Is everybody done with the invocation? Then the next may come.
    pub(super) fn finish(&mut self, now: Millis) -> Effects<P> {
        let done = self.work.actives.iter().find(|active| active.ended.is_some());
        let Some(id) = done.map(|it| it.invocation.id.clone()) else { return Vec::new() };
        if self.extensions.any_running() {
            return Vec::new();
        }
        let mut effects = self.over(&id);
        if let Life::Ending(ending) = &mut self.life {
            ending.hurry(now.saturating_add(LINGER));
        }
        effects.extend(self.deliver(now));
        effects
    }

    /// An invocation that was answered is over.
    pub(super) fn over(&mut self, id: &str) -> Effects<P> {
        let Some(active) = self.work.remove(id) else { return Vec::new() };
        let mut effects = Vec::new();
        let ended = active.ended.unwrap_or_else(|| {
            let ended = active.failure.map_or(Ended::Answered, Ended::Failed);
            effects.push(Effect::RuntimeDone(id.to_owned(), ended.clone()));
            ended
        });
        effects.push(Effect::Finished(id.to_owned(), ended));
        if matches!(self.life, Life::Ready) && !self.stopping {
            effects.push(Effect::Idle);
        }
        effects
    }

    pub(super) fn register(
        &mut self,
        now: Millis,
        seat: Seat,
        id: ExtensionId,
        name: &str,
        events: Vec<Subscribed>,
    ) -> Effects<P> {
        let open = match self.life {
            Life::Extensions(_) => true,
            Life::Runtime(_) => self.work.state == State::Started,
            Life::Cold | Life::Ready | Life::Ending(_) => false,
        };
        let registered = if !open {
            Err(Refusal::RegistrationClosed)
        } else if self.work.many && events.contains(&Subscribed::Invoke) {
            Err(Refusal::InvokeForConcurrent)
        } else {
            self.extensions.register(id, name, events)
        };
        let mut effects = vec![answer(seat, registered, |()| Effect::Registered(seat, id))];
        effects.extend(self.start_runtime());
        effects.extend(self.ready(now));
        effects
    }

    pub(super) fn extension_next(
        &mut self,
        now: Millis,
        seat: Seat,
        id: ExtensionId,
    ) -> Effects<P> {
        match self.extensions.next(seat, id) {
            Err(refusal) => vec![Effect::Refuse(seat, refusal)],
            Ok(Told::Invocation(invocation)) => vec![Effect::Notify(seat, invocation)],
            Ok(Told::Farewell) => self.farewell(seat).into_iter().collect(),
            Ok(Told::Nothing) => {
                let mut effects = self.ready(now);
                effects.extend(self.finish(now));
                effects
            }
        }
    }

    pub(super) fn extension_fault(
        &mut self,
        now: Millis,
        seat: Seat,
        id: ExtensionId,
        init: bool,
    ) -> Effects<P> {
        let faulted = self.extensions.fault(id, init);
        if faulted.is_ok() {
            let failure = if init { Failure::ExtensionInit } else { Failure::ExtensionExit };
            self.fault.get_or_insert(failure);
            self.linger.get_or_insert(now.saturating_add(LINGER));
        }
        vec![answer(seat, faulted, |()| Effect::Accept(seat))]
    }

    pub(super) fn subscribe(&mut self, id: ExtensionId, feed: Feed) -> Result<(), Refusal> {
        self.extensions.find(id)?;
        match self.life {
            Life::Extensions(_) | Life::Runtime(_) => Ok(()),
            Life::Cold | Life::Ready | Life::Ending(_) => Err(Refusal::SubscriptionClosed(feed)),
        }
    }
}

/// The reply to a call: what it leads to if it is allowed.
pub(super) fn answer<P, T>(
    seat: Seat,
    result: Result<T, Refusal>,
    allowed: impl FnOnce(T) -> Effect<P>,
) -> Effect<P> {
    match result {
        Ok(value) => allowed(value),
        Err(refusal) => Effect::Refuse(seat, refusal),
    }
}
