//! Task definitions that are made for an image, and for a file system.

use e2e::{Cluster, Deployed, Faults, Package};
use serde_json::{Value, json};

use crate::world::{World, dispatcher};

/// Nobody has to run: what is asked of ECS is looked at.
const NEVER_STARTED: Faults =
    Faults { seed: 0, throttled: 0.0, capacity: 0.0, lost: 0.0, unstarted: 1.0, forgotten: 0.0 };

fn base(family: &str, image: &str) -> Value {
    json!({
        "family": family, "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
        "executionRoleArn": "arn:aws:iam::123456789012:role/immortal-exec",
        "containerDefinitions": [{ "name": "runner", "image": image, "stopTimeout": 120 }],
    })
}

/// A cluster with the usual definitions.
fn cluster(world: &World) -> Cluster {
    // No further attempts.
    world.on(&(world.queue("auto") + "[watch]\npause = \"1h\"\nlongest_pause = \"1h\"\n"));
    let cluster = Cluster::start(&world.variables(), NEVER_STARTED);
    for family in ["immortal-provided-x86-64", "immortal-python-x86-64"] {
        cluster.register(&base(family, "immortal/provided"));
    }
    cluster
}

/// The revisions that the dispatcher has registered.
fn made(cluster: &Cluster) -> Vec<Value> {
    let own = |family: &String| !family.ends_with("-x86-64");
    cluster
        .definitions()
        .into_iter()
        .filter(|(family, _)| own(family))
        .flat_map(|(_, all)| all)
        .collect()
}

/// Sends so many requests, each of which is to become a task.
fn start(world: &World, cluster: &Cluster, jobs: std::ops::Range<u32>) {
    let started = cluster.started();
    let mut serving = world.served_by(&dispatcher(), &[("AWS_ENDPOINT_URL_ECS", cluster.url())]);
    for number in jobs.clone() {
        let request =
            json!({ "immortal": 1, "id": format!("j-{number}"), "function": "resize", "event": 1 });
        world.send(&request.to_string(), &json!({}));
    }
    world.until("all are started", || world.left() == 0);
    assert_eq!(cluster.started() - started, jobs.len());
    // One that is killed may be given the next message by the queue.
    serving.terminate();
    serving.0.wait().unwrap();
}

#[test]
fn one_is_registered_for_an_image_and_used_by_all_its_tasks() {
    let uri = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/resize@sha256:0123456789abcdef";
    let mut function =
        Deployed::new(&Package::default(), "", "").with("PackageType", "Image".into());
    function.configuration.as_object_mut().unwrap().remove("Runtime");
    function.code = json!({ "RepositoryType": "ECR", "ImageUri": uri, "ResolvedImageUri": uri });
    let world = World::with(function);
    let cluster = cluster(&world);
    start(&world, &cluster, 0..3);
    start(&world, &cluster, 3..4);
    let [one] = made(&cluster).try_into().unwrap();
    let named = |name: &str| {
        let mut containers = one["containerDefinitions"].as_array().unwrap().iter();
        containers.find(|container| container["name"] == name).unwrap()
    };
    let (runner, installer) = (named("runner"), named("immortal-install"));
    assert_eq!((&runner["image"], &runner["stopTimeout"]), (&uri.into(), &120.into()));
    assert_eq!(runner["entryPoint"], json!(["/immortal/immortal-runner"]));
    let first = json!([{ "containerName": "immortal-install", "condition": "SUCCESS" }]);
    assert_eq!(runner["dependsOn"], first);
    assert_eq!(
        (&installer["image"], &installer["essential"]),
        (&"immortal/provided".into(), &false.into())
    );
    assert_eq!(installer["command"], json!(["install", "/immortal"]));
    assert_eq!(one["executionRoleArn"], "arn:aws:iam::123456789012:role/immortal-exec");

    // What it was made from has a new revision, and so has it.
    cluster.register(&base("immortal-provided-x86-64", "immortal/provided:2"));
    start(&world, &cluster, 4..5);
    assert_eq!(made(&cluster).len(), 2);
}

#[test]
fn one_that_mounts_it_is_registered_for_a_file_system() {
    let package = Package::default().file("app.py", "");
    // The function has to know the access point, whose name is moto's choice.
    let elsewhere = e2e::Moto::start();
    let ids = elsewhere.script(
        "efs = client('efs')\nfs = efs.create_file_system(CreationToken='t')['FileSystemId']\n\
         result = [fs, efs.create_access_point(ClientToken='p', FileSystemId=fs)['AccessPointId']]",
    );
    let point = ids[1].as_str().unwrap();
    let arn = format!("arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/{point}");
    let function = Deployed::new(&package, "python3.11", "app.handler")
        .with("FileSystemConfigs", json!([{ "Arn": arn, "LocalMountPath": "/mnt/data" }]));
    let mut world = World::with(function);
    world.moto = elsewhere;
    world.moto.script(
        "for name in ['failed', 'done', 'states']: client('sqs').create_queue(QueueName=name)",
    );
    let cluster = cluster(&world);
    start(&world, &cluster, 0..2);
    let [one] = made(&cluster).try_into().unwrap();
    let efs = &one["volumes"][0]["efsVolumeConfiguration"];
    assert_eq!((&efs["fileSystemId"], &efs["transitEncryption"]), (&ids[0], &"ENABLED".into()));
    assert_eq!(efs["authorizationConfig"], json!({ "accessPointId": point, "iam": "ENABLED" }));
    let runner = &one["containerDefinitions"][0];
    assert_eq!(runner["mountPoints"][0]["containerPath"], "/mnt/data", "{runner}");
    assert_eq!(runner["image"], "immortal/provided");
}
