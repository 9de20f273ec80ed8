//! What a carrier has room for, and what becomes of a record that is larger: its response, or where that is
//! not enough its event, or both are replaced by the place where the ledger keeps them. Pure.
//!
//! Limits: SQS 1,024 bytes to 1 MiB as the queue is set (`MaximumMessageSize`, SQS API reference), SNS
//! 256 KiB (developer guide; topics that were opened for more take these too), EventBridge 1 MiB an entry
//! since January 2026 (what's new), Lambda 1 MiB of an asynchronous event since October 2025 (what's new), Step
//! Functions 262,144 bytes (API reference).

use std::borrow::Cow;

use ledger::Redacted;
use serde_json::value::RawValue;

use super::parcel::{Parcel, Reference, Value};

/// What each carrier took before its limit was raised, and still takes where it was not, bytes.
pub(super) const ALWAYS: usize = 256 << 10;
/// What EventBridge, Lambda and most queues take.
pub(super) const LARGE: usize = 1 << 20;

/// Which characters a carrier refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Characters {
    /// None that is valid in JSON.
    Any,
    /// U+FFFE and U+FFFF, which XML does not know (SQS API reference, `SendMessage`).
    Xml,
}

/// The record as text of at most `room` bytes, or why there is none.
pub(super) fn fit(
    parcel: &Parcel,
    room: usize,
    characters: Characters,
) -> Result<Redacted<String>, String> {
    let (request, event) = forms(&parcel.request);
    let (response, place) = forms(&parcel.response);
    let (event, place) =
        (event.as_ref().map(Option::as_deref), place.as_ref().map(Option::as_deref));
    let steps = [(request, response), (request, place), (event, response), (event, place)];
    let mut least = 0;
    for (request, response) in steps {
        let (Some(request), Some(response)) = (request, response) else { continue };
        let record = parcel.record.with(request, response).into_inner();
        let text = clean(String::from(Box::<str>::from(record)), characters);
        if text.len() <= room {
            return Ok(Redacted::new(text));
        }
        least = text.len();
    }
    Err(too_large(parcel, least, room))
}

/// A payload as it is, where it is at hand, and what stands for it, where there is a ledger. One that
/// there is not stands for itself.
fn forms(value: &Value) -> (Known<&RawValue>, Known<Cow<'_, RawValue>>) {
    match value {
        Value::None => (Some(None), Some(None)),
        Value::Small(text, at) => {
            let text = &**text.expose();
            (Some(Some(text)), at.as_ref().map(|at| Some(shorter(text, at))))
        }
        Value::Large { at, .. } => (None, at.as_ref().map(|at| Some(Cow::Owned(at.payload())))),
    }
}

/// A field of a record: not known, known not to be there, or this.
type Known<T> = Option<Option<T>>;

/// A payload or what stands for it, whichever is shorter.
fn shorter<'a>(payload: &'a RawValue, at: &Reference) -> Cow<'a, RawValue> {
    let place = at.payload();
    if payload.get().len() <= place.get().len() {
        return Cow::Borrowed(payload);
    }
    Cow::Owned(place)
}

/// The same text without characters that the carrier refuses. In JSON they can only be in strings, where
/// an escape means the same.
fn clean(text: String, characters: Characters) -> String {
    if characters == Characters::Any || !text.contains(['\u{fffe}', '\u{ffff}']) {
        return text;
    }
    text.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff")
}

fn too_large(parcel: &Parcel, least: usize, room: usize) -> String {
    if !parcel.request.is_kept() {
        return format!(
            "the record is larger than the {room} bytes that it takes, and there is no ledger to keep \
             the payloads in: give the job a ledger (IMMORTAL_JOB) or an s3:// destination"
        );
    }
    format!(
        "the record has {least} bytes even without its payloads, and only {room} are taken: \
         raise the limit of the destination"
    )
}
