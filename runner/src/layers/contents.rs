//! What a layer, or several laid over each other, have become: a tree in memory, and its directories
//! and files below one directory handle.

use std::os::fd::OwnedFd;

use nix::unistd::{UnlinkatFlags, unlinkat};

use crate::unpack::UnpackError;
use crate::unpack::path::MemberPath;

use super::stage::Stage;
use super::tree::{Id, Tree};

/// What was in a layer.
#[derive(Debug)]
pub(super) struct Contents {
    /// What its caller calls it.
    pub(super) layer: String,
    /// Where it is on disk.
    pub(super) directory: OwnedFd,
    pub(super) tree: Tree,
    /// What is gone from lower layers.
    pub(super) whiteouts: Vec<MemberPath>,
    /// Directories that hold nothing of lower layers any more.
    pub(super) opaque: Vec<MemberPath>,
}

impl Contents {
    /// Nothing yet, in a fresh directory.
    pub(super) fn new(layer: String, directory: OwnedFd) -> Self {
        let (whiteouts, opaque) = (Vec::new(), Vec::new());
        Self { layer, directory, tree: Tree::new(), whiteouts, opaque }
    }

    /// Takes something away, with all that it holds.
    pub(super) fn remove(&mut self, id: Id, stage: &Stage) -> Result<(), UnpackError> {
        for gone in self.tree.below(id).into_iter().rev() {
            let what = self.tree.what(gone);
            let flag = if what.is_directory() {
                UnlinkatFlags::RemoveDir
            } else {
                UnlinkatFlags::NoRemoveDir
            };
            if what.on_disk() {
                let path = self.tree.path(gone);
                stage.done(&path, unlinkat(&self.directory, path.as_slice(), flag))?;
            }
        }
        self.tree.remove(id);
        Ok(())
    }
}
