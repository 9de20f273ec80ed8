//! What a server's answer to a request for a range means. Pure. Source: RFC 9110, section 14, and S3's
//! error responses.

use std::ops::Range;

use super::error::Fault;

/// Which bytes are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// From here to the end.
    From(u64),
    /// These.
    Between(Range<u64>),
    /// So many at the end.
    Last(u64),
}

impl Wanted {
    /// Value of the `Range` header.
    pub(super) fn header(&self) -> String {
        match self {
            Self::From(start) => format!("bytes={start}-"),
            Self::Between(range) => format!("bytes={}-{}", range.start, range.end - 1),
            Self::Last(count) => format!("bytes=-{count}"),
        }
    }

    /// Whether an answer with these bytes is one to this request.
    fn is(&self, range: &Range<u64>, total: u64) -> bool {
        match self {
            Self::From(start) => *range == (*start..total),
            Self::Between(wanted) => range == wanted,
            Self::Last(count) => *range == (total.saturating_sub(*count)..total),
        }
    }
}

/// What of an answer's head matters here.
#[derive(Debug, Clone, Default)]
pub(super) struct Head {
    /// HTTP status.
    pub(super) status: u16,
    /// `Content-Range`.
    pub(super) range: Option<String>,
    /// `Content-Length`.
    pub(super) length: Option<u64>,
    /// `Content-Encoding`.
    pub(super) encoding: Option<String>,
}

/// Which bytes an answer holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// Those that were asked for, of so many in all.
    Part(Range<u64>, u64),
    /// All of them, as if no range had been asked for.
    Whole(Option<u64>),
}

/// Why there are no bytes.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It may go better the next time.
    Again(String),
    /// The address is no longer good, or never was.
    Denied(u16),
    /// There is no point in going on.
    Fatal(Fault),
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Fatal(fault)
    }
}

/// Judges an answer by its head.
pub(super) fn judge(head: &Head, wanted: &Wanted) -> Result<Answer, Trouble> {
    match head.status {
        200 | 206 if head.encoding.as_deref().is_some_and(|coding| coding != "identity") => {
            let found = head.encoding.clone().unwrap_or_default();
            Err(Fault::Answer { expected: "the package as it is, without Content-Encoding", found }
                .into())
        }
        200 => Ok(Answer::Whole(head.length)),
        206 => part(head, wanted),
        // S3 answers 400 where the session token in the URL has expired, 403 where the URL has.
        status @ (400 | 401 | 403) => Err(Trouble::Denied(status)),
        412 => Err(changed("the same ETag", "another one".to_owned())),
        416 => Err(changed("the same length", "fewer bytes".to_owned())),
        status @ (408 | 425 | 429 | 500..=599) => {
            Err(Trouble::Again(format!("the server answered {status}")))
        }
        status @ 300..=399 => Err(Fault::Redirect { status }.into()),
        status => Err(Fault::Status { status }.into()),
    }
}

fn part(head: &Head, wanted: &Wanted) -> Result<Answer, Trouble> {
    let text = head.range.clone().unwrap_or_else(|| "none".to_owned());
    match parse(&text) {
        Some((range, total)) if wanted.is(&range, total) => Ok(Answer::Part(range, total)),
        _ => Err(Fault::Answer { expected: "a Content-Range as asked for", found: text }.into()),
    }
}

/// `bytes 0-9/100`
fn parse(text: &str) -> Option<(Range<u64>, u64)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last, total): (u64, u64, u64) =
        (first.parse().ok()?, last.parse().ok()?, total.parse().ok()?);
    (first <= last && last < total).then_some((first..last + 1, total))
}

/// The bytes are not those of the first answer any more.
pub(super) fn changed(expected: &str, found: String) -> Trouble {
    Fault::Changed { expected: expected.to_owned(), found }.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn head(status: u16, range: &str) -> Head {
        Head { status, range: Some(range.to_owned()), ..Head::default() }
    }

    #[test]
    fn a_part_is_what_was_asked_for() {
        let cases = [
            (Wanted::From(5), "bytes 5-9/10", 5..10),
            (Wanted::Between(2..4), "bytes 2-3/10", 2..4),
            (Wanted::Last(3), "bytes 7-9/10", 7..10),
            (Wanted::Last(30), "bytes 0-9/10", 0..10),
        ];
        for (wanted, text, range) in cases {
            assert_eq!(judge(&head(206, text), &wanted).unwrap(), Answer::Part(range, 10));
        }
    }

    #[test]
    fn another_part_is_none() {
        for text in
            ["bytes 4-9/10", "bytes 5-8/10", "bytes 5-9/*", "bytes 5-10/10", "items 5-9/10", ""]
        {
            let judged = judge(&head(206, text), &Wanted::From(5));
            assert!(matches!(judged, Err(Trouble::Fatal(Fault::Answer { .. }))), "{text}");
        }
    }

    #[test]
    fn statuses_say_whether_to_go_on() {
        let judge = |status| judge(&head(status, ""), &Wanted::From(0));
        assert!(matches!(judge(200), Ok(Answer::Whole(None))));
        assert!([429, 500, 503].map(judge).iter().all(|it| matches!(it, Err(Trouble::Again(_)))));
        assert!([400, 403].map(judge).iter().all(|it| matches!(it, Err(Trouble::Denied(_)))));
        for status in [301, 404, 412, 416, 418] {
            assert!(matches!(judge(status), Err(Trouble::Fatal(_))), "{status}");
        }
    }

    #[test]
    fn a_coded_package_is_refused() {
        let head = Head { status: 200, encoding: Some("gzip".to_owned()), ..Head::default() };
        assert!(matches!(
            judge(&head, &Wanted::From(0)),
            Err(Trouble::Fatal(Fault::Answer { .. }))
        ));
    }

    proptest! {
        #[test]
        fn no_header_panics(text in ".{0,40}", status in 0..600_u16) {
            let _ = judge(&head(status, &text), &Wanted::From(3));
            let _ = judge(&head(206, &format!("bytes {text}")), &Wanted::Last(3));
        }
    }
}
