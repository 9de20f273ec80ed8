//! HTTP request → [`Call`]: the routes of the Runtime, Extensions, Telemetry and metadata APIs as pure
//! tables. What a call means is the session's business; bodies are read elsewhere.

mod extension;
mod runtime;

use hyper::Method;
use hyper::header::{HeaderMap, HeaderValue};

pub(super) use extension::{Fault, Registration, register};
pub(super) use runtime::{Mode, Upload, error_type};

use crate::session::{ExtensionId, Feed};

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Call {
    /// `GET /2018-06-01/ping`
    Ping,
    /// `GET …/runtime/invocation/next`
    Next,
    /// One of the three POSTs that carry an answer.
    Upload(Upload),
    /// `POST /2020-01-01/extension/register`; the rest is in the body.
    Register {
        /// `Lambda-Extension-Name`
        name: String,
        /// It wants to be told the account.
        account: bool,
    },
    /// `GET /2020-01-01/extension/event/next`
    ExtensionNext(Result<ExtensionId, Fault>),
    /// `POST /2020-01-01/extension/init/error`, `POST …/exit/error`
    ExtensionFault {
        /// The former.
        init: bool,
        /// Who says so.
        id: Result<ExtensionId, Fault>,
    },
    /// `PUT /2022-07-01/telemetry`, `PUT /2020-08-15/logs`
    Subscribe(Feed, Result<ExtensionId, Fault>),
    /// `GET /2026-01-15/metadata/execution-environment`, with what proves that it may be asked.
    Metadata(Option<String>),
}

/// Why a request is no call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoCall {
    /// 404
    UnknownPath,
    /// 404 without a word: there are no extensions.
    Disabled,
    /// 405, with the method that the path allows.
    WrongMethod(&'static str),
}

/// Which of the APIs are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Served {
    /// Extensions, and with them telemetry.
    pub(super) extensions: bool,
    /// The Logs API, which managed instances do not have.
    pub(super) logs: bool,
}

/// Reads method, path and headers.
pub(super) fn parse(
    method: &Method,
    path: &str,
    headers: &HeaderMap,
    served: Served,
) -> Result<Call, NoCall> {
    let mut segments = path.strip_prefix('/').ok_or(NoCall::UnknownPath)?.split('/');
    let version = segments.next().unwrap_or_default();
    let route: Vec<&str> = segments.collect();
    match (version, route.as_slice()) {
        ("2018-06-01", route) => runtime::parse(method, route, headers),
        ("2020-01-01" | "2020-08-15" | "2022-07-01", _) if !served.extensions => {
            Err(NoCall::Disabled)
        }
        ("2020-01-01", route) => extension::parse(method, route, headers),
        ("2020-08-15", ["logs"]) if served.logs => subscribe(method, Feed::Logs, headers),
        ("2022-07-01", ["telemetry"]) => subscribe(method, Feed::Telemetry, headers),
        ("2026-01-15", ["metadata", "execution-environment"]) => {
            let bearer = text(headers, "authorization").and_then(|it| it.strip_prefix("Bearer "));
            allow(method, &Method::GET, "GET", Call::Metadata(bearer.map(str::to_owned)))
        }
        _ => Err(NoCall::UnknownPath),
    }
}

fn subscribe(method: &Method, feed: Feed, headers: &HeaderMap) -> Result<Call, NoCall> {
    allow(method, &Method::PUT, "PUT", Call::Subscribe(feed, extension::identifier(headers)))
}

fn allow<T>(method: &Method, wanted: &Method, name: &'static str, call: T) -> Result<T, NoCall> {
    if method == wanted { Ok(call) } else { Err(NoCall::WrongMethod(name)) }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| HeaderValue::to_str(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Served = Served { extensions: true, logs: true };

    fn call(method: &Method, path: &str) -> Result<Call, NoCall> {
        parse(method, path, &HeaderMap::new(), ALL)
    }

    #[test]
    fn unknown_paths_and_wrong_methods_are_told_apart() {
        let unknown = [
            "",
            "/",
            "/runtime/invocation/next",
            "/2018-06-01/runtime/restore/next",
            "/2021-04-23/credentials",
            "/2020-01-01/extension",
            "/2022-07-01/logs",
            "/2026-01-15/metadata",
        ];
        for path in unknown {
            assert_eq!(call(&Method::GET, path), Err(NoCall::UnknownPath), "{path}");
        }
        let wrong = [
            (Method::GET, "/2018-06-01/runtime/init/error", "POST"),
            (Method::POST, "/2018-06-01/ping", "GET"),
            (Method::POST, "/2022-07-01/telemetry", "PUT"),
            (Method::GET, "/2020-01-01/extension/register", "POST"),
            (Method::PUT, "/2026-01-15/metadata/execution-environment", "GET"),
        ];
        for (method, path, allowed) in wrong {
            assert_eq!(call(&method, path), Err(NoCall::WrongMethod(allowed)), "{path}");
        }
    }

    #[test]
    fn what_is_not_served_is_not_there() {
        let get = |path, served| parse(&Method::PUT, path, &HeaderMap::new(), served);
        let none = Served { extensions: false, logs: true };
        for path in
            ["/2020-01-01/extension/event/next", "/2020-08-15/logs", "/2022-07-01/telemetry"]
        {
            assert_eq!(get(path, none), Err(NoCall::Disabled), "{path}");
        }
        let managed = Served { extensions: true, logs: false };
        assert_eq!(get("/2020-08-15/logs", managed), Err(NoCall::UnknownPath));
    }

    #[test]
    fn metadata_are_asked_for_with_a_bearer_token() {
        let asked = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("authorization", value.parse().unwrap());
            parse(&Method::GET, "/2026-01-15/metadata/execution-environment", &headers, ALL)
        };
        assert_eq!(asked("Bearer x"), Ok(Call::Metadata(Some("x".into()))));
        for other in ["Basic x", "Bearer", "x", ""] {
            assert_eq!(asked(other), Ok(Call::Metadata(None)), "{other}");
        }
    }
}
