//! What several commands have in common: code, limits, variables, and how they become settings.

use std::path::PathBuf;

use clap::Args;
use ledger::Redacted;

use crate::config::{
    self, Code, ConfigError, Environment, EventSource, Limits, LocalFunction, Run, Source,
};
use crate::telemetry::Format;

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

#[derive(Debug, Args)]
pub(super) struct Local {
    /// Code that is not deployed: a zip file, a directory, a URL or `s3://BUCKET/KEY`
    #[arg(long, value_name = "ZIP|DIR|URL|S3", requires = "runtime", requires = "handler")]
    pub(super) code: Option<String>,
    /// A layer's zip file; repeat for more, lowest first
    #[arg(long = "layer", value_name = "ZIP", conflicts_with = "function")]
    pub(super) layers: Vec<PathBuf>,
    /// Runtime identifier, such as python3.13
    #[arg(long, value_name = "ID", conflicts_with = "function")]
    pub(super) runtime: Option<String>,
    /// Handler, such as app.handler
    #[arg(long, conflicts_with = "function")]
    pub(super) handler: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Variable for the function, over its own; repeat for more
    #[arg(long = "env", value_name = "KEY=VALUE")]
    pub(super) variables: Vec<Secret>,
    /// Memory that the function is told it has
    #[arg(long, value_name = "MB", value_parser = clap::value_parser!(u32).range(128..))]
    pub(super) memory: Option<u32>,
    /// Limit of the invocation, such as 90s, 2h or 14d
    #[arg(long, value_name = "DURATION")]
    pub(super) max_duration: Option<String>,
    /// Directory with the language runtime's client
    #[arg(long, value_name = "DIR")]
    pub(super) runtime_dir: Option<PathBuf>,
    /// How long making the function ready may take, such as 10s; by default 10m
    #[arg(long, value_name = "DURATION")]
    pub(super) init_timeout: Option<String>,
    /// Refuse what is larger than Lambda allows: 6 MB of event or response
    #[arg(long)]
    pub(super) strict: bool,
    /// Format of the log, instead of the function's own
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub(super) log_format: Option<LogFormat>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(super) enum LogFormat {
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

    /// The same, as it is kept.
    pub(super) fn into_inner(self) -> Redacted<String> {
        self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(Redacted::new(text))
    }
}

/// Limits of time that the command line has.
pub(super) fn timed(
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

pub(super) fn run(
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
        code: code.settings()?,
        variables: options.variables.into_iter().map(variable).collect::<Result<_, _>>()?,
        log_format: options.log_format.map(Format::from),
        credentials: config::whose(environment)?,
        ..Run::new(source, event, limits)
    })
}

pub(super) fn source(function: Option<String>, local: Local) -> Result<Source, ConfigError> {
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

pub(super) fn event(text: Redacted<String>) -> EventSource {
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
    use super::*;

    #[test]
    fn an_event_is_text_file_or_standard_input() {
        let event = |text: &str| super::event(Redacted::new(text.to_owned()));
        assert!(matches!(event("-"), EventSource::Stdin));
        assert!(matches!(event("@e.json"), EventSource::File(path) if path == *"e.json"));
        assert!(matches!(event("{}"), EventSource::Text(_)));
    }
}
