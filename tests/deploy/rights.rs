//! The roles of the stack allow what the two programs call, and as little else as can be said.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::{Value, json};

use crate::calls::{
    BOTH, DENIED, NEEDED, OTHERS, PEOPLES, ROLES, SAID_ELSEWHERE, WITHOUT_RESOURCE,
};
use crate::stack::Stack;

/// The statements of each role as the account has them.
fn policies(stack: &Stack) -> BTreeMap<&'static str, Vec<Value>> {
    let of = |role: &'static str| {
        let name = stack.output(role).rsplit('/').next().unwrap();
        let statements = stack.moto.script(&format!(
            "import ast\niam, found = client('iam'), []\n\
             for policy in iam.list_role_policies(RoleName={name:?})['PolicyNames']:\n\
             \x20   found.append(iam.get_role_policy(RoleName={name:?}, PolicyName=policy)['PolicyDocument'])\n\
             assert not iam.list_attached_role_policies(RoleName={name:?})['AttachedPolicies']\n\
             found = [ast.literal_eval(one) if isinstance(one, str) else one for one in found]\n\
             result = [statement for document in found for statement in document['Statement']]"
        ));
        (role, statements.as_array().unwrap().clone())
    };
    ROLES.into_iter().map(of).collect()
}

fn list(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(all) => all.iter().map(|one| one.as_str().unwrap()).collect(),
        one => vec![one.as_str().unwrap()],
    }
}

/// As IAM compares: `*` is any number of characters.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else { return pattern == text };
    let Some(rest) = text.strip_prefix(before) else { return false };
    (0..=rest.len()).any(|at| rest.is_char_boundary(at) && fits(after, &rest[at..]))
}

/// Whether a statement allows a call. Each operator that the template uses compares with patterns, or with none.
fn allows(statement: &Value, action: &str, resource: &str, known: &[(&str, String)]) -> bool {
    assert_eq!(statement["Effect"], "Allow", "{statement}");
    let any = |patterns: &Value, text: &str| list(patterns).iter().any(|one| fits(one, text));
    let conditions = statement["Condition"].as_object().into_iter().flatten();
    let met = conditions
        .flat_map(|(_, keys)| keys.as_object().unwrap())
        .all(|(key, wanted)| known.iter().any(|(name, value)| name == key && any(wanted, value)));
    met && any(&statement["Action"], action) && any(&statement["Resource"], resource)
}

/// The stack's own names in the tables.
fn own(stack: &Stack, text: &str) -> String {
    let cluster = format!("arn:aws:ecs:eu-west-1:123456789012:cluster/{}", stack.output("Cluster"));
    let states = stack
        .output("Configuration")
        .lines()
        .filter(|line| line.starts_with("url"))
        .nth(1)
        .unwrap();
    let states = states.trim_matches('"').rsplit('/').next().unwrap();
    let tasks = cluster.replace(":cluster/", ":task/");
    let replaced = text
        .replace("FAILURES", stack.output("FailureQueueArn"))
        .replace("STATES", &format!("arn:aws:sqs:eu-west-1:123456789012:{states}"))
        .replace("JOBS", &format!("arn:aws:s3:::{}", stack.output("JobsBucket")))
        .replace("TASKS", &tasks)
        .replace("CLUSTER", &cluster);
    match replaced.as_str() {
        "TASK" => stack.output("TaskRole").to_owned(),
        "EXECUTION" => stack.output("ExecutionRole").to_owned(),
        _ => replaced,
    }
}

fn is_allowed(
    stack: &Stack,
    statements: &[Value],
    (action, resource, known): (&str, &str, &[(&str, &str)]),
) -> bool {
    let known: Vec<_> = known.iter().map(|(key, value)| (*key, own(stack, value))).collect();
    statements.iter().any(|one| allows(one, action, &own(stack, resource), &known))
}

