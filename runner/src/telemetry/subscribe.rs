//! What an extension asks for when it subscribes: body → [`Subscription`], or what is wrong with it in
//! Lambda's words. Pure. Whether it may subscribe at all is decided by the session.

use serde_json::{Map, Value};

use crate::session::{Feed, Millis};

use super::json::{Schema, type_name};
use super::record::Type;

/// A subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// How records are to be written.
    pub schema: Schema,
    /// Which are wanted, in the order in which they were asked for.
    pub types: Vec<Type>,
    /// Where they go.
    pub destination: Destination,
    /// How they are gathered.
    pub buffering: Buffering,
}

/// Where a subscriber listens. It is always on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// Arrays by HTTP.
    Http {
        /// Port.
        port: u16,
        /// `Host`, as the subscriber wrote it.
        host: String,
        /// Path and query.
        target: String,
        /// `PUT` rather than `POST`: the Logs API leaves the choice.
        put: bool,
    },
    /// Lines by TCP.
    Tcp {
        /// Port.
        port: u16,
    },
}

/// When what has been gathered is sent: whichever comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buffering {
    /// So many records.
    pub max_items: usize,
    /// So many bytes.
    pub max_bytes: usize,
    /// So long after the first of them.
    pub timeout: Millis,
}

impl Default for Buffering {
    fn default() -> Self {
        Self { max_items: 10_000, max_bytes: 262_144, timeout: 1000 }
    }
}

/// Reads a request to subscribe. Properties that are not known mean nothing, as on Lambda.
pub fn parse(feed: Feed, body: &[u8]) -> Result<Subscription, String> {
    let value: Value =
        serde_json::from_slice(body).map_err(|error| format!("failed to parse JSON: {error}"))?;
    let mut problems = Problems::default();
    let subscription = read(feed, &value, &mut problems);
    match subscription {
        Some(subscription) if problems.0.is_empty() => Ok(subscription),
        _ => Err(problems.0.join("; ")),
    }
}

/// All that is wrong, so that it can be told at once.
#[derive(Default)]
struct Problems(Vec<String>);

impl Problems {
    fn tell<T>(&mut self, problem: impl Into<String>) -> Option<T> {
        self.0.push(problem.into());
        None
    }
}

fn read(feed: Feed, value: &Value, problems: &mut Problems) -> Option<Subscription> {
    let body = object(value, "", problems)?;
    let needed: &[&str] = match feed {
        Feed::Telemetry => &["schemaVersion", "types", "destination"],
        Feed::Logs => &["types", "destination"],
    };
    require(body, needed, problems);
    let schema = schema(feed, body.get("schemaVersion"), problems);
    let destination = body.get("destination").and_then(|value| destination(value, problems));
    let types = body.get("types").and_then(|value| types(value, problems));
    let buffering = buffering(body.get("buffering"), problems);
    Some(Subscription {
        schema: schema?,
        types: types?,
        destination: destination?,
        buffering: buffering?,
    })
}

fn require(object: &Map<String, Value>, needed: &[&str], problems: &mut Problems) {
    let missing: Vec<_> = needed.iter().filter(|name| !object.contains_key(**name)).collect();
    if !missing.is_empty() {
        let names: Vec<_> = missing.iter().map(|name| format!("'{name}'")).collect();
        problems.0.push(format!("missing properties: {}", names.join(", ")));
    }
}

const SCHEMAS: [(Schema, &str); 5] = [
    (Schema::Telemetry20220701, "2022-07-01"),
    (Schema::Telemetry20221213, "2022-12-13"),
    (Schema::Telemetry20250129, "2025-01-29"),
    (Schema::Logs20200815, "2020-08-15"),
    (Schema::Logs20210318, "2021-03-18"),
];

/// Only the Logs API has a default.
fn schema(feed: Feed, value: Option<&Value>, problems: &mut Problems) -> Option<Schema> {
    let Some(value) = value else {
        return (feed == Feed::Logs).then_some(Schema::Logs20200815);
    };
    let known: Vec<_> = SCHEMAS.iter().filter(|(schema, _)| schema.feed() == feed).collect();
    let name = string(value, "schemaVersion", problems)?;
    match known.iter().find(|(_, known)| *known == name) {
        Some((schema, _)) => Some(*schema),
        None => problems.tell(one_of("schemaVersion", known.iter().map(|(_, name)| *name))),
    }
}

fn types(value: &Value, problems: &mut Problems) -> Option<Vec<Type>> {
    let Some(items) = value.as_array() else {
        return problems.tell(expected("types", "array", value));
    };
    if items.is_empty() {
        return problems.tell("types should not be empty");
    }
    let mut types = Vec::new();
    for item in items {
        let kind = one_type(item, problems)?;
        if !types.contains(&kind) {
            types.push(kind);
        }
    }
    Some(types)
}

fn one_type(value: &Value, problems: &mut Problems) -> Option<Type> {
    let all = [Type::Platform, Type::Function, Type::Extension];
    let found = all.into_iter().find(|kind| value.as_str() == Some(type_name(*kind)));
    found.or_else(|| problems.tell(one_of("types", all.map(type_name))))
}

