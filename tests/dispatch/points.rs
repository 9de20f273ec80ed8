//! The dispatcher dies, fails or hesitates before and after each of its calls of the ledger, and between any two of its
//! other steps: what it began is brought to its end, once.
//!
//! `IMMORTAL_FAILING` is a directory with programs that were built with the feature `failpoints`. `SCHEDULES` says in how
//! many orders everything is to go wrong (`make test`: one; `make soak`: more).

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use e2e::{Deployed, Package};
use serde_json::{Value, json};

use crate::chaos::{arrived, send, setting};
use crate::world::{ARN, World};

const FAST: &str = "[serve]\nevery = \"1s\"\nhidden = \"10s\"\n[watch]\npause = \"1s\"\ngrace = \"2s\"\nunseen = \"2s\"\n";
/// What may go wrong at a call; at another step it can only be one of the first two.
const ACTIONS: [&str; 4] = ["kill", "panic", "error", "delay"];
/// Steps that are no calls of the ledger.
const STEPS: [&str; 14] = [
    "received",
    "resolved",
    "recorded",
    "intended",
    "starting",
    "started",
    "start-recorded",
    "decided",
    "delivering",
    "sent",
    "delivered",
    "quarantined",
    "before-delete",
    "after-delete",
];
/// The dispatcher's calls of the ledger.
const CALLS: [&str; 15] = [
    "read job",
    "write active",
    "create job",
    "create launches",
    "write launches",
    "list active",
    "list launches",
    "read launches",
    "list attempts",
    "read attempts",
    "read outcome",
    "create outcome",
    "write outcome",
    "delete active",
    "create quarantine",
];

/// Programs with failpoints, if there are any.
pub(crate) fn failing(program: &str) -> Option<PathBuf> {
    let found =
        std::env::var_os("IMMORTAL_FAILING").map(|folder| PathBuf::from(folder).join(program));
    if found.is_none() {
        eprintln!(
            "skipped: IMMORTAL_FAILING has no programs with failpoints; `make test` builds them"
        );
    }
    found
}

/// A function that notes that it began, in a file of its job, and takes so long.
pub(crate) fn world() -> World {
    let function = fs::read(env!("CARGO_BIN_EXE_chaotic")).unwrap();
    let package = Package::default().executable("bootstrap", function);
    World::with(Deployed::new(&package, "provided.al2023", "h").with("MemorySize", 256.into()))
}

/// The points before and after these calls.
pub(crate) fn around(calls: &[&str]) -> Vec<String> {
    calls.iter().flat_map(|call| [format!("before {call}"), format!("after {call}")]).collect()
}

/// A request to run the function.
pub(crate) fn request(world: &World, id: &str, millis: u64, bytes: u64) -> Value {
    let event = json!({ "job": id, "notes": world.path(&format!("{id}.notes")), "millis": millis, "bytes": bytes });
    json!({ "immortal": 1, "id": id, "function": "resize", "event": event })
}

/// How often a job's function was begun.
pub(crate) fn begun(world: &World, id: &str) -> usize {
    fs::read_to_string(world.path(&format!("{id}.notes"))).unwrap_or_default().lines().count()
}

