//! Single objects: created, read, replaced, deleted and listed with patience. Owns the rule by which
//! a create whose answer is unsure is told from a lost race; what is in the objects is not known here.

use std::future::Future;

use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutPayload};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Ledger;
use super::tries::Tries;
use super::verdict::{Verdict, judge};
use crate::document::{decode, encode};
use crate::error::LedgerError;
use crate::failpoint::step;

/// The answer of a store that is neither throttle nor failure.
#[derive(Debug)]
pub(super) enum Answer<T> {
    /// It did as it was told.
    Done(T),
    /// The object is not there.
    Absent(String),
    /// The object is there already, or just being written.
    There(String),
}

impl Ledger {
    /// Reads a record; nothing where there is none.
    pub(super) async fn record<T: DeserializeOwned>(
        &self,
        key: &str,
    ) -> Result<Option<T>, LedgerError> {
        let bytes = self.read(key).await?;
        bytes.map(|bytes| self.decoded(key, &bytes)).transpose()
    }

    /// Creates a record. Nothing: it is this one. Else: what is there, which after a lost answer may
    /// be this one too.
    pub(super) async fn create_record<T: Serialize + DeserializeOwned>(
        &self,
        key: &str,
        record: &T,
    ) -> Result<Option<T>, LedgerError> {
        let found = self.create_bytes(key, encode(record).into()).await?;
        found.map(|bytes| self.decoded(key, &bytes)).transpose()
    }

    /// Replaces a record, or puts one where none is.
    pub(super) async fn put_record<T: Serialize>(
        &self,
        key: &str,
        record: &T,
    ) -> Result<(), LedgerError> {
        self.put(key, encode(record).into()).await
    }

    fn decoded<T: DeserializeOwned>(&self, key: &str, bytes: &[u8]) -> Result<T, LedgerError> {
        let address = self.root.object(key);
        decode(bytes).map_err(|source| LedgerError::Record { address, source })
    }

    /// Creates an object; where one is there already, its bytes.
    pub(super) fn create_bytes(
        &self,
        key: &str,
        bytes: Bytes,
    ) -> impl Future<Output = Result<Option<Bytes>, LedgerError>> {
        step("create", key, self.created(key, bytes))
    }

    async fn created(&self, key: &str, bytes: Bytes) -> Result<Option<Bytes>, LedgerError> {
        let mut tries = Tries::start(self.patience);
        loop {
            let said = match self.try_create(key, &bytes).await {
                Ok(()) => return Ok(None),
                // 412: another was first, or an earlier try of this call. 409: another is writing.
                // No answer: it may be there.
                Err(Verdict::There(said) | Verdict::Passing(said)) => said,
                Err(Verdict::Final(said) | Verdict::Absent(said)) => {
                    return Err(self.refused("create", key, said));
                }
            };
            if let Some(found) = self.read(key).await? {
                self.flush_entry(key).await?;
                return Ok(Some(found));
            }
            let ended = tries.again().await;
            ended.map_err(|within| self.unavailable("create", key, within, said))?;
        }
    }

    async fn try_create(&self, key: &str, bytes: &Bytes) -> Result<(), Verdict> {
        let key = self.key(key);
        let put = self.store.put_opts(&key, bytes.clone().into(), PutMode::Create.into());
        self.once(put).await.map(|_| ())
    }

    /// Reads an object; nothing where there is none.
    pub(super) async fn read(&self, key: &str) -> Result<Option<Bytes>, LedgerError> {
        let full = self.key(key);
        let answer =
            self.steadily("read", key, || async { self.store.get(&full).await?.bytes().await });
        Ok(match answer.await? {
            Answer::Done(bytes) => Some(bytes),
            Answer::Absent(_) | Answer::There(_) => None,
        })
    }

    /// What is known of an object; nothing where there is none.
    pub(super) async fn head(&self, key: &str) -> Result<Option<ObjectMeta>, LedgerError> {
        let full = self.key(key);
        Ok(match self.steadily("read", key, || self.store.head(&full)).await? {
            Answer::Done(meta) => Some(meta),
            Answer::Absent(_) | Answer::There(_) => None,
        })
    }

