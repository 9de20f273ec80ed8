//! One run: an account, the dispatcher as `serve` furnishes it, and what it took to drain the queue.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dispatcher::config::Config;
use dispatcher::furnish::{furnished, queues};
use dispatcher::metrics::Metrics;
use dispatcher::serve::{Shared, serve};
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::task::LocalSet;
use tokio::time::timeout;

use crate::account::fargate::Bill;
use crate::account::tally::Counted;
use crate::account::{Account, Kind, batch, clock, limits};
use crate::worker;

/// How jobs are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A task of ECS for each, on demand.
    Task,
    /// The same, three quarters of them on Spot.
    Spot,
    /// A job of Batch for each.
    Batch,
    /// A task of ECS for each, of functions that take seconds.
    Short,
    /// The same functions, by workers.
    Worker,
    /// A task of ECS for each of them, and ECS throttles half of all requests for a minute.
    Storm,
}

impl Mode {
    /// All, in the order in which they are shown.
    pub const ALL: [Self; 6] =
        [Self::Task, Self::Spot, Self::Batch, Self::Short, Self::Worker, Self::Storm];

    /// As it is asked for.
    pub fn name(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Spot => "spot",
            Self::Batch => "batch",
            Self::Short => "short",
            Self::Worker => "worker",
            Self::Storm => "storm",
        }
    }

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Spot => "task, 3 of 4 on Spot",
            Self::Batch => "batch",
            Self::Short => "task, short jobs",
            Self::Worker => "worker, short jobs",
            Self::Storm => "task, short jobs, throttled",
        }
    }

    fn account(self) -> Kind {
        let (functions, takes) = match self {
            Self::Short | Self::Worker | Self::Storm => (1, limits::SHORT),
            Self::Task | Self::Spot | Self::Batch => (20, limits::LONG),
        };
        Kind { functions, takes, stormy: self == Self::Storm }
    }

    /// The configuration of the dispatcher.
    fn config(self) -> String {
        let launcher = match self {
            Self::Task | Self::Short | Self::Storm => "[ecs]\nsubnets = [\"subnet-1\"]\n",
            Self::Worker => {
                "[ecs]\nsubnets = [\"subnet-1\"]\n[worker]\nmode = \"worker\"\n\
                 queue = \"https://sqs.us-east-1.amazonaws.com/123456789012/pointers\"\n"
            }
            Self::Spot => {
                "[ecs]\nsubnets = [\"subnet-1\"]\ncapacity = { FARGATE = 1, FARGATE_SPOT = 3 }\n"
            }
            Self::Batch => "[launch]\nlauncher = \"batch\"\nrate = 50\nburst = 50\n",
        };
        let queue = |name: &str, more: &str| {
            format!(
                "[[queue]]\nurl = \"https://sqs.us-east-1.amazonaws.com/123456789012/{name}\"\n{more}\n"
            )
        };
        format!(
            "ledger = \"s3://jobs\"\ndestinations = [\"sqs:https://sqs.us-east-1.amazonaws.com/123456789012/done\"]\n\
             [allow]\nprovenance = false\n{launcher}{}{}",
            queue("failed", "kind = \"destination\""),
            queue("states", "task_states = true"),
        )
    }
}

/// What is run.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// How.
    pub mode: Mode,
    /// How many failed invocations are in the queue.
    pub jobs: u64,
    /// What happens is the same for the same seed.
    pub seed: u64,
}

/// What it took.
#[derive(Debug)]
pub struct Figures {
    /// What was run.
    pub setting: Setting,
    /// Until the last job was struck off.
    pub drained: Duration,
    /// Containers that were started, and the most vCPUs of the quota at a time.
    pub started: u64,
    /// See above.
    pub vcpus: f64,
    /// Compute.
    pub bill: Bill,
    /// Requests, until then.
    pub counted: Counted,
    /// Of a hundred parts of the jobs: when they were done.
    pub curve: Vec<Duration>,
    /// Memory of this program when so many hundredths were done, MiB: dispatcher and account together.
    pub memory: Vec<f64>,
    /// After the first job was done, the longest time in which none was.
    pub stall: Duration,
    /// The longest that a job whose container had ended without an outcome was left alone.
    pub unattended: Duration,
    /// What must never be and was.
    pub violations: Vec<String>,
    /// How long it took here.
    pub took: Duration,
}

