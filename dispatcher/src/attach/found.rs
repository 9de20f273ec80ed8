//! What is wanted of a function and what is found of it, as far as wiring it is concerned. Plain data; who reads it
//! from AWS is `aws`.

use std::collections::{BTreeMap, BTreeSet};

use clap::ValueEnum;
use serde_json::Value;

use super::trust::Who;

/// By what a function's failures reach the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Way {
    /// `OnFailure` destination: a record with the event, the error, and the function's name.
    Destination,
    /// Dead-letter queue: the event, and the first 1,024 characters of the error.
    DeadLetter,
}

impl Way {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Destination => "destination",
            Self::DeadLetter => "dead-letter",
        }
    }
}

/// How a function is to be wired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// ARN of the queue.
    pub queue: String,
    /// By what.
    pub way: Way,
    /// `MaximumRetryAttempts`, 0 to 2.
    pub retries: i32,
    /// Whether another queue than this may give way.
    pub replace: bool,
    /// Who is to be trusted by the function's role.
    pub trusted: Option<Who>,
}

/// The configuration of asynchronous invocations of a function, version or alias (Lambda API reference,
/// `PutFunctionEventInvokeConfig`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asynchronous {
    /// `MaximumRetryAttempts`
    pub retries: Option<i32>,
    /// `MaximumEventAgeInSeconds`
    pub age: Option<i32>,
    /// `DestinationConfig.OnSuccess.Destination`
    pub success: Option<String>,
    /// `DestinationConfig.OnFailure.Destination`
    pub failure: Option<String>,
}

/// An execution role.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Role {
    /// Its ARN.
    pub arn: String,
    /// Whether it may send to the queue, where that can be told.
    pub may_send: Option<bool>,
    /// Names of its inline policies, where they may be read.
    pub policies: Option<BTreeSet<String>>,
    /// The policy that attaching gave it.
    pub own: Option<Value>,
    /// Its trust policy, where it was asked for and may be read.
    pub trust: Option<Value>,
}

impl Role {
    /// Its name: what stands behind the path.
    pub fn name(&self) -> &str {
        self.arn.rsplit('/').next().unwrap_or_default()
    }
}

/// What is found of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its ARN without a qualifier.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// The version or alias that is meant; none: the function as such.
    pub qualifier: Option<String>,
    /// `DeadLetterConfig.TargetArn`
    pub dead_letter: Option<String>,
    /// The configuration of its asynchronous invocations, if it has one.
    pub asynchronous: Option<Asynchronous>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Its role.
    pub role: Role,
    /// Other functions that rely on the role's trust, where that was asked for and can be told.
    pub sharing: Option<Vec<String>>,
}

#[cfg(test)]
pub(super) fn sample() -> Found {
    Found {
        arn: "arn:aws:lambda:eu-west-1:123456789012:function:resize".to_owned(),
        name: "resize".to_owned(),
        qualifier: None,
        dead_letter: None,
        asynchronous: None,
        tags: BTreeMap::from([("team".to_owned(), "images".to_owned())]),
        role: Role {
            arn: "arn:aws:iam::123456789012:role/service-role/resize-exec".to_owned(),
            may_send: Some(false),
            policies: Some(BTreeSet::new()),
            own: None,
            trust: None,
        },
        sharing: None,
    }
}
