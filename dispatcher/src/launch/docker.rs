//! Runners as containers of the Docker Engine on this machine. A thin shell over its API; a container's name is its
//! attempt, so that one that is asked for twice is made once.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use bollard::Docker as Engine;
use bollard::errors::Error;
use bollard::models::{ContainerCreateBody, ContainerState, ContainerStateStatusEnum, HostConfig};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, ListContainersOptionsBuilder, LogsOptionsBuilder,
};
use futures_util::StreamExt as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use super::{Cause, Launched, Refused, Seen};
use crate::place::{self, Wanted, size};

/// `[docker]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The image: `{runtime}`, `{family}` and `{arch}` stand for the function's.
    pub image: String,
    /// Images of single runtimes, by Lambda's identifier; `image` is that of container-image functions.
    pub images: BTreeMap<String, String>,
    /// The network that containers are in; none: Docker's own.
    pub network: Option<String>,
    /// Variables of the dispatcher that containers get: region, endpoints, credentials. Their values are recorded
    /// nowhere.
    pub pass: Vec<String>,
    /// So long after a stop until the kill.
    #[serde(with = "crate::seconds")]
    #[schemars(schema_with = "crate::seconds::schema")]
    pub stop_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        let pass = [
            "AWS_REGION",
            "AWS_DEFAULT_REGION",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
        ];
        Self {
            image: "immortal/{family}".to_owned(),
            images: BTreeMap::new(),
            network: None,
            pass: pass.map(str::to_owned).to_vec(),
            stop_timeout: Duration::from_secs(30),
        }
    }
}

/// A container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: String,
    /// Memory, MiB.
    pub memory: u32,
    /// CPU units, of which 1,024 are a core.
    pub cpu: u32,
    /// What the runner is told.
    pub environment: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// The Docker Engine of this machine.
#[derive(Debug)]
pub struct Docker {
    settings: Settings,
    /// The ledger's directory, where it is one: containers see it at the same place.
    ledger: Option<PathBuf>,
    /// Values of the variables that containers get.
    passed: Vec<(String, String)>,
    at_once: usize,
    engine: OnceCell<Engine>,
}

/// The largest memory of a container's swap is its memory: none.
const MIB: i64 = 1 << 20;
/// As Lambda has it (Lambda quotas): processes and threads.
const PROCESSES: i64 = 1_024 + 64;