/// What was called so far, each with the rights of a role of the stack, was allowed to that role.
pub(crate) fn all_were_rights(stack: &Stack) {
    let policies = policies(stack);
    let calls = stack.calls();
    for role in ["DispatcherRole", "TaskRole"] {
        let of = calls.iter().filter(|call| call["role"] == stack.output(role));
        let mut count = 0;
        for call in of {
            count += 1;
            let action = right(call["action"].as_str().unwrap());
            if SAID_ELSEWHERE.contains(&action.as_str()) {
                assert_eq!(call["resource"], "arn:aws:iam::123456789012:role/resize");
                continue;
            }
            let queue = call["queue"]
                .as_str()
                .map(|name| format!("arn:aws:sqs:eu-west-1:123456789012:{name}"));
            let resource = queue.as_deref().or(call["resource"].as_str()).unwrap();
            let known = [
                ("s3:ResourceAccount", "123456789012"),
                ("s3:prefix", call["prefix"].as_str().unwrap_or_default()),
            ];
            assert!(
                is_allowed(stack, &policies[role], (&action, resource, &known)),
                "{role} may not {call}"
            );
        }
        assert!(count > 3, "{role}: {calls:?}");
    }
}

#[test]
fn roles_allow_what_is_called_and_nothing_near_it() {
    let stack = Stack::with(&[]);
    let policies = policies(&stack);
    for (role, action, resource, known) in NEEDED {
        let allowed = is_allowed(&stack, &policies[role], (action, resource, known));
        assert!(allowed, "{role} may not {action} on {resource}: {:#?}", policies[role]);
    }
    for role in ["DispatcherRole", "TaskRole"] {
        for call in BOTH {
            assert!(is_allowed(&stack, &policies[role], *call), "{role} may not {call:?}");
        }
    }
    for (role, action, resource, known) in DENIED {
        let allowed = is_allowed(&stack, &policies[role], (action, resource, known));
        assert!(!allowed, "{role} may {action} on {resource}: {:#?}", policies[role]);
    }
}

/// Tasks mount what is named, by access points, and not as root; nothing where nothing is named.
#[test]
fn file_systems_are_mounted_where_they_are_named() {
    const NAMED: &str = "arn:aws:elasticfilesystem:eu-west-1:123456789012:file-system/fs-1";
    const OTHER: &str = "arn:aws:elasticfilesystem:eu-west-1:123456789012:file-system/fs-2";
    let point = "arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-1";
    let by_point = [("elasticfilesystem:AccessPointArn", point)];
    let (none, named) = (Stack::with(&[]), Stack::with(&[("FileSystems", NAMED)]));
    for (stack, role, right, resource, known, expected) in [
        (&named, "TaskRole", "ClientMount", NAMED, &by_point[..], true),
        (&named, "TaskRole", "ClientWrite", NAMED, &by_point[..], true),
        (&named, "TaskRole", "ClientMount", NAMED, &[][..], false),
        (&named, "TaskRole", "ClientRootAccess", NAMED, &by_point[..], false),
        (&named, "TaskRole", "ClientMount", OTHER, &by_point[..], false),
        (&named, "DispatcherRole", "ClientMount", NAMED, &by_point[..], false),
        (&none, "TaskRole", "ClientMount", NAMED, &by_point[..], false),
    ] {
        let action = format!("elasticfilesystem:{right}");
        let allowed = is_allowed(stack, &policies(stack)[role], (&action, resource, known));
        assert_eq!(allowed, expected, "{role} {right} {resource} {known:?}");
    }
}

/// Nothing is allowed that no call needs: a statement, an action of it, stands for something in the tables.
#[test]
fn no_statement_says_more_than_it_needs() {
    let stack = Stack::with(&[]);
    for (role, statements) in policies(&stack) {
        let needed: BTreeSet<&str> = NEEDED
            .iter()
            .filter(|one| one.0 == role)
            .map(|one| one.1)
            .chain(BOTH.iter().filter(|_| role != "ExecutionRole").map(|one| one.0))
            // ECS and Lambda make calls of their own with these roles.
            .chain([
                "logs:CreateLogStream",
                "logs:PutLogEvents",
                "ecr:BatchCheckLayerAvailability",
                "ecr:GetDownloadUrlForLayer",
            ])
            .chain(["lambda:ListTags"])
            .collect();
        for statement in &statements {
            for action in list(&statement["Action"]) {
                assert!(!action.contains('*'), "{role}: {statement}");
                assert!(needed.contains(action), "{role} needs no {action}: {statement}");
                let anything = list(&statement["Resource"]).contains(&"*");
                assert!(!anything || WITHOUT_RESOURCE.contains(&action), "{role}: {statement}");
            }
        }
    }
}

