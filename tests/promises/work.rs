//! Workers: many jobs in a warm runtime, from a queue of pointers, with the same promises as one container for each.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Child;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use e2e::{ControlPlane, Deployed, Moto, Package, Sandbox, confined};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{finish, terminate, wait_for};

const PYTHON: &str = r#"
import os, subprocess, time
count = 0
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
        "found": sorted(name for name in os.listdir(event["look"]) if name[0] != ".") if "look" in event else None,
    }
"#;

const NODE: &str = r"
let count = 0;
exports.handler = async (event, context) => {
  count += 1;
  return { pid: process.pid, count, name: context.functionName, id: context.awsRequestId };
};
";

/// Says goodbye when its environment ends.
const EXTENSION: &str = r#"#!/usr/bin/env python3
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

fn python(name: &str) -> Deployed {
    let package = Package::default().file("app.py", PYTHON).file(&format!("{name}.txt"), "");
    Deployed::new(&package, "python3.11", "app.handler").named(name)
}

/// A queue, a ledger and the functions that its jobs name.
struct Scene {
    root: TempDir,
    moto: Moto,
    plane: ControlPlane,
}

fn scene(functions: Vec<Deployed>) -> Scene {
    let (root, moto) = (TempDir::new().unwrap(), Moto::start());
    moto.script("client('sqs').create_queue(QueueName='work')");
    Scene { root, moto, plane: ControlPlane::of(functions) }
}

fn record(id: &str, function: &str, event: &Value) -> Value {
    json!({
        "version": 1, "id": id, "writer": "w", "function": function, "event": event,
        "context": { "requestId": format!("r-{id}") }, "origin": { "kind": "direct" },
        "destinations": [], "created": "2026-10-09T16:43:26.568Z",
    })
}

impl Scene {
    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Records a job; nobody is told of it.
    fn job(&self, id: &str, function: &str, event: &Value) {
        self.write(&format!("ledger/active/{id}"), "");
        let record = record(id, function, event).to_string();
        self.write(&format!("ledger/jobs/{id}/job.json"), &record);
    }

    fn address(&self, id: &str) -> String {
        format!("file://{}/jobs/{id}", self.path("ledger").display())
    }

    fn pointer(&self, id: &str) -> String {
        json!({ "job": self.address(id), "attempt": 1 }).to_string()
    }

    fn url(&self) -> String {
        format!("{}/123456789012/work", self.moto.url())
    }

    fn send(&self, bodies: &[String]) {
        let bodies = json!(bodies).to_string();
        self.moto.script(&format!(
            "for body in json.loads({bodies:?}): client('sqs').send_message(QueueUrl={:?}, MessageBody=body)",
            self.url()
        ));
    }

    /// Records a job and points to it.
    fn ask(&self, id: &str, function: &str, event: &Value) {
        self.job(id, function, event);
        self.send(&[self.pointer(id)]);
    }

    /// How many messages are in the queue: those that may be received now, and those that somebody has.
    fn queue(&self) -> (u64, u64) {
        let counts = self.moto.script(&format!(
            "a = client('sqs').get_queue_attributes(QueueUrl={:?}, AttributeNames=['All'])['Attributes']\n\
             result = [int(a['ApproximateNumberOfMessages']), int(a['ApproximateNumberOfMessagesNotVisible'])]",
            self.url()
        ));
        (counts[0].as_u64().unwrap(), counts[1].as_u64().unwrap())
    }

    /// A worker with these arguments.
    fn worker(&self, arguments: &[&str]) -> Sandbox {
        let url = self.url();
        let sandbox = Sandbox::new(&[&["work", "--queue", &url], arguments].concat());
        self.with_world(sandbox)
    }

    fn with_world(&self, sandbox: Sandbox) -> Sandbox {
        let runtimes = e2e::root().join(".runtimes").display().to_string();
        let all = self.moto.variables().into_iter().chain(self.plane.variables());
        let sandbox = sandbox.variable("IMMORTAL_RUNTIME_DIR", &runtimes);
        let path = std::env::var("PATH").unwrap();
        let sandbox = sandbox.variable("PATH", &path);
        all.fold(sandbox, |sandbox, (name, value)| sandbox.variable(name, value))
    }

