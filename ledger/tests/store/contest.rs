//! Contenders for one job: each records it, claims attempts, decides the outcome and delivers it, and
//! dies and comes back by plan, on a store that fails by plan. Afterwards what each was told is held
//! against the ledger.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use ledger::{
    Attempt, Claim, Created, Decision, Facts, Job, JobId, Ledger, LedgerError, Origin, Outcome,
    Patience, Redacted, Root, Time,
};
use object_store::ObjectStore;
use proptest::prelude::*;

use super::faulty::{Fault, Faulty};

/// Attempts that are contended for.
const ATTEMPTS: u32 = 2;

/// What one contender goes through.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// What happens to its calls, in this order; then nothing more.
    pub(crate) faults: Vec<Fault>,
    /// After how many steps it dies, once for each life; the last one it lives to the end, or not.
    pub(crate) deaths: Vec<usize>,
    /// Whether it dies for good with the last of these.
    pub(crate) for_good: bool,
}

impl Plan {
    /// Whether it ends with a whole life.
    fn is_survived(&self) -> bool {
        !self.for_good || self.deaths.is_empty()
    }
}

/// Up to five contenders, each with its plan.
pub(crate) fn plans() -> impl Strategy<Value = Vec<Plan>> {
    let fault = prop_oneof![
        4 => Just(Fault::None),
        1 => Just(Fault::Throttled),
        2 => Just(Fault::Unanswered),
        1 => Just(Fault::Conflict),
    ];
    let faults = prop::collection::vec(fault, 0..12);
    let deaths = prop::collection::vec(0_usize..40, 0..3);
    let plan = (faults, deaths, any::<bool>()).prop_map(|(faults, deaths, for_good)| Plan {
        faults,
        deaths,
        for_good,
    });
    prop::collection::vec(plan, 1..=5)
}

/// What a contender was told.
#[derive(Debug, Clone, PartialEq)]
enum Told {
    Recorded,
    WasRecorded,
    Owns(u32, String),
    Decided(String),
    WasDecided(String),
    Delivered,
}

type Notes = Rc<RefCell<Vec<Vec<Told>>>>;
/// A contender's life to the end, or to its death.
pub(crate) type Life = Pin<Box<dyn Future<Output = ()>>>;

/// A contest on a store.
pub(crate) struct Contest {
    store: Arc<dyn ObjectStore>,
    root: Root,
    id: JobId,
    notes: Notes,
}

impl Contest {
    /// For a job of this name below this root.
    pub(crate) fn new(store: Arc<dyn ObjectStore>, root: &Root, id: &str) -> Self {
        Self { store, root: root.clone(), id: id.parse().unwrap(), notes: Notes::default() }
    }

    /// The contenders, ready to begin.
    pub(crate) fn lives(&self, plans: &[Plan]) -> Vec<Life> {
        self.notes.borrow_mut().resize(plans.len(), Vec::new());
        let life = |(number, plan): (usize, &Plan)| {
            let store = Faulty::new(self.store.clone(), plan.faults.iter().copied());
            let ledger = patient(Ledger::over(Arc::new(store), &self.root).unwrap());
            let contender = Contender::new(number, &self.id, ledger, self.notes.clone());
            Box::pin(live(Rc::new(contender), plan.clone())) as Life
        };
        plans.iter().enumerate().map(life).collect()
    }

    /// Holds what they were told against what is recorded.
    pub(crate) async fn judge(&self, plans: &[Plan]) {
        let ledger = patient(Ledger::over(self.store.clone(), &self.root).unwrap());
        let job = ledger.job(&self.id).await.unwrap();
        let outcome = ledger.outcome(&self.id).await.unwrap();
        let attempts = ledger.attempts(&self.id).await.unwrap();
        let active = ledger.active().await.unwrap();
        let notes = self.notes.borrow().clone();
        let told = || notes.iter().flatten();
        let recorded = |told: &Told| matches!(told, Told::Recorded | Told::WasRecorded);
        let gone = job.is_none() && told().any(recorded);
        assert!(!gone, "a job that was recorded is gone: {notes:?}");
        let recorders = notes.iter().filter(|notes| notes.contains(&Told::Recorded)).count();
        assert!(recorders <= 1, "a job that was new to {recorders}: {notes:?}");
        if let Some(job) = &job {
            let event = ledger.event(job).await.unwrap();
            assert_eq!(event.expose(), EVENT, "{notes:?}");
        }
        for number in 1..=ATTEMPTS {
            self.judge_attempt(number, &attempts, &notes);
        }
        judge_outcome(outcome.as_ref(), &notes);
        let response = ledger.response(&self.id).await.unwrap();
        assert_eq!(
            response.is_some(),
            outcome.is_some(),
            "an outcome is never without its response"
        );
        let delivered = told().any(|told| *told == Told::Delivered);
        let marked = active.iter().any(|active| active.id == self.id);
        assert!(job.is_none() || marked || delivered, "a job without a marker: {notes:?}");
        if plans.iter().all(Plan::is_survived) {
            assert_eq!(recorders, 1, "a job that was new to nobody: {notes:?}");
            assert!(outcome.is_some() && delivered && !marked, "a job that was left: {notes:?}");
        }
    }

