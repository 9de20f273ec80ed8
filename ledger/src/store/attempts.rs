//! Attempts: claimed by one owner each, and kept up by it.

use super::Ledger;
use crate::attempt::Attempt;
use crate::error::LedgerError;
use crate::id::JobId;
use crate::layout::Layout;
use crate::mutant::mutant;
use crate::outcome::Outcome;

/// What became of a claim.
#[derive(Debug)]
pub enum Claim {
    /// The attempt is the claimant's, and nobody else's.
    Mine,
    /// Somebody else has it: this launch is a duplicate.
    Taken(Box<Attempt>),
    /// The job has its outcome: nothing is to be done.
    Decided(Box<Outcome>),
}

impl Ledger {
    /// Claims an attempt for its `writer`. An outcome that is decided while this call runs is not seen
    /// by it; then the attempt is made for nothing, and [`Ledger::decide`] says so.
    pub async fn claim(&self, id: &JobId, attempt: &Attempt) -> Result<Claim, LedgerError> {
        if let Some(outcome) = self.outcome(id).await? {
            return Ok(Claim::Decided(Box::new(outcome)));
        }
        let key = Layout::attempt(id, attempt.number);
        if mutant("claim-without-owner") {
            return self.put_record(&key, attempt).await.map(|()| Claim::Mine);
        }
        match self.create_record(&key, attempt).await? {
            Some(other) if other.writer != attempt.writer => Ok(Claim::Taken(Box::new(other))),
            _ => Ok(Claim::Mine),
        }
    }

    /// Rewrites an attempt by its owner, and refuses anybody else.
    pub async fn note(&self, id: &JobId, attempt: &Attempt) -> Result<(), LedgerError> {
        let key = Layout::attempt(id, attempt.number);
        let known: Option<Attempt> = self.record(&key).await?;
        match known {
            Some(known) if known.writer == attempt.writer => self.put_record(&key, attempt).await,
            Some(_) => Err(LedgerError::Foreign { address: self.root.object(&key) }),
            None => Err(LedgerError::Missing { address: self.root.object(&key) }),
        }
    }

    /// A job's attempts, first to last.
    pub async fn attempts(&self, id: &JobId) -> Result<Vec<Attempt>, LedgerError> {
        let numbers = self.numbers(&Layout::attempts(id)).await?;
        let mut attempts = Vec::with_capacity(numbers.len());
        for number in numbers {
            attempts.extend(self.record(&Layout::attempt(id, number)).await?);
        }
        Ok(attempts)
    }
}
