//! What a child of ours is like before it becomes its program: between fork and exec, where only
//! system calls are safe. A function is to find what it finds on Lambda, whatever started this program.

use std::io;
use std::os::fd::RawFd;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::libc;
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Gid, Pid, Uid, getppid, setgid, setgroups, setsid, setuid, write};

use super::User;

/// The last signal number of Linux.
const LAST_SIGNAL: libc::c_int = 64;
/// Lambda's limits (developer guide, "Lambda quotas"; the last two as recorded on AWS).
const LIMITS: [(Resource, u64); 4] = [
    (Resource::RLIMIT_NOFILE, 1024),
    (Resource::RLIMIT_NPROC, 1024),
    (Resource::RLIMIT_MEMLOCK, 65_536),
    (Resource::RLIMIT_CORE, 10_737_418_240),
];

/// Lets the child start clean: a session of its own, no signal blocked or ignored, no descriptor of ours but
/// `kept` and the first three, and an end when this program ends or memory does. As another user it has Lambda's
/// resource limits, too.
pub(super) fn settle(command: &mut Command, kept: Option<RawFd>, user: Option<User>) {
    let parent = Pid::this();
    let settle = move || {
        end_before_parent();
        if let Some(user) = user {
            setgroups(&[])?;
            setgid(Gid::from_raw(user.gid))?;
            setuid(Uid::from_raw(user.uid))?;
        }
        setsid()?;
        live_as_long_as(parent)?;
        reset_signals()?;
        umask(Mode::S_IWGRP | Mode::S_IWOTH);
        if user.is_some() {
            LIMITS.into_iter().try_for_each(|(resource, most)| limit(resource, most))?;
        }
        close_all_but(kept)
    };
    // SAFETY: after fork only async-signal-safe functions may be called: the closure allocates nothing,
    // takes no lock and makes system calls alone.
    #[expect(unsafe_code, reason = "there is no safe way to act between fork and exec")]
    unsafe {
        command.pre_exec(settle);
    }
}

/// Where memory runs out, the kernel ends the child and what it starts before the supervisor, even if each of them is
/// smaller. What cannot be set stays as it is. Source: proc(5), `oom_score_adj`.
fn end_before_parent() {
    let file = open(c"/proc/self/oom_score_adj", OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty());
    let _best_effort = file.map(|file| write(file, b"500"));
}

/// The kernel ends the child when this program ends, however that comes.
fn live_as_long_as(parent: Pid) -> io::Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    // It may have ended in between. In a new PID namespace the parent is not seen.
    if getppid() == parent || getppid().as_raw() == 0 { Ok(()) } else { Err(Errno::ESRCH.into()) }
}

fn reset_signals() -> io::Result<()> {
    // The kernel's own structure: handler, flags, restorer and mask, all of them none. The C library would keep
    // its own two signals from us.
    let default = [0u64; 4];
    for signal in 1..=LAST_SIGNAL {
        // SAFETY: sets a disposition to the default one, no handler is installed. SIGKILL and SIGSTOP cannot
        // be changed: they give an error and stay as they are.
        #[expect(unsafe_code, reason = "nix knows no real-time signals")]
        unsafe {
            let none = std::ptr::null::<libc::c_void>();
            libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), none, size_of::<u64>());
        }
    }
    Ok(sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?)
}

/// Lowers a limit; one that is lower already stays.
fn limit(resource: Resource, most: u64) -> io::Result<()> {
    let (_soft, hard) = getrlimit(resource)?;
    let most = most.min(hard);
    Ok(setrlimit(resource, most, most)?)
}

/// All descriptors vanish at exec but the first three and this one.
fn close_all_but(kept: Option<RawFd>) -> io::Result<()> {
    // SAFETY: marks descriptors, closes none: std's own pipe for a failed exec stays usable until then.
    #[expect(unsafe_code, reason = "nix has neither close_range nor descriptors without an owner")]
    unsafe {
        libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC);
        match kept {
            Some(kept) if libc::fcntl(kept, libc::F_SETFD, 0) < 0 => {
                Err(io::Error::last_os_error())
            }
            _ => Ok(()),
        }
    }
}