    fn read(&self, name: &str) -> Option<Value> {
        let text = std::fs::read(self.path(&format!("ledger/jobs/{name}.json"))).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// The outcome of a job that has one.
    #[track_caller]
    fn outcome(&self, id: &str) -> Value {
        self.read(&format!("{id}/outcome")).unwrap_or_else(|| panic!("{id} has no outcome"))
    }

    /// What its function answered.
    #[track_caller]
    fn answer(&self, id: &str) -> Value {
        self.outcome(id)["record"]["responsePayload"].clone()
    }

    fn attempt(&self, id: &str, number: u32) -> Option<Value> {
        self.read(&format!("{id}/attempts/{number}"))
    }

    fn unfinished(&self) -> usize {
        std::fs::read_dir(self.path("ledger/active")).into_iter().flatten().count()
    }
}

/// Waits until this is so.
#[track_caller]
fn until(what: &str, so: impl Fn() -> bool) {
    let since = Instant::now();
    while !so() {
        assert!(since.elapsed() < Duration::from_mins(1), "never: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Passes on what a child prints, so that it never waits for us.
fn listen(child: &mut Child) -> mpsc::Receiver<String> {
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
fn hear(lines: &mpsc::Receiver<String>, text: &str) {
    let mut all = Vec::new();
    while let Ok(line) = lines.recv_timeout(Duration::from_mins(1)) {
        if line.contains(text) {
            return;
        }
        all.push(line);
    }
    panic!("`{text}` is not in:\n{}", all.join("\n"));
}

#[test]
fn jobs_run_one_after_the_other_in_one_runtime() {
    for (function, arguments) in [
        (python("resize"), true),
        (
            Deployed::new(
                &Package::default().file("index.js", NODE),
                "nodejs20.x",
                "index.handler",
            ),
            false,
        ),
    ] {
        let scene = scene(vec![function]);
        for number in 1..=12 {
            scene.job(&format!("j-{number}"), "resize", &json!({ "n": number }));
        }
        let pointers: Vec<String> = (1..=12).map(|n| scene.pointer(&format!("j-{n}"))).collect();
        scene.send(&pointers);
        let sandbox = if arguments {
            scene.worker(&["--idle", "2s"])
        } else {
            // As the entry point of a container.
            let sandbox = Sandbox::new(&[]).variable("IMMORTAL_QUEUE", &scene.url());
            scene.with_world(sandbox).variable("IMMORTAL_IDLE", "2s")
        };
        let run = sandbox.run();
        run.ends_with(0).prints("");
        let answers: Vec<Value> = (1..=12).map(|n| scene.answer(&format!("j-{n}"))).collect();
        let mut counts: Vec<u64> = answers.iter().map(|it| it["count"].as_u64().unwrap()).collect();
        counts.sort_unstable();
        assert_eq!(counts, (1..=12).collect::<Vec<_>>(), "{}", run.stderr);
        assert!(answers.iter().all(|answer| answer["pid"] == answers[0]["pid"]), "{answers:?}");
        assert_eq!(answers[6]["id"], "r-j-7");
        let attempt = scene.attempt("j-7", 1).unwrap();
        assert_eq!((&attempt["state"], &attempt["aliveUntil"]), (&json!("ended"), &Value::Null));
        assert_eq!((scene.unfinished(), scene.queue()), (0, (0, 0)));
        let asked = scene.plane.requests();
        assert_eq!(asked.iter().filter(|path| path.starts_with("/code")).count(), 1, "{asked:?}");
        assert!(run.stderr.matches("START RequestId").count() == 12, "{}", run.stderr);
    }
}

#[test]
fn a_job_has_its_own_limit_of_time() {
    let scene = scene(vec![python("resize")]);
    scene.ask("j-1", "resize", &json!({}));
    let mut limited = record("j-2", "resize", &json!({ "seconds": 30 }));
    limited["limits"] = json!({ "maxDurationSeconds": 1 });
    scene.write("ledger/jobs/j-2/job.json", &limited.to_string());
    scene.write("ledger/active/j-2", "");
    scene.send(&[scene.pointer("j-2")]);
    scene.worker(&["--idle", "2s"]).run().ends_with(0);
    assert!(scene.answer("j-1")["remaining"].as_u64().unwrap() > 1_000_000);
    assert_eq!(scene.outcome("j-2")["facts"]["errorType"], "Sandbox.Timedout");
    assert_eq!((scene.unfinished(), scene.queue()), (0, (0, 0)));
}

#[test]
fn another_function_has_a_runtime_of_its_own_and_nothing_of_the_one_before() {
    let layer = Package::default().executable("extensions/parting", EXTENSION);
    let variables = |pairs: Value| json!({ "Variables": pairs });
    let scene = scene(vec![
        python("one")
            .with("Environment", variables(json!({ "OWN": "1", "SECRET": "x" })))
            .layer(&layer),
        python("two").with("Environment", variables(json!({ "OWN": "2" }))),
    ]);
    let mark = format!("left-behind-{}", std::process::id());
    let sandbox = scene.worker(&["--idle", "4s"]);
    let mut child = sandbox.start();
    let lines = listen(&mut child);
    for (id, function) in [("j-1", "one"), ("j-2", "two"), ("j-3", "one"), ("j-4", "two")] {
        scene.ask(id, function, &json!({ "mark": mark }));
        until("an outcome", || scene.read(&format!("{id}/outcome")).is_some());
        if id == "j-2" {
            hear(&lines, "goodbye of one spindown");
        }
    }
    assert!(child.wait().unwrap().success());
    let [one, two, again, _] = ["j-1", "j-2", "j-3", "j-4"].map(|id| scene.answer(id));
    assert_eq!((&one["own"], &one["secret"]), (&json!("1"), &json!("x")));
    assert_eq!(
        (&two["own"], &two["secret"], &two["name"]),
        (&json!("2"), &Value::Null, &json!("two"))
    );
    assert_eq!(
        (&one["files"], &two["files"]),
        (&json!(["app.py", "one.txt"]), &json!(["app.py", "two.txt"]))
    );
    assert_eq!((&again["count"], &again["files"]), (&json!(1), &one["files"]));
    assert_ne!(again["pid"], one["pid"]);
    // Each package was fetched once, though it was put in place twice.
    let asked = scene.plane.requests();
    for name in ["/code/one", "/code/two", "/layer/1"] {
        assert_eq!(asked.iter().filter(|path| path.starts_with(name)).count(), 1, "{asked:?}");
    }
    let left = std::process::Command::new("pgrep").args(["-f", &mark]).output().unwrap();
    assert!(left.stdout.is_empty(), "{}", String::from_utf8_lossy(&left.stdout));
}

#[test]
fn a_worker_that_was_killed_is_followed_by_the_next_attempt() {
    let scene = scene(vec![python("resize")]);
    let gate = scene.path("gate").display().to_string();
    scene.ask("j-1", "resize", &json!({ "until": gate }));
    let hidden = ["--idle", "6s", "--visibility", "3s"];
    let first = scene.worker(&hidden);
    let mut child = first.start();
    wait_for(&mut child, "waiting");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(scene.attempt("j-1", 1).unwrap()["state"], "claimed");
    assert!(scene.read("j-1/outcome").is_none());
    scene.write("gate", "");
    scene.worker(&hidden).run().ends_with(0);
    let outcome = scene.outcome("j-1");
    assert_eq!((&outcome["attempt"], &outcome["facts"]["attempts"]), (&json!(2), &json!(2)));
    assert_eq!(scene.attempt("j-1", 2).unwrap()["state"], "ended");
    assert!(scene.attempt("j-1", 3).is_none());
    assert_eq!((scene.unfinished(), scene.queue()), (0, (0, 0)));
}

#[test]
fn an_outcome_that_a_killed_worker_did_not_deliver_is_delivered() {
    let scene = scene(vec![python("resize")]);
    scene.ask("j-1", "resize", &json!({}));
    scene.worker(&["--idle", "2s"]).run().ends_with(0);
    // As if it had died between deciding and delivering.
    scene.write("ledger/active/j-1", "");
    scene.send(&[scene.pointer("j-1")]);
    let requests = scene.plane.requests().len();
    let run = scene.worker(&["--idle", "8s", "--visibility", "3s"]).run();
    run.ends_with(0);
    assert_eq!((scene.unfinished(), scene.queue()), (0, (0, 0)), "{}", run.stderr);
    let asked = scene.plane.requests();
    assert!(
        !asked[requests..].iter().any(|path| path.starts_with("/code")),
        "it did not run again"
    );
}

#[test]
fn a_job_is_kept_from_others_for_as_long_as_it_runs() {
    let scene = scene(vec![python("resize")]);
    let gate = scene.path("gate").display().to_string();
    scene.ask("j-1", "resize", &json!({ "until": gate }));
    let first = scene.worker(&["--idle", "1s", "--visibility", "3s"]);
    let mut child = first.start();
    until("a claim", || scene.attempt("j-1", 1).is_some());
    let claimed = scene.attempt("j-1", 1).unwrap()["aliveUntil"].clone();
    let run = scene.worker(&["--idle", "5s", "--visibility", "3s"]).run();
    run.ends_with(0).never_says("START RequestId");
    assert_ne!(scene.attempt("j-1", 1).unwrap()["aliveUntil"], claimed, "it says that it is alive");
    scene.write("gate", "");
    listen(&mut child);
    assert!(child.wait().unwrap().success());
    assert_eq!(scene.outcome("j-1")["attempt"], 1);
    assert!(scene.attempt("j-1", 2).is_none());
    assert_eq!(scene.queue(), (0, 0));
}

/// Twelve hours of SQS, in two seconds.
#[test]
fn a_job_may_take_longer_than_a_queue_keeps_its_message() {
    let scene = scene(vec![python("resize")]);
    let gate = scene.path("gate").display().to_string();
    scene.ask("j-1", "resize", &json!({ "until": gate }));
    let sandbox = scene.worker(&["--idle", "1s", "--visibility", "3s", "--hold", "2s"]);
    let mut child = sandbox.start();
    let lines = listen(&mut child);
    hear(&lines, "a message is let go of");
    until("no message", || scene.queue() == (0, 0));
    assert!(scene.read("j-1/outcome").is_none());
    // Its record says that it goes on: another message for it, as whoever looks after jobs may send, changes nothing.
    let early = scene.attempt("j-1", 1).unwrap()["aliveUntil"].clone();
    scene.send(&[json!({ "job": scene.address("j-1"), "attempt": 2 }).to_string()]);
    until("heard of", || scene.attempt("j-1", 1).unwrap()["aliveUntil"] != early);
    let other = scene.worker(&["--idle", "1s", "--visibility", "3s"]).run();
    other.ends_with(0).says("its job is at work elsewhere");
    scene.write("gate", "");
    assert!(child.wait().unwrap().success());
    assert_eq!(scene.outcome("j-1")["attempt"], 1);
    assert!(scene.attempt("j-1", 2).is_none());
    scene.worker(&["--idle", "5s", "--visibility", "3s"]).run().ends_with(0);
    assert_eq!((scene.unfinished(), scene.queue()), (0, (0, 0)));
}

#[test]
fn what_leads_to_no_job_stops_nobody() {
    let elsewhere = Deployed::new(&Package::default(), "java21", "x").named("elsewhere");
    let scene = scene(vec![python("resize"), python("other"), elsewhere]);
    scene.job("done", "resize", &json!({}));
    scene.send(&[scene.pointer("done")]);
    scene.worker(&["--idle", "2s"]).run().ends_with(0);
    let outcome = scene.outcome("done");
    for (id, function) in [("lost", "elsewhere"), ("not-mine", "other"), ("mine", "resize")] {
        scene.job(id, function, &json!({}));
    }
    let foreign = r#"{"job":"file:///somewhere/jobs/x"}"#.to_owned();
    scene.send(&[
        "canary garbage".to_owned(),
        scene.pointer("unknown"),
        foreign,
        scene.pointer("done"),
        scene.pointer("done"),
        scene.pointer("lost"),
        scene.pointer("not-mine"),
        scene.pointer("mine"),
    ]);
    let ledger = format!("file://{}", scene.path("ledger").display());
    let arguments = ["--idle", "3s", "--function", "resize", "--ledger", &ledger];
    let run = scene.worker(&arguments).run();
    run.ends_with(0)
        .says("expected a pointer like")
        .says("there is no job file://")
        .says("expected a job of file://")
        .says("expected a job of `resize`, found one of `other`")
        .says("has its outcome since attempt 1: nothing was to be done")
        .never_says("canary");
    assert_eq!(scene.answer("mine")["name"], "resize");
    assert_eq!(scene.outcome("done"), outcome);
    assert!(scene.attempt("lost", 1).is_none() && scene.attempt("not-mine", 1).is_none());
    // What is understood and done is deleted; what is not, waits for somebody else.
    assert_eq!(scene.queue(), (0, 5));
    scene.send(&[scene.pointer("lost")]);
    scene.worker(&["--idle", "2s"]).run().ends_with(0).says("no client for runtime `java21`");
    assert!(scene.attempt("lost", 1).is_none());
}

#[test]
fn what_cannot_be_run_is_an_outcome_and_what_cannot_be_had_is_tried_again() {
    let cobol = Deployed::new(&Package::default(), "cobol85", "x").named("cobol");
    let scene = scene(vec![python("resize"), cobol, python("hidden").code_status(403)]);
    for (id, function) in
        [("old", "cobol"), ("gone", "absent"), ("denied", "hidden"), ("good", "resize")]
    {
        scene.ask(id, function, &json!({}));
    }
    let run = scene.worker(&["--idle", "3s"]).run();
    run.ends_with(0);
    assert_eq!(scene.outcome("old")["facts"]["errorType"], "Immortal.Refused");
    assert_eq!(scene.answer("good")["name"], "resize");
    for id in ["gone", "denied"] {
        let attempt = scene.attempt(id, 1).unwrap();
        assert_eq!(attempt["state"], "ended", "{attempt}");
        assert!(scene.read(&format!("{id}/outcome")).is_none());
    }
    assert_eq!((scene.unfinished(), scene.queue()), (2, (0, 2)), "{}", run.stderr);
}

#[test]
fn at_a_stop_everything_is_handed_back_at_once() {
    let scene = scene(vec![python("resize")]);
    let gate = scene.path("gate").display().to_string();
    for number in 1..=3 {
        scene.ask(&format!("short-{number}"), "resize", &json!({}));
    }
    let sandbox = scene.worker(&[]).variable("IMMORTAL_STOP_TIMEOUT", "4s");
    let mut child = sandbox.start();
    let lines = listen(&mut child);
    until("three outcomes", || {
        (1..=3).all(|n| scene.read(&format!("short-{n}/outcome")).is_some())
    });
    for number in 1..=5 {
        scene.job(&format!("j-{number}"), "resize", &json!({ "until": gate }));
    }
    let pointers: Vec<String> = (1..=5).map(|n| scene.pointer(&format!("j-{n}"))).collect();
    scene.send(&pointers);
    hear(&lines, "waiting");
    terminate(&child);
    let since = Instant::now();
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert!(since.elapsed() < Duration::from_secs(20), "{:?}", since.elapsed());
    assert_eq!(scene.queue(), (5, 0), "all may be received now");
    let attempts: Vec<Value> =
        (1..=5).filter_map(|n| scene.attempt(&format!("j-{n}"), 1)).collect();
    assert!(!attempts.is_empty());
    assert!(attempts.iter().all(|attempt| attempt["state"] == "interrupted"), "{attempts:?}");
    scene.write("gate", "");
    scene.worker(&["--idle", "3s"]).run().ends_with(0);
    assert!((1..=5).all(|n| scene.read(&format!("j-{n}/outcome")).is_some()));
    assert_eq!((scene.unfinished(), scene.queue()), (0, (0, 0)));
}

#[test]
fn an_answer_within_the_grace_is_recorded() {
    let scene = scene(vec![Deployed::new(&e2e::python(), "python3.11", "app.in_time")]);
    scene.ask("j-1", "resize", &json!({}));
    let sandbox = scene.worker(&[]);
    let mut child = sandbox.start();
    wait_for(&mut child, "ready");
    terminate(&child);
    finish(child).0.ends_with(0);
    assert_eq!(scene.answer("j-1"), "in time");
    assert_eq!((scene.unfinished(), scene.queue()), (0, (0, 0)));
}

/// What waits behind a job that takes long is for others.
#[test]
fn a_long_job_keeps_nobody_waiting() {
    let scene = scene(vec![python("resize")]);
    let gate = scene.path("gate").display().to_string();
    for number in 1..=5 {
        scene.ask(&format!("short-{number}"), "resize", &json!({}));
    }
    let sandbox = scene.worker(&["--idle", "20s"]);
    let mut child = sandbox.start();
    let lines = listen(&mut child);
    until("outcomes", || (1..=5).all(|n| scene.read(&format!("short-{n}/outcome")).is_some()));
    scene.job("long", "resize", &json!({ "until": gate }));
    for number in 1..=4 {
        scene.job(&format!("j-{number}"), "resize", &json!({}));
    }
    let mut pointers = vec![scene.pointer("long")];
    pointers.extend((1..=4).map(|n| scene.pointer(&format!("j-{n}"))));
    scene.send(&pointers);
    hear(&lines, "waiting");
    scene.worker(&["--idle", "3s"]).run().ends_with(0);
    assert!((1..=4).all(|n| scene.read(&format!("j-{n}/outcome")).is_some()));
    assert!(scene.read("long/outcome").is_none());
    scene.write("gate", "");
    assert!(child.wait().unwrap().success());
    assert_eq!((scene.unfinished(), scene.queue()), (0, (0, 0)));
}

#[test]
fn jobs_may_run_side_by_side() {
    let scene = scene(vec![python("resize")]);
    let [one, two] = ["one", "two"].map(|name| scene.path(name).display().to_string());
    // Each waits for the other.
    scene.ask("j-1", "resize", &json!({ "leave": one, "until": two }));
    scene.ask("j-2", "resize", &json!({ "leave": two, "until": one }));
    scene.worker(&["--idle", "3s", "--concurrency", "2"]).run().ends_with(0);
    assert_ne!(scene.answer("j-1")["pid"], scene.answer("j-2")["pid"]);
}

/// An agent of ECS: what it was asked.
fn agent(answer: &'static str) -> (String, mpsc::Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (tell, asked) = mpsc::channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let (mut reader, mut lines, mut length) =
                (BufReader::new(stream.try_clone().unwrap()), Vec::new(), 0);
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap() == 0 || line == "\r\n" {
                    break;
                }
                if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                    length = text.trim().parse().unwrap();
                }
                lines.push(line);
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let asked: Value = serde_json::from_slice(&body).unwrap();
            if !lines[0].starts_with("PUT /task-protection/v1/state ") || tell.send(asked).is_err()
            {
                return;
            }
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                answer.len()
            );
            stream.write_all(format!("{head}{answer}").as_bytes()).unwrap();
        }
    });
    (address, asked)
}

