//! Lambda's interfaces on the host, check by check, over real sockets. What Lambda answers is data beside each probe;
//! the same probes against AWS's emulator make docs/conformance.md.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a panic here")]

mod answers;
mod cast;
mod check;
mod environment;
mod extensions;
mod failures;
mod report;
mod states;
mod streams;
mod telemetry;
mod transport;

/// Every check, in the order of the report.
const ALL: &[(&str, &[check::Check])] = &[
    ("Transport and next", transport::CHECKS),
    ("Answers", answers::CHECKS),
    ("Streams, causes, invocation ids", streams::CHECKS),
    ("Failures", failures::CHECKS),
    ("Extensions", extensions::CHECKS),
    ("Telemetry and logs", telemetry::CHECKS),
    ("Surroundings, and calls at the same time", environment::CHECKS),
    ("Each call in each state of the runtime", states::CHECKS),
];
