use aws_sdk_ecs::types::{
    Compatibility, ContainerDefinition, KeyValuePair, LinuxParameters, NetworkMode, RuntimePlatform,
};

use super::super::finding::{Verdict, healthy};
use super::*;

fn container() -> aws_sdk_ecs::types::builders::ContainerDefinitionBuilder {
    ContainerDefinition::builder().name("runner").image("i").stop_timeout(120)
}

fn definition(
    container: ContainerDefinition,
) -> aws_sdk_ecs::types::builders::TaskDefinitionBuilder {
    TaskDefinition::builder()
        .container_definitions(container)
        .network_mode(NetworkMode::Awsvpc)
        .requires_compatibilities(Compatibility::Fargate)
        .task_role_arn("arn:aws:iam::1:role/task")
}

fn platform(architecture: CpuArchitecture) -> RuntimePlatform {
    RuntimePlatform::builder().cpu_architecture(architecture).build()
}

#[test]
fn what_would_keep_a_task_from_starting_or_stopping_is_found() {
    let spot = Settings {
        capacity: BTreeMap::from([("FARGATE".to_owned(), 1), ("FARGATE_SPOT".to_owned(), 1)]),
        ..Settings::default()
    };
    let told = KeyValuePair::builder().name("IMMORTAL_STOP_TIMEOUT").value("110s").build();
    let init = LinuxParameters::builder().init_process_enabled(true).build();
    let name = "immortal-python-x86-64";
    for (name, definition, part) in [
        (name, definition(container().build()).build(), ""),
        (
            "immortal-python-arm64",
            definition(container().build()).build(),
            "cpuArchitecture ARM64, found X86_64",
        ),
        (
            name,
            definition(container().build())
                .runtime_platform(platform(CpuArchitecture::Arm64))
                .build(),
            "found ARM64",
        ),
        (
            name,
            definition(container().name("other").build()).build(),
            "a container called `runner`, found other",
        ),
        (
            name,
            definition(container().build()).network_mode(NetworkMode::Bridge).build(),
            "networkMode awsvpc",
        ),
        (name, definition(container().stop_timeout(30).build()).build(), "stopTimeout 120"),
        (
            name,
            definition(container().stop_timeout(100).environment(told).build()).build(),
            "the 110 s",
        ),
        (
            name,
            definition(container().linux_parameters(init).build()).build(),
            "initProcessEnabled",
        ),
        (name, definition(container().build()).set_task_role_arn(None).build(), "a task role"),
    ] {
        let findings = judge("d", name, &definition, &spot);
        assert_eq!(healthy(&findings), part.is_empty(), "{findings:?}");
        assert!(findings[0].says.contains(part), "{findings:?}");
    }
    let plain = Settings::default();
    let brief = definition(container().set_stop_timeout(None).build()).build();
    assert!(healthy(&judge("d", name, &brief, &plain)), "30 s are enough without Spot");
}

#[test]
fn there_is_one_for_each_family_and_architecture() {
    let all = names(&Settings::default());
    for name in ["immortal-python-x86-64", "immortal-python-arm64", "immortal-provided-arm64"] {
        assert!(all.contains(name), "{all:?}");
    }
    let by_runtime = Settings {
        task_definition: "x-{runtime}".to_owned(),
        definitions: BTreeMap::from([("python3.13".to_owned(), "own-{runtime}-{arch}".to_owned())]),
        functions: BTreeMap::from([("f*".to_owned(), "mounted".to_owned())]),
        ..Settings::default()
    };
    let names: Vec<_> = names(&by_runtime).into_iter().collect();
    assert_eq!(names, ["mounted", "own-python3-13-arm64", "own-python3-13-x86-64"]);
}

#[test]
fn definitions_that_nobody_needs_are_only_told() {
    let found = definition(container().build()).build();
    assert_eq!(others(std::slice::from_ref(&found), &[]), None);
    assert_eq!(others(&[found], &["b".to_owned()]).unwrap().verdict, Verdict::Note);
    assert_eq!(others(&[], &["b".to_owned()]).unwrap().verdict, Verdict::Wrong);
}
