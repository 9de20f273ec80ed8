//! A function is wired to the queue of failures and taken off it again, by the program and by the commands that it
//! prints.

use std::fs;
use std::process::{Command, Output};

use e2e::Deployed;
use serde_json::{Value, json};

use crate::arrive::{ID, record};
use crate::world::{FAILED, World, slow};

const OLD: &str = "arn:aws:sns:eu-west-1:123456789012:old";

/// A function that nothing is wired to, with its role; a configuration that wants provenance.
fn world(function: Deployed, more: &str) -> World {
    let world = World::with(function.with("DeadLetterConfig", Value::Null));
    let path = world.config(&(world.queue("auto") + more));
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("provenance = false", "provenance = true")).unwrap();
    world.moto.script(
        "trust = {'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Principal': {'Service': 'lambda.amazonaws.com'}, 'Action': 'sts:AssumeRole'}]}\n\
         client('iam').create_role(RoleName='resize', AssumeRolePolicyDocument=json.dumps(trust))",
    );
    world
}

/// All that attaching may change, as AWS's own SDK reads it.
fn state(world: &World) -> Value {
    let endpoint = world.plane.variables()[0].1;
    world.moto.script(&format!(
        "functions, iam = client('lambda', endpoint_url={endpoint:?}), client('iam')\n\
         def config(**what):\n    try: answer = functions.get_function_event_invoke_config(FunctionName='resize', **what)\n    except functions.exceptions.ResourceNotFoundException: return None\n    return {{k: v for k, v in answer.items() if k not in ('ResponseMetadata', 'FunctionArn')}}\n\
         function = functions.get_function(FunctionName='resize')['Configuration']\n\
         names = iam.list_role_policies(RoleName='resize')['PolicyNames']\n\
         result = {{'deadLetter': function.get('DeadLetterConfig'), 'all': config(), 'live': config(Qualifier='live'),\n\
           'tags': functions.list_tags(Resource=function['FunctionArn'])['Tags'],\n\
           'policies': {{n: iam.get_role_policy(RoleName='resize', PolicyName=n)['PolicyDocument'] for n in names}},\n\
           'trust': iam.get_role(RoleName='resize')['Role']['AssumeRolePolicyDocument']}}"
    ))
}

#[track_caller]
pub(crate) fn said(output: &Output, code: i32) -> (String, String) {
    let [out, error] =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert_eq!(output.status.code(), Some(code), "{out}\n{error}");
    (out, error)
}

#[test]
fn an_attached_functions_failure_runs_and_a_detached_ones_does_not() {
    let mut function = slow("python3.11");
    function.tags.insert("team".to_owned(), "images".into());
    let world = world(function, "");
    let before = state(&world);
    let mut serving = world.serve();
    // Anybody may have sent this: the function is not wired.
    let stranger = "00000000-6e0b-4c1d-8a3c-5b4b2f5a9b11";
    world.send(&record(stranger).to_string(), &json!({}));
    world.until("it is kept out of the way", || {
        world.path(&format!("ledger/quarantine/{stranger}.json")).exists() || world.left() == 0
    });
    assert_eq!(world.json(&["quarantine", "--json"]).as_array().unwrap().len(), 1);

    said(&world.run(&["attach", "resize"]), 0);
    let attached = state(&world);
    assert_eq!(
        attached["all"],
        json!({ "MaximumRetryAttempts": 0, "DestinationConfig": { "OnFailure": { "Destination": FAILED } } })
    );
    assert_eq!(
        attached["policies"]["immortal-failures-resize"]["Statement"][0]["Resource"],
        FAILED
    );
    // The dispatcher has asked before: its answers are kept for a minute. One that is killed may be given the next
    // message by the queue.
    serving.terminate();
    serving.0.wait().unwrap();
    let _serving = world.serve();
    world.send(&record(ID).to_string(), &json!({}));
    assert_eq!(world.records(1)[0]["requestContext"]["requestId"], ID, "{}", world.log());

    let (again, _) = said(&world.run(&["attach", "resize"]), 0);
    assert!(again.ends_with("# nothing is to be done\n"), "{again}");
    said(&world.run(&["detach", "resize"]), 0);
    assert_eq!(state(&world), before);
    let (again, _) = said(&world.run(&["detach", "resize"]), 0);
    assert!(
        again.contains("was not attached") && again.contains("nothing is to be done"),
        "{again}"
    );
}

/// Whoever only has functions needs no configuration.
#[test]
fn a_queue_that_is_said_is_all_that_it_takes() {
    let world = world(slow("python3.11"), "");
    let (before, elsewhere) = (state(&world), tempfile::TempDir::new().unwrap());
    let run = |arguments: &[&str]| {
        let mut command = Command::new(e2e::dispatcher());
        command.args(arguments).current_dir(&elsewhere).env_clear().envs(world.variables());
        command.output().unwrap()
    };
    said(&run(&["attach", "resize", "--queue", FAILED]), 0);
    assert_eq!(state(&world)["all"]["DestinationConfig"]["OnFailure"]["Destination"], FAILED);
    said(&run(&["detach", "resize"]), 0);
    assert_eq!(state(&world), before);
    for (more, part) in [(vec![], "--queue"), (vec!["--queue", FAILED, "--own-role"], "trust")] {
        let (_, error) = said(&run(&[&["attach", "resize"], &more[..]].concat()), 69);
        assert!(error.contains(part) && error.contains("found no immortal.toml"), "{error}");
    }
    // One that is named has to be there.
    said(&run(&["attach", "resize", "--queue", FAILED, "--config", "other.toml"]), 64);
}

