//! `work`: jobs from a queue.

use std::path::PathBuf;

use clap::Args;

use super::options::{CodeOptions, timed};
use crate::config::{self, ConfigError, Environment};

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
