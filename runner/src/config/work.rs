//! What a worker is there for: a queue of pointers to jobs, and what it takes from it. Pure.

use std::time::Duration;

use ledger::{Destination, Root};

use super::{
    Code, ConfigError, Environment, Limits, Variable, Whose, duration, function_name, text, whose,
};
use crate::function::name::FunctionName;

/// A worker's settings.
#[derive(Debug, Clone)]
pub struct Work {
    /// URL of the queue.
    pub queue: String,
    /// Jobs of other functions are given back; none: any that this image has a runtime for.
    pub function: Option<FunctionName>,
    /// Jobs of other ledgers are given back; none: those of any.
    pub ledger: Option<Root>,
    /// Where outcomes go, unless the job says so itself; none: where the function's own configuration says.
    pub destinations: Option<Vec<Destination>>,
    /// It ends when it had nothing to do for so long; none: never.
    pub idle: Option<Duration>,
    /// So long a message stays hidden, and an attempt counts as alive, without being heard of.
    pub visibility: Duration,
    /// A message is kept for so long at most; a job that takes longer is left to its record.
    pub hold: Duration,
    /// How many invocations at once.
    pub concurrency: usize,
    /// How many functions' files are kept beside those that run.
    pub keep: usize,
    /// Region of AWS calls, where it is not the usual one.
    pub region: Option<String>,
    /// Time and memory, and where runtime clients are.
    pub limits: Limits,
    /// Whose credentials functions get.
    pub credentials: Whose,
    /// How code is fetched, and how much it may be.
    pub code: Code,
}

/// A worker that has nothing to do ends after this time.
const IDLE: Duration = Duration::from_mins(5);
/// A message stays hidden for so long.
const VISIBILITY: Duration = Duration::from_mins(2);
/// SQS lets nobody keep a message for more than 12 hours in all (`ChangeMessageVisibility`).
const HOLD: Duration = Duration::from_hours(11);
/// The shortest time for which a message is hidden: it is heard of four times in it.
const SHORTEST: Duration = Duration::from_secs(3);
/// Packages of 250 MB, as Lambda's largest, are 2 GB.
const KEEP: usize = 8;

impl Work {
    /// What the environment says of a worker at this queue.
    pub fn at(queue: String, environment: &impl Environment) -> Result<Self, ConfigError> {
        let function = text(environment, Variable::Function)?;
        let function =
            function.map(|name| function_name(Variable::Function.name(), &name)).transpose()?;
        let ledger = text(environment, Variable::Ledger)?;
        let idle_text = text(environment, Variable::Idle)?;
        Ok(Self {
            queue: url(queue)?,
            function,
            ledger: ledger.map(|text| root(Variable::Ledger.name(), &text)).transpose()?,
            destinations: super::destinations(environment)?,
            idle: idle_text.map_or(Ok(Some(IDLE)), |text| idle(Variable::Idle.name(), &text))?,
            visibility: VISIBILITY,
            hold: HOLD,
            concurrency: 1,
            keep: KEEP,
            region: text(environment, Variable::Region)?,
            limits: Limits::from_environment(environment)?,
            credentials: whose(environment)?,
            code: Code::default(),
        })
    }
}

fn url(queue: String) -> Result<String, ConfigError> {
    if queue.starts_with("https://") || queue.starts_with("http://") {
        return Ok(queue);
    }
    Err(ConfigError::Invalid {
        setting: Variable::Queue.name().to_owned(),
        expected: "the URL of a queue, `https://sqs.REGION.amazonaws.com/ACCOUNT/NAME`",
        found: queue,
    })
}

/// The address of a ledger.
pub fn root(setting: &'static str, text: &str) -> Result<Root, ConfigError> {
    text.parse().map_err(|source| ConfigError::Address { setting, source })
}

/// A time without work after which a worker ends, or `never`.
pub fn idle(setting: &str, text: &str) -> Result<Option<Duration>, ConfigError> {
    if text == "never" { Ok(None) } else { duration(setting, text).map(Some) }
}

/// A time for which messages stay hidden.
pub fn visibility(setting: &str, text: &str) -> Result<Duration, ConfigError> {
    let found = duration(setting, text)?;
    if (SHORTEST..=Duration::from_hours(12)).contains(&found) {
        return Ok(found);
    }
    Err(ConfigError::Invalid {
        setting: setting.to_owned(),
        expected: "3 seconds to 12 hours",
        found: text.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn at(pairs: &[(&'static str, &'static str)]) -> Result<Work, ConfigError> {
        let environment: HashMap<&str, &str> = pairs.iter().copied().collect();
        Work::at("https://sqs.eu-west-1.amazonaws.com/1/q".to_owned(), &environment)
    }

    #[test]
    fn what_is_not_said_is_usual() {
        let work = at(&[]).unwrap();
        assert_eq!((work.idle, work.concurrency), (Some(IDLE), 1));
        assert!(work.function.is_none() && work.ledger.is_none() && work.destinations.is_none());
    }

    #[test]
    fn a_worker_may_be_limited() {
        let work = at(&[
            ("IMMORTAL_FUNCTION", "resize"),
            ("IMMORTAL_LEDGER", "s3://bucket/p"),
            ("IMMORTAL_IDLE", "never"),
            ("IMMORTAL_DESTINATIONS", "stdout"),
        ]);
        let work = work.unwrap();
        assert_eq!(work.function.unwrap().name(), "resize");
        assert_eq!(work.ledger.unwrap().to_string(), "s3://bucket/p");
        assert_eq!((work.idle, work.destinations.unwrap().len()), (None, 1));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (pair, part) in [
            (("IMMORTAL_LEDGER", "bucket"), "IMMORTAL_LEDGER names no job or ledger"),
            (("IMMORTAL_IDLE", "soon"), "IMMORTAL_IDLE: expected a duration"),
        ] {
            let problem = at(&[pair]).unwrap_err().to_string();
            assert!(problem.contains(part), "{problem}");
        }
        let problem = Work::at("q".to_owned(), &HashMap::<&str, &str>::new()).unwrap_err();
        assert!(problem.to_string().contains("the URL of a queue"), "{problem}");
        assert!(visibility("--visibility", "1s").is_err());
    }
}
