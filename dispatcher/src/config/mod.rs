//! The configuration file: one TOML file, all keys documented, unknown ones refused with the nearest valid one. Pure,
//! but for reading the file.

mod nearest;
pub mod queues;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ledger::{AddressError, Destination, Root};
use schemars::JsonSchema;
use serde::Deserialize;
use thiserror::Error;

use crate::envelope::Kind;
use crate::function::Function;
use crate::launch::mode::Mode;
use crate::launch::{self, docker, process, worker};
use crate::policy::Rerun;
use crate::reconcile::next::Rules;
use crate::resolve::allow::{Allow, matches};
use crate::resolve::maps::Map;
use crate::{place, policy, resolve};

/// Where the configuration is if nothing is said.
pub const DEFAULT: &str = "immortal.toml";

/// A tag by which a function says itself which failures are run again.
const TAG: &str = "immortal:rerun";

/// The whole file.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where jobs are recorded: `s3://bucket/prefix` or `file:///directory`.
    pub ledger: String,
    /// The region, where it is not that of the environment.
    #[serde(default)]
    pub region: Option<String>,
    /// Where outcomes go that neither job nor function sends anywhere else; none said: the function's own
    /// destinations.
    #[serde(default)]
    #[schemars(with = "Option<Vec<String>>")]
    pub destinations: Option<Vec<Destination>>,
    /// The longest invocation.
    #[serde(default, with = "crate::seconds::optional")]
    #[schemars(schema_with = "crate::seconds::schema")]
    pub max_duration: Option<Duration>,
    /// The queues that are read.
    #[serde(default)]
    pub queue: Vec<QueueSettings>,
    /// Which functions may be run.
    #[serde(default)]
    pub allow: Allow,
    /// Which function belongs to which queue, topic, bucket or event source.
    #[serde(default)]
    pub map: Vec<Map>,
    /// Which failures are run again.
    #[serde(default)]
    pub policy: policy::Settings,
    /// What is different for single functions; the first that fits counts.
    #[serde(default)]
    pub function: Vec<Override>,
    /// Attempts, pauses, patience.
    #[serde(default)]
    pub watch: Rules,
    /// What starts runners, and how fast.
    #[serde(default)]
    pub launch: launch::Settings,
    /// Tasks of ECS.
    #[serde(default)]
    pub ecs: place::Settings,
    /// Jobs of AWS Batch.
    #[serde(default)]
    pub batch: place::batch::Settings,
    /// Containers of this machine.
    #[serde(default)]
    pub docker: docker::Settings,
    /// Processes.
    #[serde(default)]
    pub process: process::Settings,
    /// Workers, which take jobs from a queue of their own.
    #[serde(default)]
    pub worker: worker::Settings,
    /// `serve`.
    #[serde(default)]
    pub serve: Serve,
}

/// A queue that is read.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QueueSettings {
    /// Its URL.
    pub url: String,
    /// What is in it; `auto` looks at each message.
    #[serde(default)]
    pub kind: Kind,
    /// The function of messages in it that name none: dead letters, plain events.
    #[serde(default)]
    pub function: Option<String>,
    /// Queues that redrive into it and have no event source mapping.
    #[serde(default)]
    pub plain_sources: Vec<String>,
    /// Buckets in which Lambda leaves records; none said: any.
    #[serde(default)]
    pub record_buckets: Vec<String>,
    /// Whether it has state changes of ECS tasks or Batch jobs, from an EventBridge rule.
    #[serde(default)]
    pub task_states: bool,
}

/// What is different for some functions.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// Name, with `*` for anything.
    pub name: String,
    /// Which failures are run again.
    #[serde(default)]
    pub rerun: Option<Rerun>,
    /// Who runs their jobs: `task`, `worker`, `auto`.
    #[serde(default)]
    pub mode: Option<Mode>,
    /// Attempts.
    #[serde(default)]
    pub attempts: Option<u32>,
    /// Where outcomes go.
    #[serde(default)]
    #[schemars(with = "Option<Vec<String>>")]
    pub destinations: Option<Vec<Destination>>,
    /// The longest invocation.
    #[serde(default, with = "crate::seconds::optional")]
    #[schemars(schema_with = "crate::seconds::schema")]
    pub max_duration: Option<Duration>,
}

