//! Trust policies of roles: whether they let somebody assume the role, with the one statement that does, and without
//! it. Pure. Source: the IAM user guide, "Policy evaluation logic"; the ECS developer guide, "Task IAM role".

use serde_json::{Value, json};

use crate::resolve::allow::matches;

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

    /// The policy with the statement; nothing where it trusts already. Everything else stays as it is.
    pub fn with(&self, document: &Value) -> Option<Value> {
        if self.is_trusted(document) == Trusted::Yes {
            return None;
        }
        let kept = statements(document).filter(|one| one["Sid"] != self.sid()).cloned();
        Some(with(document, kept.chain([self.widened(document)])))
    }

    /// The statement, for the places too that an earlier one of ours is for: a role has no region.
    fn widened(&self, document: &Value) -> Value {
        let mut statement = self.statement();
        let old = statements(document).find(|one| one["Sid"] == self.sid());
        let (here, there) = match self {
            Self::Tasks { .. } => (&mut statement["Condition"]["ArnLike"]["aws:SourceArn"], SOURCE),
            Self::Role(_) => (&mut statement["Principal"]["AWS"], PRINCIPAL),
        };
        let mut all: Vec<String> = old
            .and_then(|old| old.pointer(there))
            .into_iter()
            .flat_map(words)
            .map(str::to_owned)
            .collect();
        if !all.is_empty() {
            all.extend(words(here).map(str::to_owned));
            *here = all.into();
        }
        statement
    }
}

/// The policy without the statements that `attach` may have added; nothing where it has none. One that serves several
/// regions or runners stays: others rely on it.
pub fn without(document: &Value) -> Option<Value> {
    let sids = ["ImmortalLambdaTasks", "ImmortalLambdaRunner"];
    let shared = |one: &Value| {
        [SOURCE, PRINCIPAL].iter().any(|at| one.pointer(at).is_some_and(Value::is_array))
    };
    let ours = |one: &&Value| sids.iter().any(|sid| one["Sid"] == *sid) && !shared(one);
    let kept = statements(document).filter(|one| !ours(one)).cloned();
    statements(document).any(|one| ours(&one)).then(|| with(document, kept))
}

/// Where the statement for tasks names their places.
const SOURCE: &str = "/Condition/ArnLike/aws:SourceArn";
/// Where the statement for a role names it.
const PRINCIPAL: &str = "/Principal/AWS";

fn with(document: &Value, statements: impl Iterator<Item = Value>) -> Value {
    let mut document = document.clone();
    document["Statement"] = statements.collect();
    document
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
mod tests {
    use super::*;

    const FUNCTION: &str = "arn:aws:lambda:eu-west-1:123456789012:function:resize";

    fn lambda() -> Value {
        json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": { "Service": "lambda.amazonaws.com" }, "Action": "sts:AssumeRole",
        }]})
    }

    #[test]
    fn the_statement_is_added_once_and_taken_away_again() {
        for who in
            [Who::tasks(FUNCTION), Who::Role("arn:aws:iam::123456789012:role/runner".to_owned())]
        {
            assert_eq!(who.is_trusted(&lambda()), Trusted::No);
            let trusting = who.with(&lambda()).unwrap();
            assert_eq!(trusting["Statement"][0], lambda()["Statement"][0]);
            assert_eq!(who.is_trusted(&trusting), Trusted::Yes);
            assert_eq!(who.with(&trusting), None);
            assert_eq!(without(&trusting), Some(lambda()));
        }
        assert_eq!(without(&lambda()), None);
        let statement = Who::tasks(FUNCTION).statement();
        assert_eq!(
            statement["Condition"]["ArnLike"]["aws:SourceArn"],
            "arn:aws:ecs:eu-west-1:123456789012:*"
        );
    }

    #[test]
    fn a_role_serves_in_several_regions() {
        let far = Who::tasks("arn:aws:lambda:us-east-1:123456789012:function:resize");
        let both = far.with(&Who::tasks(FUNCTION).with(&lambda()).unwrap()).unwrap();
        assert_eq!(both["Statement"].as_array().unwrap().len(), 2);
        assert_eq!(far.is_trusted(&both), Trusted::Yes);
        assert_eq!(Who::tasks(FUNCTION).is_trusted(&both), Trusted::Yes);
        assert_eq!(without(&both), None, "one of them still relies on it");
    }

    #[test]
    fn conditions_are_understood_or_said_not_to_be() {
        let tasks = Who::tasks(FUNCTION);
        for (principal, action, condition, expected) in [
            (
                json!({ "Service": ["lambda.amazonaws.com", "ecs-tasks.amazonaws.com"] }),
                "sts:AssumeRole",
                Value::Null,
                Trusted::Yes,
            ),
            (json!({ "Service": "ecs-tasks.amazonaws.com" }), "sts:*", json!({}), Trusted::Yes),
            (
                json!({ "Service": "ecs-tasks.amazonaws.com" }),
                "sts:TagSession",
                json!({}),
                Trusted::No,
            ),
            (json!({ "Service": "ecs.amazonaws.com" }), "sts:AssumeRole", Value::Null, Trusted::No),
            (
                json!({ "Service": "ecs-tasks.amazonaws.com" }),
                "sts:AssumeRole",
                json!({ "StringEquals": { "aws:SourceAccount": "999999999999" } }),
                Trusted::No,
            ),
            (
                json!({ "Service": "ecs-tasks.amazonaws.com" }),
                "sts:AssumeRole",
                json!({ "ArnLike": { "aws:SourceArn": ["x", "arn:aws:ecs:*:123456789012:*"] } }),
                Trusted::Yes,
            ),
            (
                json!({ "Service": "ecs-tasks.amazonaws.com" }),
                "sts:AssumeRole",
                json!({ "ArnLike": { "aws:SourceArn": "arn:aws:ecs:us-east-1:123456789012:*" } }),
                Trusted::No,
            ),
            (
                json!({ "Service": "ecs-tasks.amazonaws.com" }),
                "sts:AssumeRole",
                json!({ "IpAddress": { "aws:SourceIp": "10.0.0.0/8" } }),
                Trusted::Perhaps,
            ),
        ] {
            // One statement may stand without a list.
            let document = json!({ "Statement": { "Effect": "Allow", "Principal": principal, "Action": action, "Condition": condition } });
            assert_eq!(tasks.is_trusted(&document), expected, "{document}");
        }
        let deny = json!({ "Statement": [{ "Effect": "Deny", "Principal": { "Service": "ecs-tasks.amazonaws.com" }, "Action": "sts:AssumeRole" }] });
        assert_eq!(tasks.is_trusted(&deny), Trusted::No);
    }
}
