//! A job of a ledger → how it is run. Pure, but for its event.

use std::time::Duration;

use ledger::{Condition, InvocationRecord, Job, Ledger, ResponseContext, qualified};

use crate::config::{self, Claimable, Context, EventSource, Limits, Run, Source, Variable};
use crate::outcome::{self, Try};
use crate::run::error::RunError;
use crate::run::event;

/// How the job is run.
pub(in crate::run) async fn of(
    job: &Job,
    ledger: &Ledger,
    asked: &Claimable,
) -> Result<Run, RunError> {
    let name = config::function_name(Variable::Job.name(), &job.function)?;
    let event = EventSource::Recorded(event::recorded(ledger, job).await?);
    let run = Run::new(Source::Deployed(name), event, limits(job, &asked.limits));
    Ok(Run {
        context: context(job),
        region: asked.region.clone(),
        credentials: asked.credentials,
        ..run
    })
}

fn limits(job: &Job, limits: &Limits) -> Limits {
    let own = job.limits.max_duration_seconds.map(Duration::from_secs);
    let max_duration = own.unwrap_or(limits.max_duration).min(config::LONGEST);
    Limits { max_duration, ..limits.clone() }.with_time_to_deliver()
}

fn context(job: &Job) -> Context {
    let known = &job.context;
    Context {
        request_id: Some(request_id(job)),
        invoked_function_arn: known.invoked_function_arn.clone(),
        client_context: known.client_context.clone(),
        identity: known.identity.clone(),
        trace_id: known.trace_id.clone(),
        tenant: known.tenant.clone(),
    }
}

/// All attempts at a job have one request id, as all of Lambda's tries have.
fn request_id(job: &Job) -> String {
    job.context.request_id.clone().unwrap_or_else(|| job.id.to_string())
}

/// The region of the function, where it is named by ARN.
pub(in crate::run) fn region(job: &Job) -> Option<String> {
    let name = config::function_name(Variable::Job.name(), &job.function).ok()?;
    name.region().map(str::to_owned)
}

/// The record of a job that no attempt can run, and what it is answered with.
pub(super) fn refused(job: &Job, tried: Try, problem: &str) -> (InvocationRecord, Vec<u8>) {
    let request_id = request_id(job);
    let payload = outcome::refusal(&request_id, problem);
    let arn = job.context.invoked_function_arn.as_deref().unwrap_or(&job.function);
    let record = InvocationRecord {
        timestamp: tried.now,
        request_id,
        function_arn: qualified(arn),
        condition: Condition::RetriesExhausted,
        approximate_invoke_count: tried.before + tried.attempt,
        request: job.inline_event(),
        response: Some(ResponseContext::new("$LATEST", true)),
    };
    (record, payload)
}
