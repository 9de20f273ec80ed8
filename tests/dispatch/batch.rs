//! On AWS Batch, whose stand-in takes jobs and says that they succeeded, and runs none: what is submitted, what is found
//! again, and that an end without an outcome is not believed.

use serde_json::{Value, json};

use crate::world::{World, slow};

const FAST: &str = "[serve]\nevery = \"1s\"\n[watch]\nattempts = 2\npause = \"1s\"\ngrace = \"2s\"\nunseen = \"2s\"\n";

/// A queue and a job definition, with Batch as launcher. The definition has a whole vCPU: the stand-in tells of it, and
/// not of the override, in a field of whole numbers.
fn world(more: &str) -> World {
    let world = World::with(slow("python3.11"));
    world.moto.configure(&json!({ "batch": { "use_docker": false } }));
    world.moto.script(
        "batch, ec2 = client('batch'), client('ec2')\n\
         role = client('iam').create_role(RoleName='batch', AssumeRolePolicyDocument='{}')['Role']['Arn']\n\
         subnet = ec2.describe_subnets()['Subnets'][0]['SubnetId']\n\
         group = ec2.describe_security_groups()['SecurityGroups'][0]['GroupId']\n\
         place = batch.create_compute_environment(computeEnvironmentName='fargate', type='MANAGED', serviceRole=role,\n    \
             computeResources={'type': 'FARGATE', 'maxvCpus': 4, 'subnets': [subnet], 'securityGroupIds': [group]})\n\
         order = [{'order': 1, 'computeEnvironment': place['computeEnvironmentArn']}]\n\
         batch.create_job_queue(jobQueueName='long', state='ENABLED', priority=1, computeEnvironmentOrder=order)\n\
         needs = [{'type': 'VCPU', 'value': '1'}, {'type': 'MEMORY', 'value': '2048'}]\n\
         batch.register_job_definition(jobDefinitionName='immortal-python-x86-64', type='container',\n    \
             platformCapabilities=['FARGATE'], containerProperties={'image': 'x', 'resourceRequirements': needs})",
    );
    let batch = "[launch]\nlauncher = \"batch\"\n[batch]\nqueue = \"long\"\ntimeout = \"2h\"\n";
    world.launched_by(batch, &(world.queue("auto") + more));
    world
}

/// What Batch knows of the jobs that have this name, in any spelling.
fn submitted(world: &World, name: &str) -> Vec<Value> {
    let script = format!(
        "batch = client('batch')\n\
         found = batch.list_jobs(jobQueue='long', filters=[{{'name': 'JOB_NAME', 'values': [{name:?}]}}])['jobSummaryList']\n\
         result = batch.describe_jobs(jobs=[j['jobId'] for j in found])['jobs'] if found else []",
    );
    world.moto.script(&script).as_array().unwrap().clone()
}

fn request(world: &World) {
    let request = json!({ "immortal": 1, "id": "j-1", "function": "resize", "event": 1 });
    world.send(&request.to_string(), &json!({}));
}

fn launch(world: &World) -> Option<Value> {
    let text = std::fs::read(world.path("ledger/jobs/j-1/launches/1.json")).ok()?;
    serde_json::from_slice(&text).ok()
}

fn name(world: &World) -> String {
    launch(world).unwrap()["placement"]["jobName"].as_str().unwrap().to_owned()
}

#[test]
fn an_attempt_is_a_job_and_its_success_is_no_outcome() {
    let world = world(FAST);
    let _serving = world.serve();
    request(&world);
    let record = world.records(1).remove(0);
    let message = record["responsePayload"]["errorMessage"].as_str().unwrap();
    assert!(message.contains("lost after 2 attempts: exited"), "{message}");
    let name = name(&world);
    assert!(name.starts_with("immortal-j-1-1-"), "{name}");
    let jobs = submitted(&world, &name);
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    let (job, container) = (&jobs[0], &jobs[0]["container"]);
    assert_eq!(job["timeout"]["attemptDurationSeconds"], 7200, "{job}");
    let told = container["environment"].as_array().unwrap();
    let address = format!("file://{}/jobs/j-1", world.path("ledger").display());
    for variable in [
        json!({ "name": "IMMORTAL_JOB", "value": address }),
        json!({ "name": "IMMORTAL_ATTEMPT", "value": "1" }),
    ] {
        assert!(told.contains(&variable), "{told:?}");
    }
    let second = name.replace("immortal-j-1-1-", "immortal-j-1-2-");
    assert_eq!(submitted(&world, &second).len(), 1);
}

/// `SubmitJob` has no token: a job that was submitted and not recorded is found by its name, in its very spelling.
#[test]
fn a_repetition_finds_the_job_that_was_submitted() {
    let world = world("[serve]\nevery = \"1h\"\n");
    let serving = world.serve();
    request(&world);
    world.until("the first attempt is submitted", || {
        launch(&world).is_some_and(|launch| launch["started"].is_string())
    });
    drop(serving);
    let name = name(&world);
    world.moto.script(&format!(
        "client('batch').submit_job(jobName={:?}, jobQueue='long', jobDefinition='immortal-python-x86-64')",
        name.to_uppercase(),
    ));
    // As if the dispatcher had died between the start and its record.
    let mut known = launch(&world).unwrap();
    let id = known["id"].clone();
    known.as_object_mut().unwrap().retain(|key, _| key != "started" && key != "id");
    known["intended"] = "2026-01-01T00:00:00.000Z".into();
    let path = world.path("ledger/jobs/j-1/launches/1.json");
    std::fs::write(&path, known.to_string()).unwrap();
    let output = world.run(&["reconcile"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(launch(&world).unwrap()["id"], id);
    let same = submitted(&world, &name).into_iter().filter(|job| job["jobName"] == name.as_str());
    assert_eq!(same.count(), 1);
}

#[test]
fn the_request_is_explained_before_it_is_made() {
    let world = world("");
    let file = world.path("message.json");
    std::fs::write(
        &file,
        "{\"immortal\":1,\"id\":\"j-1\",\"function\":\"resize\",\"event\":{\"canary\":1}}",
    )
    .unwrap();
    let told = world.json(&["explain", file.to_str().unwrap(), "--json"]);
    let request = &told[0]["placement"];
    assert_eq!(request["jobQueue"], "long", "{told}");
    assert_eq!(request["jobDefinition"], "immortal-python-x86-64", "{told}");
    assert_eq!(request["retryStrategy"], json!({ "attempts": 1 }), "{told}");
    assert_eq!(request["containerOverrides"]["resourceRequirements"][1]["value"], "512", "{told}");
    assert!(told[0]["cost"]["fargate"].as_f64().unwrap() > 0.0, "{told}");
    assert!(!told.to_string().contains("canary"), "{told}");
    assert!(submitted(&world, "immortal-*").is_empty());
}
