//! From the stack's outputs to an outcome: a dead letter in the exported queue, the dispatcher as the stack has it, a task as
//! the stack defines it, and each of them with the rights that the stack gives it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use e2e::{Cluster, ControlPlane, Deployed, Faults, Package, Sandbox};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::stack::Stack;

const ID: &str = "8f0d0d9a-6e0b-4c1d-8a3c-5b4b2f5a9b11";
const DONE: &str = "arn:aws:sqs:eu-west-1:123456789012:done";
/// What may take so long before a test has failed: others share the machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// The stack at work: Lambda has a function that fails into its queue, ECS is the scripted one.
pub(crate) struct Working {
    pub(crate) stack: Stack,
    plane: ControlPlane,
    cluster: Cluster,
    /// What the dispatcher has, and what a runner has: endpoints, and the session of its role.
    pub(crate) variables: Vec<(String, String)>,
    pub(crate) runner: BTreeMap<String, String>,
    pub(crate) directory: TempDir,
}

/// A function that takes longer than Lambda lets it, and may write where its own role lets it.
fn function(failures: &str) -> Deployed {
    let code = "import time\ndef handler(event, context):\n    time.sleep(1.5)\n    return {'done': event}\n";
    Deployed::new(&Package::default().file("app.py", code), "python3.11", "app.handler")
        .with("Timeout", 1.into())
        .with("DeadLetterConfig", json!({ "TargetArn": failures }))
        .destinations(DONE, DONE)
}

impl Working {
    pub(crate) fn with(parameters: &[(&str, &str)]) -> Self {
        let stack = Stack::with(parameters);
        // The function's own role, and its one statement for the runner's.
        let trust = json!({ "Version": "2012-10-17", "Statement": [
            { "Effect": "Allow", "Principal": { "Service": "lambda.amazonaws.com" }, "Action": "sts:AssumeRole" },
            { "Effect": "Allow", "Principal": { "AWS": stack.output("TaskRole") }, "Action": "sts:AssumeRole" }]});
        stack.moto.script(&format!(
            "client('sqs').create_queue(QueueName='done')\n\
             client('iam').create_role(RoleName='resize', AssumeRolePolicyDocument={:?})",
            trust.to_string()
        ));
        let plane = ControlPlane::with(function(stack.output("FailureQueueArn")));
        let sessions = ["DispatcherRole", "TaskRole"].map(|role| session(&stack, role));
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let surroundings: Vec<_> = stack.moto.variables().iter().map(own).collect();
        let [dispatcher, runner] = sessions.map(|session| {
            let mut all: BTreeMap<_, _> = surroundings.iter().cloned().collect();
            let url = stack.moto.url().to_owned();
            all.extend([("AWS_ENDPOINT_URL".to_owned(), url)]);
            all.extend(plane.variables()[..1].iter().map(own));
            all.extend(session);
            all
        });
        let cluster = Self::cluster(&stack, runner.clone());
        let mut variables: Vec<_> = dispatcher.into_iter().collect();
        variables.push(("AWS_ENDPOINT_URL_ECS".to_owned(), cluster.url().to_owned()));
        Self { stack, plane, cluster, variables, runner, directory: TempDir::new().unwrap() }
    }

    /// What its tasks are told comes from the task definition, and from ECS: the rights of the task role.
    fn cluster(stack: &Stack, mut told: BTreeMap<String, String>) -> Cluster {
        let container = stack.container("immortal-python-x86-64");
        for one in container["environment"].as_array().unwrap() {
            let of = |key: &str| one[key].as_str().unwrap().to_owned();
            told.insert(of("name"), of("value"));
        }
        let runtimes = e2e::root().join(".runtimes").display().to_string();
        told.insert("IMMORTAL_RUNTIME_DIR".to_owned(), runtimes);
        let told: Vec<(&str, &str)> =
            told.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        Cluster::start(&told, Faults::default())
    }

