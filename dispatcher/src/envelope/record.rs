//! Lambda's records of failures: of asynchronous invocations (developer guide, "Retaining records of asynchronous
//! invocations") with their event, and of batches from streams, which have it only in S3. Pure.

use bytes::Bytes;
use ledger::{JobId, Redacted};
use serde_json::value::RawValue;

use super::notification::time;
use super::view::{View, bytes, is_json};
use super::{Failed, Hint, Kind, Seen, Understood, quarantine};

/// The names under which a record tells of its stream.
const STREAMS: [&str; 3] = ["KinesisBatchInfo", "DDBStreamBatchInfo", "KafkaBatchInfo"];

/// The record that this body is, if it is one. `carried`: by a topic, a bus or a bucket.
pub(super) fn of(body: &[u8], carried: bool) -> Option<Understood> {
    let view = View::of(body)?;
    let context = view.object("requestContext")?;
    let (arn, condition) = (context.text("functionArn")?, context.text("condition")?);
    if condition == "Success" {
        let why = format!("{arn} has succeeded: a record of a success asks for nothing");
        return Some(Understood::Ignore(why));
    }
    let record = Record { view, context, arn, condition, carried };
    let stream = STREAMS.into_iter().find(|name| record.view.has(name));
    Some(match stream {
        Some(name) => record.stream(name),
        None => record.invocation(body),
    })
}

/// The record that an event of EventBridge carries (`source: lambda`).
pub(super) fn of_bus(body: &[u8]) -> Option<Understood> {
    let view = View::of(body)?;
    let (source, kind) = (view.text("source")?, view.text("detail-type")?);
    let is_record = matches!(source.as_str(), "lambda" | "aws.lambda")
        && kind.starts_with("Lambda Function Invocation Result - ");
    if !is_record {
        return None;
    }
    if kind.ends_with(" Success") {
        return Some(Understood::Ignore("a record of a success asks for nothing".to_owned()));
    }
    let detail = view.get("detail").map(RawValue::get).unwrap_or_default();
    Some(of(detail.as_bytes(), true).unwrap_or_else(|| {
        quarantine("expected an invocation record in `detail`", "something else", "")
    }))
}

struct Record<'a> {
    view: View<'a>,
    context: View<'a>,
    arn: String,
    condition: String,
    carried: bool,
}

impl Record<'_> {
    /// What all records say.
    fn failed(&self, kind: Kind, event: Bytes) -> Failed {
        let request_id = self.context.text("requestId");
        let job = request_id
            .as_deref()
            .map_or_else(|| JobId::from_digest(self.arn.as_bytes()), JobId::from_request_id);
        let mut failed = Failed::new(job, kind, Hint::Function(self.function()), event);
        failed.request_id = request_id;
        failed.condition = Some(self.condition.clone());
        failed.invoke_count = self
            .context
            .number("approximateInvokeCount")
            .and_then(|count| u32::try_from(count).ok());
        failed.failed_at = self.view.text("timestamp").and_then(|text| time(&text));
        failed.carried = self.carried;
        failed
    }

    /// The version that ran, where an alias was invoked and may point elsewhere by now.
    fn function(&self) -> String {
        let executed =
            self.view.object("responseContext").and_then(|context| context.text("executedVersion"));
        match executed {
            Some(version) if version.bytes().all(|digit| digit.is_ascii_digit()) => {
                let name: Vec<&str> = self.arn.split(':').take(7).collect();
                format!("{}:{version}", name.join(":"))
            }
            _ => self.arn.clone(),
        }
    }

    fn invocation(&self, body: &[u8]) -> Understood {
        let Some(event) = self.view.get("requestPayload") else {
            return quarantine(
                "expected `requestPayload` in an invocation record",
                "none, which its carrier may have dropped for its size",
                "use an S3 destination, and run this event by `submit`",
            );
        };
        let mut failed = self.failed(Kind::Destination, bytes(event));
        failed.error = self.error();
        failed.record = Some(Redacted::new(Bytes::copy_from_slice(body)));
        Understood::Failed(Box::new(failed))
    }

    fn error(&self) -> Seen {
        let Some(payload) = self.view.object("responsePayload") else { return Seen::default() };
        Seen {
            kind: payload.text("errorType").filter(|kind| !kind.is_empty()),
            message: payload.text("errorMessage").map(Redacted::new),
        }
    }

    /// A batch of a stream. In S3 the whole event is there, as text within the JSON; in queues and topics only where
    /// the batch was.
    fn stream(&self, name: &str) -> Understood {
        let text = self.view.text("payload");
        let event = match (text, self.view.get("payload")) {
            (Some(text), _) => Bytes::from(text),
            (None, Some(value)) => bytes(value),
            (None, None) => return self.positions_only(name),
        };
        if !is_json(&event) {
            return quarantine("expected an event in JSON in `payload`", "other text", "");
        }
        Understood::Failed(Box::new(self.failed(Kind::Stream, event)))
    }

    fn positions_only(&self, name: &str) -> Understood {
        let batch = self.view.object(name);
        let text = |key: &str| batch.as_ref().and_then(|batch| batch.text(key));
        let source = text("streamArn").or_else(|| text("eventSourceArn")).unwrap_or_default();
        let place = match (text("shardId"), text("startSequenceNumber"), text("endSequenceNumber"))
        {
            (Some(shard), Some(start), Some(end)) => format!("{shard} from {start} to {end}"),
            _ => "offsets only".to_owned(),
        };
        quarantine(
            "expected the event of a failed batch",
            &format!("only its place in {source}: {place}"),
            "make an S3 bucket the OnFailure destination of the event source mapping: its records have the event",
        )
    }
}
