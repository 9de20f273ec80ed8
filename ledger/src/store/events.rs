//! A job's event as it comes: an answer that breaks off is taken up where it broke, and what has come is
//! held against what was recorded. Who keeps the bytes is decided by whoever reads them.

use bytes::Bytes;
use futures_util::StreamExt as _;
use object_store::{GetOptions, GetRange, GetResult};
use sha2::{Digest as _, Sha256};

use super::Ledger;
use super::objects::Answer;
use super::payloads::Object;
use super::tries::Tries;
use crate::error::LedgerError;
use crate::id::{JobId, hex};
use crate::job::Job;
use crate::layout::Layout;
use crate::outcome::Stored;
use crate::redacted::Redacted;

/// An event that is being read.
struct Reading<'a> {
    ledger: &'a Ledger,
    event: &'a Stored,
    /// What has come, in bytes.
    at: u64,
    digest: Sha256,
}

impl Ledger {
    /// A job's event, byte for byte as it was recorded.
    pub async fn event(&self, job: &Job) -> Result<Redacted<Bytes>, LedgerError> {
        let mut event = Vec::new();
        let keep = |piece: Bytes| {
            event.extend_from_slice(&piece);
            Ok::<_, LedgerError>(())
        };
        self.read_event(job, keep).await?;
        Ok(Redacted::new(event.into()))
    }

    /// The same, piece by piece. That the bytes are not those which were recorded is said after the last of them.
    pub async fn read_event<E: From<LedgerError>>(
        &self,
        job: &Job,
        mut keep: impl FnMut(Bytes) -> Result<(), E>,
    ) -> Result<(), E> {
        if let Some(event) = job.inline_event().or_else(|| job.unstored_event().cloned()) {
            return keep(event.into_inner());
        }
        let Some(event) = job.event_object() else {
            return Err(self.missing(&Layout::event(&job.id)).into());
        };
        Reading { ledger: self, event, at: 0, digest: Sha256::new() }.all(&mut keep).await
    }

    /// The bytes of an event that is an object of its own; nothing where there is none.
    pub async fn event_object(&self, id: &JobId) -> Result<Option<Object>, LedgerError> {
        self.object(&Layout::event(id)).await
    }

    fn missing(&self, key: &str) -> LedgerError {
        LedgerError::Missing { address: self.root.object(key) }
    }

    /// Refuses bytes that are not those which were recorded.
    pub(super) fn verified(
        &self,
        expected: &Stored,
        bytes: u64,
        sha256: &str,
    ) -> Result<(), LedgerError> {
        let describe = |bytes: u64, sha256: &str| format!("{bytes} bytes with SHA-256 {sha256}");
        if sha256 == expected.sha256 {
            return Ok(());
        }
        Err(LedgerError::Differs {
            address: self.root.object(&expected.key),
            expected: describe(expected.bytes, &expected.sha256),
            found: describe(bytes, sha256),
        })
    }
}

impl Reading<'_> {
    async fn all<E: From<LedgerError>>(
        mut self,
        keep: &mut impl FnMut(Bytes) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut tries = Tries::start(self.ledger.patience);
        loop {
            let before = self.at;
            let Err(said) = self.rest(keep).await? else { break };
            if self.at > before {
                tries = Tries::start(self.ledger.patience);
            }
            if let Err(within) = tries.again().await {
                return Err(self.ledger.unavailable("read", &self.event.key, within, said).into());
            }
        }
        let sha256 = hex(&self.digest.finalize());
        Ok(self.ledger.verified(self.event, self.at, &sha256)?)
    }

    /// Reads what is left, or as much of it as comes: then it is told what went wrong.
    async fn rest<E: From<LedgerError>>(
        &mut self,
        keep: &mut impl FnMut(Bytes) -> Result<(), E>,
    ) -> Result<Result<(), String>, E> {
        // A range that begins at the end is none.
        if self.at > 0 && self.at >= self.event.bytes {
            return Ok(Ok(()));
        }
        let mut pieces = self.open().await?.into_stream();
        while let Some(piece) = pieces.next().await {
            match piece {
                Ok(piece) => {
                    self.at += piece.len() as u64;
                    self.digest.update(&piece);
                    keep(piece)?;
                }
                Err(error) => return Ok(Err(error.to_string())),
            }
        }
        Ok(Ok(()))
    }

    async fn open(&self) -> Result<GetResult, LedgerError> {
        let (ledger, key) = (self.ledger, &self.event.key);
        let full = ledger.key(key);
        let range = (self.at > 0).then_some(GetRange::Offset(self.at));
        let get = || {
            ledger
                .store
                .get_opts(&full, GetOptions { range: range.clone(), ..GetOptions::default() })
        };
        match ledger.steadily("read", key, get).await? {
            Answer::Done(found) => Ok(found),
            Answer::Absent(_) | Answer::There(_) => Err(ledger.missing(key)),
        }
    }
}
