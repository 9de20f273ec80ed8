//! Files below one directory handle. A fresh staging directory takes everything; its children are
//! renamed into the root at the end. Dropped before that, it takes back all that it made. Knows nothing
//! of archives.
//!
//! All paths are relative to the staging directory's handle and hold no link, because links come last
//! and names have been checked: nothing outside can be reached.

use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, renameat};
use nix::sys::stat::{
    FchmodatFlags, Mode, UtimensatFlags, fchmod, fchmodat, fstat, futimens, mkdirat, utimensat,
};
use nix::sys::time::TimeSpec;
use nix::unistd::{UnlinkatFlags, symlinkat, unlinkat};

use super::attributes::Kind;
use super::directory::Entry;
use super::error::UnpackError;
use super::extract::Link;
use super::path::split;
use super::plan::Plan;
use super::root::{OPEN, Root, mode};
use super::tree::Node;

const DIRECTORY: OFlag = OFlag::O_DIRECTORY.union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);
const FRESH: OFlag = OFlag::O_WRONLY
    .union(OFlag::O_CREAT)
    .union(OFlag::O_EXCL)
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_CLOEXEC);

/// A plan that is being carried out.
#[derive(Debug)]
pub(super) struct Staging<'a> {
    plan: &'a Plan<'a>,
    root: Root,
    /// Its name in the root.
    name: String,
    handle: OwnedFd,
    /// For each node whether it is a directory that has been made.
    made: Vec<AtomicBool>,
    /// Whether the umask takes away permissions, so that they must be set again.
    masked: bool,
    /// Whether it has begun to move to where it belongs.
    exposed: bool,
    kept: bool,
}

impl<'a> Staging<'a> {
    /// Prepares to fill `root`, which must be empty or not exist.
    pub(super) fn new(root: &Path, plan: &'a Plan<'a>) -> Result<Self, UnpackError> {
        let root = Root::open(root)?;
        let name = format!(".unpacking-{:016x}", RandomState::new().build_hasher().finish());
        let made = mkdirat(&root.handle, name.as_str(), mode(OPEN));
        root.done(name.as_bytes(), made)?;
        let handle = openat(&root.handle, name.as_str(), DIRECTORY, Mode::empty());
        let handle = handle.inspect_err(|_| root.remove(&name));
        let handle = root.done(name.as_bytes(), handle)?;
        let made = plan.nodes.iter().map(|_| AtomicBool::new(false)).collect();
        let mut staging =
            Self { plan, root, name, handle, made, masked: false, exposed: false, kept: false };
        staging.masked = staging.unmask()?;
        Ok(staging)
    }

    /// What is being carried out.
    pub(super) const fn plan(&self) -> &'a Plan<'a> {
        self.plan
    }

    /// Index of the directory in which a node lies; none for the staging directory.
    pub(super) fn parent(&self, node: usize) -> Option<usize> {
        self.plan.nodes[node].parent
    }

    /// Makes a directory and those that it lies in, unless somebody has.
    pub(super) fn directory(&self, node: usize) -> Result<(), UnpackError> {
        let mut missing = Vec::new();
        let mut next = Some(node);
        while let Some(at) = next.filter(|at| !self.made[*at].load(Ordering::Acquire)) {
            missing.push(at);
            next = self.parent(at);
        }
        missing.into_iter().rev().try_for_each(|at| self.make(at))
    }

    fn make(&self, node: usize) -> Result<(), UnpackError> {
        let path = self.plan.nodes[node].path;
        match mkdirat(&self.handle, path, mode(OPEN)) {
            // Two workers may come for it at the same time.
            Ok(()) | Err(Errno::EEXIST) => self.made[node].store(true, Ordering::Release),
            Err(error) => return self.root.done(path, Err(error)),
        }
        Ok(())
    }

    /// A handle for making files in a directory, which is made if need be.
    pub(super) fn open(&self, node: Option<usize>) -> Result<OwnedFd, UnpackError> {
        let path = match node {
            Some(node) => {
                self.directory(node)?;
                self.plan.nodes[node].path
            }
            None => b".",
        };
        self.root.done(path, openat(&self.handle, path, DIRECTORY | OFlag::O_PATH, Mode::empty()))
    }

    /// Makes an entry's file, which must not be there, in the directory that it lies in.
    pub(super) fn file(&self, directory: &OwnedFd, entry: &Entry) -> Result<File, UnpackError> {
        let path = entry.path.as_bytes();
        let (_, name) = split(path);
        self.root.done(path, openat(directory, name, FRESH, mode(entry.mode))).map(File::from)
    }

    /// Gives a file that has its contents what else it needs.
    pub(super) fn finish_file(&self, file: &File, entry: &Entry) -> Result<(), UnpackError> {
        let finish = || {
            if self.masked {
                fchmod(file.as_fd(), mode(entry.mode))?;
            }
            let time = TimeSpec::new(entry.modified, 0);
            futimens(file.as_fd(), &time, &time)
        };
        self.root.done(entry.path.as_bytes(), finish())
    }

