//! The log lines that alarms count: what became of a message, and what a look at unfinished jobs has found. Their fields
//! (`fate`; `unfinished`, `quarantined`; and `step` of `reconcile`) are names that deploy/template.yaml reads.

use runner::causes::causes;
use tracing::{info, warn};

use crate::dispatch::{Desk, Fate, Later};
use crate::reconcile::Report;

/// One line for each message.
pub fn message(id: &str, ended: &Result<Fate, Later>) {
    let fate = match ended {
        Ok(fate) => fate,
        Err(Later { why, .. }) => {
            warn!(message_id = id, fate = "later", "left for later: {why}");
            return;
        }
    };
    let word = fate.as_str();
    match fate {
        Fate::Launched { job, id: task } => {
            info!(message_id = id, fate = word, job = %job, "started as {task}");
        }
        Fate::Known { job } => info!(message_id = id, fate = word, job = %job, "its job is known"),
        Fate::Refused { job, why } => info!(message_id = id, fate = word, job = %job, "{why}"),
        Fate::Ignored(why) => info!(message_id = id, fate = word, "{why}"),
        Fate::Quarantined(why) => warn!(message_id = id, fate = word, "{why}"),
    }
}

/// One line for each look at all unfinished jobs.
pub async fn look<D>(desk: &Desk<D>, report: &Report) {
    let unfinished: usize = report.0.values().sum();
    match desk.ledger.quarantine_size().await {
        Ok(quarantined) => {
            info!(unfinished, quarantined, "looked after unfinished jobs: {:?}", report.0);
        }
        Err(error) => warn!(unfinished, "the quarantine was not counted: {}", causes(&error)),
    }
}
