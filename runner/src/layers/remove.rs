//! Takes away what was unpacked in vain, and what is left over. No recursion, however deep a tree is.

use std::os::fd::OwnedFd;

use nix::NixPath;
use nix::dir::{Dir, Type};
use nix::errno::Errno;
use nix::fcntl::openat;
use nix::sys::stat::{FchmodatFlags, Mode, fchmodat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use crate::unpack::root::mode;

use super::stage::DIRECTORY;

/// Removes what is called `name` in `base`, with all that is in it. What cannot be removed stays.
pub(super) fn remove_all<P: NixPath + ?Sized>(base: &OwnedFd, name: &P) {
    if unlinkat(base, name, UnlinkatFlags::NoRemoveDir).is_ok() {
        return;
    }
    if let Ok(directory) = open(base, name) {
        empty(&directory);
    }
    let _ = unlinkat(base, name, UnlinkatFlags::RemoveDir);
}

/// Paths start from `base`, so that none is longer than those that were made there.
fn empty(base: &OwnedFd) {
    let mut open = vec![(b".".to_vec(), false)];
    while let Some((path, emptied)) = open.pop() {
        if emptied {
            let _ = unlinkat(base, path.as_slice(), UnlinkatFlags::RemoveDir);
            continue;
        }
        let names = list(base, &path);
        open.push((path, true));
        let at = open.len() - 1;
        for (name, directory) in names {
            let path = if at == 0 { name } else { [&open[at].0[..], b"/", &name].concat() };
            let unlink = || unlinkat(base, path.as_slice(), UnlinkatFlags::NoRemoveDir);
            // Not every file system says in its lists what is a directory.
            if directory || unlink() == Err(Errno::EISDIR) {
                open.push((path, false));
            }
        }
    }
}

/// Opens a directory, even one that its own permissions close.
fn open<P: NixPath + ?Sized>(base: &OwnedFd, path: &P) -> nix::Result<OwnedFd> {
    let opened = openat(base, path, DIRECTORY, Mode::empty());
    if !matches!(opened, Err(Errno::EACCES)) {
        return opened;
    }
    fchmodat(base, path, mode(0o700), FchmodatFlags::FollowSymlink)?;
    openat(base, path, DIRECTORY, Mode::empty())
}

/// Names of what is in a directory, and which ones are directories.
fn list(base: &OwnedFd, path: &[u8]) -> Vec<(Vec<u8>, bool)> {
    let directory = open(base, path).and_then(Dir::from_fd);
    let Ok(directory) = directory else { return Vec::new() };
    let entries = directory.into_iter().map_while(Result::ok);
    let names = entries.map(|entry| {
        let directory = entry.file_type() == Some(Type::Directory);
        (entry.file_name().to_bytes().to_vec(), directory)
    });
    names.filter(|(name, _)| !matches!(name.as_slice(), b"." | b"..")).collect()
}
