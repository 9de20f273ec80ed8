//! Requests to the on-host APIs, as a stranger writes them, and what has to be true of whatever is read
//! from them. HTTP itself is hyper's.

#[path = "../../../runner/src/api/call/mod.rs"]
mod call;
#[path = "../../../runner/src/api/error.rs"]
mod error;

use call::{Call, Mode, NoCall, Registration, Served, Upload};
use hyper::Method;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use crate::session::Kind;

/// Reads `METHOD path`, lines of `name: value`, an empty line, and a body; the body is read as trailers,
/// too.
pub fn call(bytes: &[u8]) {
    let (head, body) = halves(bytes, b"\n\n");
    let (line, headers) = halves(head, b"\n");
    let (method, path) = halves(line, b" ");
    let Ok(method) = Method::from_bytes(method) else { return };
    let path = String::from_utf8_lossy(path);
    let headers = fields(headers);
    let read = |served| call::parse(&method, &path, &headers, served);
    let none = read(Served { extensions: false, logs: false });
    assert!(!matches!(none, Ok(ref call) if is_of_extension(call)));
    match read(Served { extensions: true, logs: true }) {
        Err(reason) => assert!(reason != NoCall::Disabled),
        Ok(Call::Upload(upload)) => uploaded(&upload, body),
        Ok(Call::Register { name, .. }) => registered(name, body),
        Ok(Call::ExtensionNext(id) | Call::ExtensionFault { id, .. } | Call::Subscribe(_, id)) => {
            let named = headers.contains_key("lambda-extension-identifier");
            assert!(id.is_err_and(|fault| !fault.message.is_empty()) || named);
        }
        Ok(Call::Ping | Call::Next | Call::Metadata(_)) => assert_eq!(method, Method::GET),
    }
}

fn is_of_extension(call: &Call) -> bool {
    !matches!(call, Call::Ping | Call::Next | Call::Upload(_) | Call::Metadata(_))
}

fn uploaded(upload: &Upload, body: &[u8]) {
    assert_eq!(upload.id.is_none(), upload.kind == Kind::InitError);
    assert_eq!(upload.error_type.is_none(), upload.kind == Kind::Response);
    assert!(upload.error_type.as_deref().is_none_or(is_lambdas_own));
    assert!(upload.nonce.as_deref() != Some(""));
    assert!(upload.kind == Kind::Response || upload.mode == Mode::Buffered);
    assert_eq!(upload.streaming().is_some(), upload.mode == Mode::Streaming);
    if error::has_cause(upload.content_type.as_deref()) {
        failed(body);
    }
    ended(&fields(body));
}

fn failed(body: &[u8]) {
    let (seen, kind) = error::without_cause(body);
    let seen: Value = serde_json::from_slice(&seen).expect("what the caller sees is JSON");
    assert!(seen.get("errorCause").is_none());
    assert_eq!(kind == "application/json", seen.is_object());
    assert!(!seen.is_object() || error::init_type(body) == "application/json");
}

fn ended(trailers: &HeaderMap) {
    let broken = error::of_stream(trailers);
    let told = trailers.contains_key("lambda-runtime-function-error-type");
    assert_eq!(broken.is_some(), told);
    assert!(broken.is_none_or(|(kind, _)| is_lambdas_own(&kind)));
}

fn registered(name: String, body: &[u8]) {
    let kinds =
        ["Extension.InvalidExtensionName", "InvalidRequestFormat", "Extension.InvalidEventType"];
    match call::register(name.clone(), body) {
        Ok(Registration { name: kept, events }) => {
            assert!(!name.is_empty() && kept == name);
            assert!(events.len() <= body.len() / 8);
        }
        Err(fault) => assert!(kinds.contains(&fault.kind) && !fault.message.is_empty()),
    }
}

fn is_lambdas_own(kind: &str) -> bool {
    let word = kind.strip_prefix("Runtime.").or_else(|| kind.strip_prefix("Function."));
    word.is_some_and(|word| {
        word.starts_with(|it: char| it.is_ascii_uppercase())
            && word.bytes().all(|it| it.is_ascii_alphabetic())
    })
}

/// What HTTP lets through.
fn fields(lines: &[u8]) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for line in lines.split(|byte| *byte == b'\n') {
        let (name, value) = halves(line, b": ");
        let name = HeaderName::from_bytes(name);
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
            fields.append(name, value);
        }
    }
    fields
}

fn halves<'a>(bytes: &'a [u8], separator: &[u8]) -> (&'a [u8], &'a [u8]) {
    let at = bytes.windows(separator.len()).position(|window| window == separator);
    at.map_or((bytes, &[]), |at| (&bytes[..at], &bytes[at + separator.len()..]))
}