    fn judge_attempt(&self, number: u32, attempts: &[Attempt], notes: &[Vec<Told>]) {
        let owns = |told: &Told| matches!(told, Told::Owns(n, _) if *n == number);
        let owners = notes.iter().filter(|notes| notes.iter().any(owns)).count();
        assert!(owners <= 1, "attempt {number} of {} has {owners} owners: {notes:?}", self.id);
        let recorded = attempts.iter().find(|attempt| attempt.number == number);
        for told in notes.iter().flatten().filter(|told| owns(told)) {
            let recorded = recorded.expect("an attempt that is owned is recorded");
            let writer = format!("{:?}", recorded.writer);
            assert_eq!(*told, Told::Owns(number, writer), "{notes:?}");
        }
    }
}

fn judge_outcome(outcome: Option<&Outcome>, notes: &[Vec<Told>]) {
    let mut firsts = 0;
    for notes in notes {
        let mine = notes.iter().any(|told| matches!(told, Told::Decided(_)));
        firsts += usize::from(mine);
        for told in notes {
            if let Told::Decided(writer) | Told::WasDecided(writer) = told {
                let recorded = outcome.expect("an outcome that is decided is recorded");
                assert_eq!(*writer, format!("{:?}", recorded.writer), "{notes:?}");
            }
        }
    }
    assert!(firsts <= 1, "{firsts} outcomes: {notes:?}");
}

/// Larger than what fits into a record, so that it is an object of its own.
pub(crate) const EVENT: &str = " {\"event\": 1.0}";

fn patient(ledger: Ledger) -> Ledger {
    // No waits: time is not what is tried here.
    ledger.with_patience(Patience { first: std::time::Duration::ZERO, ..Patience::default() })
}

struct Contender {
    number: usize,
    job: Job,
    attempts: Vec<Attempt>,
    outcomes: Vec<Outcome>,
    ledger: Ledger,
    notes: Notes,
}

impl Contender {
    fn new(number: usize, id: &JobId, ledger: Ledger, notes: Notes) -> Self {
        let (origin, now) = (Origin::default(), Time::from_millis(0));
        let job = Job::new(id.clone(), "f", EVENT.into(), origin, now);
        let attempts = (1..=ATTEMPTS).map(|number| Attempt::new(number, "0", now)).collect();
        let outcomes = (1..=ATTEMPTS).map(outcome).collect();
        Self { number, job, attempts, outcomes, ledger, notes }
    }

    fn note(&self, told: Told) {
        self.notes.borrow_mut()[self.number].push(told);
    }

    /// From the message to its deletion. After a death it begins again, with the same nonces: a call
    /// that is repeated must be answered as the first would have been.
    async fn strive(&self) -> Result<(), LedgerError> {
        self.note(match self.ledger.create(&self.job).await? {
            Created::New => Told::Recorded,
            Created::Existing(_) => Told::WasRecorded,
        });
        for (attempt, outcome) in self.attempts.iter().zip(&self.outcomes) {
            match self.ledger.claim(&self.job.id, attempt).await? {
                Claim::Taken(_) => {}
                Claim::Decided(outcome) => return self.deliver(&outcome, Told::WasDecided).await,
                Claim::Mine => {
                    let writer = format!("{:?}", attempt.writer);
                    self.note(Told::Owns(attempt.number, writer));
                    return self.end(outcome).await;
                }
            }
        }
        Ok(())
    }

    async fn end(&self, outcome: &Outcome) -> Result<(), LedgerError> {
        let response = futures_util::stream::iter([Ok("response".into())]);
        let stored = self.ledger.spool(&self.job.id, outcome.attempt, response).await?;
        let outcome = &Outcome { response: Some(stored), ..outcome.clone() };
        match self.ledger.decide(&self.job.id, outcome).await? {
            Decision::First => self.deliver(outcome, Told::Decided).await,
            Decision::Already(other) => {
                self.ledger.discard(&self.job.id, outcome.attempt).await?;
                self.deliver(&other, Told::WasDecided).await
            }
        }
    }

    async fn deliver(
        &self,
        outcome: &Outcome,
        told: impl Fn(String) -> Told,
    ) -> Result<(), LedgerError> {
        self.note(told(format!("{:?}", outcome.writer)));
        self.ledger.settle(&self.job.id, outcome).await?;
        // From here on the marker may be gone, even if the answer never comes.
        self.note(Told::Delivered);
        self.ledger.delivered(&self.job.id).await
    }
}

fn outcome(attempt: u32) -> Outcome {
    let record = serde_json::value::RawValue::from_string("{}".to_owned()).unwrap();
    Outcome::new(attempt, Redacted::new(record), Facts::new(attempt, 1.0))
}

/// Lives until the plan says that it dies, and begins again.
async fn live(contender: Rc<Contender>, plan: Plan) {
    for &steps in &plan.deaths {
        if let Some(result) = mortal(contender.strive(), steps).await {
            return result.unwrap();
        }
    }
    if plan.is_survived() {
        contender.strive().await.unwrap();
    }
}

/// So many steps of a future; then it is dropped where it stands.
async fn mortal<T>(future: impl Future<Output = T>, mut steps: usize) -> Option<T> {
    let mut future = Box::pin(future);
    poll_fn(|context| {
        if steps == 0 {
            return Poll::Ready(None);
        }
        steps -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

/// Runs lives in the order that the schedule says, one step at a time.
pub(crate) fn interleave(mut lives: Vec<Life>, schedule: &[usize]) {
    let mut context = Context::from_waker(Waker::noop());
    let mut turns = schedule.iter().copied().cycle();
    while !lives.is_empty() {
        let turn = turns.next().unwrap_or_default() % lives.len();
        if lives[turn].as_mut().poll(&mut context).is_ready() {
            drop(lives.swap_remove(turn));
        }
    }
}