    /// Writes an object, whatever was there.
    pub(super) async fn put(&self, key: &str, bytes: Bytes) -> Result<(), LedgerError> {
        let full = self.key(key);
        let put = || self.store.put(&full, PutPayload::from_bytes(bytes.clone()));
        match self.steadily("write", key, put).await? {
            Answer::Done(_) => Ok(()),
            Answer::Absent(said) | Answer::There(said) => Err(self.refused("write", key, said)),
        }
    }

    /// Sees to it that an object is not there.
    pub(super) async fn delete(&self, key: &str) -> Result<(), LedgerError> {
        let full = self.key(key);
        self.steadily("delete", key, || self.store.delete(&full)).await.map(|_| ())
    }

    /// The names of the folders in a folder.
    pub(super) async fn folders(&self, prefix: &str) -> Result<Vec<String>, LedgerError> {
        let full = self.key(prefix);
        let list = || self.store.list_with_delimiter(Some(&full));
        let found = match self.steadily("list", prefix, list).await? {
            Answer::Done(found) => found.common_prefixes,
            Answer::Absent(_) | Answer::There(_) => Vec::new(),
        };
        Ok(found.iter().filter_map(|path| path.filename().map(str::to_owned)).collect())
    }

    /// All objects below a prefix.
    pub(super) async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>, LedgerError> {
        let full = self.key(prefix);
        let list = || self.store.list(Some(&full)).try_collect();
        Ok(match self.steadily("list", prefix, list).await? {
            Answer::Done(objects) => objects,
            Answer::Absent(_) | Answer::There(_) => Vec::new(),
        })
    }

    /// Tries until the store answers or patience ends.
    pub(super) fn steadily<T, F>(
        &self,
        operation: &'static str,
        key: &str,
        attempt: impl Fn() -> F,
    ) -> impl Future<Output = Result<Answer<T>, LedgerError>>
    where
        F: Future<Output = object_store::Result<T>>,
    {
        step(operation, key, self.answered(operation, key, attempt))
    }

    async fn answered<T, F>(
        &self,
        operation: &'static str,
        key: &str,
        attempt: impl Fn() -> F,
    ) -> Result<Answer<T>, LedgerError>
    where
        F: Future<Output = object_store::Result<T>>,
    {
        let mut tries = Tries::start(self.patience);
        loop {
            let said = match self.once(attempt()).await {
                Ok(done) => return Ok(Answer::Done(done)),
                Err(Verdict::Absent(said)) => return Ok(Answer::Absent(said)),
                Err(Verdict::There(said)) => return Ok(Answer::There(said)),
                Err(Verdict::Final(said)) => return Err(self.refused(operation, key, said)),
                Err(Verdict::Passing(said)) => said,
            };
            let ended = tries.again().await;
            ended.map_err(|within| self.unavailable(operation, key, within, said))?;
        }
    }

    async fn once<T>(
        &self,
        attempt: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, Verdict> {
        match tokio::time::timeout(self.patience.each, attempt).await {
            Ok(result) => result.map_err(|error| judge(&error)),
            Err(_) => Err(Verdict::Passing(format!("no answer in {:?}", self.patience.each))),
        }
    }

    /// A directory's entry may have been made by somebody who was killed before it was flushed: whoever
    /// relies on it flushes it. In S3 what can be read is durable.
    async fn flush_entry(&self, key: &str) -> Result<(), LedgerError> {
        let Some(directory) = &self.directory else { return Ok(()) };
        let path = directory.join(key);
        let folder = path.parent().unwrap_or(directory).to_owned();
        let flush = move || std::fs::File::open(folder)?.sync_all();
        let flushed = tokio::task::spawn_blocking(flush).await.map_err(std::io::Error::other);
        let flushed = flushed.and_then(|result| result);
        flushed.map_err(|error| self.refused("read", key, error.to_string()))
    }

    pub(super) fn refused(
        &self,
        operation: &'static str,
        key: &str,
        problem: String,
    ) -> LedgerError {
        LedgerError::Refused { operation, address: self.root.object(key), problem }
    }

    pub(super) fn unavailable(
        &self,
        operation: &'static str,
        key: &str,
        within: std::time::Duration,
        problem: String,
    ) -> LedgerError {
        LedgerError::Unavailable { operation, address: self.root.object(key), within, problem }
    }
}
