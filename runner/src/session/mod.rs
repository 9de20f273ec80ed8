//! The state machine behind the Runtime and Extensions APIs: which call is allowed when, how the
//! environment is made ready and brought down, and how an invocation ends.
//!
//! Pure: no sockets, clocks, pids or JSON. Time is an argument, connections are [`Seat`]s, payloads
//! are an opaque `P`. The shell (`serve`) turns calls, exits, timers and signals into [`Input`]s and
//! carries out the [`Effect`]s, in order. Source: Lambda developer guide, "Understanding the Lambda
//! execution environment lifecycle"; refusals as AWS's own emulator has them.

mod ending;
mod extensions;
mod types;
mod work;

#[cfg(test)]
mod tests;

use ending::Ending;
use extensions::{Extensions, Told};
pub use types::{
    Effect, Ended, Exit, ExtensionId, ExtensionState, Failure, Feed, Input, Invocation, Kind,
    Millis, Party, Phase, Reason, Refusal, Seat, State, Subscribed, Upload, Verdict,
};
use work::{Active, Uploaded, Work};

/// How long a process that said that it cannot go on may take to exit by itself, so that its last
/// log lines are not cut off.
const LINGER: Millis = 500;

/// What a session is told about its environment.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Names of the external extensions, in the order in which they are started.
    pub extensions: Vec<String>,
    /// How long making ready may take.
    pub init_limit: Millis,
    /// How long a busy runtime may go on after a stop.
    pub grace: Millis,
    /// The runtime takes many invocations at once (`AWS_LAMBDA_MAX_CONCURRENCY`).
    pub concurrent: bool,
}

/// How far the environment is.
#[derive(Debug)]
enum Life {
    /// Nothing runs; the next invocation makes it ready.
    Cold,
    /// Extensions run, and not all of them have registered.
    Extensions(Phase),
    /// The runtime runs too, and not everybody has asked for an event.
    Runtime(Phase),
    /// It takes invocations.
    Ready,
    /// It is brought down.
    Ending(Ending),
}

/// One environment: a runtime, its extensions, and the invocations that go through them.
#[derive(Debug)]
pub struct Session<P> {
    settings: Settings,
    life: Life,
    /// What the next making ready will be.
    phase: Phase,
    work: Work,
    extensions: Extensions,
    /// The first thing that somebody said to be fatal.
    fault: Option<Failure>,
    /// The init error that the runtime uploaded.
    init_error: Option<P>,
    /// When waiting is over for somebody who said so.
    linger: Option<Millis>,
    init_deadline: Option<Millis>,
    stopping: bool,
}

type Effects<P> = Vec<Effect<P>>;