/// Longer than this nothing takes, unless something is stuck.
const PATIENCE: Duration = Duration::from_hours(24 * 60);

/// Drains the queue.
///
/// # Panics
/// Where no runtime can be made, or the configuration is wrong: both are defects of this program.
pub fn run(setting: Setting) -> Figures {
    let began = Instant::now();
    fastrand::seed(setting.seed);
    clock::begin();
    let runtime = Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime can be made");
    let work = async {
        tokio::select! {
            biased;
            figures = Box::pin(drained(setting)) => figures,
            () = clock::pass() => unreachable!("time passes for ever"),
        }
    };
    let mut figures = LocalSet::new().block_on(&runtime, work);
    drop(runtime);
    clock::end();
    figures.took = began.elapsed();
    figures
}

async fn drained(setting: Setting) -> Figures {
    let account = Account::new(setting.seed, setting.jobs, &setting.mode.account());
    match setting.mode {
        Mode::Batch => drop(tokio::spawn(batch::schedule(Arc::clone(&account)))),
        Mode::Worker => drop(tokio::spawn(worker::service(Arc::clone(&account)))),
        Mode::Task | Mode::Spot | Mode::Short | Mode::Storm => {}
    }
    let config = Config::read(&setting.mode.config()).expect("a configuration");
    let desk = furnished(config, account.sdk(), account.ledger());
    let queues = queues(&desk).await.expect("queues");
    let shared = Rc::new(Shared { desk, metrics: Metrics::default() });
    let (stop, told) = watch::channel(false);
    let serving = tokio::task::spawn_local(serve(shared, queues, told));
    let Course { curve, memory, stall, mut violations } = watched(&account, setting.jobs).await;
    let drained = Duration::from_millis(clock::passed());
    let counted = account.tally.counted();
    // What is on its way is looked at, too, and workers that have nothing to do end: then they are billed.
    tokio::time::sleep(Duration::from_mins(3)).await;
    let billed = timeout(PATIENCE, async {
        while account.fargate.at_work() > 0 {
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
    });
    violations.extend(billed.await.is_err().then(|| "containers without an end".to_owned()));
    let left = account.failed.len();
    violations.extend((left != (0, 0)).then(|| format!("messages are left: {left:?}")));
    let _nobody_listens = stop.send(true);
    let _ended = serving.await;
    violations.extend(account.objects.violations());
    let (started, vcpus, bill) = account.fargate.figures();
    Figures {
        setting,
        drained,
        started,
        vcpus,
        bill,
        counted,
        curve,
        memory,
        stall,
        unattended: account.objects.unattended(),
        violations,
        took: Duration::ZERO,
    }
}

/// What is noted while jobs come to their ends.
#[derive(Debug, Default)]
struct Course {
    curve: Vec<Duration>,
    memory: Vec<f64>,
    stall: Duration,
    violations: Vec<String>,
}

/// Waits until all jobs are done, and notes when each hundredth was.
async fn watched(account: &Account, jobs: u64) -> Course {
    let mut course = Course::default();
    let mut last = None;
    let waited = timeout(PATIENCE, async {
        while !account.objects.all_done() {
            account.objects.struck.notified().await;
            let now = Duration::from_millis(clock::passed());
            course.stall = course.stall.max(now.saturating_sub(last.replace(now).unwrap_or(now)));
            while account.objects.done() * 100 >= jobs * (course.curve.len() as u64 + 1) {
                course.curve.push(now);
                course.memory.push(resident());
            }
        }
    });
    if waited.await.is_err() {
        let (done, days) = (account.objects.done(), PATIENCE.as_secs() / 86_400);
        course.violations.push(format!("only {done} of {jobs} jobs are done after {days} days"));
    }
    course
}

/// Resident memory of this program, MiB (proc(5), `statm`: pages of 4 KiB).
fn resident() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<f64>().ok());
    pages.unwrap_or_default() / 256.0
}