fn destination(value: &Value, problems: &mut Problems) -> Option<Destination> {
    let object = object(value, "destination", problems)?;
    match object.get("protocol").and_then(Value::as_str) {
        Some("HTTP") => http(object, problems),
        Some("TCP") => tcp(object, problems),
        None if !object.contains_key("protocol") => problems.tell("missing properties: 'protocol'"),
        _ => problems.tell(one_of("destination.protocol", ["HTTP", "TCP"])),
    }
}

fn tcp(object: &Map<String, Value>, problems: &mut Problems) -> Option<Destination> {
    let Some(value) = object.get("port") else {
        return problems.tell("missing properties: 'port'");
    };
    let port = integer(value, "port", 1, 65_535, problems)?;
    Some(Destination::Tcp { port: u16::try_from(port).ok()? })
}

fn http(object: &Map<String, Value>, problems: &mut Problems) -> Option<Destination> {
    let Some(uri) = object.get("URI") else {
        return problems.tell("missing properties: 'URI'");
    };
    let uri = string(uri, "destination.URI", problems)?;
    let put = match object.get("method").map(Value::as_str) {
        None | Some(Some("POST")) => false,
        Some(Some("PUT")) => true,
        Some(_) => return problems.tell(one_of("destination.method", ["POST", "PUT"])),
    };
    match address(uri) {
        Ok((port, host, target)) => Some(Destination::Http { port, host, target, put }),
        Err(problem) => problems.tell(problem),
    }
}

/// What else there is in a URI: RFC 3986, 2.
const MARKS: &[u8] = b"-._~:/?#[]@!$&'()*+,;=%";

/// `http://sandbox.localdomain:8080/path` as port, host and target.
fn address(uri: &str) -> Result<(u16, String, String), &'static str> {
    const SCHEME: &str = "http://";
    let invalid = "Invalid destination: could not parse destination.URI";
    if !uri.bytes().all(|byte| byte.is_ascii_alphanumeric() || MARKS.contains(&byte)) {
        return Err(invalid);
    }
    match uri.get(..SCHEME.len()) {
        Some(scheme) if scheme.eq_ignore_ascii_case(SCHEME) => {}
        _ => return Err("Invalid destination: destination.URI scheme must be http"),
    }
    let rest = uri.get(SCHEME.len()..).ok_or(invalid)?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
    if !["sandbox.localdomain", "sandbox"].iter().any(|it| it.eq_ignore_ascii_case(host)) {
        return Err("Invalid destination: destination.URI host must be sandbox.localdomain");
    }
    if port.is_empty() {
        return Err("URI port is not provided");
    }
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.parse().ok().filter(|port| digits && *port > 0).ok_or(invalid)?;
    Ok((port, authority.to_owned(), target(tail)))
}

/// What of a URI goes into the request line.
fn target(tail: &str) -> String {
    let tail = tail.split('#').next().unwrap_or_default();
    if tail.starts_with('/') { tail.to_owned() } else { format!("/{tail}") }
}

fn buffering(value: Option<&Value>, problems: &mut Problems) -> Option<Buffering> {
    let mut buffering = Buffering::default();
    let Some(value) = value else { return Some(buffering) };
    let object = object(value, "buffering", problems)?;
    let mut limit = |name, least, most| integer(object.get(name)?, name, least, most, problems);
    if let Some(items) = limit("maxItems", 1000, 10_000) {
        buffering.max_items = items as usize;
    }
    if let Some(bytes) = limit("maxBytes", 262_144, 1_048_576) {
        buffering.max_bytes = bytes as usize;
    }
    if let Some(timeout) = limit("timeoutMs", 25, 30_000) {
        buffering.timeout = timeout.into();
    }
    Some(buffering)
}

fn integer(
    value: &Value,
    name: &str,
    least: u32,
    most: u32,
    problems: &mut Problems,
) -> Option<u32> {
    let Some(number) = value.as_f64() else {
        return problems.tell(expected(name, "integer", value));
    };
    if number < f64::from(least) {
        return problems.tell(format!("{name}/minimum: must be >= {least} but found {value}"));
    }
    if number > f64::from(most) {
        return problems.tell(format!("{name}/maximum: must be <= {most} but found {value}"));
    }
    let whole = value.as_u64().and_then(|number| u32::try_from(number).ok());
    whole.or_else(|| problems.tell(expected(name, "integer", value)))
}

fn object<'a>(
    value: &'a Value,
    name: &str,
    problems: &mut Problems,
) -> Option<&'a Map<String, Value>> {
    value.as_object().or_else(|| problems.tell(expected(name, "object", value)))
}

fn string<'a>(value: &'a Value, name: &str, problems: &mut Problems) -> Option<&'a str> {
    value.as_str().or_else(|| problems.tell(expected(name, "string", value)))
}

fn one_of<'a>(name: &str, allowed: impl IntoIterator<Item = &'a str>) -> String {
    let allowed: Vec<_> = allowed.into_iter().map(|name| format!("\"{name}\"")).collect();
    format!("{name}: value must be one of {}", allowed.join(","))
}

fn expected(name: &str, kind: &str, found: &Value) -> String {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let colon = if name.is_empty() { "" } else { ": " };
    format!("{name}{colon}expected {kind}, but got {found}")
}

#[cfg(test)]
#[path = "subscribe/tests.rs"]
mod tests;
