//! How far a job is, in a word: its records → its state. Pure.

use clap::ValueEnum;
use ledger::{Attempt, Condition, InvocationRecord, Launch, Outcome, State as Tried};
use serde::Serialize;

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Recorded, not started.
    Waiting,
    /// Started; its container is on its way.
    Starting,
    /// Its attempt is at work.
    Running,
    /// Told to stop; the next attempt follows.
    Interrupted,
    /// It has its outcome, which has not reached all its destinations.
    Delivering,
    /// The function answered.
    Succeeded,
    /// It failed, or was given up.
    Failed,
}

impl State {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Interrupted => "interrupted",
            Self::Delivering => "delivering",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }

    /// The state that these records tell.
    pub fn of(outcome: Option<&Outcome>, launches: &[Launch], attempts: &[Attempt]) -> Self {
        if let Some(outcome) = outcome {
            return match outcome.delivered {
                None => Self::Delivering,
                Some(_) if succeeded(outcome) => Self::Succeeded,
                Some(_) => Self::Failed,
            };
        }
        match (launches.last(), attempts.last()) {
            (Some(launch), Some(tried)) if launch.number > tried.number => started(launch),
            (_, Some(tried)) if tried.state == Tried::Interrupted => Self::Interrupted,
            (_, Some(_)) => Self::Running,
            (Some(launch), None) => started(launch),
            (None, None) => Self::Waiting,
        }
    }
}

fn started(launch: &Launch) -> State {
    if launch.started.is_some() { State::Starting } else { State::Waiting }
}

/// Whether the function answered.
pub fn succeeded(outcome: &Outcome) -> bool {
    let record = outcome.record.as_ref().and_then(|raw| InvocationRecord::read(raw.expose()).ok());
    record.is_some_and(|(record, _)| record.condition == Condition::Success)
}

#[cfg(test)]
mod tests {
    use ledger::{Facts, Redacted, Time};
    use serde_json::json;
    use serde_json::value::RawValue;

    use super::*;

    #[test]
    fn each_stage_has_its_word() {
        let launch = |number| Launch::new(number, "ecs", json!({}), Time::from_millis(0));
        let up = |number| launch(number).as_started("t", Time::from_millis(0));
        let tried = |number| Attempt::new(number, "0.1.0", Time::from_millis(0));
        let stopped = tried(1).over(Tried::Interrupted, Time::from_millis(1), "x");
        assert_eq!(State::of(None, &[], &[]), State::Waiting);
        assert_eq!(State::of(None, &[launch(1)], &[]), State::Waiting);
        assert_eq!(State::of(None, &[up(1)], &[]), State::Starting);
        assert_eq!(State::of(None, &[up(1)], &[tried(1)]), State::Running);
        assert_eq!(State::of(None, &[up(1)], std::slice::from_ref(&stopped)), State::Interrupted);
        assert_eq!(State::of(None, &[up(1), up(2)], &[stopped]), State::Starting);
        let record = RawValue::from_string("{}".to_owned()).unwrap();
        let mut outcome = Outcome::new(1, Redacted::new(record), Facts::new(1, 0.0));
        assert_eq!(State::of(Some(&outcome), &[], &[]), State::Delivering);
        outcome.delivered = Some(Time::from_millis(0));
        assert_eq!(State::of(Some(&outcome), &[], &[]), State::Failed);
    }
}
