//! What is known of functions, and the ledgers that are open: asked once, and again when it may have changed.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use ledger::{Ledger, Redacted, Root};
use tokio::sync::Mutex;

use crate::config::{self, Environment, EventSource, Run, Source, Variable, Work};
use crate::function::name::FunctionName;
use crate::run::error::RunError;
use crate::run::ledgered::claim;
use crate::run::prepare::{self, Described};

/// For so long a description counts: who changes a function waits for that long.
const FRESH: Duration = Duration::from_secs(10);
/// The most that are kept.
const MOST: usize = 1_000;

/// A function, and how it is run. Its event is not in it.
pub(super) struct Known {
    pub(super) described: Described,
    pub(super) run: Run,
}

/// What is known.
pub(super) struct Functions<E> {
    environment: E,
    work: Rc<Work>,
    known: Mutex<HashMap<String, (Instant, Rc<Known>)>>,
    ledgers: Mutex<Vec<(Root, Ledger)>>,
}

/// Why a job is not for this worker.
pub(super) struct Elsewhere(pub(super) String);

impl<E: Environment> Functions<E> {
    pub(super) fn new(work: Rc<Work>, environment: E) -> Self {
        Self { environment, work, known: Mutex::default(), ledgers: Mutex::default() }
    }

    /// The function of that name. One question at a time: those who wait have their answer by then.
    pub(super) async fn of(&self, name: &str) -> Result<Rc<Known>, RunError> {
        let mut all = self.known.lock().await;
        let before = all.get(name);
        if let Some((_, known)) = before.filter(|(asked, _)| asked.elapsed() < FRESH) {
            return Ok(Rc::clone(known));
        }
        let mut known = Rc::new(self.ask(name).await?);
        // What has not changed stays what it was: its runtime may be warm.
        if let Some((_, before)) = before
            && before.described.function.is(&known.described.function)
        {
            known = Rc::clone(before);
        }
        if all.len() >= MOST {
            all.retain(|_, (asked, _)| asked.elapsed() < FRESH);
        }
        all.insert(name.to_owned(), (Instant::now(), Rc::clone(&known)));
        Ok(known)
    }

    async fn ask(&self, name: &str) -> Result<Known, RunError> {
        let work = &self.work;
        let source = Source::Deployed(config::function_name(Variable::Job.name(), name)?);
        let event = EventSource::Text(Redacted::default());
        let run = Run {
            region: work.region.clone(),
            code: work.code.clone(),
            credentials: work.credentials,
            ..Run::new(source, event, work.limits.clone().with_time_to_deliver())
        };
        let described = prepare::describe(&run, &self.environment).await?;
        Ok(Known { described, run })
    }

    /// Whether a job of that function is for this worker.
    pub(super) fn is_ours(&self, name: &str) -> Result<(), Elsewhere> {
        let Some(only) = &self.work.function else { return Ok(()) };
        match name.parse() {
            Ok(job) if serves(only, &job) => Ok(()),
            _ => Err(Elsewhere(format!("expected a job of `{only}`, found one of `{name}`"))),
        }
    }

    /// The ledger there, opened once.
    pub(super) async fn ledger(&self, root: &Root) -> Result<Ledger, RunError> {
        let mut open = self.ledgers.lock().await;
        if let Some((_, ledger)) = open.iter().find(|(known, _)| known == root) {
            return Ok(ledger.clone());
        }
        let ledger = claim::open(root, self.work.region.clone()).await?;
        open.push((root.clone(), ledger.clone()));
        Ok(ledger)
    }
}

impl Known {
    /// Whether this machine can run it.
    pub(super) fn is_here(&self) -> Result<(), Elsewhere> {
        let function = &self.described.function;
        if function.image.is_some() {
            return Ok(());
        }
        match prepare::runtime_of(function, &self.run) {
            Err(error @ RunError::NoRuntime(_)) => Err(Elsewhere(error.to_string())),
            _ => Ok(()),
        }
    }
}

/// Whether a worker of that function runs a job of this one.
fn serves(only: &FunctionName, job: &FunctionName) -> bool {
    let agree = |one: Option<&str>, other: Option<&str>| {
        one.zip(other).is_none_or(|(one, other)| one == other)
    };
    only.name() == job.name()
        && agree(only.region(), job.region())
        && (only.qualifier().is_none() || only.qualifier() == job.qualifier())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_of_one_function_runs_its_jobs_by_any_name() {
        let arn = "arn:aws:lambda:eu-west-1:123456789012:function:resize";
        for (only, job, expected) in [
            ("resize", arn, true),
            ("resize", "resize:7", true),
            ("resize:7", "resize", false),
            ("resize:7", "resize:7", true),
            (arn, "arn:aws:lambda:eu-west-2:123456789012:function:resize", false),
            ("resize", "resize2", false),
        ] {
            assert_eq!(
                serves(&only.parse().unwrap(), &job.parse().unwrap()),
                expected,
                "{only} {job}"
            );
        }
    }
}
