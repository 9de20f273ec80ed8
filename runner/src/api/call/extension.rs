//! The Extensions API's routes, prefix `/2020-01-01`, and what a registration says.
//!
//! Source: AWS Lambda developer guide, "Using the Lambda Extensions API"; texts as AWS's emulator has
//! them (`rapi/handler/agentregister.go`).

use hyper::Method;
use hyper::header::HeaderMap;
use serde_json::Value;
use serde_json::error::Category;

use super::{Call, NoCall, allow, text};
use crate::session::{ExtensionId, Subscribed};

/// What is wrong with a call of an extension's, whatever state it is in. Always 403.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::api) struct Fault {
    /// `errorType`
    pub(in crate::api) kind: &'static str,
    /// `errorMessage`
    pub(in crate::api) message: String,
}

impl Fault {
    fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

pub(super) fn parse(method: &Method, route: &[&str], headers: &HeaderMap) -> Result<Call, NoCall> {
    let post = |call| allow(method, &Method::POST, "POST", call);
    let fails = |init| Call::ExtensionFault { init, id: faulty(headers) };
    match route {
        ["extension", "register"] => post(Call::Register {
            name: text(headers, "lambda-extension-name").unwrap_or_default().to_owned(),
            account: wants_account(headers),
        }),
        ["extension", "event", "next"] => {
            allow(method, &Method::GET, "GET", Call::ExtensionNext(identifier(headers)))
        }
        ["extension", "init", "error"] => post(fails(true)),
        ["extension", "exit", "error"] => post(fails(false)),
        _ => Err(NoCall::UnknownPath),
    }
}

fn wants_account(headers: &HeaderMap) -> bool {
    let features = text(headers, "lambda-extension-accept-feature").unwrap_or_default();
    features.split(',').any(|feature| feature.trim() == "accountId")
}

/// `Lambda-Extension-Identifier`
pub(super) fn identifier(headers: &HeaderMap) -> Result<ExtensionId, Fault> {
    let missing = || {
        let message = "Missing Lambda-Extension-Identifier header";
        Fault::new("Extension.MissingExtensionIdentifier", message)
    };
    let invalid = |_| {
        let message = "Invalid Lambda-Extension-Identifier";
        Fault::new("Extension.InvalidExtensionIdentifier", message)
    };
    let found = text(headers, "lambda-extension-identifier").filter(|text| !text.is_empty());
    let id = uuid::Uuid::parse_str(found.ok_or_else(missing)?).map_err(invalid)?;
    Ok(ExtensionId(id.as_u128()))
}

/// Who reports an error; it has to say which.
fn faulty(headers: &HeaderMap) -> Result<ExtensionId, Fault> {
    const NAME: &str = "Lambda-Extension-Function-Error-Type";
    let id = identifier(headers)?;
    if text(headers, "lambda-extension-function-error-type").is_none_or(str::is_empty) {
        return Err(Fault::new("Extension.MissingHeader", format!("{NAME} not found")));
    }
    Ok(id)
}

/// A registration that can be put to the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::api) struct Registration {
    /// The extension's name.
    pub(in crate::api) name: String,
    /// What it wants to be told.
    pub(in crate::api) events: Vec<Subscribed>,
}

const FORMAT: &str = "InvalidRequestFormat";

/// Reads a registration's body. An empty list of events is one, and so is none (Go's clients).
pub(in crate::api) fn register(name: String, body: &[u8]) -> Result<Registration, Fault> {
    if name.is_empty() {
        return Err(Fault::new("Extension.InvalidExtensionName", "Empty extension name"));
    }
    let json: Value = serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
    if json.get("configurationKeys").is_some_and(|keys| !keys.is_null()) {
        let message = "configurationKeys are deprecated; use environment variables instead";
        return Err(Fault::new(FORMAT, message));
    }
    let events = match json.get("events") {
        None | Some(Value::Null) if json.is_object() || json.is_null() => Vec::new(),
        Some(Value::Array(events)) => events.clone(),
        _ => return Err(Fault::new(FORMAT, "expected an object with a list of `events`")),
    };
    let events = events.iter().map(event).collect::<Result<_, _>>()?;
    Ok(Registration { name, events })
}

