//! A deployment that is well has nothing to be mended; each thing that is broken is found, and mended as it is said.

mod files;

use std::fs;
use std::process::{Command, Output};

use e2e::{Answer, Scripted};
use serde_json::Value;

use crate::attach::{said, shell};
use crate::world::{FAILED, World, slow};

/// All that the template deploys, in moto; one function, attached.
const DEPLOY: &str = r"
sqs, s3, iam, ecs, ecr, ec2, logs = [client(name) for name in 'sqs s3 iam ecs ecr ec2 logs'.split()]
sqs.create_queue(QueueName='dead')
redrive = {'deadLetterTargetArn': 'arn:aws:sqs:eu-west-1:123456789012:dead', 'maxReceiveCount': 5}
sqs.set_queue_attributes(QueueUrl=QUEUE, Attributes={'RedrivePolicy': json.dumps(redrive), 'MaximumMessageSize': '1048576'})
s3.create_bucket(Bucket='jobs', CreateBucketConfiguration={'LocationConstraint': 'eu-west-1'})
for role, service in [('resize', 'lambda'), ('task', 'ecs-tasks'), ('execution', 'ecs-tasks')]:
    trust = {'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Principal': {'Service': service + '.amazonaws.com'}, 'Action': 'sts:AssumeRole'}]}
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust))
logs.create_log_group(logGroupName='/immortal')
ecr.create_repository(repositoryName='immortal')
ecr.put_image(repositoryName='immortal', imageTag='1', imageManifest=json.dumps({'schemaVersion': 2, 'layers': []}), imageManifestMediaType='application/vnd.docker.distribution.manifest.v2+json')
ecs.create_cluster(clusterName='immortal', capacityProviders=['FARGATE', 'FARGATE_SPOT'])
role = 'arn:aws:iam::123456789012:role/'
def define(name):
    arch = 'ARM64' if name.endswith('arm64') else 'X86_64'
    ecs.register_task_definition(family=name, networkMode='awsvpc', requiresCompatibilities=['FARGATE'], cpu='256', memory='512',
      taskRoleArn=role + 'task', executionRoleArn=role + 'execution', runtimePlatform={'cpuArchitecture': arch},
      containerDefinitions=[{'name': 'runner', 'image': '123456789012.dkr.ecr.eu-west-1.amazonaws.com/immortal:1', 'stopTimeout': 120,
        'logConfiguration': {'logDriver': 'awslogs', 'options': {'awslogs-group': '/immortal', 'awslogs-region': 'eu-west-1'}}}])
for family in FAMILIES:
    for arch in ['x86-64', 'arm64']:
        define('immortal-' + family + '-' + arch)
vpc = ec2.create_vpc(CidrBlock='10.0.0.0/16')['Vpc']['VpcId']
subnet = ec2.create_subnet(VpcId=vpc, CidrBlock='10.0.0.0/24')['Subnet']['SubnetId']
gateway = ec2.create_internet_gateway()['InternetGateway']['InternetGatewayId']
ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
table = ec2.create_route_table(VpcId=vpc)['RouteTable']['RouteTableId']
ec2.create_route(RouteTableId=table, DestinationCidrBlock='0.0.0.0/0', GatewayId=gateway)
ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
group = ec2.create_security_group(GroupName='tasks', Description='tasks', VpcId=vpc)['GroupId']
result = {'subnet': subnet, 'group': group, 'table': table, 'gateway': gateway}
";

struct Deployment {
    world: World,
    ids: Value,
}

impl Deployment {
    fn new() -> Self {
        let world = World::with(slow("python3.11").with("DeadLetterConfig", Value::Null));
        let ids = world.moto.script(&prelude(&world, DEPLOY));
        let text = format!(
            "ledger = \"s3://jobs/ledger\"\n{}[ecs]\nsubnets = [{}]\nsecurity_groups = [{}]\npublic_ip = true\ncapacity = {{ FARGATE = 1, FARGATE_SPOT = 3 }}\n",
            world.queue("auto"),
            ids["subnet"],
            ids["group"],
        );
        fs::write(world.path("immortal.toml"), text).unwrap();
        said(&world.run(&["attach", "resize"]), 0);
        Self { world, ids }
    }

    fn doctor(&self) -> (Output, Value) {
        let output = self.world.run(&["doctor", "--json"]);
        let told = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        (output, told)
    }

    /// Nothing is to be mended.
    #[track_caller]
    fn is_well(&self) -> Value {
        let (output, told) = self.doctor();
        assert!(wrong(&told).is_empty(), "{:#?}", wrong(&told));
        assert_eq!(output.status.code(), Some(0));
        told
    }
}

fn prelude(world: &World, script: &str) -> String {
    let families = fs::read_dir(e2e::root().join("runtimes")).unwrap().flatten();
    let families: Vec<String> = families
        .filter(|entry| entry.path().join("runtime.toml").is_file())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    format!("QUEUE, FAMILIES = {:?}, {families:?}\n{script}", world.url("failed"))
}

