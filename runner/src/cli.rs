//! The command line: what was typed, and its translation into settings. Nothing is opened here but a file with a secret.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use ledger::Redacted;

use crate::config::{
    self, Code, ConfigError, Context, Environment, EventSource, Limits, LocalFunction, Run, Source,
};
use crate::image::enter::Entry;
use crate::telemetry::Format;

/// Runs a deployed AWS Lambda function unchanged, without the 15 minute limit.
///
/// Without a command the job comes from the environment: `IMMORTAL_FUNCTION` and `IMMORTAL_EVENT`.
#[derive(Debug, Parser)]
#[command(name = "immortal-runner", version, max_term_width = 100)]
pub struct Cli {
    /// What to do; none takes the job from the environment.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What can be asked for.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run one invocation here and now: the response on standard output, all else on standard error
    Invoke(Box<Invoke>),
    /// Serve the Lambda Invoke API on HTTP
    Serve(Box<Serve>),
    /// Take jobs from a queue: the runtime stays warm, and many jobs run in it one after the other
    Work(Box<Work>),
    /// Unpack a package into a directory, fetching it if need be
    Unpack(Unpack),
    /// Copy this program into a directory, as `immortal-runner`: for a container of another image that shares it
    Install {
        /// Directory; made if it does not exist
        directory: PathBuf,
    },
    /// List Lambda's runtime identifiers: a line each, with family and AWS's public base image, or `-`
    Runtimes,
    /// Change root and user, and become a program: how container images are started
    #[command(name = "__enter", hide = true)]
    Enter(Enter),
}

/// `immortal-runner __enter`
#[derive(Debug, Args)]
pub struct Enter {
    root: PathBuf,
    uid: u32,
    gid: u32,
    directory: PathBuf,
    #[arg(last = true)]
    program: Vec<OsString>,
}

impl Enter {
    /// What is asked for.
    pub fn entry(self) -> Entry {
        let Self { root, uid, gid, directory, program } = self;
        Entry { root, uid, gid, directory, program }
    }
}

/// `immortal-runner unpack`
#[derive(Debug, Args)]
pub struct Unpack {
    /// Zip, tar, tar.gz or tar.zst file; URL or `s3://BUCKET/KEY` of a zip; `docker://REGISTRY/NAME:TAG` of an image
    pub source: Secret,
    /// Directory to fill; made if it does not exist, refused if it is not empty
    pub directory: PathBuf,
    /// How it is fetched.
    #[command(flatten)]
    pub code: CodeOptions,
}

/// How code is fetched.
#[derive(Debug, Args)]
pub struct CodeOptions {
    /// Most bytes that the code and its layers may unpack to, together
    #[arg(long, value_name = "BYTES", default_value_t = Code::default().max_unpacked)]
    max_unpacked: u64,
    /// Most connections for a download; more than one is used only while that is faster
    #[arg(long, value_name = "NUMBER", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=16))]
    connections: u8,
    /// Login for the registry of a container image; Amazon's need none
    #[arg(long, value_name = "USER:PASSWORD|@FILE")]
    registry_auth: Option<Secret>,
}

impl CodeOptions {
    /// The settings that they are.
    pub fn settings(&self) -> Result<Code, ConfigError> {
        let login = self.registry_auth.as_ref().map(|it| secret("--registry-auth", &it.0));
        Ok(Code {
            connections: self.connections.into(),
            max_unpacked: self.max_unpacked,
            registry_auth: login.transpose()?,
        })
    }
}

/// A secret, or the contents of the file that it names.
fn secret(
    setting: &'static str,
    given: &Redacted<String>,
) -> Result<Redacted<String>, ConfigError> {
    let Some(path) = given.expose().strip_prefix('@') else { return Ok(given.clone()) };
    let read = std::fs::read_to_string(path);
    let text = read.map_err(|error| ConfigError::Invalid {
        setting: setting.to_owned(),
        expected: "a file that can be read",
        found: format!("{path}: {error}"),
    })?;
    Ok(Redacted::new(text.trim_end().to_owned()))
}

