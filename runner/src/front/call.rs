//! HTTP request → [`Call`]: the routes and headers of Lambda's Invoke API as one pure table. What a call leads to is
//! decided elsewhere, and so is whether its body is an event.
//!
//! Sources: Lambda API reference (`Invoke`, `InvokeAsync`, `InvokeWithResponseStream`), and the headers that AWS's
//! emulator and cargo-lambda add to them. Who signed a request does not matter here.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::{HeaderMap, Method};
use ledger::Redacted;
use percent_encoding::percent_decode_str;
use serde_json::value::RawValue;

/// Padded or not: clients do both.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// Longer request ids, trace headers and tenants than these are nobody's.
const LONGEST: usize = 1024;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// Whether anybody is there.
    Health,
    /// `OPTIONS`: what a browser asks before it calls.
    Options,
    /// An invocation.
    Invoke(Box<Invoke>),
}

/// An invocation as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoke {
    /// Name or ARN, as in the path.
    pub name: String,
    /// `?Qualifier=`
    pub qualifier: Option<String>,
    /// How it is to be run.
    pub how: How,
    /// The log's end is wanted.
    pub tail: bool,
    /// Client context, JSON text.
    pub client_context: Option<Redacted<String>>,
    /// Cognito identity, JSON text.
    pub identity: Option<Redacted<String>>,
    /// X-Ray trace header.
    pub trace_id: Option<String>,
    /// Tenant.
    pub tenant: Option<String>,
    /// The request id that the caller wants; only callers of AWS's emulator may choose it.
    pub request_id: Option<String>,
    /// The call came the way on which AWS's emulator is called.
    pub emulated: bool,
}

/// How an invocation is to be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// The caller waits for the whole answer.
    Whole,
    /// The caller takes the answer as it comes.
    Stream,
    /// The caller does not wait.
    Later,
    /// Not at all.
    Dry,
}

/// Why a request is no call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoCall {
    /// Not one of the routes.
    UnknownPath,
    /// The path allows this method only.
    WrongMethod(&'static str),
    /// A header has none of the values that it may have.
    Value {
        /// What Lambda calls the parameter.
        parameter: &'static str,
        /// What was sent.
        found: String,
        /// What may be sent.
        allowed: &'static str,
    },
    /// Client context is no JSON object in base64.
    ClientContext,
    /// Cognito identity is no JSON object.
    Identity,
}

/// The three ways to ask for an invocation.
#[derive(Clone, Copy)]
enum Route {
    Invoke,
    Async,
    Stream,
}

/// Reads method, path with query, and headers.
pub fn parse(
    method: &Method,
    path: &str,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Result<Call, NoCall> {
    if method == Method::OPTIONS {
        return Ok(Call::Options);
    }
    let Some((route, name)) = route(path) else {
        return if is_health(method, path) { Ok(Call::Health) } else { Err(NoCall::UnknownPath) };
    };
    match *method {
        Method::POST => {
            invoke(route, decode(name), query, headers).map(|it| Call::Invoke(it.into()))
        }
        // Some load balancers ask like this.
        Method::HEAD => Ok(Call::Health),
        _ => Err(NoCall::WrongMethod("POST")),
    }
}

fn is_health(method: &Method, path: &str) -> bool {
    method == Method::HEAD
        || (method == Method::GET && matches!(path, "/" | "/health" | "/healthz" | "/ping"))
}

fn route(path: &str) -> Option<(Route, &str)> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let segments: Vec<&str> = path.split('/').collect();
    let (route, name) = match segments.as_slice() {
        ["", "2015-03-31", "functions", name, "invocations"] => (Route::Invoke, *name),
        ["", "2014-11-13", "functions", name, "invoke-async"] => (Route::Async, *name),
        ["", "2021-11-15", "functions", name, "response-streaming-invocations"] => {
            (Route::Stream, *name)
        }
        _ => return None,
    };
    (!name.is_empty()).then_some((route, name))
}

