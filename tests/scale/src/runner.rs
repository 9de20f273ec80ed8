//! What a container does with a job, as the real runner does it in the ledger: claim, run, decide, deliver, strike off.
//! The function itself is a wait.

use std::sync::Arc;
use std::time::Duration;

use ledger::{
    Attempt, Claim, Condition, Decision, Facts, InvocationRecord, JobId, LedgerError, Outcome,
    ResponseContext, State, Time,
};
use serde_json::Value;
use tokio::time::sleep;

use crate::account::{Account, objects};

/// What befalls it, so long after its start.
#[derive(Debug, Clone, Copy)]
pub struct Fate {
    /// Spot takes it back, and tells it so.
    pub reclaimed: Option<Duration>,
    /// Its host is lost, without a word.
    pub lost: Duration,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By itself.
    Exited(i32),
    /// Taken back.
    Reclaimed,
    /// With its host.
    Lost,
}

/// Runs the attempt that a container is told of.
pub async fn run(account: &Arc<Account>, environment: &Value, fate: Fate) -> End {
    let variable = |name: &str| {
        let mut all = environment.as_array().into_iter().flatten();
        all.find(|one| one["name"] == name).and_then(|one| one["value"].as_str().map(str::to_owned))
    };
    let address =
        variable("IMMORTAL_JOB").and_then(|address| address.parse::<ledger::Address>().ok());
    let number = variable("IMMORTAL_ATTEMPT").and_then(|number| number.parse().ok());
    let (Some(job), Some(number)) = (address.and_then(|address| address.job), number) else {
        return End::Exited(64);
    };
    match attempt(account, &job, number, fate, None).await {
        Ok(end) => end,
        Err(_) => End::Exited(69),
    }
}

/// How a worker says that it is at work.
pub(crate) struct Beats<'a> {
    /// So often.
    pub(crate) every: Duration,
    /// For so long.
    pub(crate) alive: Duration,
    /// To its queue.
    pub(crate) hide: &'a (dyn Fn() + Sync),
}

/// Makes an attempt at a job.
pub(crate) async fn attempt(
    account: &Account,
    id: &JobId,
    number: u32,
    fate: Fate,
    beats: Option<&Beats<'_>>,
) -> Result<End, LedgerError> {
    let ledger = &account.runners;
    let Some(job) = ledger.job(id).await? else { return Ok(End::Exited(65)) };
    let mut attempt = Attempt::new(number, "simulated", Time::now());
    attempt.alive_until = beats.map(|beats| Time::now().after(beats.alive));
    match ledger.claim(id, &attempt).await? {
        Claim::Mine => {}
        Claim::Taken(_) => return Ok(End::Exited(0)),
        Claim::Decided(outcome) => return deliver(account, id, *outcome).await,
    }
    if beats.is_none() {
        account.asked_by_runner("GetFunction", id.as_str());
    }
    let takes = account.dice.between(account.takes, 2.0, ("takes", objects::number(id.as_str())));
    let reclaimed = fate.reclaimed.unwrap_or(Duration::MAX);
    if fate.lost < takes.min(reclaimed) {
        sleep(fate.lost).await;
        account.objects.cut_off(id.as_str());
        return Ok(End::Lost);
    }
    if reclaimed < takes {
        sleep(reclaimed).await;
        ledger.note(id, &attempt.over(State::Interrupted, Time::now(), "told to stop")).await?;
        account.objects.cut_off(id.as_str());
        return Ok(End::Reclaimed);
    }
    let mut left = takes;
    while let Some(beats) = beats.filter(|beats| beats.every < left) {
        sleep(beats.every).await;
        left -= beats.every;
        (beats.hide)();
        attempt.alive_until = Some(Time::now().after(beats.alive));
        ledger.note(id, &attempt).await?;
    }
    sleep(left).await;
    let record = InvocationRecord {
        timestamp: Time::now(),
        request_id: id.to_string(),
        function_arn: job.function.clone(),
        condition: Condition::Success,
        approximate_invoke_count: 1 + number,
        request: job.inline_event(),
        response: Some(ResponseContext::new("$LATEST", false)),
    };
    let millis = takes.as_secs_f64() * 1e3;
    let outcome =
        Outcome::new(number, record.whole(b"{\"done\":true}"), Facts::new(number, millis));
    if let Decision::Already(_) = ledger.decide(id, &outcome).await? {
        return Ok(End::Exited(0));
    }
    ledger.note(id, &attempt.over(State::Ended, Time::now(), "succeeded")).await?;
    deliver(account, id, outcome).await
}

/// Sends the outcome to its destination, a queue, and strikes the job off.
async fn deliver(account: &Account, id: &JobId, mut outcome: Outcome) -> Result<End, LedgerError> {
    if outcome.delivered.is_none() {
        account.asked_by_runner("SendMessage", id.as_str());
        outcome.delivered = Some(Time::now());
        account.runners.amend(id, &outcome).await?;
    }
    account.runners.delivered(id).await?;
    Ok(End::Exited(0))
}
