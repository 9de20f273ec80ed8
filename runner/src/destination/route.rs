//! Where an outcome goes: where the job or its container says, else where the function itself wants it; to the
//! workflow that waits for it; never into a loop. Pure: `aws` asks for the function's configuration.

use ledger::{Destination, Job};

use super::loops::refusal;

/// Where an outcome goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Route {
    /// There.
    pub to: Vec<Destination>,
    /// Where it would go and must not, and why: to be said.
    pub refused: Vec<String>,
}

/// The destinations that a function has itself (Lambda API reference, `DestinationConfig`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Own {
    /// For answers.
    pub success: Option<Destination>,
    /// For failures.
    pub failure: Option<Destination>,
}

impl Own {
    /// Where this outcome goes.
    pub fn wanted(self, succeeded: bool) -> Vec<Destination> {
        let wanted = if succeeded { self.success } else { self.failure };
        wanted.into_iter().collect()
    }
}

impl Route {
    /// The outcome of this function goes to what was wanted, each once.
    pub fn new(wanted: Vec<Destination>, job: Option<&Job>, function_arn: &str) -> Self {
        let waiting = job.is_some_and(|job| job.task_token.is_some());
        let origin = job.and_then(|job| job.origin.queue_arn.as_deref());
        let workflow = waiting.then_some(Destination::StepFunctions);
        let mut route = Self::default();
        for destination in wanted.into_iter().chain(workflow) {
            match refusal(&destination, origin, function_arn) {
                Some(why) => route.refused.push(why),
                None if route.to.contains(&destination) => {}
                None => route.to.push(destination),
            }
        }
        route
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use ledger::{Origin, Redacted, Time};

    use super::*;

    const ARN: &str = "arn:aws:lambda:eu-west-1:123456789012:function:f:$LATEST";

    fn job() -> Job {
        let queue_arn = Some("arn:aws:sqs:eu-west-1:123456789012:failed".to_owned());
        let origin = Origin { kind: "sqs".into(), queue_arn, ..Origin::default() };
        let event = Bytes::from_static(b"{}");
        let mut job = Job::new("j".parse().unwrap(), "f", event, origin, Time::from_millis(0));
        job.task_token = Some(Redacted::new("token".into()));
        job
    }

    #[test]
    fn a_route_has_each_once_and_no_loop() {
        let list = "stdout,s3://b/p,stdout,sqs:arn:aws:sqs:eu-west-1:123456789012:failed";
        let route = Route::new(Destination::list(list).unwrap(), Some(&job()), ARN);
        let to: Vec<String> = route.to.iter().map(ToString::to_string).collect();
        assert_eq!(to, ["stdout", "s3://b/p", "stepfunctions"]);
        assert!(route.refused[0].contains("the queue that the job came from"), "{route:?}");
    }

    #[test]
    fn a_function_has_one_for_answers_and_one_for_failures() {
        let own = Own { success: Some(Destination::Stdout), failure: None };
        assert_eq!(own.clone().wanted(true), [Destination::Stdout]);
        assert_eq!(own.wanted(false), []);
    }
}
