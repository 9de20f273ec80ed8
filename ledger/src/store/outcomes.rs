//! Outcomes: decided once, then settled and delivered as often as it takes.

use object_store::ObjectStoreExt;

use super::objects::Answer;
use super::{Ledger, Object};
use crate::error::LedgerError;
use crate::id::JobId;
use crate::layout::Layout;
use crate::mutant::mutant;
use crate::outcome::{Outcome, Stored};

/// The largest object that S3 copies in one request (S3 API reference, `CopyObject`), bytes.
const COPIED_AT_ONCE: u64 = 5 << 30;

/// What became of an outcome.
#[derive(Debug)]
pub enum Decision {
    /// It is the job's outcome.
    First,
    /// The job has had one: that one is to be settled and delivered, not this one.
    Already(Box<Outcome>),
}

impl Ledger {
    /// Decides how a job ended. A large response is spooled before, so that an outcome is never
    /// without it.
    pub async fn decide(&self, id: &JobId, outcome: &Outcome) -> Result<Decision, LedgerError> {
        if mutant("decide-without-first") {
            return self.put_record(&Layout::outcome(id), outcome).await.map(|()| Decision::First);
        }
        match self.create_record(&Layout::outcome(id), outcome).await? {
            Some(other) if other.writer != outcome.writer => Ok(Decision::Already(Box::new(other))),
            _ => Ok(Decision::First),
        }
    }

    /// How a job ended, if it is decided.
    pub async fn outcome(&self, id: &JobId) -> Result<Option<Outcome>, LedgerError> {
        self.record(&Layout::outcome(id)).await
    }

    /// Rewrites an outcome with what was learnt since (`delivered`), and refuses any but the one
    /// which was decided.
    pub async fn amend(&self, id: &JobId, outcome: &Outcome) -> Result<(), LedgerError> {
        let key = Layout::outcome(id);
        match self.outcome(id).await? {
            Some(known) if known.writer == outcome.writer => self.put_record(&key, outcome).await,
            Some(_) => Err(LedgerError::Foreign { address: self.root.object(&key) }),
            None => Err(LedgerError::Missing { address: self.root.object(&key) }),
        }
    }

    /// Moves the deciding attempt's large response to its place. Whoever delivers does this first,
    /// and it may be repeated.
    pub async fn settle(&self, id: &JobId, outcome: &Outcome) -> Result<(), LedgerError> {
        let Some(response) = &outcome.response else { return Ok(()) };
        let (from, to) = (Layout::undecided(id, outcome.attempt), Layout::response(id));
        if !self.is_settled(&to, response).await? && !mutant("settle-without-moving") {
            self.copy(&from, &to, response).await?;
        }
        self.delete(&from).await
    }

    async fn is_settled(&self, key: &str, response: &Stored) -> Result<bool, LedgerError> {
        Ok(self.head(key).await?.is_some_and(|meta| meta.size == response.bytes))
    }

    /// Copies within the store; what is too large for one request goes through this program.
    async fn copy(&self, from: &str, to: &str, response: &Stored) -> Result<(), LedgerError> {
        if response.bytes > COPIED_AT_ONCE {
            let object = self.object(from).await?;
            let object = object.ok_or(LedgerError::Missing { address: self.root.object(from) })?;
            let pieces = object.pieces;
            return self.upload(to, pieces).await.map(|_| ());
        }
        let (source, target) = (self.key(from), self.key(to));
        // S3 copies some hundred megabytes a second: a try may take longer than others.
        let patient = self.clone().with_patience(self.patience.longer());
        let copy = || self.store.copy(&source, &target);
        match patient.steadily("copy", from, copy).await? {
            Answer::Done(()) => Ok(()),
            // Somebody else has settled it since.
            Answer::Absent(_) if self.is_settled(to, response).await? => Ok(()),
            Answer::Absent(_) => Err(LedgerError::Missing { address: self.root.object(from) }),
            Answer::There(said) => Err(self.refused("copy", from, said)),
        }
    }

    /// The large response of a job whose outcome says that there is one, settled or not.
    pub async fn response(&self, id: &JobId) -> Result<Option<Object>, LedgerError> {
        let Some(outcome) = self.outcome(id).await? else { return Ok(None) };
        if outcome.response.is_none() {
            return Ok(None);
        }
        // Once more at the end: it may have been moved between the two looks.
        let settled = Layout::response(id);
        for key in [&settled, &Layout::undecided(id, outcome.attempt), &settled] {
            if let Some(object) = self.object(key).await? {
                return Ok(Some(object));
            }
        }
        Err(LedgerError::Missing { address: self.root.object(&settled) })
    }

    /// Removes the large response of an attempt that did not decide the outcome.
    pub async fn discard(&self, id: &JobId, attempt: u32) -> Result<(), LedgerError> {
        self.delete(&Layout::undecided(id, attempt)).await
    }
}
