//! Processes: the only place that starts, signals and reaps them. What a function is, is not known here.
//!
//! There is one waiter. Everything here runs on one thread, so that a child is noted before its end
//! can be seen: a second waiter would lose exit statuses.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::boot::environment::Variables;
use crate::session::Exit;

/// A program to be started as its own process group.
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
}

/// Numeric user and group. Supplementary groups are dropped with them.
#[derive(Debug, Clone, Copy)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// A started program.
#[derive(Debug)]
pub struct Group {
    leader: Pid,
}

/// Makes this process the one that orphans come to, and, in an image, closes it to the function:
/// no program gains rights by being executed, and nobody reads this one's memory or environment.
pub fn prepare(image: bool) -> nix::Result<()> {
    prctl::set_child_subreaper(true)?;
    if image {
        prctl::set_no_new_privs()?;
        prctl::set_dumpable(false)?;
    }
    Ok(())
}

impl Program {
    /// Starts it. Standard output and error come back as pipes.
    pub fn start(&self) -> io::Result<(Group, OwnedFd, OwnedFd)> {
        let mut command = Command::new(&self.path);
        command.env_clear().envs(self.variables.iter().map(|(name, value)| (name, value.expose())));
        command.args(&self.arguments).current_dir(&self.directory).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(user) = self.user {
            command.gid(user.gid).uid(user.uid);
        }
        let mut child = command.spawn()?;
        let pipes = child.stdout.take().zip(child.stderr.take());
        let (stdout, stderr) = pipes.ok_or_else(|| io::Error::other("the child has no pipes"))?;
        let leader = Pid::from_raw(child.id().cast_signed());
        Ok((Group { leader }, stdout.into(), stderr.into()))
    }
}

impl Group {
    /// Asks all of the group to end.
    pub fn terminate(&self) {
        let _ = killpg(self.leader, Signal::SIGTERM);
        // A stopped process would not see it.
        let _ = killpg(self.leader, Signal::SIGCONT);
    }

    /// Ends all of the group.
    pub fn kill(&self) {
        let _ = killpg(self.leader, Signal::SIGKILL);
    }

    /// Reaps whatever has ended, orphans too, and says how the group's leader ended if it is
    /// among them.
    pub fn reap(&self) -> Option<Exit> {
        let mut ended = None;
        while let Some((pid, exit)) = reap_one() {
            if pid == self.leader {
                ended = Some(exit);
            }
        }
        ended
    }

    /// The largest resident set of the leader or of any process reaped so far, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let reaped = getrusage(UsageWho::RUSAGE_CHILDREN).map_or(0, |usage| usage.max_rss());
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.leader)).unwrap_or_default();
        (u64::try_from(reaped).unwrap_or(0).max(high_water(&status))) * 1024
    }
}

/// Ends every process below this one and reaps it: those that left their group as well, since
/// orphans come to us. Returns when none is left or `limit` has passed.
pub fn end_all(limit: Duration) {
    let deadline = Instant::now() + limit;
    while Instant::now() < deadline {
        for child in children() {
            let _ = kill(child, Signal::SIGKILL);
        }
        while reap_one().is_some() {}
        if waitpid(None, Some(WaitPidFlag::WNOHANG)) == Err(Errno::ECHILD) {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn children() -> Vec<Pid> {
    let list = std::fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
    let mut pids: Vec<Pid> =
        list.split_whitespace().filter_map(|pid| pid.parse().ok()).map(Pid::from_raw).collect();
    pids.dedup();
    pids
}

fn reap_one() -> Option<(Pid, Exit)> {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) => return Some((pid, Exit::Code(code))),
            Ok(WaitStatus::Signaled(pid, signal, _)) => {
                return Some((pid, Exit::Signal(signal as i32)));
            }
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return None,
            // Stops are not asked for; anything else is not an end.
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return None,
        }
    }
}

/// `VmHWM` of a `/proc/PID/status`, in KiB.
fn high_water(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_high_water_mark_is_found() {
        assert_eq!(high_water("Name:\tx\nVmHWM:\t   1234 kB\nVmRSS:\t 1 kB\n"), 1234);
        assert_eq!(high_water(""), 0);
    }
}
