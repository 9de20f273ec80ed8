//! A worker: takes jobs from a queue and runs them in a runtime that stays warm. Owns the one loop that decides which job
//! is claimed, which begins, and when the runtime is another function's. What becomes of a job is decided and recorded
//! by the same desk as that of a container which is there for one attempt.

mod finish;
mod functions;
mod hands;
mod pace;
mod protection;
mod shelf;
mod take;
mod turn;
mod warm;

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use ledger::Attempt;
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use super::attempt::{TOLD, Tried};
use super::deliver::say;
use super::error::{RunError, machine};
use super::ledgered::claim;
use crate::aws::inbox::{BATCH, Inbox, Letter};
use crate::aws::{self, AwsError};
use crate::causes::causes;
use crate::code::Code;
use crate::config::{Environment, Variable, Work};
use crate::destination::Queue;
use crate::place;
use crate::process::{self, Rights};
use crate::signals::Stop;
use functions::Functions;
use hands::{Hand, Hands};
use pace::{LONG, Pace};
use protection::Protection;
use shelf::Shelf;
use take::Ready;
use warm::Warm;

/// Jobs whose ends are being recorded while others run.
const RECORDING: usize = 64;
/// Questions to the queue at once.
const ASKING: usize = 3;
/// So long an empty queue is waited at: at a stop the answer that is under way has to be waited for, since the queue hides
/// the messages of one that nobody reads.
const WAIT: Duration = Duration::from_secs(5);
/// So long an answer with messages may still come after a stop.
const ON_ITS_WAY: Duration = Duration::from_secs(6);
/// So long before it would be killed the worker ends.
const LAST: Duration = Duration::from_secs(1);
/// The pause after a queue that did not answer.
const PAUSE: Duration = Duration::from_secs(5);
/// A job of another function is passed over for so long while there are jobs for the runtime that is warm.
const PATIENCE: Duration = Duration::from_secs(5);
/// Why jobs are given back that wait for too long.
const BEHIND: &str = "another job takes long";

/// What all tasks of a worker share.
struct Shared<E> {
    work: Rc<Work>,
    hands: Rc<Hands>,
    functions: Functions<E>,
    /// What is said of each attempt.
    attempt: Attempt,
    stop: Stop,
    /// An attempt was handed back.
    interrupted: Cell<bool>,
    events: mpsc::UnboundedSender<Told>,
}

/// What happens.
enum Told {
    /// The queue has answered.
    Received(Result<Vec<Letter>, AwsError>),
    /// A message was looked at: a job may begin, or there is none.
    Taken(Option<Box<Ready>>),
    /// The job that began then has its answer: another may begin.
    Free(Instant),
    /// A job's end is recorded.
    Finished,
}

impl<E> Shared<E> {
    fn tell(&self, told: Told) {
        let _loop_is_there = self.events.send(told);
    }
}

/// Works until the queue is empty for long enough, or until told to stop.
pub(super) async fn work(
    work: Work,
    environment: impl Environment + Clone + 'static,
    stop: Stop,
) -> Result<Code, RunError> {
    let all = LocalSet::new();
    all.run_until(Box::pin(worked(work, environment, stop))).await
}

async fn worked<E: Environment + Clone + 'static>(
    work: Work,
    environment: E,
    stop: Stop,
) -> Result<Code, RunError> {
    // The next function may be any.
    let rights = Rights { roots: true, files: true, places: true };
    let rights = place::is_image().then_some(rights);
    process::prepare(rights).map_err(machine("preparing to start processes"))?;
    place::forget();
    let region = Queue::of_url(&work.queue).and_then(|queue| queue.region().map(str::to_owned));
    let config = aws::config(region.or_else(|| work.region.clone())).await;
    let inbox = Inbox::new(&config, &work.queue);
    let (hands, runner) = Hands::new(inbox, work.visibility, work.hold);
    let agent = environment.get(Variable::Agent).and_then(|address| address.into_string().ok());
    let protection = Protection::new(agent);
    let (events, ears) = mpsc::unbounded_channel();
    let work = Rc::new(work);
    let shared = Rc::new(Shared {
        functions: Functions::new(Rc::clone(&work), environment.clone()),
        attempt: claim::attempt(1, &environment).await,
        hands: Rc::clone(&hands),
        interrupted: Cell::new(false),
        work,
        stop,
        events,
    });
    let mut worker = Worker::new(shared, ears, environment, protection);
    let ended = Box::pin(worker.run()).await;
    let Worker { warm, mut shelf, protection, shared, .. } = worker;
    if let Some(warm) = warm {
        let _nothing_follows = warm.end(&mut shelf).await;
    }
    runner.end(&hands).await;
    protection.end().await;
    ended?;
    let interrupted = shared.interrupted.get() && shared.stop.is_told();
    Ok(if interrupted { Code::Interrupted } else { Code::Success })
}

