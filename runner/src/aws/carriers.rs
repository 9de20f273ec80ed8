//! Sends outcomes: one call of the SDK for each request of `destination`, which owns what is sent and how often.
//! Retries of the SDK are off, so that tries are counted in one place.

use std::io::{self, Write as _};

use aws_config::retry::RetryConfig;
use aws_config::{Region, SdkConfig};
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_sdk_lambda::types::InvocationType;
use aws_sdk_sqs::types::QueueAttributeName;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::{Blob, DateTime};
use aws_types::request_id::RequestId as _;
use futures_util::TryStreamExt as _;
use ledger::{Access, Bucket, Destination, HttpClient, LedgerError, Redacted, Root};

use crate::causes::causes;
use crate::destination::{
    ATTRIBUTE, Carrier, Event, Fault, Known, Message, Parcel, Queue, Request, SOURCE, line, region,
    whole,
};
use crate::fetch::client;
use crate::function::name::FunctionName;

/// The carriers of AWS, and standard output.
#[derive(Debug, Clone)]
pub struct Carriers {
    sdk: SdkConfig,
}

type Sent = Result<Option<String>, Fault>;

impl Carriers {
    /// With the region, credentials and endpoints of these settings.
    pub fn new(sdk: &SdkConfig) -> Self {
        Self { sdk: sdk.clone().into_builder().retry_config(RetryConfig::disabled()).build() }
    }

    /// The settings for another region.
    fn of(&self, region: Option<&str>) -> SdkConfig {
        let Some(region) = region else { return self.sdk.clone() };
        self.sdk.clone().into_builder().region(Region::new(region.to_owned())).build()
    }

    /// Tells a waiting workflow that its job is still under way.
    pub async fn beat(&self, token: &Redacted<String>) -> Result<(), Fault> {
        let client = aws_sdk_sfn::Client::new(&self.sdk);
        let answer = client.send_task_heartbeat().task_token(token.expose()).send().await;
        answer.map(drop).map_err(|error| fault("SendTaskHeartbeat", &error))
    }

    /// The URL of a queue, and what it takes. Who may send to it need not be allowed to ask.
    async fn queue(&self, url: String, region: Option<&str>) -> Result<Known, Fault> {
        let client = aws_sdk_sqs::Client::new(&self.of(region));
        let largest = QueueAttributeName::MaximumMessageSize;
        let answer =
            client.get_queue_attributes().queue_url(&url).attribute_names(largest.clone()).send();
        let largest = match answer.await {
            Ok(answer) => answer.attributes().and_then(|all| all.get(&largest)?.parse().ok()),
            Err(error) if is_denied(&error) => None,
            Err(error) => return Err(fault("GetQueueAttributes", &error)),
        };
        Ok(Known { url: Some(url), largest })
    }

    async fn queue_url(&self, arn: &str) -> Result<String, Fault> {
        let queue = Queue::of_arn(arn)
            .ok_or_else(|| Fault::lasting(format!("expected the ARN of a queue, found `{arn}`")))?;
        let client = aws_sdk_sqs::Client::new(&self.of(queue.region()));
        let request = client.get_queue_url().queue_name(queue.name);
        match request.queue_owner_aws_account_id(queue.account).send().await {
            Ok(answer) => Ok(answer.queue_url().unwrap_or_default().to_owned()),
            Err(error) if is_denied(&error) => Ok(queue.url()),
            Err(error) => Err(fault("GetQueueUrl", &error)),
        }
    }

    async fn message(&self, message: &Message) -> Sent {
        let attribute = aws_sdk_sqs::types::MessageAttributeValue::builder()
            .data_type("String")
            .string_value(message.job.as_str())
            .build()
            .expect("it has its type");
        let client = aws_sdk_sqs::Client::new(&self.of(message.region.as_deref()));
        let request = client
            .send_message()
            .queue_url(&message.to)
            .message_body(message.body.expose())
            .message_attributes(ATTRIBUTE, attribute)
            .set_message_group_id(message.id())
            .set_message_deduplication_id(message.id());
        let answer = request.send().await.map_err(|error| fault("SendMessage", &error))?;
        Ok(answer.message_id().map(str::to_owned))
    }

    async fn notification(&self, message: &Message) -> Sent {
        let attribute = aws_sdk_sns::types::MessageAttributeValue::builder()
            .data_type("String")
            .string_value(message.job.as_str())
            .build()
            .expect("it has its type");
        let client = aws_sdk_sns::Client::new(&self.of(message.region.as_deref()));
        let request = client
            .publish()
            .topic_arn(&message.to)
            .message(message.body.expose())
            .message_attributes(ATTRIBUTE, attribute)
            .set_message_group_id(message.id())
            .set_message_deduplication_id(message.id());
        let answer = request.send().await.map_err(|error| fault("Publish", &error))?;
        Ok(answer.message_id().map(str::to_owned))
    }

    async fn success(&self, token: &Redacted<String>, output: &Redacted<String>) -> Sent {
        let request = aws_sdk_sfn::Client::new(&self.sdk).send_task_success();
        let answer = request.task_token(token.expose()).output(output.expose()).send().await;
        answer.map(|_| None).map_err(|error| fault("SendTaskSuccess", &error))
    }

    async fn failure(
        &self,
        token: &Redacted<String>,
        error: &str,
        cause: &Redacted<String>,
    ) -> Sent {
        let request = aws_sdk_sfn::Client::new(&self.sdk).send_task_failure().error(error);
        let answer = request.task_token(token.expose()).cause(cause.expose()).send().await;
        answer.map(|_| None).map_err(|error| fault("SendTaskFailure", &error))
    }

