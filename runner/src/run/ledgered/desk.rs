//! What becomes of an attempt that is ours: how it ended is recorded, its outcome decided and delivered, and the job
//! struck off. The same for a program that is there for one attempt and for a worker that makes many.

use std::io;

use bytes::Bytes;
use ledger::{Decision, Destination, INLINE, Job, Ledger, Outcome, State, Stored, Time, mutant};

use super::claim::Held;
use super::{batch, settings};
use crate::causes::causes;
use crate::code::Code;
use crate::config::Claimable;
use crate::job::Event;
use crate::outcome::{self, Try};
use crate::run::attempt::{Ran, Tried};
use crate::run::decided::Decided;
use crate::run::deliver::{self, say, within};
use crate::run::error::{RunError, machine};
use crate::signals::Stop;

/// A job whose attempt is over, and where its outcome goes.
pub(in crate::run) struct Desk {
    pub(in crate::run) ledger: Ledger,
    pub(in crate::run) job: Job,
    pub(in crate::run) destinations: Option<Vec<Destination>>,
    pub(in crate::run) asked: Claimable,
}

/// What an attempt came to, when all of that is recorded.
pub(in crate::run) struct Concluded {
    /// The exit code of a program that was there for this attempt alone.
    pub(in crate::run) code: Code,
    /// Why the job was refused, where it was.
    pub(in crate::run) refusal: Option<RunError>,
}

impl From<Code> for Concluded {
    fn from(code: Code) -> Self {
        Self { code, refusal: None }
    }
}

impl Desk {
    /// Records how the attempt ended, and delivers the outcome if that is one.
    pub(in crate::run) async fn conclude(
        &self,
        stop: &mut Stop,
        held: &Held,
        tried: Result<Tried, RunError>,
    ) -> Result<Concluded, RunError> {
        let timeout = self.asked.limits.stop_timeout;
        let (mut outcome, refusal) = match tried {
            Ok(Tried::Interrupted(why)) => {
                if mutant("interrupted-is-done") {
                    self.ledger.delivered(&self.job.id).await?;
                }
                self.note(stop, held, State::Interrupted, why).await;
                return Ok(Code::Interrupted.into());
            }
            Ok(Tried::Answered(ran)) => {
                let recorded = within(stop, timeout, self.answered(*ran)).await;
                (recorded.ok_or(RunError::NoTime("record the outcome"))??, None)
            }
            Err(error) if Code::from(&error) == Code::Refused => {
                (self.refused(&error), Some(error))
            }
            Err(error) => {
                self.note(stop, held, State::Ended, &causes(&error)).await;
                return Err(error);
            }
        };
        if mutant("deliver-before-deciding") {
            let (config, parcel, route) = Box::pin(self.decided().packed(&outcome)).await?;
            Box::pin(deliver::deliver(stop, timeout, &config, &parcel, route)).await?;
        }
        outcome.delivered = self.decided().is_for_nobody(&outcome).then(Time::now);
        let decision = within(stop, timeout, self.ledger.decide(&self.job.id, &outcome)).await;
        let decision = decision.ok_or(RunError::NoTime("record the outcome"))?;
        if let Decision::Already(other) = decision.map_err(RunError::Unrecorded)?
            && !mutant("deliver-own-outcome")
        {
            let discarding = self.ledger.discard(&self.job.id, self.asked.attempt);
            let _best_effort = within(stop, timeout, discarding).await;
            say(&format!(
                "attempt {} has decided this job's outcome: nothing was to be done",
                other.attempt
            ));
            return Ok(Code::Success.into());
        }
        self.note(stop, held, State::Ended, how(&outcome)).await;
        let code = Box::pin(self.deliver(stop, outcome)).await?;
        Ok(Concluded { code, refusal })
    }

    /// Notes how far the attempt is. What decides is the outcome: a note that fails, or has no time left, is only said.
    async fn note(&self, stop: &mut Stop, held: &Held, state: State, reason: &str) {
        let timeout = self.asked.limits.stop_timeout;
        let problem = match within(stop, timeout, held.note(state, reason)).await {
            Some(Ok(())) => return,
            Some(Err(error)) => causes(&error),
            None => "there was no time left".to_owned(),
        };
        say(&format!("the attempt's end was not noted: {problem}"));
    }

