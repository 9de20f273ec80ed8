//! What can be asked about functions, and its answers kept for a while: the control plane answers 15 times a second
//! in all (Lambda quotas), for everybody in the account. The calls, and their rate, are `aws`'s.

use std::fmt;
use std::future::Future;

use super::input::Input;
use crate::function::Function;
use crate::kept::{Kept, keep};

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookupError {
    /// A throttle, a failure of AWS, nobody there: to be asked again, more slowly.
    Busy(String),
    /// An answer that is none: to be asked again later.
    Passing(String),
    /// There is no such thing.
    Absent(String),
    /// We may not ask, or asked wrongly.
    Refused(String),
}

impl fmt::Display for LookupError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Busy(why) | Self::Passing(why) | Self::Absent(why) | Self::Refused(why)) = self;
        formatter.write_str(why)
    }
}

/// Who knows functions.
pub trait Directory {
    /// What is known of a function, by name or ARN with an optional qualifier.
    fn describe(&self, name: &str) -> impl Future<Output = Result<Function, LookupError>>;
    /// ARNs of the functions that are mapped to this queue or stream, with alias or version.
    fn mapped_to(&self, source: &str) -> impl Future<Output = Result<Vec<String>, LookupError>>;
    /// ARNs of the functions whose dead letters go to this queue or topic.
    fn failing_to(&self, target: &str) -> impl Future<Output = Result<Vec<String>, LookupError>>;
    /// ARN of the function's `OnFailure` destination.
    fn failure_destination(
        &self,
        arn: &str,
    ) -> impl Future<Output = Result<Option<String>, LookupError>>;
    /// What a rule gives this target of its.
    fn input(&self, rule: &str, target: &str) -> impl Future<Output = Result<Input, LookupError>>;
}

/// A directory whose answers are kept.
#[derive(Debug)]
pub struct Cached<D> {
    inner: D,
    functions: Kept<Function>,
    mapped: Kept<Vec<String>>,
    failing: Kept<Vec<String>>,
    destinations: Kept<Option<String>>,
    inputs: Kept<Input>,
}

impl<D> Cached<D> {
    /// With nothing known yet.
    pub fn new(inner: D) -> Self {
        Self {
            inner,
            functions: Kept::default(),
            mapped: Kept::default(),
            failing: Kept::default(),
            destinations: Kept::default(),
            inputs: Kept::default(),
        }
    }

    /// Who is asked.
    pub fn inner(&self) -> &D {
        &self.inner
    }
}

impl<D: Directory> Directory for Cached<D> {
    async fn describe(&self, name: &str) -> Result<Function, LookupError> {
        keep(&self.functions, name, || self.inner.describe(name)).await
    }

    async fn mapped_to(&self, source: &str) -> Result<Vec<String>, LookupError> {
        keep(&self.mapped, source, || self.inner.mapped_to(source)).await
    }

    async fn failing_to(&self, target: &str) -> Result<Vec<String>, LookupError> {
        keep(&self.failing, target, || self.inner.failing_to(target)).await
    }

    async fn failure_destination(&self, arn: &str) -> Result<Option<String>, LookupError> {
        keep(&self.destinations, arn, || self.inner.failure_destination(arn)).await
    }

    async fn input(&self, rule: &str, target: &str) -> Result<Input, LookupError> {
        keep(&self.inputs, &format!("{rule} {target}"), || self.inner.input(rule, target)).await
    }
}