    /// The dispatcher's package is where the stack has it.
    fn packed(&self) {
        let path = self.directory.path().join("dispatcher.zip");
        let script = e2e::root().join("deploy/package.sh");
        let packed = Command::new(script).arg(e2e::dispatcher()).arg(&path).status().unwrap();
        assert!(packed.success());
        self.stack.moto.put("code/dispatcher.zip", &fs::read(path).unwrap());
    }

    /// Lambda's function times out.
    pub(crate) fn fails(&self) {
        let text = |kind: &str, value: &str| json!({ "DataType": kind, "StringValue": value });
        let attributes = json!({
            "RequestID": text("String", ID), "ErrorCode": text("Number", "200"),
            "ErrorMessage": text("String", "Task timed out after 1.00 seconds"),
        });
        self.stack.moto.script(&format!(
            "client('sqs').send_message(QueueUrl={:?}, MessageBody='{{\"orderId\":42}}', MessageAttributes=json.loads({:?}))",
            self.stack.output("FailureQueueUrl"),
            attributes.to_string()
        ));
    }

    /// What the function's own destination hears.
    pub(crate) fn outcome(&self, log: impl Fn() -> String) -> Value {
        let script = "url = client('sqs').get_queue_url(QueueName='done')['QueueUrl']\n\
                      result = [m['Body'] for m in client('sqs').receive_message(QueueUrl=url).get('Messages', [])]";
        let since = Instant::now();
        loop {
            if let Some(body) = self.stack.moto.script(script)[0].as_str() {
                return serde_json::from_str(body).unwrap();
            }
            assert!(since.elapsed() < PATIENCE, "no outcome has arrived\n{}", log());
        }
    }

    /// All that must be true of a job that is over.
    fn is_over(&self, record: &Value) {
        assert_eq!(record["requestContext"]["condition"], "Success", "{record}");
        assert_eq!(record["responsePayload"]["done"], json!({ "orderId": 42 }), "{record}");
        let [asked] = &self.cluster.asked()[..] else { panic!("{:?}", self.cluster.asked()) };
        assert_eq!(asked["cluster"], self.stack.output("Cluster"));
        assert_eq!(asked["taskDefinition"], "immortal-python-x86-64");
        let bucket = self.stack.output("JobsBucket");
        let outcome = self.stack.ask(&format!(
            "client('s3').get_object(Bucket={bucket:?}, Key='ledger/jobs/{ID}/outcome.json')['Body'].read().decode()"
        ));
        assert!(outcome.as_str().unwrap().contains("\"condition\":\"Success\""), "{outcome}");
        crate::rights::all_were_rights(&self.stack);
        // The function's code came from Lambda under the runner's rights.
        assert!(self.plane.requests().iter().any(|path| path.starts_with("/code")));
    }
}

/// What AWS gives to whoever runs with a role.
fn session(stack: &Stack, role: &str) -> Vec<(String, String)> {
    let given = stack.ask(&format!(
        "client('sts').assume_role(RoleArn={:?}, RoleSessionName='test')['Credentials']",
        stack.output(role)
    ));
    let names = [
        ("AWS_ACCESS_KEY_ID", "AccessKeyId"),
        ("AWS_SECRET_ACCESS_KEY", "SecretAccessKey"),
        ("AWS_SESSION_TOKEN", "SessionToken"),
    ];
    names.map(|(name, key)| (name.to_owned(), given[key].as_str().unwrap().to_owned())).into()
}

/// What an event source mapping hands on: the messages of a queue as a batch.
fn batch(working: &Working, queue: &str) -> Value {
    let received = working.stack.ask(&format!(
        "client('sqs').receive_message(QueueUrl={:?}, MessageAttributeNames=['All'], AttributeNames=['All'])['Messages']",
        working.stack.output(queue)
    ));
    let lower = |one: &Value, key: &str| one[key].clone();
    let records = received.as_array().unwrap().iter().map(|one| {
        let attributes = one["MessageAttributes"].as_object().unwrap().iter();
        let attributes = attributes.map(|(name, value)| {
            (name.clone(), json!({ "dataType": value["DataType"], "stringValue": value["StringValue"] }))
        });
        json!({
            "messageId": lower(one, "MessageId"), "receiptHandle": lower(one, "ReceiptHandle"), "body": lower(one, "Body"),
            "attributes": lower(one, "Attributes"), "messageAttributes": attributes.collect::<serde_json::Map<_, _>>(),
            "eventSource": "aws:sqs", "eventSourceARN": working.stack.output("FailureQueueArn"),
        })
    });
    json!({ "Records": records.collect::<Vec<_>>() })
}