    /// The outcome of a job that has its answer. A large one is in the ledger before the outcome is.
    async fn answered(&self, ran: Ran) -> Result<Outcome, RunError> {
        let failed = Box::pin(batch::failed_items(&ran, self.region())).await;
        let Ran { version, event, answer } = ran;
        let (request, stored) = self.request(&event).await.map_err(machine("reading the event"))?;
        let record = outcome::record(&event, request, &version, answer.failed, self.tried());
        let number = self.asked.attempt;
        let facts = outcome::facts(&answer, number);
        let (record, facts) = outcome::partial(record, facts, failed);
        if let Some(bytes) = answer.payload.small(INLINE) {
            let outcome = Outcome::new(number, record.whole(bytes), facts);
            return Ok(Outcome { request: stored, ..outcome });
        }
        let pieces = answer.payload.into_pieces().map_err(RunError::Undelivered)?.stream();
        let spooled = self.ledger.spool(&self.job.id, number, pieces).await;
        let mut outcome = Outcome::new(number, record.bare(), facts);
        (outcome.request, outcome.response) =
            (stored, Some(spooled.map_err(RunError::Unrecorded)?));
        Ok(outcome)
    }

    /// The event as the outcome has it: in its record, or where it is.
    async fn request(&self, event: &Event) -> io::Result<(Option<Bytes>, Option<Stored>)> {
        let most = self.job.event_object().map_or(usize::MAX, |_| INLINE);
        let bytes = event.payload.expose().small(most).await?;
        let stored = self.job.event_object().filter(|_| bytes.is_none()).cloned();
        Ok((bytes, stored))
    }

    /// Where AWS is asked.
    pub(in crate::run) fn region(&self) -> Option<String> {
        self.decided().region()
    }

    fn decided(&self) -> Decided<'_> {
        Decided {
            ledger: &self.ledger,
            job: &self.job,
            destinations: self.destinations.as_deref(),
            region: self.asked.region.clone(),
        }
    }

    /// The outcome of a job that no attempt can run.
    fn refused(&self, error: &RunError) -> Outcome {
        let number = self.asked.attempt;
        let (record, payload) = settings::refused(&self.job, self.tried(), &causes(error));
        let outcome = Outcome::new(number, record.whole(&payload), outcome::refused(number));
        Outcome { request: self.job.event_object().cloned(), ..outcome }
    }

    fn tried(&self) -> Try {
        let before = self.job.origin.approximate_invoke_count.unwrap_or_default();
        Try { attempt: self.asked.attempt, before, now: Time::now() }
    }

    /// Delivers an outcome that is decided, where it is not yet, and strikes the job off the unfinished ones.
    pub(in crate::run) async fn deliver(
        &self,
        stop: &mut Stop,
        outcome: Outcome,
    ) -> Result<Code, RunError> {
        let code = match outcome.facts.blame {
            Some(_) => Code::FunctionFailed,
            None => Code::Success,
        };
        if outcome.delivered.is_none() {
            Box::pin(self.send(stop, &outcome)).await?;
        }
        let (timeout, decided) = (self.asked.limits.stop_timeout, self.decided());
        let struck = within(stop, timeout, decided.strike(outcome)).await;
        struck.ok_or(RunError::NoTime("record that the outcome was delivered"))??;
        Ok(code)
    }

    async fn send(&self, stop: &mut Stop, outcome: &Outcome) -> Result<(), RunError> {
        let (timeout, decided) = (self.asked.limits.stop_timeout, self.decided());
        let packed = Box::pin(within(stop, timeout, decided.packed(outcome))).await;
        let (config, parcel, route) = packed.ok_or(RunError::NoTime("deliver the outcome"))??;
        if mutant("strike-before-delivering") {
            self.ledger.delivered(&self.job.id).await?;
        }
        Box::pin(deliver::deliver(stop, timeout, &config, &parcel, route)).await
    }
}

/// How an attempt that decided the outcome ended, in a word.
fn how(outcome: &Outcome) -> &str {
    match (&outcome.facts.error_type, outcome.facts.blame) {
        (Some(kind), _) => kind,
        (None, Some(_)) => "failed",
        (None, None) => "succeeded",
    }
}
