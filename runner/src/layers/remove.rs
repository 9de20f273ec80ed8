//! Takes away what was unpacked in vain, and what is left over. No recursion, however deep a tree is.

use std::os::fd::OwnedFd;

use nix::dir::{Dir, Type};
use nix::errno::Errno;
use nix::fcntl::openat;
use nix::sys::stat::{FchmodatFlags, Mode, fchmodat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use crate::unpack::root::mode;

use super::stage::DIRECTORY;

/// Removes the directory `name` of `base` with all that is in it. What cannot be removed stays.
pub(super) fn remove_all(base: &OwnedFd, name: &str) {
    if let Ok(directory) = openat(base, name, DIRECTORY, Mode::empty()) {
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

/// Names of what is in a directory, and which ones are directories.
fn list(base: &OwnedFd, path: &[u8]) -> Vec<(Vec<u8>, bool)> {
    let directory = match Dir::openat(base, path, DIRECTORY, Mode::empty()) {
        Err(Errno::EACCES) => {
            let _ = fchmodat(base, path, mode(0o700), FchmodatFlags::FollowSymlink);
            Dir::openat(base, path, DIRECTORY, Mode::empty())
        }
        opened => opened,
    };
    let Ok(directory) = directory else { return Vec::new() };
    let entries = directory.into_iter().map_while(Result::ok);
    let names = entries.map(|entry| {
        let directory = entry.file_type() == Some(Type::Directory);
        (entry.file_name().to_bytes().to_vec(), directory)
    });
    names.filter(|(name, _)| !matches!(name.as_slice(), b"." | b"..")).collect()
}
