//! One try at a job by one container. Owns what is recorded of it; who may try is decided by
//! whether the record could be created. Pure.

use serde::{Deserialize, Serialize};

use crate::document::{Unknown, Version};
use crate::time::Time;
use crate::writer::Writer;

/// `jobs/ID/attempts/N.json`: created by its owner, and later rewritten by nobody else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// Version of the record.
    pub version: Version,
    /// Counted from 1.
    pub number: u32,
    /// Its owner.
    #[serde(default = "Writer::unknown")]
    pub writer: Writer,
    /// How far it is.
    pub state: State,
    /// The ECS task, where the container is one (ECS task metadata v4, `TaskARN`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_arn: Option<String>,
    /// The container's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The host's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Version of the runner.
    pub runner_version: String,
    /// When it was claimed.
    pub started: Time,
    /// Its owner says again before this moment that it is at work, or is dead. Workers say so; a task's end is seen
    /// from outside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alive_until: Option<Time>,
    /// When it was over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Time>,
    /// Why it was interrupted, or how it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Fields of others.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// How far an attempt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It has an owner, who is at work or died without a word.
    Claimed,
    /// Its owner was told to stop and handed the job back: another attempt may follow.
    Interrupted,
    /// It came to an end, which the outcome tells if it was the first.
    Ended,
}

impl Attempt {
    /// One that begins, with an owner of its own.
    pub fn new(number: u32, runner_version: &str, started: Time) -> Self {
        Self {
            version: Version,
            number,
            writer: Writer::random(),
            state: State::Claimed,
            task_arn: None,
            container: None,
            host: None,
            runner_version: runner_version.to_owned(),
            started,
            alive_until: None,
            ended: None,
            reason: None,
            unknown: Unknown::new(),
        }
    }

    /// The same, over.
    #[must_use]
    pub fn over(self, state: State, ended: Time, reason: &str) -> Self {
        let (ended, reason) = (Some(ended), Some(reason.to_owned()));
        Self { state, ended, reason, alive_until: None, ..self }
    }

    /// Whether its owner is known to be at work.
    pub fn is_alive(&self, now: Time) -> bool {
        self.state == State::Claimed && self.alive_until.is_some_and(|until| until > now)
    }
}
