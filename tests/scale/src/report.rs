//! What a run took, as people read it: the table of docs/scaling.md. Owns which requests count as what.

use std::fmt::Write as _;
use std::time::Duration;

use crate::account::limits::{LAUNCHES, S3_READ, S3_WRITE, SQS_REQUEST, STORM, STORM_LASTS};
use crate::account::objects::KEPT;
use crate::account::tally::{Course, Who};
use crate::run::{Figures, Mode};
use crate::worker::VISIBILITY;

/// What is delivered to its destination, whoever runs the job.
const DELIVERY: &str = "SendMessage";

/// How requests are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// To S3, for the ledger.
    Ledger,
    /// The outcome, to its destination.
    Delivery,
    /// All other APIs of AWS.
    Api,
}

/// What a request is.
pub fn kind(who: Who, operation: &str) -> Kind {
    match operation {
        _ if operation.ends_with("Object") || operation.starts_with("ListObjects") => Kind::Ledger,
        DELIVERY if who == Who::Runner => Kind::Delivery,
        _ => Kind::Api,
    }
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn number(count: u64) -> f64 {
    count as f64
}

impl Figures {
    /// Requests of this kind by this one, for each job.
    pub fn for_each_job(&self, who: Option<Who>, wanted: Kind) -> f64 {
        let fits = |(of, operation): &(Who, &'static str)| {
            who.is_none_or(|who| who == *of) && kind(*of, operation) == wanted
        };
        let count: u64 =
            self.counted.counts.iter().filter(|(key, _)| fits(key)).map(|(_, n)| n).sum();
        number(count) / number(self.setting.jobs)
    }

    /// All requests to AWS but those to the ledger, for each job, the delivery of its outcome included.
    pub fn calls(&self) -> f64 {
        self.for_each_job(None, Kind::Api) + self.for_each_job(None, Kind::Delivery)
    }

    /// Memory when the account forgets as many jobs as are done, after an hour, and at the end, MiB; none of a run that is
    /// at its end too soon after that.
    pub fn steady(&self) -> Option<(f64, f64)> {
        let forgets = self.curve.iter().position(|at| *at > 2 * KEPT)?;
        let (from, to) = (*self.memory.get(forgets)?, *self.memory.last()?);
        (forgets < self.memory.len() / 2).then_some((from, to))
    }

    /// USD for SQS and S3.
    fn requests(&self) -> f64 {
        let price = |(_, operation): &(Who, &'static str)| match *operation {
            "GetObject" | "HeadObject" => S3_READ,
            "PutObject" | "ListObjectsV2" => S3_WRITE,
            _ if operation.contains("Message") || operation.contains("Queue") => SQS_REQUEST,
            _ => 0.0,
        };
        self.counted.counts.iter().map(|(key, count)| price(key) * number(*count)).sum()
    }
}

/// Hours, or what is shorter.
pub fn time(duration: Duration) -> String {
    match duration.as_secs_f64() {
        seconds if seconds < 120.0 => format!("{seconds:.0} s"),
        seconds if seconds < 7_200.0 => format!("{:.0} min", seconds / 60.0),
        seconds => format!("{:.1} h", seconds / 3_600.0),
    }
}

fn dollars(of: &Figures, usd: f64) -> String {
    format!("${:.0}", 1e6 * usd / number(of.setting.jobs))
}

/// How many there were a second, from one second to another.
fn rate(course: &Course, from: Duration, to: Duration) -> f64 {
    let within = |second: u64| (from.as_secs()..to.as_secs()).contains(&second);
    let counted = (0..).zip(course).filter(|(second, _)| within(*second));
    counted.map(|(_, count)| f64::from(*count)).sum::<f64>() / to.saturating_sub(from).as_secs_f64()
}

/// What a storm does: launches that are asked for a second while it lasts, from ten seconds on; launches a second
/// before it and from half a minute after it.
#[derive(Debug, Clone, Copy)]
pub struct Storm {
    /// See above.
    pub asked: f64,
    /// See above.
    pub before: f64,
    /// See above.
    pub after: f64,
}

impl Figures {
    /// What the storm did, in the run that had one.
    pub fn storm(&self) -> Option<Storm> {
        let seconds = Duration::from_secs;
        let over = STORM + STORM_LASTS;
        let launched = &self.counted.launched;
        (self.setting.mode == Mode::Storm).then(|| Storm {
            asked: rate(&self.counted.asked, STORM + seconds(10), over),
            before: rate(launched, STORM.saturating_sub(seconds(20)), STORM),
            after: rate(launched, over + seconds(30), over + seconds(60)),
        })
    }
}

/// The table: a column for each run.
pub fn table(all: &[Figures]) -> String {
    let mut text = String::new();
    let mut row = |name: &str, cell: &dyn Fn(&Figures) -> String| {
        let cells: Vec<String> = all.iter().map(cell).collect();
        let _infallible = writeln!(text, "| {name} | {} |", cells.join(" | "));
    };
    row("", &|one| format!("`{}`", one.setting.mode.as_str()));
    row("---", &|_| "---".to_owned());
    row("time to drain", &|one| time(one.drained));
    row("containers started, for 1,000 jobs", &|one| {
        format!("{:.1}", 1_000.0 * number(one.started) / number(one.setting.jobs))
    });
    row("most vCPUs of the quota", &|one| format!("{:.0}", one.vcpus));
    row("requests to AWS for each job, all together", &|one| format!("{:.2}", one.calls()));
    row("– by the dispatcher", &|one| {
        format!("{:.2}", one.for_each_job(Some(Who::Dispatcher), Kind::Api))
    });
    row("– by the runner", &|one| {
        format!("{:.2}", one.for_each_job(Some(Who::Runner), Kind::Api))
    });
    row("– delivery of the outcome", &|one| {
        format!("{:.2}", one.for_each_job(None, Kind::Delivery))
    });
    row("requests to S3 for the ledger, by the dispatcher", &|one| {
        format!("{:.1}", one.for_each_job(Some(Who::Dispatcher), Kind::Ledger))
    });
    row("– by the runner", &|one| {
        format!("{:.1}", one.for_each_job(Some(Who::Runner), Kind::Ledger))
    });
    row("memory after an hour, and at the end, MiB", &|one| {
        let steady = one.steady().map(|(from, to)| format!("{from:.0}, {to:.0}"));
        steady.unwrap_or_else(|| "–".to_owned())
    });
    row("compute for a million jobs", &|one| dollars(one, one.bill.usd));
    row("SQS and S3 for a million jobs", &|one| dollars(one, one.requests()));
    row("requests that were throttled, for 1,000 jobs", &|one| {
        format!("{:.1}", 1_000.0 * number(one.counted.throttled) / number(one.setting.jobs))
    });
    row("longest time in which no job was done", &|one| time(one.stall));
    row("longest time from a container's loss to the next attempt", &|one| time(one.unattended));
    row("lost, doubled, left", &|one| one.violations.len().to_string());
    text
}

/// The most requests for each job that a mode may take.
pub fn bound(mode: Mode) -> f64 {
    match mode {
        Mode::Task | Mode::Spot | Mode::Batch | Mode::Short | Mode::Storm => 6.0,
        // The delivery of the outcome apart: it is the same whoever runs the job.
        Mode::Worker => 3.0,
    }
}

/// Memory may grow by so much while the account stays as large as it is, MiB: what an allocator keeps.
pub const GROWTH: f64 = 48.0;
/// So long at most is a job left alone whose container is gone: two looks, a minute apart (goal B11 of the project). Nobody
/// tells that a worker is gone: its job is left to it until it must have been heard of.
fn unattended(mode: Mode) -> Duration {
    let looks = Duration::from_mins(2);
    if mode == Mode::Worker { looks + VISIBILITY } else { looks }
}

/// What is beyond its bounds.
pub fn beyond(figures: &Figures) -> Vec<String> {
    let mut all = figures.violations.clone();
    let most = bound(figures.setting.mode);
    let calls = match figures.setting.mode {
        Mode::Worker => figures.for_each_job(None, Kind::Api),
        _ => figures.calls(),
    };
    all.extend((calls > most).then(|| format!("{calls:.2} requests for each job, at most {most}")));
    let growth = figures.steady().map(|(from, to)| to - from).filter(|growth| *growth > GROWTH);
    all.extend(growth.map(|growth| format!("memory grew by {growth:.0} MiB, at most {GROWTH}")));
    let (left, most) = (figures.unattended, unattended(figures.setting.mode));
    all.extend((left > most).then(|| {
        format!("a job was left alone for {} s, at most {} s", left.as_secs(), most.as_secs())
    }));
    all.extend(figures.storm().and_then(|storm| weathered(&storm)));
    all
}

/// What is wrong with how a storm was weathered (goal B8 of the project).
fn weathered(storm: &Storm) -> Option<String> {
    let Storm { asked, before, after } = *storm;
    (asked > LAUNCHES.a_second || after < 0.9 * before).then(|| {
        format!("launches a second: {asked:.1} were asked for in the storm, {before:.1} made before, {after:.1} after")
    })
}
