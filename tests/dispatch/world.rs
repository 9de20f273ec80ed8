//! A dispatcher with all it needs: queues in moto, a function in a scripted Lambda, a ledger in a directory, and the
//! real runner as a process.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

pub(crate) use e2e::dispatcher;
use e2e::{ControlPlane, Deployed, Moto, Package};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const ARN: &str = "arn:aws:lambda:eu-west-1:123456789012:function:resize";
/// The queue whose messages the function works at.
pub(crate) const ORDERS: &str = "arn:aws:sqs:eu-west-1:123456789012:orders";
pub(crate) const FAILED: &str = "arn:aws:sqs:eu-west-1:123456789012:failed";
const ID: &str = "8f0d0d9a-6e0b-4c1d-8a3c-5b4b2f5a9b11";

/// What a request may take before the test has failed: other tests share the machine.
const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) struct World {
    pub(crate) moto: Moto,
    pub(crate) plane: ControlPlane,
    pub(crate) directory: TempDir,
    account: String,
}

/// A function that takes longer than its time-out on Lambda.
pub(crate) fn slow(runtime: &str) -> Deployed {
    let python = "import time\ndef handler(event, context):\n    time.sleep(1.5)\n    return {'done': event, 'id': context.aws_request_id}\n";
    let node = "exports.handler = async (event, context) => {\n  await new Promise((done) => setTimeout(done, 1500));\n  return { done: event, id: context.awsRequestId };\n};\n";
    let (package, handler) = match runtime {
        "python3.11" => (Package::default().file("app.py", python), "app.handler"),
        _ => (Package::default().file("index.js", node), "index.handler"),
    };
    Deployed::new(&package, runtime, handler)
        .with("Timeout", 1.into())
        .with("DeadLetterConfig", json!({ "TargetArn": FAILED }))
        .with("MemorySize", 256.into())
}

impl World {
    pub(crate) fn with(function: Deployed) -> Self {
        Self::of(vec![function])
    }

