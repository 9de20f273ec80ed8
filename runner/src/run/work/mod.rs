//! A worker: takes jobs from a queue and runs them in a runtime that stays warm. Owns what its tasks share, its beginning and
//! its end; which job begins, `worker` decides. What becomes of a job is decided and recorded by the same desk as that of a
//! container which is there for one attempt.

mod errands;
mod finish;
mod functions;
mod hands;
mod pace;
mod protection;
mod shelf;
mod take;
mod turn;
mod warm;
mod worker;

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use ledger::Attempt;
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use super::error::{RunError, machine};
use super::ledgered::claim;
use crate::aws::inbox::{Inbox, Letter};
use crate::aws::{self, AwsError};
use crate::code::Code;
use crate::config::{Environment, Variable, Work};
use crate::destination::Queue;
use crate::place;
use crate::process::{self, Rights};
use crate::signals::Stop;
use functions::Functions;
use hands::Hands;
use protection::Protection;
use take::Ready;
use worker::Worker;

/// So long an empty queue is waited at: at a stop the answer that is under way has to be waited for, since the queue hides
/// the messages of one that nobody reads.
const WAIT: Duration = Duration::from_secs(5);
/// So long an answer with messages may still come after a stop.
const ON_ITS_WAY: Duration = Duration::from_secs(6);

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
    let mut worker = Worker::new(Rc::clone(&shared), ears, environment, protection);
    let ended = Box::pin(worker.run()).await;
    let (warm, mut shelf, protection) = worker.parts();
    if let Some(warm) = warm {
        let _nothing_follows = warm.end(&mut shelf).await;
    }
    runner.end(&hands).await;
    protection.end().await;
    ended?;
    let interrupted = shared.interrupted.get() && shared.stop.is_told();
    Ok(if interrupted { Code::Interrupted } else { Code::Success })
}
