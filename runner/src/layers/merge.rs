//! Layers over each other: what an upper one hides or takes away is removed, what it brings is renamed
//! into the lowest one's directory. A directory that only one layer has moves as a whole.

use nix::fcntl::{AtFlags, renameat};
use nix::unistd::linkat;

use crate::unpack::error::Refusal;
use crate::unpack::{Fault, UnpackError};

use super::contents::Contents;
use super::stage::Stage;
use super::tree::{Id, ROOT, What};

/// Lays a layer over `lower`, which all layers below it have become.
pub(super) fn lay(
    lower: &mut Contents,
    mut upper: Contents,
    stage: &Stage,
) -> Result<(), UnpackError> {
    hard_links(lower, &mut upper, stage)?;
    for path in std::mem::take(&mut upper.whiteouts) {
        if let Some(gone) = lower.tree.find(path.as_bytes()).filter(|gone| *gone != ROOT) {
            lower.remove(gone, stage)?;
        }
    }
    for path in std::mem::take(&mut upper.opaque) {
        let children = lower.tree.find(path.as_bytes()).map(|at| lower.tree.children(at));
        children.into_iter().flatten().try_for_each(|gone| lower.remove(gone, stage))?;
    }
    directories(lower, &mut upper, stage)
}

/// Finds what the upper layer's hard links mean, before any of it is taken away.
fn hard_links(lower: &Contents, upper: &mut Contents, stage: &Stage) -> Result<(), UnpackError> {
    for id in upper.tree.below(ROOT) {
        let What::Lower(target) = upper.tree.what(id) else { continue };
        let path = upper.tree.path(id);
        let refused = |rule| Refusal::of(&path, Fault::Link { rule }).within(&upper.layer);
        let what = match lower.tree.find(target.as_bytes()).map(|found| lower.tree.what(found)) {
            None => return Err(refused("is not there, or lies behind a symbolic link")),
            Some(What::Directory(_)) => return Err(refused("is a directory")),
            Some(What::File(size)) => {
                let (from, to) = (&lower.directory, &upper.directory);
                let flags = AtFlags::empty();
                let linked = linkat(from, target.as_bytes(), to, path.as_slice(), flags);
                stage.done(&path, linked)?;
                What::File(*size)
            }
            Some(other) => other.clone(),
        };
        *upper.tree.what_mut(id) = what;
    }
    Ok(())
}

/// Goes through the directories that both have.
fn directories(
    lower: &mut Contents,
    upper: &mut Contents,
    stage: &Stage,
) -> Result<(), UnpackError> {
    let mut both = vec![(ROOT, ROOT)];
    while let Some((below, above)) = both.pop() {
        if let What::Directory(Some(attributes)) = upper.tree.what(above) {
            *lower.tree.what_mut(below) = What::Directory(Some(attributes.clone()));
        }
        for child in upper.tree.children(above) {
            match lower.tree.child(below, upper.tree.name(child)) {
                Some(same) if is_directory(lower, same) && is_directory(upper, child) => {
                    both.push((same, child));
                }
                hidden => {
                    hidden.map_or(Ok(()), |hidden| lower.remove(hidden, stage))?;
                    transfer(lower, below, upper, child, stage)?;
                }
            }
        }
    }
    Ok(())
}

/// Moves something that only the upper layer has, with all that it holds.
fn transfer(
    lower: &mut Contents,
    below: Id,
    upper: &mut Contents,
    id: Id,
    stage: &Stage,
) -> Result<(), UnpackError> {
    if upper.tree.what(id).on_disk() {
        let path = upper.tree.path(id);
        let (from, to) = (&upper.directory, &lower.directory);
        stage.done(&path, renameat(from, path.as_slice(), to, path.as_slice()))?;
    }
    lower.tree.graft(below, &mut upper.tree, id);
    Ok(())
}

fn is_directory(contents: &Contents, id: Id) -> bool {
    contents.tree.what(id).is_directory()
}
