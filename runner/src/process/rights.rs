//! What PID 1 may still do once everything is in place: start processes as another user, and end them. Of root's other
//! rights nothing is left to whoever might take it over. Source: capabilities(7), capset(2).

use nix::errno::Errno;
use nix::libc;

const CHOWN: u32 = 1;
/// Writing in directories of other users.
const DAC_OVERRIDE: u32 = 1 << 1;
const FOWNER: u32 = 1 << 3;
const FSETID: u32 = 1 << 4;
const KILL: u32 = 1 << 5;
const SETGID: u32 = 1 << 6;
const SETUID: u32 = 1 << 7;
const SYS_CHROOT: u32 = 1 << 18;
const MKNOD: u32 = 1 << 27;
const SETFCAP: u32 = 1 << 31;
/// `_LINUX_CAPABILITY_VERSION_3`
const VERSION: u32 = 0x2008_0522;

/// What is still to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rights {
    /// Starting programs in a root directory of their own.
    pub roots: bool,
    /// Writing to a ledger in a directory, which may be anybody's.
    pub files: bool,
    /// Putting files of other functions in place, and removing what they leave.
    pub places: bool,
}

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Set {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

impl Rights {
    fn mask(self) -> u32 {
        let roots = if self.roots { SYS_CHROOT } else { 0 };
        let files = if self.files { DAC_OVERRIDE } else { 0 };
        let owners = CHOWN | DAC_OVERRIDE | FOWNER | FSETID | MKNOD | SETFCAP;
        let places = if self.places { owners } else { 0 };
        KILL | SETGID | SETUID | roots | files | places
    }

    /// Gives up all rights but these. Those that this thread does not have it does not get.
    pub(super) fn keep(self) -> nix::Result<()> {
        let mut header = Header { version: VERSION, pid: 0 };
        // The rights above 31 are in the second of them: none of those is kept.
        let mut sets = [Set::default(); 2];
        // SAFETY: both are the kernel's own structures, of version 3, and live until it returns.
        #[expect(unsafe_code, reason = "nix knows no capabilities")]
        let read = unsafe { libc::syscall(libc::SYS_capget, &raw mut header, sets.as_mut_ptr()) };
        Errno::result(read)?;
        let kept = sets[0].permitted & self.mask();
        let sets = [Set { effective: kept, permitted: kept, inheritable: 0 }, Set::default()];
        // SAFETY: as above.
        #[expect(unsafe_code, reason = "nix knows no capabilities")]
        let set = unsafe { libc::syscall(libc::SYS_capset, &raw mut header, sets.as_ptr()) };
        Errno::result(set).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_kept_than_is_needed() {
        let mask = |roots, files, places| Rights { roots, files, places }.mask();
        // CapEff in /proc/1/status.
        assert_eq!(format!("{:x}", mask(false, false, false)), "e0");
        assert_eq!(format!("{:x}", mask(true, true, false)), "400e2");
        assert_eq!(format!("{:x}", mask(true, true, true)), "880400fb");
    }
}
