//! Workers beside the stack: made, allowed what they call, and at work on what its dispatcher sends them.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::run::{Serving, Working};

#[test]
fn a_dead_letter_is_carried_by_a_worker() {
    let working = Working::with(&[("Dispatcher", "service")]);
    let workers = working.stack.workers("python");
    let path = working.directory.path().join("log");
    let log = || fs::File::options().create(true).append(true).open(&path).unwrap();
    // What the worker's container is told (moto keeps an item that has no value), with the session of the task role.
    let container = working.stack.container("workers");
    let told = container["environment"].as_array().unwrap().iter();
    let told: BTreeMap<&str, &str> =
        told.filter_map(|one| Some((one["name"].as_str()?, one["value"].as_str()?))).collect();
    assert_eq!(told["IMMORTAL_QUEUE"], workers["QueueUrl"]);
    let mut worker = Command::new(e2e::runner());
    worker.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).envs(told);
    worker.envs(&working.runner).env("TMPDIR", working.directory.path());
    worker.env("IMMORTAL_RUNTIME_DIR", e2e::root().join(".runtimes"));
    worker.stdout(Stdio::null()).stderr(log());
    let _worker = Serving(worker.spawn().unwrap());
    // The dispatcher, told of the queue as deploy/README.md says it.
    let configuration = format!(
        "{}\n[worker]\nmode = \"worker\"\nqueue = \"{}\"\n",
        working.stack.output("Configuration"),
        workers["QueueUrl"]
    );
    let mut dispatcher = Command::new(e2e::dispatcher());
    dispatcher.args(["serve", "--config", &configuration]).env_clear();
    dispatcher.envs(working.variables.iter().cloned()).stdout(Stdio::null()).stderr(log());
    let _dispatcher = Serving(dispatcher.spawn().unwrap());
    working.fails();
    let record = working.outcome(|| fs::read_to_string(&path).unwrap());
    assert_eq!(record["responsePayload"]["done"], json!({ "orderId": 42 }), "{record}");
    crate::rights::all_were_rights(&working.stack);
    grows_and_shrinks(&working, &workers["Service"]);
}

/// How many there are follows the backlog of each.
fn grows_and_shrinks(working: &Working, service: &str) {
    let scaling = |call: &str, key: &str| {
        working.stack.ask(&format!(
            "client('application-autoscaling').{call}(ServiceNamespace='ecs')[{key:?}]"
        ))
    };
    let target = &scaling("describe_scalable_targets", "ScalableTargets")[0];
    assert!(target["ResourceId"].as_str().unwrap().ends_with(service), "{target}");
    assert_eq!((&target["MinCapacity"], &target["MaxCapacity"]), (&json!(0), &json!(10)));
    let policies = scaling("describe_scaling_policies", "ScalingPolicies");
    assert_eq!(policies.as_array().unwrap().len(), 2, "{policies}");
    assert!(policies.to_string().contains("waiting / running"), "{policies}");
}
