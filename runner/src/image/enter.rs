//! The last steps of a container image's program before it is itself: another root, another user. Done
//! by this program as a child of its own, because between fork and exec nothing else is safe.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid, chdir, chroot, setgid, setgroups, setuid};

/// The command that asks for it.
pub const ENTER: &str = "__enter";

/// What it is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The new root.
    pub root: PathBuf,
    /// User and group.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Working directory, below the new root.
    pub directory: PathBuf,
    /// Program and arguments; the program is looked for in `PATH`, below the new root.
    pub program: Vec<OsString>,
}

impl Entry {
    /// The arguments of `immortal-runner` that ask for this.
    pub fn arguments(&self) -> Vec<OsString> {
        let [uid, gid] = [self.uid, self.gid].map(|id| OsString::from(id.to_string()));
        let head = [ENTER.into(), self.root.clone().into(), uid, gid];
        let tail = [self.directory.clone().into(), "--".into()];
        head.into_iter().chain(tail).chain(self.program.iter().cloned()).collect()
    }

    /// Becomes the program. Comes back only if that failed, with the exit code that a shell would
    /// give.
    pub fn enter(&self) -> u8 {
        let error = self.become_program();
        let program = self.program.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>();
        // As Lambda's supervisor words it.
        let _ = writeln!(
            io::stderr(),
            "IMAGE\tLaunch error: {error}\tEntrypoint: [{}]\tWorkingDir: [{}]",
            program.join(","),
            self.directory.display()
        );
        if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 }
    }

    fn become_program(&self) -> io::Error {
        match self.change() {
            Ok(()) => {}
            Err(error) => return error.into(),
        }
        let Some((program, arguments)) = self.program.split_first() else {
            return io::ErrorKind::InvalidInput.into();
        };
        Command::new(program).args(arguments).exec()
    }

    fn change(&self) -> nix::Result<()> {
        chroot(&self.root)?;
        chdir(Path::new("/"))?;
        chdir(&self.directory)?;
        setgroups(&[])?;
        setgid(Gid::from_raw(self.gid))?;
        setuid(Uid::from_raw(self.uid))?;
        // It was forgotten with the change of user.
        set_pdeathsig(Signal::SIGKILL)
    }
}
