//! The promises, one suite each.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a panic here")]
#![expect(
    clippy::disallowed_methods,
    reason = "the bans are the runner's: tests wait for what they started"
)]

mod addresses;
mod architectures;
mod archives;
mod clients;
mod container;
mod control_plane;
mod credentials;
mod destinations;
mod environment;
mod events;
mod example;
mod fetch;
mod function_errors;
mod guide;
mod hostile;
mod hygiene;
mod images;
mod invoke;
mod jobs;
mod languages;
mod ledger;
mod packers;
mod process;
mod runtime_api;
mod runtimes;
mod secrets;
mod serve;
mod settings;
mod steps;
mod unpack;
mod watch;
mod work;
