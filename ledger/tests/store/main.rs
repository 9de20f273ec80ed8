//! The ledger on a directory, in memory, and on S3.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a panic here")]

mod contest;
mod directory;
mod faulty;
mod golden;
mod interleavings;
mod proxy;
mod s3;
mod scenes;
