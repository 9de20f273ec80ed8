//! How much has come, for those who look on.

use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of one package.
#[derive(Debug, Default)]
pub struct Progress {
    received: AtomicU64,
    total: AtomicU64,
}

impl Progress {
    /// Bytes that have come.
    pub fn bytes(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Bytes that there are; 0 while nobody knows.
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    pub(super) fn received(&self, count: usize) {
        self.received.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(super) fn expect(&self, total: u64) {
        self.total.store(total, Ordering::Relaxed);
    }
}
