//! What comes last: links and pipes, and then the attributes of directories, which nothing changes any
//! more. From the first link on, nothing is written through a path that has a link in it: the tree
//! knows what is a directory.

use nix::sys::stat::Mode;
use nix::unistd::{mkfifoat, symlinkat};

use crate::unpack::{Stats, UnpackError};

use super::contents::Contents;
use super::stage::Stage;
use super::tree::{ROOT, What};

/// Completes what all layers have become, but for the uppermost directories' attributes.
pub(super) fn finish(contents: &Contents, stage: &Stage) -> Result<Stats, UnpackError> {
    let Contents { tree, directory, .. } = contents;
    let mut stats = Stats { files: 0, directories: 0, links: 0, bytes: 0 };
    let all = tree.below(ROOT);
    for id in all.iter().copied().filter(|id| *id != ROOT) {
        let path = || tree.path(id);
        match tree.what(id) {
            What::File(size) => {
                stats.files += 1;
                stats.bytes += size;
            }
            What::Link(target, attributes) => {
                stats.links += 1;
                stage.done(&path(), symlinkat(&**target, directory, path().as_slice()))?;
                stage.done(&path(), stage.hands.link(directory, &path(), attributes))?;
            }
            What::Pipe(attributes) => {
                stage.done(&path(), mkfifoat(directory, path().as_slice(), Mode::S_IRWXU))?;
                stage.done(&path(), stage.hands.directory(directory, &path(), attributes))?;
            }
            What::Directory(_) => stats.directories += 1,
            What::Nothing | What::Lower(_) => {}
        }
    }
    for id in all.into_iter().rev().filter(|id| *id != ROOT && tree.parent(*id) != ROOT) {
        let path = tree.path(id);
        let done = match tree.what(id) {
            What::Directory(Some(attributes)) => {
                stage.hands.directory(directory, &path, attributes)
            }
            What::Directory(None) => stage.hands.nameless(directory, &path),
            _ => continue,
        };
        stage.done(&path, done)?;
    }
    Ok(stats)
}
