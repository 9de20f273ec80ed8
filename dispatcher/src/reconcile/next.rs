//! What is to be done next about an unfinished job: its records, and what is seen of its container → one step. Pure;
//! time is an argument. Taking the step twice does no harm: each is a create-if-absent in the ledger, or repeats a
//! request with the same token.

use std::time::Duration;

use ledger::{Attempt, Job, Launch, Outcome, State, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::launch::{Cause, Seen};

/// How patient the watch is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// Attempts at a job before it is given up. Ends that are nobody's fault (Spot, maintenance, capacity, a stop)
    /// are not counted, up to ten times this number.
    pub attempts: u32,
    /// Pause before the second attempt; doubled before each further one.
    #[serde(with = "crate::seconds")]
    #[schemars(schema_with = "crate::seconds::schema")]
    pub pause: Duration,
    /// The longest pause.
    #[serde(with = "crate::seconds")]
    #[schemars(schema_with = "crate::seconds::schema")]
    pub longest_pause: Duration,
    /// So long a job, or its outcome, is left to whoever is at it.
    #[serde(with = "crate::seconds")]
    #[schemars(schema_with = "crate::seconds::schema")]
    pub grace: Duration,
    /// So long a task that was just started may be unknown (ECS is eventually consistent: up to 5 minutes).
    #[serde(with = "crate::seconds")]
    #[schemars(schema_with = "crate::seconds::schema")]
    pub unseen: Duration,
    /// So long a marker without a job is kept: a message may still complete it. SQS keeps messages for 14 days.
    #[serde(with = "crate::seconds")]
    #[schemars(schema_with = "crate::seconds::schema")]
    pub orphan: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            attempts: 3,
            pause: Duration::from_secs(10),
            longest_pause: Duration::from_mins(10),
            grace: Duration::from_mins(1),
            unseen: Duration::from_mins(5),
            orphan: Duration::from_hours(15 * 24),
        }
    }
}

/// What is known of an unfinished job.
#[derive(Debug)]
pub struct Facts<'a> {
    /// Since when it is marked as unfinished.
    pub since: Time,
    /// The job; none if whoever recorded it died before the end.
    pub job: Option<&'a Job>,
    /// How it ended.
    pub outcome: Option<&'a Outcome>,
    /// Its launches, in order.
    pub launches: &'a [Launch],
    /// Its attempts, in order.
    pub attempts: &'a [Attempt],
    /// What is seen of the last launch; none where nobody can look.
    pub seen: Option<&'a Seen>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing now, for this reason.
    Wait(String),
    /// The marker goes: nothing is left to be done.
    Forget,
    /// The outcome is decided, and whoever decided it does not deliver it any more.
    Deliver,
    /// This launch is made, or asked for again.
    Launch {
        /// The attempt.
        number: u32,
        /// Sizes above the function's own.
        larger: u32,
        /// Why.
        why: String,
    },
    /// No further attempt: the outcome is that it was lost.
    GiveUp {
        /// How many attempts there were.
        attempts: u32,
        /// Why the last one ended.
        why: String,
        /// The same in a word, where the end was seen.
        cause: Option<Cause>,
    },
}

/// The next step.
pub fn next(facts: &Facts<'_>, now: Time, rules: &Rules) -> Step {
    let Some(job) = facts.job else {
        if age(facts.since, now) > rules.orphan {
            return Step::Forget;
        }
        return Step::Wait("its message is still to complete it".to_owned());
    };
    if let Some(outcome) = facts.outcome {
        return decided(facts, outcome, now, rules);
    }
    let number = facts.number();
    match (facts.launch(number), facts.attempt(number)) {
        (None, None) if age(facts.since, now) < rules.grace => {
            Step::Wait("it was just recorded".to_owned())
        }
        (None, None) => {
            Step::Launch { number: 1, larger: 0, why: "it was never started".to_owned() }
        }
        // Whoever asked for it died before it was recorded: asking again finds what was started.
        (Some(launch), attempt) if launch.started.is_none() && attempt.is_none_or(is_claimed) => {
            unstarted(launch, now, rules)
        }
        (_, attempt) => match ended(facts, attempt, now, rules) {
            Err(wait) => Step::Wait(wait),
            Ok(end) => after(facts, job, end, now, rules),
        },
    }
}

fn is_claimed(attempt: &Attempt) -> bool {
    attempt.state == State::Claimed
}

/// An outcome that has not reached all its destinations.
fn decided(facts: &Facts<'_>, outcome: &Outcome, now: Time, rules: &Rules) -> Step {
    if outcome.delivered.is_some() {
        return Step::Forget;
    }
    match facts.seen {
        Some(Seen::Alive { .. }) => Step::Wait("whoever decided it is delivering".to_owned()),
        Some(Seen::Over { .. }) => Step::Deliver,
        _ if age(facts.last_moment(), now) < rules.grace.max(rules.unseen) => {
            Step::Wait("whoever decided it may be delivering".to_owned())
        }
        _ => Step::Deliver,
    }
}

