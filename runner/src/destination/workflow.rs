//! What a waiting workflow is told (Step Functions API reference, `SendTaskSuccess`, `SendTaskFailure`;
//! developer guide, "Wait for callback"): the response as its output, or error and cause as Lambda's own
//! integration has them. Pure.

use std::borrow::Cow;

use ledger::Redacted;
use serde::Deserialize;
use serde_json::json;

use super::parcel::{Parcel, Value};

/// The longest output, bytes.
const OUTPUT: usize = 262_144;
/// The longest error, characters.
const ERROR: usize = 256;
/// The longest cause, characters.
const CAUSE: usize = 32_768;

/// What a waiting workflow is told.
#[derive(Debug)]
pub(super) enum Word {
    /// The function answered.
    Success {
        /// JSON text.
        output: Redacted<String>,
    },
    /// It failed.
    Failure {
        /// The error's type, by which the workflow catches it.
        error: String,
        /// The error payload, JSON text.
        cause: Redacted<String>,
    },
}

/// The error payloads of all runtimes have these two.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Said<'a> {
    #[serde(borrow, default)]
    error_type: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    error_message: Option<Cow<'a, str>>,
}

/// What the workflow is told of an outcome, or why it cannot be told.
pub(super) fn word(parcel: &Parcel) -> Result<Word, String> {
    if parcel.succeeded() {
        return output(parcel).map(|output| Word::Success { output: Redacted::new(output) });
    }
    let text = match &parcel.response {
        Value::Small(text, _) => text.expose().get(),
        // No error payload is so large but one that is none.
        Value::None | Value::Large { .. } => "{}",
    };
    let said: Said<'_> = serde_json::from_str(text).unwrap_or_default();
    // What Lambda's integration says of errors without a type.
    let error = said.error_type.as_deref().unwrap_or("Lambda.Unknown");
    Ok(Word::Failure { error: cut(error, ERROR), cause: Redacted::new(cause(text, &said)) })
}

fn output(parcel: &Parcel) -> Result<String, String> {
    let at = match &parcel.response {
        Value::None => return Ok("null".to_owned()),
        Value::Small(text, _) if text.expose().get().len() <= OUTPUT => {
            return Ok(text.expose().get().to_owned());
        }
        Value::Small(_, at) | Value::Large { at, .. } => at,
    };
    let place = at.as_ref().map(|at| at.payload().get().to_owned());
    place.ok_or_else(|| {
        format!(
            "the response is larger than the {OUTPUT} bytes that a workflow takes, and there is no \
             ledger to keep it in"
        )
    })
}

/// The payload whole, or its type and as much of its message as there is room for: stack traces are what
/// makes it long.
fn cause(text: &str, said: &Said<'_>) -> String {
    if length(text) <= CAUSE {
        return text.to_owned();
    }
    let message = said.error_message.as_deref().unwrap_or_default();
    // An escaped character has six where it had one.
    let message = cut(message, CAUSE / 8);
    let kind = said.error_type.as_deref().map(|kind| cut(kind, ERROR));
    json!({ "errorType": kind, "errorMessage": message, "truncated": true }).to_string()
}

/// Characters as the service counts them at most: UTF-16 units.
fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

fn cut(text: &str, most: usize) -> String {
    let mut left = most;
    let fits = |character: &char| {
        let fits = character.len_utf16() <= left;
        left = left.saturating_sub(character.len_utf16());
        fits
    };
    text.chars().take_while(fits).collect()
}
