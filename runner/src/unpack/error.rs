//! What can go wrong while unpacking, as facts: which package, which entry, what was found, what is
//! allowed. Owns the wording; who is told and with which exit code is the caller's business.

use std::{io, path::PathBuf};

use thiserror::Error;

/// Unpacking ended without a result, and nothing was left behind.
#[derive(Debug, Error)]
pub enum UnpackError {
    /// A package as a whole breaks a rule.
    #[error("{archive}: {fault}")]
    Archive {
        /// The package, as its caller named it.
        archive: String,
        /// The rule and what was found.
        fault: Fault,
    },
    /// One entry of a package breaks a rule.
    #[error("{archive}: entry {entry}: {fault}")]
    Entry {
        /// The package, as its caller named it.
        archive: String,
        /// The entry's name, quoted and escaped.
        entry: String,
        /// The rule and what was found.
        fault: Fault,
    },
    /// There is no such package.
    #[error("{archive} cannot be opened")]
    Open {
        /// The package, as its caller named it.
        archive: String,
        /// Why.
        source: io::Error,
    },
    /// The bytes of a package could not be had.
    #[error("{archive}: cannot read at byte {offset}")]
    Read {
        /// The package, as its caller named it.
        archive: String,
        /// Where in the package.
        offset: u64,
        /// Why.
        source: io::Error,
    },
    /// The file system refused.
    #[error("cannot write {}", path.display())]
    Write {
        /// What was to be written, as the user will know it.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is something already.
    #[error("{} is not empty; packages are unpacked into a new or an empty directory", root.display())]
    Occupied {
        /// Where the package was to go.
        root: PathBuf,
    },
}

impl UnpackError {
    /// Whether the package (or the choice of directory) is at fault, so that trying again gives the
    /// same answer. Otherwise it is the disk or the source of the bytes.
    pub const fn is_refusal(&self) -> bool {
        match self {
            Self::Archive { .. }
            | Self::Entry { .. }
            | Self::Open { .. }
            | Self::Occupied { .. } => true,
            Self::Read { .. } | Self::Write { .. } => false,
        }
    }
}

/// The rule that was broken, what was found and what is allowed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Fault {
    /// The bytes are not laid out as a zip file (APPNOTE 4.3) or a tar file (pax(1), GNU tar).
    #[error("expected {expected}, found {found}")]
    Structure {
        /// What belongs there.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// A number is above what is allowed.
    #[error("{what}: {found} found, {allowed} allowed")]
    Limit {
        /// What is counted, with its unit.
        what: &'static str,
        /// How many there are.
        found: u64,
        /// How many there may be.
        allowed: u64,
    },
    /// The name cannot be a path below a directory.
    #[error("its name {rule}")]
    Name {
        /// What the name does.
        rule: &'static str,
    },
    /// A zip feature that is not for Lambda packages.
    #[error(
        "{what} is not supported; entries must be plain files, directories or symbolic links, stored or deflated, not encrypted"
    )]
    Unsupported {
        /// The feature.
        what: String,
    },
    /// Two entries with one path and different contents.
    #[error("it is in the package twice, with different contents")]
    Duplicate,
    /// One path as a file and as a directory.
    #[error("it is no directory, but {other} lies below it")]
    Conflict {
        /// The other entry.
        other: String,
    },
    /// Two entries share bytes.
    #[error("its bytes overlap {other}")]
    Overlap {
        /// What they overlap.
        other: String,
    },
    /// The local header contradicts the central directory.
    #[error(
        "its {field} is {local:#x} in the local header and {central:#x} in the central directory"
    )]
    Disagreement {
        /// The header's field.
        field: &'static str,
        /// Its value before the data.
        local: u64,
        /// Its value in the central directory.
        central: u64,
    },
    /// The contents are longer or shorter than declared.
    #[error("its contents have {found} bytes or more, {declared} declared")]
    Size {
        /// Bytes counted when it was noticed.
        found: u64,
        /// Bytes declared in the central directory.
        declared: u64,
    },
    /// The contents are not those that were packed.
    #[error("its CRC-32 is {found:08x}, {declared:08x} declared")]
    Checksum {
        /// Of the contents.
        found: u32,
        /// In the central directory.
        declared: u32,
    },
    /// The compressed data cannot be inflated.
    #[error("its compressed data {what}")]
    Data {
        /// What is wrong with them.
        what: &'static str,
    },
    /// The target of a link cannot be one.
    #[error("its link target {rule}")]
    Link {
        /// What the target does.
        rule: &'static str,
    },
    /// A kind of tar entry that has no place in a package or an image.
    #[error("it is {what}; entries must be plain files, directories, symbolic links or hard links")]
    Foreign {
        /// What it is.
        what: String,
    },
    /// A layer is not the one that its image names.
    #[error("its contents have the SHA-256 {found}, {declared} declared")]
    Digest {
        /// Of the unpacked tar.
        found: String,
        /// In the image's configuration.
        declared: String,
    },
}

/// A fault and the entry that it is about, where there is one: what the pure parts return, which do
/// not know what the package is called.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The entry's name, quoted and escaped.
    pub(crate) entry: Option<String>,
    /// What is wrong.
    pub(crate) fault: Fault,
}

impl Refusal {
    /// About the entry called `name`.
    pub(crate) fn of(name: &[u8], fault: Fault) -> Self {
        Self { entry: Some(quoted(name)), fault }
    }

    /// The error, now that the package's name is known.
    pub(crate) fn within(self, archive: &str) -> UnpackError {
        let archive = archive.to_owned();
        match self.entry {
            Some(entry) => UnpackError::Entry { archive, entry, fault: self.fault },
            None => UnpackError::Archive { archive, fault: self.fault },
        }
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self { entry: None, fault }
    }
}

/// A name from a package, fit for a message: one line, no control characters, not endless.
pub(crate) fn quoted(name: &[u8]) -> String {
    const LONGEST: usize = 200;
    let text = String::from_utf8_lossy(name);
    let start: String = text.chars().take(LONGEST).collect();
    let more = if start.len() < text.len() { "…" } else { "" };
    format!("{start:?}{more}")
}

#[cfg(test)]
mod tests {
    use super::{Fault, Refusal, quoted};

    #[test]
    fn a_name_cannot_forge_a_line_or_flood_the_log() {
        assert_eq!(quoted(b"a\nEND RequestId\x1b[0m"), r#""a\nEND RequestId\u{1b}[0m""#);
        assert_eq!(quoted(&[b'x'; 9000]).chars().count(), 203);
    }

    #[test]
    fn the_message_names_package_entry_found_and_allowed() {
        let fault = Fault::Limit { what: "bytes in the name", found: 300, allowed: 255 };
        let error = Refusal::of(b"a/b", fault).within("layer x");
        assert_eq!(
            error.to_string(),
            r#"layer x: entry "a/b": bytes in the name: 300 found, 255 allowed"#
        );
        assert!(error.is_refusal());
    }
}
