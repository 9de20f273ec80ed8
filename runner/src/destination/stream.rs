//! A record as a stream of bytes, for carriers without a limit: large payloads pass through without
//! ever being in memory. One that is no JSON becomes a string, as small ones do.

use std::io;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use ledger::{Pieces, REQUEST, RESPONSE};

use super::parcel::{Parcel, Value};
use super::source::Large;
use crate::json::{Checker, Utf8};

/// The whole record.
pub async fn whole(parcel: &Parcel) -> io::Result<Pieces> {
    let record = &parcel.record;
    let request = field(REQUEST, &parcel.request).await?;
    let response = field(RESPONSE, &parcel.response).await?;
    let (head, middle) = (text(record.before_request()), text(record.before_response()));
    Ok(head.chain(request).chain(middle).chain(response).chain(text("}".to_owned())).boxed())
}

/// A payload with its name before it, if there is one.
async fn field(name: &str, value: &Value) -> io::Result<Pieces> {
    Ok(match value {
        Value::None => text(String::new()),
        Value::Small(value, _) => text(name.to_owned() + value.expose().get()),
        Value::Large { source, .. } => {
            let is_json = is_json(&**source).await?;
            let pieces = source.open().await?.pieces;
            let pieces = if is_json { pieces } else { quoted(pieces) };
            text(name.to_owned()).chain(pieces).boxed()
        }
    })
}

fn text(text: String) -> Pieces {
    stream::iter((!text.is_empty()).then(|| Ok(Bytes::from(text)))).boxed()
}

/// The whole record on one line. Line breaks in JSON are only where spaces may be.
pub async fn line(parcel: &Parcel) -> io::Result<Pieces> {
    let spaced = |piece: Bytes| {
        if !piece.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
            return piece;
        }
        piece.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }).collect()
    };
    let end = stream::iter([Ok(Bytes::from_static(b"\n"))]);
    Ok(whole(parcel).await?.map_ok(spaced).chain(end).boxed())
}

async fn is_json(source: &dyn Large) -> io::Result<bool> {
    let (mut pieces, mut checker) = (source.open().await?.pieces, Checker::default());
    while let Some(piece) = pieces.try_next().await? {
        if !checker.push(&piece) {
            return Ok(false);
        }
    }
    Ok(checker.is_json())
}

/// Any bytes as one JSON string.
fn quoted(pieces: Pieces) -> Pieces {
    let quote = || stream::iter([Ok(Bytes::from_static(b"\""))]);
    // The end is a piece of its own: a character that was begun there is not completed.
    let ended = pieces.map_ok(Some).chain(stream::iter([Ok(None)]));
    let mut utf8 = Utf8::default();
    let text = ended.map_ok(move |piece| match piece {
        Some(piece) => escaped(&utf8.text(&piece)),
        None if utf8.is_whole() => Bytes::new(),
        None => escaped("\u{fffd}"),
    });
    quote().chain(text).chain(quote()).boxed()
}

fn escaped(text: &str) -> Bytes {
    let quoted = Bytes::from(serde_json::to_string(text).expect("a string"));
    quoted.slice(1..quoted.len() - 1)
}
