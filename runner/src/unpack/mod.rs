//! Zip packages → files below one directory. Everything that can be known from the central directory
//! is checked before the first write; everything else before anything is exposed; a package that is
//! refused leaves nothing behind. Where bytes come from is not known here.
//!
//! `name`, `path`, `attributes`, `extra`, `directory`, `local` and `plan` are pure; `write` and `extract`
//! act.

mod attributes;
mod bytes;
mod directory;
mod error;
mod extra;
mod extract;
mod limits;
mod local;
mod name;
mod path;
mod plan;
mod source;
mod write;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::thread::available_parallelism;

use bytes::index;
use directory::{END, Entry, Found, TAIL};
pub use error::{Fault, UnpackError};
pub use limits::Limits;
pub use source::{LocalFile, Source};
use write::Staging;

/// An archive to be unpacked.
#[derive(Clone, Copy)]
pub struct Archive<'a> {
    /// What messages call it.
    pub name: &'a str,
    /// Its bytes.
    pub source: &'a dyn Source,
}

impl std::fmt::Debug for Archive<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Archive").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Regular files.
    pub files: usize,
    /// Directories.
    pub directories: usize,
    /// Symbolic links.
    pub links: usize,
    /// Bytes of contents, also of what a later archive replaced.
    pub bytes: u64,
}

/// Unpacks archives into `root`, which is made, or must be empty: later ones over earlier ones, as
/// Lambda does with layers.
pub fn unpack(
    archives: &[Archive<'_>],
    root: &Path,
    limits: &Limits,
) -> Result<Stats, UnpackError> {
    let directories: Vec<Vec<Entry>> =
        archives.iter().map(|archive| archive.entries(limits)).collect::<Result<_, _>>()?;
    let plan = plan::plan(&directories, limits)
        .map_err(|(archive, refusal)| refusal.within(archives[archive].name))?;
    let staging = Staging::below(root)?;
    let workers = available_parallelism().map_or(1, usize::from);
    extract::extract(archives, &plan, &staging, workers)?;
    staging.expose()?;
    Ok(plan.stats())
}

/// Unpacks one zip file.
pub fn path(source: &Path, root: &Path, limits: &Limits) -> Result<Stats, UnpackError> {
    let name = source.display().to_string();
    let file = LocalFile::open(source)
        .map_err(|source| UnpackError::Open { archive: name.clone(), source })?;
    unpack(&[Archive { name: &name, source: &file }], root, limits)
}

impl Archive<'_> {
    /// The entries of the central directory, checked against each other.
    fn entries(&self, limits: &Limits) -> Result<Vec<Entry>, UnpackError> {
        let location = self.locate()?;
        let refuse = |fault| UnpackError::Archive { archive: self.name.to_owned(), fault };
        let (found, allowed) = (location.length, limits.directory_bytes);
        if found > allowed {
            return Err(refuse(Fault::Limit {
                what: "bytes of central directory",
                found,
                allowed,
            }));
        }
        let mut bytes = vec![0; index(location.length)];
        self.read(location.offset, &mut bytes)?;
        let mut entries = directory::parse(&bytes, location, limits)
            .map_err(|refusal| refusal.within(self.name))?;
        plan::check(&mut entries, location.offset).map_err(|refusal| refusal.within(self.name))?;
        Ok(entries)
    }

    fn locate(&self) -> Result<directory::Location, UnpackError> {
        let refuse = |fault| UnpackError::Archive { archive: self.name.to_owned(), fault };
        let length = self.source.len();
        if length < END {
            let found = format!("{length} bytes");
            return Err(refuse(Fault::Structure { expected: "a zip file", found }));
        }
        let mut tail = vec![0; index(length.min(TAIL))];
        self.read(length - tail.len() as u64, &mut tail)?;
        match directory::find(&tail, length).map_err(refuse)? {
            Found::Directory(location) => Ok(location),
            Found::Zip64(offset, narrow) => {
                let mut record = [0; 56];
                self.read(offset, &mut record)?;
                directory::zip64(&record, offset, narrow).map_err(refuse)
            }
        }
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), UnpackError> {
        let read = self.source.read_at(offset, buffer);
        read.map_err(|source| UnpackError::Read { archive: self.name.to_owned(), offset, source })
    }
}
