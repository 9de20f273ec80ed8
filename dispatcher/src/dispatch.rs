//! One message from its queue to its job: understood, resolved, judged, recorded; and a job's outcome, decided and
//! delivered. How an attempt is started is `start`'s business. Each step can be repeated by anybody after a crash at any
//! instant: jobs, launches and outcomes are created once.

use std::time::Duration;

use aws_config::SdkConfig;
use ledger::{
    Created, Decision, InvocationRecord, Job, JobId, Ledger, LedgerError, Outcome, Quarantined,
    Redacted, Time, mutant,
};
use runner::causes::causes;
use serde_json::value::RawValue;

use crate::config::{Config, QueueSettings};
use crate::deliver::deliver;
use crate::envelope::{self, Failed, Known, Understood};
use crate::failpoint::failpoint;
use crate::function::Function;
use crate::launch::Launcher;
use crate::lost::{self, Why};
use crate::message::Message;
use crate::policy::{self, Verdict};
use crate::reconcile::watched::Watched;
use crate::resolve::directory::{Directory, LookupError};
use crate::resolve::{Resolved, Unresolved, resolve};
use crate::start::Start;
use crate::{aws, jobs, quarantine};

/// What dispatching needs.
#[derive(Debug)]
pub struct Desk<D> {
    /// Where jobs are recorded.
    pub ledger: Ledger,
    /// Who knows functions.
    pub directory: D,
    /// What starts runners.
    pub launcher: Launcher,
    /// What it has started, as far as that is remembered.
    pub watched: Watched,
    /// The configuration.
    pub config: Config,
    /// Region, credentials, endpoints.
    pub sdk: SdkConfig,
}

/// What became of a message: it may be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Its job is recorded, and its first attempt was started.
    Launched {
        /// The job.
        job: JobId,
        /// What the launcher calls it.
        id: String,
    },
    /// Its job was known and under way.
    Known {
        /// The job.
        job: JobId,
    },
    /// It was refused, which is recorded as the outcome of its job.
    Refused {
        /// The job.
        job: JobId,
        /// Why.
        why: String,
    },
    /// It asks for nothing.
    Ignored(String),
    /// It is kept out of the way.
    Quarantined(String),
}

impl Fate {
    /// In a word, for logs and metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Launched { .. } => "launched",
            Self::Known { .. } => "known",
            Self::Refused { .. } => "refused",
            Self::Ignored(_) => "ignored",
            Self::Quarantined(_) => "quarantined",
        }
    }
}

/// Not now: the message is to come again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Later {
    /// Why.
    pub why: String,
    /// When.
    pub after: Duration,
}

/// How long to wait after a failure of the ledger or of AWS.
const PAUSE: Duration = Duration::from_secs(20);

impl Later {
    fn soon(why: String) -> Self {
        Self { why, after: PAUSE }
    }
}

impl From<LedgerError> for Later {
    fn from(error: LedgerError) -> Self {
        Self::soon(causes(&error))
    }
}

impl<D: Directory> Desk<D> {
    /// Does what a message asks for.
    pub async fn take(&self, message: &Message, queue: &QueueSettings) -> Result<Fate, Later> {
        let failed = match self.understand(message, queue).await? {
            Understood::Failed(failed) => failed,
            Understood::Ignore(why) => return Ok(Fate::Ignored(why)),
            Understood::Quarantine(reason) => return self.keep(message, reason.0).await,
            Understood::Fetch(_) => {
                return self.keep(message, "it points on and on".to_owned()).await;
            }
        };
        let settings = self.config.resolving(queue);
        let resolved = match resolve(&failed, &message.queue_arn, &self.directory, &settings).await
        {
            Ok(resolved) => resolved,
            Err(Unresolved::Later(why)) => return Err(Later::soon(why)),
            Err(Unresolved::Never(why)) => return self.keep(message, why).await,
        };
        failpoint("resolved");
        self.run(&failed, &resolved, message).await
    }

    /// What a message is, with the object that it may point to.
    async fn understand(
        &self,
        message: &Message,
        queue: &QueueSettings,
    ) -> Result<Understood, Later> {
        let known = known(queue);
        let understood = envelope::understand(message, queue.kind, &known);
        let Understood::Fetch(object) = understood else { return Ok(understood) };
        match aws::object(&self.sdk, &object).await {
            Ok(content) => Ok(envelope::understand_object(&object, content.expose())),
            Err(LookupError::Busy(why) | LookupError::Passing(why)) => Err(Later::soon(why)),
            Err(LookupError::Absent(why) | LookupError::Refused(why)) => {
                Ok(Understood::Quarantine(envelope::Reason(why)))
            }
        }
    }

    async fn keep(&self, message: &Message, reason: String) -> Result<Fate, Later> {
        let id = JobId::from_message(&message.queue_arn, &message.id);
        let kept = quarantine::printed(message);
        let kept = Quarantined::new(id, &message.queue_arn, &reason, kept, Time::now());
        if !mutant("quarantine-nothing") {
            self.ledger.quarantine(&kept).await?;
        }
        failpoint("quarantined");
        Ok(Fate::Quarantined(reason))
    }

