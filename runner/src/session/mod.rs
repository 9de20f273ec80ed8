//! The state machine behind the Runtime and Extensions APIs: which call is allowed when, how the
//! environment is made ready and brought down, and how an invocation ends.
//!
//! Pure: no sockets, clocks, pids or JSON. Time is an argument, connections are [`Seat`]s, payloads
//! are an opaque `P`. The shell (`serve`) turns calls, exits, timers and signals into [`Input`]s and
//! carries out the [`Effect`]s, in order. Source: Lambda developer guide, "Understanding the Lambda
//! execution environment lifecycle"; refusals as AWS's own emulator has them.

mod calls;
mod ending;
mod extensions;
mod failing;
mod types;
mod work;

#[cfg(test)]
mod tests;

use calls::answer;
use ending::Ending;
use extensions::Extensions;
pub use types::{
    Effect, Ended, Exit, ExtensionId, ExtensionState, Failure, Feed, Input, Invocation, Kind,
    Millis, Party, Phase, Reason, Refusal, Seat, State, Subscribed, Upload, Verdict,
};
use work::Work;

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
}
