//! The body of an upload: kept, passed on as it comes, or refused; and what its trailers say. Whether
//! it may come at all was decided before.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use serde_json::Value;
use tokio::sync::mpsc;

use super::call::{Mode, Upload as Call};
use crate::order::Chunk;
use crate::payload::Payload;
use crate::session::{Kind, Refusal, Upload};

/// Error bodies of this type carry a cause for X-Ray beside what the caller is to see.
const WITH_CAUSE: &str = "application/vnd.aws.lambda.error.cause+json";

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

fn finish(payload: Payload, call: Call) -> Payload {
    let with_cause = call.content_type.as_deref() == Some(WITH_CAUSE);
    let mut payload = payload.labelled(call.error_type);
    if call.kind == Kind::Response || !with_cause {
        payload.content_type = call.content_type;
        return payload;
    }
    payload.map_small(without_cause)
}

/// What the caller sees of an error with a cause.
fn without_cause(body: &[u8]) -> (Vec<u8>, &'static str) {
    match serde_json::from_slice(body) {
        Ok(Value::Object(mut object)) => {
            object.remove("errorCause");
            (Value::Object(object).to_string().into_bytes(), "application/json")
        }
        Ok(_) | Err(_) => (br#""Invalid error body""#.to_vec(), "application/octet-stream"),
    }
}

/// A body that is being taken.
struct Taking {
    payload: Payload,
    sink: Option<mpsc::Sender<Chunk>>,
    limit: Option<u64>,
    refused: Option<Refusal>,
}

/// Type and body of the error that a streamed answer ended in.
type StreamError = (String, Vec<u8>);

impl Taking {
    async fn all(&mut self, mut body: Incoming) -> Result<Option<StreamError>, Refusal> {
        let mut failed = None;
        while let Some(frame) = body.frame().await {
            match frame.map_err(|_| Refusal::Truncated)?.into_data() {
                Ok(data) => self.take(data).await,
                Err(frame) => failed = frame.trailers_ref().and_then(stream_error),
            }
        }
        self.refused.take().map_or(Ok(failed), Err)
    }

    async fn take(&mut self, data: Bytes) {
        self.payload.length += data.len() as u64;
        if self.refused.is_some() {
            return;
        }
        if let Some(limit) = self.limit.filter(|limit| self.payload.length > *limit) {
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

/// The error that a streamed answer ended in: `Lambda-Runtime-Function-Error-Body`, a JSON object
/// in base64, or else the type alone.
fn stream_error(trailers: &HeaderMap) -> Option<StreamError> {
    let kind = trailers.get("lambda-runtime-function-error-type")?;
    let kind = String::from_utf8_lossy(kind.as_bytes()).into_owned();
    let body = trailers.get("lambda-runtime-function-error-body");
    let decoded = body.and_then(|body| BASE64.decode(body.as_bytes()).ok());
    let alone = || serde_json::json!({ "errorType": kind }).to_string().into_bytes();
    let body = decoded.unwrap_or_else(alone);
    Some((kind, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailers_carry_the_error_of_a_broken_stream() {
        let mut trailers = HeaderMap::new();
        assert_eq!(stream_error(&trailers), None);
        trailers.insert("lambda-runtime-function-error-type", "Runtime.X".parse().unwrap());
        assert_eq!(stream_error(&trailers).unwrap().1, br#"{"errorType":"Runtime.X"}"#);
        let body = BASE64.encode(r#"{"errorMessage":"m"}"#);
        trailers.insert("lambda-runtime-function-error-body", body.parse().unwrap());
        let (kind, body) = stream_error(&trailers).unwrap();
        assert_eq!((kind.as_str(), &body[..]), ("Runtime.X", &br#"{"errorMessage":"m"}"#[..]));
    }

    #[test]
    fn a_cause_is_not_for_the_caller() {
        let (seen, kind) = without_cause(br#"{"errorType":"E","errorCause":{"paths":[]}}"#);
        assert_eq!((&seen[..], kind), (&br#"{"errorType":"E"}"#[..], "application/json"));
        for body in [&b"{"[..], b"[]"] {
            let expected = (br#""Invalid error body""#.to_vec(), "application/octet-stream");
            assert_eq!(without_cause(body), expected);
        }
    }
}
