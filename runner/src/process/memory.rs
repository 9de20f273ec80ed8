//! How much memory the processes below this one use, and whether the kernel killed one for want of it. Source: proc(5); the kernel's "Control Group v2" and "Memory Resource Controller".

use std::fs::{read_dir, read_to_string};

use nix::sys::resource::{UsageWho, getrusage};
use nix::unistd::{SysconfVar, sysconf};

use super::Group;

/// Processes that are looked at again and again: they are sought only where there may be new ones, and looked at closely
/// only where they may use more than ever.
#[derive(Debug, Default)]
pub struct Watched {
    newest: Option<String>,
    pids: Vec<String>,
}

impl Watched {
    /// The most that these programs have used together at one moment, in bytes, where it was this much before.
    pub fn most(&mut self, groups: &[Group], before: u64) -> u64 {
        let newest = newest();
        if newest.is_none() || newest != self.newest {
            (self.newest, self.pids) = (newest, all(groups));
        }
        let resident: u64 = self.pids.iter().map(|pid| resident(pid)).fold(0, u64::saturating_add);
        if resident <= before { before } else { before.max(now(&self.pids)) }
    }
}

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

/// What these processes use together at this moment, in bytes: their own memory and what they share among themselves,
/// and the files of the largest of them, which the others have from the same pages.
fn now(pids: &[String]) -> u64 {
    let statuses = pids.iter().map(|pid| status(pid));
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

/// The number of the newest process or thread of this container, as the kernel writes it; none where it does not.
fn newest() -> Option<String> {
    read_to_string("/proc/loadavg").ok()?.split_whitespace().nth(4).map(str::to_owned)
}

/// What a process has in memory, in bytes, what it shares with others included.
fn resident(pid: &str) -> u64 {
    let sizes = read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
    let pages = sizes.split_whitespace().nth(1).and_then(|pages| pages.parse().ok());
    let page = sysconf(SysconfVar::PAGE_SIZE).ok().flatten();
    let page = page.and_then(|page| u64::try_from(page).ok()).unwrap_or(u64::MAX);
    pages.unwrap_or(0_u64).saturating_mul(page)
}

/// All processes below one, by number, whichever of its threads began them.
fn below(pid: &str) -> Vec<String> {
    let threads = read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| read_to_string(thread.path().join("children")).ok());
    let list = lists.collect::<Vec<_>>().concat();
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
    use std::process::Command;

    use nix::unistd::Pid;

    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "no runner is here, who reaps")]
    fn processes_are_found_whichever_thread_began_them() {
        let (leader, mut child) = (Pid::this(), Command::new("sleep").arg("9").spawn().unwrap());
        assert!(all(&[Group { leader }]).contains(&child.id().to_string()));
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn what_is_watched_is_what_there_is_and_never_less_than_before() {
        let (mut watched, groups) = (Watched::default(), [Group { leader: Pid::this() }]);
        let most = watched.most(&groups, 0);
        let own = 1024 * number(&status("self"), "VmRSS:").unwrap();
        assert!(most >= own / 2, "{most} of at least {own}");
        assert_eq!(watched.most(&groups, u64::MAX), u64::MAX);
        let held = vec![1_u8; 64 << 20];
        assert!(watched.most(&groups, most) >= most + held.len() as u64 / 2);
    }

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
