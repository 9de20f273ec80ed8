//! The Runtime API on the wire: statuses, headers and bodies, as AWS documents them.

use e2e::{Package, Run, Sandbox, fixture};
use serde_json::{Value, json};

fn probe(event: &str) -> Run {
    let package = Package::default().executable("bootstrap", fixture("provided/probe.py"));
    Sandbox::invoke(&package, "provided.al2023", "h").event(event).run()
}

fn refused(from: &str, to: &str) -> Value {
    let message = format!(
        "State transition from {from} to {to} failed for runtime. Error: State transition is not allowed"
    );
    json!([403, "InvalidStateTransition", message])
}

#[test]
fn every_call_at_every_moment_has_its_documented_answer() {
    let run = probe("{}");
    let seen = run.ends_with(0).json();
    let unknown = json!([400, "InvalidRequestID", "Invalid request ID"]);
    let table = [
        ("ping", json!([200, "pong", null])),
        ("unknown path", json!([404, "404 page not found\n", null])),
        ("wrong method", json!([405, "", null])),
        ("early response", unknown.clone()),
        ("type", json!("application/json")),
        ("next again", json!([200, true, true])),
        ("wrong id", unknown.clone()),
        ("late init error", refused("Running", "InitError")),
        ("large header", unknown),
    ];
    for (call, answer) in table {
        assert_eq!(seen[call], answer, "{call}");
    }
    let second = [
        refused("RuntimeResponseSentState", "InvocationResponse"),
        refused("RuntimeResponseSentState", "InvocationErrorResponse"),
    ];
    let line = run.stderr.lines().find(|line| line.starts_with("[[403")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(line).unwrap(), json!(second));
}

#[test]
fn an_unknown_response_mode_fails_the_invocation_and_wedges_nothing() {
    let run = probe(r#"{"mode":"Streaming"}"#);
    run.says(r#"[400, "InvalidFunctionResponseMode", "Invalid function response mode"]"#);
    assert_eq!(run.error().0, "Runtime.InvalidResponseModeHeader");
    probe(r#"{"mode":"streaming"}"#).answers("{}");
}

#[test]
fn a_large_answer_arrives_whole_and_is_not_held_in_memory() {
    let run = probe(r#"{"megabytes":100}"#);
    run.ends_with(0);
    assert_eq!(run.stdout.len(), 100 << 20);
    assert!(run.stdout.bytes().all(|byte| byte == b'x'));
    let line = run.stderr.lines().find_map(|line| line.strip_prefix("VmHWM ")).unwrap();
    let peak: u64 = line.parse().unwrap();
    assert!(peak < 32 << 10, "the supervisor's memory peaked at {peak} KiB");
}

const SLOW: &str = r#"
import os, socket

held = []


def handler(event, context):
    host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
    while len(held) < 900:
        held.append(socket.create_connection((host, int(port))))
        held[-1].sendall(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nX-A: " + b"a" * 1000)
    status = open(f"/proc/{os.getppid()}/status").read()
    return int(status.split("VmHWM:")[1].split()[0])
"#;

#[test]
fn connections_that_never_say_what_they_want_cost_little_and_stop_nobody() {
    let package = Package::default().file("app.py", SLOW);
    let run = Sandbox::invoke(&package, "python3.11", "app.handler").run();
    let peak = run.ends_with(0).json().as_u64().unwrap();
    assert!(peak < 48 << 10, "the supervisor's memory peaked at {peak} KiB");
}
