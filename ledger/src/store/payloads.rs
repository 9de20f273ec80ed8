//! Large payloads: written part by part and read piece by piece, never whole in memory.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt};
use object_store::{MultipartUpload, ObjectStoreExt, PutMultipartOptions, PutPayload};
use sha2::{Digest, Sha256};

use super::Ledger;
use super::objects::Answer;
use super::verdict::{Verdict, judge};
use crate::error::LedgerError;
use crate::id::{JobId, hex};
use crate::layout::Layout;
use crate::outcome::Stored;

/// What is in memory of a payload that is being written, bytes. S3 wants at least 5 MiB.
pub const PART: usize = 8 << 20;
/// S3 takes so many parts of one object (S3 user guide, multipart upload limits).
const PARTS: u64 = 10_000;

/// A payload on its way in.
pub struct Object {
    /// Its length.
    pub bytes: u64,
    /// Its bytes.
    pub pieces: Pieces,
}

/// The bytes of a payload. Read to its end; an error ends it.
pub type Pieces = BoxStream<'static, std::io::Result<Bytes>>;

impl fmt::Debug for Object {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Object").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl Ledger {
    /// Stores an attempt's large response beside the attempt, where it waits for the outcome to be
    /// decided. The result names the place that it will have once it is settled.
    ///
    /// A call that is dropped leaves an unfinished upload in S3, as a killed process does: a lifecycle
    /// rule (`AbortIncompleteMultipartUpload`) removes it. One that fails removes it by itself.
    pub async fn spool(
        &self,
        id: &JobId,
        attempt: u32,
        pieces: impl Stream<Item = std::io::Result<Bytes>>,
    ) -> Result<Stored, LedgerError> {
        let stored = self.upload(&Layout::undecided(id, attempt), pieces).await?;
        Ok(Stored { key: Layout::response(id), ..stored })
    }

    /// Writes an object, part by part where it is larger than one.
    pub(super) async fn upload(
        &self,
        key: &str,
        pieces: impl Stream<Item = std::io::Result<Bytes>>,
    ) -> Result<Stored, LedgerError> {
        let mut upload = Upload::new(self, key);
        let result = upload.all(pieces).await;
        if result.is_err() {
            upload.abort().await;
        }
        result
    }

    /// An object's bytes as they come; nothing where there is none.
    pub(super) async fn object(&self, key: &str) -> Result<Option<Object>, LedgerError> {
        let full = self.key(key);
        let found = match self.steadily("read", key, || self.store.get(&full)).await? {
            Answer::Done(found) => found,
            Answer::Absent(_) | Answer::There(_) => return Ok(None),
        };
        let bytes = found.meta.size;
        // The store resumes a broken answer where it broke.
        let pieces = found.into_stream().map(|piece| piece.map_err(std::io::Error::from));
        Ok(Some(Object { bytes, pieces: pieces.boxed() }))
    }
}

/// An object that is being written.
struct Upload<'a> {
    ledger: &'a Ledger,
    key: &'a str,
    /// Nothing until there is more than one part.
    parts: Option<Box<dyn MultipartUpload>>,
    /// The part that is being filled. Its memory is used again for the next.
    part: BytesMut,
    digest: Sha256,
    bytes: u64,
}

impl<'a> Upload<'a> {
    fn new(ledger: &'a Ledger, key: &'a str) -> Self {
        // Memory that is not written to is only an address.
        let (part, digest) = (BytesMut::with_capacity(PART), Sha256::new());
        Self { ledger, key, parts: None, part, digest, bytes: 0 }
    }

    async fn all(
        &mut self,
        pieces: impl Stream<Item = std::io::Result<Bytes>>,
    ) -> Result<Stored, LedgerError> {
        let mut pieces = pin!(pieces);
        while let Some(piece) = pieces.next().await {
            let address = || self.ledger.root.object(self.key);
            let piece =
                piece.map_err(|source| LedgerError::Source { address: address(), source })?;
            self.push(piece).await?;
        }
        self.finish().await
    }

