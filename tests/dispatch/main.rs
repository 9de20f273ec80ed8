//! From a failed invocation in a queue to its outcome, with the real dispatcher and the real runner.
#![expect(
    clippy::disallowed_methods,
    reason = "the bans are the programs': tests start them and read their own environment"
)]
#![expect(clippy::unwrap_used, reason = "a failed expectation is a panic here")]

mod arrive;
mod containers;
mod people;
mod watch;
mod world;
