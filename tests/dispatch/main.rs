//! From a failed invocation in a queue to its outcome, with the real dispatcher and the real runner.
#![expect(
    clippy::disallowed_methods,
    reason = "the bans are the programs': tests start them and read their own environment"
)]
#![expect(clippy::print_stderr, reason = "the figures are for people")]
#![expect(clippy::unwrap_used, reason = "a failed expectation is a panic here")]

mod arrive;
mod attach;
mod batch;
mod carried;
mod chaos;
mod cluster;
mod containers;
mod definitions;
mod doctor;
mod people;
mod points;
mod quota;
mod runners;
mod stops;
mod undelivered;
mod watch;
mod worker;
mod world;
