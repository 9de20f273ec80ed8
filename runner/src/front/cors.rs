//! Which web pages may call, and how browsers are told. Pure.
//!
//! Without a permission a page's request is refused rather than left unanswered: a browser sends a simple POST
//! without asking first, and any page on the internet could run a function on the laptop of its reader. Programs send no `Origin`.

use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    HeaderMap, HeaderValue, ORIGIN, VARY,
};

/// What a script may read of an answer.
const EXPOSED: &str = "x-amz-executed-version, x-amz-function-error, x-amz-log-result, x-amzn-requestid, x-amzn-errortype, x-amzn-trace-id, retry-after";

/// May whoever sent these headers call?
pub(super) fn allowed(permitted: Option<&str>, headers: &HeaderMap) -> bool {
    headers.get(ORIGIN).is_none_or(|origin| {
        permitted
            .is_some_and(|permitted| permitted == "*" || origin.as_bytes() == permitted.as_bytes())
    })
}

/// Adds to an answer what a permitted browser needs to hand it to the page.
pub(super) fn permit(permitted: Option<&str>, asked: &HeaderMap, answer: &mut HeaderMap) {
    let Some(permitted) = permitted.filter(|_| allowed(permitted, asked)) else { return };
    let (true, Ok(origin)) = (asked.contains_key(ORIGIN), HeaderValue::from_str(permitted)) else {
        return;
    };
    answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    answer.insert(VARY, HeaderValue::from_static("Origin"));
}

/// The same for the question that a browser asks first.
pub(super) fn preflight(permitted: Option<&str>, asked: &HeaderMap, answer: &mut HeaderMap) {
    permit(permitted, asked, answer);
    if !answer.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
        return;
    }
    answer.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST, OPTIONS"));
    answer.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    if let Some(wanted) = asked.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> HeaderMap {
        let origin = (ORIGIN, HeaderValue::from_static("http://localhost:3000"));
        let wanted = (ACCESS_CONTROL_REQUEST_HEADERS, HeaderValue::from_static("authorization"));
        [origin, wanted].into_iter().collect()
    }

    #[test]
    fn a_page_needs_a_permission_and_a_program_does_not() {
        let table = [
            (None, false),
            (Some("*"), true),
            (Some("http://localhost:3000"), true),
            (Some("http://localhost"), false),
        ];
        for (permitted, expected) in table {
            assert_eq!(allowed(permitted, &page()), expected, "{permitted:?}");
            assert!(allowed(permitted, &HeaderMap::new()));
        }
    }

    #[test]
    fn a_permitted_page_is_told_so() {
        let mut answer = HeaderMap::new();
        preflight(Some("*"), &page(), &mut answer);
        assert_eq!(answer[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        assert_eq!(answer[ACCESS_CONTROL_ALLOW_HEADERS], "authorization");
        for permitted in [None, Some("http://other")] {
            let mut answer = HeaderMap::new();
            preflight(permitted, &page(), &mut answer);
            assert!(answer.is_empty());
        }
    }
}
