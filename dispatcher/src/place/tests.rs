use super::*;
use crate::function::{Network, sample};

fn settings() -> Settings {
    Settings { subnets: vec!["subnet-1".into()], ..Settings::default() }
}

fn placed(function: &Function, settings: &Settings) -> Result<Placement, String> {
    let job: JobId = "8f0d0d9a".parse().unwrap();
    let address = "s3://jobs/x/jobs/8f0d0d9a";
    let wanted = Wanted {
        function,
        job: &job,
        address,
        tenant: None,
        attempt: 2,
        larger: 0,
        by_worker: false,
        destinations: None,
    };
    place(&wanted, settings)
}

#[test]
fn a_function_is_placed() {
    let placement = placed(&sample(), &settings()).unwrap();
    assert_eq!(placement.task_definition, "immortal-python-x86-64");
    assert_eq!(placement.size, Size { cpu: 1024, memory: 2048 });
    assert_eq!((placement.disk_gib, placement.task_role.clone()), (None, None));
    assert_eq!(placement.environment["IMMORTAL_JOB"], "s3://jobs/x/jobs/8f0d0d9a");
    assert_eq!(placement.environment["IMMORTAL_ATTEMPT"], "2");
    assert_eq!(placement.started_by, "immortal/8f0d0d9a/2");
    let text = serde_json::to_string(&placement).unwrap();
    assert_eq!(serde_json::from_str::<Placement>(&text).unwrap(), placement);
}

#[test]
fn its_network_disk_architecture_and_role_are_its_own() {
    let mut function = sample();
    function.architecture = Architecture::Arm;
    function.ephemeral_mb = 10_240;
    let own = Network { subnets: vec!["subnet-f".into()], security_groups: vec!["sg-f".into()] };
    function.network = Some(own);
    let mut settings = settings();
    settings.task_role = Some("function".into());
    let placement = placed(&function, &settings).unwrap();
    assert_eq!(placement.task_definition, "immortal-python-arm64");
    assert_eq!(placement.disk_gib, Some(30));
    assert_eq!(
        (placement.subnets, placement.security_groups),
        (vec!["subnet-f".into()], vec!["sg-f".into()])
    );
    assert_eq!(placement.task_role.as_deref(), Some("arn:aws:iam::123456789012:role/resize"));
    settings.function_network = false;
    assert_eq!(placed(&function, &settings).unwrap().subnets, ["subnet-1"]);
}

#[test]
fn what_cannot_be_placed_is_refused_with_what_to_do() {
    let mut durable = sample();
    durable.durable = true;
    let mut isolated = sample();
    isolated.tenants = true;
    let mut mounted = sample();
    let mount = "/mnt/data".to_owned();
    mounted.file_system = Some(crate::function::FileSystem { arn: "arn:fs".into(), mount });
    let mut unknown = sample();
    unknown.runtime = Some("cobol85".into());
    let mut large = sample();
    large.memory_mb = 400_000;
    for (function, settings, part) in [
        (&durable, settings(), "durable"),
        (&isolated, settings(), "`tenantId`"),
        (&mounted, settings(), "[ecs.functions]"),
        (&unknown, settings(), "[ecs.definitions]"),
        (&large, settings(), "244 GB"),
        (&sample(), Settings::default(), "subnets in [ecs]"),
    ] {
        let why = placed(function, &settings).unwrap_err();
        assert!(why.contains(part), "{why}");
    }
}

#[test]
fn images_and_file_systems_have_definitions_of_their_own() {
    let mut image = sample();
    (image.code, image.runtime) = (Code::Image("x@sha256:0".into()), None);
    let placement = placed(&image, &settings()).unwrap();
    let own = placement.own.unwrap();
    assert_eq!(
        (own.base.as_str(), own.image.as_deref()),
        ("immortal-provided-x86-64", Some("x@sha256:0"))
    );
    let family = placement.task_definition;
    let (base, digest) = family.rsplit_once('-').unwrap();
    assert_eq!((base, digest.len()), ("immortal-provided-x86-64", 16));
    assert_eq!(placed(&image, &settings()).unwrap().task_definition, family);
    image.code = Code::Image("x@sha256:1".into());
    assert_ne!(placed(&image, &settings()).unwrap().task_definition, family);
    let mut mounted = sample();
    let arn = "arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-1".to_owned();
    let files = crate::function::FileSystem { arn, mount: "/mnt/data".into() };
    mounted.file_system = Some(files.clone());
    let own = placed(&mounted, &settings()).unwrap().own.unwrap();
    assert_eq!(
        (own.base.as_str(), own.image, own.file_system),
        ("immortal-python-x86-64", None, Some(files))
    );
}

#[test]
fn a_configured_definition_is_taken_as_it_is() {
    let mut image = sample();
    (image.code, image.runtime) = (Code::Image("x@sha256:0".into()), None);
    let mut settings = settings();
    settings.definitions.insert("image".into(), "images-{arch}".into());
    let placement = placed(&image, &settings).unwrap();
    assert_eq!((placement.task_definition.as_str(), placement.own), ("images-x86-64", None));
    settings.functions.insert("res*".into(), "of-its-own".into());
    let placement = placed(&image, &settings).unwrap();
    assert_eq!((placement.task_definition.as_str(), placement.own), ("of-its-own", None));
}

#[test]
fn a_family_is_named_after_what_it_is_made_from() {
    let own = |base: &str| definition::Own { base: base.into(), image: None, file_system: None };
    assert!(own("arn:aws:ecs:x:1:task-definition/base:7").family().starts_with("base-"));
    assert!(own(&"x".repeat(255)).family().len() <= 255);
}

#[test]
fn overrides_have_a_limit() {
    let long = Destination::list(&format!("sqs:https://sqs/{}", "x".repeat(8_000))).unwrap();
    let (function, job) = (sample(), "j".parse().unwrap());
    let wanted = Wanted {
        function: &function,
        job: &job,
        address: "s3://jobs/x/jobs/j",
        tenant: None,
        attempt: 1,
        larger: 0,
        by_worker: false,
        destinations: Some(&long),
    };
    let why = place(&wanted, &settings()).unwrap_err();
    assert!(why.contains("at most 8192 characters"), "{why}");
}

#[test]
fn names_keep_to_ecs_limits() {
    let long: JobId = "x".repeat(128).parse().unwrap();
    let dotted: JobId = "a.b".parse().unwrap();
    for job in [long, dotted] {
        let (by, token) = (started_by(&job, u32::MAX), token(&job, u32::MAX, u32::MAX));
        assert!(by.len() <= 128 && !by.contains('.'), "{by}");
        assert!(token.len() <= 64, "{token}");
    }
    assert_ne!(token(&"a".parse().unwrap(), 1, 1), token(&"a".parse().unwrap(), 1, 2));
}

#[test]
fn settings_that_ecs_would_refuse_are_refused() {
    let read = |text: &str| toml::from_str::<Settings>(text).unwrap().check();
    assert_eq!(read("subnets = [\"s\"]"), Ok(()));
    assert!(read("capacity = { FARGATE = 0 }").unwrap_err().contains("above 0"));
    assert!(read("disk_gib = 10").unwrap_err().contains("from 20 to 200"));
    assert_eq!(read("cpu = 2048\nlaunch_type = \"FARGATE\""), Ok(()));
}