    async fn run(
        &self,
        failed: &Failed,
        resolved: &Resolved,
        message: &Message,
    ) -> Result<Fate, Later> {
        let own = self.config.of(&resolved.function);
        let now = Time::now();
        let age = failed.failed_at.map(|at| now.since(at));
        if jobs::changed(failed, resolved) {
            tracing::warn!(job = %failed.job, "{} was changed after it failed: what runs is its present state", resolved.arn);
        }
        let job = jobs::job(failed, resolved, message, &own.defaults, now);
        match policy::judge(failed, age, &own.policy) {
            Verdict::Run { larger, .. } => self.begin(job, &resolved.function, larger).await,
            Verdict::Refuse(why) => self.refuse(failed, job, why).await,
        }
    }

    /// A job that is worth a run: recorded, and its first attempt started.
    async fn begin(&self, job: Job, function: &Function, larger: u32) -> Result<Fate, Later> {
        let job = self.recorded(job).await?;
        if self.ledger.outcome(&job.id).await?.is_some() {
            return Ok(Fate::Known { job: job.id });
        }
        match self.start(&job, function, 1, larger).await? {
            Start::Started(id) => Ok(Fate::Launched { job: job.id, id }),
            Start::Impossible(why) => Ok(Fate::Refused { job: job.id, why }),
        }
    }

    /// A failure that is not run again. That is decided before there is a job, which whoever looks after jobs would start.
    async fn refuse(&self, failed: &Failed, job: Job, why: String) -> Result<Fate, Later> {
        let outcome = refused(failed, &job, &why);
        if self.ledger.job(&job.id).await?.is_none() {
            self.ledger.decide(&job.id, &outcome).await?;
        }
        let job = self.recorded(job).await?;
        let decided = self.ledger.outcome(&job.id).await?;
        if decided.is_some_and(|other| other.writer != outcome.writer) {
            return Ok(Fate::Known { job: job.id });
        }
        self.conclude(&job, outcome).await?;
        Ok(Fate::Refused { job: job.id, why })
    }

    /// The job as it is recorded, now or before.
    async fn recorded(&self, job: Job) -> Result<Job, Later> {
        let job = match self.ledger.create(&job).await? {
            Created::New => job,
            Created::Existing(known) => *known,
        };
        failpoint("recorded");
        Ok(job)
    }

    /// Decides how a job ended, unless that is decided, and delivers the outcome that counts. One that cannot be
    /// delivered now stays marked as unfinished, and is delivered later.
    pub async fn conclude(&self, job: &Job, outcome: Outcome) -> Result<(), Later> {
        let outcome = match self.ledger.decide(&job.id, &outcome).await? {
            Decision::First => outcome,
            Decision::Already(other) => *other,
        };
        failpoint("decided");
        if outcome.delivered.is_some() {
            return Ok(self.ledger.delivered(&job.id).await?);
        }
        if let Err(why) = self.deliver(job, outcome).await {
            tracing::warn!(job = %job.id, "the outcome is not delivered yet: {why}");
        }
        Ok(())
    }

    /// Delivers an outcome that is decided.
    pub async fn deliver(&self, job: &Job, outcome: Outcome) -> Result<(), String> {
        let destinations = self.config.destinations.as_deref();
        let region = self.sdk.region().map(ToString::to_string);
        failpoint("delivering");
        let delivered = Box::pin(deliver(&self.ledger, job, outcome, destinations, region)).await;
        failpoint("delivered");
        delivered
    }
}

/// A failure that is not run again: its outcome is Lambda's own record where that came.
fn refused(failed: &Failed, job: &Job, why: &str) -> Outcome {
    let not_worth_it = Why::NotWorthIt(why.to_owned());
    let mut outcome = lost::outcome(job, 0, &not_worth_it, Time::now());
    if let Some(record) = failed.record.as_ref().and_then(own_record) {
        outcome = Outcome::new(0, record, outcome.facts);
    }
    outcome.facts.unknown.insert("reason".to_owned(), why.into());
    outcome
}

/// Lambda's own record, if it is one that destinations take.
fn own_record(record: &Redacted<bytes::Bytes>) -> Option<Redacted<Box<RawValue>>> {
    let raw: Box<RawValue> = serde_json::from_slice(record.expose()).ok()?;
    InvocationRecord::read(&raw).ok()?.0.request?;
    Some(Redacted::new(raw))
}

fn known(queue: &QueueSettings) -> Known {
    Known {
        record_buckets: queue.record_buckets.iter().cloned().collect(),
        plain_queues: queue.plain_sources.iter().cloned().collect(),
        default_function: queue.function.clone(),
    }
}

/// The address of a job in a ledger.
pub fn address(root: &ledger::Root, job: &JobId) -> String {
    root.job(job).to_string()
}

#[cfg(test)]
mod tests;