/// The function of the stack: its package from where the stack has it, its variables, its runtime; invoked as Lambda does.
#[test]
fn the_dispatcher_as_a_function_takes_a_dead_letter_to_its_outcome() {
    let working = Working::with(&[]);
    working.fails();
    let functions = working.stack.ask("client('lambda').list_functions()['Functions']");
    let function = &functions[0];
    assert_eq!(function["Runtime"], "provided.al2023");
    let mappings =
        working.stack.ask("client('lambda').list_event_source_mappings()['EventSourceMappings']");
    let queue = working.stack.output("FailureQueueArn");
    let mapping = mappings.as_array().unwrap().iter().find(|one| one["EventSourceArn"] == queue);
    assert!(mapping.is_some(), "{mappings}");
    let mut told: Vec<String> =
        working.variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
    for (name, value) in function["Environment"]["Variables"].as_object().unwrap() {
        told.push(format!("{name}={}", value.as_str().unwrap()));
    }
    let told: Vec<&str> = told.iter().flat_map(|pair| ["--env", pair]).collect();
    working.packed();
    let event = batch(&working, "FailureQueueUrl").to_string();
    let code = ["--code", "s3://code/dispatcher.zip", "--runtime", "provided.al2023"];
    let mut lambda = Sandbox::new(&["invoke", "--handler", "bootstrap"]).arguments(&code);
    for (name, value) in &working.variables {
        lambda = lambda.variable(name, value);
    }
    let run = lambda.arguments(&told).event(&event).run();
    assert_eq!(run.ends_with(0).json(), json!({ "batchItemFailures": [] }), "{}", run.stderr);
    working.is_over(&working.outcome(|| run.stderr.clone()));
}

