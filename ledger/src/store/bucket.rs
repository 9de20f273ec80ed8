//! A place for objects that is no ledger: the bucket of a destination. What is written there and under
//! which key is the business of whoever delivers.

use bytes::Bytes;
use futures_util::Stream;
use object_store::GetOptions;

use super::objects::Answer;
use super::{Access, Ledger};
use crate::address::Root;
use crate::error::LedgerError;
use crate::outcome::Stored;

/// A bucket, or a prefix in one, or a directory in its place.
#[derive(Debug, Clone)]
pub struct Bucket(Ledger);

impl Bucket {
    /// Opens it as a ledger is opened; nothing is read or written yet.
    pub fn open(root: &Root, access: Option<Access<'_>>) -> Result<Self, LedgerError> {
        Ledger::open(root, access).map(Self)
    }

    /// Writes an object as its bytes come, part by part where it is larger than [`super::PART`]; one of
    /// that key is replaced. Nobody sees it before it is whole.
    pub async fn write(
        &self,
        key: &str,
        pieces: impl Stream<Item = std::io::Result<Bytes>>,
    ) -> Result<Stored, LedgerError> {
        self.0.upload(key, pieces).await
    }

    /// Reads an object of at most so many bytes, in this version where one is named; nothing where there is none.
    pub async fn read(
        &self,
        key: &str,
        version: Option<&str>,
        most: u64,
    ) -> Result<Option<Bytes>, LedgerError> {
        let full = self.0.key(key);
        let options =
            || GetOptions { version: version.map(str::to_owned), ..GetOptions::default() };
        let read = || async {
            let found = self.0.store.get_opts(&full, options()).await?;
            let bytes = found.meta.size;
            if bytes > most { Ok(Err(bytes)) } else { found.bytes().await.map(Ok) }
        };
        match self.0.steadily("read", key, read).await? {
            Answer::Done(Ok(bytes)) => Ok(Some(bytes)),
            Answer::Done(Err(bytes)) => Err(self.0.refused(
                "read",
                key,
                format!("it has {bytes} bytes, expected at most {most}"),
            )),
            Answer::Absent(_) | Answer::There(_) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    #[tokio::test]
    async fn an_object_is_written_and_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::Directory(directory.path().to_path_buf());
        let bucket = Bucket::open(&root, None).unwrap();
        for text in ["one", "two"] {
            let pieces = stream::iter([Ok(Bytes::from_static(b"record ")), Ok(text.into())]);
            let stored = bucket.write("a/b", pieces).await.unwrap();
            assert_eq!((stored.key.as_str(), stored.bytes), ("a/b", 10));
            let found = std::fs::read_to_string(directory.path().join("a/b")).unwrap();
            assert_eq!(found, format!("record {text}"));
        }
        assert_eq!(bucket.read("a/b", None, 10).await.unwrap().unwrap(), "record two");
        assert!(bucket.read("a/c", None, 10).await.unwrap().is_none());
        let large = bucket.read("a/b", None, 9).await.unwrap_err();
        assert!(large.to_string().contains("10 bytes"), "{large}");
    }
}
