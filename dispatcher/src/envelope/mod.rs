//! What a message is: a failed invocation, a pointer to one, nothing to be done, or nothing that is known. Owns the
//! order in which shapes are looked for: what the queue is declared to be, then attributes, then the body, since the
//! body of a dead letter is a user's event and may look like anything. One file per shape. Pure.

mod attributes;
mod event;
mod notice;
mod notification;
mod record;
mod redrive;
mod request;
mod types;
mod view;

use bytes::Bytes;
use ledger::{JobId, Time};
use notification::Notification;
pub use types::{Failed, Hint, Kind, Known, Object, Reason, Seen, Understood};

use crate::message::Message;

/// What this message is, on a queue that is declared to be of this kind.
pub fn understand(message: &Message, declared: Kind, known: &Known) -> Understood {
    let body = message.body.expose();
    let wrapped = || Notification::of(body);
    let found = match declared {
        Kind::Auto => return auto(message, known),
        Kind::DeadLetter => match wrapped().and_then(|wrapped| wrapped.dead_letter()) {
            Some(found) if !attributes::is_dead_letter(message) => Some(found),
            _ => Some(attributes::dead_letter(message)),
        },
        Kind::Destination | Kind::Stream => match wrapped() {
            Some(wrapped) => carried(wrapped.inner.as_bytes(), true, known),
            None => carried(body, false, known),
        },
        Kind::Redrive => redrive::source(message).map(|source| redrive::of(message, source)),
        Kind::Rule => Some(attributes::rule(message)),
        Kind::Schedule => attributes::is_schedule(message).then(|| attributes::schedule(message)),
        Kind::Subscription => wrapped().map(|wrapped| wrapped.subscription(message)),
        Kind::Workflow => request::workflow(body, message),
        Kind::Direct => request::direct(body, message),
        Kind::Event => Some(event::of(message, known)),
    };
    found.unwrap_or_else(|| {
        quarantine(
            &format!(
                "expected a message of the kind `{declared}`, which its queue is declared to have"
            ),
            "another shape",
            "correct the queue's `kind`, or send such messages elsewhere",
        )
    })
}

/// What the object is that a message pointed to.
pub fn understand_object(object: &Object, content: &Bytes) -> Understood {
    record::of(content, true).unwrap_or_else(|| {
        quarantine(
            &format!("expected an invocation record in s3://{}/{}", object.bucket, object.key),
            "something else",
            "point notifications of the prefix aws/lambda/ only to this queue",
        )
    })
}

fn auto(message: &Message, known: &Known) -> Understood {
    let body = message.body.expose();
    if attributes::is_dead_letter(message) {
        return attributes::dead_letter(message);
    }
    if attributes::is_schedule(message) {
        return attributes::schedule(message);
    }
    if attributes::is_rule(message) {
        return attributes::rule(message);
    }
    let source = redrive::source(message);
    if let Some(source) = source.filter(|source| !known.plain_queues.contains(*source)) {
        return redrive::of(message, source);
    }
    if let Some(wrapped) = Notification::of(body) {
        return wrapped
            .dead_letter()
            .or_else(|| carried(wrapped.inner.as_bytes(), true, known))
            .unwrap_or_else(|| wrapped.subscription(message));
    }
    carried(body, false, known)
        .or_else(|| request::direct(body, message))
        .or_else(|| request::workflow(body, message))
        .unwrap_or_else(|| event::of(message, known))
}

/// Lambda's records, in whatever carries them.
fn carried(body: &[u8], by_topic: bool, known: &Known) -> Option<Understood> {
    record::of(body, by_topic).or_else(|| record::of_bus(body)).or_else(|| notice::of(body, known))
}

/// The job of a message that has no better name than its own.
fn job_of(message: &Message) -> JobId {
    if message.id.is_empty() {
        return JobId::from_digest(message.body.expose());
    }
    JobId::from_message(&message.queue_arn, &message.id)
}

/// When a message was sent.
fn sent(message: &Message) -> Option<Time> {
    let millis = message.system.get("SentTimestamp")?.parse().ok()?;
    Some(Time::from_millis(millis))
}

/// Why a message cannot be made a job.
fn quarantine(expected: &str, found: &str, advice: &str) -> Understood {
    let advice = if advice.is_empty() { String::new() } else { format!(": {advice}") };
    Understood::Quarantine(Reason(format!("{expected}, found {found}{advice}")))
}

#[cfg(test)]
pub(crate) mod tests;
