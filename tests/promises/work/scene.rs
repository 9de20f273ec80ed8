//! A queue of pointers, a ledger and the functions that its jobs name; and a worker that is listened to.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::Child;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use e2e::{ControlPlane, Deployed, Moto, Package, Sandbox};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(super) const PYTHON: &str = r#"
import ctypes, os, subprocess, time
count = 0
def objects(flags):
    kernel = ctypes.CDLL(None)
    found = kernel.shmget(4711, 4096, flags), kernel.msgget(4711, flags), kernel.semget(4711, 1, flags)
    return [number >= 0 for number in found]
def handler(event, context):
    global count
    count += 1
    if "mark" in event:
        subprocess.Popen(["sh", "-c", "sleep 600; : " + event["mark"]], start_new_session=True)
    if "leave" in event:
        open(event["leave"], "w").close()
    if "until" in event:
        print("waiting", flush=True)
        while not os.path.exists(event["until"]):
            time.sleep(0.05)
    time.sleep(event.get("seconds", 0))
    return {
        "pid": os.getpid(), "count": count, "name": context.function_name, "id": context.aws_request_id,
        "remaining": context.get_remaining_time_in_millis(), "own": os.environ.get("OWN"),
        "secret": os.environ.get("SECRET"), "files": sorted(name for name in os.listdir(os.environ["LAMBDA_TASK_ROOT"]) if name != "__pycache__"),
        "objects": objects(event["objects"]) if "objects" in event else None,
        "found": sorted(name for name in os.listdir(event["look"]) if name[0] != ".") if "look" in event else None,
    }
"#;

pub(super) const NODE: &str = r"
let count = 0;
exports.handler = async (event, context) => {
  count += 1;
  return { pid: process.pid, count, name: context.functionName, id: context.awsRequestId };
};
";

/// Says goodbye when its environment ends.
pub(super) const EXTENSION: &str = r#"#!/usr/bin/env python3
import json, os, urllib.request
api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2020-01-01/extension"
def ask(path, headers, body=None):
    return urllib.request.urlopen(urllib.request.Request(api + path, body, headers))
answer = ask("/register", {"Lambda-Extension-Name": os.path.basename(__file__)}, b'{"events":["INVOKE","SHUTDOWN"]}')
who = answer.headers["Lambda-Extension-Identifier"]
while True:
    event = json.load(ask("/event/next", {"Lambda-Extension-Identifier": who}))
    if event["eventType"] == "SHUTDOWN":
        print("goodbye of", os.environ["AWS_LAMBDA_FUNCTION_NAME"], event["shutdownReason"], flush=True)
        break
"#;

pub(super) fn python(name: &str) -> Deployed {
    let package = Package::default().file("app.py", PYTHON).file(&format!("{name}.txt"), "");
    Deployed::new(&package, "python3.11", "app.handler").named(name)
}

/// A queue, a ledger and the functions that its jobs name.
pub(super) struct Scene {
    pub(super) root: TempDir,
    pub(super) moto: Moto,
    pub(super) plane: ControlPlane,
}

pub(super) fn scene(functions: Vec<Deployed>) -> Scene {
    let (root, moto) = (TempDir::new().unwrap(), Moto::start());
    moto.script("client('sqs').create_queue(QueueName='work')");
    Scene { root, moto, plane: ControlPlane::of(functions) }
}

pub(super) fn record(id: &str, function: &str, event: &Value) -> Value {
    json!({
        "version": 1, "id": id, "writer": "w", "function": function, "event": event,
        "context": { "requestId": format!("r-{id}") }, "origin": { "kind": "direct" },
        "destinations": [], "created": "2026-10-09T16:43:26.568Z",
    })
}

impl Scene {
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Records a job; nobody is told of it.
    pub(super) fn job(&self, id: &str, function: &str, event: &Value) {
        self.write(&format!("ledger/active/{id}"), "");
        let record = record(id, function, event).to_string();
        self.write(&format!("ledger/jobs/{id}/job.json"), &record);
    }

