//! `serve`: Lambda's Invoke API on HTTP.

use std::ffi::OsString;
use std::net::IpAddr;

use clap::Args;
use ledger::Redacted;

use super::options::{CodeOptions, Local, Options, run, source};
use crate::config::{self, ConfigError, Environment, EventSource, Source};

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
