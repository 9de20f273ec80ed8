//! Requests at the front door, as a stranger writes them: each is a call or has its refusal.

#[path = "../../../runner/src/front/call.rs"]
#[allow(dead_code, unreachable_pub, reason = "the runner uses all of it")]
mod call;

use hyper::Method;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};

/// Reads `METHOD path?query`, and lines of `name: value`.
pub fn request(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split('\n');
    let (method, target) = lines.next().unwrap_or_default().split_once(' ').unwrap_or_default();
    let Ok(method) = Method::from_bytes(method.as_bytes()) else { return };
    let (path, query) =
        target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let field = |line: &str| {
        let (name, value) = line.split_once(": ")?;
        Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
    };
    let headers: HeaderMap = lines.filter_map(field).collect();
    let _ = call::parse(&method, path, query, &headers);
}