/// `immortal-runner invoke`
#[derive(Debug, Args)]
pub struct Invoke {
    /// A deployed function: name, partial or full ARN, with optional qualifier
    #[arg(required_unless_present_any = ["code", "watch"], conflicts_with = "code")]
    pub function: Option<String>,
    /// Its event: JSON text, @FILE, or - for standard input
    #[arg(long, value_name = "JSON|@FILE|-", default_value = "{}")]
    pub event: Secret,
    /// Run the event again whenever something in this directory changes; it is the code, unless `--code` says otherwise
    #[arg(long, value_name = "DIR", conflicts_with = "function")]
    pub watch: Option<PathBuf>,
    #[command(flatten)]
    local: Local,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    code: CodeOptions,
}

/// `immortal-runner serve`
#[derive(Debug, Args)]
pub struct Serve {
    /// A deployed function: name, partial or full ARN, with optional qualifier
    #[arg(required_unless_present_any = ["code", "command"], conflicts_with_all = ["code", "command"])]
    pub function: Option<String>,
    /// Port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 9000)]
    port: u16,
    /// Address to listen on; by default loopback, or all addresses in a container image
    #[arg(long, value_name = "ADDRESS")]
    host: Option<IpAddr>,
    /// How many invocations run at once; each needs a runtime of its own
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    concurrency: u16,
    /// How many more wait for their turn; beyond them callers are told 429
    #[arg(long, value_name = "NUMBER", default_value_t = 1000)]
    queue: u16,
    /// Let web pages of this origin call (`*`: of any)
    #[arg(long, value_name = "ORIGIN")]
    cors: Option<String>,
    #[command(flatten)]
    local: Local,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    code: CodeOptions,
    /// Instead of a function: a runtime's program and its arguments, in the current directory
    #[arg(last = true, conflicts_with = "code")]
    command: Vec<OsString>,
}

/// `immortal-runner work`
#[derive(Debug, Args)]
pub struct Work {
    /// URL of a queue whose messages point to jobs of a ledger [default: `IMMORTAL_QUEUE`]
    #[arg(long, value_name = "URL")]
    queue: Option<String>,
    /// Take jobs of this function alone, by name or ARN, with optional qualifier; others are given back
    #[arg(long, value_name = "FUNCTION")]
    function: Option<String>,
    /// Take jobs of this ledger alone: `s3://BUCKET/PREFIX` or `file:///DIRECTORY`
    #[arg(long, value_name = "ADDRESS")]
    ledger: Option<String>,
    /// End when there was nothing to do for so long; `never`: wait for ever [default: 5m]
    #[arg(long, value_name = "DURATION")]
    idle: Option<String>,
    /// So long a message stays hidden, and its attempt counts as alive, after it was heard of last
    #[arg(long, value_name = "DURATION", default_value = "2m")]
    visibility: String,
    /// Keep a message for so long at most (SQS allows 12h): a longer job is left to its record in the ledger
    #[arg(long, value_name = "DURATION", default_value = "11h")]
    hold: String,
    /// How many invocations run at once; each needs a runtime of its own
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    concurrency: u16,
    /// How many functions' files are kept beside those that run
    #[arg(long, value_name = "NUMBER", default_value_t = 8)]
    keep: u16,
    /// Limit of an invocation, such as 90s, 2h or 14d, unless its job says so
    #[arg(long, value_name = "DURATION")]
    max_duration: Option<String>,
    /// How long making a function ready may take, such as 10s; by default 10m
    #[arg(long, value_name = "DURATION")]
    init_timeout: Option<String>,
    /// Directory with the language runtimes' clients
    #[arg(long, value_name = "DIR")]
    runtime_dir: Option<PathBuf>,
    #[command(flatten)]
    code: CodeOptions,
}

#[derive(Debug, Args)]
struct Local {
    /// Code that is not deployed: a zip file, a directory, a URL or `s3://BUCKET/KEY`
    #[arg(long, value_name = "ZIP|DIR|URL|S3", requires = "runtime", requires = "handler")]
    code: Option<String>,
    /// A layer's zip file; repeat for more, lowest first
    #[arg(long = "layer", value_name = "ZIP", conflicts_with = "function")]
    layers: Vec<PathBuf>,
    /// Runtime identifier, such as python3.13
    #[arg(long, value_name = "ID", conflicts_with = "function")]
    runtime: Option<String>,
    /// Handler, such as app.handler
    #[arg(long, conflicts_with = "function")]
    handler: Option<String>,
}

