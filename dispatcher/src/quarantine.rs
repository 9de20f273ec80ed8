//! Messages that are kept: written as `aws sqs receive-message` prints one, so that `explain` and `retry` read them
//! like any other. Pure.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::message::{Attribute, Message};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Printed<'a> {
    message_id: &'a str,
    body: String,
    attributes: &'a BTreeMap<String, String>,
    message_attributes: BTreeMap<&'a str, Said<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Said<'a> {
    data_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    string_value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    binary_value: Option<String>,
}

/// The message as JSON.
pub fn printed(message: &Message) -> Box<RawValue> {
    let printed = Printed {
        message_id: &message.id,
        body: String::from_utf8_lossy(message.body.expose()).into_owned(),
        attributes: &message.system,
        message_attributes: message
            .attributes
            .iter()
            .map(|(name, attribute)| (name.as_str(), value(attribute)))
            .collect(),
    };
    serde_json::value::to_raw_value(&printed).expect("strings in memory")
}

fn value(attribute: &Attribute) -> Said<'_> {
    let (data_type, string_value, binary_value) = match attribute {
        Attribute::Text { kind, value } => (kind, Some(value.expose().as_str()), None),
        Attribute::Binary { kind, value } => (kind, None, Some(STANDARD.encode(value.expose()))),
    };
    Said { data_type, string_value, binary_value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file;

    #[test]
    fn what_is_kept_is_read_again() {
        let record = r#"{"messageId":"m","body":"{\"a\":1.0}","attributes":{"SentTimestamp":"1"},
            "messageAttributes":{"r":{"dataType":"String","stringValue":"x"},"b":{"dataType":"Binary","binaryValue":"AAE="}},
            "eventSourceARN":"arn:q"}"#;
        let message = file::read(record.as_bytes(), "").remove(0);
        let kept = printed(&message);
        assert_eq!(file::read(kept.get().as_bytes(), "arn:q"), [message]);
    }
}
