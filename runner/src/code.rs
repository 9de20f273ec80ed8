//! The runner's exit codes: a contract with task definitions, schedulers and scripts.

use std::process::ExitCode;

/// How the program ends (README, "Exit codes").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Code {
    /// The function succeeded and its outcome was delivered.
    Success = 0,
    /// The function failed (error, crash, deadline) and that outcome was delivered.
    FunctionFailed = 1,
    /// Bad settings or usage.
    Usage = 64,
    /// Job or package unreadable or refused.
    Refused = 65,
    /// AWS refused or unreachable.
    Unavailable = 69,
    /// A defect of ours, or of the machine we run on.
    Internal = 70,
    /// The outcome could not be delivered: try again.
    Undelivered = 75,
    /// Interrupted by SIGTERM or SIGINT.
    Interrupted = 143,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}
