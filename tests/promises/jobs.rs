//! Jobs of a ledger: one owner for an attempt, one outcome for a job, whatever happens.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;

use e2e::{ControlPlane, Deployed, Hush, Moto, Package, Run, Sandbox, confined, fixture, python};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{finish, peak_memory, terminate, wait_for};

const ARN: &str = "arn:aws:lambda:eu-west-1:123456789012:function:resize:$LATEST";

/// A ledger with one job, written by hand as docs/ledger.md has it.
struct Desk {
    root: TempDir,
    plane: ControlPlane,
    variables: Vec<(&'static str, String)>,
    destinations: String,
}

fn desk(handler: &str, event: &str) -> Desk {
    with(Deployed::new(&python(), "python3.11", handler), event)
}

fn with(function: Deployed, event: &str) -> Desk {
    let desk = Desk {
        root: TempDir::new().unwrap(),
        plane: ControlPlane::with(function),
        variables: Vec::new(),
        destinations: "stdout".to_owned(),
    };
    desk.write("active/j-1", "");
    desk.write("jobs/j-1/job.json", &job(event));
    desk
}

fn job(event: &str) -> String {
    let origin = json!({ "kind": "direct", "approximateInvokeCount": 3 });
    format!(
        r#"{{"version":1,"id":"j-1","function":"resize","event":{event},"context":{{"requestId":"r-1"}},"origin":{origin},"created":"2026-10-09T16:43:26.568Z"}}"#
    )
}

impl Desk {
    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn read(&self, name: &str) -> Value {
        let text = std::fs::read(self.path(name)).unwrap_or_else(|_| panic!("{name} is not there"));
        serde_json::from_slice(&text).unwrap()
    }

