//! `submit`: a job of one's own, and waiting for its end.

use std::io::Read as _;
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use ledger::{InvocationRecord, Job, JobId, Ledger, Limits, Origin, Outcome, Time};
use serde_json::value::RawValue;

use super::Refusal;
use super::show::show;
use super::state::{State, succeeded};
use crate::cli::Submit;

/// How often the ledger is looked at.
const EVERY: Duration = Duration::from_millis(500);

/// The job that is asked for; `arn` is its function's.
pub fn job(asked: &Submit, arn: &str, event: Bytes, now: Time) -> Job {
    let random = || JobId::from_request_id(&uuid::Uuid::new_v4().to_string());
    let id = asked.id.clone().unwrap_or_else(random);
    let origin = Origin { kind: "submit".to_owned(), ..Origin::default() };
    let mut job = Job::new(id, arn, event, origin, now);
    job.limits = Limits {
        max_duration_seconds: asked.max_duration.map(|duration| duration.as_secs()),
        ..Limits::default()
    };
    job.destinations = (!asked.destinations.is_empty()).then(|| asked.destinations.clone());
    job
}

/// The event: JSON, `@FILE` or `-`.
pub fn event(text: &str) -> Result<Bytes, Refusal> {
    let read = |what: &str, result: std::io::Result<Vec<u8>>| {
        result.map_err(|error| Refusal(format!("expected an event in {what}: {error}")))
    };
    let bytes = match (text, text.strip_prefix('@')) {
        ("-", _) => {
            let mut bytes = Vec::new();
            let result = std::io::stdin().read_to_end(&mut bytes).map(|_| bytes);
            read("standard input", result)?
        }
        (_, Some(file)) => read(file, std::fs::read(file))?,
        (text, None) => text.as_bytes().to_vec(),
    };
    match serde_json::from_slice::<&RawValue>(&bytes) {
        Ok(_) => Ok(bytes.into()),
        Err(error) => Err(Refusal(format!(
            "expected an event in JSON, found something else at line {} column {}",
            error.line(),
            error.column()
        ))),
    }
}

/// Waits for a job's outcome, and tells `say` whenever its state changes.
pub async fn wait(
    ledger: &Ledger,
    id: &JobId,
    mut say: impl FnMut(&str),
) -> Result<Outcome, Refusal> {
    let mut before: Option<State> = None;
    loop {
        let shown = show(ledger, id).await?;
        let state = shown.state();
        if before != Some(state) {
            say(&format!("{id}: {}", state.as_str()));
            before = Some(state);
        }
        if let Some(outcome) = ledger.outcome(id).await? {
            return Ok(outcome);
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// The response of a job that has its outcome, and whether the function succeeded.
pub async fn response(
    ledger: &Ledger,
    id: &JobId,
    outcome: &Outcome,
) -> Result<(Bytes, bool), Refusal> {
    let said = succeeded(outcome);
    if let Some(object) = ledger.response(id).await? {
        let pieces: Vec<Bytes> =
            object.pieces.try_collect().await.map_err(|error| Refusal(error.to_string()))?;
        return Ok((pieces.concat().into(), said));
    }
    let record =
        outcome.record.as_ref().ok_or_else(|| Refusal("the outcome has no record".to_owned()))?;
    let (_, response) =
        InvocationRecord::read(record.expose()).map_err(|error| Refusal(error.to_string()))?;
    let text = response.map(|response| response.expose().get().to_owned()).unwrap_or_default();
    Ok((text.into(), said))
}
