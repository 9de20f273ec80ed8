//! Trust policies of roles: whether they let somebody assume the role; `change` puts the one statement in that does, and
//! takes it out. Pure. Source: the IAM user guide, "Policy evaluation logic"; the ECS developer guide, "Task IAM role".

mod change;

use serde_json::{Value, json};

use crate::resolve::allow::matches;

pub use change::without;

/// Who may assume a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// Tasks of ECS in this account and region.
    Tasks {
        /// `arn:aws:ecs:REGION:ACCOUNT:*`: a cluster or task cannot be named here.
        source: String,
        /// The account.
        account: String,
    },
    /// Another role, by ARN: that of the tasks in which the runner works.
    Role(String),
}

/// Whether somebody may assume a role, as far as its trust policy tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trusted {
    /// Yes.
    Yes,
    /// No statement is for it.
    No,
    /// A statement is, under conditions that are not understood here.
    Perhaps,
}

impl Who {
    /// Tasks of ECS in the place of this function.
    pub fn tasks(function_arn: &str) -> Self {
        let part = |at: usize| function_arn.split(':').nth(at).unwrap_or_default();
        let (partition, region, account) = (part(1), part(3), part(4));
        Self::Tasks {
            source: format!("arn:{partition}:ecs:{region}:{account}:*"),
            account: account.to_owned(),
        }
    }

    fn sid(&self) -> &'static str {
        match self {
            Self::Tasks { .. } => "ImmortalLambdaTasks",
            Self::Role(_) => "ImmortalLambdaRunner",
        }
    }

    fn principal(&self) -> (&'static str, &str) {
        match self {
            Self::Tasks { .. } => ("Service", "ecs-tasks.amazonaws.com"),
            Self::Role(arn) => ("AWS", arn),
        }
    }

    /// The statement that lets it assume the role.
    pub fn statement(&self) -> Value {
        let (kind, name) = self.principal();
        let mut statement = json!({
            "Sid": self.sid(), "Effect": "Allow", "Principal": { kind: name }, "Action": "sts:AssumeRole",
        });
        if let Self::Tasks { source, account } = self {
            statement["Condition"] = json!({
                "StringEquals": { "aws:SourceAccount": account }, "ArnLike": { "aws:SourceArn": source },
            });
        }
        statement
    }

    /// Whether a trust policy lets it.
    pub fn is_trusted(&self, document: &Value) -> Trusted {
        let mut found = Trusted::No;
        for statement in statements(document).filter(|one| self.is_meant(one)) {
            match self.conditions(&statement["Condition"]) {
                Trusted::Yes => return Trusted::Yes,
                Trusted::Perhaps => found = Trusted::Perhaps,
                Trusted::No => {}
            }
        }
        found
    }

    fn is_meant(&self, statement: &Value) -> bool {
        let (kind, name) = self.principal();
        let principal = &statement["Principal"];
        let named = words(&principal[kind]).any(|one| one == name)
            || (kind == "AWS"
                && (principal == "*" || words(&principal[kind]).any(|one| one == "*")));
        let action = words(&statement["Action"])
            .any(|action| matches(&action.to_ascii_lowercase(), "sts:assumerole"));
        statement["Effect"] == "Allow" && named && action
    }

    /// Conditions on account and source are understood; others may hold or not.
    fn conditions(&self, conditions: &Value) -> Trusted {
        let Self::Tasks { source, account } = self else {
            return if conditions.is_null() { Trusted::Yes } else { Trusted::Perhaps };
        };
        let task = source.trim_end_matches('*').to_owned() + "task/cluster/id";
        let mut found = Trusted::Yes;
        for (operator, keys) in conditions.as_object().into_iter().flatten() {
            for (key, values) in keys.as_object().into_iter().flatten() {
                let holds = match (operator.as_str(), key.to_ascii_lowercase().as_str()) {
                    ("StringEquals", "aws:sourceaccount") => {
                        words(values).any(|one| one == account)
                    }
                    ("ArnLike" | "ArnEquals" | "StringLike", "aws:sourcearn") => {
                        words(values).any(|pattern| matches(pattern, &task))
                    }
                    _ => {
                        found = Trusted::Perhaps;
                        true
                    }
                };
                if !holds {
                    return Trusted::No;
                }
            }
        }
        found
    }
}

/// One statement may stand without a list.
fn statements(document: &Value) -> impl Iterator<Item = &Value> {
    listed(&document["Statement"])
}

fn listed(value: &Value) -> impl Iterator<Item = &Value> {
    let single = std::slice::from_ref(value);
    value.as_array().map_or(single, Vec::as_slice).iter()
}

fn words(value: &Value) -> impl Iterator<Item = &str> {
    listed(value).filter_map(Value::as_str)
}

#[cfg(test)]
mod tests;
