//! From a message to a job that may begin: found, known to be for this worker, its attempt claimed. What leads to no
//! job is answered here: the message is deleted where the ledger says that nothing is to be done, else given back.

use std::rc::Rc;
use std::time::{Duration, Instant};

use ledger::{Attempt, Job, Ledger, Outcome, Pointer, Time, Writer};

use super::Shared;
use super::finish::{self, pause};
use super::functions::{Elsewhere, Known};
use super::hands::Hand;
use super::turn::{Turn, turn};
use crate::causes::causes;
use crate::clock::{Clock, millis};
use crate::config::{Claimable, Environment};
use crate::job::Event;
use crate::run::deliver::say;
use crate::run::error::RunError;
use crate::run::event;
use crate::run::ledgered::claim::{self, Entered, Held, Nothing};
use crate::run::ledgered::desk::Desk;
use crate::run::ledgered::settings;
use crate::session::Millis;

/// Attempts at a job before it is left to whoever gives jobs up, unless the job says so.
const ATTEMPTS: u32 = 3;
/// A message that is not for this worker is put aside for so long: another may take it.
const ASIDE: Duration = Duration::from_secs(30);

/// A job that may begin: its attempt is ours.
pub(super) struct Ready {
    pub(super) hand: Rc<Hand>,
    pub(super) desk: Desk,
    pub(super) held: Rc<Held>,
    pub(super) known: Rc<Known>,
    pub(super) event: Event,
    pub(super) limit: Millis,
    pub(super) since: Instant,
}

/// What becomes of a message that leads to no job.
enum Instead {
    /// It has done its duty.
    Done(String),
    /// It comes again after this time.
    Back(String, Duration),
    /// That has been seen to.
    Nothing,
}

impl From<RunError> for Instead {
    fn from(error: RunError) -> Self {
        Self::Back(causes(&error), Duration::ZERO)
    }
}

impl From<ledger::LedgerError> for Instead {
    fn from(error: ledger::LedgerError) -> Self {
        RunError::from(error).into()
    }
}

impl From<Elsewhere> for Instead {
    fn from(Elsewhere(why): Elsewhere) -> Self {
        Self::Back(format!("not for this worker: {why}"), ASIDE)
    }
}

/// Does what a message asks for, up to the job's beginning.
pub(super) async fn take<E: Environment>(shared: &Shared<E>, hand: Rc<Hand>) -> Option<Ready> {
    match Box::pin(claimed(shared, &hand)).await {
        Ok(ready) => return Some(ready),
        Err(Instead::Nothing) => {}
        Err(Instead::Done(why)) => {
            say(&why);
            shared.hands.done(&hand);
        }
        Err(Instead::Back(why, after)) => {
            let after = if after.is_zero() { pause(hand.letter.count) } else { after };
            let id = &hand.letter.id;
            say(&format!("message {id} is given back for {} s: {why}", after.as_secs()));
            shared.hands.back(&hand, after);
        }
    }
    None
}

async fn claimed<E: Environment>(shared: &Shared<E>, hand: &Rc<Hand>) -> Result<Ready, Instead> {
    let pointer = Pointer::read(hand.letter.body.expose().as_bytes());
    let pointer = pointer.map_err(|error| Instead::Back(causes(&error), Duration::ZERO))?;
    if let Some(only) = shared.work.ledger.as_ref().filter(|only| **only != pointer.root) {
        let why = format!("expected a job of {only}, found one of {}", pointer.root);
        return Err(Elsewhere(why).into());
    }
    let ledger = shared.functions.ledger(&pointer.root).await?;
    let job = claim::find(&ledger, &pointer.job).await?;
    shared.functions.is_ours(&job.function)?;
    // A function of which nothing can be learnt costs an attempt, as it would elsewhere.
    let known = shared.functions.of(&job.function).await;
    if let Ok(known) = &known {
        known.is_here()?;
    }
    let mut desk = desk(shared, ledger, job, &pointer);
    let held = match attempt(shared, &mut desk).await? {
        Entered::Mine(held) => Rc::from(held),
        // A later attempt than the decider's, but only this worker's own: nobody has judged the decider yet.
        Entered::Undelivered(outcome) if pointer.attempt <= outcome.attempt => {
            return Err(nothing_to_do(shared, hand, &desk, Nothing::Decided(outcome)).await);
        }
        Entered::Undelivered(outcome) => return Err(deliver(shared, hand, &desk, *outcome).await),
        Entered::Nothing(nothing) => return Err(nothing_to_do(shared, hand, &desk, nothing).await),
    };
    hand.holds(&held);
    match begun(known, &desk).await {
        Ok((known, event, limit)) => {
            let (hand, since) = (Rc::clone(hand), Instant::now());
            Ok(Ready { hand, desk, held, known, event, limit, since })
        }
        Err(error) => {
            Box::pin(finish::conclude(shared, hand, &desk, &held, Err(error))).await;
            Err(Instead::Nothing)
        }
    }
}

