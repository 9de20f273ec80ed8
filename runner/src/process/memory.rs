//! How much memory the processes below this one use, and whether the kernel killed one for want of it. Source: proc(5); the kernel's "Control Group v2" and "Memory Resource Controller".

use std::fs::read_to_string;

use nix::sys::resource::{UsageWho, getrusage};

use super::Group;

/// How many processes of this container the kernel has killed for want of memory. Of cgroup v2, or
/// of v1; 0 where neither tells.
pub fn kills() -> u64 {
    ["/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"]
        .iter()
        .find_map(|path| number(&read_to_string(path).ok()?, "oom_kill "))
        .unwrap_or(0)
}

/// What the largest of these programs' processes has used at its most, in bytes: the high-water marks of those that
/// live; where none does, that of the largest process that was.
pub fn peak(groups: &[Group]) -> u64 {
    let alive = all(groups).iter().map(|pid| high_water(pid)).max().unwrap_or(0);
    let gone = || getrusage(UsageWho::RUSAGE_CHILDREN).map_or(0, |usage| usage.max_rss());
    let kib = if alive > 0 { alive } else { u64::try_from(gone()).unwrap_or(0) };
    kib * 1024
}

/// What these programs use together at this moment, in bytes: their own memory and what they share among themselves,
/// and the files of the largest of them, which the others have from the same pages.
pub fn now(groups: &[Group]) -> u64 {
    let statuses = all(groups).into_iter().map(|pid| status(&pid));
    let (own, files) = statuses.fold((0, 0), |(own, files), status| {
        let of = |name| number(&status, name).unwrap_or(0);
        (own + of("RssAnon:") + of("RssShmem:"), files.max(of("RssFile:")))
    });
    (own + files) * 1024
}

/// These programs' processes, by number.
fn all(groups: &[Group]) -> Vec<String> {
    let leaders = groups.iter().map(|group| group.leader.to_string());
    leaders.flat_map(|leader| [vec![leader.clone()], below(&leader)].concat()).collect()
}

/// All processes below one, by number.
fn below(pid: &str) -> Vec<String> {
    let list = read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let mut all: Vec<String> = list.split_whitespace().map(str::to_owned).collect();
    for index in 0..all.len() {
        let more = below(&all[index]);
        all.extend(more);
    }
    all
}

fn high_water(pid: &str) -> u64 {
    number(&status(pid), "VmHWM:").unwrap_or(0)
}

fn status(pid: &str) -> String {
    read_to_string(format!("/proc/{pid}/status")).unwrap_or_default()
}

/// The number after a name at the beginning of a line.
fn number(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_by_name() {
        assert_eq!(number("Name:\tx\nVmHWM:\t   1234 kB\nVmRSS:\t 1 kB\n", "VmHWM:"), Some(1234));
        let events = "low 0\nhigh 0\nmax 3\noom 1\noom_kill 1\noom_group_kill 0\n";
        assert_eq!(number(events, "oom_kill "), Some(1));
        let control = "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n";
        assert_eq!(number(control, "oom_kill "), Some(2));
        assert_eq!(number("", "oom_kill "), None);
    }
}
