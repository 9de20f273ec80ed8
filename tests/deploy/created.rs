//! All of the template is made, whatever parameters say, and it is what it says it is.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use crate::stack::{Stack, read, template};

/// What `CloudFormation` takes from a command line; more has to be put into a bucket first.
const LARGEST: usize = 51_200;

#[test]
fn it_is_small_enough_to_be_deployed_without_a_bucket() {
    let length = fs::read(template()).unwrap().len();
    assert!(length <= LARGEST, "{length}");
}

#[test]
fn the_queue_is_exported_as_the_ancestor_exported_it() {
    let stack = Stack::with(&[]);
    let exports = stack.ask(
        "{one['Name']: one['Value'] for one in client('cloudformation').list_exports()['Exports']}",
    );
    assert_eq!(
        exports["immortal-aws-lambda:LambdaFailureQueue"],
        stack.output("FailureQueueArn"),
        "{exports}"
    );
}

/// The names of task definitions follow the rule of the stack's configuration: each family that a runtime of Lambda
/// belongs to is there, for both architectures.
#[test]
fn each_runtime_finds_its_task_definition() {
    let stack = Stack::with(&[]);
    let made = stack.ask("client('ecs').list_task_definition_families()['families']");
    let made: BTreeSet<&str> =
        made.as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    let listed = e2e::Sandbox::new(&["runtimes"]).run();
    let families: BTreeSet<&str> =
        listed.stdout.lines().filter_map(|line| line.split('\t').nth(1)).collect();
    assert!(families.len() > 5, "{}", listed.stdout);
    for family in families {
        for architecture in ["x86-64", "arm64"] {
            // Lambda has had no Go on ARM but as a custom runtime.
            let expected = (family, architecture) != ("go", "arm64");
            let name = format!("immortal-{family}-{architecture}");
            assert_eq!(made.contains(name.as_str()), expected, "{name} of {made:?}");
        }
    }
    let configuration = stack.output("Configuration");
    assert!(configuration.contains("task_definition = \"immortal-{family}-{arch}\""));
}

#[test]
fn a_task_can_be_told_to_stop_and_has_two_minutes() {
    let stack = Stack::with(&[]);
    let container = stack.container("immortal-python-arm64");
    assert_eq!((&container["name"], &container["stopTimeout"]), (&json!("runner"), &json!(120)));
    assert!(container["image"].as_str().unwrap().ends_with("/immortal/python:latest"));
    assert_eq!(variable(&container, "IMMORTAL_STOP_TIMEOUT"), "120s");
    assert_eq!(variable(&container, "IMMORTAL_CREDENTIALS"), "function");
    // moto does not keep the architecture.
    for resource in read("template.yaml")["Resources"].as_object().unwrap().values() {
        let family = resource["Properties"]["Family"]["Fn::Sub"].as_str().unwrap_or_default();
        let Some((_, architecture)) = family.rsplit_once("-x86-").or(family.rsplit_once("-arm"))
        else {
            continue;
        };
        let wanted =
            if architecture == "64" && family.contains("-arm") { "ARM64" } else { "X86_64" };
        assert_eq!(
            resource["Properties"]["RuntimePlatform"]["CpuArchitecture"], wanted,
            "{family}"
        );
    }
}

