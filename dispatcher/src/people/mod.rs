//! What people ask of the ledger: lists, one job, once more, a new one. Owns what is gathered and how it is told; the
//! command line is `cli`'s.

pub mod list;
pub mod show;
pub mod state;
pub mod submit;
pub mod table;

use std::fmt;

use ledger::{Job, JobId, Ledger, LedgerError, Origin, Time};

use crate::dispatch::Desk;
use crate::resolve::directory::Directory;
use crate::start::Start;

/// What was asked for cannot be done: what was expected, what was found, what to do.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal(pub String);

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

impl From<LedgerError> for Refusal {
    fn from(error: LedgerError) -> Self {
        Self(runner::causes::causes(&error))
    }
}

/// The job of that name.
pub async fn job(ledger: &Ledger, id: &JobId) -> Result<Job, Refusal> {
    ledger.job(id).await?.ok_or_else(|| {
        Refusal(format!(
            "expected a job in {}, found none named {id}: `jobs --all` lists them",
            ledger.root()
        ))
    })
}

/// A job that runs once more what this one ran: the first name that is free.
pub async fn again(ledger: &Ledger, old: &Job) -> Result<Job, Refusal> {
    let event = ledger.event(old).await?.into_inner();
    for number in 2..1_000 {
        let name = format!("{}.{number}", old.id);
        let id: JobId = name.parse().unwrap_or_else(|_| JobId::from_digest(name.as_bytes()));
        if ledger.job(&id).await?.is_some() {
            continue;
        }
        let origin = Origin { kind: "retry".to_owned(), ..old.origin.clone() };
        let mut job = Job::new(id, &old.function, event, origin, Time::now());
        job.context.clone_from(&old.context);
        job.limits.clone_from(&old.limits);
        job.destinations.clone_from(&old.destinations);
        return Ok(job);
    }
    Err(Refusal(format!("expected a free name for another run of {}, found 998 taken", old.id)))
}

/// Records a job and starts its first attempt; what the launcher calls it.
pub async fn begin<D: Directory>(desk: &Desk<D>, job: &Job) -> Result<String, Refusal> {
    desk.ledger.create(job).await?;
    let function = desk.directory.describe(&job.function).await;
    let function = function.map_err(|error| Refusal(error.to_string()))?;
    match desk.start(job, &function, 1, 0).await {
        Ok(Start::Started(id)) => Ok(id),
        Ok(Start::Impossible(why)) => Err(Refusal(why)),
        Err(later) => Err(Refusal(format!(
            "{}; the job {} is recorded and is started by whoever serves, or by `reconcile`",
            later.why, job.id
        ))),
    }
}