    /// An error about writing the contents of `path`.
    pub(super) fn failed(&self, path: &[u8], source: io::Error) -> UnpackError {
        UnpackError::Write { path: self.root.at(path), source }
    }

    /// Makes the links, and then gives directories their times, which nothing changes any more.
    pub(super) fn finish(&self, links: &[Link]) -> Result<(), UnpackError> {
        for (node, target) in links {
            self.link(&self.plan.nodes[*node], target)?;
        }
        for node in self.plan.nodes.iter().rev().filter(|node| node.kind == Kind::Directory) {
            if let Some(entry) = node.entry {
                self.stamp(node.path, entry.modified)?;
            }
            // A directory that its owner may not write to could not be renamed.
            if node.parent.is_some() {
                self.root.done(node.path, self.permit(&self.handle, node))?;
            }
        }
        Ok(())
    }

    fn link(&self, node: &Node<'_>, target: &[u8]) -> Result<(), UnpackError> {
        if let Some(parent) = node.parent {
            self.directory(parent)?;
        }
        self.root.done(node.path, symlinkat(target, &self.handle, node.path))?;
        node.entry.map_or(Ok(()), |entry| self.stamp(node.path, entry.modified))
    }

    fn stamp(&self, path: &[u8], modified: i64) -> Result<(), UnpackError> {
        let time = TimeSpec::new(modified, 0);
        let no_follow = UtimensatFlags::NoFollowSymlink;
        self.root.done(path, utimensat(&self.handle, path, &time, &time, no_follow))
    }

    /// Gives a directory below `base` its permissions.
    fn permit(&self, base: &OwnedFd, node: &Node<'_>) -> nix::Result<()> {
        let wanted = node.entry.map_or(OPEN, |entry| entry.mode);
        if wanted == OPEN && !self.masked {
            return Ok(());
        }
        fchmodat(base, node.path, mode(wanted), FchmodatFlags::FollowSymlink)
    }

    /// Moves everything to where it belongs. The root may be a mount point or come from a lower layer
    /// of an overlay, so it is its children that are renamed.
    pub(super) fn expose(&mut self) -> Result<(), UnpackError> {
        self.exposed = true;
        for node in self.top_level() {
            let moved = renameat(&self.handle, node.path, &self.root.handle, node.path);
            let permitted = match (moved, node.kind) {
                (Ok(()), Kind::Directory) => self.permit(&self.root.handle, node),
                (moved, _) => moved,
            };
            self.root.done(node.path, permitted)?;
        }
        Ok(())
    }

    /// What has been exposed stays.
    pub(super) fn keep(mut self) {
        self.kept = true;
        self.root.keep();
        self.root.remove(&self.name);
    }

    /// Renames back what has been exposed.
    fn take_back(&self) {
        for node in self.top_level() {
            if node.kind == Kind::Directory {
                let open = FchmodatFlags::FollowSymlink;
                let _ = fchmodat(&self.root.handle, node.path, mode(OPEN), open);
            }
            let _ = renameat(&self.root.handle, node.path, &self.handle, node.path);
        }
    }

    fn top_level(&self) -> impl Iterator<Item = &'a Node<'a>> + use<'a> {
        self.plan.nodes.iter().filter(|node| node.parent.is_none())
    }

    /// Finds out whether the umask interferes, and takes away what the staging directory has got from
    /// the root's set-group-id bit, which everything below it would get as well.
    fn unmask(&self) -> Result<bool, UnpackError> {
        let name = self.name.as_bytes();
        let found = self.root.done(name, fstat(&self.handle))?.st_mode & 0o7777;
        if found != OPEN {
            self.root.done(name, fchmod(&self.handle, mode(OPEN)))?;
        }
        Ok(found & 0o777 != OPEN)
    }

    /// Removes all that the plan may have made so far. No recursion: the plan knows every path.
    fn remove_all(&self) {
        let made =
            |node: Option<usize>| node.is_none_or(|at| self.made[at].load(Ordering::Acquire));
        let nodes = || self.plan.nodes.iter().enumerate();
        let closed = |node: &Node<'_>| node.entry.is_some_and(|entry| entry.mode & 0o200 == 0);
        for (at, node) in nodes().filter(|(_, node)| node.kind == Kind::Directory && closed(node)) {
            if made(Some(at)) {
                let open = FchmodatFlags::FollowSymlink;
                let _ = fchmodat(&self.handle, node.path, mode(OPEN), open);
            }
        }
        for (at, node) in nodes().rev() {
            let flag = match node.kind {
                Kind::Directory if made(Some(at)) => UnlinkatFlags::RemoveDir,
                Kind::File | Kind::Link if made(node.parent) => UnlinkatFlags::NoRemoveDir,
                Kind::Directory | Kind::File | Kind::Link => continue,
            };
            let _ = unlinkat(&self.handle, node.path, flag);
        }
    }
}

impl Drop for Staging<'_> {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        if self.exposed {
            self.take_back();
        }
        self.remove_all();
        self.root.remove(&self.name);
    }
}