#[test]
fn the_ledger_is_private_encrypted_and_forgets_only_what_is_over() {
    let stack = Stack::with(&[]);
    let bucket = stack.output("JobsBucket");
    let s3 = |call: &str, key: &str| {
        stack.ask(&format!("client('s3').{call}(Bucket={bucket:?})[{key:?}]"))
    };
    let encryption = s3("get_bucket_encryption", "ServerSideEncryptionConfiguration");
    assert_eq!(
        encryption["Rules"][0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"],
        "AES256"
    );
    // What moto does not keep of a bucket.
    let written = &read("template.yaml")["Resources"]["Jobs"]["Properties"];
    let public = &written["PublicAccessBlockConfiguration"];
    assert_eq!(public.as_object().unwrap().values().filter(|blocked| **blocked == true).count(), 4);
    assert_eq!(written["OwnershipControls"]["Rules"][0]["ObjectOwnership"], "BucketOwnerEnforced");
    let policy = s3("get_bucket_policy", "Policy");
    let policy: Value = serde_json::from_str(policy.as_str().unwrap()).unwrap();
    assert_eq!(policy["Statement"][0]["Effect"], "Deny");
    assert_eq!(
        policy["Statement"][0]["Condition"]["Bool"].to_string().to_lowercase(),
        "{\"aws:securetransport\":false}"
    );
    // active/ is what is still to be done: only jobs/ is forgotten.
    let rules = &written["LifecycleConfiguration"]["Rules"];
    for rule in rules.as_array().unwrap() {
        let (prefix, days) = (&rule["Prefix"], &rule["ExpirationInDays"]);
        assert!(days.is_null() || prefix == "ledger/jobs/", "{rules}");
    }
    assert_eq!(rules[0]["AbortIncompleteMultipartUpload"], json!({ "DaysAfterInitiation": 1 }));
}

#[test]
fn parameters_reach_the_configuration() {
    let stack = Stack::with(&[
        ("SecurityGroups", "sg-1,sg-2"),
        ("PublicIp", "false"),
        ("SpotWeight", "3"),
        ("Destinations", "stdout,s3://records/x"),
        ("Configuration", "[[function]]\nname = \"res*\"\nattempts = 7\n"),
        ("MaxDuration", "2d"),
        ("Keys", "arn:aws:kms:eu-west-1:123456789012:key/k"),
        ("ReadObjects", "arn:aws:s3:::records/*"),
        ("FunctionRoles", "arn:aws:iam::210987654321:role/*"),
        ("DestinationArns", "arn:aws:sqs:eu-west-1:123456789012:done"),
        ("ImagePrefix", "registry.example/immortal"),
        ("AlarmTopic", "arn:aws:sns:eu-west-1:123456789012:alarms"),
        ("Architecture", "arm64"),
    ]);
    let text = stack.output("Configuration");
    for line in [
        "security_groups = [\"sg-1\", \"sg-2\"]",
        "public_ip = false",
        "capacity = { FARGATE = 1, FARGATE_SPOT = 3 }",
        "destinations = [\"stdout\", \"s3://records/x\"]",
        "attempts = 7",
        "max_duration = \"2d\"",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is none of:\n{text}");
    }
    assert_eq!(
        stack.container("immortal-go-x86-64")["image"],
        "registry.example/immortal/go:latest"
    );
    let repositories = stack.ask("client('ecr').describe_repositories()['repositories']");
    assert_eq!(repositories, json!([]), "images are elsewhere");
    let alarms = stack.ask("client('cloudwatch').describe_alarms()['MetricAlarms']");
    assert_eq!(alarms.as_array().unwrap().len(), 5);
    for alarm in alarms.as_array().unwrap() {
        assert_eq!(alarm["AlarmActions"], json!(["arn:aws:sns:eu-west-1:123456789012:alarms"]));
    }
}

/// The tables of deploy/README.md are the parameters of the templates, in the order in which the console shows them.
#[test]
fn the_guide_has_each_parameter() {
    let guide = fs::read_to_string(e2e::root().join("deploy/README.md")).unwrap();
    for template in ["template.yaml", "worker.yaml"] {
        let template = read(template);
        let parameters = template["Parameters"].as_object().unwrap();
        let groups = &template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"];
        let shown = groups.as_array().unwrap().iter();
        let shown: Vec<&str> = shown
            .flat_map(|group| group["Parameters"].as_array().unwrap())
            .map(|name| name.as_str().unwrap())
            .collect();
        let all: BTreeSet<&str> = parameters.keys().map(String::as_str).collect();
        assert_eq!(shown.iter().copied().collect::<BTreeSet<_>>(), all, "groups of the console");
        assert_eq!(shown.len(), all.len(), "{shown:?}");
        let rows: String = shown.iter().map(|name| row(name, &parameters[*name])).collect();
        let table = format!("| parameter | meaning | default |\n|---|---|---|\n{rows}\n");
        assert!(guide.contains(&table), "deploy/README.md has not this table:\n{table}");
    }
}

/// A parameter in a table.
fn row(name: &str, parameter: &Value) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let values = parameter["AllowedValues"].as_array();
    let values = values.map_or_else(String::new, |values| {
        let values: Vec<_> = values.iter().map(|one| format!("`{}`", text(one))).collect();
        format!(" ({})", values.join(", "))
    });
    let default = match parameter.get("Default").map(text) {
        None => "required".to_owned(),
        Some(none) if none.is_empty() => none,
        Some(default) => format!("`{default}`"),
    };
    format!("| `{name}` | {}{values} | {default} |\n", text(&parameter["Description"]))
}

/// What a container is told.
pub(crate) fn variable(container: &Value, name: &str) -> String {
    let all = container["environment"].as_array().unwrap();
    let found = all.iter().find(|one| one["name"] == name);
    found.and_then(|one| one["value"].as_str()).unwrap_or_default().to_owned()
}
