//! What the runner and the dispatcher share.
//!
//! Today that is the wrapper that keeps secrets out of logs. Jobs, attempts, outcomes and their
//! durable record belong here too; the crate knows no AWS API but object storage.

mod redacted;

pub use redacted::Redacted;
