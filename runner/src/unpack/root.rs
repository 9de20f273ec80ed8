//! The directory that packages are unpacked into, before and after: made if it is missing, refused if
//! it holds anything, taken away again if it was made in vain.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, fchmod};
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::error::UnpackError;

/// Permissions of directories while they are filled, and of those that no entry describes.
pub(crate) const OPEN: u32 = 0o755;

/// Permissions as the system calls take them.
pub(crate) const fn mode(bits: u32) -> Mode {
    Mode::from_bits_truncate(bits)
}

/// The directory that is to be filled.
#[derive(Debug)]
pub(crate) struct Root {
    path: PathBuf,
    /// A handle of it.
    pub(crate) handle: OwnedFd,
    /// It and what it lies in, as far as that was not there.
    made: Made,
}

impl Root {
    /// Opens `path`, which is made with all that it lies in, or must be empty.
    pub(crate) fn open(path: &Path) -> Result<Self, UnpackError> {
        let made = Made(missing(path));
        let failed = |source| UnpackError::Write { path: path.to_path_buf(), source };
        let opened = fs::create_dir_all(path).and_then(|()| Self::handle(path, &made));
        let handle = opened.map_err(failed)?;
        if fs::read_dir(path).map_err(failed)?.next().is_some() {
            return Err(UnpackError::Occupied { root: path.to_path_buf() });
        }
        Ok(Self { path: path.to_path_buf(), handle, made })
    }

    /// Its permissions do not depend on the umask, since others are to see what is in it.
    fn handle(path: &Path, made: &Made) -> io::Result<OwnedFd> {
        let handle = open(path, OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
        if !made.0.is_empty() {
            fchmod(&handle, mode(OPEN))?;
        }
        Ok(handle)
    }

    /// What a path below it is called in messages.
    pub(crate) fn at(&self, path: &[u8]) -> PathBuf {
        self.path.join(OsStr::from_bytes(path))
    }

    /// A result about a path below it.
    pub(crate) fn done<T>(&self, path: &[u8], result: nix::Result<T>) -> Result<T, UnpackError> {
        result.map_err(|error| UnpackError::Write { path: self.at(path), source: error.into() })
    }

    /// Removes an empty directory in it.
    pub(crate) fn remove(&self, name: &str) {
        let _ = unlinkat(&self.handle, name, UnlinkatFlags::RemoveDir);
    }

    /// It has been filled: it stays.
    pub(crate) fn keep(&mut self) {
        self.made.0.clear();
    }
}

/// Directories that were made, the outermost first, and that go again if they are empty.
#[derive(Debug)]
struct Made(Vec<PathBuf>);

impl Drop for Made {
    fn drop(&mut self) {
        for path in self.0.iter().rev() {
            let _ = fs::remove_dir(path);
        }
    }
}

/// The directories on the way to `path` that do not exist, the outermost first.
fn missing(path: &Path) -> Vec<PathBuf> {
    let there = |path: &&Path| !path.as_os_str().is_empty() && !path.exists();
    let mut missing: Vec<_> = path.ancestors().take_while(there).map(Path::to_path_buf).collect();
    missing.reverse();
    missing
}
