//! What services answer: XML or JSON → what was asked for, or the refusal. Pure.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use thiserror::Error;

/// A call was not answered with what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{action} {problem}")]
pub struct Refused {
    /// As policies call it: `iam:GetRole`.
    pub action: String,
    /// AWS's code for it; none where there was no answer.
    pub code: Option<String>,
    /// Whether it may be different the next time.
    pub(super) passing: bool,
    problem: String,
}

impl Refused {
    pub(super) fn unreachable(service: &str, operation: &str, problem: &str) -> Self {
        let problem = format!("got no answer: {problem}");
        Self { action: format!("{service}:{operation}"), code: None, passing: true, problem }
    }

    fn said(service: &str, operation: &str, status: u16, code: &str, message: &str) -> Self {
        let denied = code.contains("AccessDenied") || code.contains("Unauthorized");
        let is = if denied { "is needed and was refused" } else { "was refused" };
        Self {
            action: format!("{service}:{operation}"),
            code: Some(code.to_owned()),
            passing: status >= 500 && status != 501 || code.contains("Throttl"),
            problem: format!("{is}: {code}: {message}"),
        }
    }

    /// Whether there is no such thing.
    pub fn is_absent(&self) -> bool {
        let code = self.code.as_deref().unwrap_or_default();
        ["NoSuchEntity", "NotFound", "NoSuchResource"].iter().any(|part| code.contains(part))
    }
}

/// A list in XML: `<X><member>…</member>…</X>` of IAM, `<X><item>…</item>…</X>` of EC2.
#[derive(Debug, Clone, Deserialize)]
pub struct List<T> {
    /// What is in it.
    #[serde(rename = "member", alias = "item", default = "Vec::new")]
    pub items: Vec<T>,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self { items: Vec::new() }
    }
}

#[derive(Deserialize)]
struct Said {
    #[serde(rename = "Code", default)]
    code: String,
    #[serde(rename = "Message", default)]
    message: String,
}

/// `<ErrorResponse><Error>` of IAM, `<Response><Errors><Error>` of EC2.
#[derive(Deserialize)]
struct Failure {
    #[serde(rename = "Error")]
    error: Option<Said>,
    #[serde(rename = "Errors")]
    errors: Option<Failures>,
}

#[derive(Deserialize)]
struct Failures {
    #[serde(rename = "Error")]
    error: Said,
}

pub(super) fn xml<T: DeserializeOwned>(
    service: &str,
    operation: &str,
    status: u16,
    text: &str,
) -> Result<T, Refused> {
    if status == 200 {
        return quick_xml::de::from_str(text)
            .map_err(|error| unreadable(service, operation, &error.to_string()));
    }
    let failure = quick_xml::de::from_str::<Failure>(text).ok();
    let said = failure.and_then(|all| all.error.or(all.errors.map(|errors| errors.error)));
    let (code, message) = said.map_or_else(|| unnamed(status), |said| (said.code, said.message));
    Err(Refused::said(service, operation, status, &code, &message))
}

pub(super) fn json<T: DeserializeOwned>(
    service: &str,
    operation: &str,
    status: u16,
    text: &str,
) -> Result<T, Refused> {
    if status == 200 {
        return serde_json::from_str(text)
            .map_err(|error| unreadable(service, operation, &error.to_string()));
    }
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    let word = |names: [&str; 2]| names.iter().find_map(|name| value[*name].as_str());
    let code = word(["__type", "code"]).map(|code| code.rsplit('#').next().unwrap_or(code));
    let (code, message) = match code {
        Some(code) => {
            (code.to_owned(), word(["message", "Message"]).unwrap_or("no message").to_owned())
        }
        None => unnamed(status),
    };
    Err(Refused::said(service, operation, status, &code, &message))
}

fn unnamed(status: u16) -> (String, String) {
    (format!("HTTP {status}"), "without a code".to_owned())
}

fn unreadable(service: &str, operation: &str, problem: &str) -> Refused {
    let problem = format!("gave an answer that is not as documented: {problem}");
    Refused { action: format!("{service}:{operation}"), code: None, passing: false, problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Names {
        #[serde(rename = "ListResult")]
        result: Listed,
    }
    #[derive(Debug, Deserialize, PartialEq)]
    struct Listed {
        #[serde(rename = "PolicyNames", default)]
        names: List<String>,
    }
    impl PartialEq for List<String> {
        fn eq(&self, other: &Self) -> bool {
            self.items == other.items
        }
    }

    #[test]
    fn lists_are_read_empty_ones_too() {
        for (inner, expected) in [
            ("<PolicyNames><member>a</member><member>b</member></PolicyNames>", vec!["a", "b"]),
            (
                "<PolicyNames><item>a</item></PolicyNames><IsTruncated>false</IsTruncated>",
                vec!["a"],
            ),
            ("<PolicyNames/>", vec![]),
            ("", vec![]),
        ] {
            let text = format!("<Answer xmlns=\"x\"><ListResult>{inner}</ListResult></Answer>");
            let names: Names = xml("iam", "List", 200, &text).unwrap();
            assert_eq!(names.result.names.items, expected);
        }
    }

    #[test]
    fn refusals_are_told_apart() {
        let iam = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>";
        let ec2 = "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>no</Message></Error></Errors></Response>";
        for text in [iam, ec2] {
            let refused = xml::<Names>("iam", "GetRole", 403, text).unwrap_err();
            assert!(!refused.passing, "{refused:?}");
            assert!(refused.to_string().contains("iam:GetRole is needed and was refused"));
        }
        let absent = "<ErrorResponse><Error><Code>NoSuchEntity</Code></Error></ErrorResponse>";
        assert!(xml::<Names>("iam", "GetRole", 404, absent).unwrap_err().is_absent());
        let gone = xml::<Names>("iam", "GetRole", 503, "<html>").unwrap_err();
        assert!(gone.passing && gone.to_string().contains("iam:GetRole was refused: HTTP 503"));
        let text = r#"{"__type":"com.amazon#ResourceNotFoundException","message":"none"}"#;
        let refused = json::<Value>("logs", "DescribeLogGroups", 400, text).unwrap_err();
        assert!(refused.is_absent(), "{refused:?}");
        let odd = xml::<Names>("iam", "List", 200, "<Answer/>").unwrap_err();
        assert!(odd.to_string().contains("not as documented"), "{odd}");
    }
}
