//! What an image's root directory needs beside its files: devices, name resolution, a place for
//! temporary files. Nothing can be mounted on Fargate, so nothing is mounted anywhere.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use nix::sys::stat::{Mode, SFlag, makedev, mknod};

use super::error::Fault;

/// Character devices that programs expect: name, major, minor (Linux, admin-guide/devices.txt).
const DEVICES: [(&str, u64, u64); 6] = [
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
];
/// Where the container's own files say how names are resolved.
const RESOLUTION: [&str; 2] = ["etc/resolv.conf", "etc/hosts"];

/// Makes the unpacked image at `root` fit to live in. Every path is looked up without following
/// links of the image's: what is in the way is replaced.
pub fn furnish(root: &Path) -> Result<(), Fault> {
    let failed = |error: io::Error| Fault::Machine {
        what: "preparing the image's root directory",
        problem: error.to_string(),
    };
    temporary(root).map_err(failed)?;
    directory(root, "dev", 0o755).map_err(failed)?;
    devices(&root.join("dev")).map_err(failed)?;
    directory(root, "etc", 0o755).map_err(failed)?;
    RESOLUTION.iter().try_for_each(|name| copy(root, name)).map_err(failed)
}

/// Makes a place for temporary files.
pub fn temporary(root: &Path) -> io::Result<()> {
    directory(root, "tmp", 0o1777)
}

/// A directory that is one, and no link to one.
fn directory(root: &Path, name: &str, mode: u32) -> io::Result<()> {
    let path = root.join(name);
    match fs::symlink_metadata(&path) {
        Ok(found) if found.is_dir() => {}
        Ok(_) => fs::remove_file(&path)?,
        Err(_) => {}
    }
    fs::create_dir_all(&path)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(mode))
}

fn devices(directory: &Path) -> io::Result<()> {
    for (name, major, minor) in DEVICES {
        let path = directory.join(name);
        let _ = fs::remove_file(&path);
        mknod(&path, SFlag::S_IFCHR, Mode::from_bits_truncate(0o666), makedev(major, minor))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666))?;
    }
    for (name, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ] {
        let _ = fs::remove_file(directory.join(name));
        std::os::unix::fs::symlink(target, directory.join(name))?;
    }
    Ok(())
}

/// The container's own file in place of the image's, where there is one.
fn copy(root: &Path, name: &str) -> io::Result<()> {
    let Ok(bytes) = fs::read(Path::new("/").join(name)) else { return Ok(()) };
    let path = root.join(name);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => fs::write(path, bytes),
    }
}
