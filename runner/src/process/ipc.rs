//! System V objects that a user has left: shared memory, message queues, semaphores. They outlive whoever made them until
//! somebody removes them. Source: `sysvipc(7)`, proc(5), `/proc/sysvipc`.

use std::io;
use std::thread;

use nix::errno::Errno;
use nix::libc::{self, c_long};

/// The kernel's tables of them, and the call that removes one of each.
const TABLES: [(&str, Remove); 3] = [
    ("shm", |id| [libc::SYS_shmctl, id, IPC_RMID, 0, 0]),
    ("msg", |id| [libc::SYS_msgctl, id, IPC_RMID, 0, 0]),
    ("sem", |id| [libc::SYS_semctl, id, 0, IPC_RMID, 0]),
];
const IPC_RMID: c_long = libc::IPC_RMID as c_long;

/// A call of the kernel: its number and what it is given.
type Call = [c_long; 5];
type Remove = fn(c_long) -> Call;

/// Removes what belongs to this user. It is done by a thread that becomes that user, and ends: root needs a right for it
/// that is not kept.
pub fn remove_ipc(user: u32) -> io::Result<()> {
    let mut calls = Vec::new();
    for (table, remove) in TABLES {
        // A kernel without them has no tables.
        let text = std::fs::read_to_string(format!("/proc/sysvipc/{table}")).unwrap_or_default();
        calls.extend(of(&text, user).into_iter().map(remove));
    }
    if calls.is_empty() {
        return Ok(());
    }
    let removing = thread::spawn(move || {
        let user = c_long::from(user);
        call([libc::SYS_setresuid, user, user, user, 0])?;
        calls.into_iter().try_for_each(|removal| match call(removal) {
            // Somebody else has removed it.
            Err(Errno::EINVAL | Errno::EIDRM) => Ok(()),
            done => done,
        })
    });
    let removed = removing.join().map_err(|_| io::Error::other("the thread for it ended"))?;
    removed.map_err(io::Error::from)
}

/// The ids in a table of what this user owns, or has made and given away.
fn of(table: &str, user: u32) -> Vec<c_long> {
    let mut lines = table.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    let names = lines.next().unwrap_or_default();
    let column = |name: &str| names.iter().position(|known| *known == name);
    let owners = [column("uid"), column("cuid")];
    let user = user.to_string();
    let is_theirs = |line: &Vec<&str>| {
        let mut found = owners.iter().flatten().filter_map(|at| line.get(*at));
        found.any(|owner| **owner == user)
    };
    lines.filter(is_theirs).filter_map(|line| line.get(1)?.parse().ok()).collect()
}

fn call([number, one, two, three, four]: Call) -> nix::Result<()> {
    // SAFETY: becomes another user on this thread alone, or removes an object by its number: no call that is made here is
    // given an address.
    #[expect(unsafe_code, reason = "nix has neither System V objects nor the user of one thread")]
    let done = unsafe { libc::syscall(number, one, two, three, four) };
    Errno::result(done).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_user_owns_or_has_made_is_found_in_each_table() {
        let shm = "       key      shmid perms  size  cpid  lpid nattch   uid   gid  cuid  cgid\n\
                   0     3  1600  4096  12  12  2  993  990  993  990\n\
                   81 4  1600 4096 12 12 2 0 0 0 0\n\
                   82 5 1600 4096 12 12 2 0 0 993 990\n";
        let sem =
            "key semid perms nsems uid gid cuid cgid otime ctime\n0 7 600 1 993 990 993 990 0 0\n";
        assert_eq!((of(shm, 993), of(sem, 993)), (vec![3, 5], vec![7]));
        assert_eq!((of(shm, 0), of("", 993)), (vec![4, 5], vec![]));
    }

    #[test]
    fn whoever_owns_nothing_loses_nothing() {
        remove_ipc(4_294_000_000).unwrap();
    }
}
