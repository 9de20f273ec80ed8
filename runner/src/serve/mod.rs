//! The one loop of an environment: calls, exits, output, orders, timer and stop go into the session,
//! its effects come out. Nothing is decided here, and nothing leaves by `?`: every end is a verdict.

mod job;
mod last_words;
mod perform;
pub mod pool;
mod processes;
mod sampling;

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::select_all;
use tokio::sync::{mpsc, oneshot, watch};

use crate::api::{Answer, Message};
use crate::clock::Clock;
use crate::order::{Order, Reply};
use crate::output::{Journal, Stream};
use crate::payload::Payload;
use crate::process::{Ended, Exits, Group, Program};
use crate::session::{
    Exit, ExtensionId, Input, Invocation, Millis, Party, Seat, Session, Settings,
};
use crate::telemetry::{Logging, Telemetry};
use job::{Job, Moment};
use last_words::Held;
use sampling::Sampling;

/// So many calls in a row are heard before whatever else happened is: no program that calls without end is to talk
/// over its own deadline, or over a stop.
const IN_A_ROW: usize = 64;

/// What an environment is made of.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How the runtime is started, or why it cannot be.
    pub runtime: Result<Arc<Program>, String>,
    /// The external extensions, in the order in which they are started.
    pub extensions: Vec<(Arc<str>, Arc<Program>)>,
    /// Function, for the log.
    pub name: Arc<str>,
    /// Its version, for the log.
    pub version: Arc<str>,
    /// Its runtime identifier, for the log; an image has none.
    pub identifier: Option<Arc<str>>,
    /// Where its APIs listen.
    pub api: SocketAddr,
    /// Log stream, the name of this environment.
    pub stream: Arc<str>,
    /// Memory that the function is told it has, in MB.
    pub memory: u32,
    /// How long an invocation may run, in milliseconds.
    pub limit: Millis,
    /// How long making ready may take, in milliseconds.
    pub init_limit: Millis,
    /// How long a stopped runtime may take, in milliseconds.
    pub grace: Millis,
    /// How many invocations the runtime takes at once, where that is more than one at a time.
    pub concurrency: Option<usize>,
    /// How the log is written.
    pub logging: Logging,
}

/// What all environments share.
#[derive(Debug, Clone)]
pub struct Common {
    /// The time.
    pub clock: Clock,
    /// The log.
    pub journal: Journal,
    /// Who hears of which process's end.
    pub exits: Exits,
    /// Told to stop.
    pub stop: watch::Receiver<bool>,
    /// How long what is left behind at the end has to end by itself.
    pub leftovers: Duration,
}

/// One environment.
#[derive(Debug)]
struct Environment {
    plan: Plan,
    common: Common,
    session: Session<Payload>,
    telemetry: Telemetry,
    seats: HashMap<Seat, oneshot::Sender<Answer>>,
    /// Content types of streams that ask to begin.
    streams_asked: HashMap<Seat, String>,
    subscriptions: HashMap<Seat, (ExtensionId, crate::session::Feed, Vec<u8>)>,
    names: HashMap<ExtensionId, Arc<str>>,
    jobs: HashMap<String, Job>,
    processes: HashMap<Party, Group>,
    /// Answers that are on their way.
    uploads: HashSet<Seat>,
    held: Option<Held>,
    ended: Ended,
    streams: Vec<Stream>,
    inputs: VecDeque<Input<Payload>>,
    init_began: Moment,
    /// How long making ready took, until a report has told it.
    init_took: Option<Duration>,
    init_error: Option<String>,
    /// The most memory used so far, in bytes, and when that was looked up.
    peak: Option<(u64, Instant)>,
    /// What was seen of it meanwhile.
    sampling: Sampling,
    /// Of how many processes it was told that they were killed for want of memory.
    told_kills: u64,
    /// Room for orders that the pool has been told of.
    offered: usize,
    offers: mpsc::UnboundedSender<usize>,
    index: usize,
    /// Calls that were heard, and nothing else between them.
    in_a_row: usize,
    stopping: bool,
    down: bool,
}

/// What an environment listens to.
#[derive(Debug)]
struct Ears {
    calls: mpsc::UnboundedReceiver<Message>,
    exits: mpsc::UnboundedReceiver<(Group, Exit)>,
    orders: mpsc::UnboundedReceiver<Order>,
}

/// How an environment tells the pool that it has room, and which it is.
#[derive(Debug, Clone)]
struct Offers {
    index: usize,
    sender: mpsc::UnboundedSender<usize>,
    down: mpsc::UnboundedSender<()>,
    silent: watch::Receiver<bool>,
}

/// Runs an environment until it was told to stop and all its processes are gone.
async fn run(
    plan: Plan,
    common: Common,
    calls: mpsc::UnboundedReceiver<Message>,
    orders: mpsc::UnboundedReceiver<Order>,
    offers: Offers,
) {
    let (ended, exits) = mpsc::unbounded_channel();
    let (mut stop, mut silent) = (common.stop.clone(), offers.silent.clone());
    let down = offers.down.clone();
    let mut environment = Environment::new(plan, common, ended, offers);
    let mut ears = Ears { calls, exits, orders };
    environment.take(Input::Boot);
    while !environment.down {
        environment.turn(&mut ears, &mut stop).await;
    }
    let _ = down.send(());
    environment.listen_until(&mut silent).await;
    environment.finish();
    while let Ok(order) = ears.orders.try_recv() {
        let _ = order.reply.send(Reply::Stopped);
    }
}