/// `[serve]`
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Serve {
    /// Address of `/healthz` and `/metrics`; none: not served.
    pub listen: Option<std::net::SocketAddr>,
    /// Messages that are worked at together.
    pub in_flight: usize,
    /// Jobs that may be unfinished together: while there are more, no message is taken.
    pub unfinished: usize,
    /// So long a message stays hidden while it is worked at.
    #[serde(with = "crate::seconds")]
    #[schemars(schema_with = "crate::seconds::schema")]
    pub hidden: Duration,
    /// How often unfinished jobs are looked after.
    #[serde(with = "crate::seconds")]
    #[schemars(schema_with = "crate::seconds::schema")]
    pub every: Duration,
    /// So long work that has begun is waited for after SIGTERM.
    #[serde(with = "crate::seconds")]
    #[schemars(schema_with = "crate::seconds::schema")]
    pub drain: Duration,
}

impl Default for Serve {
    fn default() -> Self {
        Self {
            listen: None,
            in_flight: 64,
            unfinished: 50_000,
            hidden: Duration::from_mins(2),
            every: Duration::from_mins(1),
            drain: Duration::from_secs(8),
        }
    }
}

/// What is wrong with a configuration.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("expected a configuration file at {} (name another with --config or IMMORTAL_CONFIG; docs/dispatcher.md has the least that is enough)", path.display())]
    Unreadable {
        /// Where.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It is not what it should be.
    #[error("{}: {problem}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Where in it, what was expected, what was found.
        problem: String,
    },
}

impl Config {
    /// Reads a file, or the text itself, which has line breaks as no path has, and refuses what cannot work.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        if let Some(text) = path.to_str().filter(|said| said.contains('\n')) {
            let path = "the configuration".into();
            return Self::read(text).map_err(|problem| ConfigError::Wrong { path, problem });
        }
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        Self::read(&text).map_err(|problem| ConfigError::Wrong { path: path.to_owned(), problem })
    }

    /// As [`load`](Self::load), for what can do without: nothing where [`DEFAULT`] is not there.
    pub fn find(path: &Path) -> Result<Option<Self>, ConfigError> {
        match Self::load(path) {
            Err(ConfigError::Unreadable { source, .. })
                if path == Path::new(DEFAULT) && source.kind() == ErrorKind::NotFound =>
            {
                Ok(None)
            }
            loaded => loaded.map(Some),
        }
    }

    /// Reads the text of a file.
    pub fn read(text: &str) -> Result<Self, String> {
        let config: Self =
            toml::from_str(text).map_err(|error| nearest::explained(&error, text))?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        self.root().map_err(|error| format!("ledger: {error}"))?;
        self.map.iter().try_for_each(Map::check)?;
        match self.launch.launcher {
            launch::Kind::Ecs => self.ecs.check()?,
            launch::Kind::Batch => self.batch.check()?,
            launch::Kind::Docker | launch::Kind::Process => {}
        }
        let modes = self.function.iter().filter_map(|own| own.mode).chain([self.worker.mode]);
        if !self.worker.has_queue() && modes.into_iter().any(|mode| mode != Mode::Task) {
            return Err("expected a queue of workers in [worker] queue, since `mode` sends jobs there, found none".to_owned());
        }
        for (key, found) in
            [("in_flight", self.serve.in_flight), ("unfinished", self.serve.unfinished)]
        {
            if found == 0 {
                return Err(format!("expected [serve] {key} of at least 1, found 0"));
            }
        }
        if self.serve.hidden < Duration::from_secs(10) {
            return Err(
                "expected [serve] hidden of at least 10s, since a launch may take that long"
                    .to_owned(),
            );
        }
        let doubled = self
            .queue
            .iter()
            .enumerate()
            .find(|(at, queue)| self.queue[..*at].iter().any(|other| other.url == queue.url));
        doubled.map_or(Ok(()), |(_, queue)| {
            Err(format!("expected each queue once, found {} twice", queue.url))
        })
    }

    /// Where the ledger is.
    pub fn root(&self) -> Result<Root, AddressError> {
        self.ledger.parse()
    }

    /// How functions are found of what this queue delivers.
    pub fn resolving(&self, queue: &QueueSettings) -> resolve::Settings {
        let (allow, map) = (self.allow.clone(), self.map.clone());
        resolve::Settings { allow, map, function: queue.function.clone() }
    }

    /// What counts for one function.
    pub fn of(&self, function: &Function) -> OfFunction {
        let own = self.function.iter().find(|one| matches(&one.name, &function.name));
        let tag = function.tags.get(TAG).and_then(|tag| rerun(tag));
        let policy = policy::Settings {
            rerun: tag.or(own.and_then(|own| own.rerun)).unwrap_or(self.policy.rerun),
            ..self.policy.clone()
        };
        let destinations = own.and_then(|own| own.destinations.clone());
        let longest = own.and_then(|own| own.max_duration).or(self.max_duration);
        OfFunction {
            policy,
            mode: own.and_then(|own| own.mode),
            defaults: crate::jobs::Defaults {
                destinations,
                max_duration_seconds: longest.map(|longest| longest.as_secs()),
                attempts: own.and_then(|own| own.attempts),
            },
        }
    }
}