impl Docker {
    /// Nothing is asked yet.
    pub fn new(settings: Settings, ledger: Option<PathBuf>, at_once: usize) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "containers get what the configuration names"
        )]
        let value = |name: &String| Some((name.clone(), std::env::var(name).ok()?));
        let passed = settings.pass.iter().filter_map(value).collect();
        Self { settings, ledger, passed, at_once, engine: OnceCell::new() }
    }

    /// Where and how an attempt runs. Pure.
    pub fn place(&self, wanted: &Wanted<'_>) -> Result<Placement, String> {
        let settings = &self.settings;
        place::runnable(wanted)?;
        let image =
            place::named(wanted.function, &settings.image, &settings.images, "[docker.images]")?;
        let memory = wanted.function.memory_mb + place::Settings::default().supervisor_mb;
        let memory = memory.checked_shl(wanted.larger).unwrap_or(u32::MAX);
        Ok(Placement {
            name: format!("immortal-{}-{}", wanted.job, wanted.attempt),
            image,
            memory,
            cpu: size::as_lambda(wanted.function.memory_mb).max(256),
            environment: place::environment(wanted),
            labels: BTreeMap::from([
                ("immortal.job".to_owned(), wanted.job.to_string()),
                ("immortal.function".to_owned(), wanted.function.name.clone()),
            ]),
        })
    }

    /// Starts a container, or finds the one of that name.
    pub async fn launch(&self, placement: &Placement) -> Result<Launched, Refused> {
        let engine = self.engine().await.map_err(|why| later(why, 15))?;
        let alive = self.alive(engine).await.map_err(|error| refused(&error, placement))?;
        if alive >= self.at_once {
            return Err(super::busy(self.at_once));
        }
        let options = CreateContainerOptionsBuilder::default().name(&placement.name).build();
        match engine.create_container(Some(options), self.body(placement)).await {
            Ok(_) => {}
            // An earlier request has made it. One that has ended is not started again.
            Err(Error::DockerResponseServerError { status_code: 409, .. }) => {
                if let Ok(Seen::Over { .. }) = self.look(&placement.name).await {
                    return Ok(Launched { id: placement.name.clone() });
                }
            }
            Err(error) => return Err(refused(&error, placement)),
        }
        match engine.start_container(&placement.name, None).await {
            Ok(()) => Ok(Launched { id: placement.name.clone() }),
            Err(error) => Err(refused(&error, placement)),
        }
    }

    /// How many runs are at work.
    async fn alive(&self, engine: &Engine) -> Result<usize, Error> {
        let filters = HashMap::from([("label", vec!["immortal.job"])]);
        let options = ListContainersOptionsBuilder::default().filters(&filters).build();
        Ok(engine.list_containers(Some(options)).await?.len())
    }

    fn body(&self, placement: &Placement) -> ContainerCreateBody {
        let own = placement
            .environment
            .iter()
            .chain(self.passed.iter().map(|(name, value)| (name, value)));
        let bytes = i64::from(placement.memory) * MIB;
        let binds = self.ledger.as_ref().map(|ledger| {
            let ledger = ledger.display();
            vec![format!("{ledger}:{ledger}")]
        });
        ContainerCreateBody {
            image: Some(placement.image.clone()),
            env: Some(own.map(|(name, value)| format!("{name}={value}")).collect()),
            labels: Some(placement.labels.clone().into_iter().collect::<HashMap<_, _>>()),
            stop_timeout: i64::try_from(self.settings.stop_timeout.as_secs()).ok(),
            host_config: Some(HostConfig {
                memory: Some(bytes),
                memory_swap: Some(bytes),
                nano_cpus: Some(i64::from(placement.cpu) * 1_000_000_000 / 1_024),
                pids_limit: Some(PROCESSES),
                network_mode: self.settings.network.clone(),
                binds,
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        }
    }

    /// What is seen of a container.
    pub async fn look(&self, name: &str) -> Result<Seen, String> {
        let engine = self.engine().await?;
        match engine.inspect_container(name, None).await {
            Ok(found) => Ok(found.state.map_or(Seen::Absent, |state| seen(&state))),
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(Seen::Absent),
            Err(error) => Err(format!("the Docker Engine does not tell of {name}: {error}")),
        }
    }

    /// The last line that a container has written.
    pub async fn last_line(&self, name: &str) -> Option<String> {
        let options = LogsOptionsBuilder::default().stdout(true).stderr(true).tail("1").build();
        let mut lines = pin!(self.engine().await.ok()?.logs(name, Some(options)));
        let mut last = None;
        while let Some(Ok(line)) = lines.next().await {
            last = Some(line.to_string());
        }
        last
    }

    async fn engine(&self) -> Result<&Engine, String> {
        let connect = || async {
            Engine::connect_with_local_defaults()
                .map_err(|error| format!("the Docker Engine cannot be reached (is it running, and may you use its socket?): {error}"))
        };
        self.engine.get_or_try_init(connect).await
    }
}

fn later(why: String, seconds: u64) -> Refused {
    Refused::later(why, Duration::from_secs(seconds))
}

fn refused(error: &Error, placement: &Placement) -> Refused {
    match error {
        Error::DockerResponseServerError { status_code: 404, message } => later(
            format!("the Docker Engine: {message}: pull or build the image {}", placement.image),
            60,
        ),
        Error::DockerResponseServerError { status_code: 400, message } => {
            Refused::Never { why: format!("the Docker Engine: {message}") }
        }
        error => later(format!("the Docker Engine: {error}"), 15),
    }
}

fn seen(state: &ContainerState) -> Seen {
    let exit = state.exit_code.and_then(|code| i32::try_from(code).ok());
    match state.status {
        Some(ContainerStateStatusEnum::EXITED | ContainerStateStatusEnum::DEAD) => {
            let cause = match (state.oom_killed, exit) {
                (Some(true), Some(137)) => Cause::OutOfMemory,
                (_, Some(137)) => Cause::Killed,
                _ => Cause::Exited,
            };
            let code =
                exit.map_or_else(|| "no exit code".to_owned(), |code| format!("exit code {code}"));
            Seen::Over { reason: format!("{cause}: {code}"), exit, cause }
        }
        // Made, and not started: its start was cut off, and is repeated by the same name.
        Some(ContainerStateStatusEnum::CREATED) | None => Seen::Absent,
        Some(status) => Seen::Alive { step: status.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_has_its_cause() {
        let state = |status, oom_killed, exit_code| ContainerState {
            status: Some(status),
            oom_killed: Some(oom_killed),
            exit_code: Some(exit_code),
            ..ContainerState::default()
        };
        let exited = ContainerStateStatusEnum::EXITED;
        for (state, expected) in [
            (state(exited, false, 0), Some(Cause::Exited)),
            (state(exited, true, 137), Some(Cause::OutOfMemory)),
            // The kernel killed the function, and the runner has told of it.
            (state(exited, true, 1), Some(Cause::Exited)),
            (state(exited, false, 137), Some(Cause::Killed)),
            (state(ContainerStateStatusEnum::RUNNING, false, 0), None),
        ] {
            let cause = match seen(&state) {
                Seen::Over { cause, .. } => Some(cause),
                _ => None,
            };
            assert_eq!(cause, expected, "{state:?}");
        }
    }
}
