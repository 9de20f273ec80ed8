//! What an error of the store means: absent, there already, wrong for good, or worth another try. Pure.

use std::error::Error as _;
use std::io::ErrorKind;

use object_store::Error;

/// What an error means, with what the store said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The object is not there.
    Absent(String),
    /// A condition did not hold: the object is there, or somebody is writing it just now. S3 says 412
    /// for the one and 409 (`ConditionalRequestConflict`) for the other; reading back tells.
    There(String),
    /// It will be refused again.
    Final(String),
    /// It may succeed later; a write may have succeeded.
    Passing(String),
}

/// S3 error codes with a 4xx status that pass (S3 API reference, error responses): the first two are
/// renewed by asking for credentials again, the last is what S3 says of a copy or write in progress.
const PASSING: [&str; 6] = [
    "ExpiredToken",
    "RequestTimeTooSkewed",
    "RequestTimeout",
    "SlowDown",
    "TooManyRequests",
    "OperationAborted",
];

/// Judges an error.
pub(super) fn judge(error: &Error) -> Verdict {
    let text = text(error);
    if PASSING.iter().any(|code| text.contains(code)) {
        return Verdict::Passing(text);
    }
    match error {
        Error::NotFound { .. } if text.contains("NoSuchBucket") => Verdict::Final(text),
        Error::NotFound { .. } => Verdict::Absent(text),
        Error::AlreadyExists { .. } | Error::Precondition { .. } | Error::NotModified { .. } => {
            Verdict::There(text)
        }
        Error::Generic { .. } if text.contains("status code: 4") || is_local(error) => {
            Verdict::Final(text)
        }
        Error::Generic { .. } | Error::JoinError { .. } => Verdict::Passing(text),
        _ => Verdict::Final(text),
    }
}

/// Whether a directory refused for good.
fn is_local(error: &Error) -> bool {
    let chain = std::iter::successors(error.source(), |error| (*error).source());
    let mut kinds = chain.filter_map(|error| error.downcast_ref::<std::io::Error>());
    kinds.any(|error| {
        matches!(
            error.kind(),
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem | ErrorKind::NotADirectory
        )
    })
}

/// An error and its causes on one line. Of an XML answer only code and message are kept: one to a
/// request with a wrong signature repeats the whole request, session token and all.
fn text(error: &Error) -> String {
    let chain = std::iter::successors(Some(error as &dyn std::error::Error), |e| (*e).source());
    let mut texts: Vec<String> = Vec::new();
    for text in chain.map(|error| condensed(&error.to_string())) {
        if !texts.iter().any(|known| known.contains(&text)) {
            texts.push(text);
        }
    }
    texts.join(": ")
}

fn condensed(text: &str) -> String {
    let Some((front, xml)) = text.split_once('<') else { return text.to_owned() };
    let element = |name: &str| {
        let (_, rest) = xml.split_once(&format!("{name}>"))?;
        rest.split_once('<').map(|(inner, _)| inner.to_owned())
    };
    let said = [element("Code"), element("Message")];
    let said: Vec<String> = said.into_iter().flatten().collect();
    format!("{front}{}", said.join(": "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::Generic { store: "S3", source: source.into() }
    }

    fn refused(text: &str) -> Error {
        Error::PermissionDenied { path: "p".into(), source: text.into() }
    }

    #[test]
    fn each_error_has_its_meaning() {
        let none = || Error::NotFound { path: "p".into(), source: "x".into() };
        let exists = || Error::AlreadyExists { path: "p".into(), source: "x".into() };
        let bucket = Error::NotFound {
            path: "p".into(),
            source: "404: <Error><Code>NoSuchBucket</Code></Error>".into(),
        };
        let denied = std::io::Error::from(ErrorKind::PermissionDenied);
        let full = std::io::Error::from(ErrorKind::StorageFull);
        assert!(matches!(judge(&none()), Verdict::Absent(_)));
        assert!(matches!(judge(&exists()), Verdict::There(_)));
        assert!(matches!(judge(&bucket), Verdict::Final(_)));
        assert!(matches!(judge(&refused("AccessDenied")), Verdict::Final(_)));
        assert!(matches!(judge(&refused("<Code>ExpiredToken</Code>")), Verdict::Passing(_)));
        assert!(matches!(judge(&generic("status code: 400 Bad")), Verdict::Final(_)));
        assert!(matches!(judge(&generic("status code: 503 Busy")), Verdict::Passing(_)));
        assert!(matches!(judge(&generic("operation timed out")), Verdict::Passing(_)));
        assert!(matches!(judge(&generic(denied)), Verdict::Final(_)));
        assert!(matches!(judge(&generic(full)), Verdict::Passing(_)));
    }

    #[test]
    fn an_answer_that_repeats_the_request_is_not_repeated() {
        let xml = "status code: 403 Forbidden: <?xml version=\"1.0\"?><Error>\
            <Code>SignatureDoesNotMatch</Code><Message>The signature does not match.</Message>\
            <CanonicalRequest>x-amz-security-token:canary</CanonicalRequest></Error>";
        let Verdict::Final(text) = judge(&refused(xml)) else { panic!("not final") };
        assert!(!text.contains("canary"), "{text}");
        assert!(text.ends_with("SignatureDoesNotMatch: The signature does not match."), "{text}");
    }
}
