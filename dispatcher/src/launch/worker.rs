//! Attempts that workers make: a message that points to the job is put into their queue. Who takes it, and whether it is
//! still at work, the attempt's own record says; a message that is sent twice leads to the same attempt.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::operation::send_message_batch::SendMessageBatchOutput;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use futures_util::FutureExt as _;
use ledger::{Attempt, Launch, Pointer, State, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::mode::{Mode, Rules};
use super::{Cause, Launched, Refused, Seen, said};
use crate::place::{self, Wanted};
use crate::resolve::allow::matches;
use crate::together::Together;

/// The launcher's name in records.
pub const NAME: &str = "worker";

/// `[worker]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Who runs jobs of functions that do not say so themselves: `task`, `worker`, `auto`.
    pub mode: Mode,
    /// URL of the workers' queue: `{runtime}`, `{family}` and `{arch}` stand for the function's.
    pub queue: Option<String>,
    /// Queues of single runtimes, by Lambda's identifier.
    pub queues: BTreeMap<String, String>,
    /// Queues of single functions, by name with `*`: functions with a file system go to workers only by these, whose workers mount it.
    pub functions: BTreeMap<String, String>,
    /// `auto`: more starts of a function a minute than this are for workers.
    pub above: f64,
    /// `auto`: functions of more memory, MB, get containers of their own, since all workers of a queue have one size.
    pub memory: u32,
    /// A message that no worker has taken for so long is taken for lost, and sent again.
    #[serde(with = "crate::seconds")]
    #[schemars(schema_with = "crate::seconds::schema")]
    pub unclaimed: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mode: Mode::Task,
            queue: None,
            queues: BTreeMap::new(),
            functions: BTreeMap::new(),
            above: 10.0,
            memory: 2_048,
            unclaimed: Duration::from_hours(12),
        }
    }
}

impl Settings {
    /// What is looked at beside a function's mode.
    pub fn rules(&self, function: &str) -> Rules {
        let own_queue = self.own_queue(function).is_some();
        Rules { own_queue, above: self.above, memory: self.memory }
    }

    /// The queue of this function alone.
    fn own_queue(&self, function: &str) -> Option<&str> {
        let mut own = self.functions.iter().filter(|(pattern, _)| matches(pattern, function));
        own.next().map(|(_, queue)| queue.as_str())
    }

    /// Whether there is any queue to send to.
    pub fn has_queue(&self) -> bool {
        self.queue.is_some() || !self.queues.is_empty() || !self.functions.is_empty()
    }
}

/// A message in a queue of workers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// URL of the queue.
    pub queue: String,
    /// The message.
    pub message: String,
}

/// Where and how an attempt runs. Pure.
pub(super) fn place(wanted: &Wanted<'_>, settings: &Settings) -> Result<Placement, String> {
    place::runnable(wanted)?;
    let function = wanted.function;
    let queue = match (settings.own_queue(&function.name), &settings.queue) {
        (Some(queue), _) => queue.to_owned(),
        (None, rule) => {
            let rule = rule.as_deref().unwrap_or_default();
            place::named(function, rule, &settings.queues, "[worker.queues]")?
        }
    };
    if queue.is_empty() {
        return Err(format!(
            "expected a queue of workers for `{}`, found none: name one in [worker] queue, [worker.queues] or [worker.functions]",
            function.name
        ));
    }
    let ledger::Address { root, .. } =
        wanted.address.parse().map_err(|error: ledger::AddressError| error.to_string())?;
    let pointer = Pointer { root, job: wanted.job.clone(), attempt: wanted.attempt };
    Ok(Placement { queue, message: pointer.to_string() })
}

/// Puts messages into the queues of workers, ten at once.
#[derive(Debug)]
pub(super) struct Sender {
    client: Client,
    settings: Settings,
    queues: RefCell<BTreeMap<String, Sending>>,
}

/// Message and token of each.
type Sending = Together<(String, String), Result<Launched, Refused>>;

impl Sender {
    /// With this client.
    pub(super) fn new(client: Client, settings: Settings) -> Self {
        Self { client, settings, queues: RefCell::default() }
    }

    /// What is configured.
    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Puts the message into its queue.
    pub(super) async fn launch(
        &self,
        placement: Placement,
        token: &str,
    ) -> Result<Launched, Refused> {
        let Placement { queue, message } = placement;
        let sending = self.to(&queue);
        let sent = sending.ask((message, token.to_owned())).await;
        sent.unwrap_or_else(|| Err(unsent(&queue, "the program ended")))
    }

    fn to(&self, queue: &str) -> Sending {
        let mut queues = self.queues.borrow_mut();
        let (client, url) = (self.client.clone(), queue.to_owned());
        let new =
            || Together::new(move |some| send(client.clone(), url.clone(), some).boxed_local());
        queues.entry(queue.to_owned()).or_insert_with(new).clone()
    }
}

/// Sends up to ten messages.
async fn send(
    client: Client,
    queue: String,
    some: Vec<(String, String)>,
) -> Vec<Result<Launched, Refused>> {
    let fifo = queue.strip_suffix(".fifo").is_some();
    let entry = |(number, (message, token)): (usize, &(String, String))| {
        // One group for each: jobs have no order among them.
        let token = fifo.then(|| token.clone());
        SendMessageBatchRequestEntry::builder()
            .id(number.to_string())
            .message_body(message)
            .set_message_group_id(token.clone())
            .set_message_deduplication_id(token)
            .build()
            .expect("it has both")
    };
    let entries = some.iter().enumerate().map(entry).collect();
    let request = client.send_message_batch().queue_url(&queue).set_entries(Some(entries));
    let answer = match request.send().await {
        Ok(answer) => answer,
        Err(error) => return vec![Err(unsent(&queue, &said(&error))); some.len()],
    };
    (0..some.len()).map(|number| sent(&queue, number, &answer)).collect()
}