fn invoke(
    route: Route,
    name: String,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Result<Invoke, NoCall> {
    let how = how(route, headers)?;
    let emulated = matches!(route, Route::Invoke) && name == "function";
    // Lambda hands a client context to those only who wait for the answer.
    let waiting = matches!(how, How::Whole | How::Stream);
    let client_context = client_context(headers)?.filter(|_| waiting);
    Ok(Invoke {
        qualifier: query.and_then(qualifier),
        how,
        tail: tail(headers)? && waiting,
        client_context,
        identity: json(headers, "lambda-runtime-cognito-identity", NoCall::Identity)?,
        trace_id: text(headers, "x-amzn-trace-id").filter(|id| id.contains("Root=")),
        tenant: text(headers, "x-amz-tenant-id"),
        request_id: text(headers, "x-amzn-requestid").filter(|id| emulated && is_id(id)),
        emulated,
        name,
    })
}

fn how(route: Route, headers: &HeaderMap) -> Result<How, NoCall> {
    let (usual, allowed) = match route {
        Route::Invoke => (How::Whole, "[Event, RequestResponse, DryRun]"),
        Route::Stream => (How::Stream, "[RequestResponse, DryRun]"),
        Route::Async => return Ok(How::Later),
    };
    match (route, headers.get("x-amz-invocation-type").map(http::HeaderValue::as_bytes)) {
        (_, None | Some(b"" | b"RequestResponse")) => Ok(usual),
        (_, Some(b"DryRun")) => Ok(How::Dry),
        (Route::Invoke, Some(b"Event")) => Ok(How::Later),
        (_, Some(found)) => Err(value("invocationType", found, allowed)),
    }
}

fn tail(headers: &HeaderMap) -> Result<bool, NoCall> {
    match headers.get("x-amz-log-type").map(http::HeaderValue::as_bytes) {
        None | Some(b"" | b"None") => Ok(false),
        Some(b"Tail") => Ok(true),
        Some(found) => Err(value("logType", found, "[Tail, None]")),
    }
}

fn value(parameter: &'static str, found: &[u8], allowed: &'static str) -> NoCall {
    NoCall::Value { parameter, found: String::from_utf8_lossy(found).into_owned(), allowed }
}

/// `X-Amz-Client-Context` is in base64; cargo-lambda's own header is not.
fn client_context(headers: &HeaderMap) -> Result<Option<Redacted<String>>, NoCall> {
    let Some(header) = headers.get("x-amz-client-context").filter(|header| !header.is_empty())
    else {
        return json(headers, "lambda-runtime-client-context", NoCall::ClientContext);
    };
    let decoded = BASE64.decode(header.as_bytes()).map_err(|_| NoCall::ClientContext)?;
    object(&decoded).map(Some).ok_or(NoCall::ClientContext)
}

fn json(
    headers: &HeaderMap,
    name: &str,
    otherwise: NoCall,
) -> Result<Option<Redacted<String>>, NoCall> {
    let header = headers.get(name).filter(|header| !header.is_empty());
    header.map(|header| object(header.as_bytes()).ok_or(otherwise)).transpose()
}

/// A JSON object, as it was written.
fn object(bytes: &[u8]) -> Option<Redacted<String>> {
    let json: &RawValue = serde_json::from_slice(bytes).ok()?;
    json.get().starts_with('{').then(|| Redacted::new(json.get().to_owned()))
}

fn qualifier(query: &str) -> Option<String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let found = pairs.into_iter().find(|(key, _)| *key == "Qualifier")?;
    Some(decode(found.1)).filter(|qualifier| !qualifier.is_empty())
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let text = headers.get(name)?.to_str().ok()?;
    (1..=LONGEST).contains(&text.len()).then(|| text.to_owned())
}