/// A child that ends with the test.
pub(crate) struct Serving(pub(crate) Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The container of the service: its command, its variables.
#[test]
fn the_dispatcher_as_a_service_takes_a_dead_letter_to_its_outcome() {
    let working = Working::with(&[("Dispatcher", "service")]);
    let container = working.stack.container("immortal-dispatcher");
    let path = working.directory.path().join("log");
    let mut command = Command::new(e2e::dispatcher());
    let words = container["command"].as_array().unwrap();
    command.args(words.iter().map(|word| word.as_str().unwrap()));
    command.env_clear().envs(working.variables.iter().cloned());
    command.env("IMMORTAL_CONFIG", crate::created::variable(&container, "IMMORTAL_CONFIG"));
    command.stdout(Stdio::null()).stderr(fs::File::create(&path).unwrap());
    let _serving = Serving(command.spawn().unwrap());
    working.fails();
    working.is_over(&working.outcome(|| fs::read_to_string(&path).unwrap()));
}

/// The image of the service, as deploy/README.md builds it, on the Debian root that stands in for AWS's base: the same.
#[test]
fn the_image_of_the_service_takes_a_dead_letter_to_its_outcome() {
    let port = e2e::free_port();
    let listen = format!("[serve]\nlisten = \"127.0.0.1:{port}\"\n");
    let working = Working::with(&[("Dispatcher", "service"), ("Configuration", &listen)]);
    let container = working.stack.container("immortal-dispatcher");
    let image = built(working.directory.path());
    let told = working.variables.iter().map(|(name, value)| format!("{name}={value}"));
    let configuration = crate::created::variable(&container, "IMMORTAL_CONFIG");
    let told: Vec<String> = told.chain([format!("IMMORTAL_CONFIG={configuration}")]).collect();
    let run = |words: &[&str]| {
        let mut docker = Command::new("docker");
        docker.args(["run", "--rm", "--network", "host", "--read-only", "--user", "993"]);
        docker.args(["--cap-drop", "ALL", "--name", &image]);
        docker.args(told.iter().flat_map(|one| ["--env", one])).arg(&image).args(words);
        docker
    };
    for (words, part) in [(&["--version"][..], "immortal-dispatcher"), (&["check-config"], "")] {
        let output = run(words).output().unwrap();
        assert!(output.status.success(), "{words:?}: {output:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains(part), "{output:?}");
    }
    let words: Vec<&str> = container["command"]
        .as_array()
        .unwrap()
        .iter()
        .map(|word| word.as_str().unwrap())
        .collect();
    let log = fs::File::create(working.directory.path().join("log")).unwrap();
    let _removed = Removed(image.clone());
    let _serving = Serving(run(&words).stdout(Stdio::null()).stderr(log).spawn().unwrap());
    let said = || fs::read_to_string(working.directory.path().join("log")).unwrap();
    working.fails();
    working.is_over(&working.outcome(said));
    let mut health = TcpStream::connect(("127.0.0.1", port)).unwrap();
    health.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    health.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.trim_end().ends_with("ok"), "{answer}");
}

/// A container and its image, which go when the test is over.
struct Removed(String);

impl Drop for Removed {
    fn drop(&mut self) {
        for words in [["rm", "--force"], ["rmi", "--force"]] {
            let _ = Command::new("docker").args(words).arg(&self.0).output();
        }
    }
}

/// Builds the image; its name.
fn built(directory: &Path) -> String {
    let (context, name) =
        (directory.join("context"), format!("immortal-service-{}", std::process::id()));
    fs::create_dir(&context).unwrap();
    fs::copy(e2e::dispatcher(), context.join("immortal-dispatcher")).unwrap();
    let mut docker = Command::new("docker");
    docker.env("DOCKER_BUILDKIT", "0").args(["build", "--quiet", "--tag", &name, "--file"]);
    docker.arg(e2e::root().join("deploy/Dockerfile"));
    docker.args(["--build-arg", "BASE_IMAGE=immortal-base/provided:debian"]).arg(&context);
    let output = docker.output().expect("docker is installed by `make test`");
    assert!(output.status.success(), "`make images BASE=debian` makes its base: {output:?}");
    name
}

/// ECS says that a task has stopped: the stack's rule takes it to the stack's queue, and no other event.
#[test]
fn stopped_tasks_of_its_own_are_told_to_the_dispatcher() {
    // moto has no schedules that end in functions.
    let stack = Stack::with(&[("Dispatcher", "service")]);
    let cluster = stack.ask(&format!(
        "client('ecs').describe_clusters(clusters=[{:?}])['clusters'][0]['clusterArn']",
        stack.output("Cluster")
    ));
    let event = |cluster: &Value, status: &str, by: &str| {
        json!({ "clusterArn": cluster, "lastStatus": status, "startedBy": by }).to_string()
    };
    let other = json!("arn:aws:ecs:eu-west-1:123456789012:cluster/other");
    let details = [
        event(&other, "STOPPED", "immortal/j/1"),
        event(&cluster, "RUNNING", "immortal/j/1"),
        event(&cluster, "STOPPED", "ecs-svc/1"),
        event(&cluster, "STOPPED", "immortal/j/1"),
    ];
    let arrived = stack.moto.script(&format!(
        "details = json.loads({:?})\n\
         client('events').put_events(Entries=[{{'Source': 'aws.ecs', 'DetailType': 'ECS Task State Change', 'Detail': one}} for one in details])\n\
         [url] = [one for one in client('sqs').list_queues()['QueueUrls'] if 'TaskStates' in one]\n\
         result = []\n\
         for _ in details:\n\
         \x20   result += [json.loads(m['Body'])['detail'] for m in client('sqs').receive_message(QueueUrl=url).get('Messages', [])]",
        json!(details).to_string()
    ));
    let expected: Value = serde_json::from_str(&details[3]).unwrap();
    assert_eq!(arrived, json!([expected]));
}
