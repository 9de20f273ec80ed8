//! A job of a ledger: claimed, run, its outcome decided and delivered. Once the attempt is ours, every way out is
//! recorded; only a process that is killed leaves a claim without a word.

mod batch;
mod claim;
mod heart;
pub(super) mod settings;

use ledger::{Decision, Destination, INLINE, Job, Ledger, Outcome, Root, State, Time, mutant};

use super::attempt::{self, Ran, Tried};
use super::decided::Decided;
use super::deliver::{self, say, within};
use super::error::RunError;
use crate::causes::causes;
use crate::code::Code;
use crate::config::{Claimable, Environment};
use crate::outcome::{self, Try};
use crate::signals::{Signals, Stop};
use claim::{Entered, Held};

/// Runs an attempt at a job.
pub(super) async fn run(
    asked: Claimable,
    destinations: Option<Vec<Destination>>,
    environment: &impl Environment,
    signals: Signals,
) -> Result<Code, RunError> {
    let Signals { mut stop, child } = signals;
    let Some(entered) = claim::enter(&asked, environment, &mut stop).await? else {
        return Ok(Code::Interrupted);
    };
    let desk = |ledger, job| Desk { ledger, job, destinations, asked: &asked };
    match entered {
        Entered::Nothing(why) => {
            say(&why);
            Ok(Code::Success)
        }
        Entered::Undelivered(ledger, job, outcome) => {
            Box::pin(desk(ledger, *job).deliver(&mut stop, *outcome)).await
        }
        Entered::Mine(held, job) => {
            let desk = desk(held.ledger.clone(), *job);
            let files = matches!(asked.root, Root::Directory(_));
            let tried = async {
                let run = tokio::select! {
                    run = settings::of(&desk.job, &desk.ledger, &asked) => run?,
                    _ = stop.asked() => return Ok(Tried::Interrupted),
                };
                Box::pin(attempt::once(run, files, environment, &mut stop, child)).await
            };
            let tried = Box::pin(heart::beating(&desk.job, desk.region(), tried)).await;
            Box::pin(desk.conclude(&mut stop, *held, tried)).await
        }
    }
}

/// A job whose attempt is over, and where its outcome goes.
struct Desk<'a> {
    ledger: Ledger,
    job: Job,
    destinations: Option<Vec<Destination>>,
    asked: &'a Claimable,
}

impl Desk<'_> {
    /// Records how the attempt ended, and delivers the outcome if that is one.
    async fn conclude(
        self,
        stop: &mut Stop,
        held: Held,
        tried: Result<Tried, RunError>,
    ) -> Result<Code, RunError> {
        let timeout = self.asked.limits.stop_timeout;
        let (outcome, error) = match tried {
            Ok(Tried::Interrupted) => {
                if mutant("interrupted-is-done") {
                    self.ledger.delivered(&self.job.id).await?;
                }
                self.note(stop, held, State::Interrupted, "told to stop").await;
                return Ok(Code::Interrupted);
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
            return Ok(Code::Success);
        }
        self.note(stop, held, State::Ended, how(&outcome)).await;
        let code = Box::pin(self.deliver(stop, outcome)).await?;
        error.map_or(Ok(code), Err)
    }

    /// Notes how far the attempt is. What decides is the outcome: a note that fails, or has no time left, is only said.
    async fn note(&self, stop: &mut Stop, held: Held, state: State, reason: &str) {
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
        let Ran { function, event, answer } = ran;
        let record = outcome::record(&event, &function.version, answer.failed, self.tried());
        let number = self.asked.attempt;
        let facts = outcome::facts(&answer, number);
        let (record, facts) = outcome::partial(record, facts, failed);
        if let Some(bytes) = answer.payload.small(INLINE) {
            return Ok(Outcome::new(number, record.whole(bytes), facts));
        }
        let pieces = answer.payload.into_pieces().map_err(RunError::Undelivered)?.stream();
        let stored = self.ledger.spool(&self.job.id, number, pieces).await;
        let mut outcome = Outcome::new(number, record.bare(), facts);
        outcome.response = Some(stored.map_err(RunError::Unrecorded)?);
        Ok(outcome)
    }

    /// Where AWS is asked.
    fn region(&self) -> Option<String> {
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
        Outcome::new(number, record.whole(&payload), outcome::refused(number))
    }

    fn tried(&self) -> Try {
        let before = self.job.origin.approximate_invoke_count.unwrap_or_default();
        Try { attempt: self.asked.attempt, before, now: Time::now() }
    }

    /// Delivers an outcome that is decided, and strikes the job off the unfinished ones.
    async fn deliver(&self, stop: &mut Stop, outcome: Outcome) -> Result<Code, RunError> {
        let timeout = self.asked.limits.stop_timeout;
        let code = match outcome.facts.blame {
            Some(_) => Code::FunctionFailed,
            None => Code::Success,
        };
        let decided = self.decided();
        let packed = Box::pin(within(stop, timeout, decided.packed(&outcome))).await;
        let (config, parcel, route) = packed.ok_or(RunError::NoTime("deliver the outcome"))??;
        if mutant("strike-before-delivering") {
            self.ledger.delivered(&self.job.id).await?;
        }
        Box::pin(deliver::deliver(stop, timeout, &config, &parcel, route)).await?;
        let struck = within(stop, timeout, decided.strike(outcome)).await;
        struck.ok_or(RunError::NoTime("record that the outcome was delivered"))??;
        Ok(code)
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