struct Worker<E> {
    shared: Rc<Shared<E>>,
    ears: mpsc::UnboundedReceiver<Told>,
    environment: E,
    protection: Protection,
    warm: Option<Warm>,
    shelf: Shelf,
    /// Messages that nobody has looked at.
    letters: VecDeque<Rc<Hand>>,
    /// Jobs that are claimed and wait.
    ready: VecDeque<Ready>,
    pace: Pace,
    /// Questions to the queue.
    asking: usize,
    /// Messages that are looked at.
    taking: usize,
    /// When the jobs that run began, oldest first.
    running: VecDeque<Instant>,
    /// Jobs that run or whose ends are recorded.
    unfinished: usize,
    /// The queue has answered before, and that it is empty.
    answered: bool,
    dry: bool,
    /// When it did not answer.
    silent_since: Option<Instant>,
    idle_since: Instant,
    stopping: Option<Instant>,
}

impl<E: Environment + Clone + 'static> Worker<E> {
    fn new(
        shared: Rc<Shared<E>>,
        ears: mpsc::UnboundedReceiver<Told>,
        environment: E,
        protection: Protection,
    ) -> Self {
        let shelf = Shelf::new(shared.work.keep);
        Self {
            shared,
            ears,
            environment,
            protection,
            shelf,
            warm: None,
            letters: VecDeque::new(),
            ready: VecDeque::new(),
            pace: Pace::default(),
            asking: 0,
            taking: 0,
            running: VecDeque::new(),
            unfinished: 0,
            answered: false,
            dry: true,
            silent_since: None,
            idle_since: Instant::now(),
            stopping: None,
        }
    }

    async fn run(&mut self) -> Result<(), RunError> {
        let mut stop = self.shared.stop.clone();
        loop {
            self.advance().await?;
            if self.is_over() {
                return Ok(());
            }
            let timer = self.timer();
            tokio::select! {
                biased;
                _ = stop.asked(), if self.stopping.is_none() => self.stop(),
                Some(told) = self.ears.recv() => self.hear(told)?,
                () = until(timer) => self.look(),
            }
        }
    }

    /// Begins what can begin.
    async fn advance(&mut self) -> Result<(), RunError> {
        if self.warm.as_ref().is_some_and(Warm::is_gone) && self.stopping.is_none() {
            return Err(machine("running functions")("the Runtime API has ended"));
        }
        while let Some(at) = self.next() {
            self.begin(at).await?;
        }
        if self.is_busy() {
            self.idle_since = Instant::now();
        }
        if self.stopping.is_none() && !self.is_idle() {
            self.take();
            self.ask();
        }
        self.protection.busy(self.is_busy());
        Ok(())
    }

    /// Which of the jobs that wait is to begin now.
    fn next(&self) -> Option<usize> {
        let free = self.running.len() < self.shared.work.concurrency;
        let recording = self.unfinished - self.running.len();
        if !free || recording >= RECORDING || self.stopping.is_some() {
            return None;
        }
        let front = self.ready.front()?;
        let fits = |ready: &Ready| self.warm.as_ref().is_some_and(|warm| warm.serves(&ready.known));
        if front.since.elapsed() < PATIENCE
            && let Some(at) = self.ready.iter().position(fits)
        {
            return Some(at);
        }
        (fits(front) || self.running.is_empty()).then_some(0)
    }

    async fn begin(&mut self, at: usize) -> Result<(), RunError> {
        let Some(ready) = self.ready.remove(at) else { return Ok(()) };
        if let Some(warm) = self.warm.take_if(|warm| !warm.serves(&ready.known)) {
            warm.end(&mut self.shelf).await?;
        }
        if self.warm.is_none()
            && let Err(tried) = self.boot(&ready).await
        {
            self.end(ready, tried);
            return Ok(());
        }
        let Some(warm) = &self.warm else { return Ok(()) };
        let began = Instant::now();
        self.running.push_back(began);
        self.unfinished += 1;
        let reply = warm.order(ready.event.clone(), ready.limit).await;
        tokio::task::spawn_local(finish::run(Rc::clone(&self.shared), ready, began, reply));
        Ok(())
    }

    /// Boots the runtime of a job's function, or says how the attempt ended with that.
    async fn boot(&mut self, ready: &Ready) -> Result<(), Result<Tried, RunError>> {
        let mut stop = self.shared.stop.clone();
        let (known, most) = (Rc::clone(&ready.known), self.shared.work.concurrency);
        let booting = Warm::begin(known, &mut self.shelf, most, &self.environment);
        let booted = tokio::select! {
            biased;
            _ = stop.asked() => return Err(Ok(Tried::Interrupted(TOLD))),
            booted = Box::pin(booting) => booted,
        };
        self.warm = Some(booted.map_err(Err)?);
        Ok(())
    }

    /// Records the end of an attempt that has not begun to run.
    fn end(&mut self, ready: Ready, tried: Result<Tried, RunError>) {
        self.unfinished += 1;
        tokio::task::spawn_local(finish::end(Rc::clone(&self.shared), ready, tried));
    }

    /// Looks at as many messages as jobs are wanted.
    fn take(&mut self) {
        while self.taking + self.ready.len() < self.wanted()
            && let Some(hand) = self.letters.pop_front()
        {
            self.taking += 1;
            let shared = Rc::clone(&self.shared);
            tokio::task::spawn_local(async move {
                let ready = take::take(&shared, hand).await;
                shared.tell(Told::Taken(ready.map(Box::new)));
            });
        }
    }

    /// Asks the queue for as many messages as are missing.
    fn ask(&mut self) {
        let known = self.letters.len() + self.taking + self.ready.len();
        let missing = self.wanted().saturating_sub(known);
        let most = if self.dry { 1 } else { ASKING };
        while self.asking < most && missing > self.asking * BATCH && self.mute().is_none() {
            let (shared, count) = (Rc::clone(&self.shared), missing - self.asking * BATCH);
            self.asking += 1;
            tokio::task::spawn_local(async move {
                let work = &shared.work;
                let wait = work.idle.map_or(WAIT, |idle| idle.min(WAIT));
                let asked = shared.hands.inbox().receive(count, wait, work.visibility).await;
                shared.tell(Told::Received(asked));
            });
        }
    }

    /// How many jobs are wanted that are claimed and do not run yet.
    fn wanted(&self) -> usize {
        let free = self.shared.work.concurrency.saturating_sub(self.running.len());
        let oldest = self.running.front().map_or(Duration::ZERO, Instant::elapsed);
        free + self.pace.ahead(oldest)
    }

    fn hear(&mut self, told: Told) -> Result<(), RunError> {
        match told {
            Told::Received(received) => {
                self.asking -= 1;
                return self.received(received);
            }
            Told::Taken(ready) => {
                self.taking -= 1;
                match ready {
                    Some(ready) if self.stopping.is_some() => {
                        self.end(*ready, Ok(Tried::Interrupted(TOLD)));
                    }
                    Some(ready) => self.ready.push_back(*ready),
                    None => {}
                }
            }
            Told::Free(began) => {
                self.pace.saw(began.elapsed());
                let at = self.running.iter().position(|known| *known == began);
                at.map(|at| self.running.remove(at));
            }
            Told::Finished => self.unfinished -= 1,
        }
        Ok(())
    }

    fn received(&mut self, received: Result<Vec<Letter>, AwsError>) -> Result<(), RunError> {
        match received {
            Ok(letters) => {
                (self.answered, self.dry) = (true, letters.is_empty());
                let hands = &self.shared.hands;
                self.letters.extend(letters.into_iter().map(|letter| hands.take(letter)));
                if self.stopping.is_some() {
                    self.give_back(TOLD);
                }
            }
            // A queue that is not there, or not ours: it is better to say so than to wait.
            Err(error @ AwsError::Refused { .. }) if !self.answered => return Err(error.into()),
            Err(error) => {
                say(&format!("{}; again in {} s", causes(&error), PAUSE.as_secs()));
                self.silent_since = Some(Instant::now());
            }
        }
        Ok(())
    }

    /// The end of the pause after a queue that did not answer.
    fn mute(&self) -> Option<Instant> {
        let end = self.silent_since? + PAUSE;
        (end > Instant::now()).then_some(end)
    }

    /// Gives back what has not begun.
    fn give_back(&mut self, why: &'static str) {
        for hand in std::mem::take(&mut self.letters) {
            self.shared.hands.back(&hand, Duration::ZERO);
        }
        for ready in std::mem::take(&mut self.ready) {
            self.end(ready, Ok(Tried::Interrupted(why)));
        }
    }

    fn stop(&mut self) {
        self.stopping = Some(Instant::now());
        if let Some(warm) = &self.warm {
            warm.stop();
        }
        self.give_back(TOLD);
    }

    /// When to look again though nothing happens.
    fn timer(&self) -> Option<Instant> {
        if let Some(since) = self.stopping {
            let ends = [ON_ITS_WAY, self.last()].map(|after| since + after);
            return ends.into_iter().filter(|end| *end > Instant::now()).min();
        }
        let waiting = !self.ready.is_empty() || !self.letters.is_empty();
        let behind = self.running.front().filter(|_| waiting).map(|oldest| *oldest + LONG);
        behind.into_iter().chain(self.mute()).min()
    }

    /// The timer's moment has come.
    fn look(&mut self) {
        let long = self.running.front().is_some_and(|oldest| oldest.elapsed() >= LONG);
        if long && self.stopping.is_none() {
            self.give_back(BEHIND);
        }
    }

    fn is_busy(&self) -> bool {
        let waiting = !self.letters.is_empty() || !self.ready.is_empty();
        waiting || self.taking > 0 || self.unfinished > 0
    }

    /// Nothing is left to be done, or there was nothing for long enough.
    fn is_over(&self) -> bool {
        let heard = |since: Instant| self.asking == 0 || since.elapsed() >= ON_ITS_WAY;
        match self.stopping {
            Some(since) => !self.is_busy() && heard(since) || since.elapsed() >= self.last(),
            None => self.is_idle() && self.asking == 0,
        }
    }

    /// What is not at its end so long after a stop is left to its record.
    fn last(&self) -> Duration {
        self.shared.work.limits.stop_timeout.saturating_sub(LAST)
    }

    fn is_idle(&self) -> bool {
        let limit = self.shared.work.idle;
        !self.is_busy() && limit.is_some_and(|limit| self.idle_since.elapsed() >= limit)
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}
