//! A message in a file, for `explain`: as `aws sqs receive-message` prints it (its `Messages`, or one of them), as a
//! Lambda function gets it (a record of an SQS event), or nothing but a body. Pure.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ledger::Redacted;
use serde::Deserialize;

use crate::message::{Attribute, Message};

/// One message, in either spelling.
#[derive(Deserialize)]
struct Printed {
    #[serde(alias = "MessageId", default)]
    #[serde(rename = "messageId")]
    id: String,
    #[serde(alias = "Body", rename = "body")]
    body: String,
    #[serde(alias = "Attributes", rename = "attributes", default)]
    system: BTreeMap<String, String>,
    #[serde(alias = "MessageAttributes", rename = "messageAttributes", default)]
    attributes: BTreeMap<String, Value>,
    #[serde(rename = "eventSourceARN", default)]
    queue_arn: String,
}

#[derive(Deserialize)]
struct Value {
    #[serde(alias = "DataType", rename = "dataType", default)]
    kind: String,
    #[serde(alias = "StringValue", rename = "stringValue", default)]
    text: Option<String>,
    #[serde(alias = "BinaryValue", rename = "binaryValue", default)]
    binary: Option<String>,
}

#[derive(Deserialize)]
struct Many {
    #[serde(alias = "Messages", rename = "Records")]
    messages: Vec<Printed>,
}

/// The messages of a file, at least one. `queue_arn` is that of messages that do not say theirs.
pub fn read(content: &[u8], queue_arn: &str) -> Vec<Message> {
    let many = serde_json::from_slice(content).map(|Many { messages }| messages);
    let found = many.or_else(|_| serde_json::from_slice(content).map(|one: Printed| vec![one]));
    match found {
        Ok(messages) if !messages.is_empty() => {
            messages.into_iter().map(|printed| message(printed, queue_arn)).collect()
        }
        _ => vec![bare(content, queue_arn)],
    }
}

fn bare(content: &[u8], queue_arn: &str) -> Message {
    // The last line break is the editor's.
    let body = content.strip_suffix(b"\n").unwrap_or(content);
    Message {
        id: String::new(),
        queue_arn: queue_arn.to_owned(),
        body: Redacted::new(Bytes::copy_from_slice(body)),
        attributes: BTreeMap::new(),
        system: BTreeMap::new(),
    }
}

fn message(printed: Printed, queue_arn: &str) -> Message {
    let own = !printed.queue_arn.is_empty();
    Message {
        id: printed.id,
        queue_arn: if own { printed.queue_arn } else { queue_arn.to_owned() },
        body: Redacted::new(printed.body.into()),
        attributes: printed
            .attributes
            .into_iter()
            .map(|(name, value)| (name, attribute(value)))
            .collect(),
        system: printed.system,
    }
}

fn attribute(value: Value) -> Attribute {
    let binary = value.binary.and_then(|text| STANDARD.decode(text).ok());
    match (value.text, binary) {
        (None, Some(bytes)) => {
            Attribute::Binary { kind: value.kind, value: Redacted::new(bytes.into()) }
        }
        (text, _) => {
            Attribute::Text { kind: value.kind, value: Redacted::new(text.unwrap_or_default()) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(content: &str) -> Message {
        let mut messages = read(content.as_bytes(), "arn:q");
        assert_eq!(messages.len(), 1);
        messages.remove(0)
    }

    #[test]
    fn each_spelling_is_read() {
        let printed = r#"{"MessageId":"m","ReceiptHandle":"h","Body":"{}","Attributes":{"SentTimestamp":"1"},
            "MessageAttributes":{"RequestID":{"DataType":"String","StringValue":"r"},"b":{"DataType":"Binary","BinaryValue":"AAE="}}}"#;
        let record = r#"{"messageId":"m","receiptHandle":"h","body":"{}","attributes":{"SentTimestamp":"1"},
            "messageAttributes":{"RequestID":{"dataType":"String","stringValue":"r","stringListValues":[]},"b":{"dataType":"Binary","binaryValue":"AAE="}},
            "eventSource":"aws:sqs","eventSourceARN":"arn:q"}"#;
        let (printed, record) = (only(printed), only(record));
        assert_eq!(printed, record);
        assert_eq!((printed.id.as_str(), printed.body.expose().as_ref()), ("m", &b"{}"[..]));
        let Attribute::Binary { value, .. } = &printed.attributes["b"] else { panic!() };
        assert_eq!(value.expose().as_ref(), [0, 1]);
    }

    #[test]
    fn many_are_read_and_anything_else_is_a_body() {
        let two = r#"{"Messages":[{"MessageId":"a","Body":"1"},{"MessageId":"b","Body":"2"}]}"#;
        assert_eq!(read(two.as_bytes(), "arn:q").len(), 2);
        for body in ["{\"a\":1}", "text", "", "{\"Messages\":[]}", "{\"Records\":[{\"s3\":{}}]}"] {
            assert_eq!(only(body).body.expose().as_ref(), body.as_bytes());
        }
        assert_eq!(only("{}\n").body.expose().as_ref(), b"{}");
    }
}