    pub(super) fn address(&self, id: &str) -> String {
        format!("file://{}/jobs/{id}", self.path("ledger").display())
    }

    pub(super) fn pointer(&self, id: &str) -> String {
        json!({ "job": self.address(id), "attempt": 1 }).to_string()
    }

    pub(super) fn url(&self) -> String {
        format!("{}/123456789012/work", self.moto.url())
    }

    pub(super) fn send(&self, bodies: &[String]) {
        let bodies = json!(bodies).to_string();
        self.moto.script(&format!(
            "for body in json.loads({bodies:?}): client('sqs').send_message(QueueUrl={:?}, MessageBody=body)",
            self.url()
        ));
    }

    /// Records a job and points to it.
    pub(super) fn ask(&self, id: &str, function: &str, event: &Value) {
        self.job(id, function, event);
        self.send(&[self.pointer(id)]);
    }

    /// How many messages are in the queue: those that may be received now, and those that somebody has.
    pub(super) fn queue(&self) -> (u64, u64) {
        let counts = self.moto.script(&format!(
            "a = client('sqs').get_queue_attributes(QueueUrl={:?}, AttributeNames=['All'])['Attributes']\n\
             result = [int(a['ApproximateNumberOfMessages']), int(a['ApproximateNumberOfMessagesNotVisible'])]",
            self.url()
        ));
        (counts[0].as_u64().unwrap(), counts[1].as_u64().unwrap())
    }

    /// A worker with these arguments.
    pub(super) fn worker(&self, arguments: &[&str]) -> Sandbox {
        let url = self.url();
        let sandbox = Sandbox::new(&[&["work", "--queue", &url], arguments].concat());
        self.with_world(sandbox)
    }

    pub(super) fn with_world(&self, sandbox: Sandbox) -> Sandbox {
        let runtimes = e2e::root().join(".runtimes").display().to_string();
        let all = self.moto.variables().into_iter().chain(self.plane.variables());
        let sandbox = sandbox.variable("IMMORTAL_RUNTIME_DIR", &runtimes);
        let path = std::env::var("PATH").unwrap();
        let sandbox = sandbox.variable("PATH", &path);
        all.fold(sandbox, |sandbox, (name, value)| sandbox.variable(name, value))
    }

    pub(super) fn read(&self, name: &str) -> Option<Value> {
        let text = std::fs::read(self.path(&format!("ledger/jobs/{name}.json"))).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// The outcome of a job that has one.
    #[track_caller]
    pub(super) fn outcome(&self, id: &str) -> Value {
        self.read(&format!("{id}/outcome")).unwrap_or_else(|| panic!("{id} has no outcome"))
    }

    /// What its function answered.
    #[track_caller]
    pub(super) fn answer(&self, id: &str) -> Value {
        self.outcome(id)["record"]["responsePayload"].clone()
    }

    pub(super) fn attempt(&self, id: &str, number: u32) -> Option<Value> {
        self.read(&format!("{id}/attempts/{number}"))
    }

    pub(super) fn unfinished(&self) -> usize {
        std::fs::read_dir(self.path("ledger/active")).into_iter().flatten().count()
    }
}

/// Waits until this is so.
#[track_caller]
pub(super) fn until(what: &str, so: impl Fn() -> bool) {
    let since = Instant::now();
    while !so() {
        assert!(since.elapsed() < Duration::from_mins(1), "never: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Passes on what a child prints, so that it never waits for us.
pub(super) fn listen(child: &mut Child) -> mpsc::Receiver<String> {
    let (tell, told) = mpsc::channel();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            let _nobody_listens = tell.send(line);
        }
    });
    told
}

#[track_caller]
pub(super) fn hear(lines: &mpsc::Receiver<String>, text: &str) {
    let mut all = Vec::new();
    while let Ok(line) = lines.recv_timeout(Duration::from_mins(1)) {
        if line.contains(text) {
            return;
        }
        all.push(line);
    }
    panic!("`{text}` is not in:\n{}", all.join("\n"));
}
