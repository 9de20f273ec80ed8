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
use crate::destination::{self, Delivery, Large, Parcel, Patience, Route, Sources, Until};
use crate::outcome::{self, Try};
use crate::output;
use crate::payload::Pieces;
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
    let (outcome, sources) = unrecorded(*ran).map_err(RunError::Undelivered)?;
    let parcel = Parcel::of(&outcome, sources, None)?;
    let parcel = parcel.at_hand().await.map_err(RunError::Response)?;
    let route = Route::new(destinations, None, parcel.function_arn());
    let config = aws::config(region).await;
    Box::pin(deliver(&mut stop, patience, &config, &parcel, route)).await?;
    Ok(code)
}

/// An outcome that no ledger keeps.
fn unrecorded(ran: Ran) -> io::Result<(Outcome, Sources)> {
    let Ran { version, event, answer } = ran;
    let tried = Try { attempt: 1, before: 0, now: Time::now() };
    let request = event.payload.expose();
    let at_hand = request.at_hand().cloned();
    let record = outcome::record(&event, at_hand.clone(), &version, answer.failed, tried);
    let facts = outcome::facts(&answer, 1);
    let (response, record) = match answer.payload.small(INLINE) {
        Some(bytes) => (None, record.whole(bytes)),
        None => (Some(answer.payload.pieces()?), record.bare()),
    };
    let mut outcome = Outcome::new(1, record, facts);
    let request = at_hand.is_none().then(|| request.clone());
    outcome.request = request.as_ref().map(unstored);
    outcome.response = response.as_ref().map(unstored);
    let held = |pieces: Pieces| Arc::new(Held(pieces)) as Arc<dyn Large>;
    Ok((outcome, Sources { request: request.map(held), response: response.map(held) }))
}

/// A payload that is in no ledger.
fn unstored(pieces: &Pieces) -> Stored {
    Stored { key: String::new(), bytes: pieces.length(), sha256: String::new() }
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

/// A payload that is still in our hands.
#[derive(Debug)]
struct Held(Pieces);

impl Large for Held {
    fn open(&self) -> BoxFuture<'static, io::Result<Object>> {
        let pieces = self.0.clone();
        std::future::ready(Ok(Object { bytes: pieces.length(), pieces: pieces.stream().boxed() }))
            .boxed()
    }
}
