//! What users deploy: the templates are created for real, on moto, and what comes of them works.
#![expect(
    clippy::disallowed_methods,
    reason = "the bans are the programs': tests start them and read their own environment"
)]
#![expect(clippy::unwrap_used, reason = "a failed expectation is a panic here")]

mod batches;
mod calls;
mod counted;
mod created;
mod rights;
mod run;
mod stack;
mod workers;
