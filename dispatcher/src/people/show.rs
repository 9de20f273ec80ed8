//! `show`: all that is recorded of one job, but payloads: those are named, and read by those who may.

use ledger::{Attempt, Job, JobId, Launch, Ledger, Outcome, Time};
use serde_json::{Value, json};

use super::state::{State, succeeded};
use super::{Refusal, job};
use crate::launch::worker;

/// All that is recorded.
#[derive(Debug)]
pub struct Shown {
    job: Job,
    outcome: Option<Outcome>,
    launches: Vec<Launch>,
    attempts: Vec<Attempt>,
}

/// Reads it.
pub async fn show(ledger: &Ledger, id: &JobId) -> Result<Shown, Refusal> {
    let job = job(ledger, id).await?;
    let (outcome, launches, attempts) =
        futures_util::try_join!(ledger.outcome(id), ledger.launches(id), ledger.attempts(id))?;
    Ok(Shown { job, outcome, launches, attempts })
}

impl Shown {
    /// As JSON, without event and response.
    pub fn json(&self) -> Value {
        let outcome = self.outcome.as_ref().map(|outcome| {
            json!({
                "attempt": outcome.attempt,
                "succeeded": succeeded(outcome),
                "facts": outcome.facts,
                "response": outcome.response,
                "delivered": outcome.delivered,
            })
        });
        json!({
            "id": self.job.id,
            "state": self.state(),
            "function": self.job.function,
            "created": self.job.created,
            "origin": self.job.origin,
            "limits": self.job.limits,
            "destinations": self.job.destinations,
            "launches": self.launches,
            "attempts": self.attempts,
            "outcome": outcome,
        })
    }

    /// What was started last.
    pub fn launch(&self) -> Option<&Launch> {
        self.launches.last().filter(|launch| launch.id.is_some())
    }

    /// Since when its last attempt is at work.
    pub fn since(&self) -> Option<Time> {
        self.attempts.last().map(|attempt| attempt.started)
    }

    /// Whether that was a message to workers.
    pub fn by_worker(&self) -> bool {
        self.launches.last().is_some_and(|launch| launch.launcher == worker::NAME)
    }

    /// How far it is.
    pub fn state(&self) -> State {
        State::of(self.outcome.as_ref(), &self.launches, &self.attempts)
    }

    /// For people: what happened, in order.
    pub fn text(&self) -> String {
        let job = &self.job;
        let mut lines = vec![
            format!("job       {}", job.id),
            format!("state     {}", self.state().as_str()),
            format!("function  {}", job.function),
            format!("origin    {}", origin(job)),
            String::new(),
            format!("{}  recorded", job.created),
        ];
        let mut events: Vec<(String, String)> = Vec::new();
        self.launches.iter().for_each(|launch| launched(launch, &mut events));
        self.attempts.iter().for_each(|attempt| tried(attempt, &mut events));
        events.sort_by(|one, other| one.0.cmp(&other.0));
        lines.extend(events.into_iter().map(|(when, what)| format!("{when}  {what}")));
        lines.extend(self.outcome.iter().map(ended));
        lines.join("\n") + "\n"
    }
}

fn origin(job: &Job) -> String {
    let queue = job.origin.queue_arn.as_deref().unwrap_or_default();
    let tried = job.origin.approximate_invoke_count;
    let tried = tried.map(|count| format!(", tried {count} times by Lambda")).unwrap_or_default();
    format!("{} {queue}{tried}", job.origin.kind)
}

fn launched(launch: &Launch, events: &mut Vec<(String, String)>) {
    let number = launch.number;
    if let (Some(when), Some(id)) = (launch.started, &launch.id) {
        events.push((
            when.to_string(),
            format!("attempt {number} started by {} as {id}", launch.launcher),
        ));
    } else if let Some(why) = &launch.refused {
        events.push((
            launch.intended.to_string(),
            format!("attempt {number} not started yet: {why}"),
        ));
    }
}

fn tried(attempt: &Attempt, events: &mut Vec<(String, String)>) {
    let number = attempt.number;
    events.push((attempt.started.to_string(), format!("attempt {number} at work")));
    if let Some(when) = attempt.ended {
        let reason = attempt.reason.as_deref().unwrap_or("over");
        events.push((when.to_string(), format!("attempt {number} over: {reason}")));
    }
}

fn ended(outcome: &Outcome) -> String {
    let facts = &outcome.facts;
    let how = match (&facts.error_type, succeeded(outcome)) {
        (_, true) => "succeeded".to_owned(),
        (Some(kind), false) => format!("failed: {kind}"),
        (None, false) => "failed".to_owned(),
    };
    let memory = facts.max_memory_mb.map(|mb| format!(", {mb} MB")).unwrap_or_default();
    let delivered = outcome
        .delivered
        .map_or_else(|| "not delivered yet".to_owned(), |when| format!("delivered {when}"));
    format!("\noutcome   {how} after {:.1} s{memory}, {delivered}", facts.duration_ms / 1e3)
}
