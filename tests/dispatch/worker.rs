//! Attempts that workers make: sent as a message, taken by a real worker, followed by another where that died.

use std::fs;
use std::process::{Command, Output};

use e2e::Deployed;
use serde_json::{Value, json};

use crate::world::{World, slow};

const JOB: &str = "8f0d0d9a-6e0b-4c1d-8a3c-5b4b2f5a9b11";

fn world(more: &str) -> World {
    with("dead-letter", &format!("{more}\n[worker]\nmode = \"worker\""))
}

/// With messages of this kind, and a configuration that ends with that of workers.
fn with(kind: &str, more: &str) -> World {
    of(slow("python3.11"), kind, more)
}

/// The same for this function.
fn of(function: Deployed, kind: &str, more: &str) -> World {
    let world = World::with(function);
    world.moto.script("client('sqs').create_queue(QueueName='work')");
    let workers = format!("{more}\nqueue = \"{}\"\n", world.url("work"));
    world.config(&format!("{}[watch]\npause = \"1s\"\n{workers}", world.queue(kind)));
    world
}

/// Works until its queue was empty for a while.
fn work(world: &World) -> Output {
    let mut command = Command::new(e2e::runner());
    command.args(["work", "--idle", "3s", "--queue", &world.url("work")]).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap()).envs(world.variables());
    command.env("IMMORTAL_RUNTIME_DIR", e2e::root().join(".runtimes"));
    command.env("IMMORTAL_DESTINATIONS", format!("sqs:{}", world.url("done")));
    command.env("TMPDIR", world.directory.path()).output().unwrap()
}

fn read(world: &World, name: &str) -> Value {
    serde_json::from_slice(&fs::read(world.path(&format!("ledger/jobs/{JOB}/{name}"))).unwrap())
        .unwrap()
}