fn unstarted(launch: &Launch, now: Time, rules: &Rules) -> Step {
    if launch.not_before.is_some_and(|moment| moment > now) {
        let why = launch.refused.as_deref().unwrap_or("it was refused");
        return Step::Wait(format!("to be started later: {why}"));
    }
    if launch.refused.is_none() && age(launch.intended, now) < rules.grace {
        return Step::Wait("it is being started".to_owned());
    }
    let why = launch.refused.clone().unwrap_or_else(|| "its start was cut off".to_owned());
    Step::Launch { number: launch.number, larger: launch.larger, why }
}

/// How the last attempt ended.
struct End {
    why: String,
    cause: Option<Cause>,
    counted: bool,
}

/// How the last attempt ended, or why that cannot be said yet.
fn ended(
    facts: &Facts<'_>,
    attempt: Option<&Attempt>,
    now: Time,
    rules: &Rules,
) -> Result<End, String> {
    if let Some(attempt) = attempt.filter(|attempt| attempt.state == State::Interrupted) {
        let why = attempt.reason.as_deref().unwrap_or("told to stop");
        return Ok(End { why: format!("interrupted: {why}"), cause: None, counted: false });
    }
    if attempt.is_some_and(|attempt| attempt.is_alive(now)) {
        return Err("its worker says that it is at work".to_owned());
    }
    let said = attempt.and_then(|attempt| attempt.reason.as_deref());
    if facts.seen.is_none() && attempt.is_some_and(|attempt| attempt.state == State::Ended) {
        let why = said.unwrap_or("over, without an outcome").to_owned();
        return Ok(End { why, cause: None, counted: true });
    }
    match facts.seen {
        Some(Seen::Alive { step }) => Err(format!("it is {}", step.to_lowercase())),
        Some(Seen::Over { reason, cause, .. }) => {
            let why = said.map_or_else(|| reason.clone(), |said| format!("{said} ({reason})"));
            Ok(End { why, cause: Some(*cause), counted: !cause.is_nobodys_fault() })
        }
        Some(Seen::Absent) if age(facts.last_moment(), now) < rules.unseen => {
            Err("it was just started".to_owned())
        }
        Some(Seen::Absent) => {
            let why = said.unwrap_or("its container is gone without a word").to_owned();
            Ok(End { why, cause: None, counted: true })
        }
        None => Err("nobody here can look at its container".to_owned()),
    }
}

/// What comes after an attempt that ended without an outcome.
fn after(facts: &Facts<'_>, job: &Job, end: End, now: Time, rules: &Rules) -> Step {
    let number = facts.number();
    let most = job.limits.attempts.unwrap_or(rules.attempts).max(1);
    let spared = u32::from(!end.counted) + facts.interrupted(number);
    if number.saturating_sub(spared) >= most || number >= most.saturating_mul(10) {
        return Step::GiveUp { attempts: number, why: end.why, cause: end.cause };
    }
    let pause = pause(number, rules);
    if age(facts.last_moment(), now) < pause {
        return Step::Wait(format!(
            "a pause of {} s before attempt {}",
            pause.as_secs(),
            number + 1
        ));
    }
    let before = facts.launch(number).map_or(0, |launch| launch.larger);
    let larger = before + u32::from(end.cause == Some(Cause::OutOfMemory));
    Step::Launch { number: number + 1, larger, why: end.why }
}

/// The pause after so many attempts.
fn pause(attempts: u32, rules: &Rules) -> Duration {
    let doubled = rules.pause.saturating_mul(1 << attempts.saturating_sub(1).min(16));
    doubled.min(rules.longest_pause)
}

impl Facts<'_> {
    /// The last attempt that was made or intended.
    fn number(&self) -> u32 {
        let launched = self.launches.last().map_or(0, |launch| launch.number);
        launched.max(self.attempts.last().map_or(0, |attempt| attempt.number))
    }

    fn launch(&self, number: u32) -> Option<&Launch> {
        self.launches.iter().find(|launch| launch.number == number)
    }

    fn attempt(&self, number: u32) -> Option<&Attempt> {
        self.attempts.iter().find(|attempt| attempt.number == number)
    }

    /// Earlier attempts that were handed back, or whose end was nobody's fault.
    fn interrupted(&self, before: u32) -> u32 {
        let spared = |number: &u32| {
            let handed_back =
                self.attempt(*number).is_some_and(|attempt| attempt.state == State::Interrupted);
            let ended = self.launch(*number).and_then(|launch| launch.ended.as_deref());
            handed_back || ended.is_some_and(|ended| SPARED.contains(&ended))
        };
        u32::try_from((1..before).filter(spared).count()).unwrap_or(u32::MAX)
    }

    /// The last moment at which something was heard of it.
    fn last_moment(&self) -> Time {
        let launched =
            self.launches.iter().flat_map(|launch| [Some(launch.intended), launch.started]);
        let tried = self.attempts.iter().flat_map(|tried| [Some(tried.started), tried.ended]);
        launched.chain(tried).flatten().fold(self.since, Time::max)
    }
}

/// Causes that are not counted, as launches have them.
const SPARED: [&str; 3] = ["spot", "maintenance", "capacity"];

fn age(since: Time, now: Time) -> Duration {
    Duration::from_millis(now.as_millis().saturating_sub(since.as_millis()))
}

#[cfg(test)]
mod tests;
