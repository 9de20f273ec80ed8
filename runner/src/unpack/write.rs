//! Files below one directory handle. A staging directory takes everything and is exposed at the end
//! by renaming its children; dropped before that, nothing of it stays. Knows nothing of archives.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{Mode, UtimensatFlags, fchmodat, futimens, mkdirat, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::symlinkat;

use super::error::UnpackError;

/// A directory that is being filled.
#[derive(Debug)]
pub(super) struct Staging {
    root: PathBuf,
    /// Whether `root` was made for this.
    made: bool,
    path: PathBuf,
    handle: OwnedFd,
    exposed: bool,
}

fn writing(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> UnpackError {
    move |source| UnpackError::Write { path: path.into(), source }
}

impl Staging {
    /// Prepares to fill `root`, which must be empty or not exist.
    pub(super) fn below(root: &Path) -> Result<Self, UnpackError> {
        let made = !root.exists();
        fs::create_dir_all(root).map_err(writing(root))?;
        if fs::read_dir(root).map_err(writing(root))?.next().is_some() {
            return Err(UnpackError::Occupied { root: root.into() });
        }
        let fresh = tempfile::Builder::new().prefix(".unpacking-").tempdir_in(root);
        let path = fresh.map_err(writing(root))?.keep();
        let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let handle =
            open(&path, flags, Mode::empty()).map_err(|error| writing(&path)(error.into()))?;
        Ok(Self { root: root.into(), made, path, handle, exposed: false })
    }

    /// What a member's path is called in messages.
    fn at(&self, path: &[u8]) -> PathBuf {
        self.root.join(OsStr::from_bytes(path))
    }

    fn done<T>(&self, path: &[u8], result: nix::Result<T>) -> Result<T, UnpackError> {
        result.map_err(|error| writing(self.at(path))(error.into()))
    }

    /// Makes a directory that can be written until [`Staging::finish`] gives it its mode.
    pub(super) fn directory(&self, path: &[u8]) -> Result<(), UnpackError> {
        self.done(path, mkdirat(&self.handle, path, Mode::S_IRWXU))
    }

    /// Makes a file, which must not be there.
    pub(super) fn file(&self, path: &[u8], mode: u32) -> Result<File, UnpackError> {
        let flags =
            OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mode = Mode::from_bits_truncate(mode);
        self.done(path, openat(&self.handle, path, flags, mode)).map(File::from)
    }

    /// Makes a symbolic link.
    pub(super) fn link(
        &self,
        path: &[u8],
        target: &[u8],
        modified: i64,
    ) -> Result<(), UnpackError> {
        self.done(path, symlinkat(target, &self.handle, path))?;
        let time = TimeSpec::new(modified, 0);
        self.done(
            path,
            utimensat(&self.handle, path, &time, &time, UtimensatFlags::NoFollowSymlink),
        )
    }

    /// Gives a directory its mode and time, once everything is in it.
    pub(super) fn finish(
        &self,
        path: &[u8],
        mode: u32,
        modified: Option<i64>,
    ) -> Result<(), UnpackError> {
        let mode = Mode::from_bits_truncate(mode);
        self.done(
            path,
            fchmodat(&self.handle, path, mode, nix::sys::stat::FchmodatFlags::FollowSymlink),
        )?;
        let Some(modified) = modified else { return Ok(()) };
        let time = TimeSpec::new(modified, 0);
        self.done(
            path,
            utimensat(&self.handle, path, &time, &time, UtimensatFlags::NoFollowSymlink),
        )
    }

    /// An error about writing a member's contents.
    pub(super) fn failed(&self, path: &[u8], source: io::Error) -> UnpackError {
        writing(self.at(path))(source)
    }

    /// Moves everything to where it belongs.
    pub(super) fn expose(mut self) -> Result<(), UnpackError> {
        for child in fs::read_dir(&self.path).map_err(writing(&self.path))? {
            let child = child.map_err(writing(&self.path))?;
            let target = self.root.join(child.file_name());
            fs::rename(child.path(), &target).map_err(writing(target))?;
        }
        fs::remove_dir(&self.path).map_err(writing(&self.path))?;
        self.exposed = true;
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if self.exposed {
            return;
        }
        // The root was empty before: whatever is in it, is ours.
        for child in fs::read_dir(&self.root).into_iter().flatten().flatten() {
            let path = child.path();
            let directory = child.file_type().is_ok_and(|kind| kind.is_dir());
            let _ = if directory { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        }
        if self.made {
            let _ = fs::remove_dir(&self.root);
        }
    }
}

/// Gives a file its time of modification.
pub(super) fn stamp(file: &File, modified: i64) -> io::Result<()> {
    let time = TimeSpec::new(modified, 0);
    futimens(file.as_fd(), &time, &time).map_err(io::Error::from)
}
