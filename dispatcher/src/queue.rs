//! An SQS queue: messages received with all they carry, done (ten at once), or left for later. Owns the calls; what a
//! message means is `envelope`'s business.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, DeleteMessageBatchRequestEntry, MessageAttributeValue,
    MessageSystemAttributeName, QueueAttributeName,
};
use bytes::Bytes;
use futures_util::FutureExt as _;
use ledger::Redacted;
use runner::causes::causes;
use thiserror::Error;

use crate::message::{Attribute, Message};
use crate::together::Together;

const DELETE: &str = "DeleteMessageBatch";
/// The longest visibility time-out (SQS quotas), seconds.
const LONGEST: u64 = 43_200;
/// So long an empty queue is waited at. At a stop the answer that is under way has to be waited for, since the queue
/// may hide the messages of one that nobody reads: SQS would wait 20 s, and a stop is to be over in half of that.
pub const WAIT: Duration = Duration::from_secs(5);

/// A queue did not do as it was told.
#[derive(Debug, Clone, Error)]
#[error("{operation} of `{url}` failed: {problem}")]
pub struct QueueError {
    /// API operation.
    pub operation: &'static str,
    /// The queue's URL.
    pub url: String,
    /// What was said.
    pub problem: String,
}

/// A queue that messages are taken from.
#[derive(Debug, Clone)]
pub struct Queue {
    client: Client,
    url: String,
    arn: String,
    hidden: Duration,
    done: Together<Redacted<String>, Result<(), QueueError>>,
}

/// A message, and the handle by which it is done or given back.
#[derive(Debug)]
pub struct Delivery {
    /// What was delivered.
    pub message: Message,
    /// Valid until it is delivered again.
    receipt: Redacted<String>,
}

impl Queue {
    /// The queue at this URL. Messages that were received stay hidden for so long.
    pub async fn open(client: Client, url: &str, hidden: Duration) -> Result<Self, QueueError> {
        let request = client.get_queue_attributes().queue_url(url);
        let answer = request.attribute_names(QueueAttributeName::QueueArn).send().await;
        let answer = answer.map_err(|error| failed("GetQueueAttributes", url, &error))?;
        let arn = answer.attributes().and_then(|all| all.get(&QueueAttributeName::QueueArn));
        let arn = arn.cloned().unwrap_or_default();
        let (deleting, url) = (client.clone(), url.to_owned());
        let of = url.clone();
        let done =
            Together::new(move |some| delete(deleting.clone(), of.clone(), some).boxed_local());
        Ok(Self { client, url, arn, hidden, done })
    }

    /// Its ARN.
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// How long a message that was received stays hidden.
    pub fn hidden(&self) -> Duration {
        self.hidden
    }

    /// Waits up to [`WAIT`] for up to ten messages.
    pub async fn receive(&self, most: usize) -> Result<Vec<Delivery>, QueueError> {
        let request = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(i32::try_from(most.clamp(1, 10)).unwrap_or(10))
            .wait_time_seconds(seconds(WAIT))
            .visibility_timeout(seconds(self.hidden))
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::All);
        let answer = request.send().await;
        let answer = answer.map_err(|error| failed("ReceiveMessage", &self.url, &error))?;
        let messages = answer.messages.unwrap_or_default();
        Ok(messages.into_iter().map(|message| delivery(message, &self.arn)).collect())
    }

    /// The message has done its duty.
    pub async fn done(&self, delivery: &Delivery) -> Result<(), QueueError> {
        let answer = self.done.ask(delivery.receipt.clone()).await;
        answer.unwrap_or_else(|| Err(undone(&self.url, "the program ended")))
    }

    /// The message comes again after this time.
    pub async fn later(&self, delivery: &Delivery, after: Duration) -> Result<(), QueueError> {
        let request = self.client.change_message_visibility().queue_url(&self.url);
        let request = request.receipt_handle(delivery.receipt.expose());
        let answer = request.visibility_timeout(seconds(after)).send().await;
        answer.map(drop).map_err(|error| failed("ChangeMessageVisibility", &self.url, &error))
    }
}

/// Deletes up to ten messages.
async fn delete(
    client: Client,
    url: String,
    receipts: Vec<Redacted<String>>,
) -> Vec<Result<(), QueueError>> {
    let entry = |(number, receipt): (usize, &Redacted<String>)| {
        DeleteMessageBatchRequestEntry::builder()
            .id(number.to_string())
            .receipt_handle(receipt.expose())
            .build()
            .expect("it has both")
    };
    let entries = receipts.iter().enumerate().map(entry).collect();
    let request = client.delete_message_batch().queue_url(&url).set_entries(Some(entries));
    let answer = match request.send().await {
        Ok(answer) => answer,
        Err(error) => return vec![Err(failed(DELETE, &url, &error)); receipts.len()],
    };
    (0..receipts.len()).map(|number| deleted(&url, number, answer.failed())).collect()
}

/// What became of one entry of a batch: those that failed are named.
fn deleted(url: &str, number: usize, failed: &[BatchResultErrorEntry]) -> Result<(), QueueError> {
    let number = number.to_string();
    let refused = failed.iter().find(|one| one.id() == number);
    refused.map_or(Ok(()), |one| Err(undone(url, one.message().unwrap_or(one.code()))))
}

fn undone(url: &str, problem: &str) -> QueueError {
    QueueError { operation: DELETE, url: url.to_owned(), problem: problem.to_owned() }
}

fn seconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_secs().min(LONGEST)).unwrap_or(i32::MAX)
}

fn failed<E, R>(operation: &'static str, url: &str, error: &SdkError<E, R>) -> QueueError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    let problem = match error.as_service_error() {
        Some(said) => format!(
            "{}: {}",
            said.code().unwrap_or("unknown"),
            said.message().unwrap_or("without a message")
        ),
        None => causes(error),
    };
    QueueError { operation, url: url.to_owned(), problem }
}

fn delivery(message: aws_sdk_sqs::types::Message, queue_arn: &str) -> Delivery {
    let system = message.attributes.unwrap_or_default();
    let attributes = message.message_attributes.unwrap_or_default();
    Delivery {
        receipt: Redacted::new(message.receipt_handle.unwrap_or_default()),
        message: Message {
            id: message.message_id.unwrap_or_default(),
            queue_arn: queue_arn.to_owned(),
            body: Redacted::new(Bytes::from(message.body.unwrap_or_default())),
            attributes: attributes
                .into_iter()
                .map(|(name, value)| (name, attribute(value)))
                .collect(),
            system: system
                .into_iter()
                .map(|(name, value)| (name.as_str().to_owned(), value))
                .collect::<BTreeMap<_, _>>(),
        },
    }
}

fn attribute(value: MessageAttributeValue) -> Attribute {
    let kind = value.data_type;
    match (value.string_value, value.binary_value) {
        (None, Some(bytes)) => {
            Attribute::Binary { kind, value: Redacted::new(Bytes::from(bytes.into_inner())) }
        }
        (text, _) => Attribute::Text { kind, value: Redacted::new(text.unwrap_or_default()) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_batch_only_what_is_named_as_failed_is_not_deleted() {
        let failed = BatchResultErrorEntry::builder()
            .id("1")
            .sender_fault(true)
            .code("ReceiptHandleIsInvalid")
            .build()
            .unwrap();
        let each = [0, 1, 2].map(|number| deleted("q", number, std::slice::from_ref(&failed)));
        assert!(each[0].is_ok() && each[2].is_ok());
        assert!(each[1].as_ref().unwrap_err().to_string().contains("ReceiptHandleIsInvalid"));
    }
}
