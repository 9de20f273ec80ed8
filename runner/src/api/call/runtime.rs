//! The Runtime API's routes, prefix `/2018-06-01`.
//!
//! Source: AWS Lambda developer guide, "Using the Lambda runtime API".

use hyper::Method;
use hyper::header::{HeaderMap, HeaderValue};
use percent_encoding::percent_decode_str;

use super::{Call, NoCall, allow, text};
use crate::session::Kind;

/// An answer that is about to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::api) struct Upload {
    /// Which of the three.
    pub(in crate::api) kind: Kind,
    /// The request id in the path; an init error has none.
    pub(in crate::api) id: Option<String>,
    /// `Lambda-Runtime-Invocation-Id`, where the client echoes it.
    pub(in crate::api) nonce: Option<String>,
    /// How the answer is sent.
    pub(in crate::api) mode: Mode,
    /// The kind of error that the runtime says it is.
    pub(in crate::api) error_type: Option<String>,
    /// What it is, as the runtime says.
    pub(in crate::api) content_type: Option<String>,
}

impl Upload {
    /// What comes piece by piece, if it does.
    pub(in crate::api) fn streaming(&self) -> Option<String> {
        let content_type = self.content_type.as_deref().unwrap_or("application/octet-stream");
        (self.mode == Mode::Streaming).then(|| content_type.to_owned())
    }
}

/// `Lambda-Runtime-Function-Response-Mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::api) enum Mode {
    /// No such header.
    Buffered,
    /// `streaming`: trailers may tell of an error in the middle.
    Streaming,
    /// Anything else.
    Unknown,
}

pub(super) fn parse(method: &Method, route: &[&str], headers: &HeaderMap) -> Result<Call, NoCall> {
    let post =
        |kind, id| allow(method, &Method::POST, "POST", Call::Upload(upload(kind, id, headers)));
    match route {
        ["ping"] => allow(method, &Method::GET, "GET", Call::Ping),
        ["runtime", "invocation", "next"] => allow(method, &Method::GET, "GET", Call::Next),
        ["runtime", "invocation", id, "response"] => post(Kind::Response, Some(*id)),
        ["runtime", "invocation", id, "error"] => post(Kind::Error, Some(*id)),
        ["runtime", "init", "error"] => post(Kind::InitError, None),
        _ => Err(NoCall::UnknownPath),
    }
}

fn upload(kind: Kind, id: Option<&str>, headers: &HeaderMap) -> Upload {
    let (mode, error_type) = match kind {
        Kind::Response => (mode(headers), None),
        Kind::Error | Kind::InitError => (Mode::Buffered, Some(error_type(headers))),
    };
    Upload {
        kind,
        id: id.map(|id| percent_decode_str(id).decode_utf8_lossy().into_owned()),
        nonce: nonce(headers),
        mode,
        error_type,
        content_type: text(headers, "content-type").map(str::to_owned),
    }
}

/// What is there is compared, whatever it is; an empty one is none.
fn nonce(headers: &HeaderMap) -> Option<String> {
    let found = headers.get("lambda-runtime-invocation-id").filter(|nonce| !nonce.is_empty())?;
    Some(String::from_utf8_lossy(found.as_bytes()).into_owned())
}

/// `Lambda-Runtime-Function-Error-Type`, of a request's headers or of its trailers. Only Lambda's own
/// vocabulary is kept: `Runtime.` or `Function.` and a capitalised word.
pub(in crate::api) fn error_type(headers: &HeaderMap) -> String {
    let found = text(headers, "lambda-runtime-function-error-type").unwrap_or_default();
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

    fn sent(route: &[&str], name: &'static str, value: &str) -> Upload {
        let mut headers = HeaderMap::new();
        if !name.is_empty() {
            headers.insert(name, value.parse().unwrap());
        }
        match parse(&Method::POST, route, &headers) {
            Ok(Call::Upload(upload)) => upload,
            other => panic!("{other:?}"),
        }
    }

    const RESPONSE: [&str; 4] = ["runtime", "invocation", "a%20b", "response"];

    #[test]
    fn each_route_is_its_call() {
        let get = |route: &[&str]| parse(&Method::GET, route, &HeaderMap::new());
        assert_eq!(get(&["ping"]), Ok(Call::Ping));
        assert_eq!(get(&["runtime", "invocation", "next"]), Ok(Call::Next));
        let response = sent(&RESPONSE, "content-type", "text/plain");
        assert_eq!((response.kind, response.id.as_deref()), (Kind::Response, Some("a b")));
        assert_eq!((response.error_type, response.content_type), (None, Some("text/plain".into())));
        let error = sent(&["runtime", "init", "error"], "", "");
        assert_eq!((error.kind, error.id, error.nonce), (Kind::InitError, None, None));
        assert_eq!(error.error_type.as_deref(), Some("Runtime.Unknown"));
    }

    #[test]
    fn the_invocation_id_is_echoed() {
        let nonce = |value| sent(&RESPONSE, "lambda-runtime-invocation-id", value).nonce;
        assert_eq!(nonce("n").as_deref(), Some("n"));
        assert_eq!(nonce("\u{e9}").as_deref(), Some("\u{e9}"));
        assert_eq!(nonce(""), None);
    }

    #[test]
    fn what_comes_piece_by_piece_says_what_it_is() {
        let mode = ("lambda-runtime-function-response-mode", "streaming");
        assert_eq!(
            sent(&RESPONSE, mode.0, mode.1).streaming().unwrap(),
            "application/octet-stream"
        );
        assert_eq!(sent(&RESPONSE, mode.0, "Streaming").streaming(), None);
        let error = ["runtime", "invocation", "a", "error"];
        assert_eq!(sent(&error, mode.0, mode.1).streaming(), None);
        assert_eq!(sent(&RESPONSE, "content-type", "text/plain").streaming(), None);
    }

    #[test]
    fn the_response_mode_is_case_sensitive() {
        let mode = |value| sent(&RESPONSE, "lambda-runtime-function-response-mode", value).mode;
        assert_eq!(
            [mode("streaming"), mode("Streaming"), mode("buffered"), mode("")],
            [Mode::Streaming, Mode::Unknown, Mode::Unknown, Mode::Unknown]
        );
        assert_eq!(sent(&RESPONSE, "", "").mode, Mode::Buffered);
    }

    #[test]
    fn error_types_are_lambdas_own() {
        let kept = |text: &str| {
            let route = ["runtime", "invocation", "a", "error"];
            sent(&route, "lambda-runtime-function-error-type", text).error_type.unwrap()
        };
        let table = [
            ("Runtime.ImportModuleError", "Runtime.ImportModuleError"),
            ("Function.MyError", "Function.MyError"),
            ("Function.x1", "Function.Unknown"),
            ("unhandled", "Runtime.Unknown"),
            ("MyCustomError.Error", "Runtime.Unknown"),
            ("Runtime.a", "Runtime.Unknown"),
            ("", "Runtime.Unknown"),
        ];
        for (sent, expected) in table {
            assert_eq!(kept(sent), expected, "{sent}");
        }
    }
}