    async fn event(&self, event: &Event) -> Sent {
        let time = DateTime::from_millis(i64::try_from(event.time).unwrap_or_default());
        let entry = PutEventsRequestEntry::builder()
            .source(SOURCE)
            .detail_type(event.detail_type)
            .detail(event.detail.expose())
            .event_bus_name(&event.bus)
            .set_resources(Some(event.resources.clone()))
            .time(time);
        let client = aws_sdk_eventbridge::Client::new(&self.of(event.region.as_deref()));
        let answer = client.put_events().entries(entry.build()).send().await;
        let answer = answer.map_err(|error| fault("PutEvents", &error))?;
        let result = answer.entries().first();
        if answer.failed_entry_count() == 0 {
            return Ok(result.and_then(|entry| entry.event_id()).map(str::to_owned));
        }
        // The call is answered with 200 for events that were not taken.
        let text = |text: Option<&str>| text.unwrap_or("not said").to_owned();
        let code = text(result.and_then(|entry| entry.error_code()));
        let message = text(result.and_then(|entry| entry.error_message()));
        Err(Fault::refused("PutEvents", 400, &code, &message))
    }

    async fn invoke(&self, function: &FunctionName, payload: &Redacted<String>) -> Sent {
        let client = aws_sdk_lambda::Client::new(&self.of(function.region()));
        let request = client.invoke().function_name(function.unqualified());
        let request = request.set_qualifier(function.qualifier().map(str::to_owned));
        let request = request.payload(Blob::new(payload.expose().as_bytes()));
        let answer = request.invocation_type(InvocationType::Event).send().await;
        let answer = answer.map_err(|error| fault("Invoke", &error))?;
        Ok(answer.request_id().map(str::to_owned))
    }

    async fn object(&self, bucket: &str, prefix: &str, key: &str, parcel: &Parcel) -> Sent {
        let address = format!("s3://{bucket}/{prefix}");
        let root: Root = address
            .trim_end_matches('/')
            .parse()
            .map_err(|error: ledger::AddressError| Fault::lasting(error.to_string()))?;
        let http = client::new().map_err(|error| Fault::passing(causes(&error)))?;
        let access = Access { sdk: &self.sdk, http: HttpClient::new(http) };
        let bucket = Bucket::open(&root, Some(access)).map_err(|error| unwritten(&error))?;
        let record = whole(parcel).await.map_err(|error| unreadable(&error))?;
        let stored = bucket.write(key, record).await.map_err(|error| unwritten(&error))?;
        Ok(Some(root.object(&stored.key)))
    }
}

impl Carrier for Carriers {
    async fn know(&self, destination: &Destination) -> Result<Known, Fault> {
        let url = match destination {
            Destination::Sqs { url } => url.clone(),
            Destination::SqsArn { arn } => self.queue_url(arn).await?,
            _ => return Ok(Known::default()),
        };
        let region = region(destination);
        self.queue(url, region.as_deref()).await
    }

    async fn send(&self, request: &Request, parcel: &Parcel) -> Sent {
        match request {
            Request::Queue(message) => self.message(message).await,
            Request::Topic(message) => self.notification(message).await,
            Request::Event(event) => self.event(event).await,
            Request::Invoke { function, payload } => self.invoke(function, payload).await,
            Request::Success { token, output } => self.success(token, output).await,
            Request::Failure { token, error, cause } => self.failure(token, error, cause).await,
            Request::Object { bucket, prefix, key } => {
                self.object(bucket, prefix, key, parcel).await
            }
            Request::Line => print(parcel).await,
        }
    }
}

/// The record on a line of standard output. A reader may take its time. What was begun is not begun again.
async fn print(parcel: &Parcel) -> Sent {
    let mut pieces = line(parcel).await.map_err(|error| unreadable(&error))?;
    let broken = |error: &io::Error| {
        Fault::lasting(format!("standard output has a part of the record: {}", causes(error)))
    };
    while let Some(piece) = pieces.try_next().await.map_err(|error| broken(&error))? {
        let write = move || {
            let mut stdout = io::stdout().lock();
            stdout.write_all(&piece).and_then(|()| stdout.flush())
        };
        let written = tokio::task::spawn_blocking(write).await;
        written.map_err(io::Error::other).flatten().map_err(|error| broken(&error))?;
    }
    Ok(None)
}

fn unreadable(error: &io::Error) -> Fault {
    Fault::passing(format!("the response could not be read: {}", causes(error)))
}

fn unwritten(error: &LedgerError) -> Fault {
    match error {
        LedgerError::Unavailable { .. } | LedgerError::Source { .. } => {
            Fault::passing(causes(error))
        }
        _ => Fault::lasting(causes(error)),
    }
}

fn is_denied<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    let SdkError::ServiceError(refusal) = error else { return false };
    refusal.err().code().is_some_and(|code| code.contains("AccessDenied"))
}

/// What an error of the SDK says.
fn fault<E>(operation: &str, error: &SdkError<E, HttpResponse>) -> Fault
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    match error {
        SdkError::ServiceError(refusal) => {
            let (status, error) = (refusal.raw().status().as_u16(), refusal.err());
            let code = error.code().unwrap_or("no error code");
            Fault::refused(operation, status, code, error.message().unwrap_or("no message"))
        }
        // Nothing was sent: the request itself is at fault, as one without a region is.
        SdkError::ConstructionFailure(_) => {
            Fault::lasting(format!("{operation} could not be made: {}", causes(error)))
        }
        _ => Fault::passing(format!("{operation} got no answer: {}", causes(error))),
    }
}
