//! One call of AWS that changes something: what is asked for, and the command of AWS's CLI that asks for the same. Pure;
//! `aws` does it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::found::Asynchronous;

/// A call.
#[derive(Debug, Clone, PartialEq)]
pub enum Call {
    /// Lambda `TagResource`
    Tag {
        /// The function's ARN.
        arn: String,
        /// The tags.
        tags: BTreeMap<String, String>,
    },
    /// Lambda `UntagResource`
    Untag {
        /// The function's ARN.
        arn: String,
        /// Keys of tags.
        keys: Vec<String>,
    },
    /// IAM `PutRolePolicy`
    PutPolicy {
        /// Name of the role.
        role: String,
        /// Name of the policy.
        name: String,
        /// The policy.
        document: Value,
    },
    /// IAM `DeleteRolePolicy`
    DeletePolicy {
        /// Name of the role.
        role: String,
        /// Name of the policy.
        name: String,
    },
    /// IAM `UpdateAssumeRolePolicy`
    Trust {
        /// Name of the role.
        role: String,
        /// The whole trust policy.
        document: Value,
    },
    /// Lambda `UpdateFunctionConfiguration`
    DeadLetter {
        /// The function.
        function: String,
        /// ARN of queue or topic; empty: none.
        target: String,
    },
    /// Lambda `PutFunctionEventInvokeConfig`
    Configure {
        /// The function.
        function: String,
        /// Its version or alias.
        qualifier: Option<String>,
        /// All of the configuration.
        config: Asynchronous,
    },
    /// Lambda `DeleteFunctionEventInvokeConfig`
    Unconfigure {
        /// The function.
        function: String,
        /// Its version or alias.
        qualifier: Option<String>,
    },
}

impl Call {
    /// Service, operation and parameters, as AWS's API references name them.
    pub fn request(&self) -> (&'static str, &'static str, Value) {
        match self {
            Self::Tag { arn, tags } => {
                ("lambda", "TagResource", json!({ "Resource": arn, "Tags": tags }))
            }
            Self::Untag { arn, keys } => {
                ("lambda", "UntagResource", json!({ "Resource": arn, "TagKeys": keys }))
            }
            Self::PutPolicy { role, name, document } => (
                "iam",
                "PutRolePolicy",
                json!({ "RoleName": role, "PolicyName": name, "PolicyDocument": document.to_string() }),
            ),
            Self::DeletePolicy { role, name } => {
                ("iam", "DeleteRolePolicy", json!({ "RoleName": role, "PolicyName": name }))
            }
            Self::Trust { role, document } => (
                "iam",
                "UpdateAssumeRolePolicy",
                json!({ "RoleName": role, "PolicyDocument": document.to_string() }),
            ),
            Self::DeadLetter { function, target } => (
                "lambda",
                "UpdateFunctionConfiguration",
                json!({ "FunctionName": function, "DeadLetterConfig": { "TargetArn": target } }),
            ),
            Self::Configure { function, qualifier, config } => (
                "lambda",
                "PutFunctionEventInvokeConfig",
                of(function, qualifier.as_deref(), config.parameters()),
            ),
            Self::Unconfigure { function, qualifier } => (
                "lambda",
                "DeleteFunctionEventInvokeConfig",
                of(function, qualifier.as_deref(), Map::new()),
            ),
        }
    }

    /// The same as a command of AWS's CLI, in this region.
    pub fn command(&self, region: &str) -> String {
        let (service, operation, parameters) = self.request();
        // IAM is in no region.
        let region = (service != "iam").then(|| format!("--region {region}"));
        let parameters = parameters.as_object().into_iter().flatten();
        let options =
            parameters.map(|(name, value)| format!("--{} {}", kebab(name), argument(value)));
        let words = [format!("aws {service} {}", kebab(operation))]
            .into_iter()
            .chain(region)
            .chain(options);
        words.collect::<Vec<_>>().join(" ")
    }
}

fn of(function: &str, qualifier: Option<&str>, mut parameters: Map<String, Value>) -> Value {
    parameters.insert("FunctionName".to_owned(), function.into());
    parameters.extend(qualifier.map(|qualifier| ("Qualifier".to_owned(), qualifier.into())));
    parameters.into()
}

impl Asynchronous {
    /// Whether nothing is configured.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn parameters(&self) -> Map<String, Value> {
        let mut parameters = Map::new();
        let mut destinations = Map::new();
        for (key, target) in [("OnFailure", &self.failure), ("OnSuccess", &self.success)] {
            let target = target.as_ref().map(|arn| json!({ "Destination": arn }));
            destinations.extend(target.map(|target| (key.to_owned(), target)));
        }
        if !destinations.is_empty() {
            parameters.insert("DestinationConfig".to_owned(), destinations.into());
        }
        let numbers =
            [("MaximumEventAgeInSeconds", self.age), ("MaximumRetryAttempts", self.retries)];
        for (key, number) in numbers {
            parameters.extend(number.map(|number| (key.to_owned(), number.into())));
        }
        parameters
    }
}

/// `PutRolePolicy` → `put-role-policy`
fn kebab(name: &str) -> String {
    let mut kebab = String::new();
    for (at, letter) in name.char_indices() {
        if letter.is_ascii_uppercase() && at > 0 {
            kebab.push('-');
        }
        kebab.push(letter.to_ascii_lowercase());
    }
    kebab
}

/// As a shell takes it: strings and numbers as they are, lists of strings one by one, all else as JSON.
fn argument(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(items) => items.iter().map(argument).collect::<Vec<_>>().join(" "),
        other => quoted(&other.to_string()),
    }
}

/// A word of a shell.
pub fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_is_a_command() {
        let config = Asynchronous {
            retries: Some(0),
            age: Some(3600),
            success: Some("arn:s".to_owned()),
            failure: Some("arn:f".to_owned()),
        };
        let (function, qualifier) = ("resize".to_owned(), Some("live".to_owned()));
        for (call, expected) in [
            (
                Call::Configure {
                    function: function.clone(),
                    qualifier: qualifier.clone(),
                    config,
                },
                r#"aws lambda put-function-event-invoke-config --region eu-west-1 --destination-config '{"OnFailure":{"Destination":"arn:f"},"OnSuccess":{"Destination":"arn:s"}}' --function-name resize --maximum-event-age-in-seconds 3600 --maximum-retry-attempts 0 --qualifier live"#,
            ),
            (
                Call::Unconfigure { function: function.clone(), qualifier },
                "aws lambda delete-function-event-invoke-config --region eu-west-1 --function-name resize --qualifier live",
            ),
            (
                Call::DeadLetter { function, target: String::new() },
                r#"aws lambda update-function-configuration --region eu-west-1 --dead-letter-config '{"TargetArn":""}' --function-name resize"#,
            ),
            (
                Call::Untag {
                    arn: "arn:x".to_owned(),
                    keys: vec!["a".to_owned(), "b c".to_owned()],
                },
                "aws lambda untag-resource --region eu-west-1 --resource arn:x --tag-keys a 'b c'",
            ),
            (
                Call::Trust { role: "r".to_owned(), document: json!({ "a": "it's" }) },
                r#"aws iam update-assume-role-policy --policy-document '{"a":"it'\''s"}' --role-name r"#,
            ),
        ] {
            assert_eq!(call.command("eu-west-1"), expected);
        }
    }
}
