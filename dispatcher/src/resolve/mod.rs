//! Which function failed: what a message says of it → the function as it is deployed. The configuration is asked
//! first, AWS then. Owns the order, and the refusal where it stays unclear; `maps` and `allow` are pure, `directory`
//! asks Lambda.

pub mod allow;
pub mod directory;
pub mod input;
pub mod maps;

use bytes::Bytes;
use ledger::Redacted;
use serde::{Deserialize, Serialize};

use crate::envelope::{Failed, Hint};
use crate::function::Function;
use allow::Allow;
use directory::{Directory, LookupError};
use maps::Map;

/// How functions are found, and which may be run.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Which functions may be run.
    #[serde(default)]
    pub allow: Allow,
    /// Which function belongs to which queue, topic, bucket or event source, where AWS does not say so.
    #[serde(default)]
    pub map: Vec<Map>,
    /// The function of the queue's messages that name none.
    #[serde(default)]
    pub function: Option<String>,
}

/// A function that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// What is to be run: an ARN with the version or alias, or `$LATEST`.
    pub arn: String,
    /// What is known of it.
    pub function: Function,
    /// How it was found, in words.
    pub by: String,
    /// Its event, where that is not the message's own.
    pub event: Option<Redacted<Bytes>>,
}

/// No function, or not yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unresolved {
    /// AWS did not answer, or refused for now: to be tried again.
    Later(String),
    /// It will not be clearer the next time: what was expected, what was found, what to do.
    Never(String),
}

impl From<LookupError> for Unresolved {
    fn from(error: LookupError) -> Self {
        match error {
            LookupError::Busy(why) | LookupError::Passing(why) => Self::Later(why),
            LookupError::Absent(why) | LookupError::Refused(why) => Self::Never(why),
        }
    }
}

/// Finds the function of a failed invocation that this queue delivered.
pub async fn resolve(
    failed: &Failed,
    queue_arn: &str,
    directory: &impl Directory,
    settings: &Settings,
) -> Result<Resolved, Unresolved> {
    let named = failed.destinations.as_deref();
    settings.allow.check_destinations(named).map_err(Unresolved::Never)?;
    let (name, by) = name(failed, queue_arn, directory, settings).await?;
    let function = directory.describe(&name).await?;
    let arn = qualified(&function, &name);
    settings.allow.check(&function, queue_arn).map_err(Unresolved::Never)?;
    if settings.allow.provenance {
        provenance(failed, &function, &arn, queue_arn, directory).await?;
    }
    let event = match &failed.function {
        Hint::Rule { rule, target } => {
            let input = directory.input(rule, target).await?;
            let event = input::apply(&input, failed.event.expose()).map_err(Unresolved::Never)?;
            Some(Redacted::new(event))
        }
        _ => None,
    };
    Ok(Resolved { arn, function, by, event })
}

/// The ARN with what was asked for; `$LATEST` is the default and stays unsaid.
pub fn qualified(function: &Function, asked: &str) -> String {
    let asked: Option<runner::function::name::FunctionName> = asked.parse().ok();
    let qualifier = asked.as_ref().and_then(|asked| asked.qualifier());
    match qualifier.filter(|qualifier| *qualifier != "$LATEST") {
        Some(qualifier) => format!("{}:{qualifier}", function.arn),
        None => function.arn.clone(),
    }
}

async fn name(
    failed: &Failed,
    queue_arn: &str,
    directory: &impl Directory,
    settings: &Settings,
) -> Result<(String, String), Unresolved> {
    if let Hint::Function(name) = &failed.function {
        return Ok((name.clone(), "the message names it".to_owned()));
    }
    if let Some((function, by)) =
        maps::find(&settings.map, &failed.function, failed.source.as_deref(), queue_arn)
    {
        return Ok((function, by));
    }
    if let (Some(function), false) =
        (&settings.function, matches!(failed.function, Hint::Rule { .. }))
    {
        return Ok((function.clone(), "the queue's `function`".to_owned()));
    }
    let (candidates, by) = match &failed.function {
        Hint::DeadLetter { target, .. } => (
            directory.failing_to(target).await?,
            format!("functions whose DeadLetterConfig names {target}"),
        ),
        Hint::EventSource(arn) => {
            (directory.mapped_to(arn).await?, format!("event source mappings of {arn}"))
        }
        Hint::Rule { target, .. } => (vec![target.clone()], "the rule's target".to_owned()),
        hint => return Err(Unresolved::Never(unknown(hint))),
    };
    let allowed = |name: &String| settings.allow.check_name(name, queue_arn).is_ok();
    one(candidates, allowed, &by).map(|name| (name, by))
}

/// One candidate, of several the only one that is allowed, or a refusal that lists them.
fn one(
    mut candidates: Vec<String>,
    allowed: impl Fn(&String) -> bool,
    by: &str,
) -> Result<String, Unresolved> {
    candidates.sort_unstable();
    candidates.dedup();
    if candidates.iter().filter(|name| allowed(name)).count() == 1 {
        candidates.retain(allowed);
    }
    match <[String; 1]>::try_from(candidates) {
        Ok([only]) => Ok(only),
        Err(none) if none.is_empty() => Err(Unresolved::Never(format!(
            "expected one function among {by}, found none: name it with a [[map]] entry or the queue's `function`"
        ))),
        Err(several) => Err(Unresolved::Never(format!(
            "expected one function among {by}, found {}: {}; name the right one with a [[map]] entry (of its `role`, by which \
             such messages are sent, or of the queue), or give each function its own queue or an OnFailure destination",
            several.len(),
            several.join(", ")
        ))),
    }
}

fn unknown(hint: &Hint) -> String {
    let what = match hint {
        Hint::Source(source) | Hint::Topic(source) => format!("an event of {source}"),
        Hint::Schedule(schedule) => format!("an event of the schedule {schedule}"),
        _ => "an event that names no source".to_owned(),
    };
    format!(
        "expected a message that tells its function, found {what}: name the function with a [[map]] entry or the queue's `function`"
    )
}

/// Refuses a message that somebody else than its function may have put into the queue.
async fn provenance(
    failed: &Failed,
    function: &Function,
    arn: &str,
    queue_arn: &str,
    directory: &impl Directory,
) -> Result<(), Unresolved> {
    use crate::envelope::Kind;
    if failed.kind != Kind::Destination || failed.carried {
        return Ok(());
    }
    let own = directory.failure_destination(arn).await?;
    let dead_letter = function.dead_letter.as_deref();
    if own.as_deref() == Some(queue_arn) || dead_letter == Some(queue_arn) {
        return Ok(());
    }
    let found = own.unwrap_or_else(|| "none".to_owned());
    Err(Unresolved::Never(format!(
        "expected a record of a function whose OnFailure destination is {queue_arn}, found {arn}, whose is {found}: \
         set it, or `provenance = false` in [allow] if records of others are wanted here"
    )))
}

#[cfg(test)]
mod tests;