fn rerun(text: &str) -> Option<Rerun> {
    Some(match text {
        "timeouts" => Rerun::Timeouts,
        "resources" => Rerun::Resources,
        "any" => Rerun::Any,
        _ => return None,
    })
}

/// What counts for one function.
#[derive(Debug, Clone)]
pub struct OfFunction {
    /// Which failures are run again.
    pub policy: policy::Settings,
    /// Who runs its jobs, where that is not as usual.
    pub mode: Option<Mode>,
    /// What its jobs get.
    pub defaults: crate::jobs::Defaults,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::sample;

    const LEAST: &str = "ledger = \"file:///var/ledger\"\n[ecs]\nsubnets = [\"subnet-1\"]\n";

    #[test]
    fn the_least_file_is_enough() {
        let config = Config::read(LEAST).unwrap();
        assert_eq!(config.launch.launcher, launch::Kind::Ecs);
        assert_eq!((config.watch.attempts, config.serve.in_flight), (3, 64));
    }

    #[test]
    fn a_key_that_is_not_known_is_refused_with_the_nearest() {
        for (text, parts) in [
            ("ledgr = \"file:///x\"", ["`ledgr`", "`ledger`"]),
            ("ledger = \"file:///x\"\n[watch]\natempts = 3", ["`atempts`", "`attempts`"]),
            (
                "ledger = \"file:///x\"\n[[queue]]\nurl = \"u\"\nkind = \"deadletter\"",
                ["`deadletter`", "`dead-letter`"],
            ),
        ] {
            let problem = Config::read(text).unwrap_err();
            assert!(parts.iter().all(|part| problem.contains(part)), "{problem}");
            assert!(problem.contains("line "), "{problem}");
        }
    }

    #[test]
    fn only_the_file_that_nobody_named_may_be_missing() {
        assert!(matches!(Config::find(DEFAULT.as_ref()), Ok(None)));
        assert!(Config::find("other.toml".as_ref()).is_err());
        assert!(Config::find("ledgr = 1\n".as_ref()).is_err());
        assert!(Config::find(LEAST.as_ref()).unwrap().is_some());
    }

    #[test]
    fn the_text_may_be_said_in_place_of_a_path() {
        assert_eq!(Config::load(LEAST.as_ref()).unwrap().ecs.subnets, ["subnet-1"]);
        let problem = Config::load("ledgr = 1\n".as_ref()).unwrap_err().to_string();
        assert!(problem.starts_with("the configuration: ") && problem.contains("`ledger`"));
    }

    #[test]
    fn what_cannot_work_is_refused() {
        for (more, part) in [
            ("[serve]\nin_flight = 0", "at least 1"),
            ("[serve]\nunfinished = 0", "at least 1"),
            ("[serve]\nhidden = \"1s\"", "at least 10s"),
            ("[watch]\npause = \"soon\"", "found `soon`"),
            ("[worker]\nmode = \"auto\"", "[worker] queue"),
            ("[[function]]\nname = \"f\"\nmode = \"worker\"", "[worker] queue"),
            ("[[queue]]\nurl = \"u\"\n[[queue]]\nurl = \"u\"", "twice"),
            ("[[map]]\nfunction = \"f\"", "found 0"),
        ] {
            let problem = Config::read(&format!("{LEAST}{more}")).unwrap_err();
            assert!(problem.contains(part), "{problem}");
        }
        assert!(Config::read("ledger = \"http://x\"").unwrap_err().starts_with("ledger: "));
    }

    #[test]
    fn a_function_may_have_its_own_rules_and_say_so_by_a_tag() {
        let more = "[[function]]\nname = \"res*\"\nrerun = \"timeouts\"\nattempts = 7\nmax_duration = \"2h\"";
        let config = Config::read(&format!("{LEAST}{more}")).unwrap();
        let own = config.of(&sample());
        assert_eq!((own.policy.rerun, own.defaults.attempts), (Rerun::Timeouts, Some(7)));
        assert_eq!(own.defaults.max_duration_seconds, Some(7200));
        let mut tagged = sample();
        tagged.tags.insert(TAG.into(), "any".into());
        assert_eq!(config.of(&tagged).policy.rerun, Rerun::Any);
        let other = Function { name: "other".into(), ..sample() };
        assert_eq!(config.of(&other).policy.rerun, Rerun::Resources);
    }
}
