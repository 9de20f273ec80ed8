//! Starting what was placed, and looking after it: on ECS, on AWS Batch, on Docker, as a process, by workers. Owns what
//! they have in common: the words, the rate, and that a placement is plain data which can be asked for again.

mod answer;
pub mod batch;
pub mod bucket;
pub mod definition;
pub mod docker;
pub mod ecs;
pub mod mode;
pub mod process;
mod types;
pub mod worker;

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use bucket::Bucket;
use ledger::Launch;
use mode::Mode;
use runner::causes::causes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Mutex;
pub use types::{Cause, Launched, Refused, Seen};

use crate::function::Function;
use crate::place::size::Size;
use crate::place::{self, Wanted};

/// `[launch]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// What starts runners: `ecs`, `batch`, `docker` or `process`.
    pub launcher: Kind,
    /// Starts a second in the long run.
    pub rate: f64,
    /// Starts at once.
    pub burst: u32,
    /// Runs at the same time on this machine (`docker`, `process`): what is more waits.
    pub at_once: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { launcher: Kind::Ecs, rate: 20.0, burst: 100, at_once: 16 }
    }
}

/// A launcher's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Tasks of ECS, on Fargate as a rule.
    Ecs,
    /// Jobs of AWS Batch.
    Batch,
    /// Containers of this machine.
    Docker,
    /// Processes of this machine.
    Process,
}

impl Kind {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ecs => "ecs",
            Self::Batch => "batch",
            Self::Docker => "docker",
            Self::Process => "process",
        }
    }
}

/// A wait for one's turn after which others may have asked for the same: less than `grace` is by default.
const LONG: Duration = Duration::from_secs(20);

/// What has its turn within this time is taken from a queue: well before its message comes again.
const SOON: Duration = Duration::from_secs(30);

/// What starts runners.
#[derive(Debug)]
pub struct Launcher {
    place: Place,
    bucket: RefCell<Bucket>,
    workers: Option<worker::Sender>,
    rates: RefCell<mode::Rates>,
    /// Whoever waits for a turn waits in line: a rate that changes counts for all of them.
    line: Mutex<()>,
    waiting: Cell<usize>,
}

#[derive(Debug)]
enum Place {
    Ecs(Box<(ecs::Ecs, place::Settings)>),
    Batch(Box<(batch::Batch, place::batch::Settings)>),
    Docker(Box<docker::Docker>),
    Process(process::Processes),
}

impl Launcher {
    /// Tasks of ECS.
    pub fn ecs(sdk: &SdkConfig, settings: &Settings, ecs: place::Settings) -> Self {
        let cluster = ecs::Ecs::new(sdk, &ecs.cluster, &ecs.container);
        Self::new(Place::Ecs(Box::new((cluster, ecs))), settings)
    }

    /// Jobs of AWS Batch.
    pub fn batch(
        client: aws_sdk_batch::Client,
        settings: &Settings,
        batch: place::batch::Settings,
    ) -> Self {
        Self::new(Place::Batch(Box::new((batch::Batch::new(client), batch))), settings)
    }

    /// Containers; `ledger` is the directory that they have to see.
    pub fn docker(settings: &Settings, docker: docker::Settings, ledger: Option<PathBuf>) -> Self {
        let docker = docker::Docker::new(docker, ledger, settings.at_once);
        Self::new(Place::Docker(Box::new(docker)), settings)
    }

    /// Processes.
    pub fn process(settings: &Settings, process: process::Settings) -> Self {
        Self::new(Place::Process(process::Processes::new(process, settings.at_once)), settings)
    }

    fn new(place: Place, settings: &Settings) -> Self {
        let bucket = Bucket::new(settings.burst, settings.rate, Instant::now());
        let (bucket, line, waiting) = (RefCell::new(bucket), Mutex::new(()), Cell::new(0));
        let (workers, rates) = (None, RefCell::default());
        Self { place, bucket, workers, rates, line, waiting }
    }

    /// How many more starts have their turn soon.
    pub fn room(&self) -> usize {
        let soon = self.bucket.borrow_mut().within(SOON, Instant::now());
        soon.saturating_sub(self.waiting.get())
    }

    /// Waits for a turn; how long that took.
    async fn turn(&self) -> Duration {
        let began = Instant::now();
        let _place = Waiting::new(&self.waiting);
        let _first = self.line.lock().await;
        let wait = self.bucket.borrow_mut().take(Instant::now());
        tokio::time::sleep(wait).await;
        began.elapsed()
    }