/// A job whose first attempt somebody else has started, and which is dead: only its records tell.
pub(crate) fn abandoned(world: &World, id: &str) {
    let mut job = request(world, id, 0, 1);
    let then = "2026-10-09T16:43:26.568Z";
    job.as_object_mut().unwrap().remove("immortal");
    job["function"] = ARN.into();
    for (key, value) in [
        ("version", json!(1)),
        ("writer", json!("w")),
        ("context", json!({ "requestId": id })),
        ("origin", json!({ "kind": "direct" })),
        ("created", json!(then)),
    ] {
        job[key] = value;
    }
    let launch = json!({
        "version": 1, "number": 1, "series": 1, "writer": "w", "launcher": "process", "id": "1:1",
        "placement": { "environment": {}, "log": "none" }, "intended": then, "started": then,
    });
    let attempt = json!({
        "version": 1, "number": 1, "writer": "w", "state": "claimed", "runnerVersion": "0", "started": then,
    });
    let records = [("attempts/1", attempt), ("launches/1", launch), ("job", job)];
    for (name, record) in records {
        let path = world.path(&format!("ledger/jobs/{id}/{name}.json"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, record.to_string()).unwrap();
    }
    fs::create_dir_all(world.path("ledger/active")).unwrap();
    fs::write(world.path(&format!("ledger/active/{id}")), "").unwrap();
}

/// A failure that is not worth a re-run.
fn refused(id: &str) -> Value {
    json!({
        "version": "1.0", "timestamp": "2026-10-09T16:43:26.568Z",
        "requestContext": { "requestId": id, "functionArn": format!("{ARN}:$LATEST"),
            "condition": "RetriesExhausted", "approximateInvokeCount": 3 },
        "requestPayload": 1,
        "responseContext": { "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled" },
        "responsePayload": { "errorType": "ValueError", "errorMessage": "boom" },
    })
}

/// What was sent.
#[derive(Default)]
struct Sent {
    requests: BTreeSet<String>,
    refused: BTreeSet<String>,
    abandoned: BTreeSet<String>,
    poison: usize,
}

impl Sent {
    fn request(&mut self, world: &World, id: &str) -> String {
        self.requests.insert(id.to_owned());
        let millis = if is_looked_for(&id.replace('-', " ")) { 6_000 } else { 1_500 };
        request(world, id, millis, 1).to_string()
    }

    fn refused(&mut self, id: &str) -> String {
        self.refused.insert(id.to_owned());
        refused(id).to_string()
    }

    fn poison(&mut self) -> String {
        self.poison += 1;
        format!("no request at all: the text of nobody, {}", self.poison)
    }

    /// The message that leads to a point.
    fn leading(&mut self, world: &World, point: &str) -> String {
        let id = point.replace(' ', "-");
        let decides =
            ["create outcome", "write outcome", "delete active", "decided", "deliver", "sent"];
        match point {
            _ if point.contains("quarantine") => self.poison(),
            _ if decides.iter().any(|part| point.contains(part)) => self.refused(&id),
            _ => self.request(world, &id),
        }
    }

    /// Some of each.
    fn wave(&mut self, world: &World, name: &str) -> Vec<String> {
        let mut bodies = Vec::new();
        for number in 0..10 {
            bodies.push(self.request(world, &format!("{name}-{number}")));
            if number % 2 == 0 {
                bodies.push(self.refused(&format!("{name}-refused-{number}")));
                bodies.push(self.poison());
                let id = format!("{name}-abandoned-{number}");
                abandoned(world, &id);
                self.abandoned.insert(id);
            }
        }
        bodies
    }

    /// Everything came to its end, and no function was begun twice.
    fn ended(&self, world: &World) {
        world.until("all messages are deleted", || world.left() == 0);
        world.until("no job is unfinished", || world.unfinished() == 0);
        let kept = world.json(&["quarantine", "--json"]);
        assert_eq!(kept.as_array().unwrap().len(), self.poison, "messages that are kept");
        let jobs = world.json(&["jobs", "--all", "--json", "--limit", "10000"]);
        let expected: BTreeSet<&str> = [&self.requests, &self.refused, &self.abandoned]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        let found: BTreeSet<&str> =
            jobs.as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap()).collect();
        assert_eq!(found, expected);
        for job in jobs.as_array().unwrap() {
            let id = job["id"].as_str().unwrap();
            let again = 2 * u32::from(self.abandoned.contains(id));
            assert_eq!(job["attempts"], again + u32::from(self.requests.contains(id)), "{job}");
        }
        for id in self.requests.iter().chain(&self.abandoned) {
            assert_eq!(begun(world, id), 1, "how often the function of {id} was begun");
        }
        let arrived = arrived(world);
        assert_eq!(arrived.keys().map(String::as_str).collect::<BTreeSet<_>>(), expected);
        for (id, records) in &arrived {
            let payloads: BTreeSet<String> =
                records.iter().map(|record| record["responsePayload"].to_string()).collect();
            assert_eq!(payloads.len(), 1, "the outcomes of {id}");
        }
    }
}

