//! Whether a store keeps its word: what decides here is created if absent, and only then.

use bytes::Bytes;

use super::Ledger;
use crate::error::LedgerError;
use crate::writer::Writer;

impl Ledger {
    /// Creates an object, creates it again, and takes it away. Whether the second create was refused, as it has to be.
    pub async fn probe(&self) -> Result<bool, LedgerError> {
        let key = format!("probe/{}", Writer::random().as_str());
        let first = Bytes::from_static(b"first");
        self.create_bytes(&key, first.clone()).await?;
        let there = self.create_bytes(&key, Bytes::from_static(b"second")).await;
        let found = self.read(&key).await;
        self.delete(&key).await?;
        Ok(there?.as_ref() == Some(&first) && found?.as_ref() == Some(&first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Root;

    #[tokio::test]
    async fn a_directory_keeps_its_word_and_nothing_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&Root::Directory(directory.path().to_path_buf()), None).unwrap();
        assert!(ledger.probe().await.unwrap());
        assert_eq!(std::fs::read_dir(directory.path().join("probe")).unwrap().count(), 0);
    }
}
