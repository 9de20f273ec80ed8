//! Partial failures of a batch: what a function's answer means where its event source mapping has
//! `ReportBatchItemFailures` (Lambda developer guide, "Reporting batch item failures" of SQS, Kinesis and
//! DynamoDB Streams). Pure: `aws` asks for the mapping.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

/// What an answer says of the batch that it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Batch {
    /// All of it is done.
    Done,
    /// These items failed, in the order of the batch; of a stream, all from the first failed one on, since
    /// Lambda begins again there.
    Partial(Vec<String>),
    /// All of it failed: the answer names none of its items, or cannot be read.
    Failed {
        /// All items.
        items: Vec<String>,
        /// What is wrong with the answer.
        why: String,
    },
}

/// The items of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Items {
    /// Queue or stream.
    pub source_arn: String,
    /// Message ids or sequence numbers, in the order of the batch.
    ids: Vec<String>,
    ordered: bool,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "Records", borrow)]
    records: Vec<Record<'a>>,
}

/// One message or record: the fields by which its kind is told.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    #[serde(borrow)]
    event_source: Cow<'a, str>,
    #[serde(rename = "eventSourceARN", borrow)]
    event_source_arn: Cow<'a, str>,
    message_id: Option<String>,
    kinesis: Option<Kinesis>,
    dynamodb: Option<DynamoDb>,
}

#[derive(Deserialize)]
struct Kinesis {
    #[serde(rename = "sequenceNumber")]
    sequence_number: String,
}

#[derive(Deserialize)]
struct DynamoDb {
    #[serde(rename = "SequenceNumber")]
    sequence_number: String,
}

impl Items {
    /// The items of an event, if it is a batch of SQS, Kinesis or DynamoDB Streams.
    pub fn of(event: &[u8]) -> Option<Self> {
        let Event { records } = serde_json::from_slice(event).ok()?;
        let first = records.first()?;
        let source_arn = first.event_source_arn.clone().into_owned();
        let ordered = match &*first.event_source {
            "aws:sqs" => false,
            "aws:kinesis" | "aws:dynamodb" => true,
            _ => return None,
        };
        let id = |record: Record<'_>| {
            let stream = record.kinesis.map(|record| record.sequence_number);
            let stream = stream.or(record.dynamodb.map(|record| record.sequence_number));
            if ordered { stream } else { record.message_id }
        };
        let ids: Option<Vec<String>> = records.into_iter().map(id).collect();
        Some(Self { source_arn, ids: ids?, ordered })
    }

    /// How many there are.
    #[expect(clippy::len_without_is_empty, reason = "a batch has items")]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// What the answer of a function that reports its items means for them.
    pub fn judge(self, response: &[u8]) -> Batch {
        let failed = match failed(response) {
            Ok(failed) => failed,
            Err(why) => return Batch::Failed { items: self.ids, why },
        };
        if let Some(unknown) = failed.iter().find(|id| !self.ids.contains(id)) {
            let shown: String = unknown.chars().take(64).collect();
            let why = format!("`{shown}` is no item of the batch");
            return Batch::Failed { items: self.ids, why };
        }
        let mut begun = false;
        let items = self.ids.into_iter().filter(|id| {
            let named = failed.contains(id);
            begun |= named;
            named || (self.ordered && begun)
        });
        let items: Vec<String> = items.collect();
        if items.is_empty() { Batch::Done } else { Batch::Partial(items) }
    }
}