/// Whether the point is reached by who looks after a job that another has started: of its own it knows that they are
/// alive.
fn is_looked_for(point: &str) -> bool {
    ["attempts", "read launches", "list launches"].iter().any(|part| point.contains(part))
}

/// Worlds beside each other: most of the time is spent waiting.
const WORLDS: usize = 4;

#[test]
fn nothing_is_lost_wherever_the_dispatcher_dies() {
    let Some(failing) = failing("immortal-dispatcher") else { return };
    let points: Vec<String> =
        STEPS.iter().map(|&step| step.to_owned()).chain(around(&CALLS)).collect();
    std::thread::scope(|scope| {
        for first in 0..WORLDS {
            let some = points.iter().skip(first).step_by(WORLDS);
            scope.spawn(|| killed(&failing, some));
        }
    });
    eprintln!("{} points at which a dispatcher was killed", points.len());
}

/// One dispatcher after the other is killed, each at its point; the last one brings everything to its end.
fn killed<'a>(failing: &Path, points: impl Iterator<Item = &'a String>) {
    let (world, mut sent) = (world(), Sent::default());
    world.config(&(world.queue("auto") + FAST));
    for point in points {
        let body = sent.leading(&world, point);
        world.moto.call(
            "sqs",
            "AmazonSQS.SendMessage",
            &json!({ "QueueUrl": world.url("failed"), "MessageBody": body }),
        );
        if is_looked_for(point) {
            let _starting = world.serve();
            world.until("it is begun", || begun(&world, &point.replace(' ', "-")) == 1);
        }
        let mut dying = world.served_by(failing, &[("IMMORTAL_FAILPOINT", point)]);
        let ended = || world.log().contains(&format!("the failpoint {point}:kill\n"));
        world.until(&format!("it is at {point}"), ended);
        assert_eq!(dying.0.wait().unwrap().signal(), Some(9), "{point}");
    }
    let _serving = world.serve();
    sent.ended(&world);
}

/// The whole list, in an order that the number tells.
fn schedule(number: u64) -> Vec<String> {
    let calls = around(&CALLS);
    let mut all: Vec<String> = STEPS.iter().map(|step| format!("{step}:panic")).collect();
    for action in &ACTIONS[1..] {
        all.extend(calls.iter().map(|point| format!("{point}:{action}")));
    }
    all.sort_by_key(|entry| {
        use std::hash::{DefaultHasher, Hash as _, Hasher as _};
        let mut hasher = DefaultHasher::new();
        (number, entry).hash(&mut hasher);
        hasher.finish()
    });
    all
}

#[test]
fn nothing_is_lost_whatever_fails_while_the_dispatcher_lives() {
    let Some(failing) = failing("immortal-dispatcher") else { return };
    let schedules = setting("SCHEDULES").unwrap_or(1);
    let mut cases = 0;
    for number in 0..schedules {
        let (world, mut sent) = (world(), Sent::default());
        world.config(&(world.queue("auto") + FAST));
        let entries = schedule(number);
        let serving = world.served_by(&failing, &[("IMMORTAL_FAILPOINT", &entries.join(","))]);
        let began = Instant::now();
        let missing = || {
            let log = world.log();
            let unseen = |entry: &&String| !log.contains(&format!("the failpoint {entry}\n"));
            entries.iter().filter(unseen).cloned().collect::<Vec<_>>()
        };
        for wave in 0.. {
            let left = missing();
            if left.is_empty() {
                break;
            }
            assert!(
                began.elapsed() < Duration::from_mins(2),
                "never reached: {left:?}\n{}",
                world.log()
            );
            send(&world, &sent.wave(&world, &format!("s{number}-w{wave}")));
            std::thread::sleep(Duration::from_secs(3));
        }
        assert_eq!(serving.alive(), Ok(true));
        sent.ended(&world);
        cases += entries.len();
    }
    eprintln!(
        "{cases} points at which a dispatcher panicked, was refused, got no answer or hesitated"
    );
}
