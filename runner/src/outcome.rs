//! How a job ended, as it is recorded: an answer, or a refusal, becomes an invocation record and the facts beside
//! it. Pure. Why it ended so was decided by the session; who gets the record is decided elsewhere.

use std::time::Duration;

use bytes::Bytes;
use ledger::{
    Blame, Condition, Facts, INLINE, InvocationRecord, Redacted, ResponseContext, Time, qualified,
};

use serde::Deserialize;

use crate::job::Event;
use crate::order::Answer;
use crate::report;
use crate::session::Failure;
use crate::telemetry::record::billed;

/// What is known of a job when it has ended.
#[derive(Debug, Clone, Copy)]
pub struct Try {
    /// Which attempt it was.
    pub attempt: u32,
    /// How often it had been tried before there were attempts.
    pub before: u32,
    /// When it ended.
    pub now: Time,
}

/// The record of an invocation that has its answer, but for the answer; the event is in it where it is at hand.
pub fn record(
    event: &Event,
    request: Option<Bytes>,
    version: &str,
    failed: bool,
    tried: Try,
) -> InvocationRecord {
    InvocationRecord {
        timestamp: tried.now,
        request_id: event.request_id.clone(),
        function_arn: qualified(&event.function_arn),
        condition: if failed { Condition::RetriesExhausted } else { Condition::Success },
        approximate_invoke_count: tried.before + tried.attempt,
        request: request.map(Redacted::new),
        response: Some(ResponseContext::new(version, failed)),
    }
}

/// What the record has no words for.
pub fn facts(answer: &Answer, attempt: u32) -> Facts {
    let figures = answer.figures;
    let millis = |duration: Duration| duration.as_secs_f64() * 1e3;
    let duration = figures.map_or(Duration::ZERO, |figures| figures.duration);
    let init = figures.and_then(|figures| figures.init);
    let failure = answer.failure.as_deref();
    Facts {
        billed_duration_ms: figures.and_then(|_| u64::try_from(billed(duration, init)).ok()),
        init_ms: init.map(millis),
        max_memory_mb: figures.map(|figures| figures.peak_memory.div_ceil(1 << 20)),
        oom_kills: figures.map_or(0, |figures| figures.oom_kills),
        exit: failure.and_then(report::exit),
        blame: answer.failed.then(|| failure.map_or(Blame::Function, blame)),
        error_type: answer.failed.then(|| kind(answer)).flatten(),
        ..Facts::new(attempt, millis(duration))
    }
}

/// The kind of error: what the supervisor knows, else what the error itself says, else what the runtime said.
fn kind(answer: &Answer) -> Option<String> {
    #[derive(Deserialize)]
    struct Payload {
        #[serde(rename = "errorType")]
        kind: String,
    }
    let known = answer.failure.as_deref().and_then(report::kind).map(str::to_owned);
    let said = || serde_json::from_slice(answer.payload.small(INLINE)?).ok();
    known
        .or_else(|| said().map(|Payload { kind }| kind).filter(|kind| !kind.is_empty()))
        .or_else(|| answer.error_type.clone())
}

/// Whose doing a failure is.
fn blame(failure: &Failure) -> Blame {
    match failure {
        Failure::Upload(_) if report::kind(failure) == Some("Sandbox.Failure") => Blame::Platform,
        Failure::Unstarted(_) => Blame::Job,
        _ => Blame::Function,
    }
}

/// What becomes of an outcome whose function answered, and said that these items of its batch failed: it is a
/// failure, of these items only.
pub fn partial(
    record: InvocationRecord,
    facts: Facts,
    failed_items: Vec<String>,
) -> (InvocationRecord, Facts) {
    if failed_items.is_empty() {
        return (record, facts);
    }
    let record = InvocationRecord { condition: Condition::RetriesExhausted, ..record };
    let (blame, error_type) = (Some(Blame::Function), Some(PARTIAL.to_owned()));
    (record, Facts { blame, error_type, failed_items, ..facts })
}

/// The error type of a batch of which items failed.
const PARTIAL: &str = "Immortal.BatchItemFailures";

/// The facts of a job that was refused before it ran.
pub fn refused(attempt: u32) -> Facts {
    Facts {
        blame: Some(Blame::Job),
        error_type: Some(REFUSED.to_owned()),
        ..Facts::new(attempt, 0.0)
    }
}

