//! Shapes that are told by attributes, whatever the body looks like: Lambda's dead letters, and those of EventBridge
//! and Scheduler (developer guides of Lambda, EventBridge "Using dead-letter queues", Scheduler "Configuring a
//! dead-letter queue"). Pure.

use ledger::{JobId, Redacted};

use super::event;
use super::view::{View, bytes, is_json};
use super::{Failed, Hint, Kind, Understood, job_of, quarantine, sent};
use crate::message::{Attribute, Message};

/// The attribute's text.
pub(super) fn text<'a>(message: &'a Message, name: &str) -> Option<&'a str> {
    match message.attributes.get(name)? {
        Attribute::Text { value, .. } => Some(value.expose()),
        Attribute::Binary { .. } => None,
    }
}

/// Whether Lambda has put this message into its queue.
pub(super) fn is_dead_letter(message: &Message) -> bool {
    text(message, "RequestID").is_some() && text(message, "ErrorCode").is_some()
}

/// A dead letter of Lambda's: the body is the event. It names no function, only the role that sent it.
pub(super) fn dead_letter(message: &Message) -> Understood {
    if !is_json(message.body.expose()) {
        return quarantine(
            "expected an event in JSON in the body of a dead letter",
            "other text",
            "",
        );
    }
    let request_id = text(message, "RequestID").map(str::to_owned);
    let job = request_id.as_deref().map_or_else(|| job_of(message), JobId::from_request_id);
    let role_id = message.system.get("SenderId").and_then(|sender| sender.split(':').next());
    let hint = Hint::DeadLetter {
        target: message.queue_arn.clone(),
        role_id: role_id.filter(|id| id.starts_with("AROA")).map(str::to_owned),
    };
    let mut failed = Failed::new(job, Kind::DeadLetter, hint, message.body.expose().clone());
    failed.source = event::source(message.body.expose());
    failed.request_id = request_id;
    failed.error.message = error_message(message);
    failed.failed_at = sent(message);
    failed.trace_id = message.system.get("AWSTraceHeader").cloned();
    Understood::Failed(Box::new(failed))
}

fn error_message(message: &Message) -> Option<Redacted<String>> {
    text(message, "ErrorMessage").map(|text| Redacted::new(text.to_owned()))
}

/// Whether EventBridge has put this message into the queue of a rule's target.
pub(super) fn is_rule(message: &Message) -> bool {
    text(message, "RULE_ARN").is_some() && text(message, "TARGET_ARN").is_some()
}

/// What a rule could not deliver: the event as it was before the rule changed it.
pub(super) fn rule(message: &Message) -> Understood {
    let (Some(rule), Some(target)) = (text(message, "RULE_ARN"), text(message, "TARGET_ARN"))
    else {
        return quarantine("expected the attributes RULE_ARN and TARGET_ARN", "none", "");
    };
    if !target.contains(":lambda:") {
        return quarantine(
            "expected a rule whose target is a function",
            &format!("the target {target}"),
            "give targets of other kinds a queue of their own",
        );
    }
    if !is_json(message.body.expose()) {
        return quarantine("expected an event in JSON", "other text", "");
    }
    let hint = Hint::Rule { rule: rule.to_owned(), target: target.to_owned() };
    let event = message.body.expose().clone();
    let mut failed = Failed::new(job_of(message), Kind::Rule, hint, event);
    undelivered(&mut failed, message);
    Understood::Failed(Box::new(failed))
}

/// Whether Scheduler has put this message into the queue of a schedule.
pub(super) fn is_schedule(message: &Message) -> bool {
    text(message, "SCHEDULE_ARN").is_some()
}

/// What a schedule could not deliver: the parameters of the call that failed.
pub(super) fn schedule(message: &Message) -> Understood {
    let schedule = text(message, "SCHEDULE_ARN").unwrap_or_default();
    if text(message, "IS_PAYLOAD_TRUNCATED") == Some("true") {
        return quarantine(
            "expected the whole payload of a schedule",
            "IS_PAYLOAD_TRUNCATED = true",
            &format!("invoke the function with the Input of {schedule} by `submit`"),
        );
    }
    let body = message.body.expose();
    let Some(call) = View::of(body) else {
        return quarantine(
            "expected the parameters of a schedule's call, an object",
            "something else",
            "",
        );
    };
    // The templated Lambda target calls Invoke with the payload as text.
    let payload = call.text("Payload").filter(|payload| is_json(payload.as_bytes()));
    let event = match (payload, call.get("Payload")) {
        (Some(text), _) => text.into(),
        (None, Some(value)) => bytes(value),
        (None, None) => body.clone(),
    };
    let hint = match call.text("FunctionName") {
        Some(name) => Hint::Function(name),
        None => Hint::Schedule(schedule.to_owned()),
    };
    let mut failed = Failed::new(job_of(message), Kind::Schedule, hint, event);
    undelivered(&mut failed, message);
    Understood::Failed(Box::new(failed))
}

/// A delivery that failed: the function never saw it, so there is no error of its own.
fn undelivered(failed: &mut Failed, message: &Message) {
    failed.condition = text(message, "ERROR_CODE").map(str::to_owned);
    failed.invoke_count = Some(0);
    failed.failed_at = sent(message);
}
