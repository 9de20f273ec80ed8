//! Where a large response comes from, as often as it is wanted: the ledger, or a file of ours. Its bytes
//! come piece by piece and are never in memory all at once.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt as _};
use futures_util::stream::{self, StreamExt as _};
use ledger::{JobId, Ledger, Pieces};

/// A file is read in pieces of so many bytes.
const PIECE: u64 = 256 << 10;

/// Where a large response comes from.
#[derive(Clone)]
pub struct Source(Arc<dyn Fn() -> BoxFuture<'static, io::Result<Pieces>> + Send + Sync>);

impl fmt::Debug for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Source([redacted])")
    }
}

impl Source {
    /// The response that the ledger keeps for a job.
    pub fn ledger(ledger: Ledger, job: JobId) -> Self {
        Self(Arc::new(move || {
            let (ledger, job) = (ledger.clone(), job.clone());
            async move {
                let object = ledger.response(&job).await.map_err(io::Error::other)?;
                let missing = || io::Error::other(format!("the ledger has no response of {job}"));
                object.map(|object| object.pieces).ok_or_else(missing)
            }
            .boxed()
        }))
    }

    /// The first so many bytes of a file, which stays as it is for as long as this lives.
    pub fn file(file: File, bytes: u64) -> Self {
        let file = Arc::new(file);
        Self(Arc::new(move || {
            let file = Arc::clone(&file);
            let pieces = stream::try_unfold(0, move |offset| {
                let file = Arc::clone(&file);
                async move { Ok(piece(file, offset, bytes).await?.map(|p| (p.0, p.1))) }
            });
            futures_util::future::ready(Ok(pieces.boxed())).boxed()
        }))
    }

    /// Its bytes, from the beginning.
    pub(super) async fn open(&self) -> io::Result<Pieces> {
        (self.0)().await
    }
}

/// What is at an offset, and the next offset. Reading may block.
async fn piece(file: Arc<File>, offset: u64, end: u64) -> io::Result<Option<(Bytes, u64)>> {
    let wanted = PIECE.min(end - offset);
    if wanted == 0 {
        return Ok(None);
    }
    let read = move || {
        let mut buffer = vec![0; usize::try_from(wanted).unwrap_or(usize::MAX)];
        file.read_exact_at(&mut buffer, offset).map(|()| Bytes::from(buffer))
    };
    let bytes = tokio::task::spawn_blocking(read).await.map_err(io::Error::other)??;
    Ok(Some((bytes, offset + wanted)))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use futures_util::TryStreamExt as _;

    use super::*;

    #[tokio::test]
    async fn a_file_is_read_as_often_as_it_is_wanted() {
        let mut file = tempfile::tempfile().unwrap();
        let bytes: Vec<u8> = (0..=255).cycle().take(600_000).collect();
        file.write_all(&bytes).unwrap();
        let source = Source::file(file, 600_000);
        for _ in 0..2 {
            let pieces: Vec<Bytes> = source.open().await.unwrap().try_collect().await.unwrap();
            assert!(pieces.len() == 3 && pieces.concat() == bytes);
        }
    }
}
