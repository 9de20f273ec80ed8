//! Tars and layers of container images → files below one directory, by the rules of the OCI image
//! specification 1.1. Nothing is exposed unless everything is right; what is refused leaves nothing
//! behind. Where bytes come from, and whether packed ones are the right ones, is not known here.
//!
//! Data pass through `inflate` and `pipe` (packed bytes → tar), `archive` (`header`, `pax`, `sparse`,
//! `entry`: tar → entries), `layer` (entries → `contents`: a `tree` in memory, files on disk;
//! `name`, `file`, `link`, `attributes`), `merge` (layers
//! over each other) and `finish`. `lanes` runs layers side by side; `stage` is where everything lies
//! until it is exposed; `budget` is what may still be used. Pure: `header`, `pax`, `sparse`, `entry`,
//! `name`, `tree`.
//!
//! The reader of tars is our own: it refuses what `astral-tokio-tar` passes over (records that
//! contradict each other, contents behind links), bounds what it holds in memory, and never waits.

mod archive;
mod attributes;
mod budget;
mod contents;
mod entry;
mod file;
mod finish;
mod header;
mod inflate;
mod lanes;
mod layer;
mod link;
mod merge;
mod name;
mod package;
mod pax;
mod pipe;
mod remove;
mod sparse;
mod stage;
mod tree;

#[cfg(test)]
mod tar;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, Read};
use std::path::Path;

use crate::unpack::{Limits, Stats, UnpackError};

use budget::Budget;
pub use inflate::Compression;
pub use package::file;
use stage::Stage;

/// A layer of an image.
pub struct Layer {
    /// What messages call it.
    pub name: String,
    /// How it is packed.
    pub compression: Compression,
    /// SHA-256 of its tar, as the image's configuration has it.
    pub diff_id: Option<[u8; 32]>,
    /// Its packed bytes. All of them are read; an error at their end refuses the layer.
    pub bytes: Box<dyn Read + Send>,
}

impl fmt::Debug for Layer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Layer").field("name", &self.name).finish_non_exhaustive()
    }
}

/// How entries are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Handling {
    /// As a package of code: everything belongs to whoever unpacks it, everybody can read it, and
    /// there are only files, directories and links.
    Package,
    /// As a layer of an image: with owners, all permissions and attributes; without devices.
    Image,
}

/// Unpacks layers into `root`, which is made, or must be empty; the lowest layer first. Blocks; layers
/// are read, inflated and written side by side.
pub fn apply(layers: Vec<Layer>, root: &Path, limits: &Limits) -> Result<Stats, UnpackError> {
    unpack(layers, root, limits, Handling::Image)
}

fn unpack(
    mut layers: Vec<Layer>,
    root: &Path,
    limits: &Limits,
    handling: Handling,
) -> Result<Stats, UnpackError> {
    if layers.is_empty() {
        layers.push(nothing());
    }
    let stage = Stage::new(root, layers.len())?;
    let budget = Budget::new(limits);
    let mut contents = lanes::run(layers, &stage, &budget, handling)?.into_iter();
    let Some(mut all) = contents.next() else { return Ok(Stats::default()) };
    contents.try_for_each(|upper| merge::lay(&mut all, upper, &stage))?;
    let stats = finish::finish(&all, &stage)?;
    stage.expose(&all)?;
    Ok(stats)
}

/// A layer without entries, for an image without layers.
fn nothing() -> Layer {
    let bytes = Box::new(io::repeat(0).take(1024));
    Layer { name: "nothing".to_owned(), compression: Compression::None, diff_id: None, bytes }
}
