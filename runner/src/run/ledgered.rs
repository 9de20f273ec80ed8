//! A job of a ledger: claimed, run, its outcome decided and delivered. Once the attempt is ours, every way out is
//! recorded; only a process that is killed leaves a claim without a word.

mod batch;
pub(super) mod claim;
pub(super) mod desk;
pub(super) mod heart;
pub(super) mod settings;

use ledger::{Attempt, Destination, Root};

use super::attempt::{self, TOLD, Tried};
use super::deliver::{say, within};
use super::error::RunError;
use crate::code::Code;
use crate::config::{Claimable, Environment};
use crate::signals::Signals;
use claim::Entered;
use desk::Desk;

/// Runs an attempt at a job.
pub(super) async fn run(
    asked: Claimable,
    destinations: Option<Vec<Destination>>,
    environment: &impl Environment,
    signals: Signals,
) -> Result<Code, RunError> {
    let Signals { mut stop, child } = signals;
    let (desk, attempt) = tokio::select! {
        found = found(asked, destinations, environment) => found?,
        _ = stop.asked() => return Ok(Code::Interrupted),
    };
    // From here on a stop waits for the answer: what is ours is handed back, and not left without a word.
    let claiming = claim::enter(&desk.ledger, &desk.asked.id, attempt);
    match within(&mut stop, desk.asked.limits.stop_timeout, claiming).await.transpose()? {
        None => Ok(Code::Interrupted),
        Some(Entered::Mine(held)) => {
            let files = matches!(desk.asked.root, Root::Directory(_));
            let tried = async {
                let run = tokio::select! {
                    run = settings::of(&desk.job, &desk.ledger, &desk.asked) => run?,
                    _ = stop.asked() => return Ok(Tried::Interrupted(TOLD)),
                };
                Box::pin(attempt::once(run, files, environment, &mut stop, child)).await
            };
            let tried = Box::pin(heart::beating(&desk.job, desk.region(), tried)).await;
            let concluded = Box::pin(desk.conclude(&mut stop, &held, tried)).await?;
            concluded.refusal.map_or(Ok(concluded.code), Err)
        }
        Some(Entered::Undelivered(outcome)) => Box::pin(desk.deliver(&mut stop, *outcome)).await,
        Some(Entered::Nothing(nothing)) => {
            say(&nothing.said(&desk.asked));
            Ok(Code::Success)
        }
    }
}

/// The job, and the attempt that is to be made.
async fn found(
    asked: Claimable,
    destinations: Option<Vec<Destination>>,
    environment: &impl Environment,
) -> Result<(Desk, Attempt), RunError> {
    let ledger = claim::open(&asked.root, asked.region.clone()).await?;
    let job = claim::find(&ledger, &asked.id).await?;
    let attempt = claim::attempt(asked.attempt, environment).await;
    Ok((Desk { ledger, job, destinations, asked }, attempt))
}
