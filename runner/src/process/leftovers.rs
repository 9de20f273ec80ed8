//! The end of everything: what a function has started and left behind is asked to end, then ended. No init does
//! that for processes which left their group.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

use super::reap_one;

/// How often to look whether somebody is left.
const PAUSE: Duration = Duration::from_millis(2);

/// Asks every process below this one to end: those that left their group or session as well, since orphans come to us.
/// Returns when none is left, or when `grace` has passed. Somebody else reaps.
pub async fn ask_all(grace: Duration) {
    let asked = Instant::now();
    let mut told = HashSet::new();
    while has_children() && asked.elapsed() < grace {
        for process in below() {
            if told.insert(process) {
                let _ = kill(process, Signal::SIGTERM);
                // A stopped process would not see it.
                let _ = kill(process, Signal::SIGCONT);
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Ends every process below this one and reaps it. Returns when none is left or `limit` has passed.
pub fn end_all(limit: Duration) {
    let begun = Instant::now();
    while !all_reaped() && begun.elapsed() < limit {
        for process in below() {
            let _ = kill(process, Signal::SIGKILL);
        }
        std::thread::sleep(PAUSE);
    }
}

/// Is there anybody? Nobody is reaped.
fn has_children() -> bool {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    waitid(Id::All, flags) != Err(Errno::ECHILD)
}

/// Reaps what has ended. Is nobody left?
fn all_reaped() -> bool {
    while reap_one().is_some() {}
    !has_children()
}

/// All processes below this one.
fn below() -> Vec<Pid> {
    let parents = parents();
    let mut found = vec![Pid::this()];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(parents.get(&parent).into_iter().flatten());
        next += 1;
    }
    found.split_off(1)
}

/// Children by parent, of all processes that have not ended.
fn parents() -> HashMap<Pid, Vec<Pid>> {
    let mut parents: HashMap<Pid, Vec<Pid>> = HashMap::new();
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    for process in numbers {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        if let Some(parent) = parent(&stat) {
            parents.entry(parent).or_default().push(Pid::from_raw(process));
        }
    }
    parents
}

/// The parent in a line of `/proc/PID/stat` (proc(5)); none for a process that has ended. A name may hold anything.
fn parent(stat: &str) -> Option<Pid> {
    let (_name, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    (state != "Z" && state != "X").then(|| Pid::from_raw(parent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_is_found_behind_any_name() {
        let table = [
            ("7 (sh) S 1 7 7 0", Some(1)),
            ("7 (a) Z 9 (b)) R 3 7", Some(3)),
            ("7 (dead) Z 1 7", None),
            ("", None),
        ];
        for (stat, expected) in table {
            assert_eq!(parent(stat), expected.map(Pid::from_raw), "{stat}");
        }
    }

    #[test]
    fn this_process_is_below_its_parent() {
        let parents = parents();
        assert!(parents[&nix::unistd::getppid()].contains(&Pid::this()));
    }
}
