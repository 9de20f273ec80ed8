//! What is sent for a destination: body, attributes, names, all as Lambda's own destinations have them
//! (developer guide, "Retaining records of asynchronous invocations"). Pure: `aws` sends it.

use ledger::{Destination, JobId, Redacted};

use super::key;
use super::parcel::Parcel;
use super::room::{self, Characters};
use super::workflow::{self, Word};
use crate::function::name::FunctionName;

/// The message attribute that names the job, on queues and topics.
pub const ATTRIBUTE: &str = "ImmortalJob";

/// What is sent. Regions are those of the names; none where a name has none.
#[derive(Debug)]
pub enum Request {
    /// `SendMessage`.
    Queue(Message),
    /// `Publish`.
    Topic(Message),
    /// `PutEvents` of one.
    Event(Event),
    /// `Invoke`, asynchronously.
    Invoke {
        /// The function.
        function: FunctionName,
        /// The record.
        payload: Redacted<String>,
    },
    /// `SendTaskSuccess`.
    Success {
        /// Which workflow.
        token: Redacted<String>,
        /// JSON text.
        output: Redacted<String>,
    },
    /// `SendTaskFailure`.
    Failure {
        /// Which workflow.
        token: Redacted<String>,
        /// The error's type.
        error: String,
        /// JSON text.
        cause: Redacted<String>,
    },
    /// An object with the whole record, which comes from the parcel.
    Object {
        /// The bucket.
        bucket: String,
        /// What the key begins with; may be empty.
        prefix: String,
        /// The rest of it.
        key: String,
    },
    /// The whole record on a line of standard output.
    Line,
}

/// A message of a queue or topic.
#[derive(Debug)]
pub struct Message {
    /// URL of the queue, ARN of the topic.
    pub to: String,
    /// Its region.
    pub region: Option<String>,
    /// The record.
    pub body: Redacted<String>,
    /// The job: an attribute.
    pub job: JobId,
    /// Is it a FIFO queue or topic?
    pub fifo: bool,
}

impl Message {
    /// Group and deduplication id, where there is such.
    pub fn id(&self) -> Option<String> {
        self.fifo.then(|| self.job.to_string())
    }
}

/// An entry of `PutEvents`.
#[derive(Debug)]
pub struct Event {
    /// Name or ARN of the bus.
    pub bus: String,
    /// Its region.
    pub region: Option<String>,
    /// `Lambda Function Invocation Result - Success` or `… - Failure`.
    pub detail_type: &'static str,
    /// The bus and the function.
    pub resources: Vec<String>,
    /// When the invocation ended, milliseconds since the epoch.
    pub time: u64,
    /// The record.
    pub detail: Redacted<String>,
}

/// EventBridge's word for whom an event is from: not `aws.lambda`.
pub const SOURCE: &str = "lambda";

/// What is known of a destination before anything is sent.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The queue's URL.
    pub url: Option<String>,
    /// What it takes, bytes, if that was asked.
    pub largest: Option<usize>,
}

/// What is sent for this destination, or why nothing can be.
pub(super) fn request(
    parcel: &Parcel,
    destination: &Destination,
    known: &Known,
) -> Result<Request, String> {
    let room = |usual: usize| known.largest.unwrap_or(usual);
    let region = region(destination);
    Ok(match destination {
        Destination::Sqs { .. } | Destination::SqsArn { .. } => {
            let url = known.url.clone().ok_or("the queue's URL is not known")?;
            Request::Queue(message(parcel, url, region, room(room::ALWAYS))?)
        }
        Destination::Sns { arn } => {
            Request::Topic(message(parcel, arn.clone(), region, room(room::ALWAYS))?)
        }
        Destination::EventBridge { bus } => {
            Request::Event(event(parcel, bus, region, room(room::LARGE))?)
        }
        Destination::Lambda { arn } => {
            let function = arn.parse().map_err(|error| format!("{error}"))?;
            let payload = room::fit(parcel, room(room::LARGE), Characters::Any)?;
            Request::Invoke { function, payload }
        }
        Destination::StepFunctions => task(parcel)?,
        Destination::S3 { bucket, prefix } => {
            let key = key::key(&parcel.record, &parcel.job);
            Request::Object { bucket: bucket.clone(), prefix: prefix.clone(), key }
        }
        Destination::Stdout => Request::Line,
    })
}

/// The record as the text of a message; its attribute counts too (SQS developer guide, message quotas).
fn message(
    parcel: &Parcel,
    to: String,
    region: Option<String>,
    largest: usize,
) -> Result<Message, String> {
    let attribute = ATTRIBUTE.len() + "String".len() + parcel.job.as_str().len();
    let body = room::fit(parcel, largest.saturating_sub(attribute), Characters::Xml)?;
    Ok(Message { fifo: is_fifo(&to), to, region, body, job: parcel.job.clone() })
}

fn event(
    parcel: &Parcel,
    bus: &str,
    region: Option<String>,
    largest: usize,
) -> Result<Event, String> {
    let detail_type = if parcel.succeeded() {
        "Lambda Function Invocation Result - Success"
    } else {
        "Lambda Function Invocation Result - Failure"
    };
    let function = &parcel.record.function_arn;
    let resources = vec![bus_arn(bus, function), function.clone()];
    // EventBridge user guide, "Calculating event entry size": 14 bytes for the time.
    let around = 14 + SOURCE.len() + detail_type.len() + resources.concat().len();
    // "Less than" the limit.
    let detail = room::fit(parcel, largest.saturating_sub(around + 1), Characters::Any)?;
    let time = parcel.record.timestamp.as_millis();
    Ok(Event { bus: bus.to_owned(), region, detail_type, resources, time, detail })
}

/// A bus that has only a name is in the function's account and region.
fn bus_arn(bus: &str, function: &str) -> String {
    let parts: Vec<&str> = function.split(':').collect();
    match (bus.starts_with("arn:"), parts.as_slice()) {
        (false, ["arn", partition, "lambda", region, account, ..]) => {
            format!("arn:{partition}:events:{region}:{account}:event-bus/{bus}")
        }
        _ => bus.to_owned(),
    }
}

fn task(parcel: &Parcel) -> Result<Request, String> {
    let token = parcel.token.clone().ok_or(
        "the job has no task token: `stepfunctions` is for jobs of a state that waits for one",
    )?;
    Ok(match workflow::word(parcel)? {
        Word::Success { output } => Request::Success { token, output },
        Word::Failure { error, cause } => Request::Failure { token, error, cause },
    })
}

/// The suffix is a part of the name (SQS developer guide, "FIFO queue names").
fn is_fifo(name: &str) -> bool {
    name.strip_suffix(".fifo").is_some()
}

/// The region that a destination's name says: AWS answers for a queue or topic in its own region only.
pub fn region(destination: &Destination) -> Option<String> {
    let of_arn = |arn: &str| arn.strip_prefix("arn:")?.split(':').nth(2).map(str::to_owned);
    let region = match destination {
        Destination::Sqs { url } => super::queue::region(url).map(str::to_owned),
        Destination::SqsArn { arn }
        | Destination::Sns { arn }
        | Destination::Lambda { arn }
        | Destination::EventBridge { bus: arn } => of_arn(arn),
        Destination::S3 { .. } | Destination::StepFunctions | Destination::Stdout => None,
    };
    region.filter(|region| !region.is_empty())
}
