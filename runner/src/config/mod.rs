//! Settings: what the environment and the command line said, checked. Pure: nothing is opened here.
//! What the settings lead to is decided by the stages.

mod container;
pub mod variable;
mod work;

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use ledger::{AddressError, Destination, DestinationError, Redacted};
use thiserror::Error;

pub use container::{Claimable, Container, Task, from_environment};
pub use variable::Variable;
pub use work::{Work, idle, root, visibility};

use crate::function::S3Object;
use crate::function::name::{FunctionName, NameError};
use crate::payload::Pieces;
use crate::telemetry::Format;
use crate::unpack;

/// Where settings come from. Programs read the process's environment, tests a map.
pub trait Environment {
    /// The value of a variable, if it is set.
    fn get(&self, variable: Variable) -> Option<OsString>;
    /// All variables: a program that runs where this one was put is given them.
    fn all(&self) -> Vec<(OsString, OsString)>;
}

/// A setting that cannot be used. Exit code 64.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// A value that does not mean anything.
    #[error("{setting}: expected {expected}, found `{found}`")]
    Invalid {
        /// Variable or flag.
        setting: String,
        /// What it takes.
        expected: &'static str,
        /// What it was given.
        found: String,
    },
    /// A value that is not text.
    #[error("{setting}: expected UTF-8 text, found other bytes")]
    NotText {
        /// Variable.
        setting: &'static str,
    },
    /// A function name that is none.
    #[error("{setting} is no function name")]
    Function {
        /// Variable or flag.
        setting: &'static str,
        /// What is wrong with it.
        source: NameError,
    },
    /// An address that is no job's.
    #[error("{setting} names no job or ledger")]
    Address {
        /// Variable or flag.
        setting: &'static str,
        /// What is wrong with it.
        source: AddressError,
    },
    /// A destination that is none.
    #[error("{setting} names something else")]
    Destination {
        /// Variable or flag.
        setting: &'static str,
        /// What is wrong with it.
        source: DestinationError,
    },
    /// Something is missing, with the remedy.
    #[error("{0}")]
    Missing(&'static str),
}

/// How one function is to be run.
#[derive(Debug, Clone)]
pub struct Run {
    /// Which function.
    pub source: Source,
    /// Where its event is.
    pub event: EventSource,
    /// What the original invocation's context said.
    pub context: Context,
    /// Takes the place of the module in the function's handler.
    pub module: Option<String>,
    /// Region of AWS calls, where it is not the usual one.
    pub region: Option<String>,
    /// Time and memory, and where runtime clients are.
    pub limits: Limits,
    /// How code is fetched, and how much it may be.
    pub code: Code,
    /// Variables set over the function's own.
    pub variables: Vec<(String, Redacted<String>)>,
    /// The log's format, where it is not to be the function's own.
    pub log_format: Option<Format>,
    /// Whose credentials the function gets.
    pub credentials: Whose,
}

/// Whose credentials a function gets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Whose {
    /// Those that we have ourselves.
    #[default]
    Task,
    /// Those of its own role.
    Function,
}

/// Whose credentials the function gets, as the environment says.
pub fn whose(environment: &impl Environment) -> Result<Whose, ConfigError> {
    match text(environment, Variable::Credentials)?.as_deref() {
        None | Some("task") => Ok(Whose::Task),
        Some("function") => Ok(Whose::Function),
        Some(found) => Err(ConfigError::Invalid {
            setting: Variable::Credentials.name().to_owned(),
            expected: "`task` or `function`",
            found: found.to_owned(),
        }),
    }
}

impl Run {
    /// A function with an event, and nothing special about it.
    pub fn new(source: Source, event: EventSource, limits: Limits) -> Self {
        Self {
            source,
            event,
            context: Context::default(),
            module: None,
            region: None,
            limits,
            code: Code::default(),
            variables: Vec::new(),
            log_format: None,
            credentials: Whose::default(),
        }
    }
}

/// How a function is to be served.
#[derive(Debug, Clone)]
pub struct Serve {
    /// Which function, and how it is run; its event is not looked at.
    pub run: Run,
    /// Where to listen; none: on loopback, or everywhere in an image.
    pub host: Option<IpAddr>,
    /// On which port; 0 is any.
    pub port: u16,
    /// How many invocations at once.
    pub concurrency: usize,
    /// How many more wait for their turn.
    pub queue: usize,
    /// Pages of this origin may call, `*` for any.
    pub cors: Option<String>,
}

/// How code is fetched, and how much it may be.
#[derive(Debug, Clone)]
pub struct Code {
    /// The most connections for all packages together.
    pub connections: usize,
    /// Bytes that the code and its layers may unpack to, together.
    pub max_unpacked: u64,
    /// `USER:PASSWORD` for the registry of a container image.
    pub registry_auth: Option<Redacted<String>>,
}

impl Code {
    /// What unpacking may use.
    pub fn limits(&self) -> unpack::Limits {
        unpack::Limits { unpacked_bytes: self.max_unpacked, ..unpack::Limits::default() }
    }
}

impl Default for Code {
    fn default() -> Self {
        Self {
            connections: 4,
            max_unpacked: unpack::Limits::default().unpacked_bytes,
            registry_auth: None,
        }
    }
}

/// Which function to run.
#[derive(Debug, Clone)]
pub enum Source {
    /// One that Lambda knows.
    Deployed(FunctionName),
    /// One that is described here.
    Local(LocalFunction),
    /// A program that is its own runtime's client, in the directory where we are.
    Command(Vec<OsString>),
}

