//! Where outcomes go, in words: the entries of `IMMORTAL_DESTINATIONS` and the ARNs of a function's own
//! destinations. Pure: nothing is sent from here.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Where an outcome is delivered.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Destination {
    /// A queue, by its URL.
    Sqs {
        /// `https://sqs.REGION.amazonaws.com/ACCOUNT/NAME`
        url: String,
    },
    /// A queue, by its ARN: the URL is asked for.
    SqsArn {
        /// `arn:aws:sqs:REGION:ACCOUNT:NAME`
        arn: String,
    },
    /// Objects below a prefix.
    S3 {
        /// The bucket's name.
        bucket: String,
        /// What keys begin with; may be empty.
        prefix: String,
    },
    /// A topic.
    Sns {
        /// `arn:aws:sns:REGION:ACCOUNT:NAME`
        arn: String,
    },
    /// An event bus, by name or ARN.
    EventBridge {
        /// `default` or `arn:aws:events:REGION:ACCOUNT:event-bus/NAME`
        bus: String,
    },
    /// A function, invoked asynchronously with the record.
    Lambda {
        /// Its ARN.
        arn: String,
    },
    /// The workflow that waits for the job's task token.
    StepFunctions,
    /// Standard output, one record a line.
    Stdout,
}

/// An entry that names no destination.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "expected a destination such as `sqs:QUEUE_URL`, `s3://BUCKET/PREFIX`, `sns:TOPIC_ARN`, `eventbridge:BUS`, `lambda:FUNCTION_ARN`, `stepfunctions` or `stdout`, found `{found}`{hint}"
)]
pub struct DestinationError {
    /// The entry.
    pub found: String,
    /// What to do about it, where that is clear.
    pub hint: &'static str,
}

impl Destination {
    /// The entries of a comma-separated list; empty ones are passed over.
    pub fn list(text: &str) -> Result<Vec<Self>, DestinationError> {
        text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(str::parse).collect()
    }

    /// A destination of a function's event invoke configuration (`DestinationConfig`): an ARN of a queue,
    /// topic, function, event bus or bucket.
    pub fn from_arn(arn: &str) -> Result<Self, DestinationError> {
        let refused = || DestinationError { found: arn.to_owned(), hint: "" };
        let (service, resource) = service(arn).ok_or_else(refused)?;
        let owned = arn.to_owned();
        Ok(match service {
            "sqs" => Self::SqsArn { arn: owned },
            "sns" => Self::Sns { arn: owned },
            "lambda" => Self::Lambda { arn: owned },
            "events" => Self::EventBridge { bus: owned },
            "s3" => Self::S3 { bucket: resource.to_owned(), prefix: String::new() },
            _ => return Err(refused()),
        })
    }
}

/// Service and resource of an ARN whose partition and region can be a part of a host's name: they become one.
fn service(arn: &str) -> Option<(&str, &str)> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let &["arn", partition, service, region, _, resource] = parts.as_slice() else { return None };
    (is_plain(partition) && is_plain(region)).then_some((service, resource))
}

/// Of letters, digits and hyphens, as partitions and regions are; or nothing, as buckets have it.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

impl FromStr for Destination {
    type Err = DestinationError;

    fn from_str(text: &str) -> Result<Self, DestinationError> {
        let refused = |hint| DestinationError { found: text.to_owned(), hint };
        match text {
            "stdout" => return Ok(Self::Stdout),
            "stepfunctions" => return Ok(Self::StepFunctions),
            _ if text.starts_with("arn:") => return Self::from_arn(text),
            _ if text.starts_with("https://sqs.") => {
                return Err(refused(": write `sqs:` before a queue's URL"));
            }
            _ => {}
        }
        if let Some(rest) = text.strip_prefix("s3://") {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            if bucket.is_empty() {
                return Err(refused(": the bucket is missing"));
            }
            let prefix = prefix.trim_end_matches('/').to_owned();
            return Ok(Self::S3 { bucket: bucket.to_owned(), prefix });
        }
        let (scheme, rest) = text.split_once(':').ok_or_else(|| refused(""))?;
        let arn = |wanted: &str| service(rest).is_some_and(|(service, _)| service == wanted);
        let owned = rest.to_owned();
        match scheme {
            "sqs" if rest.starts_with("https://") || rest.starts_with("http://") => {
                Ok(Self::Sqs { url: owned })
            }
            "sqs" if arn("sqs") => Ok(Self::SqsArn { arn: owned }),
            "sqs" => Err(refused(": after `sqs:` comes the queue's URL")),
            "sns" if arn("sns") => Ok(Self::Sns { arn: owned }),
            "sns" => Err(refused(": after `sns:` comes the topic's ARN")),
            "eventbridge" if arn("events") || !rest.is_empty() && !rest.contains(':') => {
                Ok(Self::EventBridge { bus: owned })
            }
            "lambda" if arn("lambda") => Ok(Self::Lambda { arn: owned }),
            "lambda" => Err(refused(": after `lambda:` comes the function's ARN")),
            _ => Err(refused("")),
        }
    }
}

