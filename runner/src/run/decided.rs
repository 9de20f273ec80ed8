//! An outcome that is decided and has still to arrive: what is sent, where to, and how the job is struck off the
//! unfinished ones afterwards. Sending is `destination`'s; how long it may take is decided by whoever delivers.

use std::io;
use std::sync::Arc;

use aws_config::SdkConfig;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use ledger::{Destination, Job, JobId, Ledger, Object, Outcome, Time};

use super::error::RunError;
use super::ledgered::settings;
use crate::aws;
use crate::causes::causes;
use crate::destination::{Large, Parcel, Route, Sources};

/// A job whose outcome is decided, or about to be.
#[derive(Debug)]
pub struct Decided<'a> {
    /// Where it is recorded.
    pub ledger: &'a Ledger,
    /// The job.
    pub job: &'a Job,
    /// Where outcomes go of jobs that do not say so themselves; none said: where the function's own
    /// configuration says.
    pub destinations: Option<&'a [Destination]>,
    /// The region, where the function does not name it.
    pub region: Option<String>,
}

impl Decided<'_> {
    /// What is delivered, and where to.
    pub async fn packed(&self, outcome: &Outcome) -> Result<(SdkConfig, Parcel, Route), RunError> {
        let settled = self.ledger.settle(&self.job.id, outcome).await;
        settled.map_err(|error| RunError::Undeliverable(causes(&error)))?;
        let kept = |which| {
            Arc::new(Kept(self.ledger.clone(), self.job.id.clone(), which)) as Arc<dyn Large>
        };
        let request = outcome.request.as_ref().map(|_| kept(Which::Event));
        let response = outcome.response.as_ref().map(|_| kept(Which::Response));
        let sources = Sources { request, response };
        let parcel = Parcel::of(outcome, sources, Some((self.job, self.ledger.root())))?;
        let parcel = parcel.at_hand().await.map_err(RunError::Response)?;
        let config = aws::config(self.region()).await;
        let said = self.job.destinations.as_deref().or(self.destinations);
        let wanted = match said {
            Some(wanted) => wanted.to_vec(),
            None => aws::own_destinations(&config, parcel.function_arn())
                .await
                .map_err(|error| RunError::Undeliverable(causes(&error)))?
                .wanted(parcel.succeeded()),
        };
        let route = Route::new(wanted, Some(self.job), parcel.function_arn());
        Ok((config, parcel, route))
    }

    /// Whether nobody waits for it, so that with its decision all is done: no destination, no workflow, and nothing to move.
    pub fn is_for_nobody(&self, outcome: &Outcome) -> bool {
        let said = self.job.destinations.as_deref().or(self.destinations);
        let moved = outcome.response.is_some();
        said.is_some_and(<[_]>::is_empty) && self.job.task_token.is_none() && !moved
    }

    /// Records that all destinations have it, where it does not say so, and strikes the job off the unfinished ones.
    pub async fn strike(&self, mut outcome: Outcome) -> Result<(), RunError> {
        if outcome.delivered.is_none() {
            outcome.delivered = Some(Time::now());
            self.ledger.amend(&self.job.id, &outcome).await.map_err(RunError::Unstruck)?;
        }
        self.ledger.delivered(&self.job.id).await.map_err(RunError::Unstruck)
    }

    /// Where AWS is asked.
    pub(super) fn region(&self) -> Option<String> {
        self.region.clone().or_else(|| settings::region(self.job))
    }
}

/// A payload in a ledger.
#[derive(Debug)]
struct Kept(Ledger, JobId, Which);

/// Which of a job's payloads.
#[derive(Debug, Clone, Copy)]
enum Which {
    Event,
    Response,
}

impl Large for Kept {
    fn open(&self) -> BoxFuture<'static, io::Result<Object>> {
        let (ledger, id, which) = (self.0.clone(), self.1.clone(), self.2);
        async move {
            let object = match which {
                Which::Event => ledger.event_object(&id).await,
                Which::Response => ledger.response(&id).await,
            };
            let object = object.map_err(io::Error::other)?;
            object.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use ledger::{Facts, Origin, Redacted, Root, Stored};

    use super::*;

    #[test]
    fn an_outcome_is_for_nobody_where_that_is_said_and_there_is_nothing_to_do() {
        let ledger = Ledger::open(&Root::Directory("/nowhere".into()), None).unwrap();
        let job = |destinations| {
            let mut job =
                Job::new("j".parse().unwrap(), "f", "{}".into(), Origin::default(), Time::now());
            job.destinations = destinations;
            job
        };
        let record = Redacted::new(serde_json::value::RawValue::NULL.to_owned());
        let small = Outcome::new(1, record, Facts::new(1, 0.0));
        let stored = Stored { key: "k".into(), bytes: 1, sha256: "x".into() };
        let large = Outcome { response: Some(stored), ..small.clone() };
        let mut waited_for = job(Some(vec![]));
        waited_for.task_token = Some(Redacted::new("t".into()));
        for (job, outcome, expected) in [
            (job(Some(vec![])), &small, true),
            (job(Some(vec![])), &large, false),
            (job(Some(vec![Destination::Stdout])), &small, false),
            // The function's own.
            (job(None), &small, false),
            (waited_for, &small, false),
        ] {
            let decided = Decided { ledger: &ledger, job: &job, destinations: None, region: None };
            assert_eq!(decided.is_for_nobody(outcome), expected, "{job:?}");
        }
    }
}