#[test]
fn a_busy_worker_asks_ecs_not_to_be_ended() {
    let scene = scene(vec![python("resize")]);
    let (address, asked) = agent(r#"{"protection":{"ProtectionEnabled":true}}"#);
    for number in 1..=4 {
        scene.ask(&format!("j-{number}"), "resize", &json!({ "seconds": 0.2 }));
    }
    scene.worker(&["--idle", "4s"]).variable("ECS_AGENT_URI", &address).run().ends_with(0);
    let asked: Vec<Value> = asked.try_iter().collect();
    let minutes = json!({ "ProtectionEnabled": true, "ExpiresInMinutes": 10 });
    assert_eq!(asked, [minutes, json!({ "ProtectionEnabled": false })]);
}

#[test]
fn an_agent_that_refuses_is_said_once_and_stops_nobody() {
    let scene = scene(vec![python("resize")]);
    let (address, _asked) = agent(r#"{"failure":{"Arn":"a","Reason":"TASK_NOT_VALID"}}"#);
    scene.ask("j-1", "resize", &json!({}));
    let run = scene.worker(&["--idle", "1s"]).variable("ECS_AGENT_URI", &address).run();
    run.ends_with(0);
    assert_eq!(run.stderr.matches("TASK_NOT_VALID").count(), 1, "{}", run.stderr);
    assert_eq!(scene.answer("j-1")["count"], 1);
}

#[test]
fn a_queue_that_is_not_there_is_said() {
    let scene = scene(vec![python("resize")]);
    let url = format!("{}/123456789012/absent", scene.moto.url());
    let run = scene.with_world(Sandbox::new(&["work", "--queue", &url])).run();
    run.ends_with(69).says("ReceiveMessage").says("NonExistentQueue");
    scene.with_world(Sandbox::new(&["work"])).run().ends_with(64).says("--queue");
}

/// The same in S3.
#[test]
fn jobs_may_be_in_a_bucket() {
    let scene = scene(vec![python("resize")]);
    scene.moto.bucket("jobs-of-mine");
    let mut pointers = Vec::new();
    for number in 1..=3 {
        let id = format!("j-{number}");
        scene.moto.put(&format!("jobs-of-mine/p/active/{id}"), b"");
        let job = record(&id, "resize", &json!({})).to_string();
        scene.moto.put(&format!("jobs-of-mine/p/jobs/{id}/job.json"), job.as_bytes());
        pointers.push(json!({ "job": format!("s3://jobs-of-mine/p/jobs/{id}") }).to_string());
    }
    scene.send(&pointers);
    scene.worker(&["--idle", "3s"]).run().ends_with(0);
    let mut counts: Vec<u64> = (1..=3)
        .map(|number| {
            let text = scene.moto.get(&format!("jobs-of-mine/p/jobs/j-{number}/outcome.json"));
            let outcome: Value = serde_json::from_slice(&text.unwrap()).unwrap();
            assert!(scene.moto.get(&format!("jobs-of-mine/p/active/j-{number}")).is_none());
            outcome["record"]["responsePayload"]["count"].as_u64().unwrap()
        })
        .collect();
    counts.sort_unstable();
    assert_eq!((counts, scene.queue()), (vec![1, 2, 3], (0, 0)));
}

/// In a container `/tmp` is the function's own, and goes with its runtime.
#[test]
fn a_function_leaves_nothing_in_the_container_of_a_worker() {
    let scene = scene(vec![python("one"), python("two")]);
    scene.ask("j-1", "one", &json!({ "leave": "/tmp/secret", "look": "/tmp" }));
    scene.ask("j-2", "one", &json!({ "leave": "/dev/shm/secret", "look": "/tmp" }));
    let volume = format!("{0}:{0}", scene.path("ledger").display());
    let url = scene.url();
    let mut variables = scene.moto.variables();
    variables.extend(scene.plane.variables());
    variables.extend([("IMMORTAL_QUEUE", url.as_str()), ("IMMORTAL_IDLE", "6s")]);
    let options = ["--volume", volume.as_str()];
    let later = std::thread::scope(|scope| {
        let running = scope.spawn(|| confined(&options, "immortal/python", &variables));
        until("two outcomes", || {
            ["j-1", "j-2"].iter().all(|id| scene.read(&format!("{id}/outcome")).is_some())
        });
        scene.ask("j-3", "two", &json!({ "look": "/tmp" }));
        scene.ask("j-4", "two", &json!({ "look": "/dev/shm" }));
        until("all outcomes", || {
            ["j-3", "j-4"].iter().all(|id| scene.read(&format!("{id}/outcome")).is_some())
        });
        scene.ask("j-5", "one", &json!({ "look": "/var/task" }));
        running.join().unwrap()
    });
    later.ends_with(0);
    assert_eq!(scene.answer("j-2")["found"], json!(["secret"]), "one runtime, one /tmp");
    assert_eq!(scene.answer("j-3")["found"], json!([]));
    assert_eq!(scene.answer("j-4")["found"], json!([]));
    assert_eq!(scene.answer("j-5")["found"], json!(["app.py", "one.txt"]));
}
