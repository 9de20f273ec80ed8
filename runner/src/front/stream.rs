//! Answers of `InvokeWithResponseStream`: a function's bytes as `PayloadChunk` events, and `InvokeComplete` after the
//! last, in the framing of `application/vnd.amazon.eventstream`.

use std::io;

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, Stream, StreamExt as _};
use serde_json::{Map, Value};

use super::body;
use super::seat::Relay;
use crate::order::{Answer, Chunk};

/// `Content-Type` of an answer.
pub(super) const EVENT_STREAM: &str = "application/vnd.amazon.eventstream";
/// Clients refuse events of 16 MiB and more.
const LARGEST: usize = 1 << 20;
/// What is told of an error at most, in bytes.
const DETAILS: usize = 256 << 10;
/// What went wrong where an answer has no end.
const CUT_OFF: &str = r#"{"errorType":"Runtime.TruncatedResponse","errorMessage":"The response ended before it was complete"}"#;

/// An answer that was complete before the first byte of it is sent: one chunk, unless it is large.
pub(super) async fn whole(
    answer: Answer,
) -> io::Result<impl Stream<Item = io::Result<Bytes>> + Send + 'static> {
    let tail = answer.tail;
    let mut pieces = body::pieces(answer.payload)?.boxed();
    let mut details = None;
    if answer.failed {
        details = Some(pieces.next().await.transpose()?.unwrap_or_default());
        pieces = stream::empty().boxed();
    }
    let end = complete(details.as_deref(), tail.as_deref());
    Ok(pieces.map(|piece| piece.and_then(chunk)).chain(stream::iter([end])))
}

/// An answer that is still being made.
pub(super) fn relay(relay: Relay) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let state = Some((relay, Bytes::new()));
    stream::try_unfold(state, |state| async move {
        let Some((mut relay, mut rest)) = state else { return Ok(None) };
        while rest.is_empty() {
            rest = match relay.next().await {
                Some(Chunk::Data(bytes)) => bytes,
                end => return Ok(Some((finish(end)?, None))),
            };
        }
        let piece = rest.split_to(rest.len().min(LARGEST));
        Ok(Some((chunk(piece)?, Some((relay, rest)))))
    })
}

fn finish(end: Option<Chunk>) -> io::Result<Bytes> {
    match end {
        Some(Chunk::End { error, tail }) => {
            complete(error.as_ref().map(|(_, details)| details.as_slice()), tail.as_deref())
        }
        Some(Chunk::Data(_)) | None => complete(Some(CUT_OFF.as_bytes()), None),
    }
}

fn chunk(bytes: Bytes) -> io::Result<Bytes> {
    event("PayloadChunk", "application/octet-stream", bytes)
}

/// The last event. As to errors, clients look for `Unhandled`, which Lambda says of every one.
fn complete(error: Option<&[u8]>, tail: Option<&[u8]>) -> io::Result<Bytes> {
    let mut object = Map::new();
    if let Some(error) = error {
        let details = String::from_utf8_lossy(&error[..error.len().min(DETAILS)]);
        object.insert("ErrorCode".to_owned(), "Unhandled".into());
        object.insert("ErrorDetails".to_owned(), details.into());
    }
    if let Some(tail) = tail {
        object.insert("LogResult".to_owned(), BASE64.encode(tail).into());
    }
    event("InvokeComplete", "application/json", Value::Object(object).to_string().into())
}

fn event(kind: &'static str, content_type: &'static str, payload: Bytes) -> io::Result<Bytes> {
    let header = |name: &'static str, value: &'static str| {
        Header::new(name, HeaderValue::String(value.into()))
    };
    let headers = vec![
        header(":message-type", "event"),
        header(":event-type", kind),
        header(":content-type", content_type),
    ];
    let mut frame = BytesMut::with_capacity(payload.len() + 128);
    write_message_to(&Message::new_from_parts(headers, payload), &mut frame)
        .map_err(io::Error::other)?;
    Ok(frame.freeze())
}

#[cfg(test)]
mod tests {
    use aws_smithy_eventstream::frame::{DecodedFrame, MessageFrameDecoder};

    use super::*;

    /// Type and payload of each event.
    fn decoded(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
        let (mut decoder, mut bytes) = (MessageFrameDecoder::new(), Bytes::copy_from_slice(bytes));
        let mut events = Vec::new();
        while let DecodedFrame::Complete(message) = decoder.decode_frame(&mut bytes).unwrap() {
            let kind = message.headers().iter().find(|it| it.name().as_str() == ":event-type");
            let kind = kind.unwrap().value().as_string().unwrap().as_str().to_owned();
            events.push((kind, message.payload().to_vec()));
        }
        events
    }

    async fn sent(answer: Answer) -> Vec<(String, Vec<u8>)> {
        let pieces = whole(answer).await.unwrap();
        decoded(&pieces.map(Result::unwrap).collect::<Vec<_>>().await.concat())
    }

    fn answer(payload: &[u8], failed: bool) -> Answer {
        Answer { tail: Some(b"log".to_vec()), ..Answer::new(payload.to_vec().into(), failed) }
    }

    #[tokio::test]
    async fn a_buffered_answer_is_one_chunk() {
        let events = sent(answer(b"[1]", false)).await;
        assert_eq!(events[0], ("PayloadChunk".to_owned(), b"[1]".to_vec()));
        assert_eq!(events[1], ("InvokeComplete".to_owned(), br#"{"LogResult":"bG9n"}"#.to_vec()));
        assert_eq!(events.len(), 2);
    }

    #[tokio::test]
    async fn an_error_is_told_at_the_end() {
        let events = sent(answer(b"{\"errorType\":\"E\"}", true)).await;
        let end = br#"{"ErrorCode":"Unhandled","ErrorDetails":"{\"errorType\":\"E\"}","LogResult":"bG9n"}"#;
        assert_eq!(events, [("InvokeComplete".to_owned(), end.to_vec())]);
    }

    #[test]
    fn an_answer_without_an_end_is_an_error() {
        let events = decoded(&finish(None).unwrap());
        assert!(String::from_utf8_lossy(&events[0].1).contains("Runtime.TruncatedResponse"));
    }

    #[test]
    fn a_frame_is_what_the_format_says() {
        let frame = chunk(Bytes::from_static(b"x")).unwrap();
        let total = u32::from_be_bytes(frame[..4].try_into().unwrap()) as usize;
        assert_eq!(total, frame.len());
        let crc = |range: &[u8]| crc32fast::hash(range).to_be_bytes();
        assert_eq!(frame[8..12], crc(&frame[..8]));
        assert_eq!(frame[total - 4..], crc(&frame[..total - 4]));
    }
}
