//! Where the function's files go: `/var/task` and `/opt` in an image, a fresh directory elsewhere.
//! What is in them is not known here.

use std::fs::DirEntry;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use thiserror::Error;

use crate::boot::{OPT, TASK};
use crate::process::{User, remove_ipc};

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
        if is_image() {
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

/// What functions may write to beside `/tmp` in the images that this runs in.
const SHARED: [&str; 5] = ["/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/run/lock"];
/// Where the kernel tells of System V shared memory, queues and semaphores.
const IPC: &str = "/proc/sysvipc";
/// Where files of functions wait that are not at their place, in an image. Nobody else may look in.
const KEPT: &str = "/var/lib/immortal/kept";

impl Place {
    /// Takes a function's files from where it knows them, to be put back later. What it has left elsewhere is removed.
    pub fn stow(self) -> Result<TempDir, PlaceError> {
        let Self::Fresh(directory) = self else {
            let kept = kept().map_err(|source| PlaceError::Io { path: KEPT.into(), source })?;
            let waiting = [kept.path().join("task"), kept.path().join("opt")];
            shift(&[self.task(), self.opt()], &waiting)?;
            self.tidy()?;
            return Ok(kept);
        };
        Ok(directory)
    }

    /// Puts a function's files back to where it knows them.
    pub fn back(kept: TempDir) -> Result<Self, PlaceError> {
        let place = Self::choose()?;
        if place.is_image() {
            place.clear()?;
            let waiting = [kept.path().join("task"), kept.path().join("opt")];
            shift(&waiting, &[place.task(), place.opt()])?;
            return Ok(place);
        }
        Ok(Self::Fresh(kept))
    }

    /// Removes what a function has left in an image, wherever it may write. Elsewhere those places are everybody's.
    pub fn tidy(&self) -> Result<(), PlaceError> {
        if !self.is_image() {
            return Ok(());
        }
        self.clear_root()?;
        for path in SHARED.map(Path::new) {
            sweep(path, SANDBOX.uid)
                .map_err(|source| PlaceError::Io { path: path.into(), source })?;
        }
        // What has no path.
        remove_ipc(SANDBOX.uid).map_err(|source| PlaceError::Io { path: IPC.into(), source })
    }
}

/// A directory in which one function's files wait.
fn kept() -> io::Result<TempDir> {
    std::fs::create_dir_all(KEPT)?;
    let kept = tempfile::tempdir_in(KEPT)?;
    std::fs::create_dir(kept.path().join("task"))?;
    std::fs::create_dir(kept.path().join("opt"))?;
    Ok(kept)
}

/// Moves all that is in these directories into those, by name alone: they are on one disk.
fn shift(from: &[PathBuf; 2], to: &[PathBuf; 2]) -> Result<(), PlaceError> {
    for (from, to) in from.iter().zip(to) {
        let moved = std::fs::read_dir(from).and_then(|entries| {
            entries.into_iter().try_for_each(|entry| {
                let entry = entry?;
                std::fs::rename(entry.path(), to.join(entry.file_name()))
            })
        });
        moved.map_err(|source| PlaceError::Io { path: from.clone(), source })?;
    }
    Ok(())
}

/// Removes what belongs to this user.
fn sweep(path: &Path, user: u32) -> io::Result<()> {
    let entries = match std::fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.metadata()?.uid() == user {
            remove(&entry)?;
        }
    }
    Ok(())
}

/// In an image `/var/task` exists and we are root.
pub fn is_image() -> bool {
    nix::unistd::geteuid().is_root() && Path::new(TASK).is_dir()
}

/// Lets go of files that were taken away by an earlier life of this container.
pub fn forget() {
    if is_image() {
        let _ = std::fs::remove_dir_all(KEPT);
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
    std::fs::read_dir(path)?.try_for_each(|entry| remove(&entry?))
}

fn remove(entry: &DirEntry) -> io::Result<()> {
    if entry.file_type()?.is_dir() {
        std::fs::remove_dir_all(entry.path())
    } else {
        std::fs::remove_file(entry.path())
    }
}

fn first(path: &Path) -> Option<String> {
    let entry = std::fs::read_dir(path).ok()?.next()?.ok()?;
    Some(entry.file_name().to_string_lossy().into_owned())
}

/// Where the image is read-only, what is filled is mounted, and a restarted container is not taken for a fresh one.
fn mark() -> io::Result<()> {
    let made = Path::new(MARK).parent().map_or(Ok(()), std::fs::create_dir_all);
    match made.and_then(|()| std::fs::write(MARK, "")) {
        Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => Ok(()),
        other => other,
    }
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
    fn files_are_taken_away_and_put_back() {
        let place = Place::Fresh(tempfile::tempdir().unwrap());
        place.clear().unwrap();
        let file = place.task().join("app.py");
        std::fs::write(&file, "x").unwrap();
        let again = Place::back(place.stow().unwrap()).unwrap();
        assert_eq!(std::fs::read_to_string(again.task().join("app.py")).unwrap(), "x");
    }

    #[test]
    fn all_that_is_in_a_directory_is_moved() {
        let home = tempfile::tempdir().unwrap();
        let [one, two, three, four] = ["a", "b", "c", "d"].map(|name| home.path().join(name));
        for path in [&one, &two, &three, &four] {
            std::fs::create_dir(path).unwrap();
        }
        std::fs::create_dir(one.join("deep")).unwrap();
        std::fs::write(two.join("file"), "x").unwrap();
        shift(&[one.clone(), two.clone()], &[three.clone(), four.clone()]).unwrap();
        assert!(three.join("deep").is_dir() && four.join("file").is_file());
        assert!(first(&one).is_none() && first(&two).is_none());
    }

    #[test]
    fn only_what_belongs_to_the_user_is_removed() {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("deep")).unwrap();
        std::fs::write(home.path().join("deep/file"), "x").unwrap();
        let own = nix::unistd::geteuid().as_raw();
        sweep(home.path(), own + 1).unwrap();
        assert!(home.path().join("deep/file").exists());
        sweep(home.path(), own).unwrap();
        assert!(first(home.path()).is_none());
        sweep(&home.path().join("nothing"), own).unwrap();
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
