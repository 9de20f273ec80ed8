//! A failed invocation whose function is known → the job that is recorded. Pure.

use bytes::Bytes;
use ledger::{Context, Destination, Job, Limits, Origin, Time, Unknown};

use crate::envelope::{Failed, Kind};
use crate::message::Message;
use crate::resolve::Resolved;

/// What the configuration says of all jobs.
#[derive(Debug, Clone, Default)]
pub struct Defaults {
    /// Where outcomes go, where neither message nor function says so.
    pub destinations: Option<Vec<Destination>>,
    /// The longest invocation, seconds.
    pub max_duration_seconds: Option<u64>,
    /// The most attempts.
    pub attempts: Option<u32>,
}

/// The job of this invocation.
pub fn job(
    failed: &Failed,
    resolved: &Resolved,
    message: &Message,
    defaults: &Defaults,
    now: Time,
) -> Job {
    let event: Bytes = resolved.event.as_ref().unwrap_or(&failed.event).expose().clone();
    let mut job = Job::new(failed.job.clone(), &resolved.arn, event, origin(failed, message), now);
    if changed(failed, resolved) {
        job.origin.unknown.insert("functionChanged".to_owned(), true.into());
    }
    job.context = Context {
        request_id: failed.request_id.clone(),
        client_context: failed.client_context.clone(),
        trace_id: failed.trace_id.clone(),
        tenant: failed.tenant.clone(),
        ..Context::default()
    };
    job.limits = Limits {
        max_duration_seconds: failed.max_duration_seconds.or(defaults.max_duration_seconds),
        attempts: defaults.attempts,
        ..Limits::default()
    };
    job.destinations = failed.destinations.clone().or_else(|| defaults.destinations.clone());
    job.task_token.clone_from(&failed.task_token);
    job
}

/// Whether what is run is another state of the function than the one that failed.
pub fn changed(failed: &Failed, resolved: &Resolved) -> bool {
    failed.failed_at.is_some_and(|moment| resolved.function.changed_since(moment))
}

fn origin(failed: &Failed, message: &Message) -> Origin {
    let said = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let mut unknown = Unknown::new();
    // What Lambda said of the failure: people look for it, programs do not. Its message may quote the payload.
    let mut tell = |name: &str, value: Option<&String>| {
        if let Some(value) = value {
            unknown.insert(name.to_owned(), value.as_str().into());
        }
    };
    tell("condition", failed.condition.as_ref());
    tell("errorType", failed.error.kind.as_ref());
    Origin {
        kind: failed.kind.as_str().to_owned(),
        queue_arn: said(&message.queue_arn),
        message_id: said(&message.id),
        approximate_invoke_count: failed.invoke_count.or(match failed.kind {
            // It has failed at least once; a direct request has not been tried.
            Kind::Direct | Kind::Workflow | Kind::Event => None,
            _ => Some(1),
        }),
        items: failed.items.clone(),
        unknown,
    }
}