/// What became of one entry of a batch: only what is named as sent was sent.
fn sent(queue: &str, number: usize, answer: &SendMessageBatchOutput) -> Result<Launched, Refused> {
    let number = number.to_string();
    if let Some(sent) = answer.successful().iter().find(|one| one.id() == number) {
        return Ok(Launched { id: format!("message {}", sent.message_id()) });
    }
    let failed = answer.failed().iter().find(|one| one.id() == number);
    let why = failed.map(|one| one.message().unwrap_or(one.code()));
    Err(unsent(queue, why.unwrap_or("it was not answered")))
}

fn unsent(queue: &str, why: &str) -> Refused {
    Refused::Later {
        why: format!("SendMessageBatch to {queue} failed: {why}"),
        after: Duration::from_secs(15),
        anew: true,
        slower: false,
    }
}

/// What the records say of an attempt that went to workers; nothing where they say how it ended themselves.
pub fn seen(
    launch: &Launch,
    attempt: Option<&Attempt>,
    now: Time,
    unclaimed: Duration,
) -> Option<Seen> {
    let sent = launch.started?;
    let Some(attempt) = attempt.filter(|attempt| attempt.number >= launch.number) else {
        return Some(if now.since(sent) < unclaimed {
            Seen::Alive { step: "QUEUED".to_owned() }
        } else {
            // Nobody's fault: there may be no workers, or the queue was emptied.
            let hours = humantime::format_duration(unclaimed);
            let reason = format!("no worker has taken its message for {hours}");
            Seen::Over { reason, exit: None, cause: Cause::Capacity }
        });
    };
    let until = attempt.alive_until.filter(|_| attempt.state == State::Claimed)?;
    Some(if attempt.is_alive(now) {
        Seen::Alive { step: "RUNNING".to_owned() }
    } else {
        let reason = format!("its worker was to be heard of again before {until}");
        Seen::Over { reason, exit: None, cause: Cause::Killed }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::function::sample;

    fn placed(settings: &Settings) -> Result<Placement, String> {
        let (function, job) = (sample(), "j-1".parse().unwrap());
        let wanted = Wanted {
            function: &function,
            job: &job,
            address: "s3://jobs/x/jobs/j-1",
            tenant: None,
            attempt: 2,
            larger: 0,
            by_worker: true,
            destinations: None,
        };
        place(&wanted, settings)
    }

    #[test]
    fn a_message_points_to_the_job_in_the_queue_of_its_family() {
        let queue = Some("https://sqs/1/workers-{family}-{arch}".to_owned());
        let settings = Settings { queue, ..Settings::default() };
        let placement = placed(&settings).unwrap();
        assert_eq!(placement.queue, "https://sqs/1/workers-python-x86-64");
        assert_eq!(placement.message, r#"{"attempt":2,"job":"s3://jobs/x/jobs/j-1"}"#);
        let functions = BTreeMap::from([("res*".to_owned(), "https://sqs/1/own".to_owned())]);
        let own = placed(&Settings { functions, ..settings }).unwrap();
        assert_eq!(own.queue, "https://sqs/1/own");
        assert!(placed(&Settings::default()).unwrap_err().contains("[worker] queue"));
    }

    #[test]
    fn of_a_batch_only_what_is_named_as_sent_was_sent() {
        use aws_sdk_sqs::types::{BatchResultErrorEntry, SendMessageBatchResultEntry};
        let sent_one = SendMessageBatchResultEntry::builder()
            .id("0")
            .message_id("m-0")
            .md5_of_message_body("d")
            .build();
        let throttled = BatchResultErrorEntry::builder()
            .id("1")
            .sender_fault(false)
            .code("InternalError")
            .message("not now")
            .build();
        let answer = SendMessageBatchOutput::builder()
            .successful(sent_one.unwrap())
            .failed(throttled.unwrap())
            .build()
            .unwrap();
        let of = |number| sent("https://sqs/1/w", number, &answer);
        assert_eq!(of(0), Ok(Launched { id: "message m-0".into() }));
        for (number, part) in [(1, "not now"), (2, "not answered")] {
            let Err(Refused::Later { why, .. }) = of(number) else { panic!("{number}") };
            assert!(why.contains(part), "{why}");
        }
    }

    fn minutes(minutes: u64) -> Time {
        Time::from_millis(minutes * 60_000)
    }

    fn of(attempt: Option<&Attempt>, minute: u64) -> Option<Seen> {
        let launch = Launch::new(1, NAME, json!({}), minutes(0)).as_started("m", minutes(0));
        seen(&launch, attempt, minutes(minute), Duration::from_hours(1))
    }

    #[test]
    fn a_message_waits_until_it_is_taken_for_lost() {
        assert_eq!(of(None, 59), Some(Seen::Alive { step: "QUEUED".into() }));
        let Some(Seen::Over { cause, .. }) = of(None, 61) else { panic!() };
        assert!(cause.is_nobodys_fault());
    }

    #[test]
    fn a_worker_is_alive_for_as_long_as_it_has_said() {
        let mut attempt = Attempt::new(1, "0", minutes(0));
        attempt.alive_until = Some(minutes(5));
        assert_eq!(of(Some(&attempt), 4), Some(Seen::Alive { step: "RUNNING".into() }));
        let Some(Seen::Over { reason, cause, .. }) = of(Some(&attempt), 6) else { panic!() };
        assert!(cause == Cause::Killed && reason.contains("1970-01-01T00:05"), "{reason}");
        let ended = attempt.over(State::Ended, minutes(5), "why");
        assert_eq!(of(Some(&ended), 6), None);
    }
}
