//! The body of an upload: kept, passed on as it comes, or refused. Whether it may come at all was
//! decided before.

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::sync::mpsc;

use super::call::{Mode, Upload as Call};
use super::error::{self, StreamError};
use crate::order::Chunk;
use crate::payload::Payload;
use crate::session::{Kind, Refusal, Upload};

/// Takes a body to its end, whatever becomes of it: a client that is still sending would take an
/// early answer for a broken pipe.
pub(super) async fn receive(
    call: Call,
    body: Incoming,
    limit: Option<u64>,
    sink: Option<mpsc::Sender<Chunk>>,
) -> Upload<Payload> {
    let mut taking = Taking { payload: Payload::default(), sink, limit, refused: None };
    match taking.all(body).await {
        Err(refusal) => Upload::Refused(refusal),
        Ok(_) if call.mode == Mode::Unknown => Upload::Refused(Refusal::ResponseMode),
        Ok(trailers) => match trailers.filter(|_| call.mode == Mode::Streaming) {
            Some((kind, error)) => Upload::Broken(Payload::from(error).labelled(Some(kind))),
            None => Upload::Complete(finish(taking.payload, call)),
        },
    }
}

fn finish(mut payload: Payload, call: Call) -> Payload {
    let with_cause = error::has_cause(call.content_type.as_deref());
    payload.content_type = call.content_type;
    let payload = payload.labelled(call.error_type);
    match call.kind {
        Kind::Error | Kind::InitError if with_cause => payload.map_small(error::without_cause),
        Kind::InitError => payload.map_small(|body| (body.to_vec(), error::init_type(body))),
        Kind::Response | Kind::Error => payload,
    }
}

/// A body that is being taken.
struct Taking {
    payload: Payload,
    sink: Option<mpsc::Sender<Chunk>>,
    limit: Option<u64>,
    refused: Option<Refusal>,
}

impl Taking {
    async fn all(&mut self, mut body: Incoming) -> Result<Option<StreamError>, Refusal> {
        let mut failed = None;
        while let Some(frame) = body.frame().await {
            match frame.map_err(|_| Refusal::Truncated)?.into_data() {
                Ok(data) => self.take(data).await,
                Err(frame) => failed = frame.trailers_ref().and_then(error::of_stream),
            }
        }
        self.refused.take().map_or(Ok(failed), Err)
    }

    async fn take(&mut self, data: Bytes) {
        // What is not kept counts, too.
        let length = self.payload.length + data.len() as u64;
        if self.refused.is_none() {
            self.keep(data, length).await;
        }
        self.payload.length = length;
    }

    async fn keep(&mut self, data: Bytes, length: u64) {
        if let Some(limit) = self.limit.filter(|limit| length > *limit) {
            self.refused = Some(Refusal::TooLarge(limit));
        } else if let Some(sink) = &self.sink {
            // A caller that went away does not end the invocation.
            let _ = sink.send(Chunk::Data(data)).await;
        } else if self.payload.push(&data).is_err() {
            self.refused = Some(Refusal::Unkept);
        }
    }
}

/// Reads a body and forgets it.
pub(super) async fn discard(mut body: Incoming) {
    while let Some(Ok(_)) = body.frame().await {}
}

/// A small body; none where it is cut off or larger than this many bytes, though read to its end.
pub(super) async fn small(mut body: Incoming, limit: usize) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    let mut fits = true;
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.ok()?.into_data() {
            fits = fits && all.len() + data.len() <= limit;
            if fits {
                all.extend_from_slice(&data);
            }
        }
    }
    fits.then_some(all)
}