impl TryFrom<String> for Destination {
    type Error = DestinationError;

    fn try_from(text: String) -> Result<Self, DestinationError> {
        text.parse()
    }
}

impl From<Destination> for String {
    fn from(destination: Destination) -> Self {
        destination.to_string()
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqs { url } => write!(formatter, "sqs:{url}"),
            Self::SqsArn { arn } => write!(formatter, "sqs:{arn}"),
            Self::S3 { bucket, prefix } if prefix.is_empty() => write!(formatter, "s3://{bucket}"),
            Self::S3 { bucket, prefix } => write!(formatter, "s3://{bucket}/{prefix}"),
            Self::Sns { arn } => write!(formatter, "sns:{arn}"),
            Self::EventBridge { bus } => write!(formatter, "eventbridge:{bus}"),
            Self::Lambda { arn } => write!(formatter, "lambda:{arn}"),
            Self::StepFunctions => formatter.write_str("stepfunctions"),
            Self::Stdout => formatter.write_str("stdout"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_read_and_written() {
        for text in [
            "sqs:https://sqs.eu-west-1.amazonaws.com/123456789012/done",
            "sqs:http://localhost:5000/123456789012/done",
            "sqs:arn:aws:sqs:eu-west-1:123456789012:done",
            "s3://bucket",
            "s3://bucket/deep/prefix",
            "sns:arn:aws:sns:eu-west-1:123456789012:done",
            "eventbridge:default",
            "eventbridge:arn:aws:events:eu-west-1:123456789012:event-bus/own",
            "lambda:arn:aws:lambda:eu-west-1:123456789012:function:after:live",
            "stepfunctions",
            "stdout",
        ] {
            assert_eq!(text.parse::<Destination>().unwrap().to_string(), text);
        }
        let list = Destination::list(" stdout, ,s3://b/p/ ,").unwrap();
        assert_eq!(list.len(), 2);
        assert_eq!(list[1].to_string(), "s3://b/p");
        assert_eq!(Destination::list(""), Ok(Vec::new()));
    }

    #[test]
    fn what_a_function_names_by_arn_is_understood() {
        let table = [
            ("arn:aws:sqs:eu-west-1:1:q", "sqs:arn:aws:sqs:eu-west-1:1:q"),
            ("arn:aws:sns:eu-west-1:1:t", "sns:arn:aws:sns:eu-west-1:1:t"),
            ("arn:aws-cn:s3:::bucket", "s3://bucket"),
            (
                "arn:aws:lambda:eu-west-1:1:function:f",
                "lambda:arn:aws:lambda:eu-west-1:1:function:f",
            ),
            (
                "arn:aws:events:eu-west-1:1:event-bus/b",
                "eventbridge:arn:aws:events:eu-west-1:1:event-bus/b",
            ),
        ];
        for (arn, expected) in table {
            assert_eq!(Destination::from_arn(arn).unwrap().to_string(), expected);
            assert_eq!(arn.parse::<Destination>().unwrap().to_string(), expected);
        }
    }

    #[test]
    fn each_bad_entry_says_what_is_wrong() {
        let table = [
            ("https://sqs.eu-west-1.amazonaws.com/1/q", "write `sqs:` before"),
            ("sqs:done", "comes the queue's URL"),
            ("sns:done", "comes the topic's ARN"),
            ("lambda:done", "comes the function's ARN"),
            ("s3://", "the bucket is missing"),
            ("kafka:topic", "found `kafka:topic`"),
            ("arn:aws:kinesis:eu-west-1:1:stream/s", "expected a destination"),
            ("somewhere", "expected a destination"),
            ("arn:aws:sns:evil.example#:1:t", "expected a destination"),
            ("arn:aws:sqs:x@169.254.170.2/:1:q", "expected a destination"),
            ("sns:arn:aws:sns:evil.example#:1:t", "comes the topic's ARN"),
            ("eventbridge:arn:aws:events:evil.example/:1:event-bus/b", "expected a destination"),
            ("arn:aws.evil:sqs:eu-west-1:1:q", "expected a destination"),
        ];
        for (text, expected) in table {
            let found = text.parse::<Destination>().unwrap_err().to_string();
            assert!(found.contains(expected), "{text}: {found}");
        }
    }
}