    fn has(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    fn variable(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    fn sandbox(&self, attempt: u32) -> Sandbox {
        let runtimes = e2e::root().join(".runtimes").display().to_string();
        let address = format!("file://{}/jobs/j-1", self.root.path().display());
        let sandbox = Sandbox::new(&[])
            .variable("IMMORTAL_RUNTIME_DIR", &runtimes)
            .variable("IMMORTAL_JOB", &address)
            .variable("IMMORTAL_ATTEMPT", &attempt.to_string())
            .variable("IMMORTAL_DESTINATIONS", &self.destinations);
        let own = self.variables.iter().map(|(name, value)| (*name, value.as_str()));
        let all = self.plane.variables().into_iter().chain(own);
        all.fold(sandbox, |sandbox, (name, value)| sandbox.variable(name, value))
    }

    fn run(&self, attempt: u32) -> Run {
        self.sandbox(attempt).run()
    }

    /// Started, with the directory that is to live as long.
    fn start(&self, attempt: u32) -> (Sandbox, Child) {
        let sandbox = self.sandbox(attempt);
        let child = sandbox.start();
        (sandbox, child)
    }
}

#[test]
fn a_job_ends_with_one_record_where_it_is_kept_and_where_it_is_wanted() {
    let desk = desk("app.echo", r#"{ "price": 1.10, "n": 12345678901234567890123 }"#);
    let run = desk.run(1);
    let record = run.ends_with(0).json();
    assert!(
        run.stdout.contains(r#""requestPayload":{ "price": 1.10, "n": 12345678901234567890123 }"#)
    );
    assert_eq!(
        record["requestContext"],
        json!({
            "requestId": "r-1", "functionArn": ARN, "condition": "Success", "approximateInvokeCount": 4,
        })
    );
    assert_eq!(
        record["responseContext"],
        json!({ "statusCode": 200, "executedVersion": "$LATEST" })
    );
    let outcome = desk.read("jobs/j-1/outcome.json");
    assert_eq!(outcome["record"], record);
    assert_eq!((&outcome["attempt"], &outcome["facts"]["attempts"]), (&json!(1), &json!(1)));
    assert!(outcome["facts"]["durationMs"].as_f64().unwrap() > 0.0, "{outcome}");
    assert!(outcome["facts"]["maxMemoryMb"].as_u64().unwrap() > 0, "{outcome}");
    assert!(outcome["delivered"].is_string(), "{outcome}");
    let attempt = desk.read("jobs/j-1/attempts/1.json");
    assert_eq!((&attempt["state"], &attempt["reason"]), (&json!("ended"), &json!("succeeded")));
    assert!(!desk.has("active/j-1"), "an unfinished job");
}

#[test]
fn a_failure_is_an_outcome_too() {
    let desk = desk("app.fail", "{}");
    let record = desk.run(1).ends_with(1).json();
    assert_eq!(record["requestContext"]["condition"], "RetriesExhausted");
    assert_eq!(record["responseContext"]["functionError"], "Unhandled");
    assert_eq!(record["responsePayload"]["errorMessage"], "boom");
    let facts = &desk.read("jobs/j-1/outcome.json")["facts"];
    assert_eq!((&facts["blame"], &facts["errorType"]), (&json!("Function"), &json!("ValueError")));
    assert!(!desk.has("active/j-1"));
}

#[test]
fn a_crash_says_how_it_ended() {
    let desk = desk("app.leave", r#"{"code":3}"#);
    desk.run(1).ends_with(1);
    let facts = &desk.read("jobs/j-1/outcome.json")["facts"];
    assert_eq!(
        (&facts["exit"], &facts["errorType"]),
        (&json!("exit status 3"), &json!("Runtime.ExitError"))
    );
}

#[test]
fn a_duplicate_does_nothing_and_says_so() {
    let desk = desk("app.echo", "1");
    desk.run(1).ends_with(0);
    let (outcome, requests) = (desk.read("jobs/j-1/outcome.json"), desk.plane.requests().len());
    for attempt in [1, 2] {
        let run = desk.run(attempt);
        run.ends_with(0).prints("").says("nothing was to be done");
    }
    assert_eq!(desk.read("jobs/j-1/outcome.json"), outcome);
    assert_eq!(desk.plane.requests().len(), requests, "nobody asked for the function again");
    assert!(!desk.has("jobs/j-1/attempts/2.json"));
}

#[test]
fn an_attempt_has_one_owner_even_if_that_is_dead() {
    let desk = desk("app.echo", "1");
    desk.write(
        "jobs/j-1/attempts/1.json",
        r#"{"version":1,"number":1,"writer":"w","state":"claimed","taskArn":"arn:of:a:task","runnerVersion":"0","started":"2026-10-09T16:43:26.568Z"}"#,
    );
    desk.run(1)
        .ends_with(0)
        .prints("")
        .says("is owned since 2026-10-09T16:43:26.568Z by arn:of:a:task");
    assert!(!desk.has("jobs/j-1/outcome.json") && desk.has("active/j-1"));
    desk.run(2).ends_with(0);
    assert_eq!(desk.read("jobs/j-1/outcome.json")["facts"]["attempts"], 2);
}

#[test]
fn a_large_answer_is_an_object_of_its_own() {
    let desk = desk("app.echo", &format!("\"{}\"", "x".repeat(3 << 20)));
    let run = desk.run(1);
    let record = run.ends_with(0).json();
    assert!(record["responsePayload"] == record["requestPayload"], "another answer");
    let outcome = desk.read("jobs/j-1/outcome.json");
    assert!(outcome["record"].get("responsePayload").is_none());
    assert_eq!(outcome["response"]["key"], "jobs/j-1/response");
    assert_eq!(outcome["response"]["bytes"], (3 << 20) + 2);
    assert_eq!(std::fs::metadata(desk.path("jobs/j-1/response")).unwrap().len(), (3 << 20) + 2);
    assert!(!desk.has("jobs/j-1/attempts/1.response"));
}

#[test]
fn what_is_interrupted_is_handed_back_and_the_next_attempt_ends_it() {
    let desk = desk("app.sleep", r#"{"seconds":60}"#).variable("IMMORTAL_STOP_TIMEOUT", "4s");
    let (_alive, mut child) = desk.start(1);
    wait_for(&mut child, "sleeping");
    terminate(&child);
    finish(child).0.ends_with(143).prints("");
    let attempt = desk.read("jobs/j-1/attempts/1.json");
    assert_eq!(
        (&attempt["state"], &attempt["reason"]),
        (&json!("interrupted"), &json!("told to stop"))
    );
    assert!(!desk.has("jobs/j-1/outcome.json") && desk.has("active/j-1"));
    let again = Desk {
        plane: ControlPlane::with(Deployed::new(&python(), "python3.11", "app.echo")),
        ..desk
    };
    again.run(2).ends_with(0);
    assert_eq!(again.read("jobs/j-1/outcome.json")["attempt"], 2);
}

#[test]
fn an_answer_within_the_grace_is_recorded() {
    let desk = desk("app.in_time", "{}");
    let (_alive, mut child) = desk.start(1);
    wait_for(&mut child, "ready");
    terminate(&child);
    finish(child).0.ends_with(0);
    assert_eq!(desk.read("jobs/j-1/outcome.json")["record"]["responsePayload"], "in time");
    assert!(!desk.has("active/j-1"));
}

#[test]
fn what_cannot_be_run_is_an_outcome_and_what_cannot_be_had_is_tried_again() {
    let desk_ = desk("app.echo", "{}");
    let refused = with(
        Deployed::new(&python(), "python3.11", "app.echo").with("Runtime", json!("cobol85")),
        "7",
    );
    refused.run(1).ends_with(65).says("cobol85");
    let outcome = refused.read("jobs/j-1/outcome.json");
    assert_eq!(
        (&outcome["facts"]["blame"], &outcome["record"]["requestPayload"]),
        (&json!("Job"), &json!(7))
    );
    assert_eq!(outcome["record"]["responsePayload"]["errorType"], "Immortal.Refused");
    assert!(!refused.has("active/j-1"));
    let unreachable = desk_
        .variable("AWS_ENDPOINT_URL_LAMBDA", "http://127.0.0.1:9")
        .variable("AWS_MAX_ATTEMPTS", "1");
    unreachable.run(1).ends_with(69);
    let attempt = unreachable.read("jobs/j-1/attempts/1.json");
    assert_eq!(attempt["state"], "ended");
    assert!(attempt["reason"].as_str().unwrap().contains("GetFunction"), "{attempt}");
    assert!(!unreachable.has("jobs/j-1/outcome.json") && unreachable.has("active/j-1"));
}

#[test]
fn what_is_no_job_is_refused_and_left_as_it_is() {
    let desk = desk("app.echo", "{}");
    let table = [
        ("{\"version\":2}", "it has version 2"),
        ("{", "is not a record of a ledger"),
        ("{\"version\":1}", "missing field"),
    ];
    for (text, expected) in table {
        desk.write("jobs/j-1/job.json", text);
        desk.run(1).ends_with(65).prints("").says(expected);
    }
    std::fs::remove_file(desk.path("jobs/j-1/job.json")).unwrap();
    desk.run(1).ends_with(65).says("there is no job file://");
    assert!(desk.has("active/j-1") && !desk.has("jobs/j-1/attempts"));
}

#[test]
fn a_decided_outcome_is_delivered_by_the_next_attempt() {
    let desk = desk("app.echo", "\"once\"");
    let record = desk.run(1).ends_with(0).stdout.clone();
    // As if the first had died between deciding and delivering.
    desk.write("active/j-1", "");
    desk.run(1).ends_with(0).prints("");
    assert!(desk.has("active/j-1"));
    let requests = desk.plane.requests().len();
    desk.run(2).ends_with(0).prints(&record);
    assert!(!desk.has("active/j-1"));
    assert_eq!(desk.plane.requests().len(), requests, "the function was not run again");
}

/// A stop at the very moment of the end: either there is an outcome, or the job is handed back; never both, never neither.
#[test]
fn a_stop_at_the_very_end_is_either_before_it_or_after_it() {
    let program = std::fs::read(env!("CARGO_BIN_EXE_chaotic")).unwrap();
    let package = Package::default().executable("bootstrap", program);
    let mut seen = [0; 2];
    for number in 0..40 {
        let notes = TempDir::new().unwrap();
        let event =
            json!({ "job": "j", "notes": notes.path().join("n"), "millis": 100, "bytes": 1 });
        let desk = with(Deployed::new(&package, "provided.al2023", "h"), &event.to_string());
        let (_alive, mut child) = desk.start(1);
        wait_for(&mut child, "START");
        std::thread::sleep(Duration::from_micros(95_000 + number * 500));
        terminate(&child);
        let (run, _) = finish(child);
        let (outcome, marker) = (desk.has("jobs/j-1/outcome.json"), desk.has("active/j-1"));
        let state = desk.read("jobs/j-1/attempts/1.json")["state"].clone();
        let expected =
            if run.code == 0 { (true, false, "ended") } else { (false, true, "interrupted") };
        assert_eq!((outcome, marker, state.as_str().unwrap()), expected, "{run:#?}");
        assert!([0, 143].contains(&run.code), "{run:#?}");
        seen[usize::from(outcome)] += 1;
    }
    assert!(seen[1] > 0, "none came to its end: {seen:?}");
}

/// A quarter of a gigabyte passes through, and none of it stays.
#[test]
fn a_very_large_answer_is_never_held_in_memory() {
    const MEGABYTES: u64 = 256;
    let package = Package::default().executable("bootstrap", fixture("provided/probe.py"));
    let function = Deployed::new(&package, "provided.al2023", "h");
    let mut desk = with(function, &format!(r#"{{"megabytes":{MEGABYTES}}}"#));
    desk.destinations = String::new();
    let (_alive, mut child) = desk.start(1);
    let peak = peak_memory(&mut child);
    finish(child).0.ends_with(0);
    assert_eq!(std::fs::metadata(desk.path("jobs/j-1/response")).unwrap().len(), MEGABYTES << 20);
    assert!((1..24 << 10).contains(&peak), "the supervisor's memory peaked at {peak} KiB");
}

/// The same in a container, whose ledger is a volume.
#[test]
fn a_job_runs_in_its_image() {
    let desk = desk("app.fail", "{}");
    let volume = format!("{}:/ledger", desk.root.path().display());
    let mut variables = desk.plane.variables();
    variables.extend([
        ("IMMORTAL_JOB", "file:///ledger/jobs/j-1"),
        ("IMMORTAL_ATTEMPT", "1"),
        ("IMMORTAL_DESTINATIONS", "stdout"),
    ]);
    let run = confined(&["--volume", &volume], "immortal/python", &variables);
    assert_eq!(run.ends_with(1).json()["responsePayload"]["errorMessage"], "boom");
    assert_eq!(desk.read("jobs/j-1/attempts/1.json")["state"], "ended");
    let again = confined(&["--volume", &volume], "immortal/python", &variables);
    again.ends_with(0).prints("").says("nothing was to be done");
    assert!(!desk.has("active/j-1"));
}

/// A job in a bucket, and whoever is to run it.
fn in_a_bucket(moto: &Moto, plane: &ControlPlane, event: &str) -> Sandbox {
    moto.bucket("jobs-of-mine");
    moto.put("jobs-of-mine/p/active/j-1", b"");
    moto.put("jobs-of-mine/p/jobs/j-1/job.json", job(event).as_bytes());
    let runtimes = e2e::root().join(".runtimes").display().to_string();
    let sandbox = Sandbox::new(&[])
        .variable("IMMORTAL_RUNTIME_DIR", &runtimes)
        .variable("IMMORTAL_JOB", "s3://jobs-of-mine/p/jobs/j-1")
        .variable("IMMORTAL_ATTEMPT", "1")
        .variable("IMMORTAL_DESTINATIONS", "s3://jobs-of-mine/done");
    let all = moto.variables().into_iter().chain(plane.variables());
    all.fold(sandbox, |sandbox, (name, value)| sandbox.variable(name, value))
}

/// A stop ends in time, though the ledger has fallen silent: whatever was to be said to it.
#[test]
fn a_silent_ledger_does_not_hold_up_a_stop() {
    let (moto, event) = (Moto::start(), r#"{"seconds":60}"#);
    for (before, said) in [("", "sleeping"), ("the job", "")] {
        let plane = ControlPlane::with(Deployed::new(&python(), "python3.11", "app.sleep"));
        let network = Hush::before(moto.url());
        let sandbox = in_a_bucket(&moto, &plane, event)
            .variable("AWS_ENDPOINT_URL_S3", network.url())
            .variable("IMMORTAL_STOP_TIMEOUT", "4s");
        if !before.is_empty() {
            network.falls();
        }
        let mut child = sandbox.start();
        if said.is_empty() {
            std::thread::sleep(Duration::from_millis(500));
        } else {
            wait_for(&mut child, said);
        }
        network.falls();
        terminate(&child);
        let (run, took) = finish(child);
        run.ends_with(143);
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
}

/// An agent of ECS: as the task metadata endpoint, version 4, answers (ECS developer guide).
fn agent(task: &'static str, container: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/v4/x", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line).unwrap();
            let body = if line.contains("/v4/x/task ") { task } else { container };
            let length = body.len();
            let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
        }
    });
    address
}

#[test]
fn an_attempt_says_which_task_and_container_makes_it() {
    let task = r#"{"Cluster":"c","TaskARN":"arn:aws:ecs:eu-west-1:123456789012:task/c/1","Family":"f","Revision":"3"}"#;
    let address = agent(task, r#"{"DockerId":"1-2","Name":"runner","Limits":{"CPU":2}}"#);
    let desk = desk("app.echo", "1").variable("ECS_CONTAINER_METADATA_URI_V4", &address);
    desk.run(1).ends_with(0);
    let attempt = desk.read("jobs/j-1/attempts/1.json");
    let found = (&attempt["taskArn"], &attempt["container"]);
    assert_eq!(found, (&json!("arn:aws:ecs:eu-west-1:123456789012:task/c/1"), &json!("1-2")));
    assert!(attempt["runnerVersion"].is_string() && attempt["started"].is_string(), "{attempt}");
    // A duplicate names it; an agent that is not there, or answers nonsense, stops nobody.
    desk.write("active/j-1", "");
    std::fs::remove_file(desk.path("jobs/j-1/outcome.json")).unwrap();
    desk.run(1).ends_with(0).says("arn:aws:ecs:eu-west-1:123456789012:task/c/1");
    let other = self::desk("app.echo", "1")
        .variable("ECS_CONTAINER_METADATA_URI_V4", &agent("nonsense", "[]"));
    other.run(1).ends_with(0);
    assert_eq!(other.read("jobs/j-1/attempts/1.json")["taskArn"], Value::Null);
}

/// AWS may say nothing at all: it is asked again, and again, and then the job is left for the next attempt.
#[test]
fn a_silent_lambda_is_not_waited_for_without_end() {
    let desk = desk("app.echo", "1");
    let network = Hush::before(&format!("http://{}", desk.plane.address()));
    network.falls();
    let desk =
        desk.variable("AWS_ENDPOINT_URL_LAMBDA", network.url()).variable("AWS_MAX_ATTEMPTS", "1");
    desk.run(1).ends_with(69).says("GetFunction");
    assert!(desk.has("active/j-1"));
}

/// Whoever is told to stop before the attempt is claimed leaves it to others.
#[test]
fn a_stop_before_the_claim_leaves_no_attempt() {
    let (moto, plane) =
        (Moto::start(), ControlPlane::with(Deployed::new(&python(), "python3.11", "app.echo")));
    let agent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", agent.local_addr().unwrap());
    let sandbox =
        in_a_bucket(&moto, &plane, "1").variable("ECS_CONTAINER_METADATA_URI_V4", &address);
    // Which does not answer.
    let child = sandbox.start();
    let _asked = agent.accept().unwrap();
    terminate(&child);
    let (run, took) = finish(child);
    run.ends_with(143);
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(moto.get("jobs-of-mine/p/jobs/j-1/attempts/1.json").is_none());
}

/// The same in S3.
#[test]
fn a_job_may_be_in_a_bucket() {
    let (moto, plane) =
        (Moto::start(), ControlPlane::with(Deployed::new(&python(), "python3.11", "app.echo")));
    let event = format!("\"{}\"", "x".repeat(300 << 10));
    in_a_bucket(&moto, &plane, &event).run().ends_with(0).prints("");
    let read = |name: &str| moto.get(&format!("jobs-of-mine/p/{name}"));
    let outcome: Value = serde_json::from_slice(&read("jobs/j-1/outcome.json").unwrap()).unwrap();
    assert_eq!(outcome["response"]["bytes"], event.len());
    assert!(read("jobs/j-1/response").unwrap() == event.as_bytes(), "another response");
    assert!(read("active/j-1").is_none());
    let listed = String::from_utf8(moto.get("jobs-of-mine?prefix=done").unwrap()).unwrap();
    let key = listed.split_once("<Key>").unwrap().1.split_once("</Key>").unwrap().0;
    assert!(key.starts_with("done/aws/lambda/async/resize/"), "{key}");
    let record: Value =
        serde_json::from_slice(&moto.get(&format!("jobs-of-mine/{key}")).unwrap()).unwrap();
    assert!(record["responsePayload"] == record["requestPayload"], "another response");
}

/// Nothing that a job holds reaches a log.
#[test]
fn no_event_and_no_answer_is_logged() {
    let desk = desk("app.echo", "\"canary-4711\"");
    let run = desk.run(1);
    assert!(run.ends_with(0).stdout.contains("canary-4711"));
    assert!(!run.stderr.contains("canary-4711"), "{}", run.stderr);
}
