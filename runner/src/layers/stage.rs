//! Where layers are unpacked before anything is exposed: a fresh directory in the root, with one
//! directory for each layer. Dropped before everything is exposed, it takes back all that was made.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::fcntl::{OFlag, openat, renameat};
use nix::sys::stat::{Mode, fchmod, fstat, mkdirat};

use crate::unpack::UnpackError;
use crate::unpack::root::{OPEN, Root, mode};

use super::attributes::Hands;
use super::contents::Contents;
use super::remove::remove_all;
use super::tree::{Id, ROOT, What};

/// How directories are opened: never through a link.
pub(super) const DIRECTORY: OFlag =
    OFlag::O_DIRECTORY.union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

/// A root that is being filled.
#[derive(Debug)]
pub(super) struct Stage {
    root: Root,
    /// Its name in the root.
    name: String,
    handle: OwnedFd,
    layers: usize,
    /// How attributes are set.
    pub(super) hands: Hands,
    stopped: AtomicBool,
}

impl Stage {
    /// Prepares to fill `root`, which must be empty or not exist.
    pub(super) fn new(root: &Path, layers: usize) -> Result<Self, UnpackError> {
        let root = Root::open(root)?;
        let name = format!(".unpacking-{:016x}", RandomState::new().build_hasher().finish());
        let handle = directory(&root, &root.handle, &name)?;
        let hands = Hands::new(false);
        let mut stage = Self { root, name, handle, layers, hands, stopped: AtomicBool::new(false) };
        stage.hands = Hands::new(stage.unmask()?);
        Ok(stage)
    }

    /// A fresh directory for a layer.
    pub(super) fn layer(&self, index: usize) -> Result<OwnedFd, UnpackError> {
        directory(&self.root, &self.handle, &index.to_string())
    }

    /// A result about a path below the root.
    pub(super) fn done<T>(&self, path: &[u8], result: nix::Result<T>) -> Result<T, UnpackError> {
        self.root.done(path, result)
    }

    /// An error about writing the contents of a path below the root.
    pub(super) fn failed(&self, path: &[u8], source: std::io::Error) -> UnpackError {
        UnpackError::Write { path: self.root.at(path), source }
    }

    /// Ends all work.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Whether there is no point in going on.
    pub(super) fn stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Moves everything into the root; nothing stays there if that fails.
    pub(super) fn expose(mut self, contents: &Contents) -> Result<(), UnpackError> {
        let tree = &contents.tree;
        let seen = |id: &Id| !matches!(tree.what(*id), What::Nothing);
        let children: Vec<Id> = tree.children(ROOT).into_iter().filter(seen).collect();
        let exposed = self.rise(contents, &children);
        if exposed.is_err() {
            for id in children {
                remove_all(&self.root.handle, tree.name(id));
            }
            return exposed;
        }
        self.root.keep();
        Ok(())
    }

    /// The uppermost directories get their attributes only after they have been moved: one that its
    /// owner may not write to could not be. The root gets its own when nothing changes in it any more.
    fn rise(&self, contents: &Contents, children: &[Id]) -> Result<(), UnpackError> {
        for id in children {
            let name = contents.tree.name(*id);
            let moved = renameat(&contents.directory, name, &self.root.handle, name);
            self.root.done(name, moved)?;
        }
        children.iter().try_for_each(|id| self.describe(contents, *id))?;
        self.clear();
        self.describe(contents, ROOT)
    }

    fn describe(&self, contents: &Contents, id: Id) -> Result<(), UnpackError> {
        let path = contents.tree.path(id);
        let done = match contents.tree.what(id) {
            What::Directory(Some(attributes)) => {
                self.hands.directory(&self.root.handle, &path, attributes)
            }
            What::Directory(None) if id != ROOT => self.hands.nameless(&self.root.handle, &path),
            _ => return Ok(()),
        };
        self.root.done(&path, done)
    }

    fn clear(&self) {
        for layer in 0..self.layers {
            remove_all(&self.handle, layer.to_string().as_str());
        }
        self.root.remove(&self.name);
    }

    /// Finds out whether the umask interferes, and takes away what the directory has got from the
    /// root's set-group-id bit, which everything below it would get as well.
    fn unmask(&self) -> Result<bool, UnpackError> {
        let name = self.name.as_bytes();
        let found = self.root.done(name, fstat(&self.handle))?.st_mode & 0o7777;
        if found != OPEN {
            self.root.done(name, fchmod(&self.handle, mode(OPEN)))?;
        }
        Ok(found & 0o777 != OPEN)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.clear();
    }
}

fn directory(root: &Root, base: &OwnedFd, name: &str) -> Result<OwnedFd, UnpackError> {
    root.done(name.as_bytes(), mkdirat(base, name, mode(OPEN)))?;
    let opened = openat(base, name, DIRECTORY, Mode::empty());
    root.done(name.as_bytes(), opened.inspect_err(|_| remove_all(base, name)))
}
