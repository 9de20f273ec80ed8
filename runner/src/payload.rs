//! A function's answer while we hold it: small ones in memory, large ones in an unnamed file, never
//! both. Owns receiving a request body and writing it out again; knows nothing of what it says.

use std::fmt;
use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::HeaderMap;

use crate::session::{Refusal, Upload};

/// Answers up to this many bytes stay in memory.
const IN_MEMORY: usize = 1 << 20;

/// A function's answer.
pub struct Payload {
    body: Body,
    /// `Lambda-Runtime-Function-Error-Type`, normalised, where the runtime sent one.
    pub error_type: Option<String>,
}

/// The bytes of an answer.
enum Body {
    /// All of it.
    Memory(Vec<u8>),
    /// In a file without a name, which vanishes with this value.
    Spooled(File),
}

impl fmt::Debug for Payload {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Payload([redacted])")
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Self { body: Body::Memory(bytes), error_type: None }
    }
}

impl Payload {
    /// With the kind of error that it is.
    pub(crate) fn labelled(self, error_type: Option<String>) -> Self {
        Self { error_type, ..self }
    }

    /// Copies the bytes out, without ever holding a spooled answer in memory.
    pub fn write_to(self, out: &mut impl Write) -> io::Result<u64> {
        match self.body {
            Body::Memory(bytes) => out.write_all(&bytes).map(|()| bytes.len() as u64),
            Body::Spooled(mut file) => {
                file.seek(SeekFrom::Start(0))?;
                io::copy(&mut file, out)
            }
        }
    }

    fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.body {
            Body::Memory(held) if held.len() + bytes.len() <= IN_MEMORY => {
                held.extend_from_slice(bytes);
            }
            Body::Memory(held) => {
                let mut file = tempfile::tempfile()?;
                file.write_all(held)?;
                file.write_all(bytes)?;
                self.body = Body::Spooled(file);
            }
            Body::Spooled(file) => file.write_all(bytes)?,
        }
        Ok(())
    }
}

/// Takes a body to its end. With `trailers` its trailers may turn it into an error.
pub(crate) async fn receive(
    mut body: Incoming,
    trailers: bool,
) -> Result<Upload<Payload>, Refusal> {
    let mut payload = Payload::from(Vec::new());
    let mut failed = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Refusal::Truncated)?;
        match frame.into_data() {
            Ok(data) => payload.push(&data).map_err(|_| Refusal::Unkept)?,
            Err(frame) => failed = frame.trailers_ref().filter(|_| trailers).and_then(stream_error),
        }
    }
    Ok(failed.map_or(Upload::Complete(payload), |error| Upload::Broken(error.into())))
}

/// Reads a body and forgets it.
pub(crate) async fn discard(mut body: Incoming) {
    while let Some(Ok(_)) = body.frame().await {}
}

/// The error that a streamed answer ended in: `Lambda-Runtime-Function-Error-Body`, a JSON object
/// in base64, or else the type alone.
fn stream_error(trailers: &HeaderMap) -> Option<Vec<u8>> {
    let kind = trailers.get("lambda-runtime-function-error-type")?;
    let body = trailers.get("lambda-runtime-function-error-body");
    let decoded = body.and_then(|body| BASE64.decode(body.as_bytes()).ok());
    let kind = String::from_utf8_lossy(kind.as_bytes());
    Some(
        decoded
            .unwrap_or_else(|| serde_json::json!({ "errorType": kind }).to_string().into_bytes()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(payload: Payload) -> Vec<u8> {
        let mut out = Vec::new();
        payload.write_to(&mut out).unwrap();
        out
    }

    #[test]
    fn a_large_answer_leaves_memory_and_comes_back_whole() {
        let mut payload = Payload::from(Vec::new());
        let piece: Vec<u8> = (0..=255).cycle().take(300_000).collect();
        for _ in 0..5 {
            payload.push(&piece).unwrap();
        }
        assert!(matches!(payload.body, Body::Spooled(_)));
        assert_eq!(written(payload), piece.repeat(5));
    }

    #[test]
    fn a_small_answer_stays_in_memory() {
        let mut payload = Payload::from(Vec::new());
        payload.push(b"{}").unwrap();
        assert!(matches!(payload.body, Body::Memory(_)));
        assert_eq!(written(payload), b"{}");
    }

    #[test]
    fn trailers_carry_the_error_of_a_broken_stream() {
        let mut trailers = HeaderMap::new();
        assert_eq!(stream_error(&trailers), None);
        trailers.insert("lambda-runtime-function-error-type", "Runtime.X".parse().unwrap());
        assert_eq!(stream_error(&trailers).unwrap(), br#"{"errorType":"Runtime.X"}"#);
        let body = BASE64.encode(r#"{"errorMessage":"m"}"#);
        trailers.insert("lambda-runtime-function-error-body", body.parse().unwrap());
        assert_eq!(stream_error(&trailers).unwrap(), br#"{"errorMessage":"m"}"#);
    }

    #[test]
    fn an_answer_is_not_printed_by_debug() {
        assert!(!format!("{:?}", Payload::from(b"secret".to_vec())).contains("115"));
    }
}
