//! The ledger's failpoints, where a step is no call of the ledger.

pub(crate) use ledger::failpoint::passed as failpoint;
