//! Where the function's files go: `/var/task` and `/opt` in an image, a fresh directory elsewhere.
//! What is in them is not known here.

use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use thiserror::Error;

use crate::boot::{OPT, TASK};
use crate::process::User;

/// Lambda's `sbx_user1051`, as recorded on AWS.
pub const SANDBOX: User = User { uid: 993, gid: 990 };
/// Root directory of a container image.
const ROOT: &str = "/var/lib/immortal/root";
/// Present once we have filled an image's directories: a restarted container finds its own files.
const MARK: &str = "/var/lib/immortal/filled";

/// A place for one function.
#[derive(Debug)]
pub enum Place {
    /// The directories that the function knows by name.
    Image,
    /// Stand-ins for them, which vanish with this value.
    Fresh(TempDir),
}

/// A place that cannot be used.
#[derive(Debug, Error)]
pub enum PlaceError {
    /// It could not be made or cleared.
    #[error("{path} could not be made or cleared", path = path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody else's files are there.
    #[error("expected {path} to be empty in this image, found `{found}`: the function's own files go there", path = path.display())]
    Occupied {
        /// Where.
        path: PathBuf,
        /// The first of them.
        found: String,
    },
}

impl Place {
    /// In an image `/var/task` exists and we are root; anywhere else we stay out of the way.
    pub fn choose() -> Result<Self, PlaceError> {
        if nix::unistd::geteuid().is_root() && Path::new(TASK).is_dir() {
            return Ok(Self::Image);
        }
        let made = tempfile::Builder::new().prefix("immortal-").tempdir();
        made.map(Self::Fresh)
            .map_err(|source| PlaceError::Io { path: std::env::temp_dir(), source })
    }

    /// Where the function's code goes.
    pub fn task(&self) -> PathBuf {
        match self {
            Self::Image => TASK.into(),
            Self::Fresh(directory) => directory.path().join("task"),
        }
    }

    /// Where its layers go.
    pub fn opt(&self) -> PathBuf {
        match self {
            Self::Image => OPT.into(),
            Self::Fresh(directory) => directory.path().join("opt"),
        }
    }

    /// Where the files of a container image go, its root directory.
    pub fn root(&self) -> PathBuf {
        match self {
            Self::Image => ROOT.into(),
            Self::Fresh(directory) => directory.path().join("root"),
        }
    }

    /// Removes a root directory that was left by a restarted container.
    pub fn clear_root(&self) -> Result<(), PlaceError> {
        let path = self.root();
        match std::fs::remove_dir_all(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(PlaceError::Io { path, source })
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Who the function runs as, where that is not who we are.
    pub fn user(&self) -> Option<User> {
        match self {
            Self::Image => Some(SANDBOX),
            Self::Fresh(_) => None,
        }
    }

    /// Is this an image?
    pub fn is_image(&self) -> bool {
        matches!(self, Self::Image)
    }

    /// Makes sure that the directories exist and hold nothing.
    pub fn clear(&self) -> Result<(), PlaceError> {
        let ours = !self.is_image() || Path::new(MARK).exists();
        for path in [self.task(), self.opt()] {
            clear(&path, ours).map_err(|source| PlaceError::Io { path: path.clone(), source })?;
            if let Some(found) = first(&path) {
                return Err(PlaceError::Occupied { path, found });
            }
        }
        if self.is_image() {
            mark().map_err(|source| PlaceError::Io { path: MARK.into(), source })
        } else {
            Ok(())
        }
    }
}

/// By which extensions name the address of their telemetry listeners (developer guide, "Using the
/// Lambda Telemetry API").
const SANDBOX_NAME: &str = "127.0.0.1 sandbox.localdomain sandbox\n";

/// Makes the name known in an image, where it is not yet. That it cannot be is no reason not to run:
/// most listeners take any name.
pub fn name_sandbox(hosts: &Path) {
    let known = std::fs::read_to_string(hosts).unwrap_or_default();
    if known.contains("sandbox.localdomain") {
        return;
    }
    let end = if known.is_empty() || known.ends_with('\n') { "" } else { "\n" };
    let _ = std::fs::write(hosts, format!("{known}{end}{SANDBOX_NAME}"));
}

fn clear(path: &Path, ours: bool) -> io::Result<()> {
    std::fs::create_dir_all(path)?;
    if !ours {
        return Ok(());
    }
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(entry.path())?;
        } else {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn first(path: &Path) -> Option<String> {
    let entry = std::fs::read_dir(path).ok()?.next()?.ok()?;
    Some(entry.file_name().to_string_lossy().into_owned())
}

fn mark() -> io::Result<()> {
    Path::new(MARK).parent().map_or(Ok(()), std::fs::create_dir_all)?;
    std::fs::write(MARK, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_place_is_cleared_and_vanishes() {
        let place = Place::Fresh(tempfile::tempdir().unwrap());
        std::fs::create_dir_all(place.task().join("old/deep")).unwrap();
        std::fs::write(place.opt().with_file_name("other"), "").unwrap();
        place.clear().unwrap();
        assert!(first(&place.task()).is_none() && place.opt().is_dir());
        let task = place.task();
        drop(place);
        assert!(!task.exists());
    }

    #[test]
    fn the_name_of_listeners_is_added_once() {
        let hosts = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(hosts.path(), "127.0.0.1 localhost").unwrap();
        name_sandbox(hosts.path());
        name_sandbox(hosts.path());
        let text = std::fs::read_to_string(hosts.path()).unwrap();
        assert_eq!(text, format!("127.0.0.1 localhost\n{SANDBOX_NAME}"));
    }
}
