//! What all layers together may still use. Counted while they are read, since a tar has no directory
//! that could be looked at before.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::unpack::{Fault, Limits};

/// Bytes of headers, names, padding: for each entry that is allowed, as many as a usual one has.
const HEADERS: u64 = 4096;

/// Limits, and what has been used of them by all threads.
#[derive(Debug)]
pub(super) struct Budget {
    pub(super) limits: Limits,
    contents: AtomicU64,
    entries: AtomicU64,
    held: AtomicU64,
    headers: AtomicU64,
}

impl Budget {
    /// Nothing used yet.
    pub(super) fn new(limits: &Limits) -> Self {
        let zero = || AtomicU64::new(0);
        let (contents, entries, held, headers) = (zero(), zero(), zero(), zero());
        Self { limits: limits.clone(), contents, entries, held, headers }
    }

    /// Bytes of a file, before the first one is written.
    pub(super) fn contents(&self, bytes: u64) -> Result<(), Fault> {
        charge(&self.contents, bytes, self.limits.unpacked_bytes, "bytes unpacked")
    }

    /// One more entry, or directory that is only a part of a name.
    pub(super) fn entry(&self) -> Result<(), Fault> {
        charge(&self.entries, 1, self.limits.entries, "entries and directories")
    }

    /// Bytes that are held in memory to the end: targets of held, whiteouts, extended attributes.
    pub(super) fn held(&self, bytes: usize) -> Result<(), Fault> {
        charge(
            &self.held,
            bytes as u64,
            self.limits.link_bytes,
            "bytes of link targets, whiteouts and extended attributes",
        )
    }

    /// Bytes that are no contents of files: they are inflated, and may be as many as a bomb has.
    pub(super) fn headers(&self, bytes: u64) -> Result<(), Fault> {
        let allowed = self.limits.entries.saturating_mul(HEADERS);
        charge(&self.headers, bytes, allowed, "bytes of headers and padding")
    }
}

fn charge(used: &AtomicU64, more: u64, allowed: u64, what: &'static str) -> Result<(), Fault> {
    let before = used.load(Ordering::Relaxed);
    let found = before.saturating_add(more);
    // Looked at before it is added, so that no sum of a few threads comes near an overflow.
    let found =
        if found > allowed { found } else { used.fetch_add(more, Ordering::Relaxed) + more };
    if found > allowed { Err(Fault::Limit { what, found, allowed }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::Budget;
    use crate::unpack::{Fault, Limits};

    #[test]
    fn limits_are_inclusive_and_do_not_overflow() {
        let budget = Budget::new(&Limits { unpacked_bytes: 10, ..Limits::default() });
        budget.contents(10).unwrap();
        assert!(matches!(budget.contents(1), Err(Fault::Limit { found: 11, allowed: 10, .. })));
        assert!(budget.contents(u64::MAX).is_err());
    }
}
