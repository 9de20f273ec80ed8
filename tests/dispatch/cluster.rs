//! On ECS: a cluster that keeps to its tokens, and that refuses.

use e2e::{Cluster, Deployed, Faults, Package};
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

#[test]
fn the_request_is_explained_before_it_is_made() {
    let world = World::with(slow("python3.11"));
    world.on(&world.queue("auto"));
    let file = world.path("message.json");
    std::fs::write(
        &file,
        "{\"immortal\":1,\"id\":\"j-1\",\"function\":\"resize\",\"event\":{\"canary\":1}}",
    )
    .unwrap();
    let told = world.json(&["explain", file.to_str().unwrap(), "--json"]);
    let request = &told[0]["placement"];
    assert_eq!(
        (&request["clientToken"], &request["startedBy"]),
        (&json!("j-1-1-1"), &json!("immortal/j-1/1"))
    );
    assert_eq!(request["overrides"]["cpu"], "256");
    assert_eq!(
        request["capacityProviderStrategy"],
        json!([{ "capacityProvider": "FARGATE", "weight": 1 }])
    );
    assert!(told[0]["cost"]["fargate"].as_f64().unwrap() > 0.0, "{told}");
    assert!(!told.to_string().contains("canary"), "{told}");
}

#[test]
fn a_request_may_not_say_where_its_outcome_goes_unless_that_is_allowed() {
    let world = World::with(slow("python3.11"));
    world.on(&world.queue("auto"));
    let file = world.path("message.json");
    std::fs::write(&file, "{\"immortal\":1,\"function\":\"resize\",\"destinations\":[\"sqs:http://169.254.170.2/v2\"]}").unwrap();
    let told = world.json(&["explain", file.to_str().unwrap(), "--json"]);
    assert_eq!(told[0]["runs"], false);
    assert!(
        told[0]["verdict"].as_str().unwrap().contains("`destinations = true` in [allow]"),
        "{told}"
    );
}

/// ECS forgets a token an hour after its task has stopped: then only the task itself tells that it was started.
#[test]
fn a_task_that_was_started_long_ago_and_not_recorded_is_found() {
    let world = World::with(slow("python3.11"));
    world.on(&(world.queue("auto") + "[watch]\npause = \"1h\"\nlongest_pause = \"1h\"\n"));
    // It has stopped before it began: nobody else brings the job to its end meanwhile.
    let cluster = cluster(&world, Faults { unstarted: 1.0, ..Faults::default() });
    let variables = [("AWS_ENDPOINT_URL_ECS", cluster.url())];
    let serving = world.served_by(&crate::world::dispatcher(), &variables);
    let request = json!({ "immortal": 1, "id": "j-1", "function": "resize", "event": 1 });
    world.send(&request.to_string(), &json!({}));
    let path = world.path("ledger/jobs/j-1/launches/1.json");
    let read = || -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(&path).unwrap_or_default()).unwrap_or_default()
    };
    world.until("it is started", || read()["id"].is_string());
    drop(serving);
    let mut launch = read();
    let id = launch["id"].clone();
    launch.as_object_mut().unwrap().retain(|key, _| key != "started" && key != "id");
    launch["intended"] = "2026-01-01T00:00:00.000Z".into();
    std::fs::write(&path, launch.to_string()).unwrap();
    cluster.forgets_tokens();
    let mut reconcile = world.command(&["reconcile"]);
    assert!(reconcile.envs(variables).status().unwrap().success());
    assert_eq!((&read()["id"], cluster.started()), (&id, 1));
}

/// `CloudWatch` Logs has what a task writes, if its definition says so.
#[test]
fn whoever_waits_for_a_task_reads_its_last_line_meanwhile() {
    let code = "import time\ndef handler(event, context):\n    time.sleep(8)\n    return 'done'\n";
    let package = Package::default().file("app.py", code);
    let world = World::with(Deployed::new(&package, "python3.11", "app.handler"));
    world.on("");
    let cluster = cluster(&world, Faults::default());
    cluster.register(&json!({
        "family": "immortal-python-x86-64",
        "containerDefinitions": [
            { "name": "beside" },
            { "name": "runner", "logConfiguration": { "logDriver": "awslogs", "options": {
                "awslogs-group": "/immortal", "awslogs-stream-prefix": "run", "awslogs-region": "eu-west-1",
            } } },
        ],
    }));
    world.moto.script(
        "logs, group, stream = client('logs'), '/immortal', 'run/runner/0'\n\
         logs.create_log_group(logGroupName=group)\n\
         logs.create_log_stream(logGroupName=group, logStreamName=stream)\n\
         now = 1000 * int(__import__('time').time())\n\
         events = [{'timestamp': now + n, 'message': f'step {n} \\x1b[2J'} for n in range(3)]\n\
         logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)",
    );
    let mut submit = world.command(&["submit", "resize", "--id", "mine", "--wait"]);
    let output = submit.env("AWS_ENDPOINT_URL_ECS", cluster.url()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "\"done\"", "{told}");
    let lines: Vec<&str> = told.lines().filter(|line| line.contains(": step ")).collect();
    assert!(!lines.is_empty(), "{told}");
    for line in lines {
        assert!(line.contains("mine: running since ") && line.ends_with(": step 2 [2J"), "{told}");
    }
}