fn desk<E>(shared: &Shared<E>, ledger: Ledger, job: Job, pointer: &Pointer) -> Desk {
    let work = &shared.work;
    let asked = Claimable {
        root: pointer.root.clone(),
        id: pointer.job.clone(),
        attempt: pointer.attempt,
        region: work.region.clone(),
        limits: work.limits.clone(),
        credentials: work.credentials,
    };
    Desk { ledger, job, destinations: work.destinations.clone(), asked }
}

/// The event of a job of ours, and how long it may take.
async fn begun(
    known: Result<Rc<Known>, RunError>,
    desk: &Desk,
) -> Result<(Rc<Known>, Event, Millis), RunError> {
    let known = known?;
    let run = settings::of(&desk.job, &desk.ledger, &desk.asked).await?;
    let payload = event::read(&run.event, None).await?;
    let arn = &known.described.function.arn;
    let event = Event::new(payload, run.context, arn, Clock::start().now());
    Ok((known, event, millis(run.limits.max_duration)))
}

/// Claims the attempt that the message points to, or the one that is due.
async fn attempt<E>(shared: &Shared<E>, desk: &mut Desk) -> Result<Entered, Instead> {
    let pointer = desk.asked.attempt;
    if pointer == 1 {
        match enter(shared, desk).await? {
            Entered::Nothing(Nothing::Taken(_)) => {}
            entered => return Ok(entered),
        }
    }
    let attempts = desk.ledger.attempts(&desk.job.id).await?;
    let most = desk.job.limits.attempts.unwrap_or(ATTEMPTS);
    match turn(pointer, &attempts, most, Time::now()) {
        Turn::Claim(number) => desk.asked.attempt = number,
        Turn::Wait(time) => {
            let time = time.max(Duration::from_secs(1));
            return Err(Instead::Back("its job is at work elsewhere".to_owned(), time));
        }
        Turn::Leave(why) => {
            let job = desk.asked.root.job(&desk.job.id);
            return Err(Instead::Done(format!("{job} is left to its record: {why}")));
        }
    }
    Ok(enter(shared, desk).await?)
}

async fn enter<E>(shared: &Shared<E>, desk: &Desk) -> Result<Entered, RunError> {
    let now = Time::now();
    let attempt = Attempt {
        number: desk.asked.attempt,
        writer: Writer::random(),
        started: now,
        alive_until: Some(now.after(shared.work.visibility)),
        ..shared.attempt.clone()
    };
    claim::enter(&desk.ledger, &desk.job.id, attempt).await
}

/// Delivers what another has decided and died over.
async fn deliver<E>(shared: &Shared<E>, hand: &Hand, desk: &Desk, outcome: Outcome) -> Instead {
    match Box::pin(desk.deliver(&mut shared.stop.clone(), outcome)).await {
        Ok(_) => shared.hands.done(hand),
        Err(error) => finish::failed(shared, hand, desk, &error),
    }
    Instead::Nothing
}

/// The attempt is not ours: why, and what becomes of the message.
async fn nothing_to_do<E>(
    shared: &Shared<E>,
    hand: &Hand,
    desk: &Desk,
    nothing: Nothing,
) -> Instead {
    let said = nothing.said(&desk.asked);
    match nothing {
        Nothing::Over(_) => Instead::Done(said),
        // Somebody was quicker. Whether all is well is seen when the message comes again.
        Nothing::Taken(_) => Instead::Back(said, shared.work.visibility),
        Nothing::Decided(outcome) => {
            let attempts = match desk.ledger.attempts(&desk.job.id).await {
                Ok(attempts) => attempts,
                Err(error) => return error.into(),
            };
            let decider = attempts.iter().find(|attempt| attempt.number == outcome.attempt);
            let heard = decider.map(|decider| decider.ended.unwrap_or(decider.started));
            let age = heard.map_or(Duration::MAX, |heard| Time::now().since(heard));
            match shared.work.visibility.checked_sub(age) {
                Some(rest) => Instead::Back(said, rest.max(Duration::from_secs(1))),
                None => deliver(shared, hand, desk, *outcome).await,
            }
        }
    }
}