#[derive(Debug, Args)]
struct Options {
    /// Variable for the function, over its own; repeat for more
    #[arg(long = "env", value_name = "KEY=VALUE")]
    variables: Vec<Secret>,
    /// Memory that the function is told it has
    #[arg(long, value_name = "MB", value_parser = clap::value_parser!(u32).range(128..))]
    memory: Option<u32>,
    /// Limit of the invocation, such as 90s, 2h or 14d
    #[arg(long, value_name = "DURATION")]
    max_duration: Option<String>,
    /// Directory with the language runtime's client
    #[arg(long, value_name = "DIR")]
    runtime_dir: Option<PathBuf>,
    /// How long making the function ready may take, such as 10s; by default 10m
    #[arg(long, value_name = "DURATION")]
    init_timeout: Option<String>,
    /// Refuse what is larger than Lambda allows: 6 MB of event or response
    #[arg(long)]
    strict: bool,
    /// Format of the log, instead of the function's own
    #[arg(long, value_name = "FORMAT", value_enum)]
    log_format: Option<LogFormat>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

impl From<LogFormat> for Format {
    fn from(format: LogFormat) -> Self {
        match format {
            LogFormat::Text => Self::Text,
            LogFormat::Json => Self::Json,
        }
    }
}

/// Text from the command line that is not to be printed.
#[derive(Debug, Clone)]
pub struct Secret(Redacted<String>);

impl Secret {
    /// The text.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(Redacted::new(text))
    }
}

impl Invoke {
    /// What these arguments, over the environment, mean.
    pub fn settings(mut self, environment: &impl Environment) -> Result<Run, ConfigError> {
        let watched = self.watch.as_ref().map(|directory| directory.display().to_string());
        self.local.code = self.local.code.or(watched);
        let source = source(self.function, self.local)?;
        run(source, event(self.event.0), self.options, &self.code, environment)
    }
}

impl Serve {
    /// What these arguments, over the environment, mean.
    pub fn settings(self, environment: &impl Environment) -> Result<config::Serve, ConfigError> {
        let source = if self.command.is_empty() {
            source(self.function, self.local)?
        } else {
            Source::Command(self.command)
        };
        let event = EventSource::Text(Redacted::default());
        Ok(config::Serve {
            run: run(source, event, self.options, &self.code, environment)?,
            host: self.host,
            port: self.port,
            concurrency: self.concurrency.into(),
            queue: self.queue.into(),
            cors: self.cors,
        })
    }
}

impl Work {
    /// What these arguments, over the environment, mean.
    pub fn settings(self, environment: &impl Environment) -> Result<config::Work, ConfigError> {
        let queue = self.queue.map_or_else(
            || config::text(environment, config::Variable::Queue),
            |url| Ok(Some(url)),
        )?;
        let queue = queue
            .ok_or(ConfigError::Missing("no queue: give --queue URL, or set IMMORTAL_QUEUE"))?;
        let mut work = config::Work::at(queue, environment)?;
        if let Some(name) = self.function {
            work.function = Some(config::function_name("--function", &name)?);
        }
        if let Some(text) = self.ledger {
            work.ledger = Some(config::root("--ledger", &text)?);
        }
        if let Some(text) = self.idle {
            work.idle = config::idle("--idle", &text)?;
        }
        work.visibility = config::visibility("--visibility", &self.visibility)?;
        work.hold = config::duration("--hold", &self.hold)?;
        (work.concurrency, work.keep) = (self.concurrency.into(), self.keep.into());
        timed(&mut work.limits, self.max_duration, self.init_timeout)?;
        work.limits.runtime_dir = self.runtime_dir.or(work.limits.runtime_dir);
        work.code = self.code.settings()?;
        Ok(work)
    }
}

/// Limits of time that the command line has.
fn timed(
    limits: &mut Limits,
    max_duration: Option<String>,
    init_timeout: Option<String>,
) -> Result<(), ConfigError> {
    if let Some(text) = max_duration {
        limits.max_duration = config::max_duration("--max-duration", &text)?;
    }
    if let Some(text) = init_timeout {
        limits.init_timeout = config::duration("--init-timeout", &text)?;
    }
    Ok(())
}

