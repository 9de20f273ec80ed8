//! The runner's exit codes: a contract with task definitions, schedulers and scripts.

use std::process::ExitCode;

use strum::{EnumMessage, VariantArray};

/// How the program ends. The comments are what users are told (docs/reference.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumMessage, VariantArray)]
#[repr(u8)]
pub enum Code {
    /// The function succeeded and its outcome was delivered, or nothing was to be done (a duplicate).
    Success = 0,
    /// The function failed (error, crash, deadline) and that outcome was delivered.
    FunctionFailed = 1,
    /// Bad settings or usage.
    Usage = 64,
    /// Job or package unreadable or refused.
    Refused = 65,
    /// AWS refused or unreachable.
    Unavailable = 69,
    /// A defect of ours, or of the machine.
    Internal = 70,
    /// The outcome could not be delivered: try again (the job stays unfinished in its ledger).
    Undelivered = 75,
    /// Interrupted (SIGTERM, SIGINT): handed back to the ledger for another attempt.
    Interrupted = 143,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scripts rely on the table: it has a row for each code and no other.
    #[test]
    fn the_readme_tells_each_code() {
        let readme = include_str!("../../README.md");
        let table = readme.split("## Exit codes").nth(1).unwrap().split("\n## ").next().unwrap();
        let told: Vec<u8> = table
            .lines()
            .filter_map(|line| line.strip_prefix("| ")?.split(' ').next()?.parse().ok())
            .collect();
        let codes: Vec<u8> = Code::VARIANTS.iter().map(|code| *code as u8).collect();
        assert_eq!(told, codes);
    }
}
