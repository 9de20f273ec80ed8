//! The outcome of a job that no container brings to its end any more: given up, impossible, or not worth a re-run.
//! An invocation record like any other, so that whoever waits for one hears of it. Pure.

use ledger::{
    Blame, Condition, Facts, InvocationRecord, Job, Outcome, ResponseContext, Time, qualified,
};
use serde_json::json;

/// Why there is no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// All attempts ended without an outcome.
    Lost {
        /// Why the last one did.
        last: String,
        /// Whether it was for memory.
        out_of_memory: bool,
    },
    /// No container can be started for it.
    Impossible(String),
    /// The policy says that a re-run is not worth it.
    NotWorthIt(String),
}

impl Why {
    fn blame(&self) -> Blame {
        match self {
            Self::Lost { out_of_memory: true, .. } | Self::NotWorthIt(_) => Blame::Function,
            Self::Lost { .. } => Blame::Platform,
            Self::Impossible(_) => Blame::Job,
        }
    }

    /// The kind of error, as in the error payload.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Lost { out_of_memory: true, .. } => "Runtime.OutOfMemory",
            Self::Lost { .. } => "Immortal.Lost",
            Self::Impossible(_) => "Immortal.Refused",
            Self::NotWorthIt(_) => "Immortal.NotRerun",
        }
    }

    fn text(&self, attempts: u32) -> String {
        match self {
            Self::Lost { last, .. } => {
                let word = if attempts == 1 { "attempt" } else { "attempts" };
                format!("lost after {attempts} {word}: {last}")
            }
            Self::Impossible(why) | Self::NotWorthIt(why) => why.clone(),
        }
    }
}

/// The outcome of a job after so many attempts.
pub fn outcome(job: &Job, attempts: u32, why: &Why, now: Time) -> Outcome {
    let request_id = job.context.request_id.clone().unwrap_or_else(|| job.id.to_string());
    let message = format!("RequestId: {request_id} Error: {}", why.text(attempts));
    let payload = json!({ "errorType": why.kind(), "errorMessage": message }).to_string();
    let before = job.origin.approximate_invoke_count.unwrap_or_default();
    let record = InvocationRecord {
        timestamp: now,
        request_id,
        function_arn: qualified(&job.function),
        condition: Condition::RetriesExhausted,
        approximate_invoke_count: before + attempts,
        request: job.inline_event(),
        response: Some(ResponseContext::new("$LATEST", true)),
    };
    let mut facts = Facts::new(attempts, 0.0);
    facts.blame = Some(why.blame());
    facts.error_type = Some(why.kind().to_owned());
    let outcome = Outcome::new(attempts, record.whole(payload.as_bytes()), facts);
    Outcome { request: job.event_object().cloned(), ..outcome }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use ledger::Origin;
    use serde_json::Value;

    use super::*;

    #[test]
    fn whoever_waits_hears_why_there_is_no_answer() {
        let event = Bytes::from_static(b"{\"n\": 1.0}");
        let origin = Origin { approximate_invoke_count: Some(3), ..Origin::default() };
        let arn = "arn:aws:lambda:eu-west-1:123456789012:function:f";
        let job = Job::new("j".parse().unwrap(), arn, event, origin, Time::from_millis(0));
        let lost = Why::Lost { last: "image-pull: 404".into(), out_of_memory: false };
        let outcome = outcome(&job, 2, &lost, Time::from_millis(0));
        let record = outcome.record.unwrap();
        let text = record.expose().get();
        assert!(text.contains("\"requestPayload\":{\"n\": 1.0}"), "{text}");
        let record: Value = serde_json::from_str(text).unwrap();
        assert_eq!(record["requestContext"]["approximateInvokeCount"], 5);
        assert_eq!(
            record["responsePayload"]["errorMessage"],
            "RequestId: j Error: lost after 2 attempts: image-pull: 404"
        );
        assert_eq!(outcome.facts.blame, Some(Blame::Platform));
    }

    #[test]
    fn a_large_event_is_named_where_it_is() {
        let event = Bytes::from(format!("\"{}\"", "x".repeat(ledger::INLINE)));
        let id = "j".parse().unwrap();
        let job = Job::new(id, "f", event, Origin::default(), Time::from_millis(0));
        let outcome = outcome(&job, 1, &Why::Impossible("no".into()), Time::from_millis(0));
        assert_eq!(outcome.request.as_ref(), job.event_object());
        assert!(!outcome.record.unwrap().expose().get().contains("requestPayload"));
    }
}