fn is_id(text: &str) -> bool {
    text.len() <= 128 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVOKE: &str = "/2015-03-31/functions/f/invocations";
    const STREAM: &str = "/2021-11-15/functions/f/response-streaming-invocations";
    const ASYNC: &str = "/2014-11-13/functions/f/invoke-async/";

    fn post(path: &str, headers: &[(&'static str, &str)]) -> Result<Invoke, NoCall> {
        let (path, query) =
            path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let headers =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        match parse(&Method::POST, path, query, &headers.collect())? {
            Call::Invoke(invoke) => Ok(*invoke),
            other => panic!("{other:?}"),
        }
    }

    fn context(value: &str) -> Result<Option<String>, NoCall> {
        let invoke = post(INVOKE, &[("x-amz-client-context", value)])?;
        Ok(invoke.client_context.map(Redacted::into_inner))
    }

    #[test]
    fn a_function_is_named_in_any_way_that_lambda_allows() {
        let table = [
            ("f", "f", None),
            ("function", "function", None),
            (
                "arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Af%3Alive",
                "arn:aws:lambda:us-east-1:123456789012:function:f:live",
                None,
            ),
            ("123456789012:function:f", "123456789012:function:f", None),
            ("a%20b%2Fc", "a b/c", None),
            ("f?Qualifier=%24LATEST", "f", Some("$LATEST")),
            ("f?x=1&Qualifier=7", "f", Some("7")),
            ("f?Qualifier=", "f", None),
            ("f?Qualifier", "f", None),
        ];
        for (text, name, qualifier) in table {
            let (segment, query) = text.split_once('?').unwrap_or((text, ""));
            let path = format!("/2015-03-31/functions/{segment}/invocations?{query}");
            let invoke = post(&path, &[]).unwrap();
            assert_eq!((invoke.name.as_str(), invoke.qualifier.as_deref()), (name, qualifier));
        }
    }

    #[test]
    fn route_and_invocation_type_say_how_it_is_run() {
        let kind = "x-amz-invocation-type";
        let table = [
            (INVOKE, "", Some(How::Whole)),
            (INVOKE, "RequestResponse", Some(How::Whole)),
            (INVOKE, "Event", Some(How::Later)),
            (INVOKE, "DryRun", Some(How::Dry)),
            (INVOKE, "event", None),
            (STREAM, "RequestResponse", Some(How::Stream)),
            (STREAM, "DryRun", Some(How::Dry)),
            (STREAM, "Event", None),
            (ASYNC, "anything", Some(How::Later)),
        ];
        for (path, value, how) in table {
            assert_eq!(post(path, &[(kind, value)]).ok().map(|it| it.how), how, "{path} {value}");
        }
        let refused = NoCall::Value {
            parameter: "invocationType",
            found: "event".into(),
            allowed: "[Event, RequestResponse, DryRun]",
        };
        assert_eq!(post(INVOKE, &[(kind, "event")]), Err(refused));
    }

    #[test]
    fn the_log_is_wanted_by_those_only_who_wait() {
        let tail = |kind, log| {
            post(INVOKE, &[("x-amz-invocation-type", kind), ("x-amz-log-type", log)])
                .map(|it| it.tail)
        };
        assert_eq!(tail("RequestResponse", "Tail"), Ok(true));
        assert_eq!(tail("RequestResponse", "None"), Ok(false));
        assert_eq!(tail("Event", "Tail"), Ok(false));
        assert!(matches!(tail("Event", "tail"), Err(NoCall::Value { parameter: "logType", .. })));
    }

    #[test]
    fn a_client_context_is_a_json_object_in_base64() {
        let encode = |text: &str| BASE64.encode(text);
        assert_eq!(context(&encode("{\"custom\":{}}")), Ok(Some("{\"custom\":{}}".to_owned())));
        assert_eq!(context("e30"), Ok(Some("{}".to_owned())), "without padding");
        assert_eq!(context(""), Ok(None));
        for wrong in ["{}", "%%%", &encode("[]"), &encode("{"), &encode("\u{ff}")] {
            assert_eq!(context(wrong), Err(NoCall::ClientContext), "{wrong}");
        }
        let event = [("x-amz-invocation-type", "Event"), ("x-amz-client-context", "e30=")];
        assert_eq!(post(INVOKE, &event).unwrap().client_context, None);
    }

    #[test]
    fn cargo_lambda_sends_context_and_identity_as_they_are() {
        let sent = [
            ("lambda-runtime-client-context", r#"{"a":1}"#),
            ("lambda-runtime-cognito-identity", r#"{"cognitoIdentityId":"i"}"#),
        ];
        let invoke = post(INVOKE, &sent).unwrap();
        assert_eq!(invoke.client_context.unwrap().expose(), sent[0].1);
        assert_eq!(invoke.identity.unwrap().expose(), sent[1].1);
        let wrong = [("lambda-runtime-cognito-identity", "me")];
        assert_eq!(post(INVOKE, &wrong), Err(NoCall::Identity));
    }

    #[test]
    fn trace_and_tenant_are_the_callers_and_the_request_id_is_the_emulators_callers() {
        let sent = [
            ("x-amzn-trace-id", "Root=1-2-3"),
            ("x-amz-tenant-id", "t"),
            ("x-amzn-requestid", "my-id"),
        ];
        let invoke = post(INVOKE, &sent).unwrap();
        assert_eq!(
            (invoke.trace_id.as_deref(), invoke.tenant.as_deref()),
            (Some("Root=1-2-3"), Some("t"))
        );
        assert_eq!((invoke.request_id, invoke.emulated), (None, false));
        let invoke = post("/2015-03-31/functions/function/invocations", &sent).unwrap();
        assert_eq!((invoke.request_id.as_deref(), invoke.emulated), (Some("my-id"), true));
        let wrong = [("x-amzn-requestid", "a b"), ("x-amzn-trace-id", "nonsense")];
        let invoke = post("/2015-03-31/functions/function/invocations", &wrong).unwrap();
        assert_eq!((invoke.request_id, invoke.trace_id), (None, None));
    }

    #[test]
    fn health_checks_and_preflights_are_no_invocations() {
        let ask = |method: Method, path: &str| parse(&method, path, None, &HeaderMap::new());
        for path in ["/", "/health", "/ping"] {
            assert_eq!(ask(Method::GET, path), Ok(Call::Health));
        }
        assert_eq!(ask(Method::HEAD, INVOKE), Ok(Call::Health));
        assert_eq!(ask(Method::HEAD, "/anything"), Ok(Call::Health));
        assert_eq!(ask(Method::OPTIONS, INVOKE), Ok(Call::Options));
    }

    #[test]
    fn other_paths_and_methods_are_told_apart() {
        let ask = |method: Method, path: &str| parse(&method, path, None, &HeaderMap::new());
        assert_eq!(ask(Method::GET, INVOKE), Err(NoCall::WrongMethod("POST")));
        for path in [
            "/2015-03-31/functions/",
            "/2015-03-31/functions//invocations",
            "/2015-03-31/functions/f",
            "/x",
        ] {
            assert_eq!(ask(Method::GET, path), Err(NoCall::UnknownPath), "{path}");
            assert_eq!(ask(Method::POST, path), Err(NoCall::UnknownPath), "{path}");
        }
    }

    #[test]
    fn nothing_secret_is_printed_by_debug() {
        let context = BASE64.encode(r#"{"canary":1}"#);
        let invoke = post(INVOKE, &[("x-amz-client-context", &context)]).unwrap();
        assert!(!format!("{invoke:?}").contains("canary"));
    }
}
