//! Large events: whole and unchanged wherever they go, never held in memory, and not lost where a reading breaks off.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use e2e::{ControlPlane, Deployed, Moto, Package, Run, Sandbox, between, fixture};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::process::{finish, peak_memory};

/// A JSON string of so many megabytes and two quotes, of which no two kilobytes are alike.
fn event(megabytes: usize) -> Vec<u8> {
    let mut event = Vec::with_capacity((megabytes << 20) + 2);
    event.push(b'"');
    for kilobyte in 0..megabytes << 10 {
        write!(event, "{kilobyte:0>1024}").unwrap();
    }
    event.push(b'"');
    event
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn plane() -> ControlPlane {
    let package = Package::default().executable("bootstrap", fixture("provided/digest.py"));
    ControlPlane::with(Deployed::new(&package, "provided.al2023", "h"))
}

fn job(event: &[u8], destinations: &[&str]) -> Value {
    let sha256 = sha256(event);
    json!({
        "version": 1, "id": "j-1", "writer": "w", "function": "resize",
        "eventObject": { "key": "jobs/j-1/event", "bytes": event.len(), "sha256": sha256 },
        "destinations": destinations, "origin": { "kind": "direct" },
        "created": "2026-10-09T16:43:26.568Z",
    })
}

/// What the function must have been given.
fn seen(event: &[u8]) -> Value {
    let sha256 = sha256(event);
    json!({
        "announced": event.len(), "type": "application/json", "bytes": event.len(), "sha256": sha256,
    })
}

fn sandbox(plane: &ControlPlane, variables: &[(&str, &str)]) -> Sandbox {
    let runtimes = e2e::root().join(".runtimes").display().to_string();
    let sandbox = Sandbox::new(&[]).variable("IMMORTAL_RUNTIME_DIR", &runtimes);
    let variables = plane.variables().into_iter().chain(variables.iter().copied());
    variables.fold(sandbox, |sandbox, (name, value)| sandbox.variable(name, value))
}

fn write(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// A quarter of a gigabyte comes, is given out, and goes on to a bucket as a part of the record, and none of it stays.
#[test]
fn a_very_large_event_is_never_held_in_memory() {
    const MEGABYTES: usize = 256;
    let (root, moto, plane, event) =
        (TempDir::new().unwrap(), Moto::start(), plane(), event(MEGABYTES));
    moto.bucket("records");
    moto.script("client('sqs').create_queue(QueueName='done')");
    let queue = format!("sqs:{}/123456789012/done", moto.url());
    let job = job(&event, &["s3://records", &queue]);
    let path = |name: &str| root.path().join(name);
    write(&path("active/j-1"), b"");
    write(&path("jobs/j-1/event"), &event);
    write(&path("jobs/j-1/job.json"), job.to_string().as_bytes());
    let address = format!("file://{}/jobs/j-1", root.path().display());
    let variables =
        [("IMMORTAL_JOB", &*address), ("IMMORTAL_ATTEMPT", "1"), ("AWS_ENDPOINT_URL", moto.url())];
    let sandbox = sandbox(&plane, &variables);
    let mut child = sandbox.start();
    let peak = peak_memory(&mut child);
    finish(child).0.ends_with(0);
    assert!((1..24 << 10).contains(&peak), "the supervisor's memory peaked at {peak} KiB");
    let outcome: Value =
        serde_json::from_slice(&std::fs::read(path("jobs/j-1/outcome.json")).unwrap()).unwrap();
    assert_eq!(outcome["record"]["responsePayload"], seen(&event));
    assert_eq!(
        (&outcome["request"], outcome["record"].get("requestPayload")),
        (&job["eventObject"], None)
    );
    // The bucket has the event itself, the queue its place.
    let found = moto.script(
        "import hashlib\n\
         s3 = client('s3')\n\
         key = s3.list_objects_v2(Bucket='records')['Contents'][0]['Key']\n\
         record = json.loads(s3.get_object(Bucket='records', Key=key)['Body'].read())\n\
         event = json.dumps(record['requestPayload']).encode()\n\
         queue = client('sqs').get_queue_url(QueueName='done')['QueueUrl']\n\
         body = client('sqs').receive_message(QueueUrl=queue)['Messages'][0]['Body']\n\
         result = [len(event), hashlib.sha256(event).hexdigest(), record['responsePayload'], json.loads(body)]",
    );
    assert_eq!(found[0], event.len());
    assert_eq!(found[1], job["eventObject"]["sha256"]);
    assert_eq!((&found[2], &found[3]["responsePayload"]), (&seen(&event), &seen(&event)));
    let named = &found[3]["requestPayload"]["immortal"];
    assert_eq!(named["ledger"], format!("file://{}/jobs/j-1/event", root.path().display()));
    assert_eq!((&named["bytes"], &named["sha256"]), (&json!(event.len()), &found[1]));
}

/// The most of an object that comes in one answer.
const CUT: usize = 700_000;

/// Stands before S3, breaks off what is large, and is too busy for every third request for an object of this name; counts
/// what was broken off.
fn cutting(moto: &Moto, name: &'static str) -> (String, Arc<AtomicUsize>) {
    let (cuts, asked) = (Arc::new(AtomicUsize::new(0)), AtomicUsize::new(0));
    let counted = Arc::clone(&cuts);
    let address = between(moto.url(), move |head, mut answer| {
        let is_meant = head.lines().next().is_some_and(|line| line.contains(name));
        if is_meant && asked.fetch_add(1, Ordering::Relaxed) % 3 == 1 {
            return Some(
                b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                    .to_vec(),
            );
        }
        if answer.len() > CUT {
            counted.fetch_add(1, Ordering::Relaxed);
            answer.truncate(CUT);
        }
        Some(answer)
    });
    (address, cuts)
}

/// From the ledger, and from an object of S3.
#[test]
fn an_event_whose_reading_breaks_off_arrives_whole() {
    let (moto, plane, event) = (Moto::start(), plane(), event(3));
    moto.bucket("ledger");
    moto.put("ledger/p/active/j-1", b"");
    moto.put("ledger/p/jobs/j-1/event", &event);
    moto.put("ledger/p/jobs/j-1/job.json", job(&event, &[]).to_string().as_bytes());
    let (endpoint, cuts) = cutting(&moto, "/event");
    let run = |variables: [(&str, &str); 2]| -> Run {
        let endpoint = ("AWS_ENDPOINT_URL_S3", endpoint.as_str());
        sandbox(&plane, &[&[endpoint], &variables[..]].concat()).run()
    };
    run([("IMMORTAL_JOB", "s3://ledger/p/jobs/j-1"), ("IMMORTAL_ATTEMPT", "1")]).ends_with(0);
    let outcome = moto.get("ledger/p/jobs/j-1/outcome.json").unwrap();
    let outcome: Value = serde_json::from_slice(&outcome).unwrap();
    assert_eq!(outcome["record"]["responsePayload"], seen(&event));
    let cut = cuts.swap(0, Ordering::Relaxed);
    assert!(cut >= 4, "{cut} answers were cut");
    let variables =
        [("IMMORTAL_FUNCTION", "resize"), ("IMMORTAL_EVENT", "s3://ledger/p/jobs/j-1/event")];
    assert_eq!(run(variables).json(), seen(&event));
    let cut = cuts.load(Ordering::Relaxed);
    assert!(cut >= 4, "{cut} answers were cut");
}

/// One that was changed is not run: the job says so.
#[test]
fn an_event_that_is_not_what_was_recorded_is_refused() {
    let (root, plane, event) = (TempDir::new().unwrap(), plane(), event(2));
    let path = |name: &str| root.path().join(name);
    write(&path("active/j-1"), b"");
    write(&path("jobs/j-1/event"), &event[..event.len() - 1]);
    write(&path("jobs/j-1/job.json"), job(&event, &["stdout"]).to_string().as_bytes());
    let address = format!("file://{}/jobs/j-1", root.path().display());
    let run = sandbox(&plane, &[("IMMORTAL_JOB", &address), ("IMMORTAL_ATTEMPT", "1")]).run();
    run.says("is not what was recorded");
    assert_eq!(run.code, 65, "{run:#?}");
    let outcome = std::fs::read(path("jobs/j-1/outcome.json")).unwrap();
    let outcome: Value = serde_json::from_slice(&outcome).unwrap();
    assert_eq!(outcome["record"]["responsePayload"]["errorType"], "Immortal.Refused");
    assert_eq!(outcome["request"]["bytes"], event.len());
}
