//! `submit`: a job of one's own, and waiting for its end.

use std::io::Read as _;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use ledger::{InvocationRecord, Job, JobId, Ledger, Limits, Origin, Outcome, Time};
use serde_json::value::RawValue;

use super::Refusal;
use super::show::{Shown, show};
use super::state::{State, succeeded};
use crate::cli::Submit;
use crate::dispatch::Desk;
use crate::launch::Seen;
use crate::reconcile;
use crate::resolve::directory::Directory;

/// How often the ledger is looked at.
const EVERY: Duration = Duration::from_millis(500);
/// How often the job is looked after, and what it has written.
const LOOK: Duration = Duration::from_secs(2);

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

/// Waits for a job's outcome, looks after it meanwhile, as nobody else may, and tells `say` whenever its state, or the
/// last line that it has written, changes.
pub async fn wait<D: Directory>(
    desk: &Desk<D>,
    id: &JobId,
    mut say: impl FnMut(&str),
) -> Result<Outcome, Refusal> {
    let (mut before, mut written) = (String::new(), None);
    let mut looked = Instant::now();
    loop {
        let shown = show(&desk.ledger, id).await?;
        let now = now(desk, &shown).await;
        let due = looked.elapsed() > LOOK;
        let line = if due { line(desk, &shown).await } else { None };
        if before != now || line.is_some() && line != written {
            say(&told(id, &now, line.as_deref()));
            (before, written) = (now, line.or(written));
        }
        if let Some(outcome) = desk.ledger.outcome(id).await? {
            return Ok(outcome);
        }
        if due {
            reconcile::one(desk, id).await?;
            looked = Instant::now();
        }
        tokio::time::sleep(EVERY).await;
    }
}

fn told(id: &JobId, now: &str, line: Option<&str>) -> String {
    let line = line.map(|line| format!(": {line}")).unwrap_or_default();
    format!("{id}: {now}{line}")
}

/// How far a job is, and what the launcher sees of it until its attempt is at work.
async fn now<D>(desk: &Desk<D>, shown: &Shown) -> String {
    let state = shown.state().as_str();
    let launch = match (shown.state(), shown.launch(), shown.since()) {
        (State::Running, _, Some(since)) => return format!("{state} since {since}"),
        (State::Starting, Some(launch), _) => launch,
        _ => return state.to_owned(),
    };
    if shown.by_worker() {
        return format!("{state} (queued for a worker)");
    }
    // Who cannot look now says nothing.
    let id = launch.id.clone().into_iter().collect::<Vec<_>>();
    let seen = desk.launcher.look(&id).await.unwrap_or_default();
    match seen.first() {
        Some(Seen::Alive { step }) => format!("{state} ({})", step.to_lowercase()),
        Some(Seen::Over { reason, .. }) => format!("{state} (its container is over: {reason})"),
        Some(Seen::Absent) | None => state.to_owned(),
    }
}

/// The most characters of a line that are shown.
const WIDTH: usize = 200;

/// The last line that a job at work has written, fit for a terminal.
async fn line<D>(desk: &Desk<D>, shown: &Shown) -> Option<String> {
    let launch = shown.launch().filter(|_| shown.state() == State::Running)?;
    let line = desk.launcher.last_line(launch).await?;
    let plain: String = line.trim().chars().filter(|c| !c.is_control()).take(WIDTH).collect();
    (!plain.is_empty()).then_some(plain)
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
