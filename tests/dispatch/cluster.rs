//! On ECS: a cluster that keeps to its tokens, and that refuses.

use e2e::{Cluster, Faults};
use serde_json::json;

use crate::world::{World, slow};

const FAST: &str =
    "[serve]\nevery = \"1s\"\n[watch]\npause = \"1s\"\ngrace = \"2s\"\nunseen = \"2s\"\n";

fn run(world: &World, cluster: &Cluster) -> serde_json::Value {
    let _serving =
        world.served_by(&crate::world::dispatcher(), &[("AWS_ENDPOINT_URL_ECS", cluster.url())]);
    let request = json!({ "immortal": 1, "id": "j-1", "function": "resize", "event": 1 });
    world.send(&request.to_string(), &json!({}));
    world.records(1).remove(0)
}

fn cluster(world: &World, faults: Faults) -> Cluster {
    let runtimes = e2e::root().join(".runtimes").display().to_string();
    let mut variables = world.variables();
    variables.push(("IMMORTAL_RUNTIME_DIR", &runtimes));
    Cluster::start(&variables, faults)
}

#[test]
fn a_task_runs_a_function_to_its_end() {
    let world = World::with(slow("python3.11"));
    world.on(&(world.queue("auto") + FAST));
    let cluster = cluster(&world, Faults::default());
    let record = run(&world, &cluster);
    assert_eq!(record["responsePayload"], json!({ "done": 1, "id": "j-1" }));
    assert_eq!(cluster.calls()["RunTask"], 1);
    let shown = world.json(&["show", "j-1", "--json"]);
    let placement = &shown["launches"][0]["placement"];
    assert_eq!(placement["taskDefinition"], "immortal-python-x86-64");
    assert_eq!(placement["size"], json!({ "cpu": 256, "memory": 512 }));
}

#[test]
fn a_task_that_never_starts_is_followed_until_the_job_is_given_up_in_words() {
    let world = World::with(slow("python3.11"));
    world.on(&(world.queue("auto") + &FAST.replace("[watch]", "[watch]\nattempts = 2")));
    let cluster = cluster(&world, Faults { unstarted: 1.0, ..Faults::default() });
    let record = run(&world, &cluster);
    let message = record["responsePayload"]["errorMessage"].as_str().unwrap();
    assert!(
        message.contains("lost after 2 attempts: image-pull: CannotPullContainerError"),
        "{message}"
    );
    assert_eq!(cluster.started(), 2);
}