/// What a job that was refused is answered with.
pub fn refusal(request_id: &str, problem: &str) -> Vec<u8> {
    let message = format!("RequestId: {request_id} Error: {problem}");
    serde_json::json!({ "errorType": REFUSED, "errorMessage": message }).to_string().into_bytes()
}

/// The error type of a job that was refused before it ran.
const REFUSED: &str = "Immortal.Refused";

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::config::Context;
    use crate::order::Figures;
    use crate::session::{Exit, Verdict};

    fn event() -> Event {
        let context = Context { request_id: Some("r".into()), ..Context::default() };
        Event::new(
            Bytes::from_static(b"{ \"a\": 1.0 }"),
            context,
            "arn:aws:lambda:x:1:function:f",
            0,
        )
    }

    fn failed(failure: Failure) -> Facts {
        facts(&report::answer(Verdict::Failed(failure), "r").unwrap(), 2)
    }

    #[test]
    fn a_record_counts_all_tries_and_keeps_the_event() {
        let tried = Try { attempt: 2, before: 3, now: Time::from_millis(0) };
        let request = event().payload.expose().at_hand().cloned();
        let record = record(&event(), request, "7", true, tried).whole(b"{}");
        let text = record.expose().get();
        assert!(text.contains(r#""requestPayload":{ "a": 1.0 }"#), "{text}");
        let record: Value = serde_json::from_str(text).unwrap();
        assert_eq!(record["requestContext"]["approximateInvokeCount"], 5);
        assert_eq!(
            record["requestContext"]["functionArn"],
            "arn:aws:lambda:x:1:function:f:$LATEST"
        );
        assert_eq!(record["responseContext"]["executedVersion"], "7");
        assert_eq!(record["responseContext"]["functionError"], "Unhandled");
    }

    #[test]
    fn each_failure_has_its_blame_and_its_exit() {
        let table = [
            (Failure::Exited(Exit::Code(3)), Blame::Function, Some("exit status 3")),
            (Failure::Exited(Exit::OutOfMemory), Blame::Function, Some("signal: killed")),
            (Failure::TimedOut(1), Blame::Function, None),
            (Failure::Unstarted("no such file".into()), Blame::Job, None),
        ];
        for (failure, blame, exit) in table {
            let facts = failed(failure);
            assert_eq!(
                (facts.blame, facts.exit.as_deref(), facts.attempts),
                (Some(blame), exit, 2)
            );
        }
        let oom = failed(Failure::Exited(Exit::OutOfMemory));
        assert_eq!(oom.error_type.as_deref(), Some("Runtime.OutOfMemory"));
    }

    #[test]
    fn what_it_took_is_told_and_a_success_blames_nobody() {
        let mut answer = report::answer(Verdict::Response(b"1".to_vec().into()), "r").unwrap();
        let init = Some(Duration::from_millis(20));
        let duration = Duration::from_micros(1_500);
        answer.figures =
            Some(Figures { duration, init, peak_memory: (30 << 20) + 1, oom_kills: 2 });
        let facts = facts(&answer, 1);
        assert_eq!((facts.blame, facts.error_type), (None, None));
        assert_eq!((facts.duration_ms, facts.init_ms), (1.5, Some(20.0)));
        assert_eq!((facts.billed_duration_ms, facts.max_memory_mb), (Some(22), Some(31)));
        assert_eq!(facts.oom_kills, 2);
    }

    #[test]
    fn items_that_failed_make_it_a_failure() {
        let tried = Try { attempt: 1, before: 0, now: Time::from_millis(0) };
        let parts = || (record(&event(), None, "7", false, tried), Facts::new(1, 0.0));
        let (record, facts) = parts();
        let (record, facts) = partial(record, facts, vec!["a".into()]);
        assert_eq!(
            (record.condition, facts.blame),
            (Condition::RetriesExhausted, Some(Blame::Function))
        );
        assert_eq!(facts.failed_items, ["a"]);
        let (record, facts) = parts();
        let (record, facts) = partial(record, facts, Vec::new());
        assert_eq!((record.condition, facts.blame), (Condition::Success, None));
    }

    #[test]
    fn a_refusal_says_what_was_wrong() {
        let payload: Value = serde_json::from_slice(&refusal("r", "no \"x\"")).unwrap();
        assert_eq!(payload["errorMessage"], "RequestId: r Error: no \"x\"");
    }
}