/// What ends too early is said in Lambda's own words, for it is the one mistake that is made.
fn unreadable(error: &serde_json::Error) -> Fault {
    match error.classify() {
        Category::Eof => Fault::new(FORMAT, "unexpected end of JSON input"),
        Category::Io | Category::Syntax | Category::Data => Fault::new(FORMAT, error.to_string()),
    }
}

fn event(value: &Value) -> Result<Subscribed, Fault> {
    match value.as_str() {
        Some("INVOKE") => Ok(Subscribed::Invoke),
        Some("SHUTDOWN") => Ok(Subscribed::Shutdown),
        Some(other) => {
            let message = format!("{other}: ErrorInvalidEventType");
            Err(Fault::new("Extension.InvalidEventType", message))
        }
        None => Err(Fault::new(FORMAT, "expected names of events")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn kind<T: std::fmt::Debug>(result: Result<T, Fault>) -> &'static str {
        result.unwrap_err().kind
    }

    #[test]
    fn a_registration_says_who_and_what() {
        let table: [(&[u8], &[Subscribed]); 5] = [
            (br#"{"events":["INVOKE","SHUTDOWN"]}"#, &[Subscribed::Invoke, Subscribed::Shutdown]),
            (br#"{"events":[]}"#, &[]),
            (br#"{"events":null}"#, &[]),
            (b"{}", &[]),
            (b"null", &[]),
        ];
        for (body, events) in table {
            assert_eq!(register("a".into(), body).unwrap().events, events);
        }
        let asked = headers(&[("lambda-extension-accept-feature", "x, accountId")]);
        assert!(wants_account(&asked) && !wants_account(&HeaderMap::new()));
    }

    #[test]
    fn a_registration_that_is_none_has_lambdas_words() {
        let refused = |name: &str, body: &[u8]| register(name.to_owned(), body).unwrap_err();
        assert_eq!(refused("", b"{}").message, "Empty extension name");
        let unknown = refused("a", br#"{"events":["FOO"]}"#);
        assert_eq!(unknown.kind, "Extension.InvalidEventType");
        assert_eq!(unknown.message, "FOO: ErrorInvalidEventType");
        for body in [&b""[..], b"[]", br#"{"events":{}}"#, br#"{"events":[1]}"#] {
            assert_eq!(refused("a", body).kind, "InvalidRequestFormat");
        }
        for body in [&b""[..], br#"{"events":"#] {
            assert_eq!(refused("a", body).message, "unexpected end of JSON input");
        }
        let keys = refused("a", br#"{"events":[],"configurationKeys":["x"]}"#);
        assert!(keys.message.starts_with("configurationKeys are deprecated"));
    }

    #[test]
    fn an_identifier_is_a_uuid() {
        let with = |value: &str| identifier(&headers(&[("lambda-extension-identifier", value)]));
        assert_eq!(with("00000000-0000-0000-0000-00000000000a"), Ok(ExtensionId(10)));
        assert_eq!(kind(with("x")), "Extension.InvalidExtensionIdentifier");
        assert_eq!(kind(identifier(&HeaderMap::new())), "Extension.MissingExtensionIdentifier");
    }

    #[test]
    fn an_error_needs_its_type() {
        let id = ("lambda-extension-identifier", "00000000-0000-0000-0000-00000000000a");
        assert_eq!(kind(faulty(&headers(&[id]))), "Extension.MissingHeader");
        let all = headers(&[id, ("lambda-extension-function-error-type", "X.Y")]);
        assert_eq!(faulty(&all), Ok(ExtensionId(10)));
    }
}
