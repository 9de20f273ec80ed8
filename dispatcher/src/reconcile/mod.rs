//! Looks after unfinished jobs: the markers of the ledger against what the launcher sees. Owns the gathering of facts and
//! the taking of steps; which step, `next` decides. May run as often as one likes, at several places at once.

pub mod next;
pub mod states;
pub mod watched;

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt as _};
use ledger::{Active, Attempt, Job, JobId, Launch, LedgerError, Outcome, State, Time, mutant};
use next::{Facts, Step, next};
use states::Told;
use tracing::{info, warn};
use watched::Work;

use crate::dispatch::{Desk, Fate, Later};
use crate::launch::{Cause, Seen, worker};
use crate::lost::{self, Why};
use crate::resolve::directory::Directory;
use crate::start::Start;

/// Jobs that are looked at together.
const TOGETHER: usize = 16;
/// Jobs whose containers are asked for together (ECS describes 100 tasks at once).
const BATCH: usize = 100;

/// What a look at all unfinished jobs has found: how many of each step, by its word.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report(pub BTreeMap<&'static str, usize>);

/// All that is recorded of an unfinished job.
#[derive(Debug)]
pub struct Records {
    /// Its marker.
    pub marker: Active,
    /// The job.
    pub job: Option<Job>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Its launches.
    pub launches: Vec<Launch>,
    /// Its attempts.
    pub attempts: Vec<Attempt>,
}

impl Records {
    /// What the launcher calls the last thing that was started.
    fn id(&self) -> Option<&str> {
        let launch = self.launches.last()?;
        launch.started.and(launch.id.as_deref())
    }
}

/// Looks at all unfinished jobs, and does for each what is to be done.
pub async fn sweep<D: Directory>(desk: &Desk<D>) -> Result<Report, LedgerError> {
    let before = desk.watched.jobs();
    let active = desk.ledger.active().await?;
    desk.watched.keep(&before, &active);
    let mut report = Report::default();
    let (alive, rest) = alive(desk, active).await;
    if alive > 0 {
        report.0.insert("wait", alive);
    }
    for batch in rest.chunks(BATCH) {
        for word in look(desk, batch).await? {
            *report.0.entry(word).or_default() += 1;
        }
    }
    Ok(report)
}

/// How many are known to be at work, and the others. What is alive brings its job to an end by itself: its records are
/// not read.
async fn alive<D>(desk: &Desk<D>, active: Vec<Active>) -> (usize, Vec<Active>) {
    let now = Time::now();
    let (mut alive, mut rest, mut known) = (0, Vec::new(), Vec::new());
    for marker in active {
        match desk.watched.of(&marker.id) {
            Some(Work::Container(id)) => known.push((marker, id)),
            Some(Work::Message { again, .. }) if again > now => alive += 1,
            _ => rest.push(marker),
        }
    }
    for some in known.chunks(BATCH) {
        let ids: Vec<String> = some.iter().map(|(_, id)| id.clone()).collect();
        match desk.launcher.look(&ids).await {
            Ok(looked) => {
                let over = some.iter().zip(&looked).filter(|(_, seen)| !is_alive(seen));
                let before = rest.len();
                rest.extend(over.map(|((marker, _), _)| marker.clone()));
                alive += some.len() - (rest.len() - before);
            }
            // Where nobody can look now, nobody decides anything.
            Err(why) => {
                warn!("cannot look after containers: {why}");
                alive += some.len();
            }
        }
    }
    (alive, rest)
}

/// Looks at one job, if it is unfinished.
pub async fn one<D: Directory>(desk: &Desk<D>, id: &JobId) -> Result<(), LedgerError> {
    if desk.ledger.is_active(id).await? {
        let since = desk.ledger.job(id).await?.map_or_else(Time::now, |job| job.created);
        look(desk, &[Active { id: id.clone(), since }]).await?;
    } else {
        desk.watched.forget(id);
    }
    Ok(())
}

