//! Deliberate defects, by which the chaos suite shows that its invariants can fail. Without the feature `mutants` there
//! are none, and nothing of this is compiled in.

/// Is this the defect that was asked for (`IMMORTAL_MUTANT`)?
#[cfg(feature = "mutants")]
#[expect(clippy::disallowed_methods, reason = "never shipped")]
pub fn mutant(name: &str) -> bool {
    std::env::var("IMMORTAL_MUTANT").is_ok_and(|asked| asked == name)
}

/// There are none.
#[cfg(not(feature = "mutants"))]
pub const fn mutant(_name: &str) -> bool {
    false
}
