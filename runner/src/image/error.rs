//! What can go wrong while an image is pulled, as facts. Credentials and addresses of blobs appear
//! nowhere.

use thiserror::Error;

use super::manifest::DocumentError;
use crate::causes::causes;
use crate::fetch::FetchError;
use crate::unpack::UnpackError;

/// An image that could not be had.
#[derive(Debug, Error)]
#[error("image {image}: {}", causes(fault))]
pub struct ImageError {
    /// Which image.
    pub image: String,
    /// Why, with all its causes in the message.
    pub fault: Fault,
}

/// Why an image could not be had.
#[derive(Debug, Error)]
pub enum Fault {
    /// No way through.
    #[error("the registry could not be reached: {problem}")]
    Network {
        /// What went wrong.
        problem: String,
    },
    /// The registry said no.
    #[error("the registry answered {status} when asked for the {what}")]
    Status {
        /// What it was asked for.
        what: &'static str,
        /// HTTP status.
        status: u16,
    },
    /// The registry wants to know who asks, or who asked may not.
    #[error("the registry refused access: {problem}")]
    Access {
        /// What is missing, and what to do.
        problem: String,
    },
    /// A document cannot be used.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// A document is not the one that was asked for.
    #[error("its {what} has the digest sha256:{found}, expected {expected}")]
    Digest {
        /// Which document.
        what: &'static str,
        /// What was asked for.
        expected: String,
        /// What came, in hexadecimal digits.
        found: String,
    },
    /// Root cannot be changed here.
    #[error(
        "container image functions are run with chroot, which needs root; run as root, or in an image"
    )]
    NotRoot,
    /// It says nothing of what to start.
    #[error(
        "expected an ENTRYPOINT or CMD in the image or in the function's ImageConfig, found neither"
    )]
    NoProgram,
    /// A layer could not be had.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// A layer was refused.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    /// The machine did not let us.
    #[error("{what} failed: {problem}")]
    Machine {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        problem: String,
    },
}

impl Fault {
    /// Whether trying again would give the same answer.
    pub const fn is_refusal(&self) -> bool {
        match self {
            Self::Document(_) | Self::Digest { .. } | Self::NoProgram => true,
            Self::Fetch(error) => error.is_refusal(),
            Self::Unpack(error) => error.is_refusal(),
            _ => false,
        }
    }
}