    /// The same, with workers for some attempts.
    #[must_use]
    pub fn with_workers(self, client: aws_sdk_sqs::Client, settings: worker::Settings) -> Self {
        let workers = settings.has_queue().then(|| worker::Sender::new(client, settings));
        Self { workers, ..self }
    }

    /// Whether an attempt is for workers, and why. `counted` says that it is about to be started.
    pub fn by_worker(
        &self,
        function: &Function,
        mode: Option<Mode>,
        larger: u32,
        counted: bool,
    ) -> (bool, String) {
        let Some(workers) = &self.workers else { return (false, String::new()) };
        let settings = workers.settings();
        let (now, mut rates) = (Instant::now(), self.rates.borrow_mut());
        let rate =
            if counted { rates.count(&function.arn, now) } else { rates.of(&function.arn, now) };
        let mode = mode.unwrap_or(settings.mode);
        mode::for_workers(mode, function, larger, rate, settings.rules(&function.name))
    }

    /// The name of what starts an attempt.
    pub fn name(&self, by_worker: bool) -> &'static str {
        if by_worker { worker::NAME } else { self.kind().as_str() }
    }

    /// Whether what has this name starts anything here.
    pub fn has(&self, name: &str) -> bool {
        name == self.kind().as_str() || name == worker::NAME && self.workers.is_some()
    }

    /// The name of what starts containers.
    pub fn kind(&self) -> Kind {
        match &self.place {
            Place::Ecs(_) => Kind::Ecs,
            Place::Batch(_) => Kind::Batch,
            Place::Docker(_) => Kind::Docker,
            Place::Process(_) => Kind::Process,
        }
    }

    /// Where and how an attempt runs. Pure. Errors say what was expected, what was found, what to do.
    pub fn place(&self, wanted: &Wanted<'_>) -> Result<Value, String> {
        let placement = match &self.place {
            _ if wanted.by_worker => {
                let workers = self.workers.as_ref().ok_or("there are no workers")?;
                serde_json::to_value(worker::place(wanted, workers.settings())?)
            }
            Place::Ecs(ecs) => serde_json::to_value(place::place(wanted, &ecs.1)?),
            Place::Batch(batch) => serde_json::to_value(place::batch::place(wanted, &batch.1)?),
            Place::Docker(docker) => serde_json::to_value(docker.place(wanted)?),
            Place::Process(_) => {
                place::runnable(wanted)?;
                serde_json::to_value(process::Placement {
                    environment: place::environment(wanted),
                    log: format!("{}-{}.log", wanted.job, wanted.attempt),
                })
            }
        };
        Ok(placement.expect("plain data with string keys"))
    }

    /// The request that a placement becomes, for people, and the size that it asks for; other launchers have none.
    pub fn request(&self, placement: Value, token: &str) -> (Value, Option<Size>) {
        match &self.place {
            Place::Ecs(_) => read::<place::Placement>(&placement)
                .map(|task| (task.request(token), Some(task.size)))
                .unwrap_or((placement, None)),
            Place::Batch(_) => read::<place::batch::Placement>(&placement)
                .map(|job| (job.request(), Some(job.size)))
                .unwrap_or((placement, None)),
            _ => (placement, None),
        }
    }

    /// Has it started by what has this name, or finds what this token started before; waits for its turn. `repeated`
    /// says that it may have been asked for before, which not every launcher can tell from the token.
    pub async fn launch(
        &self,
        name: &str,
        placement: &Value,
        token: &str,
        repeated: bool,
    ) -> Result<Launched, Refused> {
        if let Some(workers) = self.workers.as_ref().filter(|_| name == worker::NAME) {
            return workers.launch(read(placement)?, token).await;
        }
        let turn = self.turn().await;
        // Whoever waited for long may have been taken for dead, and another asked.
        let answer = self.asked(placement, token, repeated || turn > LONG).await;
        self.heed(&answer);
        answer
    }

    /// Starts as fast as AWS lets us.
    fn heed(&self, answer: &Result<Launched, Refused>) {
        let mut bucket = self.bucket.borrow_mut();
        match answer {
            Ok(_) => bucket.granted(),
            Err(Refused::Later { slower: true, .. }) => bucket.refused(Instant::now()),
            Err(_) => {}
        }
    }

    async fn asked(
        &self,
        placement: &Value,
        token: &str,
        repeated: bool,
    ) -> Result<Launched, Refused> {
        match &self.place {
            Place::Ecs(ecs) => ecs.0.launch(&read(placement)?, token).await,
            Place::Batch(batch) => batch.0.launch(&read(placement)?, repeated).await,
            Place::Docker(docker) => docker.launch(&read(placement)?).await,
            Place::Process(processes) => processes.launch(&read(placement)?),
        }
    }

    /// What an earlier request for this placement has started, whatever its token was. Those of this machine know
    /// by themselves.
    pub async fn find(&self, name: &str, placement: &Value) -> Result<Option<String>, Refused> {
        match &self.place {
            Place::Ecs(ecs) if name == Kind::Ecs.as_str() => ecs.0.find(&read(placement)?).await,
            _ => Ok(None),
        }
    }

    /// The last line that what this launch has started has written, where that can be read.
    pub async fn last_line(&self, launch: &Launch) -> Option<String> {
        let (id, placement) = (launch.id.as_deref()?, &launch.placement);
        if launch.launcher != self.kind().as_str() {
            return None;
        }
        match &self.place {
            Place::Ecs(ecs) => ecs.0.last_line(&read(placement).ok()?, id).await,
            Place::Batch(_) => None,
            Place::Docker(docker) => docker.last_line(id).await,
            Place::Process(processes) => processes.last_line(&read(placement).ok()?),
        }
    }

    /// What is seen of these, in order.
    pub async fn look(&self, ids: &[String]) -> Result<Vec<Seen>, String> {
        match &self.place {
            Place::Ecs(ecs) => ecs.0.look(ids).await,
            Place::Batch(batch) => batch.0.look(ids).await,
            Place::Docker(docker) => {
                futures_util::future::try_join_all(ids.iter().map(|id| docker.look(id))).await
            }
            Place::Process(processes) => Ok(ids.iter().map(|id| processes.look(id)).collect()),
        }
    }
}

