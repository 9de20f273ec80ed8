//! An attempt: whose it is, and what is noted of it.

use ledger::{Access, Attempt, Claim, Job, Ledger, Outcome, Root, State, Time};
use ledger::{HttpClient, LedgerError};

use crate::aws::{self, task};
use crate::config::{Claimable, Environment, Variable};
use crate::fetch::client;
use crate::run::deliver::within;
use crate::run::error::{RunError, machine};
use crate::signals::Stop;

/// What there is to be done.
pub(super) enum Entered {
    /// Nothing, and why.
    Nothing(String),
    /// The outcome is decided and has not reached all its destinations.
    Undelivered(Ledger, Box<Job>, Box<Outcome>),
    /// The attempt is ours.
    Mine(Box<Held>, Box<Job>),
}

/// An attempt that is ours.
pub(super) struct Held {
    pub(super) ledger: Ledger,
    job: ledger::JobId,
    attempt: Attempt,
}

/// Opens the ledger and claims the attempt; nothing if it is told to stop before. An attempt at a job whose outcome is
/// not yet delivered is there to deliver it.
pub(super) async fn enter(
    asked: &Claimable,
    environment: &impl Environment,
    stop: &mut Stop,
) -> Result<Option<Entered>, RunError> {
    let (ledger, job, attempt) = tokio::select! {
        found = find(asked, environment) => found?,
        _ = stop.asked() => return Ok(None),
    };
    // From here on a stop waits for the answer: what is ours is handed back, and not left without a word.
    let claiming = claim(asked, ledger, job, attempt);
    within(stop, asked.limits.stop_timeout, claiming).await.transpose()
}

/// The job, and the attempt that is to be made.
async fn find(
    asked: &Claimable,
    environment: &impl Environment,
) -> Result<(Ledger, Box<Job>, Attempt), RunError> {
    let ledger = open(&asked.root, asked.region.clone()).await?;
    let job = ledger.job(&asked.id).await?;
    let job = job.ok_or_else(|| RunError::NoJob { address: address(asked) })?;
    Ok((ledger, Box::new(job), attempt(asked.attempt, environment).await))
}

async fn claim(
    asked: &Claimable,
    ledger: Ledger,
    job: Box<Job>,
    attempt: Attempt,
) -> Result<Entered, RunError> {
    Ok(match ledger.claim(&asked.id, &attempt).await? {
        Claim::Mine => {
            let held = Held { ledger, job: asked.id.clone(), attempt };
            Entered::Mine(Box::new(held), job)
        }
        Claim::Taken(other) => Entered::Nothing(taken(&other, &address(asked))),
        Claim::Decided(outcome) if ledger.is_active(&asked.id).await? => {
            undelivered(ledger, job, outcome, &attempt)
        }
        Claim::Decided(outcome) => Entered::Nothing(format!(
            "{} has its outcome since attempt {}: nothing was to be done",
            address(asked),
            outcome.attempt
        )),
    })
}

fn address(asked: &Claimable) -> String {
    asked.root.job(&asked.id).to_string()
}

/// Whoever decided the outcome may still be at it, unless this is a later attempt.
fn undelivered(ledger: Ledger, job: Box<Job>, outcome: Box<Outcome>, attempt: &Attempt) -> Entered {
    if attempt.number > outcome.attempt {
        return Entered::Undelivered(ledger, job, outcome);
    }
    Entered::Nothing(format!(
        "attempt {} has decided the outcome of {}: nothing was to be done",
        outcome.attempt,
        ledger.root().job(&job.id)
    ))
}

fn taken(other: &Attempt, address: &str) -> String {
    let owner = other.task_arn.as_deref().or(other.container.as_deref()).or(other.host.as_deref());
    format!(
        "attempt {} of {address} is owned since {} by {}: this is a duplicate, nothing was to be done",
        other.number,
        other.started,
        owner.unwrap_or("another container")
    )
}

/// Opens a ledger with the access of the environment.
async fn open(root: &Root, region: Option<String>) -> Result<Ledger, RunError> {
    if let Root::Directory(_) = root {
        return Ok(Ledger::open(root, None)?);
    }
    let sdk = aws::config(region).await;
    let http = HttpClient::new(client::new().map_err(machine("preparing to reach the ledger"))?);
    Ok(Ledger::open(root, Some(Access { sdk: &sdk, http }))?)
}

async fn attempt(number: u32, environment: &impl Environment) -> Attempt {
    let mut attempt = Attempt::new(number, env!("CARGO_PKG_VERSION"), Time::now());
    let address = environment.get(Variable::TaskMetadata);
    if let Some(address) = address.and_then(|address| address.into_string().ok()) {
        let task = task::ask(&address).await;
        (attempt.task_arn, attempt.container) = (task.arn, task.container);
    }
    attempt.host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    attempt
}

impl Held {
    /// Notes how far the attempt is.
    pub(super) async fn note(self, state: State, reason: &str) -> Result<(), LedgerError> {
        let attempt = self.attempt.over(state, Time::now(), reason);
        self.ledger.note(&self.job, &attempt).await
    }
}
