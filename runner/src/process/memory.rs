//! How much memory the processes below this one use, and whether the kernel killed any of them for
//! want of it. Source: proc(5); the kernel's "Control Group v2" and "Memory Resource Controller".

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

/// The most that these programs have used at once, in bytes, as far as can be told afterwards: the
/// high-water marks of the processes that live, together; where none does, that of the largest
/// process that was.
pub fn peak(groups: &[Group]) -> u64 {
    let leaders = groups.iter().map(|group| group.leader.to_string());
    let all = leaders.flat_map(|leader| [vec![leader.clone()], below(&leader)].concat());
    let alive: u64 = all.map(|pid| high_water(&pid)).sum();
    let gone = || getrusage(UsageWho::RUSAGE_CHILDREN).map_or(0, |usage| usage.max_rss());
    let kib = if alive > 0 { alive } else { u64::try_from(gone()).unwrap_or(0) };
    kib * 1024
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
    let status = read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    number(&status, "VmHWM:").unwrap_or(0)
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
