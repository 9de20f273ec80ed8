//! What becomes of an outcome: where it goes, and how long that may take. A job without a ledger ends here too.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _};
use ledger::{Destination, INLINE, Object, Outcome, Stored, Time};
use tokio::time::timeout_at;

use super::attempt::{self, Ran, Tried};
use super::error::RunError;
use super::print;
use crate::aws::{self, Carriers};
use crate::code::Code;
use crate::config::{Environment, Run};
use crate::destination::{self, Delivery, Large, Parcel, Patience, Route, Until};
use crate::outcome::{self, Try};
use crate::output;
use crate::payload::Payload;
use crate::report;
use crate::signals::{Signals, Stop};

/// The program ends so long before it would be killed.
const MARGIN: Duration = Duration::from_millis(500);

/// Runs a job without a ledger. Without destinations its payload is printed.
pub(super) async fn run(
    mut run: Run,
    destinations: Option<Vec<Destination>>,
    environment: &impl Environment,
    signals: Signals,
) -> Result<Code, RunError> {
    let Signals { mut stop, child } = signals;
    let (region, patience) = (run.region.clone(), run.limits.stop_timeout);
    if destinations.is_some() {
        run.limits = run.limits.with_time_to_deliver();
    }
    let tried = Box::pin(attempt::once(run, false, environment, &mut stop, child)).await?;
    let Tried::Answered(ran) = tried else { return Ok(Code::Interrupted) };
    let Some(destinations) = destinations else { return print(ran.answer) };
    let code = report::code(&ran.answer);
    let (outcome, large) = unrecorded(*ran)?;
    let parcel = Parcel::of(&outcome, large, None)?;
    let parcel = parcel.at_hand().await.map_err(RunError::Response)?;
    let route = Route::new(destinations, None, parcel.function_arn());
    let config = aws::config(region).await;
    Box::pin(deliver(&mut stop, patience, &config, &parcel, route)).await?;
    Ok(code)
}

/// An outcome that no ledger keeps.
fn unrecorded(ran: Ran) -> Result<(Outcome, Option<Arc<dyn Large>>), RunError> {
    let Ran { version, event, answer } = ran;
    let tried = Try { attempt: 1, before: 0, now: Time::now() };
    let record = outcome::record(&event, &version, answer.failed, tried);
    let facts = outcome::facts(&answer, 1);
    if let Some(bytes) = answer.payload.small(INLINE) {
        return Ok((Outcome::new(1, record.whole(bytes), facts), None));
    }
    let bytes = answer.payload.pieces().map_err(RunError::Undelivered)?.length();
    let mut outcome = Outcome::new(1, record.bare(), facts);
    outcome.response = Some(Stored { key: String::new(), bytes, sha256: String::new() });
    Ok((outcome, Some(Arc::new(Held(answer.payload)))))
}

/// Delivers an outcome, and says what is not delivered where. Once we are told to stop there is only what is left of
/// the stop timeout, less what recording the delivery takes.
pub(super) async fn deliver(
    stop: &mut Stop,
    timeout: Duration,
    config: &SdkConfig,
    parcel: &Parcel,
    route: Route,
) -> Result<(), RunError> {
    route.refused.iter().for_each(|why| say(why));
    let carriers = Carriers::new(config);
    let (told, until) = Until::told();
    let patience = Patience::default();
    let mut delivering = pin!(destination::deliver(&carriers, parcel, &route.to, patience, &until));
    let results = tokio::select! {
        results = delivering.as_mut() => results,
        since = stop.asked() => {
            let _receiver_is_here = told.send(Some(since + timeout.saturating_sub(3 * MARGIN)));
            delivering.await
        }
    };
    let failed: Vec<String> = results.iter().filter_map(Delivery::problem).collect();
    for (destination, reason) in results.iter().filter_map(Delivery::gone) {
        say(&format!("{destination} does not wait for the outcome any more: {reason}"));
    }
    if failed.is_empty() { Ok(()) } else { Err(RunError::Undeliverable(failed.join("; "))) }
}

/// One line in the log.
pub(super) fn say(text: &str) {
    output::line(&mut io::stderr(), &format!("immortal-runner: {text}"));
}

/// Lets something take its time, but for the rest of the stop timeout at most once we are told to stop.
pub(super) async fn within<T>(
    stop: &mut Stop,
    timeout: Duration,
    work: impl Future<Output = T>,
) -> Option<T> {
    let mut work = pin!(work);
    tokio::select! {
        done = work.as_mut() => Some(done),
        since = stop.asked() => {
            let end = since + timeout.saturating_sub(MARGIN);
            timeout_at(end.into(), work).await.ok()
        }
    }
}

/// A response that is still in our hands.
#[derive(Debug)]
struct Held(Payload);

impl Large for Held {
    fn open(&self) -> BoxFuture<'static, io::Result<Object>> {
        let opened = self.0.pieces();
        async {
            let pieces = opened?;
            Ok(Object { bytes: pieces.length(), pieces: pieces.stream().boxed() })
        }
        .boxed()
    }
}
