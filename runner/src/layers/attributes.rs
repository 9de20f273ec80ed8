//! What an entry has besides its contents: permissions, owner, time, extended attributes; and how they
//! are given to what is on disk.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{FchmodatFlags, Mode, UtimensatFlags, fchmod, fchmodat, futimens, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, Uid, fchown, fchownat, getegid, geteuid};
use rustix::fs::{XattrFlags, fsetxattr};

use crate::unpack::Fault;
use crate::unpack::attributes::{Kind, permissions};
use crate::unpack::root::{OPEN, mode};

use super::Handling;
use super::entry::Entry;
use super::pax::{Attribute, Time};

/// Of one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attributes {
    mode: u32,
    /// None where it belongs to whoever unpacks it.
    owner: Option<(u32, u32)>,
    modified: Time,
    extended: Vec<Attribute>,
}

impl Attributes {
    /// What is kept of an entry's: everything in image layers; in packages what `unpack` keeps of a
    /// zip's.
    pub(super) fn of(entry: &mut Entry, handling: Handling) -> Result<Self, Fault> {
        let kind =
            if entry.kind == super::header::Kind::Directory { Kind::Directory } else { Kind::File };
        let modified = entry.modified;
        if handling == Handling::Package {
            let mode = permissions(kind, entry.mode);
            return Ok(Self { mode, owner: None, modified, extended: Vec::new() });
        }
        let mut extended = std::mem::take(&mut entry.attributes);
        extended.retain(|(name, _)| name == b"security.capability" || name.starts_with(b"user."));
        let owner = Some(entry.owner.clone()?);
        Ok(Self { mode: entry.mode, owner, modified, extended })
    }

    /// Bytes of extended attributes.
    pub(super) fn bytes(&self) -> usize {
        self.extended.iter().map(|(name, value)| name.len() + value.len()).sum()
    }

    /// With what a file is made, before it has its owner.
    pub(super) fn first(&self) -> Mode {
        mode(self.mode & 0o777)
    }

    fn time(&self) -> TimeSpec {
        TimeSpec::new(self.modified.0, i64::from(self.modified.1))
    }
}

/// Who unpacks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hands {
    user: u32,
    group: u32,
    /// Whether the umask takes away permissions, so that they must be set again.
    masked: bool,
}

impl Hands {
    /// This process.
    pub(super) fn new(masked: bool) -> Self {
        Self { user: geteuid().as_raw(), group: getegid().as_raw(), masked }
    }

    /// A file that has its contents.
    pub(super) fn file(self, file: &File, attributes: &Attributes) -> nix::Result<()> {
        let kept = self.own(attributes, |user, group| fchown(file, user, group))?;
        if self.masked || kept & !0o777 != 0 {
            fchmod(file, mode(kept))?;
        }
        extend(file, &attributes.extended)?;
        let time = attributes.time();
        futimens(file, &time, &time)
    }

    /// A directory in which nothing changes any more, or a pipe.
    pub(super) fn directory(
        self,
        base: &OwnedFd,
        path: &[u8],
        attributes: &Attributes,
    ) -> nix::Result<()> {
        let kept = self.own(attributes, |user, group| {
            fchownat(base, path, user, group, AtFlags::AT_SYMLINK_NOFOLLOW)
        })?;
        if !attributes.extended.is_empty() {
            let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            extend(&openat(base, path, flags, Mode::empty())?, &attributes.extended)?;
        }
        fchmodat(base, path, mode(kept), FchmodatFlags::FollowSymlink)?;
        stamp(base, path, attributes)
    }

    /// A directory that is only a part of names: what others may do in it is not the umask's business.
    pub(super) fn nameless(self, base: &OwnedFd, path: &[u8]) -> nix::Result<()> {
        let open = FchmodatFlags::FollowSymlink;
        if self.masked { fchmodat(base, path, mode(OPEN), open) } else { Ok(()) }
    }

    /// A symbolic link, which has no permissions.
    pub(super) fn link(
        self,
        base: &OwnedFd,
        path: &[u8],
        attributes: &Attributes,
    ) -> nix::Result<()> {
        let no_follow = AtFlags::AT_SYMLINK_NOFOLLOW;
        self.own(attributes, |user, group| fchownat(base, path, user, group, no_follow))?;
        stamp(base, path, attributes)
    }

    /// Gives something its owner and returns its permissions: without those that lend the owner's
    /// rights, where the owner is not the one that was meant. Only root can give things away, and not
    /// to users that do not exist in its namespace.
    fn own(
        self,
        attributes: &Attributes,
        chown: impl Fn(Option<Uid>, Option<Gid>) -> nix::Result<()>,
    ) -> nix::Result<u32> {
        let lent = attributes.mode & 0o1777;
        match attributes.owner {
            None => Ok(attributes.mode),
            Some(owner) if owner == (self.user, self.group) => Ok(attributes.mode),
            Some(_) if self.user != 0 => Ok(lent),
            Some((user, group)) => match chown(Some(user.into()), Some(group.into())) {
                Ok(()) => Ok(attributes.mode),
                Err(Errno::EPERM | Errno::EINVAL) => Ok(lent),
                Err(error) => Err(error),
            },
        }
    }
}

fn stamp(base: &OwnedFd, path: &[u8], attributes: &Attributes) -> nix::Result<()> {
    let time = attributes.time();
    utimensat(base, path, &time, &time, UtimensatFlags::NoFollowSymlink)
}

/// Sets extended attributes as far as this process may and the file system can: on a `tmpfs`, for
/// example, an image runs without them.
fn extend(file: &impl AsFd, attributes: &[Attribute]) -> nix::Result<()> {
    use rustix::io::Errno as Refused;
    for (name, value) in attributes {
        match fsetxattr(file, name.as_slice(), value, XattrFlags::empty()) {
            Ok(()) | Err(Refused::NOTSUP | Refused::PERM | Refused::ACCESS | Refused::INVAL) => {}
            Err(error) => return Err(Errno::from_raw(error.raw_os_error())),
        }
    }
    Ok(())
}
