//! Jobs: recorded, found again, and marked for as long as they are unfinished.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::Ledger;
use crate::error::LedgerError;
use crate::id::{JobId, hex};
use crate::job::Job;
use crate::layout::Layout;
use crate::outcome::Stored;
use crate::redacted::Redacted;
use crate::time::Time;

/// What became of a job that was to be recorded.
#[derive(Debug)]
pub enum Created {
    /// It is recorded, by this writer: now, or by an earlier call that did not hear so.
    New,
    /// Somebody else has recorded a job of that name: the same one, if a message arrived twice.
    Existing(Box<Job>),
}

/// An unfinished job: its outcome has not reached all its destinations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Active {
    /// The job. There may be none of that name, if whoever recorded it died before the end.
    pub id: JobId,
    /// When the marker was written.
    pub since: Time,
}

impl Created {
    /// What it means that this job is there.
    fn of(job: &Job, existing: Job) -> Self {
        if existing.writer == job.writer {
            return Self::New;
        }
        Self::Existing(Box::new(existing))
    }
}

impl Ledger {
    /// Records a job: event, marker, job, in this order. A crash in between leaves a marker without a
    /// job, which the next delivery of the message completes; never a job without marker or event.
    ///
    /// The marker of a job that is delivered stays removed. Only of one that is delivered while this
    /// call runs it may come back: then the outcome is found beside it and delivered again, with the
    /// same deduplication id.
    pub async fn create(&self, job: &Job) -> Result<Created, LedgerError> {
        if let Some(existing) = self.job(&job.id).await? {
            return Ok(Created::of(job, existing));
        }
        if let (Some(object), Some(event)) = (job.event_object(), job.unstored_event()) {
            self.create_event(object, event).await?;
        }
        self.put(&Layout::active(&job.id), Bytes::new()).await?;
        match self.create_record(&Layout::job(&job.id), job).await? {
            None => Ok(Created::New),
            Some(existing) => {
                self.unmark_delivered(&job.id).await?;
                Ok(Created::of(job, existing))
            }
        }
    }

    /// Takes back the marker of a job that somebody else has brought to its end meanwhile.
    async fn unmark_delivered(&self, id: &JobId) -> Result<(), LedgerError> {
        match self.outcome(id).await? {
            Some(outcome) if outcome.delivered.is_some() => self.delivered(id).await,
            Some(_) | None => Ok(()),
        }
    }

    async fn create_event(
        &self,
        object: &Stored,
        event: &Redacted<Bytes>,
    ) -> Result<(), LedgerError> {
        match self.create_bytes(&object.key, event.expose().clone()).await? {
            None => Ok(()),
            Some(found) => {
                let sha256 = hex(&Sha256::digest(&found));
                self.verified(object, found.len() as u64, &sha256)
            }
        }
    }

    /// The job of that name, if there is one.
    pub async fn job(&self, id: &JobId) -> Result<Option<Job>, LedgerError> {
        self.record(&Layout::job(id)).await
    }

    /// All unfinished jobs. Costs one request per thousand of them, however long the history is.
    pub async fn active(&self) -> Result<Vec<Active>, LedgerError> {
        let markers = self.list(Layout::ACTIVE).await?;
        let job = |meta: object_store::ObjectMeta| {
            let since = u64::try_from(meta.last_modified.timestamp_millis()).unwrap_or_default();
            // Files of others in that folder are not ours to judge.
            let id = meta.location.filename()?.parse().ok()?;
            Some(Active { id, since: Time::from_millis(since) })
        };
        Ok(markers.into_iter().filter_map(job).collect())
    }

    /// All jobs that are recorded, by name. Costs one request per thousand of them: history is long.
    pub async fn jobs(&self) -> Result<Vec<JobId>, LedgerError> {
        let folders = self.folders(Layout::JOBS).await?;
        Ok(folders.into_iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// Whether a job's outcome has not yet reached all its destinations.
    pub async fn is_active(&self, id: &JobId) -> Result<bool, LedgerError> {
        Ok(self.head(&Layout::active(id)).await?.is_some())
    }

    /// Removes a job's marker: all its destinations have its outcome, which says so itself since
    /// [`Ledger::amend`], or it is to be forgotten. Repeating it is harmless.
    pub async fn delivered(&self, id: &JobId) -> Result<(), LedgerError> {
        self.delete(&Layout::active(id)).await
    }
}