/// The tables name each call of AWS's SDK that is in the programs; the guide those that only people's commands make.
#[test]
fn each_call_in_the_code_has_its_right() {
    let script = e2e::root().join("tests/deploy/calls.py");
    let python = e2e::root().join(".venv/bin/python");
    let mut command = std::process::Command::new(python);
    let output = command.arg(script).arg(e2e::root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let calls: BTreeMap<String, Vec<String>> = serde_json::from_slice(&output.stdout).unwrap();
    assert!(calls.contains_key("ecs:RunTask"), "{calls:?}");
    let named: BTreeSet<&str> = NEEDED
        .iter()
        .map(|one| one.1)
        .chain(BOTH.iter().map(|one| one.0))
        .chain(SAID_ELSEWHERE)
        .collect();
    let guide = fs::read_to_string(e2e::root().join("docs/attach.md")).unwrap();
    let of = |file: &str, whose: &[&str]| whose.iter().any(|other| file.starts_with(other));
    for (call, mut files) in calls {
        files.retain(|file| !of(file, &OTHERS));
        let right = right(&call);
        let (_, operation) = right.split_once(':').unwrap();
        if files.iter().all(|file| of(file, &PEOPLES)) {
            let said = files.is_empty() || guide.contains(operation);
            assert!(said, "{right} of {files:?} is not in docs/attach.md");
        } else {
            let said = named.contains(right.as_str());
            assert!(said, "{right} of {files:?} is in no table of this file");
        }
    }
}

/// The action of IAM that an operation of the SDK needs, where it is not called the same.
fn right(call: &str) -> String {
    match call {
        "lambda:Invoke" => "lambda:InvokeFunction".to_owned(),
        "lambda:GetLayerVersionByArn" => "lambda:GetLayerVersion".to_owned(),
        "sqs:ChangeMessageVisibilityBatch" => "sqs:ChangeMessageVisibility".to_owned(),
        "sqs:DeleteMessageBatch" => "sqs:DeleteMessage".to_owned(),
        "sqs:SendMessageBatch" => "sqs:SendMessage".to_owned(),
        "s3:HeadObject" => "s3:GetObject".to_owned(),
        "s3:ListObjects" | "s3:ListObjectsV2" => "s3:ListBucket".to_owned(),
        other => [
            ("eventbridge:", "events:"),
            ("sfn:", "states:"),
            ("cloudwatchlogs:", "logs:"),
            ("efs:", "elasticfilesystem:"),
        ]
        .iter()
        .fold(other.to_owned(), |text, (crates, iams)| text.replace(crates, iams)),
    }
}

#[test]
fn roles_are_assumed_by_whom_they_are_for() {
    for (dispatcher, service) in
        [("function", "lambda.amazonaws.com"), ("service", "ecs-tasks.amazonaws.com")]
    {
        let stack = Stack::with(&[("Dispatcher", dispatcher)]);
        for (role, service) in [
            ("TaskRole", "ecs-tasks.amazonaws.com"),
            ("ExecutionRole", "ecs-tasks.amazonaws.com"),
            ("DispatcherRole", service),
        ] {
            let name = stack.output(role).rsplit('/').next().unwrap();
            let trust = stack.ask(&format!(
                "client('iam').get_role(RoleName={name:?})['Role']['AssumeRolePolicyDocument']"
            ));
            let [statement] = &trust["Statement"].as_array().unwrap()[..] else {
                panic!("{trust}")
            };
            assert_eq!(statement["Principal"], json!({ "Service": service }));
            assert_eq!(statement["Condition"]["StringEquals"]["aws:SourceAccount"], "123456789012");
        }
    }
}