/// The items that an answer names: none where there is no answer, no list, or an empty one. The texts say
/// what is wrong and quote nothing.
fn failed(response: &[u8]) -> Result<Vec<String>, String> {
    type Object<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;
    let unreadable = |_| "the answer is not `{\"batchItemFailures\": […]}`".to_owned();
    if response.trim_ascii().is_empty() {
        return Ok(Vec::new());
    }
    let answer: Option<Object<'_>> = serde_json::from_slice(response).map_err(unreadable)?;
    let list = answer.as_ref().and_then(|answer| answer.get("batchItemFailures"));
    let Some(list) = list else { return Ok(Vec::new()) };
    let failures: Option<Vec<Object<'_>>> = serde_json::from_str(list.get()).map_err(unreadable)?;
    let id = |failure: Object<'_>| {
        let id: String = serde_json::from_str(failure.get("itemIdentifier")?.get()).ok()?;
        Some(id).filter(|id| !id.is_empty())
    };
    let ids: Option<Vec<String>> = failures.unwrap_or_default().into_iter().map(id).collect();
    ids.ok_or_else(|| "an item has an empty `itemIdentifier`, or none".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn queue() -> Items {
        let record = |id: &str| json!({ "messageId": id, "body": "x", "eventSource": "aws:sqs", "eventSourceARN": "arn:q" });
        let event = json!({ "Records": [record("a"), record("b"), record("c")] });
        Items::of(event.to_string().as_bytes()).unwrap()
    }

    fn stream() -> Items {
        let record = |id: &str| json!({ "kinesis": { "sequenceNumber": id }, "eventSource": "aws:kinesis", "eventSourceARN": "arn:s" });
        let event = json!({ "Records": [record("1"), record("2"), record("3")] });
        Items::of(event.to_string().as_bytes()).unwrap()
    }

    fn named(ids: &[&str]) -> String {
        let failures: Vec<_> = ids.iter().map(|id| json!({ "itemIdentifier": id })).collect();
        json!({ "batchItemFailures": failures }).to_string()
    }

    #[test]
    fn an_answer_without_failures_is_a_success() {
        for response in [
            "",
            "null",
            "{}",
            r#"{"batchItemFailures":[]}"#,
            r#"{"batchItemFailures":null}"#,
            r#"{"statusCode":200}"#,
        ] {
            assert_eq!(queue().judge(response.as_bytes()), Batch::Done, "{response}");
        }
    }

    #[test]
    fn the_items_that_it_names_failed() {
        let partial = |ids: &[&str]| Batch::Partial(ids.iter().map(|id| (*id).into()).collect());
        assert_eq!(queue().judge(named(&["b"]).as_bytes()), partial(&["b"]));
        assert_eq!(queue().judge(named(&["c", "a", "c"]).as_bytes()), partial(&["a", "c"]));
        assert_eq!(stream().judge(named(&["2"]).as_bytes()), partial(&["2", "3"]));
        assert_eq!(stream().judge(named(&["3", "1"]).as_bytes()), partial(&["1", "2", "3"]));
    }

    #[test]
    fn an_answer_that_cannot_be_read_fails_the_whole_batch() {
        for (response, expected) in [
            ("plain", "is not"),
            ("\"ok\"", "is not"),
            ("[]", "is not"),
            (r#"{"batchItemFailures":"a"}"#, "is not"),
            (r#"{"batchItemFailures":["a"]}"#, "is not"),
            (r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#, "an empty"),
            (r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#, "an empty"),
            (r#"{"batchItemFailures":[{"itemId":"a"}]}"#, "or none"),
            (
                r#"{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":"z"}]}"#,
                "`z` is no item",
            ),
        ] {
            let found = queue().judge(response.as_bytes());
            let Batch::Failed { items, why } = found else { panic!("{response}: {found:?}") };
            assert!(items.len() == 3 && why.contains(expected), "{response}: {why}");
        }
    }

    #[test]
    fn other_events_are_no_batches() {
        let s3 = r#"{"Records":[{"eventSource":"aws:s3","eventSourceARN":"x"}]}"#;
        for event in ["", "{}", r#"{"Records":[]}"#, "[1]", s3] {
            assert_eq!(Items::of(event.as_bytes()), None, "{event}");
        }
        assert_eq!((queue().source_arn.as_str(), stream().source_arn.as_str()), ("arn:q", "arn:s"));
        let table = r#"{"Records":[{"eventSource":"aws:dynamodb","eventSourceARN":"x","dynamodb":{"SequenceNumber":"7"}}]}"#;
        assert_eq!(Items::of(table.as_bytes()).unwrap().ids, ["7"]);
    }
}
