//! Many messages while everything dies and refuses at random: two dispatchers, the tasks, ECS. Nothing is lost, no job
//! has two outcomes, nothing runs without a reason. `make chaos` runs it at length.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use e2e::{Cluster, Deployed, Faults, Package};
use serde_json::{Value, json};

use crate::world::{World, dispatcher};

/// In `make test`.
const IN_SHORT: u64 = 300;
/// So many messages are sent between two deaths, while fewer than those wait: what stands in for SQS looks at each of its
/// messages each time.
const WAVE: usize = 20;
const WAITING: u64 = 100;
/// Every tenth message comes twice, every twentieth is poison.
const TWICE: u64 = 10;
const POISON: u64 = 20;

pub(crate) fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().filter(|text| !text.is_empty()).map(|text| text.parse().unwrap())
}

/// All messages, ten at once.
pub(crate) fn send(world: &World, bodies: &[String]) {
    for some in bodies.chunks(10) {
        let entry = |(number, body)| json!({ "Id": format!("m-{number}"), "MessageBody": body });
        let entries: Vec<Value> = some.iter().enumerate().map(entry).collect();
        world.sqs("SendMessageBatch", "failed", json!({ "Entries": entries }));
    }
}

fn bodies(world: &World, jobs: u64) -> Vec<String> {
    let mut bodies = Vec::new();
    for number in 0..jobs {
        let id = format!("job-{number}");
        let notes = world.path(&format!("{id}.notes"));
        let event =
            json!({ "job": id, "notes": notes, "millis": number % 7 * 40, "bytes": number });
        let body =
            json!({ "immortal": 1, "id": id, "function": "resize", "event": event }).to_string();
        if number % TWICE == 0 {
            bodies.push(body.clone());
        }
        if number % POISON == 0 {
            bodies.push(format!("poison {number}"));
        }
        bodies.push(body);
    }
    bodies
}

/// Outcomes that have arrived, by request id.
pub(crate) type Arrived = BTreeMap<String, Vec<Value>>;

/// Outcomes that have arrived.
pub(crate) fn arrived(world: &World) -> Arrived {
    let mut found = Arrived::new();
    while fetched(world, &mut found) > 0 {}
    found
}

/// Takes up to ten from the queue of outcomes, and says how many.
fn fetched(world: &World, found: &mut Arrived) -> usize {
    let answer = world.sqs("ReceiveMessage", "done", json!({ "MaxNumberOfMessages": 10 }));
    let mut taken = Vec::new();
    for (number, message) in answer["Messages"].as_array().into_iter().flatten().enumerate() {
        let record: Value = serde_json::from_str(message["Body"].as_str().unwrap()).unwrap();
        let id = record["requestContext"]["requestId"].as_str().unwrap().to_owned();
        found.entry(id).or_default().push(record);
        let receipt = &message["ReceiptHandle"];
        taken.push(json!({ "Id": number.to_string(), "ReceiptHandle": receipt }));
    }
    if !taken.is_empty() {
        world.sqs("DeleteMessageBatch", "done", json!({ "Entries": taken }));
    }
    taken.len()
}

/// Kills a task within this time, which passes, if there is one: they are short.
fn kills(cluster: &Cluster, seed: u64, pause: Duration) -> bool {
    let (since, mut killed) = (Instant::now(), false);
    while since.elapsed() < pause {
        killed = killed || cluster.kill(seed);
        std::thread::sleep(Duration::from_millis(10));
    }
    killed
}

/// What came of a run.
#[derive(Default)]
struct Sum {
    violations: Vec<String>,
    figures: String,
}

