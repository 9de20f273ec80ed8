//! The dispatcher's exit codes: a contract with scripts and supervisors.

use std::process::ExitCode;

use strum::{EnumMessage, VariantArray};

/// How the program ends. The comments are what users are told (docs/reference.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumMessage, VariantArray)]
#[repr(u8)]
pub enum Code {
    /// It was done; `explain`: the message would run; `submit --wait`: the function succeeded; `doctor`: all is well.
    Success = 0,
    /// `explain`: the message would not run; `submit --wait`: the function failed; `doctor`: something is to be mended.
    Not = 1,
    /// Bad usage or configuration.
    Usage = 64,
    /// It could not be done: AWS, the ledger or the launcher refused or cannot be reached.
    Failed = 69,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}
