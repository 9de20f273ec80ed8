//! Processes: the only place that starts, signals and reaps them. What a function is, is not known here.
//!
//! There is one waiter. Everything here runs on one thread, so that a child is noted before its end
//! can be seen: a second waiter would lose exit statuses.

mod child;
mod exits;
mod ipc;
mod kills;
mod leftovers;
pub mod memory;
mod rights;

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::PathBuf;
use std::process::{Command, Stdio};

pub use exits::{Ended, Exits};
pub use ipc::remove_ipc;
pub use leftovers::{ask_all, end_all};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc;
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::{Pid, pipe2};
pub use rights::Rights;

use crate::boot::environment::Variables;
use crate::session::Exit;

/// A program to be started in a session of its own.
#[derive(Debug)]
pub struct Program {
    /// Executable.
    pub path: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// All of its environment.
    pub variables: Variables,
    /// Working directory.
    pub directory: PathBuf,
    /// User and group, where it is not to be ours.
    pub user: Option<User>,
    /// Set to the number of the descriptor on which it may send framed log records.
    pub log: Option<&'static str>,
}

/// Numeric user and group. Supplementary groups are dropped with them.
#[derive(Debug, Clone, Copy)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// A started program, and the reading ends of its pipes.
#[derive(Debug)]
pub struct Started {
    /// Its processes.
    pub group: Group,
    /// What it prints.
    pub stdout: OwnedFd,
    /// What it prints to standard error.
    pub stderr: OwnedFd,
    /// Framed log records, where it was offered to send them.
    pub log: Option<OwnedFd>,
}

/// The processes of a started program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Group {
    leader: Pid,
}

/// Makes this process the one that orphans come to, and, in an image, closes it to the function: no program gains
/// rights by being executed, nobody reads this one's memory or environment, and it has no more rights itself than these.
pub fn prepare(image: Option<Rights>) -> nix::Result<()> {
    // QEMU does not know it when it runs a program of another architecture. PID 1 needs it not; elsewhere orphans are init's then.
    match prctl::set_child_subreaper(true) {
        Ok(()) | Err(Errno::EINVAL) => {}
        Err(error) => return Err(error),
    }
    if let Some(rights) = image {
        prctl::set_no_new_privs()?;
        prctl::set_dumpable(false)?;
        rights.keep()?;
    }
    Ok(())
}

impl Program {
    /// Starts it; its end will be told to `ended`.
    pub fn start(&self, exits: &Exits, ended: &Ended) -> io::Result<Started> {
        let mut command = Command::new(&self.path);
        command.env_clear().envs(self.variables.iter().map(|(name, value)| (name, value.expose())));
        command.args(&self.arguments).current_dir(&self.directory);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let log = self.log.map(|name| offer(&mut command, name)).transpose()?;
        let kept = log.as_ref().map(|(_reading, writing)| writing.as_raw_fd());
        child::settle(&mut command, kept, self.user);
        let mut child = command.spawn()?;
        let pipes = child.stdout.take().zip(child.stderr.take());
        let (stdout, stderr) = pipes.ok_or_else(|| io::Error::other("the child has no pipes"))?;
        let group = Group { leader: Pid::from_raw(child.id().cast_signed()) };
        exits.expect(group, ended.clone());
        let log = log.map(|(reading, _writing)| reading);
        Ok(Started { group, stdout: stdout.into(), stderr: stderr.into(), log })
    }
}

/// A pipe whose writing end the next child is given.
fn offer(command: &mut Command, name: &str) -> io::Result<(OwnedFd, OwnedFd)> {
    let (reading, writing) = pipe2(OFlag::O_CLOEXEC)?;
    command.env(name, writing.as_raw_fd().to_string());
    Ok((reading, writing))
}

impl Group {
    /// Asks all of the group to end.
    pub fn terminate(&self) {
        let _ = killpg(self.leader, Signal::SIGTERM);
        // A stopped process would not see it.
        let _ = killpg(self.leader, Signal::SIGCONT);
    }

    /// Ends the program, and leaves what it has started to [`end_all`].
    pub fn kill_leader(&self) {
        let _ = kill(self.leader, Signal::SIGKILL);
    }

    /// Ends all of the group.
    pub fn kill(&self) {
        let _ = killpg(self.leader, Signal::SIGKILL);
    }
}

/// Reaps one process that has ended, if there is any.
fn reap_one() -> Option<(Pid, Exit)> {
    loop {
        let mut status = 0;
        // SAFETY: writes to `status` alone. nix reaps those that a real-time signal has ended, and then has no
        // word for them: their end would be lost.
        #[expect(unsafe_code, reason = "nix knows no real-time signals")]
        let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
        match pid {
            -1 if Errno::last() == Errno::EINTR => {}
            // Nobody is left, or nobody has ended.
            ..=0 => return None,
            pid => return Some((Pid::from_raw(pid), exit(status))),
        }
    }
}

/// How a process ended, of a status that `waitpid` has given without WUNTRACED or WCONTINUED: it is an end.
const fn exit(status: i32) -> Exit {
    if libc::WIFSIGNALED(status) {
        Exit::Signal(libc::WTERMSIG(status))
    } else {
        Exit::Code(libc::WEXITSTATUS(status))
    }
}