/// A function that no API describes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalFunction {
    /// Zip file, directory or URL.
    pub code: String,
    /// Layer zips, lowest first.
    pub layers: Vec<PathBuf>,
    /// Runtime identifier, such as `python3.13`.
    pub runtime: String,
    /// Handler, such as `app.handler`.
    pub handler: String,
}

/// Where the event is.
#[derive(Debug, Clone)]
pub enum EventSource {
    /// Here.
    Text(Redacted<String>),
    /// In a file.
    File(PathBuf),
    /// On standard input.
    Stdin,
    /// Here already: it was read from a job's record, or once for several runs.
    Recorded(Redacted<Pieces>),
    /// An object of S3.
    S3(S3Object),
}

/// What is known of the invocation that is run again.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// Request id; a fresh one where none is known.
    pub request_id: Option<String>,
    /// The ARN that was invoked.
    pub invoked_function_arn: Option<String>,
    /// Client context, JSON text.
    pub client_context: Option<Redacted<String>>,
    /// Cognito identity, JSON text.
    pub identity: Option<Redacted<String>>,
    /// X-Ray trace header; one that is not sampled where none is known.
    pub trace_id: Option<String>,
    /// Tenant, of functions that are isolated by tenant.
    pub tenant: Option<String>,
}

/// Limits of a run.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Limit of one invocation.
    pub max_duration: Duration,
    /// Between SIGTERM and the end of this program.
    pub stop_timeout: Duration,
    /// Memory that the function is told it has, in MB; none takes the function's own.
    pub memory: Option<u32>,
    /// Where runtime clients are.
    pub runtime_dir: Option<PathBuf>,
    /// How long making ready may take.
    pub init_timeout: Duration,
    /// Lambda's limits of sizes hold.
    pub strict: bool,
}

/// The longest invocation: JavaScript timers overflow at 2^31 ms, a little later.
pub const LONGEST: Duration = Duration::from_hours(24 * 24);
const DEFAULT_MAX_DURATION: Duration = Duration::from_hours(14 * 24);
const DEFAULT_STOP_TIMEOUT: Duration = Duration::from_secs(30);
const DEFAULT_INIT_TIMEOUT: Duration = Duration::from_mins(10);

impl Limits {
    /// The limits that the environment sets.
    pub fn from_environment(environment: &impl Environment) -> Result<Self, ConfigError> {
        let max = text(environment, Variable::MaxDuration)?;
        let stop = text(environment, Variable::StopTimeout)?;
        let init = text(environment, Variable::InitTimeout)?;
        Ok(Self {
            max_duration: max.map_or(Ok(DEFAULT_MAX_DURATION), |text| {
                max_duration(Variable::MaxDuration.name(), &text)
            })?,
            stop_timeout: stop.map_or(Ok(DEFAULT_STOP_TIMEOUT), |text| {
                duration(Variable::StopTimeout.name(), &text)
            })?,
            memory: None,
            runtime_dir: environment.get(Variable::RuntimeDir).map(PathBuf::from),
            init_timeout: init.map_or(Ok(DEFAULT_INIT_TIMEOUT), |text| {
                duration(Variable::InitTimeout.name(), &text)
            })?,
            strict: false,
        })
    }
}

/// What of the stop timeout is kept for an outcome's delivery, at most.
const DELIVERY: Duration = Duration::from_secs(4);

impl Limits {
    /// The same for a run whose outcome has to be delivered after it.
    #[must_use]
    pub fn with_time_to_deliver(self) -> Self {
        let kept = DELIVERY.min(self.stop_timeout / 4);
        Self { stop_timeout: self.stop_timeout.saturating_sub(kept), ..self }
    }
}

/// The variable's text; an empty one counts as not set, as a task definition cannot unset one.
pub fn text(
    environment: &impl Environment,
    variable: Variable,
) -> Result<Option<String>, ConfigError> {
    let value = environment.get(variable).map(OsString::into_string).transpose();
    let value = value.map_err(|_| ConfigError::NotText { setting: variable.name() })?;
    Ok(value.filter(|text| !text.is_empty()))
}

/// Where outcomes go, as the environment says.
fn destinations(environment: &impl Environment) -> Result<Option<Vec<Destination>>, ConfigError> {
    let list = text(environment, Variable::Destinations)?;
    let list = list.map(|list| Destination::list(&list)).transpose();
    list.map_err(|source| ConfigError::Destination {
        setting: Variable::Destinations.name(),
        source,
    })
}

/// A duration such as `90s`, `2h 30m`, `14d`, or whole seconds without a unit.
pub fn duration(setting: &str, text: &str) -> Result<Duration, ConfigError> {
    let seconds = text.parse().map(Duration::from_secs).ok();
    let parsed =
        seconds.or_else(|| humantime::parse_duration(text).ok()).filter(|found| !found.is_zero());
    parsed.ok_or_else(|| ConfigError::Invalid {
        setting: setting.to_owned(),
        expected: "a duration above zero such as `90s`, `2h 30m` or `14d`",
        found: text.to_owned(),
    })
}

/// A duration that an invocation may last.
pub fn max_duration(setting: &str, text: &str) -> Result<Duration, ConfigError> {
    let found = duration(setting, text)?;
    if found <= LONGEST {
        return Ok(found);
    }
    Err(ConfigError::Invalid {
        setting: setting.to_owned(),
        expected: "at most 24 days, because JavaScript timers overflow soon after",
        found: text.to_owned(),
    })
}

/// Checks a function's name or ARN.
pub fn function_name(setting: &'static str, text: &str) -> Result<FunctionName, ConfigError> {
    text.parse().map_err(|source| ConfigError::Function { setting, source })
}

#[cfg(test)]
mod tests;