fn run(
    source: Source,
    event: EventSource,
    options: Options,
    code: &CodeOptions,
    environment: &impl Environment,
) -> Result<Run, ConfigError> {
    let mut limits = Limits::from_environment(environment)?;
    timed(&mut limits, options.max_duration, options.init_timeout)?;
    (limits.memory, limits.strict) = (options.memory, options.strict);
    limits.runtime_dir = options.runtime_dir.or(limits.runtime_dir);
    Ok(Run {
        source,
        event,
        context: Context::default(),
        module: None,
        region: None,
        limits,
        code: code.settings()?,
        variables: options.variables.into_iter().map(variable).collect::<Result<_, _>>()?,
        log_format: options.log_format.map(Format::from),
        credentials: config::whose(environment)?,
    })
}

fn source(function: Option<String>, local: Local) -> Result<Source, ConfigError> {
    match (function, local) {
        (Some(name), _) => config::function_name("FUNCTION", &name).map(Source::Deployed),
        (
            None,
            Local { code: Some(code), layers, runtime: Some(runtime), handler: Some(handler) },
        ) => Ok(Source::Local(LocalFunction { code, layers, runtime, handler })),
        (None, _) => Err(ConfigError::Missing(
            "nothing to run: name a FUNCTION, or give --code, --runtime and --handler",
        )),
    }
}

fn event(text: Redacted<String>) -> EventSource {
    match text.expose().as_str() {
        "-" => EventSource::Stdin,
        given => given
            .strip_prefix('@')
            .map(PathBuf::from)
            .map_or(EventSource::Text(text), EventSource::File),
    }
}

/// Splits at the first `=`, as Lambda's own emulator does: values may hold more of them.
fn variable(Secret(text): Secret) -> Result<(String, Redacted<String>), ConfigError> {
    match text.expose().split_once('=') {
        Some((key, value)) if !key.is_empty() => {
            Ok((key.to_owned(), Redacted::new(value.to_owned())))
        }
        _ => Err(ConfigError::Missing("--env: expected KEY=VALUE")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use clap::CommandFactory as _;

    use super::*;

    fn invoke(arguments: &[&str]) -> Run {
        let cli =
            Cli::try_parse_from([&["immortal-runner", "invoke"], arguments].concat()).unwrap();
        let Some(Command::Invoke(invoke)) = cli.command else { panic!("not invoke") };
        invoke.settings(&HashMap::new()).unwrap()
    }

    const CODE: [&str; 6] =
        ["--code", "f.zip", "--runtime", "python3.13", "--handler", "app.handler"];

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn code_is_described_by_its_arguments() {
        let run = invoke(&CODE);
        let Source::Local(local) = run.source else { panic!("not local") };
        assert_eq!((local.code.as_str(), local.handler.as_str()), ("f.zip", "app.handler"));
    }

    #[test]
    fn code_needs_runtime_and_handler_and_excludes_a_function() {
        for arguments in [&CODE[..2], &["f", "--code", "f.zip"], &[]] {
            let line = [&["immortal-runner", "invoke"], arguments].concat();
            assert!(Cli::try_parse_from(line).is_err(), "{arguments:?}");
        }
    }

    #[test]
    fn an_event_is_text_file_or_standard_input() {
        let event = |text: &str| event(Redacted::new(text.to_owned()));
        assert!(matches!(event("-"), EventSource::Stdin));
        assert!(matches!(event("@e.json"), EventSource::File(path) if path == *"e.json"));
        assert!(matches!(event("{}"), EventSource::Text(_)));
    }

    #[test]
    fn a_variable_is_split_at_the_first_equals_sign() {
        let run = invoke(&[&CODE[..], &["--env", "A=4=4"]].concat());
        assert_eq!(run.variables, [("A".to_owned(), Redacted::new("4=4".to_owned()))]);
    }

    #[test]
    fn no_event_or_variable_reaches_a_debug_output() {
        let line = ["immortal-runner", "invoke", "f", "--event", "\"canary\"", "--env", "K=canary"];
        assert!(!format!("{:?}", Cli::try_parse_from(line).unwrap()).contains("canary"));
    }
}