/// What becomes of a message in a queue of task state changes: its job is looked at.
pub async fn state<D: Directory>(desk: &Desk<D>, body: &[u8]) -> Result<Fate, Later> {
    let id = match states::read(body) {
        Told::Stopped(id) => id,
        Told::Nothing => return Ok(Fate::Ignored("its container has not ended".to_owned())),
        Told::Other => {
            return Ok(Fate::Ignored("it is no state change of a task or job".to_owned()));
        }
    };
    Box::pin(one(desk, &id)).await?;
    Ok(Fate::Known { job: id })
}

async fn look<D: Directory>(
    desk: &Desk<D>,
    batch: &[Active],
) -> Result<Vec<&'static str>, LedgerError> {
    let gather = batch.iter().map(|marker| records(desk, marker.clone()));
    let all: Vec<_> = stream::iter(gather).buffered(TOGETHER).collect().await;
    let all = readable(batch, all)?;
    let seen = seen(desk, &all).await;
    remember(desk, &all, &seen);
    let steps = all.iter().zip(seen).map(|(records, seen)| step(desk, records, seen));
    Ok(stream::iter(steps).buffered(TOGETHER).collect().await)
}

fn is_alive(seen: &Seen) -> bool {
    matches!(seen, Seen::Alive { .. })
}

/// What is at work, and has not been handed back, is known from now on.
fn remember<D>(desk: &Desk<D>, all: &[Records], seen: &[Option<Seen>]) {
    for (records, seen) in all.iter().zip(seen) {
        let last = records.attempts.last();
        let given = last.is_some_and(|last| last.state != State::Claimed);
        let job = &records.marker.id;
        match (seen, records.launches.last()) {
            (Some(Seen::Alive { .. }), Some(launch)) if records.outcome.is_none() && !given => {
                let heard = last.and_then(|last| last.alive_until);
                desk.watched.launched(job, launch, desk.config.serve.every, heard);
            }
            _ => desk.watched.forget(job),
        }
    }
}

/// The records that could be read: those of one job that cannot be keep nobody from the others. An error where there are none.
fn readable(
    batch: &[Active],
    all: Vec<Result<Records, LedgerError>>,
) -> Result<Vec<Records>, LedgerError> {
    let (mut read, mut last) = (Vec::new(), None);
    for (marker, found) in batch.iter().zip(all) {
        match found {
            Ok(records) => read.push(records),
            Err(error) => {
                warn!(job = %marker.id, "not looked at: {}", runner::causes::causes(&error));
                last = Some(error);
            }
        }
    }
    match last {
        Some(error) if read.is_empty() => Err(error),
        _ => Ok(read),
    }
}

/// All that is recorded of a job.
pub async fn records<D>(desk: &Desk<D>, marker: Active) -> Result<Records, LedgerError> {
    let (ledger, id) = (&desk.ledger, &marker.id);
    let (job, outcome, launches, attempts) = futures_util::try_join!(
        ledger.job(id),
        ledger.outcome(id),
        ledger.launches(id),
        ledger.attempts(id)
    )?;
    Ok(Records { marker, job, outcome, launches, attempts })
}

/// What the launcher sees of each. Where it cannot look now, nobody decides anything.
async fn seen<D>(desk: &Desk<D>, all: &[Records]) -> Vec<Option<Seen>> {
    let kind = desk.launcher.kind().as_str();
    let own =
        |records: &&Records| records.launches.last().is_some_and(|launch| launch.launcher == kind);
    let ids: Vec<String> =
        all.iter().filter(own).filter_map(Records::id).map(str::to_owned).collect();
    let looked = match desk.launcher.look(&ids).await {
        Ok(looked) => looked,
        Err(why) => {
            warn!("cannot look after containers: {why}");
            return vec![None; all.len()];
        }
    };
    let by_id: BTreeMap<&String, Seen> = ids.iter().zip(looked).collect();
    let now = Time::now();
    let find = |records: &Records| {
        let launch = records.launches.last()?;
        if launch.launcher == worker::NAME {
            let unclaimed = desk.config.worker.unclaimed;
            return worker::seen(launch, records.attempts.last(), now, unclaimed);
        }
        by_id.get(&records.id()?.to_owned()).cloned()
    };
    all.iter().map(find).collect()
}

