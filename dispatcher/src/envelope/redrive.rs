//! A message that its queue gave up on: the function was to get it in a batch, so the event is made again as the
//! event source mapping makes it, with the source queue's name (developer guide, "Using Lambda with Amazon SQS").
//! The batch that it was in is not known any more. Pure.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledger::JobId;
use md5::{Digest as _, Md5};
use serde::Serialize;

use super::{Failed, Hint, Kind, Understood, sent};
use crate::message::{Attribute, Message};

/// The attribute that names the queue which gave up.
pub(super) const SOURCE: &str = "DeadLetterQueueSourceArn";

/// The queue that gave up on this message.
pub(super) fn source(message: &Message) -> Option<&str> {
    message.system.get(SOURCE).map(String::as_str)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    #[serde(rename = "Records")]
    records: [Record<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    message_id: &'a str,
    /// That of the dead-letter queue would delete another message than the function thinks.
    receipt_handle: &'static str,
    body: &'a str,
    attributes: BTreeMap<&'a str, &'a str>,
    message_attributes: BTreeMap<&'a str, Said<'a>>,
    md5_of_body: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    md5_of_message_attributes: Option<String>,
    event_source: &'static str,
    #[serde(rename = "eventSourceARN")]
    event_source_arn: &'a str,
    aws_region: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Said<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    string_value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    binary_value: Option<String>,
    string_list_values: [(); 0],
    binary_list_values: [(); 0],
    data_type: &'a str,
}

/// The event of one message, as the function's event source mapping would have given it.
pub(super) fn of(message: &Message, source: &str) -> Understood {
    let Ok(body) = std::str::from_utf8(message.body.expose()) else {
        return super::quarantine("expected a body in UTF-8", "other bytes", "");
    };
    let record = record(message, source, body);
    let event = serde_json::to_vec(&Event { records: [record] }).expect("strings in memory");
    let job = JobId::from_message(source, &message.id);
    let hint = Hint::EventSource(source.to_owned());
    let mut failed = Failed::new(job, Kind::Redrive, hint, event.into());
    failed.items = Some(vec![message.id.clone()]);
    failed.failed_at = sent(message);
    failed.trace_id = message.system.get("AWSTraceHeader").cloned();
    let count = message.system.get("ApproximateReceiveCount");
    // Our own receive is one of them.
    failed.invoke_count =
        count.and_then(|count| count.parse().ok()).map(|count: u32| count.saturating_sub(1));
    Understood::Failed(Box::new(failed))
}

fn record<'a>(message: &'a Message, source: &'a str, body: &'a str) -> Record<'a> {
    let own = message.system.iter().filter(|(name, _)| name.as_str() != SOURCE);
    Record {
        message_id: &message.id,
        receipt_handle: "",
        body,
        attributes: own.map(|(name, value)| (name.as_str(), value.as_str())).collect(),
        message_attributes: message
            .attributes
            .iter()
            .map(|(name, attribute)| (name.as_str(), value(attribute)))
            .collect(),
        md5_of_body: hex(&Md5::digest(body)),
        md5_of_message_attributes: digest(&message.attributes),
        event_source: "aws:sqs",
        event_source_arn: source,
        aws_region: source.split(':').nth(3).unwrap_or_default(),
    }
}

fn value(attribute: &Attribute) -> Said<'_> {
    let (kind, string_value, binary_value) = match attribute {
        Attribute::Text { kind, value } => (kind, Some(value.expose().as_str()), None),
        Attribute::Binary { kind, value } => (kind, None, Some(STANDARD.encode(value.expose()))),
    };
    let (string_list_values, binary_list_values) = ([], []);
    Said { string_value, binary_value, string_list_values, binary_list_values, data_type: kind }
}

/// The digest of attributes (SQS developer guide, "Calculating the MD5 message digest for message attributes"):
/// names in order; name, type, 1 or 2, value, each with its length in front.
fn digest(attributes: &BTreeMap<String, Attribute>) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut bytes = Vec::new();
    for (name, attribute) in attributes {
        let (kind, mark, value): (_, u8, &[u8]) = match attribute {
            Attribute::Text { kind, value } => (kind, 1, value.expose().as_bytes()),
            Attribute::Binary { kind, value } => (kind, 2, value.expose()),
        };
        measured(&mut bytes, name.as_bytes());
        measured(&mut bytes, kind.as_bytes());
        bytes.push(mark);
        measured(&mut bytes, value);
    }
    Some(hex(&Md5::digest(&bytes)))
}

fn measured(to: &mut Vec<u8>, part: &[u8]) {
    to.extend(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
    to.extend(part);
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}