fn wrong(told: &Value) -> Vec<Value> {
    let all = told.as_array().unwrap().iter();
    all.filter(|finding| finding["verdict"] == "wrong").cloned().collect()
}

/// How a broken thing comes to be well again.
enum Cure {
    /// As the finding says.
    Said,
    /// By this script.
    Script(&'static str),
}

/// What is broken, by which script; what the finding says; how it is mended.
const BROKEN: &[(&str, &str, Cure)] = &[
    (
        "client('sqs').set_queue_attributes(QueueUrl=QUEUE, Attributes={'MaximumMessageSize': '262144'})",
        "found a limit of 262144",
        Cure::Said,
    ),
    (
        "sqs = client('sqs')\nsqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName='dead')['QueueUrl'])",
        "of its redrive policy, found none",
        Cure::Said,
    ),
    (
        "client('s3').delete_bucket(Bucket='jobs')",
        "jobs",
        Cure::Script(
            "client('s3').create_bucket(Bucket='jobs', CreateBucketConfiguration={'LocationConstraint': 'eu-west-1'})",
        ),
    ),
    (
        "client('ecs').put_cluster_capacity_providers(cluster='immortal', capacityProviders=['FARGATE'], defaultCapacityProviderStrategy=[])",
        "found none called FARGATE_SPOT",
        Cure::Said,
    ),
    (
        "client('ecs').deregister_task_definition(taskDefinition='immortal-python-x86-64:1')",
        "expected one for resize",
        Cure::Script(
            "ecs = client('ecs')\nrole = 'arn:aws:iam::123456789012:role/'\nDEFINE\ndefine('immortal-python-x86-64')",
        ),
    ),
    (
        "client('ecr').batch_delete_image(repositoryName='immortal', imageIds=[{'imageTag': '1'}])",
        "ImageNotFoundException",
        Cure::Script(
            "client('ecr').put_image(repositoryName='immortal', imageTag='1', imageManifest=json.dumps({'schemaVersion': 2, 'layers': []}), imageManifestMediaType='application/vnd.docker.distribution.manifest.v2+json')",
        ),
    ),
    (
        "client('ecr').delete_repository(repositoryName='immortal', force=True)",
        "RepositoryNotFoundException",
        Cure::Script(
            "ecr = client('ecr')\necr.create_repository(repositoryName='immortal')\necr.put_image(repositoryName='immortal', imageTag='1', imageManifest=json.dumps({'schemaVersion': 2, 'layers': []}), imageManifestMediaType='application/vnd.docker.distribution.manifest.v2+json')",
        ),
    ),
    (
        "client('iam').update_assume_role_policy(RoleName='execution', PolicyDocument=json.dumps({'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Principal': {'Service': 'lambda.amazonaws.com'}, 'Action': 'sts:AssumeRole'}]}))",
        "expected ecs-tasks.amazonaws.com in its trust policy",
        Cure::Said,
    ),
    (
        "client('ec2').delete_route(RouteTableId=IDS['table'], DestinationCidrBlock='0.0.0.0/0')",
        "found no route and no endpoint for s3, ecr.api, ecr.dkr, lambda, logs",
        Cure::Script(
            "client('ec2').create_route(RouteTableId=IDS['table'], DestinationCidrBlock='0.0.0.0/0', GatewayId=IDS['gateway'])",
        ),
    ),
    (
        "ec2 = client('ec2')\nec2.revoke_security_group_egress(GroupId=IDS['group'], IpPermissions=[{'IpProtocol': '-1', 'IpRanges': [{'CidrIp': '0.0.0.0/0'}]}])",
        "found no rule for port 443",
        Cure::Said,
    ),
    (
        "client('logs').delete_log_group(logGroupName='/immortal')",
        "expected the log group /immortal",
        Cure::Said,
    ),
    (
        "client('lambda', endpoint_url=LAMBDA).put_function_event_invoke_config(FunctionName='resize', MaximumRetryAttempts=2, DestinationConfig={'OnFailure': {'Destination': FAILED}})",
        "expected MaximumRetryAttempts 0, found 2: a function that times out does so 3 times",
        Cure::Said,
    ),
    (
        "client('lambda', endpoint_url=LAMBDA).delete_function_event_invoke_config(FunctionName='resize')",
        "expected a function or a queue whose failures come here, found none",
        Cure::Script(
            "client('lambda', endpoint_url=LAMBDA).put_function_event_invoke_config(FunctionName='resize', MaximumRetryAttempts=0, DestinationConfig={'OnFailure': {'Destination': FAILED}})",
        ),
    ),
    ("client('ecs').delete_cluster(cluster='immortal')", "expected an active cluster", Cure::Said),
];

#[test]
fn each_thing_that_is_broken_is_found_and_mended_as_it_is_said() {
    let deployment = Deployment::new();
    let told = deployment.is_well();
    let subjects: String =
        told.as_array().unwrap().iter().map(|one| one["subject"].to_string()).collect();
    for part in [
        "ledger s3://jobs",
        "queue http",
        "function arn",
        "cluster immortal",
        "task definition immortal-ruby-arm64",
        "image 123456789012",
        "role/execution",
        "subnet",
        "security group",
    ] {
        assert!(subjects.contains(part), "{part}: {subjects}");
    }
    let define = DEPLOY.split("def define").nth(1).unwrap().split("\nfor family").next().unwrap();
    let script = |text: &str| {
        let lambda = deployment.world.plane.variables()[0].1;
        let known = format!("IDS, LAMBDA, FAILED = {}, {lambda:?}, {FAILED:?}\n", deployment.ids);
        let text = text.replace("DEFINE", &format!("def define{define}"));
        deployment.world.moto.script(&prelude(&deployment.world, &(known + &text)));
    };
    let mut mended: Vec<&str> = Vec::new();
    for (breaking, says, cure) in BROKEN {
        script(breaking);
        let (output, told) = deployment.doctor();
        let found = wrong(&told);
        let saying =
            |part: &str| found.iter().find(|one| one["says"].as_str().unwrap().contains(part));
        let finding = saying(says).unwrap_or_else(|| panic!("{says}: {found:#?}"));
        assert_eq!(output.status.code(), Some(1));
        assert!(mended.iter().all(|part| saying(part).is_none()), "{found:#?}");
        match cure {
            Cure::Script(text) => script(text),
            Cure::Said => mend(&deployment.world, finding["mend"].as_str().unwrap()),
        }
        mended.push(says);
    }
    deployment.is_well();
}

/// Does what a finding says.
#[track_caller]
fn mend(world: &World, told: &str) {
    let at =
        ["aws ", "immortal-dispatcher "].iter().find_map(|program| told.find(program)).unwrap();
    let command = &told[at..];
    let Some(arguments) = command.strip_prefix("immortal-dispatcher ") else {
        said(&shell(world, command), 0);
        return;
    };
    said(&world.run(&arguments.split(' ').collect::<Vec<_>>()), 0);
}

#[test]
fn what_may_not_be_asked_is_untold_and_says_the_right_it_takes() {
    let deployment = Deployment::new();
    let denied = |operation, service: &str, code| {
        let answers = vec![Answer::Error(400, "AccessDeniedException"); 100];
        let scripted = Scripted::new(operation, answers);
        let mut command: Command = deployment.world.command(&["doctor"]);
        let variable = format!("AWS_ENDPOINT_URL_{service}");
        said(&command.env(variable, scripted.url()).output().unwrap(), code).0
    };
    // Nothing is known to be wrong.
    let text = denied("DescribeLogGroups", "CLOUDWATCH_LOGS", 0);
    assert!(text.contains("whether the log group /immortal is there: logs:DescribeLogGroups is needed and was refused"), "{text}");
    // This stand-in knows no task definitions either.
    let text = denied("DescribeClusters", "ECS", 1);
    let line = text.lines().find(|line| line.contains("cluster immortal")).unwrap();
    assert!(line.starts_with('?') && line.contains("that needs ecs:DescribeClusters"), "{text}");
}

/// However many there are: this list has a page for each.
#[test]
fn functions_of_all_pages_are_looked_at() {
    let first = slow("python3.11").named("first").with("DeadLetterConfig", Value::Null);
    let world = World::of(vec![first, slow("python3.11")]);
    world.config(&world.queue("auto"));
    let told = world.json(&["doctor", "--json"]);
    let about = |one: &&Value| one["subject"].as_str().unwrap().ends_with("function:resize");
    let found = told.as_array().unwrap().iter().find(about).unwrap_or_else(|| panic!("{told}"));
    assert!(found["says"].as_str().unwrap().contains("MaximumRetryAttempts 0"), "{found}");
}

#[test]
fn the_launchers_of_this_machine_are_looked_at() {
    let world = World::with(slow("python3.11"));
    let process = |runner: &str| {
        let text = format!("[launch]\nlauncher = \"process\"\n[process]\nrunner = \"{runner}\"\n");
        world.launched_by(&text, &world.queue("auto"));
        let told = world.json(&["doctor", "--json"]);
        let all = told.as_array().unwrap().clone();
        all.into_iter().find(|one| one["subject"].as_str().unwrap().starts_with("runner")).unwrap()
    };
    assert_eq!(process(&e2e::runner().display().to_string())["verdict"], "well");
    assert_eq!(process("/nowhere/immortal-runner")["verdict"], "wrong");
    world.launched_by("[launch]\nlauncher = \"docker\"\n", &world.queue("auto"));
    let mut command = world.command(&["doctor"]);
    let (text, _) =
        said(&command.env("DOCKER_HOST", "unix:///nowhere/docker.sock").output().unwrap(), 1);
    assert!(text.contains("expected the Docker Engine to answer"), "{text}");
}