    pub(crate) fn of(functions: Vec<Deployed>) -> Self {
        let moto = Moto::start();
        let account = moto.script(
            "sqs = client('sqs')\nfor name in ['failed', 'done', 'states']:\n    sqs.create_queue(QueueName=name)\n\
             result = client('sts').get_caller_identity()['Account']",
        );
        let directory = TempDir::new().unwrap();
        let account = account.as_str().unwrap().to_owned();
        Self { moto, plane: ControlPlane::of(functions), directory, account }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn url(&self, queue: &str) -> String {
        format!("{}/{}/{queue}", self.moto.url(), self.account)
    }

    /// The least configuration, and more: runners are processes.
    pub(crate) fn config(&self, more: &str) -> PathBuf {
        let process = format!(
            "[launch]\nlauncher = \"process\"\n[process]\nrunner = \"{}\"\nlogs = \"{}\"\n",
            e2e::runner().display(),
            self.path("logs").display(),
        );
        self.launched_by(&process, more)
    }

    /// The same, with another launcher.
    pub(crate) fn launched_by(&self, launcher: &str, more: &str) -> PathBuf {
        let text = format!(
            "ledger = \"file://{}\"\ndestinations = [\"sqs:{}\"]\n{more}\n\
             {launcher}\
             [policy]\nmax_age = \"9999d\"\n[allow]\naccounts = [\"123456789012\"]\nprovenance = false\n",
            self.path("ledger").display(),
            self.url("done"),
        );
        let path = self.path("immortal.toml");
        fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn queue(&self, kind: &str) -> String {
        format!("[[queue]]\nurl = \"{}\"\nkind = \"{kind}\"\n", self.url("failed"))
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.program(&dispatcher(), arguments)
    }

    fn program(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).arg("--config").arg(self.path("immortal.toml"));
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        command.envs(self.moto.variables()).envs(self.plane.variables());
        command.env("IMMORTAL_RUNTIME_DIR", e2e::root().join(".runtimes"));
        command.env("TMPDIR", self.directory.path());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// A configuration with ECS as launcher.
    pub(crate) fn on(&self, more: &str) -> PathBuf {
        let ecs = "[launch]\nlauncher = \"ecs\"\n[ecs]\nsubnets = [\"subnet-1\"]\n";
        self.launched_by(ecs, more)
    }

    /// What a runner needs to find its world.
    pub(crate) fn variables(&self) -> Vec<(&str, &str)> {
        self.moto.variables().into_iter().chain(self.plane.variables()).collect()
    }

    /// A dispatcher that serves, until it is dropped.
    pub(crate) fn serve(&self) -> Serving {
        self.served_by(&dispatcher(), &[])
    }

    /// The same, another program, with more variables.
    pub(crate) fn served_by(&self, program: &Path, variables: &[(&str, &str)]) -> Serving {
        let log =
            fs::File::options().create(true).append(true).open(self.path("serve.log")).unwrap();
        let mut command = self.program(program, &["serve"]);
        command.envs(variables.iter().copied()).stdout(Stdio::null()).stderr(log);
        Serving(command.spawn().unwrap())
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("serve.log")).unwrap_or_default()
    }

    /// Calls SQS about one of the queues.
    #[track_caller]
    pub(crate) fn sqs(&self, operation: &str, queue: &str, mut body: Value) -> Value {
        body["QueueUrl"] = self.url(queue).into();
        self.moto.call("sqs", &format!("AmazonSQS.{operation}"), &body)
    }

    /// Puts a message into the queue of failures.
    pub(crate) fn send(&self, body: &str, attributes: &Value) {
        let message = json!({ "MessageBody": body, "MessageAttributes": attributes });
        self.sqs("SendMessage", "failed", message);
    }

    /// A dead letter of Lambda's.
    pub(crate) fn dead_letter(&self, event: &str) {
        self.send(event, &attributes(ID, "Task timed out after 1.00 seconds"));
    }

    /// A message that the queue `orders` has given up on.
    pub(crate) fn given_up(&self, body: &str) {
        let policy = json!({ "maxReceiveCount": 1, "deadLetterTargetArn": FAILED }).to_string();
        let script = format!(
            "sqs = client('sqs')\norders = sqs.create_queue(QueueName='orders', Attributes={{'RedrivePolicy': {policy:?}}})['QueueUrl']\n\
             sqs.send_message(QueueUrl=orders, MessageBody={body:?}, MessageAttributes={{'tenant': {{'DataType': 'String', 'StringValue': 'acme'}}}})\n\
             for _ in range(2): sqs.receive_message(QueueUrl=orders, VisibilityTimeout=0)",
        );
        self.moto.script(&script);
    }

    /// The records that have arrived at the queue of outcomes, as soon as there are so many.
    pub(crate) fn records(&self, count: usize) -> Vec<Value> {
        let (mut found, since) = (Vec::new(), Instant::now());
        while found.len() < count {
            assert!(since.elapsed() < PATIENCE, "{found:?}\n{}", self.log());
            let asked = json!({ "MaxNumberOfMessages": 10, "WaitTimeSeconds": 1 });
            let answer = self.sqs("ReceiveMessage", "done", asked);
            for message in answer["Messages"].as_array().into_iter().flatten() {
                found.push(serde_json::from_str(message["Body"].as_str().unwrap()).unwrap());
            }
        }
        found
    }

    /// How many jobs are unfinished. What a process was killed at while it wrote it is no marker yet.
    pub(crate) fn unfinished(&self) -> usize {
        let files = fs::read_dir(self.path("ledger/active")).into_iter().flatten().flatten();
        files.filter(|file| !file.file_name().to_string_lossy().contains('#')).count()
    }

    /// How many messages of the queue of failures somebody has.
    pub(crate) fn hidden(&self) -> u64 {
        self.count(&["ApproximateNumberOfMessagesNotVisible"])
    }

    /// How many messages are in the queue of failures, hidden ones too.
    pub(crate) fn left(&self) -> u64 {
        self.count(&["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"])
    }

    fn count(&self, names: &[&str]) -> u64 {
        let answer = self.sqs("GetQueueAttributes", "failed", json!({ "AttributeNames": names }));
        let count = |name: &&str| answer["Attributes"][name].as_str().unwrap().parse::<u64>();
        names.iter().map(|name| count(name).unwrap()).sum()
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
    }

    /// Waits until this is so.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, so: impl Fn() -> bool) {
        let since = Instant::now();
        while !so() {
            assert!(since.elapsed() < PATIENCE, "never: {what}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

pub(crate) fn attributes(request_id: &str, message: &str) -> Value {
    json!({
        "RequestID": { "DataType": "String", "StringValue": request_id },
        "ErrorCode": { "DataType": "Number", "StringValue": "200" },
        "ErrorMessage": { "DataType": "String", "StringValue": message },
    })
}

pub(crate) struct Serving(pub(crate) Child);

impl Serving {
    pub(crate) fn terminate(&self) {
        nix::sys::signal::kill(self.pid(), nix::sys::signal::Signal::SIGTERM).unwrap();
    }

    pub(crate) fn alive(&self) -> Result<bool, nix::Error> {
        nix::sys::signal::kill(self.pid(), None).map(|()| true)
    }

    pub(crate) fn pid(&self) -> nix::unistd::Pid {
        nix::unistd::Pid::from_raw(i32::try_from(self.0.id()).unwrap())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
