//! What is to be run and what belongs to it. Owns what is recorded of a job, and which events are
//! kept inside the record; pure.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::destination::Destination;
use crate::document::{Unknown, Version, exposed};
use crate::id::{JobId, hex};
use crate::layout::Layout;
use crate::outcome::Stored;
use crate::redacted::Redacted;
use crate::time::Time;
use crate::writer::Writer;

/// The largest payload inside a record, bytes; larger ones are objects of their own.
pub const INLINE: usize = 256 << 10;

/// `jobs/ID/job.json`: created once, never changed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// Version of the record.
    pub version: Version,
    /// The job's name.
    pub id: JobId,
    /// Who recorded it.
    #[serde(default = "Writer::unknown")]
    pub writer: Writer,
    /// ARN or name, with an optional qualifier.
    pub function: String,
    /// The event where it is in the record: its bytes exactly.
    #[serde(default, with = "exposed", skip_serializing_if = "Option::is_none")]
    event: Option<Redacted<Box<RawValue>>>,
    /// The event where it is an object of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event_object: Option<Stored>,
    /// Its bytes, from [`Job::new`] to the moment at which they are stored.
    #[serde(skip)]
    large: Option<Redacted<Bytes>>,
    /// What the invocation's context says.
    #[serde(default)]
    pub context: Context,
    /// Limits of this job.
    #[serde(default)]
    pub limits: Limits,
    /// Where its outcome goes; none said: where the function's own configuration says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destinations: Option<Vec<Destination>>,
    /// Where it came from.
    pub origin: Origin,
    /// The task token of a Step Functions execution that waits (`.waitForTaskToken`).
    #[serde(default, with = "exposed", skip_serializing_if = "Option::is_none")]
    pub task_token: Option<Redacted<String>>,
    /// When it was recorded.
    pub created: Time,
    /// Fields of others.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// What the invocation's context says beside the event.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Context {
    /// Lambda's request id: the function sees it, all retries share it. None: the runner makes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The ARN that was invoked, where it is another than the job's function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoked_function_arn: Option<String>,
    /// Client context, JSON text on one line.
    #[serde(default, with = "exposed", skip_serializing_if = "Option::is_none")]
    pub client_context: Option<Redacted<String>>,
    /// Cognito identity, JSON text on one line.
    #[serde(default, with = "exposed", skip_serializing_if = "Option::is_none")]
    pub identity: Option<Redacted<String>>,
    /// X-Ray trace header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// Tenant, of functions that are isolated by tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Fields of others.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// Limits of a job.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// The longest invocation, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_duration_seconds: Option<u64>,
    /// The most attempts before the job is given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// Fields of others.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// Where a job came from.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Origin {
    /// The shape of the message, or `direct`.
    pub kind: String,
    /// The queue that it was taken from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_arn: Option<String>,
    /// The message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// How often Lambda had tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approximate_invoke_count: Option<u32>,
    /// The items of a batch that are still to be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Vec<String>>,
    /// Fields of others.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Job {
    /// A job with its event. One that is larger than [`INLINE`], or whose bytes JSON would not keep
    /// (it is none, or has white space around it), becomes an object of its own when the job is created.
    pub fn new(id: JobId, function: &str, event: Bytes, origin: Origin, created: Time) -> Self {
        let inline = inline(&event);
        let (event_object, large) = match inline {
            Some(_) => (None, None),
            None => (Some(stored(&id, &event)), Some(Redacted::new(event))),
        };
        Self {
            version: Version,
            writer: Writer::random(),
            function: function.to_owned(),
            event: inline.map(Redacted::new),
            event_object,
            large,
            context: Context::default(),
            limits: Limits::default(),
            destinations: None,
            origin,
            task_token: None,
            created,
            unknown: Unknown::new(),
            id,
        }
    }

    /// The event, if it is in the record.
    pub fn inline_event(&self) -> Option<Redacted<Bytes>> {
        let raw = self.event.as_ref()?;
        Some(Redacted::new(Bytes::copy_from_slice(raw.expose().get().as_bytes())))
    }

    /// Where the event is, if it is an object of its own.
    pub fn event_object(&self) -> Option<&Stored> {
        self.event_object.as_ref()
    }

    /// The event while it is neither in the record nor stored yet.
    pub(crate) fn unstored_event(&self) -> Option<&Redacted<Bytes>> {
        self.large.as_ref()
    }
}

/// The event as a part of the record, if it is small and the record would keep each of its bytes.
fn inline(event: &Bytes) -> Option<Box<RawValue>> {
    let raw: &RawValue = (event.len() <= INLINE).then(|| serde_json::from_slice(event).ok())??;
    (raw.get().len() == event.len()).then(|| raw.to_owned())
}

fn stored(id: &JobId, event: &Bytes) -> Stored {
    let (bytes, sha256) = (event.len() as u64, hex(&Sha256::digest(event)));
    Stored { key: Layout::event(id), bytes, sha256 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{decode, encode};

    fn job(event: &str) -> Job {
        let event = Bytes::copy_from_slice(event.as_bytes());
        let origin = Origin { kind: "direct".into(), ..Origin::default() };
        Job::new("x".parse().unwrap(), "f", event, origin, Time::from_millis(0))
    }

    fn again(job: &Job) -> Job {
        decode(&encode(job)).unwrap()
    }

    #[test]
    fn an_event_keeps_its_bytes() {
        for event in [
            "null",
            "0",
            "\"\"",
            "{ \"b\": 1.10, \"a\": 12345678901234567890123,\n\t\"b\": 1e400 }",
            r#"{"\u00e9":"é\ud83d\ude00","$serde_json::private::RawValue":"x"}"#,
        ] {
            let found = again(&job(event)).inline_event().unwrap();
            assert_eq!(found.expose(), event, "{event}");
        }
    }

    #[test]
    fn an_event_that_the_record_would_not_keep_is_an_object_of_its_own() {
        let large = format!("\"{}\"", "x".repeat(INLINE));
        for event in ["", " {}", "{}\n", "no JSON", &large] {
            let job = job(event);
            assert_eq!(job.unstored_event().unwrap().expose(), event);
            let job = again(&job);
            assert!(job.inline_event().is_none());
            let object = job.event_object().unwrap();
            assert_eq!((object.key.as_str(), object.bytes), ("jobs/x/event", event.len() as u64));
        }
        let largest = format!("\"{}\"", "x".repeat(INLINE - 2));
        assert!(job(&largest).inline_event().is_some());
    }

    #[test]
    fn neither_event_nor_context_nor_token_is_printed() {
        let mut job = job("{\"password\":\"canary-1\"}");
        job.task_token = Some(Redacted::new("canary-2".into()));
        job.context.identity = Some(Redacted::new("canary-3".into()));
        job.context.client_context = Some(Redacted::new("canary-4".into()));
        assert!(!format!("{job:?}").contains("canary"), "{job:?}");
        assert!(!format!("{:?}", super::Job { event: None, ..job }).contains("canary"));
    }
}
