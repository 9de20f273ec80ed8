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
            ["arn", _, "lambda", _, _, "function", rest @ ..] => (6, rest),
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

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_shape_is_taken_apart() {
        let table = [
            ("resize", "resize", None),
            ("resize:7", "resize", Some("7")),
            ("function:resize", "function:resize", None),
            ("123456789012:function:resize:live", "123456789012:function:resize", Some("live")),
            (
                "arn:aws:lambda:eu-west-1:123456789012:function:resize:$LATEST",
                "arn:aws:lambda:eu-west-1:123456789012:function:resize",
                Some("$LATEST"),
            ),
        ];
        for (text, unqualified, qualifier) in table {
            let name: FunctionName = text.parse().unwrap();
            assert_eq!(
                (name.unqualified().as_str(), name.qualifier()),
                (unqualified, qualifier),
                "{text}"
            );
            assert_eq!((name.name(), name.to_string().as_str()), ("resize", text));
        }
    }

    #[test]
    fn the_region_is_that_of_the_arn() {
        let name: FunctionName =
            "arn:aws:lambda:eu-west-1:123456789012:function:f".parse().unwrap();
        assert_eq!(name.region(), Some("eu-west-1"));
        assert_eq!("f".parse::<FunctionName>().unwrap().region(), None);
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in
            ["", "a b", "a:b:c", "a:", "arn:aws:s3:::bucket", "../x", "arn:aws:lambda:r:1:layer:l"]
        {
            assert!(text.parse::<FunctionName>().is_err(), "{text}");
        }
    }
}
