//! Lambda's interfaces on the host, check by check, over real sockets. What Lambda answers is data beside each probe;
//! the same probes against AWS's emulator make docs/conformance.md.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a panic here")]
#![expect(
    clippy::disallowed_methods,
    reason = "the bans are the runner's: tests wait for what they started"
)]

mod answers;
mod cast;
mod check;
mod extensions;
mod failures;
mod report;
mod states;
mod streams;
mod transport;

/// Every check, in the order of the report.
const ALL: &[(&str, &[check::Check])] = &[
    ("Transport and next", transport::CHECKS),
    ("Answers", answers::CHECKS),
    ("Streams, causes, invocation ids", streams::CHECKS),
    ("Failures", failures::CHECKS),
    ("Extensions", extensions::CHECKS),
    ("Each call in each state of the runtime", states::CHECKS),
];