/// What an error of the SDK says.
fn said<E, R>(error: &SdkError<E, R>) -> String
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    let answer = error.as_service_error();
    match answer.and_then(|answer| Some((answer.code()?, answer.message()))) {
        Some((code, message)) => format!("{code}: {}", message.unwrap_or("without a message")),
        // No answer, or one that is not understood.
        None => causes(error),
    }
}

/// It may have been started: a repetition finds it.
fn unanswered(operation: &str, why: &str) -> Refused {
    Refused::later(format!("{operation} got no answer: {why}"), Duration::from_secs(5))
}

/// Somebody in line.
struct Waiting<'a>(&'a Cell<usize>);

impl<'a> Waiting<'a> {
    fn new(line: &'a Cell<usize>) -> Self {
        line.set(line.get() + 1);
        Self(line)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// All hands are full.
fn busy(at_once: usize) -> Refused {
    let why = format!("{at_once} runs are at work on this machine ([launch] at_once)");
    Refused::later(why, Duration::from_secs(5))
}

/// A placement that was recorded, perhaps by another version of this program.
fn read<T: serde::de::DeserializeOwned>(placement: &Value) -> Result<T, Refused> {
    T::deserialize(placement).map_err(|error| Refused::Later {
        why: format!("the recorded placement cannot be read: {error}"),
        after: Duration::from_mins(1),
        anew: true,
        slower: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What waits for a hand of this machine does not start sooner for being asked for less often.
    #[tokio::test]
    async fn a_full_house_does_not_make_starts_slower() {
        let settings = Settings { at_once: 0, launcher: Kind::Process, ..Settings::default() };
        let launcher = Launcher::process(&settings, process::Settings::default());
        let placement = serde_json::json!({ "environment": {}, "log": "log" });
        for _ in 0..3 {
            let refused = launcher.launch("process", &placement, "token", false).await;
            assert_eq!(refused, Err(busy(0)));
        }
        // 20 a second, and those of the first 100 that are left.
        assert!(launcher.room() >= 697, "{}", launcher.room());
        let why = String::new();
        let full = Refused::Later { why, after: Duration::ZERO, anew: true, slower: true };
        launcher.heed(&Err(full));
        assert!(launcher.room() <= 300, "{}", launcher.room());
    }
}
