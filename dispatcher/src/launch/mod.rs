//! Starting what was placed, and looking after it: on ECS, on Docker, as a process. Owns what they have in common: the
//! words, the rate, and that a placement is plain data which can be asked for again.

mod answer;
pub mod bucket;
pub mod docker;
pub mod ecs;
pub mod process;
mod types;

use std::cell::RefCell;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bucket::Bucket;
use serde::{Deserialize, Serialize};
use serde_json::Value;
pub use types::{Cause, Launched, Refused, Seen};

use crate::place::{self, Wanted};

/// `[launch]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// What starts runners: `ecs`, `docker` or `process`.
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Tasks of ECS, on Fargate as a rule.
    Ecs,
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
            Self::Docker => "docker",
            Self::Process => "process",
        }
    }
}

/// What starts runners.
#[derive(Debug)]
pub struct Launcher {
    place: Place,
    bucket: RefCell<Bucket>,
}

#[derive(Debug)]
enum Place {
    Ecs(Box<(ecs::Ecs, place::Settings)>),
    Docker(Box<docker::Docker>),
    Process(process::Processes),
}

impl Launcher {
    /// Tasks of ECS.
    pub fn ecs(client: aws_sdk_ecs::Client, settings: &Settings, ecs: place::Settings) -> Self {
        let cluster = ecs::Ecs::new(client, &ecs.cluster, &ecs.container);
        Self::new(Place::Ecs(Box::new((cluster, ecs))), settings)
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
        Self { place, bucket: RefCell::new(bucket) }
    }

    /// Its name.
    pub fn kind(&self) -> Kind {
        match &self.place {
            Place::Ecs(_) => Kind::Ecs,
            Place::Docker(_) => Kind::Docker,
            Place::Process(_) => Kind::Process,
        }
    }

    /// Where and how an attempt runs. Pure. Errors say what was expected, what was found, what to do.
    pub fn place(&self, wanted: &Wanted<'_>) -> Result<Value, String> {
        let placement = match &self.place {
            Place::Ecs(ecs) => serde_json::to_value(place::place(wanted, &ecs.1)?),
            Place::Docker(docker) => serde_json::to_value(docker.place(wanted)?),
            Place::Process(_) => {
                place::runnable(wanted.function)?;
                serde_json::to_value(process::Placement {
                    environment: place::environment(wanted),
                    log: format!("{}-{}.log", wanted.job, wanted.attempt),
                })
            }
        };
        Ok(placement.expect("plain data with string keys"))
    }

    /// Starts it, or finds what this token started before; waits for its turn.
    pub async fn launch(&self, placement: &Value, token: &str) -> Result<Launched, Refused> {
        let turn = self.bucket.borrow_mut().take(Instant::now());
        tokio::time::sleep(turn).await;
        match &self.place {
            Place::Ecs(ecs) => ecs.0.launch(&read(placement)?, token).await,
            Place::Docker(docker) => docker.launch(&read(placement)?).await,
            Place::Process(processes) => processes.launch(&read(placement)?),
        }
    }

    /// What is seen of these, in order.
    pub async fn look(&self, ids: &[String]) -> Result<Vec<Seen>, String> {
        match &self.place {
            Place::Ecs(ecs) => ecs.0.look(ids).await,
            Place::Docker(docker) => {
                futures_util::future::try_join_all(ids.iter().map(|id| docker.look(id))).await
            }
            Place::Process(processes) => Ok(ids.iter().map(|id| processes.look(id)).collect()),
        }
    }
}

/// All hands are full.
fn busy(at_once: usize) -> Refused {
    Refused::Later {
        why: format!("{at_once} runs are at work on this machine ([launch] at_once)"),
        after: Duration::from_secs(5),
        anew: false,
    }
}

/// A placement that was recorded, perhaps by another version of this program.
fn read<T: serde::de::DeserializeOwned>(placement: &Value) -> Result<T, Refused> {
    T::deserialize(placement).map_err(|error| Refused::Later {
        why: format!("the recorded placement cannot be read: {error}"),
        after: Duration::from_mins(1),
        anew: true,
    })
}
