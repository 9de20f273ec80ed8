//! One try: from settings to an answer. What becomes of the answer is decided by whoever wanted it.

use super::error::{RunError, machine};
use super::prepare::{self, Prepared};
use super::{Times, event, supervise};
use crate::config::{Environment, Run};
use crate::job::Event;
use crate::order::{Answer, Reply};
use crate::process;
use crate::signals::Stop;

/// Why a try is handed back as a rule.
pub(super) const TOLD: &str = "told to stop";

/// How a try ended.
pub(super) enum Tried {
    /// Handed back before there was an answer, for this reason.
    Interrupted(&'static str),
    /// There is an answer.
    Answered(Box<Ran>),
}

/// An invocation that has its answer.
pub(super) struct Ran {
    /// Version of the function.
    pub(super) version: String,
    pub(super) event: Event,
    pub(super) answer: Answer,
}

/// Runs one function once. What comes of it may have to be written to files, whoever owns them.
pub(super) async fn once(
    run: Run,
    files: bool,
    environment: &impl Environment,
    stop: &mut Stop,
    child: tokio::signal::unix::Signal,
) -> Result<Tried, RunError> {
    let times = Times::new(&run.limits);
    let (prepared, event) = tokio::select! {
        ready = ready(run, environment, times) => ready?,
        _ = stop.asked() => return Ok(Tried::Interrupted(TOLD)),
    };
    let rights = prepared.rights(files);
    process::prepare(rights).map_err(machine("preparing to start processes"))?;
    let reply = supervise::once(&prepared, event.clone(), environment, stop, child, times).await?;
    Ok(match reply {
        Some(Reply::Whole(answer)) => {
            Tried::Answered(Box::new(Ran { version: prepared.function.version, event, answer }))
        }
        // Whole answers were ordered.
        Some(Reply::Stopped | Reply::Stream { .. }) | None => Tried::Interrupted(TOLD),
    })
}

/// A function whose files are in place, and its event.
async fn ready(
    run: Run,
    environment: &impl Environment,
    times: Times,
) -> Result<(Prepared, Event), RunError> {
    let context = run.context.clone();
    let payload = event::read(&run.event, run.region.clone()).await?;
    let prepared = prepare::prepare(run, environment).await?;
    let event = Event::new(payload, context, &prepared.function.arn, times.clock.now());
    Ok((prepared, event))
}
