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
pub(crate) mod zip;

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
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
        self.had(offset, self.source.read_at(offset, buffer))
    }

    /// The same for what has to be known before anything else is read.
    fn read_early(&self, offset: u64, buffer: &mut [u8]) -> Result<(), UnpackError> {
        self.had(offset, self.source.read_early(offset, buffer))
    }

    fn had(&self, offset: u64, read: std::io::Result<()>) -> Result<(), UnpackError> {
        read.map_err(|source| UnpackError::Read { archive: self.name.to_owned(), offset, source })
    }
}

/// A directory to be filled, and the archives that fill it: later ones over earlier ones, as Lambda
/// does with layers.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// It is made, or must be empty.
    pub root: &'a Path,
    /// Lowest first.
    pub archives: &'a [Archive<'a>],
}

/// What one archive came to, where no later one covers it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Regular files.
    pub files: usize,
    /// Directories; those that are only parts of names count with the last archive.
    pub directories: usize,
    /// Symbolic links.
    pub links: usize,
    /// Bytes of contents.
    pub bytes: u64,
}

/// How far unpacking has come, for those who look on.
#[derive(Debug, Default)]
pub struct Progress {
    /// Files to be written; 0 until all directories have been read.
    pub expected: AtomicUsize,
    /// Files written.
    pub files: AtomicUsize,
}

/// Unpacks archives into directories: all or none, whichever fails. Together they may use what
/// `limits` allows. Blocks; as many threads work as there are processors. Returns what each archive
/// came to, in the order of the targets.
pub fn unpack(
    targets: &[Target<'_>],
    limits: &Limits,
    progress: &Progress,
) -> Result<Vec<Stats>, UnpackError> {
    let archives: Vec<_> = targets.iter().flat_map(|target| target.archives).copied().collect();
    let unpacked = all(targets, &archives, limits, progress);
    if unpacked.is_err() {
        for archive in &archives {
            archive.source.abort();
        }
    }
    unpacked
}

fn all(
    targets: &[Target<'_>],
    archives: &[Archive<'_>],
    limits: &Limits,
    progress: &Progress,
) -> Result<Vec<Stats>, UnpackError> {
    let catalogs = archives.iter().map(|archive| Catalog::read(archive, limits));
    let catalogs = catalogs.collect::<Result<Vec<_>, _>>()?;
    plan::sums(&catalogs, limits).map_err(|(at, refusal)| refusal.within(archives[at].name))?;
    let plans = plans(targets, &catalogs, limits)?;
    let files = plans.iter().flat_map(Plan::stats).map(|stats| stats.files).sum();
    progress.expected.store(files, Ordering::Relaxed);
    let mut stagings = targets
        .iter()
        .zip(&plans)
        .map(|(target, plan)| Staging::new(target.root, plan))
        .collect::<Result<Vec<_>, _>>()?;
    let workers = available_parallelism().map_or(1, usize::from);
    extract::extract(targets, &stagings, workers, progress)?;
    for archive in archives {
        archive.had(archive.source.len(), archive.source.finish())?;
    }
    stagings.iter_mut().try_for_each(Staging::expose)?;
    stagings.into_iter().for_each(Staging::keep);
    Ok(plans.iter().flat_map(Plan::stats).collect())
}

/// One plan for each target.
fn plans<'a>(
    targets: &[Target<'_>],
    mut catalogs: &'a [Catalog],
    limits: &Limits,
) -> Result<Vec<Plan<'a>>, UnpackError> {
    let plan = |target: &Target<'_>| {
        let (own, rest) = catalogs.split_at(target.archives.len());
        catalogs = rest;
        let name = |at: usize| target.archives[at].name;
        Plan::new(own, limits).map_err(|(at, refusal)| refusal.within(name(at)))
    };
    targets.iter().map(plan).collect()
}

/// Unpacks one archive.
pub fn one(archive: Archive<'_>, root: &Path, limits: &Limits) -> Result<Stats, UnpackError> {
    let target = Target { root, archives: &[archive] };
    let stats = unpack(&[target], limits, &Progress::default())?;
    Ok(stats.into_iter().next().unwrap_or_default())
}
