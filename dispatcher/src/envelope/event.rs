//! A plain event, which names no function: what it came from, by which the configuration may. Pure.

use super::view::{View, is_json};
use super::{Failed, Hint, Kind, Known, Understood, job_of, quarantine, sent};
use crate::message::Message;

/// The event that this body is: that of the queue's function, or of whoever is mapped to where it came from.
pub(super) fn of(message: &Message, known: &Known) -> Understood {
    let body = message.body.expose();
    if !is_json(body) {
        return quarantine(
            "expected a failed invocation, or an event in JSON",
            "a body that is not JSON",
            "is this queue fed by something else than Lambda?",
        );
    }
    let source = source(body);
    let hint = match (&known.default_function, &source) {
        (Some(function), _) => Hint::Function(function.clone()),
        (None, Some(source)) => Hint::Source(source.clone()),
        (None, None) => Hint::Unknown,
    };
    let mut failed = Failed::new(job_of(message), Kind::Event, hint, body.clone());
    failed.source = source;
    failed.failed_at = sent(message);
    Understood::Failed(Box::new(failed))
}

/// What an event came from: a bucket's name, or the ARN of a topic, a queue, a stream, a cluster, a rule.
pub(super) fn source(event: &[u8]) -> Option<String> {
    let view = View::of(event)?;
    if let Some(record) = view.first("Records") {
        let kind = record.text("eventSource").or_else(|| record.text("EventSource"))?;
        return match kind.as_str() {
            "aws:s3" => record.object("s3")?.object("bucket")?.text("name"),
            "aws:sns" => record.object("Sns")?.text("TopicArn"),
            _ => record.text("eventSourceARN"),
        };
    }
    let rule = || view.texts("resources").into_iter().find(|arn| arn.contains(":rule/"));
    view.text("eventSourceArn").or_else(rule)
}