/// Sends so many jobs through, while everything dies and refuses. `patience` is how long the rest may take.
fn run(seed: u64, jobs: u64, program: &Path, mutant: &str, patience: Duration) -> Sum {
    let function = std::fs::read(env!("CARGO_BIN_EXE_chaotic")).unwrap();
    let package = Package::default().executable("bootstrap", function);
    let world =
        World::with(Deployed::new(&package, "provided.al2023", "h").with("MemorySize", 256.into()));
    world.on(&(world.queue("auto")
        + "[serve]\nevery = \"1s\"\nhidden = \"10s\"\n[watch]\nattempts = 8\npause = \"1s\"\nlongest_pause = \"2s\"\ngrace = \"2s\"\nunseen = \"2s\"\n"));
    let faults = Faults {
        seed,
        throttled: 0.05,
        capacity: 0.03,
        lost: 0.02,
        unstarted: 0.02,
        forgotten: 0.02,
    };
    let cluster = Cluster::start(&world.variables(), faults);
    let variables = [("AWS_ENDPOINT_URL_ECS", cluster.url()), ("IMMORTAL_MUTANT", mutant)];
    let serve = || world.served_by(program, &variables);
    let (bodies, mut arrived) = (bodies(&world, jobs), Arrived::new());
    let mut waiting = bodies.chunks(WAVE);

    // Two at once, always; one after the other dies. Tasks die too.
    let (mut serving, mut deaths, mut killed) = ([serve(), serve()], 0_u64, 0_u64);
    // A queue may give messages to the dead, who keep them for as long as they are hidden: in the end all may live.
    let most = 20 + jobs;
    while deaths < most {
        let left = world.left();
        if left < WAITING
            && let Some(some) = waiting.next()
        {
            send(&world, some);
        } else if left == 0 {
            break;
        }
        while fetched(&world, &mut arrived) > 0 {}
        let pause = Duration::from_millis(300 + seed.wrapping_mul(deaths + 1) % 700);
        if killed * 10 < jobs {
            killed += u64::from(kills(&cluster, seed.wrapping_add(deaths), pause));
        } else {
            std::thread::sleep(pause);
        }
        let which = usize::from(deaths % 2 == 1);
        drop(std::mem::replace(&mut serving[which], serve()));
        deaths += 1;
    }
    waiting.for_each(|some| send(&world, some));
    let mut sum = Sum::default();
    let since = Instant::now();
    while (world.unfinished() > 0 || world.left() > 0) && since.elapsed() < patience {
        std::thread::sleep(Duration::from_millis(100));
    }
    let mut expect = |so: bool, what: String| sum.violations.extend((!so).then_some(what));
    expect(world.left() == 0, format!("{} messages are left", world.left()));
    expect(world.unfinished() == 0, format!("{} jobs are unfinished", world.unfinished()));

    while fetched(&world, &mut arrived) > 0 {}
    let expected: BTreeSet<String> = (0..jobs).map(|number| format!("job-{number}")).collect();
    let found: BTreeSet<String> = arrived.keys().cloned().collect();
    let lost: Vec<&String> = expected.difference(&found).collect();
    expect(lost.is_empty(), format!("lost: {lost:?}"));
    let (mut doubled, mut failed, mut begun) = (0, Vec::new(), 0);
    for (id, records) in &arrived {
        let payloads: BTreeSet<String> =
            records.iter().map(|record| record["responsePayload"].to_string()).collect();
        expect(payloads.len() == 1, format!("two outcomes of {id}: {payloads:?}"));
        doubled += records.len() - 1;
        let said = |record: &Value| {
            format!("{id}: {} {}", record["requestContext"], record["responsePayload"])
        };
        let is_failure = |record: &&Value| record["requestContext"]["condition"] != "Success";
        failed.extend(records.iter().find(is_failure).map(said));
        begun += std::fs::read_to_string(world.path(&format!("{id}.notes")))
            .unwrap_or_default()
            .lines()
            .count();
    }
    // A task that dies whenever it is begun anew uses its attempts up; nothing else is to fail.
    let spent = failed.iter().all(|said: &String| said.contains("lost after 8 attempts"));
    expect(spent, format!("failed: {failed:?}"));
    let kept = world.json(&["quarantine", "--json"]).as_array().unwrap().len() as u64;
    expect(kept == jobs.div_ceil(POISON), format!("{kept} poisonous messages are kept"));
    expect(
        cluster.conflicts() == 0,
        format!("{} tokens came with other parameters", cluster.conflicts()),
    );
    expect(cluster.repeated() == 0, format!("{} attempts were started again", cluster.repeated()));
    sum.figures = format!(
        "seed {seed}: {jobs} jobs; {deaths} dispatchers and {killed} tasks killed; functions begun {begun} times, \
         outcomes delivered twice {doubled}, used up {}, tasks {}, calls {:?}",
        failed.len(),
        cluster.started(),
        cluster.calls(),
    );
    sum
}

fn seed() -> u64 {
    setting("SEED").unwrap_or_else(|| u64::from(std::process::id()))
}

#[test]
fn nothing_is_lost_through_dispatcher_and_cluster() {
    let jobs = setting("JOBS").unwrap_or(IN_SHORT);
    let sum = run(seed(), jobs, &dispatcher(), "", Duration::from_mins(5));
    eprintln!("{}; violations {}", sum.figures, sum.violations.len());
    assert!(sum.violations.is_empty(), "{:#?}", sum.violations);
}

/// Deliberate defects of the protocol: each has to be caught, or the zeros above mean nothing.
#[test]
#[ignore = "wants a dispatcher with the feature `mutants`, IMMORTAL_MUTANTS: `make chaos MUTANTS=1`"]
fn each_mutant_is_caught() {
    let program = PathBuf::from(std::env::var_os("IMMORTAL_MUTANTS").unwrap());
    let mut survived = Vec::new();
    for mutant in [
        "delete-before-recording",
        "forget-after-start",
        "never-look-after",
        "token-at-random",
        "token-without-attempt",
        "intend-nothing",
        "quarantine-nothing",
        "lost-is-done",
    ] {
        // In short at first: what is caught by few is caught.
        let caught = [60, 240].into_iter().find_map(|jobs| {
            let sum = run(seed(), jobs, &program, mutant, Duration::from_secs(20));
            sum.violations.first().cloned().map(|violation| (jobs, violation))
        });
        match caught {
            Some((jobs, violation)) => {
                eprintln!("{mutant}: caught within {jobs} jobs: {violation:.120}");
            }
            None => survived.push(mutant),
        }
    }
    assert!(survived.is_empty(), "not caught: {survived:?}");
}
