//! An attempt: whose it is, and what is noted of it.

use ledger::{Access, Attempt, Claim, Job, JobId, Ledger, Outcome, Root, State, Time};
use ledger::{HttpClient, LedgerError};
use tokio::sync::Mutex;

use crate::aws::{self, task};
use crate::causes::causes;
use crate::config::{Claimable, Environment, Variable};
use crate::fetch::client;
use crate::run::deliver::say;
use crate::run::error::{RunError, machine};

/// What there is to be done.
pub(in crate::run) enum Entered {
    /// Nothing, and why.
    Nothing(Nothing),
    /// The outcome is decided and has not reached all its destinations.
    Undelivered(Box<Outcome>),
    /// The attempt is ours.
    Mine(Box<Held>),
}

/// Why there is nothing to be done.
pub(in crate::run) enum Nothing {
    /// The attempt is somebody else's.
    Taken(Box<Attempt>),
    /// The job has its outcome, and so have all who want it.
    Over(Box<Outcome>),
    /// The outcome is decided, and whoever decided it may still be delivering it.
    Decided(Box<Outcome>),
}

/// An attempt that is ours.
pub(in crate::run) struct Held {
    ledger: Ledger,
    job: JobId,
    /// One at a time writes it.
    attempt: Mutex<Attempt>,
}

/// The job of that name.
pub(in crate::run) async fn find(ledger: &Ledger, id: &JobId) -> Result<Job, RunError> {
    let job = ledger.job(id).await?;
    job.ok_or_else(|| RunError::NoJob { address: ledger.root().job(id).to_string() })
}

/// Claims an attempt. One at a job whose outcome is not yet delivered is there to deliver it.
pub(in crate::run) async fn enter(
    ledger: &Ledger,
    id: &JobId,
    attempt: Attempt,
) -> Result<Entered, RunError> {
    Ok(match ledger.claim(id, &attempt).await? {
        Claim::Mine => {
            let (ledger, job, attempt) = (ledger.clone(), id.clone(), Mutex::new(attempt));
            Entered::Mine(Box::new(Held { ledger, job, attempt }))
        }
        Claim::Taken(other) => Entered::Nothing(Nothing::Taken(other)),
        Claim::Decided(outcome) if ledger.is_active(id).await? => {
            // Whoever decided the outcome may still be at it, unless this is a later attempt.
            if attempt.number > outcome.attempt {
                Entered::Undelivered(outcome)
            } else {
                Entered::Nothing(Nothing::Decided(outcome))
            }
        }
        Claim::Decided(outcome) => Entered::Nothing(Nothing::Over(outcome)),
    })
}

impl Nothing {
    /// In words.
    pub(in crate::run) fn said(&self, asked: &Claimable) -> String {
        let address = asked.root.job(&asked.id);
        match self {
            Self::Taken(other) => taken(other, &address.to_string()),
            Self::Over(outcome) => format!(
                "{address} has its outcome since attempt {}: nothing was to be done",
                outcome.attempt
            ),
            Self::Decided(outcome) => format!(
                "attempt {} has decided the outcome of {address}: nothing was to be done",
                outcome.attempt
            ),
        }
    }
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
pub(in crate::run) async fn open(root: &Root, region: Option<String>) -> Result<Ledger, RunError> {
    if let Root::Directory(_) = root {
        return Ok(Ledger::open(root, None)?);
    }
    let sdk = aws::config(region).await;
    let http = HttpClient::new(client::new().map_err(machine("preparing to reach the ledger"))?);
    Ok(Ledger::open(root, Some(Access { sdk: &sdk, http }))?)
}

/// An attempt of this container's.
pub(in crate::run) async fn attempt(number: u32, environment: &impl Environment) -> Attempt {
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
    pub(in crate::run) async fn note(&self, state: State, reason: &str) -> Result<(), LedgerError> {
        let mut attempt = self.attempt.lock().await;
        *attempt = attempt.clone().over(state, Time::now(), reason);
        self.ledger.note(&self.job, &attempt).await
    }

    /// Says that we are still at it, and shall say so again before this moment; nothing where it is over, or where
    /// something else is being said.
    pub(in crate::run) async fn beat(&self, until: Time) {
        let Ok(mut attempt) = self.attempt.try_lock() else { return };
        if attempt.state != State::Claimed {
            return;
        }
        attempt.alive_until = Some(until);
        if let Err(error) = self.ledger.note(&self.job, &attempt).await {
            let job = self.ledger.root().job(&self.job);
            say(&format!("it was not noted that {job} is still at work: {}", causes(&error)));
        }
    }
}