    async fn push(&mut self, mut piece: Bytes) -> Result<(), LedgerError> {
        self.digest.update(&piece);
        self.bytes += piece.len() as u64;
        let limit = PARTS * PART as u64;
        if self.bytes > limit {
            let address = self.ledger.root.object(self.key);
            return Err(LedgerError::TooLarge { address, limit });
        }
        while !piece.is_empty() {
            // Only when there is more than a whole part is it known that there is another.
            if self.part.len() == PART {
                self.send().await?;
            }
            let room = (PART - self.part.len()).min(piece.len());
            self.part.extend_from_slice(&piece.split_to(room));
        }
        Ok(())
    }

    /// Sends what is there as a part.
    async fn send(&mut self) -> Result<(), LedgerError> {
        let payload = PutPayload::from_bytes(self.part.split().freeze());
        let (ledger, key) = (self.ledger, self.key);
        let parts = match &mut self.parts {
            Some(parts) => parts,
            None => self.parts.insert(begin(ledger, key).await?),
        };
        let part = parts.put_part(payload);
        within(ledger, key, part).await?;
        self.part.reserve(PART);
        Ok(())
    }

    async fn finish(&mut self) -> Result<Stored, LedgerError> {
        if self.parts.is_none() {
            self.ledger.put(self.key, self.part.split().freeze()).await?;
        } else {
            self.send().await?;
            self.complete().await?;
        }
        let sha256 = hex(&std::mem::take(&mut self.digest).finalize());
        Ok(Stored { key: self.key.to_owned(), bytes: self.bytes, sha256 })
    }

    /// A completion whose answer was lost is tried again by the store's client and then finds no
    /// upload: the object itself tells.
    async fn complete(&mut self) -> Result<(), LedgerError> {
        let Some(parts) = &mut self.parts else { return Ok(()) };
        let completed = within(self.ledger, self.key, parts.complete()).await;
        let Err(error) = completed else { return Ok(()) };
        match self.ledger.head(self.key).await? {
            Some(meta) if meta.size == self.bytes => Ok(()),
            _ => Err(error),
        }
    }

    async fn abort(&mut self) {
        let Some(parts) = &mut self.parts else { return };
        // Nothing can be done about a failure here; the lifecycle rule is for that.
        let _best_effort = tokio::time::timeout(Duration::from_secs(10), parts.abort()).await;
    }
}

async fn begin(ledger: &Ledger, key: &str) -> Result<Box<dyn MultipartUpload>, LedgerError> {
    let full = ledger.key(key);
    let options = || {
        let patience = std::sync::Arc::new(ledger.patience);
        PutMultipartOptions::default().with_retry_policy(patience)
    };
    let begun = || ledger.store.put_multipart_opts(&full, options());
    match ledger.steadily("write", key, begun).await? {
        Answer::Done(parts) => Ok(parts),
        Answer::Absent(said) | Answer::There(said) => Err(ledger.refused("write", key, said)),
    }
}

/// One call of an upload, which the store's own client repeats where that is possible.
async fn within<T>(
    ledger: &Ledger,
    key: &str,
    call: impl Future<Output = object_store::Result<T>>,
) -> Result<T, LedgerError> {
    let limit = ledger.patience.longer().each;
    let result = tokio::time::timeout(limit, call).await;
    let unanswered = || Verdict::Passing(format!("no answer in {limit:?}"));
    let result = result.map_or_else(|_| Err(unanswered()), |result| result.map_err(|e| judge(&e)));
    result.map_err(|verdict| match verdict {
        Verdict::Passing(said) => ledger.unavailable("write", key, limit, said),
        Verdict::Final(said) | Verdict::Absent(said) | Verdict::There(said) => {
            ledger.refused("write", key, said)
        }
    })
}