impl<P> Session<P> {
    /// An environment in which nothing runs yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            life: Life::Cold,
            phase: Phase::Init,
            work: Work::new(settings.concurrent),
            extensions: Extensions::default(),
            fault: None,
            init_error: None,
            linger: None,
            init_deadline: None,
            stopping: false,
            settings,
        }
    }

    /// When [`Input::Tick`] is due, in milliseconds since the epoch.
    pub fn deadline(&self) -> Option<Millis> {
        if let Life::Ending(ending) = &self.life {
            return Some(ending.until);
        }
        [self.linger, self.init_deadline, self.work.deadline()].into_iter().flatten().min()
    }

    /// Takes one thing that happened and says what is to be done about it, in order.
    pub fn handle(&mut self, now: Millis, input: Input<P>) -> Vec<Effect<P>> {
        match input {
            Input::Boot => self.boot(now),
            Input::Submit(invocation) => self.submit(now, invocation),
            Input::Next(seat) => self.next(now, seat),
            Input::Left(seat) => self.left(seat),
            Input::Begin { seat, id, nonce, kind } => {
                let begun = self.work.begin(seat, id.as_deref(), nonce.as_deref(), kind);
                vec![answer(seat, begun, |id| Effect::Proceed(seat, id))]
            }
            Input::End { seat, upload } => self.end(now, seat, upload),
            Input::Register { seat, id, name, events } => {
                self.register(now, seat, id, &name, events)
            }
            Input::ExtensionNext { seat, id } => self.extension_next(now, seat, id),
            Input::ExtensionFault { seat, id, init } => self.extension_fault(now, seat, id, init),
            Input::Subscribe { seat, id, feed } => {
                vec![answer(seat, self.subscribe(id, feed), |()| Effect::Proceed(seat, None))]
            }
            Input::Exited(party, exit) => self.exited(now, party, exit),
            Input::Unstarted(party, problem) => self.unstarted(now, party, problem),
            Input::Tick => self.tick(now),
            Input::Stop => self.stop(now),
        }
    }

    fn boot(&mut self, now: Millis) -> Effects<P> {
        match self.life {
            Life::Cold if !self.stopping && self.phase == Phase::Init => self.make_ready(now),
            _ => Vec::new(),
        }
    }

    fn submit(&mut self, now: Millis, invocation: Invocation) -> Effects<P> {
        self.work.submit(invocation);
        match self.life {
            _ if self.stopping => self.give_back(),
            Life::Cold => self.make_ready(now),
            _ => self.deliver(now),
        }
    }

    /// Starts all over: extensions first, and the runtime once they have registered.
    fn make_ready(&mut self, now: Millis) -> Effects<P> {
        let phase = std::mem::replace(&mut self.phase, Phase::Invoke);
        self.extensions = Extensions::new(&self.settings.extensions);
        (self.fault, self.init_error, self.linger) = (None, None, None);
        self.init_deadline = Some(now.saturating_add(self.settings.init_limit));
        if let (Phase::Invoke, Some(active)) = (phase, self.work.actives.first_mut()) {
            active.invocation.deadline = now.saturating_add(active.invocation.limit);
        }
        let mut effects = vec![Effect::InitStarted(phase)];
        self.life = Life::Extensions(phase);
        if self.extensions.too_many() {
            effects.extend(self.fail(now, Failure::TooManyExtensions));
        } else {
            let all = (0..self.settings.extensions.len()).map(Party::Extension);
            effects.extend(all.map(Effect::Start));
            effects.extend(self.start_runtime());
        }
        effects
    }

    fn start_runtime(&mut self) -> Option<Effect<P>> {
        let Life::Extensions(phase) = self.life else { return None };
        self.extensions.all_registered().then(|| {
            self.life = Life::Runtime(phase);
            self.work.restart();
            Effect::Start(Party::Runtime)
        })
    }

    /// Is everybody waiting for an event? Then making ready is over.
    fn ready(&mut self, now: Millis) -> Effects<P> {
        let Life::Runtime(phase) = self.life else { return Vec::new() };
        if self.work.state != State::Ready || !self.extensions.all_ready() {
            return Vec::new();
        }
        (self.life, self.init_deadline) = (Life::Ready, None);
        let mut effects: Effects<P> = self
            .extensions
            .iter()
            .map(|it| Effect::Extension(it.name.clone(), it.state, it.events.clone()))
            .collect();
        effects.push(Effect::InitEnded(phase, None));
        effects.extend(self.deliver(now));
        if self.work.actives.is_empty() {
            effects.push(Effect::Idle);
        }
        effects
    }

    /// Hands out what waits to be handed out: to extensions first, then to the runtime.
    fn deliver(&mut self, now: Millis) -> Effects<P> {
        let mut effects = Vec::new();
        while let (Life::Ready, Some(index)) = (&self.life, self.work.deliverable()) {
            let (invocation, seats) = self.work.deliver(index, now);
            effects.push(Effect::Started(invocation.id.clone()));
            let told = self.extensions.invoke(&invocation);
            effects.extend(told.into_iter().map(|it| Effect::Notify(it, invocation.clone())));
            effects.extend(seats.into_iter().map(|it| Effect::Deliver(it, invocation.clone())));
        }
        effects
    }

    fn next(&mut self, now: Millis, seat: Seat) -> Effects<P> {
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

    fn left(&mut self, seat: Seat) -> Effects<P> {
        self.work.left(seat);
        self.extensions.left(seat);
        Vec::new()
    }

    fn end(&mut self, now: Millis, seat: Seat, upload: Upload<P>) -> Effects<P> {
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
    fn runtime_done(&mut self, now: Millis) -> Effects<P> {
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
    fn finish(&mut self, now: Millis) -> Effects<P> {
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
    fn over(&mut self, id: &str) -> Effects<P> {
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

    fn register(
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

    fn extension_next(&mut self, now: Millis, seat: Seat, id: ExtensionId) -> Effects<P> {
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

    fn extension_fault(
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

    fn subscribe(&mut self, id: ExtensionId, feed: Feed) -> Result<(), Refusal> {
        self.extensions.find(id)?;
        match self.life {
            Life::Extensions(_) | Life::Runtime(_) => Ok(()),
            Life::Cold | Life::Ready | Life::Ending(_) => Err(Refusal::SubscriptionClosed(feed)),
        }
    }

    fn exited(&mut self, now: Millis, party: Party, exit: Exit) -> Effects<P> {
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

    fn unstarted(&mut self, now: Millis, party: Party, problem: String) -> Effects<P> {
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

    fn tick(&mut self, now: Millis) -> Effects<P> {
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
    fn fail(&mut self, now: Millis, failure: Failure) -> Effects<P> {
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
    fn give_back(&mut self) -> Effects<P> {
        let waiting = self.work.waiting();
        waiting.into_iter().flat_map(|it| conclude(it, Verdict::Stopped, &Ended::Stopped)).collect()
    }
}

fn answer<P, T>(
    seat: Seat,
    result: Result<T, Refusal>,
    allowed: impl FnOnce(T) -> Effect<P>,
) -> Effect<P> {
    match result {
        Ok(value) => allowed(value),
        Err(refusal) => Effect::Refuse(seat, refusal),
    }
}

/// The end of an invocation whose runtime did not bring it there. An answer that was given counts.
fn conclude<P>(active: Active, verdict: Verdict<P>, ended: &Ended) -> Effects<P> {
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
