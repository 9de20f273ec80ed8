//! One attempt from its intention to its start. Owns the order of its steps, each of which can be repeated by anybody after
//! a crash at any instant: the intention is recorded once, what is started is asked for with a token, and what was
//! started is recorded. What the launcher does with it is `launch`'s business.

use std::time::Duration;

use ledger::{Job, Launch, LedgerError, Time, mutant};
use serde_json::Value;

use crate::dispatch::{Desk, Later, address};
use crate::failpoint::failpoint;
use crate::function::Function;
use crate::launch::mode::Mode;
use crate::launch::{Launched, Refused};
use crate::lost::{self, Why};
use crate::place::{self, Wanted};
use crate::resolve::directory::Directory;

/// So long a launcher knows a token at least (ECS developer guide, "Ensuring idempotency": as long as the task lives,
/// and an hour).
const TOKEN: Duration = Duration::from_hours(1);

/// What became of a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// It is started, now or before.
    Started(String),
    /// It cannot be: the job's outcome says so.
    Impossible(String),
}

impl<D: Directory> Desk<D> {
    /// Starts an attempt, or finds that it was started.
    pub async fn start(
        &self,
        job: &Job,
        function: &Function,
        number: u32,
        larger: u32,
    ) -> Result<Start, Later> {
        let mode = self.config.of(function).mode;
        let (by_worker, why) = self.launcher.by_worker(function, mode, larger, true);
        if !by_worker && mode.unwrap_or(self.config.worker.mode) == Mode::Worker {
            tracing::info!(job = %job.id, "{why}");
        }
        let placement = match self.placed(job, function, number, larger, by_worker) {
            Ok(placement) => placement,
            Err(why) => return self.impossible(job, number, why).await,
        };
        let kind = self.launcher.name(by_worker);
        let mut mine = Launch::new(number, kind, placement.clone(), Time::now());
        mine.larger = larger;
        let writer = mine.writer.clone();
        let mut launch = self.intended(job, mine).await?;
        failpoint("intended");
        if let Some(id) = launch.id.clone().filter(|_| launch.started.is_some()) {
            return Ok(Start::Started(id));
        }
        let now = Time::now();
        if let Some(moment) = launch.not_before.filter(|moment| *moment > now) {
            let why = launch.refused.unwrap_or_default();
            return Err(Later { why, after: moment.since(now) });
        }
        // A new series asks anew, so that what has changed since counts; a repetition must not differ.
        if !self.launcher.has(&launch.launcher) || launch.refused.is_some() && launch.series > 1 {
            (launch.launcher, launch.placement) = (kind.to_owned(), placement);
        }
        failpoint("starting");
        let answer = self.asked(job, &launch, launch.writer != writer, now).await;
        failpoint("started");
        match answer {
            Ok(Launched { id }) => self.started(job, launch, id).await,
            Err(Refused::Later { why, after, anew, .. }) => {
                self.put_off(job, launch, Later { why, after }, anew).await
            }
            Err(Refused::Never { why }) => self.impossible(job, number, why).await,
        }
    }

    /// Where and how it is to run, or why nowhere.
    fn placed(
        &self,
        job: &Job,
        function: &Function,
        attempt: u32,
        larger: u32,
        by_worker: bool,
    ) -> Result<Value, String> {
        self.launcher.place(&Wanted {
            function,
            job: &job.id,
            address: &address(self.ledger.root(), &job.id),
            tenant: job.context.tenant.as_deref(),
            attempt,
            larger,
            by_worker,
            destinations: self.config.destinations.as_deref(),
        })
    }

    /// What is recorded of this launch, by us or by who came first.
    async fn intended(&self, job: &Job, launch: Launch) -> Result<Launch, LedgerError> {
        if mutant("intend-nothing") {
            return Ok(launch);
        }
        self.ledger.intend(&job.id, launch).await
    }

    /// Asks the launcher, unless an earlier request has started it whose token may have been forgotten since.
    async fn asked(
        &self,
        job: &Job,
        launch: &Launch,
        repeated: bool,
        now: Time,
    ) -> Result<Launched, Refused> {
        let (name, placement) = (launch.launcher.as_str(), &launch.placement);
        if now.since(launch.intended) >= TOKEN
            && let Some(id) = self.launcher.find(name, placement).await?
        {
            return Ok(Launched { id });
        }
        self.launcher.launch(name, placement, &token(job, launch), repeated).await
    }

    async fn started(&self, job: &Job, launch: Launch, id: String) -> Result<Start, Later> {
        let launch = launch.as_started(&id, Time::now());
        self.ledger.launched(&job.id, &launch).await?;
        self.watched.launched(&job.id, &launch, self.config.serve.every, None);
        failpoint("start-recorded");
        if mutant("forget-after-start") {
            self.ledger.delivered(&job.id).await?;
        }
        Ok(Start::Started(id))
    }

    /// It was refused for now, which is recorded, unless another dispatcher was luckier meanwhile.
    async fn put_off(
        &self,
        job: &Job,
        launch: Launch,
        later: Later,
        anew: bool,
    ) -> Result<Start, Later> {
        let known = self.ledger.launches(&job.id).await?;
        let started =
            known.into_iter().find(|one| one.number == launch.number && one.started.is_some());
        if let Some(id) = started.and_then(|launch| launch.id) {
            return Ok(Start::Started(id));
        }
        let moment = Time::now().after(later.after);
        self.ledger.launched(&job.id, &launch.as_refused(&later.why, moment, anew)).await?;
        Err(later)
    }

    async fn impossible(&self, job: &Job, number: u32, why: String) -> Result<Start, Later> {
        let attempts = number.saturating_sub(1);
        let outcome = lost::outcome(job, attempts, &Why::Impossible(why.clone()), Time::now());
        self.conclude(job, outcome).await?;
        Ok(Start::Impossible(why))
    }
}

fn token(job: &Job, launch: &Launch) -> String {
    if mutant("token-at-random") {
        return uuid::Uuid::new_v4().to_string();
    }
    let number = if mutant("token-without-attempt") { 1 } else { launch.number };
    place::token(&job.id, number, launch.series)
}
