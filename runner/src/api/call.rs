//! HTTP request → [`Call`]: the Runtime API's routes as one pure table.
//! What a call means is the session's business; bodies are read elsewhere.
//!
//! Source: AWS Lambda developer guide, "Using the Lambda runtime API", prefix `/2018-06-01`.

use hyper::Method;
use hyper::header::{HeaderMap, HeaderValue};
use percent_encoding::percent_decode_str;

use crate::session::Kind;

/// What the runtime asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Call {
    /// `GET /2018-06-01/ping`
    Ping,
    /// `GET …/runtime/invocation/next`
    Next,
    /// One of the three POSTs that carry an answer.
    Upload(Upload),
}

/// An answer that is about to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Upload {
    /// Which of the three.
    pub(super) kind: Kind,
    /// The request id in the path; an init error has none.
    pub(super) id: Option<String>,
    /// How the answer is sent.
    pub(super) mode: Mode,
    /// The kind of error that the runtime says it is.
    pub(super) error_type: Option<String>,
}

/// `Lambda-Runtime-Function-Response-Mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// No such header.
    Buffered,
    /// `streaming`: trailers may tell of an error in the middle.
    Streaming,
    /// Anything else.
    Unknown,
}

/// Why a request is no call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoCall {
    /// 404
    UnknownPath,
    /// 405, with the method that the path allows.
    WrongMethod(&'static str),
}

/// Reads method, path and headers.
pub(super) fn parse(method: &Method, path: &str, headers: &HeaderMap) -> Result<Call, NoCall> {
    let route = path.strip_prefix("/2018-06-01/").ok_or(NoCall::UnknownPath)?;
    let segments: Vec<&str> = route.split('/').collect();
    match segments.as_slice() {
        ["ping"] => allow(method, &Method::GET, "GET", Call::Ping),
        ["runtime", "invocation", "next"] => allow(method, &Method::GET, "GET", Call::Next),
        ["runtime", "invocation", id, "response"] => {
            post(method, Kind::Response, Some(id), headers)
        }
        ["runtime", "invocation", id, "error"] => post(method, Kind::Error, Some(id), headers),
        ["runtime", "init", "error"] => post(method, Kind::InitError, None, headers),
        _ => Err(NoCall::UnknownPath),
    }
}

fn allow(method: &Method, wanted: &Method, name: &'static str, call: Call) -> Result<Call, NoCall> {
    if method == wanted { Ok(call) } else { Err(NoCall::WrongMethod(name)) }
}

fn post(
    method: &Method,
    kind: Kind,
    id: Option<&str>,
    headers: &HeaderMap,
) -> Result<Call, NoCall> {
    let id = id.map(|id| percent_decode_str(id).decode_utf8_lossy().into_owned());
    let (mode, error_type) = match kind {
        Kind::Response => (mode(headers), None),
        Kind::Error | Kind::InitError => (Mode::Buffered, Some(error_type(headers))),
    };
    allow(method, &Method::POST, "POST", Call::Upload(Upload { kind, id, mode, error_type }))
}

/// Only Lambda's own vocabulary is kept: `Runtime.` or `Function.` and a capitalised word.
fn error_type(headers: &HeaderMap) -> String {
    let header =
        headers.get("lambda-runtime-function-error-type").and_then(|value| value.to_str().ok());
    let found = header.unwrap_or_default();
    match found.split_once('.') {
        Some(("Runtime" | "Function", word)) if is_capitalised(word) => found.to_owned(),
        Some(("Function", _)) => "Function.Unknown".to_owned(),
        Some(_) | None => "Runtime.Unknown".to_owned(),
    }
}

fn is_capitalised(word: &str) -> bool {
    word.len() > 1
        && word.starts_with(|first: char| first.is_ascii_uppercase())
        && word.bytes().all(|byte| byte.is_ascii_alphabetic())
}

fn mode(headers: &HeaderMap) -> Mode {
    match headers.get("lambda-runtime-function-response-mode").map(HeaderValue::as_bytes) {
        None => Mode::Buffered,
        Some(b"streaming") => Mode::Streaming,
        Some(_) => Mode::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(path: &str) -> Result<Call, NoCall> {
        parse(&Method::GET, path, &HeaderMap::new())
    }

    fn upload(path: &str, mode: &str) -> Result<Call, NoCall> {
        let mut headers = HeaderMap::new();
        if !mode.is_empty() {
            headers.insert("Lambda-Runtime-Function-Response-Mode", mode.parse().unwrap());
        }
        parse(&Method::POST, path, &headers)
    }

    #[test]
    fn each_route_is_its_call() {
        assert_eq!(get("/2018-06-01/ping"), Ok(Call::Ping));
        assert_eq!(get("/2018-06-01/runtime/invocation/next"), Ok(Call::Next));
        let id = Some("a b".to_owned());
        let (kind, mode) = (Kind::Response, Mode::Buffered);
        let response = "/2018-06-01/runtime/invocation/a%20b/response";
        assert_eq!(
            upload(response, ""),
            Ok(Call::Upload(Upload { kind, id, mode, error_type: None }))
        );
        let call = upload("/2018-06-01/runtime/init/error", "");
        let error_type = Some("Runtime.Unknown".to_owned());
        assert_eq!(
            call,
            Ok(Call::Upload(Upload { kind: Kind::InitError, id: None, mode, error_type }))
        );
    }

    #[test]
    fn the_response_mode_is_case_sensitive() {
        let path = "/2018-06-01/runtime/invocation/a/response";
        let mode = |header| match upload(path, header) {
            Ok(Call::Upload(upload)) => upload.mode,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            [mode("streaming"), mode("Streaming"), mode("buffered")],
            [Mode::Streaming, Mode::Unknown, Mode::Unknown]
        );
    }

    #[test]
    fn error_types_are_lambdas_own() {
        let kept = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("lambda-runtime-function-error-type", text.parse().unwrap());
            error_type(&headers)
        };
        assert_eq!(kept("Runtime.ImportModuleError"), "Runtime.ImportModuleError");
        assert_eq!(
            [kept("Function.x1"), kept("unhandled"), kept("Runtime.a")],
            ["Function.Unknown", "Runtime.Unknown", "Runtime.Unknown"]
        );
    }

    #[test]
    fn unknown_paths_and_wrong_methods_are_told_apart() {
        assert_eq!(get("/runtime/invocation/next"), Err(NoCall::UnknownPath));
        assert_eq!(get("/2018-06-01/runtime/restore/next"), Err(NoCall::UnknownPath));
        assert_eq!(get("/2018-06-01/runtime/init/error"), Err(NoCall::WrongMethod("POST")));
        assert_eq!(upload("/2018-06-01/ping", ""), Err(NoCall::WrongMethod("GET")));
    }
}
