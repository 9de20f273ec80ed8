//! Whether an attempt gets a task of its own or goes to workers, which are warm: by configuration, or by how often its
//! function is started. Pure; time is an argument.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::function::{Code, Function};

/// Who runs a function's jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// A container for each attempt.
    #[default]
    Task,
    /// Workers, which take many jobs one after the other.
    Worker,
    /// Workers while there are many starts and the function fits, else a container for each.
    Auto,
}

/// What is looked at beside the mode.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// The function has a queue of its own, whose workers are made for it.
    pub own_queue: bool,
    /// More starts of a function a minute than this are for workers.
    pub above: f64,
    /// Functions of more memory than this, MB, get containers of their own.
    pub memory: u32,
}

/// Whether this attempt is for workers, and why.
pub fn for_workers(
    mode: Mode,
    function: &Function,
    larger: u32,
    rate: f64,
    rules: Rules,
) -> (bool, String) {
    if larger > 0 {
        return (false, "a larger container, since it ran out of memory".to_owned());
    }
    match mode {
        Mode::Task => (false, "a container of its own (`mode = \"task\"`)".to_owned()),
        Mode::Worker => match unserved(function, rules) {
            Some(why) => {
                (false, format!("a container of its own in spite of `mode = \"worker\"`: {why}"))
            }
            None => (true, "for workers (`mode = \"worker\"`)".to_owned()),
        },
        Mode::Auto => match misfit(function, rules) {
            Some(why) => (false, format!("a container of its own: {why}")),
            None if rate > rules.above => {
                (true, format!("for workers: {rate:.0} starts a minute, more than {}", rules.above))
            }
            None => (
                false,
                format!(
                    "a container of its own: {rate:.0} starts a minute, at most {}",
                    rules.above
                ),
            ),
        },
    }
}

/// Why workers cannot run a function at all: those of a queue are alike, and mount no file system unless they were made for it.
fn unserved(function: &Function, rules: Rules) -> Option<String> {
    let file_system = function.file_system.as_ref().filter(|_| !rules.own_queue)?;
    Some(format!(
        "the function has a file system, {}; if there are workers that mount it at {}, name their queue in [worker.functions]",
        file_system.arn, file_system.mount
    ))
}

/// Why workers, which are alike, are not what a function needs.
fn misfit(function: &Function, rules: Rules) -> Option<String> {
    if matches!(function.code, Code::Image(_)) {
        return Some("the function is a container image".to_owned());
    }
    if function.network.is_some() {
        return Some("the function has a network of its own".to_owned());
    }
    if function.file_system.is_some() {
        return Some("the function has a file system".to_owned());
    }
    (function.memory_mb > rules.memory)
        .then(|| format!("the function has {} MB, more than {}", function.memory_mb, rules.memory))
}

/// How often functions are started.
#[derive(Debug, Default)]
pub struct Rates(HashMap<String, Rate>);

/// Starts in this minute and in the one before.
#[derive(Debug, Clone, Copy)]
struct Rate {
    since: Instant,
    now: u32,
    before: u32,
}

const MINUTE: Duration = Duration::from_mins(1);
/// The most functions that are known.
const MOST: usize = 10_000;

impl Rates {
    /// One more start of this function; how many there were in the last minute, this one included.
    pub fn count(&mut self, function: &str, now: Instant) -> f64 {
        if self.0.len() >= MOST {
            self.0.retain(|_, rate| now.saturating_duration_since(rate.since) < 2 * MINUTE);
        }
        let fresh = Rate { since: now, now: 0, before: 0 };
        let rate = self.0.entry(function.to_owned()).or_insert(fresh);
        *rate = rate.at(now);
        rate.now += 1;
        rate.a_minute(now)
    }

    /// How many starts of this function there were in the last minute.
    pub fn of(&self, function: &str, now: Instant) -> f64 {
        self.0.get(function).map_or(0.0, |rate| rate.at(now).a_minute(now))
    }
}

impl Rate {
    fn at(self, now: Instant) -> Self {
        let passed = now.saturating_duration_since(self.since);
        if passed < MINUTE {
            return self;
        }
        if passed < 2 * MINUTE {
            return Self { since: self.since + MINUTE, now: 0, before: self.now };
        }
        Self { since: now, now: 0, before: 0 }
    }

    /// Of the minute before counts what the last sixty seconds still hold of it.
    fn a_minute(self, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.since).as_secs_f64() / MINUTE.as_secs_f64();
        f64::from(self.now) + f64::from(self.before) * (1.0 - passed).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::{FileSystem, Network, sample};

    const RULES: Rules = Rules { own_queue: false, above: 10.0, memory: 2_048 };

    fn chosen(mode: Mode, function: &Function, larger: u32, rate: f64) -> bool {
        for_workers(mode, function, larger, rate, RULES).0
    }

    #[test]
    fn what_is_configured_counts_and_auto_looks_at_the_rate() {
        let function = sample();
        assert!(!chosen(Mode::Task, &function, 0, 1_000.0));
        assert!(chosen(Mode::Worker, &function, 0, 0.0));
        assert!(!chosen(Mode::Auto, &function, 0, 10.0));
        assert!(chosen(Mode::Auto, &function, 0, 11.0));
    }

    #[test]
    fn what_ran_out_of_memory_gets_a_larger_container() {
        for mode in [Mode::Worker, Mode::Auto] {
            assert!(!chosen(mode, &sample(), 1, 1_000.0));
        }
    }

    #[test]
    fn auto_gives_workers_only_what_they_are_made_for() {
        let network = Some(Network { subnets: vec!["s".into()], security_groups: Vec::new() });
        for (function, part) in [
            (Function { network, ..sample() }, "network"),
            (Function { code: Code::Image("x".into()), ..sample() }, "container image"),
            (Function { memory_mb: 4_096, ..sample() }, "4096 MB"),
        ] {
            let (workers, why) = for_workers(Mode::Auto, &function, 0, 1_000.0, RULES);
            assert!(!workers && why.contains(part), "{why}");
            assert!(chosen(Mode::Worker, &function, 0, 0.0));
        }
    }

    #[test]
    fn a_file_system_is_nothing_that_workers_have_unless_they_are_made_for_the_function() {
        let file_system = Some(FileSystem { arn: "arn:fs".into(), mount: "/mnt/x".into() });
        let mounted = Function { file_system, ..sample() };
        let (workers, why) = for_workers(Mode::Worker, &mounted, 0, 1_000.0, RULES);
        assert!(!workers && why.contains("arn:fs") && why.contains("[worker.functions]"), "{why}");
        let made_for_it = Rules { own_queue: true, ..RULES };
        assert!(for_workers(Mode::Worker, &mounted, 0, 0.0, made_for_it).0);
        assert!(!for_workers(Mode::Auto, &mounted, 0, 1_000.0, made_for_it).0);
    }

    #[test]
    fn starts_are_counted_over_the_last_minute() {
        let (start, mut rates) = (Instant::now(), Rates::default());
        for _ in 0..59 {
            rates.count("f", start);
        }
        assert!((rates.count("f", start) - 60.0).abs() < 0.01);
        let half = start + Duration::from_secs(90);
        assert!((rates.of("f", half) - 30.0).abs() < 0.01);
        assert!((rates.count("f", half) - 31.0).abs() < 0.01);
        assert!(rates.of("f", start + Duration::from_secs(200)) < 0.01);
        assert!(rates.of("g", start) < 0.01);
    }
}
