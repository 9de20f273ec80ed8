//! The durable record itself. Owns the order of writes, so that a crash between any two of them loses
//! nothing; what the records say is the business of whoever writes them.
//!
//! Every write that decides something is a *create if absent*: `If-None-Match: *` in S3 (S3 user guide,
//! conditional writes), link(2) of a complete and flushed file in a directory. What was created is never
//! deleted, so it does not matter how often such a write is tried, nor whether its answer arrives: what
//! is there is read back, and whose nonce it carries owns it.

mod attempts;
mod bucket;
mod credentials;
mod events;
mod jobs;
mod launches;
mod objects;
mod open;
mod outcomes;
mod payloads;
mod probe;
mod tries;
mod verdict;

use std::path::PathBuf;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path as Key;

use crate::address::Root;
use crate::error::LedgerError;

pub use attempts::Claim;
pub use bucket::Bucket;
pub use jobs::{Active, Created};
pub use open::Access;
pub use outcomes::Decision;
pub use payloads::{Object, PART, Pieces};
pub use tries::Patience;

/// The record of jobs, attempts and outcomes. Cheap to clone. Every call may be dropped at any
/// moment and made again with the same arguments: the second is answered as the first would have been.
#[derive(Debug, Clone)]
pub struct Ledger {
    store: Arc<dyn ObjectStore>,
    root: Root,
    prefix: Key,
    /// Where the store is a directory, whose entries want to be flushed.
    directory: Option<PathBuf>,
    patience: Patience,
}

impl Ledger {
    /// A ledger in a store that somebody else has opened: `root` says where its keys begin.
    pub fn over(store: Arc<dyn ObjectStore>, root: &Root) -> Result<Self, LedgerError> {
        let (prefix, root) = (root.prefix()?, root.clone());
        Ok(Self { store, root, prefix, directory: None, patience: Patience::default() })
    }

    /// The same with another patience.
    #[must_use]
    pub fn with_patience(self, patience: Patience) -> Self {
        Self { patience, ..self }
    }

    /// Where it is.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// An object's key in the store.
    fn key(&self, relative: &str) -> Key {
        self.prefix.parts().chain(Key::from(relative).parts()).collect()
    }
}
