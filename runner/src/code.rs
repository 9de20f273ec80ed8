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

#[cfg(test)]
mod tests {
    use super::*;

    /// Scripts rely on the table: it has a row for each code and no other.
    #[test]
    fn the_readme_tells_each_code() {
        let codes = [
            Code::Success,
            Code::FunctionFailed,
            Code::Usage,
            Code::Refused,
            Code::Unavailable,
            Code::Internal,
            Code::Undelivered,
            Code::Interrupted,
        ];
        let readme = include_str!("../../README.md");
        let table = readme.split("## Exit codes").nth(1).unwrap().split("\n## ").next().unwrap();
        let told: Vec<u8> = table
            .lines()
            .filter_map(|line| line.strip_prefix("| ")?.split(' ').next()?.parse().ok())
            .collect();
        assert_eq!(told, codes.map(|code| code as u8));
    }
}
