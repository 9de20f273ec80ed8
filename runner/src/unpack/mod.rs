//! Zip packages → files below one directory. Everything that can be known from the central directories
//! is checked before the first write; everything else before anything is exposed; a package that is
//! refused leaves nothing behind. Where bytes come from is not known here.
//!
//! Data pass through `catalog` (bytes → entries: `end`, `directory` with `extra`, `name`, `path`,
//! `attributes`), `plan` (entries → one `tree` and the order of work), `extract` (workers: `queue`,
//! `reader`, `local`, `content`) and `write` (below `root`). All are pure but `catalog`, `extract` with
//! `queue` and `reader`, and `write` with `root`.

pub(crate) mod attributes;
mod bytes;
mod catalog;
mod content;
mod directory;
mod end;
pub(crate) mod error;
mod extra;
mod extract;
mod limits;
mod local;
mod name;
pub(crate) mod path;
mod plan;
mod queue;
mod reader;
pub(crate) mod root;
mod source;
mod tree;
mod write;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod zip;

use std::fmt;
use std::path::Path;
use std::thread::available_parallelism;

pub use error::{Fault, UnpackError};
pub use limits::Limits;
use plan::{Catalog, Plan};
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

impl fmt::Debug for Archive<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Archive").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Archive<'_> {
    /// Fills `buffer` from `offset` on, waiting for the bytes if need be.
    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), UnpackError> {
        let read = self.source.read_at(offset, buffer);
        read.map_err(|source| UnpackError::Read { archive: self.name.to_owned(), offset, source })
    }
}

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Regular files.
    pub files: usize,
    /// Directories.
    pub directories: usize,
    /// Symbolic links.
    pub links: usize,
    /// Bytes of contents.
    pub bytes: u64,
}

/// Unpacks archives into `root`, which is made, or must be empty: later ones over earlier ones, as
/// Lambda does with layers. Blocks; as many threads work as there are processors.
pub fn unpack(
    archives: &[Archive<'_>],
    root: &Path,
    limits: &Limits,
) -> Result<Stats, UnpackError> {
    let catalogs = archives.iter().map(|archive| Catalog::read(archive, limits));
    let catalogs = catalogs.collect::<Result<Vec<_>, _>>()?;
    let plan = Plan::new(&catalogs, limits);
    let plan = plan.map_err(|(archive, refusal)| refusal.within(archives[archive].name))?;
    let staging = Staging::new(root, &plan)?;
    let workers = available_parallelism().map_or(1, usize::from);
    let links = extract::extract(archives, &catalogs, &staging, workers)?;
    staging.finish(&links)?;
    staging.expose()?;
    Ok(plan.stats())
}

/// Unpacks one zip file.
pub fn path(source: &Path, root: &Path, limits: &Limits) -> Result<Stats, UnpackError> {
    let name = source.display().to_string();
    let file = LocalFile::open(source);
    let file = file.map_err(|source| UnpackError::Open { archive: name.clone(), source })?;
    unpack(&[Archive { name: &name, source: &file }], root, limits)
}