impl Environment {
    fn new(plan: Plan, common: Common, ended: Ended, offers: Offers) -> Self {
        let settings = Settings {
            extensions: plan.extensions.iter().map(|(name, _)| name.to_string()).collect(),
            init_limit: plan.init_limit,
            grace: plan.grace,
            concurrent: plan.concurrency.is_some(),
        };
        let telemetry = Telemetry::new(common.journal.clone(), plan.logging, common.clock);
        let init_began = Moment { epoch: common.clock.now(), instant: Instant::now() };
        Self {
            session: Session::new(settings),
            telemetry,
            seats: HashMap::new(),
            streams_asked: HashMap::new(),
            subscriptions: HashMap::new(),
            names: HashMap::new(),
            jobs: HashMap::new(),
            processes: HashMap::new(),
            uploads: HashSet::new(),
            held: None,
            ended,
            streams: Vec::new(),
            inputs: VecDeque::new(),
            init_began,
            init_took: None,
            init_error: None,
            peak: None,
            sampling: Sampling::default(),
            told_kills: 0,
            offered: 0,
            offers: offers.sender,
            index: offers.index,
            in_a_row: 0,
            stopping: false,
            down: false,
            plan,
            common,
        }
    }

    /// Waits for one thing to happen and deals with it. Calls come first: what was said in time counts.
    async fn turn(&mut self, ears: &mut Ears, stop: &mut watch::Receiver<bool>) {
        let others = self.in_a_row == IN_A_ROW;
        if others {
            // Timers and sockets, too.
            tokio::task::yield_now().await;
        }
        self.in_a_row += 1;
        let deadline = self.session.deadline().map(|deadline| self.common.clock.instant(deadline));
        let look = self.sampling.due(!self.jobs.is_empty());
        tokio::select! {
            biased;
            Some(message) = ears.calls.recv(), if !others => return self.call(message),
            Some((group, exit)) = ears.exits.recv() => self.exited(group, exit),
            Some(order) = ears.orders.recv() => self.order(order),
            () = stopped(stop), if !self.stopping => {
                self.stopping = true;
                self.take(Input::Stop);
            }
            () = sleep_until(deadline) => self.take(Input::Tick),
            () = sleep_until(look) => self.look(),
            index = readable(&self.streams, &self.common.journal) => {
                self.streams[index].pump(&mut self.telemetry);
            }
            () = std::future::ready(()), if others => {}
        }
        self.in_a_row = 0;
        self.streams.retain(|stream| !stream.is_closed());
    }

    /// Looks at the function's memory while it is at work, and whether the kernel has killed one of its processes.
    fn look(&mut self) {
        self.sampling.look(&self.groups());
        self.common.exits.out_of_memory();
    }

    fn call(&mut self, message: Message) {
        if let Some((seat, reply)) = message.reply {
            self.seats.insert(seat, reply);
            if let (Input::Subscribe { id, feed, .. }, Some(body)) =
                (&message.input, message.subscription)
            {
                self.subscriptions.insert(seat, (*id, *feed, body));
            }
            if let Some(content_type) = message.streaming {
                self.streams_asked.insert(seat, content_type);
            }
        }
        match &message.input {
            Input::Register { id, name, .. } => {
                self.names.insert(*id, name.as_str().into());
            }
            Input::Left(seat) => drop(self.seats.remove(seat)),
            _ => {}
        }
        if let Input::End { seat, .. } = &message.input {
            self.uploads.remove(seat);
        }
        self.take(message.input);
        self.release();
    }

    fn groups(&self) -> Vec<Group> {
        self.processes.values().copied().collect()
    }

    fn order(&mut self, order: Order) {
        self.offered = self.offered.saturating_sub(1);
        let id = order.event.request_id.clone();
        let invocation = Invocation {
            id: id.clone(),
            nonce: uuid::Uuid::new_v4().to_string(),
            limit: order.limit.unwrap_or(self.plan.limit),
            deadline: 0,
        };
        self.jobs.insert(id, Job::new(order));
        self.take(Input::Submit(invocation));
    }

    /// What an effect leads to may be an input itself: it waits until the others are done.
    fn take(&mut self, input: Input<Payload>) {
        self.inputs.push_back(input);
        while let Some(input) = self.inputs.pop_front() {
            self.note_init_error(&input);
            for effect in self.session.handle(self.common.clock.now(), input) {
                self.perform(effect);
            }
        }
    }

    fn now(&self) -> Moment {
        Moment { epoch: self.common.clock.now(), instant: Instant::now() }
    }

    /// Passes on what was printed so far.
    fn drain(&mut self) {
        for stream in &mut self.streams {
            stream.pump(&mut self.telemetry);
        }
    }

    /// The same, unfinished lines too: what is printed from now on belongs to something else.
    fn settle(&mut self) {
        for stream in &mut self.streams {
            stream.settle(&mut self.telemetry);
        }
    }

    /// Passes on what is printed by what was left behind.
    async fn listen_until(&mut self, silent: &mut watch::Receiver<bool>) {
        loop {
            tokio::select! {
                () = stopped(silent) => return,
                index = readable(&self.streams, &self.common.journal) => {
                    self.streams[index].pump(&mut self.telemetry);
                }
            }
            self.streams.retain(|stream| !stream.is_closed());
        }
    }

    fn finish(&mut self) {
        for stream in &mut self.streams {
            stream.pump(&mut self.telemetry);
            stream.close(&mut self.telemetry);
        }
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Whoever could tell is gone, and with it all reason to go on.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// The first stream that has something to read.
async fn readable(streams: &[Stream], journal: &Journal) -> usize {
    if streams.is_empty() {
        return std::future::pending().await;
    }
    let all = streams.iter().map(|stream| Box::pin(stream.readable(journal)));
    select_all(all).await.1
}
