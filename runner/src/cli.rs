//! The command line: what was typed, and its translation into settings. Nothing is opened here.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use ledger::Redacted;

use crate::config::{
    self, ConfigError, Context, Environment, EventSource, Limits, LocalFunction, Run, Source,
};

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
    /// Unpack a package into a directory: a zip, a tar, or a tar packed with gzip or zstd
    Unpack(Unpack),
}

/// `immortal-runner unpack`
#[derive(Debug, Args)]
pub struct Unpack {
    /// Zip, tar, tar.gz or tar.zst file; its contents tell which
    pub source: PathBuf,
    /// Directory to fill; made if it does not exist, refused if it is not empty
    pub directory: PathBuf,
    /// Most bytes that the package may unpack to
    #[arg(long, value_name = "BYTES", default_value_t = crate::unpack::Limits::default().unpacked_bytes)]
    pub max_unpacked: u64,
}

/// `immortal-runner invoke`
#[derive(Debug, Args)]
pub struct Invoke {
    /// A deployed function: name, partial or full ARN, with optional qualifier
    #[arg(required_unless_present = "code", conflicts_with = "code")]
    pub function: Option<String>,
    /// Its event: JSON text, @FILE, or - for standard input
    #[arg(long, value_name = "JSON|@FILE|-", default_value = "{}")]
    pub event: Secret,
    #[command(flatten)]
    local: Local,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Args)]
struct Local {
    /// Code that is not deployed: a zip file, a directory or a URL
    #[arg(long, value_name = "ZIP|DIR|URL", requires = "runtime", requires = "handler")]
    code: Option<String>,
    /// A layer's zip file; repeat for more, lowest first
    #[arg(long = "layer", value_name = "ZIP", requires = "code")]
    layers: Vec<PathBuf>,
    /// Runtime identifier, such as python3.13
    #[arg(long, value_name = "ID", requires = "code")]
    runtime: Option<String>,
    /// Handler, such as app.handler
    #[arg(long, requires = "code")]
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
}

/// Text from the command line that is not to be printed.
#[derive(Debug, Clone)]
pub struct Secret(Redacted<String>);

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(Redacted::new(text))
    }
}

impl Invoke {
    /// What these arguments, over the environment, mean.
    pub fn settings(self, environment: &impl Environment) -> Result<Run, ConfigError> {
        let mut limits = Limits::from_environment(environment)?;
        if let Some(text) = self.options.max_duration {
            limits.max_duration = config::max_duration("--max-duration", &text)?;
        }
        limits.memory = self.options.memory;
        limits.runtime_dir = self.options.runtime_dir.or(limits.runtime_dir);
        Ok(Run {
            source: source(self.function, self.local)?,
            event: event(self.event.0),
            context: Context::default(),
            module: None,
            region: None,
            limits,
            variables: self
                .options
                .variables
                .into_iter()
                .map(variable)
                .collect::<Result<_, _>>()?,
        })
    }
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