/// What is printed is what is done: AWS's own CLI, run on it, has the same effect.
#[test]
fn the_printed_commands_do_the_same() {
    let config = json!({ "MaximumRetryAttempts": 1, "MaximumEventAgeInSeconds": 600,
        "DestinationConfig": { "OnSuccess": { "Destination": OLD }, "OnFailure": { "Destination": OLD } } });
    let arguments = |command, rest: &[&'static str]| [&[command, "resize:live"], rest].concat();
    let own = "[ecs]\ntask_role = \"function\"\nsubnets = [\"subnet-1\"]\n";
    for way in ["destination", "dead-letter"] {
        let mut reached = Vec::new();
        for by_hand in [false, true] {
            let function = slow("python3.11").asynchronous(config.clone());
            let world = world(function, own);
            let path = world.path("immortal.toml");
            let text = fs::read_to_string(&path).unwrap();
            fs::write(&path, text.replace("launcher = \"process\"", "launcher = \"ecs\"")).unwrap();
            let before = state(&world);
            let mut states = Vec::new();
            for arguments in [
                arguments("attach", &["--as", way, "--replace", "--own-role"]),
                arguments("detach", &[]),
            ] {
                if by_hand {
                    let (script, _) =
                        said(&world.run(&[&arguments[..], &["--dry-run"]].concat()), 0);
                    said(&shell(&world, &script), 0);
                } else {
                    said(&world.run(&arguments), 0);
                }
                states.push(state(&world));
            }
            assert_eq!(states[1], before, "{way}");
            reached.push(states);
        }
        assert_eq!(reached[0], reached[1], "{way}");
        let attached = &reached[0][0];
        assert_eq!(attached["live"]["DestinationConfig"]["OnSuccess"]["Destination"], OLD);
        assert_eq!(attached["live"]["MaximumRetryAttempts"], 0);
        assert_eq!(
            attached["trust"]["Statement"][1]["Principal"]["Service"],
            "ecs-tasks.amazonaws.com"
        );
        let target = match way {
            "destination" => &attached["live"]["DestinationConfig"]["OnFailure"]["Destination"],
            _ => &attached["deadLetter"]["TargetArn"],
        };
        assert_eq!(target, FAILED);
    }
}

/// A shell with AWS's CLI.
pub(crate) fn shell(world: &World, script: &str) -> Output {
    let bin = e2e::root().join(".venv/bin");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    // For queues, this CLI does not look at AWS_ENDPOINT_URL.
    let aws = "aws() { if [ \"$1\" = sqs ]; then set -- --endpoint-url \"$AWS_ENDPOINT_URL\" \"$@\"; fi; command aws \"$@\"; }";
    let mut command = Command::new("sh");
    command
        .args(["-e", "-c", &format!("{aws}\n{script}")])
        .env("PATH", path)
        .env("AWS_DEFAULT_REGION", "eu-west-1");
    command.envs(world.variables()).output().unwrap()
}

#[test]
fn a_dry_run_changes_nothing_and_somebody_elses_destination_stays() {
    let config = json!({ "DestinationConfig": { "OnFailure": { "Destination": OLD } } });
    let world = world(slow("python3.11").asynchronous(config), "");
    let before = state(&world);
    let (script, _) = said(&world.run(&["attach", "resize", "--replace", "--dry-run"]), 0);
    assert!(script.contains("aws lambda put-function-event-invoke-config"), "{script}");
    assert_eq!(state(&world), before);
    let (_, error) = said(&world.run(&["attach", "resize"]), 69);
    assert!(error.contains(OLD) && error.contains("--replace"), "{error}");
    assert_eq!(state(&world), before);
}

#[test]
fn what_was_cut_off_is_said_and_finished_by_the_same_command() {
    let function = slow("python3.11")
        .refusing("/event-invoke-config", 403, "User is not authorized to perform this")
        // Lambda asks whether the role may send, and IAM takes its time.
        .refusing(
            "/event-invoke-config",
            400,
            "The function execution role does not have permissions to call SendMessage on SQS",
        );
    let world = world(function, "");
    let before = state(&world);
    let (_, error) = said(&world.run(&["attach", "resize"]), 69);
    assert!(
        error.contains("done: TagResource, PutRolePolicy; not done: PutFunctionEventInvokeConfig"),
        "{error}"
    );
    assert!(error.contains("is not authorized"), "{error}");
    let (script, error) = said(&world.run(&["attach", "resize"]), 0);
    assert_eq!(script.matches("aws ").count(), 1, "{script}");
    assert!(error.contains("trying again"), "{error}");
    assert_eq!(state(&world)["all"]["MaximumRetryAttempts"], 0);
    said(&world.run(&["detach", "resize"]), 0);
    assert_eq!(state(&world), before);
}

/// Another program may have set it back: what is there afterwards is read.
#[test]
fn what_was_taken_and_is_not_there_is_said() {
    for (way, end, expected) in [
        (
            "destination",
            "/event-invoke-config",
            "expected MaximumRetryAttempts to be 0, found none; expected OnFailure to be ",
        ),
        ("dead-letter", "/configuration", "expected DeadLetterConfig.TargetArn to be "),
    ] {
        let world = world(slow("python3.11").forgetting(end), "");
        let (_, error) = said(&world.run(&["attach", "resize", "--as", way]), 69);
        assert!(error.contains("all calls were taken, but") && error.contains(expected), "{error}");
        assert!(error.contains(&format!("{FAILED}, found none")), "{error}");
    }
}

#[test]
fn a_function_that_a_queue_feeds_is_told_how_that_queue_is_wired() {
    let source = "arn:aws:sqs:eu-west-1:123456789012:orders";
    let world = world(slow("python3.11").reporting(source), "");
    let url =
        world.moto.script("result = client('sqs').create_queue(QueueName='orders')['QueueUrl']");
    let (script, _) = said(&world.run(&["attach", "resize", "--dry-run", "--queue", FAILED]), 0);
    assert!(script.contains("now nowhere"), "{script}");
    let command = script.split("To have it here: ").nth(1).unwrap().lines().next().unwrap();
    said(&shell(&world, command), 0);
    let policy = world.moto.script(&format!(
        "result = client('sqs').get_queue_attributes(QueueUrl={url}, AttributeNames=['RedrivePolicy'])['Attributes']['RedrivePolicy']"
    ));
    assert!(policy.as_str().unwrap().contains(FAILED), "{policy}");
    let (script, _) = said(&world.run(&["attach", "resize", "--dry-run"]), 0);
    assert!(!script.contains("note: arn:aws:sqs"), "{script}");
}

/// The fenced blocks of the guide in this language.
fn blocks(language: &str) -> Vec<String> {
    let guide = fs::read_to_string(e2e::root().join("docs/attach.md")).unwrap();
    let fence = format!("```{language}\n");
    let after = guide.split(&fence).skip(1);
    after.map(|rest| rest.split("```\n").next().unwrap().to_owned()).collect()
}

/// Runs a checker on a text in a file.
#[track_caller]
fn checked(program: &str, arguments: &[&str], name: &str, text: &str) {
    let directory = tempfile::TempDir::new().unwrap();
    let file = directory.path().join(name);
    fs::write(&file, text).unwrap();
    let output = Command::new(program).args(arguments).arg(&file).output().unwrap();
    said(&output, 0);
}

#[test]
fn what_the_guide_shows_is_what_its_tools_take() {
    let bin = e2e::root().join(".venv/bin");
    let [lint, python] = ["cfn-lint", "python"].map(|name| bin.join(name).display().to_string());
    let yaml = blocks("yaml");
    let (templates, others): (Vec<_>, Vec<_>) =
        yaml.iter().partition(|text| text.contains("AWSTemplateFormatVersion"));
    assert_eq!((templates.len(), others.len()), (2, 1));
    for template in templates {
        checked(&lint, &["--regions", "eu-west-1", "--"], "template.yaml", template);
    }
    let parse = "import sys, yaml\nyaml.SafeLoader.add_multi_constructor('!', lambda loader, tag, node: node.value)\n\
                 assert 'functions' in yaml.safe_load(open(sys.argv[1]))";
    checked(&python, &["-c", parse], "serverless.yml", others[0]);
    for text in blocks("js") {
        checked("node", &["--check"], "stack.mjs", &text);
    }
    for text in blocks("json") {
        let statement: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(statement["Action"], "sts:AssumeRole");
    }
}

#[test]
fn the_guides_commands_attach_too() {
    let world = world(slow("python3.11"), "");
    let commands =
        blocks("sh").into_iter().filter(|text| text.contains("aws ")).collect::<String>();
    let commands = commands.replace("my-function-role", "resize").replace("my-function", "resize");
    said(&shell(&world, &commands), 0);
    let attached = state(&world);
    assert_eq!(attached["deadLetter"]["TargetArn"], FAILED);
    assert_eq!(attached["all"]["MaximumRetryAttempts"], 0);
    // Both ways are shown; each call replaces the configuration whole.
    let first = blocks("sh").into_iter().find(|text| text.contains("OnFailure")).unwrap();
    said(
        &shell(
            &world,
            &first.replace("my-function-role", "resize").replace("my-function", "resize"),
        ),
        0,
    );
    let (text, _) = said(&world.run(&["attach", "resize", "--dry-run"]), 0);
    assert!(!text.contains("put-function-event-invoke-config"), "{text}");
}
