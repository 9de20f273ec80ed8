//! A queue that a worker takes messages from: SQS behind our own types. What is in a message is not known here.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry,
    DeleteMessageBatchRequestEntry, MessageSystemAttributeName,
};
use ledger::Redacted;

use super::{AwsError, failure};

/// The most messages of one call (SQS API reference, `ReceiveMessage` and the batch actions).
pub const BATCH: usize = 10;
/// The longest wait for messages, and the longest time for which one is hidden.
const LONGEST_WAIT: Duration = Duration::from_secs(20);
const LONGEST_HIDDEN: Duration = Duration::from_hours(12);

/// A queue.
#[derive(Debug, Clone)]
pub struct Inbox {
    client: Client,
    url: String,
}

/// A message that was received.
#[derive(Debug)]
pub struct Letter {
    /// Its id.
    pub id: String,
    /// What says that it is ours for now.
    pub receipt: Receipt,
    /// Its body.
    pub body: Redacted<String>,
    /// How often it was received, this time included.
    pub count: u32,
}

/// What says that a message is ours for now.
pub type Receipt = Redacted<String>;

impl Inbox {
    /// The queue with this URL.
    pub fn new(config: &SdkConfig, url: &str) -> Self {
        Self { client: Client::new(config), url: url.to_owned() }
    }

    /// Waits for messages, and hides those that come for so long.
    pub async fn receive(
        &self,
        most: usize,
        wait: Duration,
        hidden: Duration,
    ) -> Result<Vec<Letter>, AwsError> {
        let request = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(i32::try_from(most.clamp(1, BATCH)).unwrap_or(1))
            .wait_time_seconds(seconds(wait, LONGEST_WAIT))
            .visibility_timeout(seconds(hidden, LONGEST_HIDDEN))
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount);
        let answer = request.send().await;
        let answer = answer.map_err(|error| failure("ReceiveMessage", &self.url, &error))?;
        Ok(answer.messages.unwrap_or_default().into_iter().map(letter).collect())
    }

    /// Deletes at most [`BATCH`] messages; those that could not be, and why.
    pub async fn delete(&self, receipts: &[Receipt]) -> Result<Vec<String>, AwsError> {
        let entry = |(at, receipt): (usize, &Receipt)| {
            DeleteMessageBatchRequestEntry::builder()
                .id(at.to_string())
                .receipt_handle(receipt.expose())
                .build()
                .expect("it has id and receipt")
        };
        let entries = receipts.iter().enumerate().map(entry).collect();
        let request = self.client.delete_message_batch().queue_url(&self.url);
        let answer = request.set_entries(Some(entries)).send().await;
        let answer = answer.map_err(|error| failure("DeleteMessageBatch", &self.url, &error))?;
        Ok(answer.failed.iter().map(problem).collect())
    }

    /// Hides at most [`BATCH`] messages for so long from now, not at all if that is nothing; those that could not be,
    /// and why.
    pub async fn hide(&self, receipts: &[(Receipt, Duration)]) -> Result<Vec<String>, AwsError> {
        let entry = |(at, (receipt, hidden)): (usize, &(Receipt, Duration))| {
            ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(at.to_string())
                .receipt_handle(receipt.expose())
                .visibility_timeout(seconds(*hidden, LONGEST_HIDDEN))
                .build()
                .expect("it has id and receipt")
        };
        let entries = receipts.iter().enumerate().map(entry).collect();
        let request = self.client.change_message_visibility_batch().queue_url(&self.url);
        let answer = request.set_entries(Some(entries)).send().await;
        let answer =
            answer.map_err(|error| failure("ChangeMessageVisibilityBatch", &self.url, &error))?;
        Ok(answer.failed.iter().map(problem).collect())
    }
}

fn letter(message: aws_sdk_sqs::types::Message) -> Letter {
    let count = message.attributes.as_ref().and_then(|all| {
        all.get(&MessageSystemAttributeName::ApproximateReceiveCount)?.parse().ok()
    });
    Letter {
        id: message.message_id.unwrap_or_default(),
        receipt: Redacted::new(message.receipt_handle.unwrap_or_default()),
        body: Redacted::new(message.body.unwrap_or_default()),
        count: count.unwrap_or(1),
    }
}

fn problem(entry: &BatchResultErrorEntry) -> String {
    format!("{}: {}", entry.code(), entry.message().unwrap_or("without a message"))
}

/// Whole seconds, rounded up.
fn seconds(duration: Duration, most: Duration) -> i32 {
    i32::try_from(duration.min(most).as_millis().div_ceil(1000)).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_whole_seconds_that_sqs_takes() {
        let of = |millis| seconds(Duration::from_millis(millis), LONGEST_WAIT);
        assert_eq!([of(0), of(1), of(1000), of(1001), of(60_000)], [0, 1, 1, 2, 20]);
        assert_eq!(seconds(Duration::MAX, LONGEST_HIDDEN), 43_200);
    }
}