async fn step<D: Directory>(desk: &Desk<D>, records: &Records, seen: Option<Seen>) -> &'static str {
    let facts = Facts {
        since: records.marker.since,
        job: records.job.as_ref(),
        outcome: records.outcome.as_ref(),
        launches: &records.launches,
        attempts: &records.attempts,
        seen: seen.as_ref(),
    };
    let step = next(&facts, Time::now(), &desk.config.watch);
    let (id, word) = (&records.marker.id, word(&step));
    match take(desk, records, step, seen.as_ref()).await {
        Ok(said) if said.is_empty() => {}
        Ok(said) => info!(job = %id, step = word, "{said}"),
        Err(why) => warn!(job = %id, step = word, "to be tried again: {why}"),
    }
    word
}

fn word(step: &Step) -> &'static str {
    match step {
        Step::Wait(_) => "wait",
        Step::Forget => "forget",
        Step::Deliver => "deliver",
        Step::Launch { .. } => "launch",
        Step::GiveUp { .. } => "give-up",
    }
}

/// Takes a step; what is to be said of it.
async fn take<D: Directory>(
    desk: &Desk<D>,
    records: &Records,
    step: Step,
    seen: Option<&Seen>,
) -> Result<String, String> {
    let text = |error: LedgerError| runner::causes::causes(&error);
    let (id, job) = (&records.marker.id, records.job.as_ref());
    match (step, job) {
        (Step::Wait(_), _) | (_, None) => Ok(String::new()),
        (Step::Forget, _) => desk.ledger.delivered(id).await.map(|()| String::new()).map_err(text),
        (Step::Deliver, Some(job)) => {
            // Whoever decided it may have delivered it between the two looks.
            let outcome =
                desk.ledger.outcome(id).await.map_err(text)?.ok_or("its outcome is gone")?;
            if outcome.delivered.is_some() {
                return desk.ledger.delivered(id).await.map(|()| String::new()).map_err(text);
            }
            desk.deliver(job, outcome).await.map(|()| "its outcome is delivered".to_owned())
        }
        (Step::Launch { .. }, _) if mutant("lost-is-done") => {
            desk.ledger.delivered(id).await.map(|()| String::new()).map_err(text)
        }
        (Step::Launch { number, larger, why }, Some(job)) => {
            note(desk, records, number, seen).await.map_err(text)?;
            launch(desk, job, number, larger, &why).await
        }
        (Step::GiveUp { attempts, why, cause }, Some(job)) => {
            let out_of_memory = cause == Some(Cause::OutOfMemory);
            let lost = Why::Lost { last: why.clone(), out_of_memory };
            let outcome = lost::outcome(job, attempts, &lost, Time::now());
            desk.conclude(job, outcome).await.map_err(|later| later.why)?;
            Ok(format!("given up after {attempts} attempts: {why}"))
        }
    }
}

/// Notes how the launch before this attempt ended, since ECS forgets stopped tasks after an hour.
async fn note<D>(
    desk: &Desk<D>,
    records: &Records,
    number: u32,
    seen: Option<&Seen>,
) -> Result<(), LedgerError> {
    let Some(Seen::Over { cause, .. }) = seen else { return Ok(()) };
    let before = records.launches.iter().find(|launch| launch.number + 1 == number);
    let Some(before) = before.filter(|launch| launch.ended.is_none()) else { return Ok(()) };
    let mut before = before.clone();
    before.ended = Some(cause.to_string());
    desk.ledger.launched(&records.marker.id, &before).await
}

async fn launch<D: Directory>(
    desk: &Desk<D>,
    job: &Job,
    number: u32,
    larger: u32,
    why: &str,
) -> Result<String, String> {
    let function = desk.directory.describe(&job.function).await;
    let function = function.map_err(|error| error.to_string())?;
    match desk.start(job, &function, number, larger).await {
        Ok(Start::Started(id)) => Ok(format!("attempt {number} is started as {id}: {why}")),
        Ok(Start::Impossible(why)) => Ok(format!("no attempt {number}: {why}")),
        Err(later) => Err(later.why),
    }
}
