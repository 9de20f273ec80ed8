//! What can go wrong while a package is fetched, as facts. A URL is a secret and appears nowhere; hosts
//! are named.

use std::io;

use thiserror::Error;

use crate::causes::causes;

/// A package that could not be had.
#[derive(Debug, Error)]
#[error("{package} {}", causes(fault))]
pub struct FetchError {
    /// Which package, as its owner named it.
    pub package: String,
    /// Why, with all its causes in the message.
    pub fault: Fault,
}

impl FetchError {
    /// Whether trying again would give the same answer.
    pub const fn is_refusal(&self) -> bool {
        matches!(
            self.fault,
            Fault::Digest { .. }
                | Fault::Local(_)
                | Fault::Large { .. }
                | Fault::Plain { .. }
                | Fault::Host { .. }
        )
    }
}

/// Why a package could not be had.
#[derive(Debug, Error)]
pub enum Fault {
    /// No way through, time and again.
    #[error("could not be downloaded: {tries} tries without progress, the last one: {problem}")]
    Network {
        /// How many times.
        tries: u32,
        /// What went wrong the last time.
        problem: String,
    },
    /// The server said no.
    #[error("could not be downloaded: the server answered {status}")]
    Status {
        /// HTTP status.
        status: u16,
    },
    /// The server said no to a URL that was good for 10 minutes, and to the next one.
    #[error(
        "could not be downloaded: the server answered {status}, and the same to a fresh presigned URL; check that nothing between here and S3 (a VPC endpoint's policy, a proxy) refuses it"
    )]
    Denied {
        /// HTTP status.
        status: u16,
    },
    /// There was no fresh URL.
    #[error(
        "could not be downloaded: its presigned URL was refused, and there is no other: {problem}"
    )]
    Renewal {
        /// Why not.
        problem: String,
    },
    /// The bytes became others on the way.
    #[error("changed while it was downloaded: expected {expected}, found {found}; try again")]
    Changed {
        /// What it was at first.
        expected: String,
        /// What it was later.
        found: String,
    },
    /// The server points elsewhere.
    #[error(
        "could not be downloaded: the server answered {status} and points to another address; give that one"
    )]
    Redirect {
        /// HTTP status.
        status: u16,
    },
    /// The server's answer is not HTTP as RFC 9110 has it.
    #[error("could not be downloaded: expected {expected}, found {found}")]
    Answer {
        /// What belongs there.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// These are not the bytes that were deployed.
    #[error("is not what was deployed: expected CodeSha256 {expected}, found {found}")]
    Digest {
        /// In base64.
        expected: String,
        /// In base64.
        found: String,
    },
    /// It cannot fit whatever it holds.
    #[error("is too large: {found} bytes found, {allowed} allowed")]
    Large {
        /// Its length in bytes.
        found: u64,
        /// The most it may have.
        allowed: u64,
    },
    /// Its address would show it to everybody on the way.
    #[error(
        "is at `{host}` without TLS: expected an https address; only an endpoint of your own (AWS_ENDPOINT_URL) may do without"
    )]
    Plain {
        /// Where it would have come from.
        host: String,
    },
    /// Its address is not one where AWS keeps code.
    #[error(
        "is at `{host}`: expected a host of AWS; other ones are accepted with an endpoint of your own (AWS_ENDPOINT_URL)"
    )]
    Host {
        /// Where it would have come from.
        host: String,
    },
    /// A file of this machine could not be read.
    #[error("could not be read")]
    Local(#[source] io::Error),
    /// There is no room to keep it.
    #[error("could not be kept in a temporary file")]
    Spool(#[source] io::Error),
    /// TLS or name resolution could not be set up.
    #[error("could not be downloaded: no HTTP client: {problem}")]
    Client {
        /// Why not.
        problem: String,
    },
}
