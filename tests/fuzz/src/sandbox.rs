//! A directory with canaries in it, beside the one that is unpacked into. Everything that is found
//! afterwards must be explained: by the statistics of a success, or not be there after a refusal.

use std::fs::{self, Metadata, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::unpack::{Limits, Stats, UnpackError};

/// Where one process of the fuzzer unpacks, again and again.
#[derive(Debug)]
pub struct Sandbox {
    directory: PathBuf,
    before: Vec<Seen>,
}

/// What shows that a file was touched: path, contents or target, mode, inode, times.
type Seen = (PathBuf, Vec<u8>, u32, u64, [i64; 4]);

impl Sandbox {
    /// Below the directory for temporary files, which should be in memory.
    #[expect(clippy::new_without_default, reason = "it makes files")]
    pub fn new() -> Self {
        let directory = std::env::temp_dir().join(format!("fuzz-{}", std::process::id()));
        fs::create_dir_all(directory.join("kept")).unwrap();
        fs::write(directory.join("canary"), "sings").unwrap();
        fs::write(directory.join("kept/canary"), "sings").unwrap();
        symlink("canary", directory.join("link")).unwrap();
        let before = canaries(&directory);
        Self { directory, before }
    }

    /// The directory to unpack into; it is not there yet.
    pub fn root(&self) -> PathBuf {
        self.directory.join("root")
    }

    /// Nothing but the root has changed, and that is as `result` says. It is gone afterwards.
    pub fn check(&self, result: &Result<Stats, UnpackError>, limits: &Limits) {
        if let Ok(stats) = result {
            assert_eq!(*stats, count(&self.root()));
        }
        self.check_image(result, limits);
    }

    /// The same for an image, whose files may have any mode and several names.
    pub fn check_image(&self, result: &Result<Stats, UnpackError>, limits: &Limits) {
        let root = self.root();
        match result {
            Ok(stats) => {
                assert!(stats.bytes <= limits.unpacked_bytes);
                clear(&root);
            }
            Err(error) => {
                assert!(error.is_refusal(), "{error:?} is no fault of the archive");
                assert!(!root.exists(), "{error} left something behind");
            }
        }
        assert_eq!(canaries(&self.directory), self.before);
    }
}

fn canaries(directory: &Path) -> Vec<Seen> {
    let mut seen = Vec::new();
    for directory in [directory.to_path_buf(), directory.join("kept")] {
        for (path, metadata) in children(&directory) {
            let contents = if metadata.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
            // A directory's own times change when the root comes and goes.
            let times =
                [metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec()];
            seen.push((path, contents, metadata.mode(), metadata.ino(), times));
        }
    }
    seen.sort();
    seen
}

/// What is in a directory, without following links.
fn children(directory: &Path) -> Vec<(PathBuf, Metadata)> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (path.clone(), fs::symlink_metadata(path).unwrap())).collect()
}

/// What was unpacked, counted by looking.
fn count(root: &Path) -> Stats {
    let mut stats = Stats { files: 0, directories: 0, links: 0, bytes: 0 };
    let mut open = vec![root.to_path_buf()];
    while let Some(directory) = open.pop() {
        for (path, metadata) in children(&directory) {
            let bits = metadata.mode() & 0o7777;
            if metadata.is_dir() {
                stats.directories += 1;
                assert!(matches!(bits, 0o755 | 0o555), "{bits:o} of {}", path.display());
                open.push(path);
            } else if metadata.is_symlink() {
                stats.links += 1;
                stats.bytes += metadata.len();
            } else {
                stats.files += 1;
                stats.bytes += metadata.len();
                assert!(metadata.is_file() && metadata.nlink() == 1);
                assert!(
                    matches!(bits, 0o755 | 0o644 | 0o555 | 0o444),
                    "{bits:o} of {}",
                    path.display()
                );
            }
        }
    }
    stats
}

fn clear(root: &Path) {
    let mut open = vec![root.to_path_buf()];
    while let Some(directory) = open.pop() {
        fs::set_permissions(&directory, Permissions::from_mode(0o755)).unwrap();
        open.extend(
            children(&directory)
                .into_iter()
                .filter(|(_, kind)| kind.is_dir())
                .map(|(path, _)| path),
        );
    }
    fs::remove_dir_all(root).unwrap();
}
