//! Requests that name their function: our own (`{"immortal":1,…}`), and Step Functions tasks that wait for their
//! token. Pure.

use bytes::Bytes;
use ledger::{Destination, JobId, Redacted};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::view::{View, bytes};
use super::{Failed, Hint, Kind, Understood, job_of, quarantine, sent};
use crate::message::Message;

/// A request in our own words.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Direct<'a> {
    immortal: u32,
    function: String,
    #[serde(default)]
    id: Option<String>,
    #[serde(borrow, default)]
    event: Option<&'a RawValue>,
    #[serde(default)]
    event_ref: Option<String>,
    #[serde(borrow, default)]
    client_context: Option<&'a RawValue>,
    #[serde(default)]
    tenant_id: Option<String>,
    #[serde(default)]
    timeout_seconds: Option<u64>,
    #[serde(default)]
    task_token: Option<String>,
    #[serde(default)]
    destinations: Option<Vec<String>>,
}

/// The request that this body is, if it says that it is one.
pub(super) fn direct(body: &[u8], message: &Message) -> Option<Understood> {
    if !View::of(body)?.has("immortal") {
        return None;
    }
    Some(read(body, message).unwrap_or_else(|problem| {
        quarantine(
            "expected a request like {\"immortal\":1,\"function\":\"NAME\",\"event\":{}}",
            &problem,
            "docs/dispatcher.md lists its fields",
        )
    }))
}

fn read(body: &[u8], message: &Message) -> Result<Understood, String> {
    let direct: Direct<'_> = serde_json::from_slice(body).map_err(|error| place(&error))?;
    if direct.immortal != 1 {
        return Err(format!("version {}, which this program does not know", direct.immortal));
    }
    // Whoever may send a request could have any object read that we may read.
    if direct.event_ref.is_some() {
        return Err("`eventRef`: expected the event itself in `event`".to_owned());
    }
    let event = direct.event.map_or_else(|| Bytes::from_static(b"{}"), bytes);
    let job = direct.id.as_deref().map_or_else(|| job_of(message), JobId::from_request_id);
    let mut failed = Failed::new(job, Kind::Direct, Hint::Function(direct.function), event);
    failed.destinations = destinations(direct.destinations)?;
    failed.max_duration_seconds = direct.timeout_seconds;
    failed.tenant = direct.tenant_id;
    failed.task_token = direct.task_token.filter(|token| !token.is_empty()).map(Redacted::new);
    failed.client_context = direct
        .client_context
        .filter(|context| context.get() != "null")
        .map(|context| Redacted::new(context.get().to_owned()));
    failed.failed_at = sent(message);
    Ok(Understood::Failed(Box::new(failed)))
}

fn destinations(said: Option<Vec<String>>) -> Result<Option<Vec<Destination>>, String> {
    let read = |said: Vec<String>| -> Result<Vec<Destination>, String> {
        said.iter().map(|one| one.parse().map_err(|_| UNKNOWN.to_owned())).collect()
    };
    said.map(read).transpose()
}

const UNKNOWN: &str = "a destination of no known form in `destinations`";

/// What is wrong, and where, without the text itself.
fn place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    // serde quotes names of fields, which are no secrets; values only of the wrong type, which may be.
    let what = if text.starts_with("unknown field") || text.starts_with("missing field") {
        text.split(" at line").next().unwrap_or_default().to_owned()
    } else {
        "another type of value".to_owned()
    };
    format!("{what} at line {} column {}", error.line(), error.column())
}

/// A task of a workflow that waits, if this body is one: it has a token and a function.
pub(super) fn workflow(body: &[u8], message: &Message) -> Option<Understood> {
    let view = View::of(body)?;
    let token = view.text("TaskToken").or_else(|| view.text("taskToken"))?;
    let function = view.text("function").or_else(|| view.text("FunctionName"))?;
    // Each try of the state has a token of its own, and is a job of its own.
    let job = JobId::from_digest(token.as_bytes());
    let event = view.get("event").or_else(|| view.get("Payload"));
    let event = event.map_or_else(|| Bytes::from_static(b"{}"), bytes);
    let mut failed = Failed::new(job, Kind::Workflow, Hint::Function(function), event);
    failed.task_token = Some(Redacted::new(token));
    failed.failed_at = sent(message);
    Some(Understood::Failed(Box::new(failed)))
}
