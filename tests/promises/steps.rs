//! Between two steps of a job: told to stop while a claim is not answered, alone once the outcome is decided, without
//! a place to work in, and with an answer that never comes to its end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use e2e::{ControlPlane, Deployed, Moto, Package, Sandbox, between, python};
use serde_json::{Value, json};

use crate::jobs::desk::recorded;
use crate::process::{finish, terminate};

const ATTEMPT: &str = "/jobs-of-mine/p/jobs/j-1/attempts/1.json";
const OUTCOME: &str = "/jobs-of-mine/p/jobs/j-1/outcome.json";

/// A job in a bucket, a function, and the runner before it, which reaches the bucket by this address.
fn attempt(moto: &Moto, plane: &ControlPlane, bucket: &str) -> Sandbox {
    attempt_for(&[], moto, plane, bucket)
}

/// The same, of a job whose outcome goes to these.
fn attempt_for(destinations: &[&str], moto: &Moto, plane: &ControlPlane, bucket: &str) -> Sandbox {
    let job = json!({
        "version": 1, "id": "j-1", "function": "resize", "event": 1, "destinations": destinations,
        "origin": { "kind": "direct" }, "created": "2026-10-09T16:43:26.568Z",
    });
    recorded(moto, plane, &job.to_string())
        .variable("IMMORTAL_STOP_TIMEOUT", "4s")
        .variable("AWS_ENDPOINT_URL_S3", bucket)
}

fn echo() -> ControlPlane {
    ControlPlane::with(Deployed::new(&python(), "python3.11", "app.echo"))
}

fn read(moto: &Moto, key: &str) -> Option<Value> {
    Some(serde_json::from_slice(&moto.get(&key[1..])?).unwrap())
}

/// The claim has had its effect, and nobody knows: an answer that comes late hands the attempt back; one that never
/// comes leaves it as a kill would, and does not hold up the stop.
#[test]
fn a_stop_in_the_middle_of_a_claim_is_neither_held_up_nor_forgotten() {
    for (late, state) in [(true, "interrupted"), (false, "claimed")] {
        let (moto, plane) = (Moto::start(), echo());
        let (seen, claimed) = mpsc::channel();
        let bucket = between(moto.url(), move |request, answer| {
            if !request.starts_with(&format!("PUT {ATTEMPT}")) || seen.send(()).is_err() {
                return Some(answer);
            }
            std::thread::sleep(Duration::from_secs(1));
            late.then_some(answer)
        });
        let child = attempt(&moto, &plane, &bucket);
        let child = child.start();
        claimed.recv_timeout(Duration::from_mins(1)).unwrap();
        drop(claimed);
        terminate(&child);
        let (run, took) = finish(child);
        run.ends_with(143);
        assert!(took < Duration::from_secs(5), "late: {late}, {took:?}");
        assert_eq!(read(&moto, ATTEMPT).unwrap()["state"], state, "{run:#?}");
        assert!(read(&moto, OUTCOME).is_none() && moto.get("jobs-of-mine/p/active/j-1").is_some());
    }
}

/// The same trouble is 69 before the outcome is decided and 75 after it: then the job is to be delivered, not run.
#[test]
fn trouble_with_the_ledger_is_69_before_the_decision_and_75_after_it() {
    const GONE: &[u8] = b"HTTP/1.1 404 Not Found\r\nContent-Length: 43\r\nConnection: close\r\n\r\n<Error><Code>NoSuchBucket</Code></Error>   ";
    for (last, code) in [(ATTEMPT, 69), (OUTCOME, 75)] {
        let (moto, plane, gone) = (Moto::start(), echo(), AtomicBool::new(false));
        let bucket = between(moto.url(), move |request, answer| {
            if gone.load(Ordering::SeqCst) {
                return Some(GONE.to_vec());
            }
            let is_last = request.starts_with(&format!("PUT {last}"));
            gone.store(is_last, Ordering::SeqCst);
            // Before the decision not even the claim is heard of.
            Some(if is_last && code == 69 { GONE.to_vec() } else { answer })
        });
        let run = attempt_for(&["stdout"], &moto, &plane, &bucket).run();
        run.ends_with(code).says("NoSuchBucket");
        assert_eq!(read(&moto, OUTCOME).is_some(), code == 75, "{run:#?}");
        assert!(moto.get("jobs-of-mine/p/active/j-1").is_some());
    }
}

/// What the machine does not give is our fault or its own: 70, and the job stays for the next attempt.
#[test]
fn without_a_place_to_work_in_it_is_70() {
    let (moto, plane) = (Moto::start(), echo());
    let nowhere = ["/usr/bin/env", "TMPDIR=/proc/nowhere"];
    let run = attempt(&moto, &plane, moto.url()).run_by(&nowhere);
    run.ends_with(70).says("/proc/nowhere");
    assert_eq!(read(&moto, ATTEMPT).unwrap()["state"], "ended");
    assert!(read(&moto, OUTCOME).is_none() && moto.get("jobs-of-mine/p/active/j-1").is_some());
}

/// A process in a session of its own holds the runtime's upload open: of a runtime that is gone that is no answer, and
/// one that stays has its deadline.
#[test]
fn an_upload_that_a_daemon_holds_open_is_not_waited_for_without_end() {
    let code = r#"#!/usr/bin/python3
import http.client, os, sys, time
api, prefix = os.environ["AWS_LAMBDA_RUNTIME_API"], "/2018-06-01/runtime/invocation"
connection = http.client.HTTPConnection(api)
connection.request("GET", prefix + "/next")
event = connection.getresponse()
how = event.read().decode()
connection.putrequest("POST", f"{prefix}/{event.headers['lambda-runtime-aws-request-id']}/response")
connection.putheader("Content-Length", "1000")
connection.endheaders()
connection.send(b"x")
time.sleep(0.2)
if os.fork() == 0:
    os.setsid()
    time.sleep(600)
if how == '"goes"':
    os._exit(0)
time.sleep(600)
"#;
    let package = Package::default().executable("bootstrap", code.as_bytes().to_vec());
    for (how, limit, expected) in
        [("goes", "120s", "Runtime.ExitError"), ("stays", "3s", "Sandbox.Timedout")]
    {
        let began = Instant::now();
        let run = Sandbox::invoke(&package, "provided.al2023", "h")
            .arguments(&["--max-duration", limit])
            .event(&format!("{how:?}"))
            .run();
        let took = began.elapsed();
        assert_eq!(run.error().0, expected, "{run:#?}");
        assert!(took < Duration::from_mins(1), "{how}: {took:?}");
    }
}
