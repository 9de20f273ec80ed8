//! A function's name as users write it: `resize`, `resize:live`, `123456789012:function:resize`, or
//! a full ARN, with an optional qualifier (Lambda API reference, `FunctionName`). Pure.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A checked function name. The qualifier is kept apart, because it is a parameter of its own in
/// API calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionName {
    prefix: String,
    name: String,
    qualifier: Option<String>,
}

/// What is wrong with a function name.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum NameError {
    /// It has not one of the shapes.
    #[error(
        "expected a function's name, `ACCOUNT:function:NAME` or its ARN, with an optional `:QUALIFIER`, found `{0}`"
    )]
    Shape(String),
    /// The name itself has a character that Lambda does not allow.
    #[error("expected a function name of 1 to 64 letters, digits, `-` and `_`, found `{0}`")]
    Name(String),
    /// The qualifier is neither a version nor an alias.
    #[error(
        "expected a version or an alias of 1 to 128 letters, digits, `$`, `.`, `-` and `_`, found `{0}`"
    )]
    Qualifier(String),
    /// A part of the ARN, which would become part of an address, is none.
    #[error("expected an ARN like `arn:aws:lambda:REGION:ACCOUNT:function:NAME`, found `{0}`")]
    Arn(String),
}

impl FunctionName {
    /// The bare name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Version or alias, if one was given.
    pub fn qualifier(&self) -> Option<&str> {
        self.qualifier.as_deref()
    }

    /// Name or ARN without qualifier, for the API's `FunctionName`.
    pub fn unqualified(&self) -> String {
        format!("{}{}", self.prefix, self.name)
    }

    /// The region in the ARN, where it is one.
    pub fn region(&self) -> Option<&str> {
        self.prefix.strip_prefix("arn:")?.split(':').nth(2).filter(|region| !region.is_empty())
    }
}

impl FromStr for FunctionName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let parts: Vec<&str> = text.split(':').collect();
        let (prefix, rest) = match parts.as_slice() {
            ["arn", partition, "lambda", region, account, "function", rest @ ..] => {
                if !is_place(partition) || !is_place(region) || !is_account(account) {
                    return Err(NameError::Arn(text.to_owned()));
                }
                (6, rest)
            }
            ["arn", ..] => return Err(NameError::Shape(text.to_owned())),
            [account, "function", rest @ ..] if is_account(account) => (2, rest),
            ["function", rest @ ..] if !rest.is_empty() => (1, rest),
            rest => (0, rest),
        };
        let (name, qualifier) = match rest {
            [name] => (*name, None),
            [name, qualifier] if !qualifier.is_empty() => (*name, Some((*qualifier).to_owned())),
            _ => return Err(NameError::Shape(text.to_owned())),
        };
        if !is_name(name) {
            return Err(NameError::Name(name.to_owned()));
        }
        if let Some(qualifier) = qualifier.as_ref().filter(|qualifier| !is_qualifier(qualifier)) {
            return Err(NameError::Qualifier(qualifier.clone()));
        }
        let prefix: String = parts[..prefix].iter().flat_map(|part| [*part, ":"]).collect();
        Ok(Self { prefix, name: name.to_owned(), qualifier })
    }
}

impl fmt::Display for FunctionName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.prefix, self.name)?;
        self.qualifier.as_ref().map_or(Ok(()), |qualifier| write!(formatter, ":{qualifier}"))
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A partition or a region: what a host's name is made of.
fn is_place(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(allowed)
}

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(is_letter)
}

fn is_qualifier(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.bytes().all(|byte| is_letter(byte) || matches!(byte, b'$' | b'.'))
}

const fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_shape_is_taken_apart() {
        const ARN: &str = "arn:aws:lambda:eu-west-1:123456789012:function:resize";
        let longest = "a".repeat(64);
        let alias = "a".repeat(128);
        let table = [
            ("resize".to_owned(), None),
            ("RE_size-2".to_owned(), None),
            ("-".to_owned(), None),
            ("7".to_owned(), None),
            ("function".to_owned(), None),
            (longest, None),
            ("resize".to_owned(), Some("7")),
            ("resize".to_owned(), Some("$LATEST")),
            ("resize".to_owned(), Some("$LATEST.PUBLISHED")),
            ("resize".to_owned(), Some("live")),
            ("resize".to_owned(), Some("LIVE_2-b")),
            ("resize".to_owned(), Some(alias.as_str())),
            ("function:resize".to_owned(), None),
            ("function:resize".to_owned(), Some("7")),
            ("123456789012:function:resize".to_owned(), None),
            ("123456789012:function:resize".to_owned(), Some("live")),
            (ARN.to_owned(), None),
            (ARN.to_owned(), Some("$LATEST")),
            (ARN.to_owned(), Some("42")),
            (ARN.to_owned(), Some("live")),
            (ARN.replace("aws:", "aws-cn:").replace("eu-west", "cn-north"), None),
            (ARN.replace("aws:", "aws-us-gov:").replace("eu-west", "us-gov-east"), None),
            (ARN.replace("aws:", "aws-iso:").replace("eu-west", "us-iso-east"), None),
            (ARN.replace("aws:", "aws-iso-b:").replace("eu-west", "us-isob-east"), None),
            (ARN.replace("aws:", "aws-iso-e:").replace("eu-west", "eu-isoe-west"), None),
            (ARN.replace("aws:", "aws-eusc:").replace("eu-west", "eusc-de-east"), None),
            (ARN.replace("eu-west-1", "ap-southeast-7"), Some("7")),
        ];
        for (unqualified, qualifier) in &table {
            let qualified = qualifier.map(|qualifier| format!("{unqualified}:{qualifier}"));
            let text = qualified.as_ref().unwrap_or(unqualified);
            let name: FunctionName = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(
                (&name.unqualified(), name.qualifier()),
                (unqualified, *qualifier),
                "{text}"
            );
            assert_eq!(
                (name.name(), &name.to_string()),
                (unqualified.rsplit(':').next().unwrap(), text)
            );
            let region = unqualified.strip_prefix("arn:").and_then(|rest| rest.split(':').nth(2));
            assert_eq!(name.region(), region, "{text}");
        }
    }

    /// What stands in an ARN becomes part of a host's name, and of a path.
    #[test]
    fn what_is_no_name_is_refused() {
        let (long, longer) = ("a".repeat(65), format!("a:{}", "b".repeat(129)));
        for text in [
            "",
            " ",
            ":",
            "::",
            "a b",
            "a:b:c",
            "a:",
            ":a",
            "function:",
            "resize:live:7",
            "resize:a b",
            "resize:a/../b",
            "resize:7?x=1",
            "resize:7#",
            "resize:l\u{ed}ve",
            "../x",
            "..",
            "a.b",
            "a/b",
            "a\\b",
            "a%2fb",
            "a?b",
            "a#b",
            "a@b",
            "a\0b",
            "a\nb",
            "a\r\nHost: x",
            "\u{440}esize",
            "resize\u{200b}",
            "resi\u{202e}ze",
            "$LATEST",
            "*",
            long.as_str(),
            longer.as_str(),
            "12345678901:function:resize",
            "1234567890123:function:resize",
            "12345678901x:function:resize",
            "123456789012:layer:resize",
            "arn",
            "arn:",
            "arn:aws",
            "arn:aws:s3:::bucket",
            "arn:aws:lambda:eu-west-1:123456789012:layer:resize",
            "arn:aws:lambda:eu-west-1:123456789012:event-source-mapping:x",
            "arn:aws:lambda:eu-west-1:123456789012:function",
            "arn:aws:lambda:eu-west-1:123456789012:function:",
            "arn:aws:lambda:eu-west-1:123456789012:function:a:b:c",
            "arn:aws:lambda:eu-west-1:123456789012:function:a/b",
            "arn:aws:lambda:eu-west-1:123456789012:function/a",
            "arn:aws:lambda:eu-west-1::function:resize",
            "arn:aws:lambda:eu-west-1:1:function:resize",
            "arn:aws:lambda:eu-west-1:12345678901\u{662}:function:resize",
            "arn:aws:lambda::123456789012:function:resize",
            "arn::lambda:eu-west-1:123456789012:function:resize",
            "arn:aws:lambda:EU-WEST-1:123456789012:function:resize",
            "arn:aws:lambda:evil.example/#:123456789012:function:resize",
            "arn:aws:lambda:evil.example?:123456789012:function:resize",
            "arn:aws:lambda:x@169.254.170.2/:123456789012:function:resize",
            "arn:aws:lambda:169.254.170.2:123456789012:function:resize",
            "arn:aws:lambda:eu-west-1\\evil:123456789012:function:resize",
            "arn:aws:lambda:eu-west-1.evil.example:123456789012:function:resize",
            "arn:aws.evil:lambda:eu-west-1:123456789012:function:resize",
            "ARN:aws:lambda:eu-west-1:123456789012:function:resize",
            " arn:aws:lambda:eu-west-1:123456789012:function:resize",
            "arn:aws:lambda:eu-west-1:123456789012:function:resize\n",
        ] {
            assert!(text.parse::<FunctionName>().is_err(), "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_taken_is_plain_and_written_as_it_was_read(text in "(arn:aws[a-z-]{0,3}:lambda:)?([ -~]{0,12}:)?([0-9]{12}:)?(function:)?\\PC{0,12}(:[ -~]{0,6})?") {
            if let Ok(name) = text.parse::<FunctionName>() {
                proptest::prop_assert_eq!(name.to_string(), text.clone());
                proptest::prop_assert!(text.bytes().all(|byte| is_letter(byte) || matches!(byte, b':' | b'$' | b'.')));
                proptest::prop_assert!(name.region().is_none_or(is_place));
            }
        }
    }
}
