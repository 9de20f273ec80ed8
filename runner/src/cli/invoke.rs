//! `invoke`: one invocation, here and now.

use std::path::PathBuf;

use clap::Args;

use super::options::{CodeOptions, Local, Options, Secret, event, run, source};
use crate::config::{ConfigError, Environment, Run};

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

impl Invoke {
    /// What these arguments, over the environment, mean.
    pub fn settings(mut self, environment: &impl Environment) -> Result<Run, ConfigError> {
        let watched = self.watch.as_ref().map(|directory| directory.display().to_string());
        self.local.code = self.local.code.or(watched);
        let source = source(self.function, self.local)?;
        run(source, event(self.event.into_inner()), self.options, &self.code, environment)
    }
}
