//! Bodies: an event on its way in, kept where there is room for it; an answer on its way out, in pieces.

use std::io;

use bytes::Bytes;
use futures_util::stream::{Stream, TryStreamExt as _};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Body as _, Frame, Incoming};

use super::refusal::Refusal;
use crate::payload::{Payload, Pieces};

/// An answer's body.
pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// A body that is at hand.
pub(super) fn full(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// A body that comes bit by bit.
pub(super) fn streamed(pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Body {
    StreamBody::new(pieces.map_ok(Frame::data)).boxed_unsync()
}

/// A function's answer as a body, and its length.
pub(super) fn payload(payload: Payload) -> io::Result<(Body, u64)> {
    let pieces = payload.into_pieces()?;
    let length = pieces.length();
    Ok(match pieces {
        Pieces::Memory(bytes) => (full(bytes), length),
        pieces @ Pieces::Spooled(_) => (streamed(pieces.stream()), length),
    })
}

/// A function's answer, bit by bit.
pub(super) fn pieces(
    payload: Payload,
) -> io::Result<impl Stream<Item = io::Result<Bytes>> + Send + 'static> {
    Ok(payload.into_pieces()?.stream())
}

/// Takes an event to its end, unless it is larger than `most` bytes: then callers are told `limit`.
pub(super) async fn receive(body: &mut Incoming, most: u64, limit: u64) -> Result<Pieces, Refusal> {
    if body.size_hint().lower() > most {
        return Err(Refusal::TooLarge(limit));
    }
    let first = next(body).await?.unwrap_or_default();
    let Some(second) = next(body).await? else {
        let fits = first.len() as u64 <= most;
        return if fits { Ok(first.into()) } else { Err(Refusal::TooLarge(limit)) };
    };
    let mut payload = Payload::default();
    payload.push(&first).map_err(|_| Refusal::Unkept)?;
    let mut length = first.len() as u64;
    let mut piece = Some(second);
    while let Some(bytes) = piece {
        length += bytes.len() as u64;
        if length > most {
            return Err(Refusal::TooLarge(limit));
        }
        payload.push(&bytes).map_err(|_| Refusal::Unkept)?;
        piece = next(body).await?;
    }
    payload.into_pieces().map_err(|_| Refusal::Unkept)
}

async fn next(body: &mut Incoming) -> Result<Option<Bytes>, Refusal> {
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(|_| Refusal::Truncated)?.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

/// Reads what is left of a body and forgets it: a client that is still sending would take an early answer for a broken pipe.
pub(super) async fn discard(body: &mut Incoming) {
    while let Some(Ok(_)) = body.frame().await {}
}