#[test]
fn a_dead_letter_is_run_by_a_worker() {
    let world = world("");
    let serving = world.serve();
    world.dead_letter(r#"{"n":1}"#);
    world.until("its message is dispatched", || {
        world.left() == 0 && world.path(&format!("ledger/jobs/{JOB}/launches/1.json")).exists()
    });
    drop(serving);
    let launch = read(&world, "launches/1.json");
    assert_eq!(
        (&launch["launcher"], &launch["placement"]["queue"]),
        (&json!("worker"), &json!(world.url("work")))
    );
    assert!(launch["id"].as_str().unwrap().starts_with("message "), "{launch}");
    // While its message waits, nobody is taken for dead.
    world.run(&["reconcile"]);
    assert!(!world.path(&format!("ledger/jobs/{JOB}/launches/2.json")).exists());
    let worked = work(&world);
    assert!(worked.status.success(), "{}", String::from_utf8_lossy(&worked.stderr));
    let record = &world.records(1)[0];
    assert_eq!(record["responsePayload"]["done"], json!({ "n": 1 }));
    assert_eq!(world.unfinished(), 0);
}

#[test]
fn a_worker_that_is_not_heard_of_again_is_followed_by_another() {
    let world = world("");
    let serving = world.serve();
    world.dead_letter("{}");
    world.until("its start is recorded", || {
        let path = world.path(&format!("ledger/jobs/{JOB}/launches/1.json"));
        fs::read_to_string(path).is_ok_and(|text| text.contains("\"started\""))
    });
    drop(serving);
    let alive = |until: &str| {
        let attempt = json!({
            "version": 1, "number": 1, "writer": "dead", "state": "claimed", "runnerVersion": "0",
            "started": "2026-10-09T16:43:26.568Z", "aliveUntil": until,
        });
        let path = world.path(&format!("ledger/jobs/{JOB}/attempts/1.json"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, attempt.to_string()).unwrap();
    };
    alive("2999-01-01T00:00:00.000Z");
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    world.run(&["reconcile"]);
    assert!(!world.path(&format!("ledger/jobs/{JOB}/launches/2.json")).exists());
    alive("2026-10-09T16:45:26.568Z");
    let said = world.run(&["reconcile"]);
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(
        said.contains("its worker was to be heard of again before 2026-10-09T16:45:26.568Z"),
        "{said}"
    );
    let launch = read(&world, "launches/2.json");
    assert!(launch["placement"]["message"].as_str().unwrap().contains("\"attempt\":2"), "{launch}");
    // Both messages are there; there is one outcome.
    assert!(work(&world).status.success());
    assert_eq!(world.records(1).len(), 1);
    assert_eq!(
        (read(&world, "outcome.json")["attempt"].clone(), world.unfinished()),
        (json!(2), 0)
    );
    assert!(!world.path(&format!("ledger/jobs/{JOB}/attempts/3.json")).exists());
}

#[test]
fn who_runs_it_is_explained() {
    let world = world("[[function]]\nname = \"other*\"\nmode = \"task\"\n");
    let message =
        json!({ "MessageId": "m", "Body": r#"{"immortal":1,"function":"resize","event":{}}"# });
    fs::write(world.path("message.json"), message.to_string()).unwrap();
    let path = world.path("message.json").display().to_string();
    let told = &world.json(&["explain", "--json", &path])[0];
    assert_eq!(told["mode"], "for workers (`mode = \"worker\"`)", "{told}");
    assert_eq!(told["placement"]["queue"], json!(world.url("work")));
}

/// So many requests at once, dispatched: what each was started by.
fn started_by(world: &World, requests: usize) -> Vec<String> {
    for number in 0..requests {
        let request = json!({ "immortal": 1, "id": format!("j-{number}"), "function": "resize", "event": number });
        world.send(&request.to_string(), &json!({}));
    }
    let serving = world.serve();
    world.until("all are dispatched", || world.left() == 0);
    drop(serving);
    let launcher = |number| {
        let shown = world.json(&["show", &format!("j-{number}"), "--json"]);
        shown["launches"][0]["launcher"].as_str().unwrap().to_owned()
    };
    let mut found: Vec<String> = (0..requests).map(launcher).collect();
    found.sort();
    found
}

#[test]
fn the_few_get_containers_of_their_own_and_the_many_go_to_workers() {
    let world = with("direct", "[worker]\nmode = \"auto\"\nabove = 2");
    assert_eq!(started_by(&world, 5), ["process", "process", "worker", "worker", "worker"]);
    assert!(work(&world).status.success());
    let ids: std::collections::BTreeSet<String> = world
        .records(5)
        .iter()
        .map(|record| record["requestContext"]["requestId"].to_string())
        .collect();
    assert_eq!(ids.len(), 5, "{ids:?}");
    world.until("no job is unfinished", || world.unfinished() == 0);
}

#[test]
fn what_workers_are_too_small_for_gets_a_container_of_its_own_however_many_there_are() {
    let world = with("direct", "[worker]\nmode = \"auto\"\nabove = 0\nmemory = 128");
    assert_eq!(started_by(&world, 3), ["process", "process", "process"]);
    let request = world.path("message.json");
    fs::write(&request, r#"{"immortal":1,"function":"resize","event":{}}"#).unwrap();
    let told = &world.json(&["explain", "--json", &request.display().to_string()])[0];
    assert_eq!(
        told["mode"], "a container of its own: the function has 256 MB, more than 128",
        "{told}"
    );
    assert_eq!(world.records(3).len(), 3);
}

#[test]
fn what_workers_cannot_mount_gets_a_container_of_its_own_though_workers_are_asked_for() {
    let arn =
        "arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-0123456789abcdef0";
    let mounted = slow("python3.11")
        .with("FileSystemConfigs", json!([{ "Arn": arn, "LocalMountPath": "/mnt/data" }]));
    let world = of(mounted, "direct", "[worker]\nmode = \"worker\"");
    assert_eq!(started_by(&world, 1), ["process"]);
    let request = world.path("message.json");
    fs::write(&request, r#"{"immortal":1,"function":"resize","event":{}}"#).unwrap();
    let told = &world.json(&["explain", "--json", &request.display().to_string()])[0];
    let why = told["mode"].as_str().unwrap();
    assert!(why.contains("in spite of `mode = \"worker\"`") && why.contains(arn), "{told}");
    assert_eq!(world.records(1).len(), 1);
}
