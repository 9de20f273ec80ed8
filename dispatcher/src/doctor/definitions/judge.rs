//! Whether tasks of a definition would start, and have time to stop. Pure.

use aws_sdk_ecs::types::{
    Compatibility, ContainerDefinition, CpuArchitecture, LinuxParameters, NetworkMode,
    TaskDefinition,
};

use super::super::finding::Finding;
use super::ARCHITECTURES;
use crate::place::Settings;

/// The longest that Fargate waits after SIGTERM, and what it does where nothing is said, seconds.
const LONGEST_STOP: i32 = 120;
const STOP: i32 = 30;

/// What of a definition would keep tasks from starting, or from ending well.
pub(super) fn judge(
    subject: &str,
    name: &str,
    definition: &TaskDefinition,
    settings: &Settings,
) -> Vec<Finding> {
    let anew = "register a new revision: aws ecs register-task-definition, or deploy/template.yaml";
    let wrong = |says: String| Finding::wrong(subject, says, anew);
    let containers = definition.container_definitions();
    let runner = containers.iter().find(|one| one.name() == Some(&settings.container));
    let Some(runner) = runner else {
        let names: Vec<_> = containers.iter().filter_map(ContainerDefinition::name).collect();
        let says = format!(
            "expected a container called `{}`, found {}",
            settings.container,
            names.join(", ")
        );
        return vec![Finding::wrong(
            subject,
            says,
            format!("{anew}; or name it in [ecs] container"),
        )];
    };
    let mut findings = Vec::new();
    findings.extend(fargate(definition, settings).map(wrong));
    findings.extend(architecture(name, definition).map(wrong));
    findings.extend(stopping(runner, settings).map(wrong));
    if runner.linux_parameters().and_then(LinuxParameters::init_process_enabled) == Some(true) {
        findings.push(wrong(
            "expected the runner to be the first process, found initProcessEnabled".to_owned(),
        ));
    }
    if definition.task_role_arn().is_none() && settings.task_role.is_none() {
        findings.push(wrong(
            "expected a task role, found none: the runner may not read its job".to_owned(),
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::well(
            subject,
            format!("revision {} would start", definition.revision()),
        ));
    }
    findings
}

fn fargate(definition: &TaskDefinition, settings: &Settings) -> Option<String> {
    let on_fargate = match settings.launch_type.as_deref() {
        Some(kind) => kind == "FARGATE",
        None => settings.capacity.keys().any(|name| name.starts_with("FARGATE")),
    };
    let fits = definition.requires_compatibilities().contains(&Compatibility::Fargate)
        && definition.network_mode() == Some(&NetworkMode::Awsvpc);
    (on_fargate && !fits).then(|| {
        format!(
            "expected requiresCompatibilities FARGATE and networkMode awsvpc, found {:?} and {}",
            definition.requires_compatibilities(),
            definition.network_mode().map_or("none", NetworkMode::as_str)
        )
    })
}

fn architecture(name: &str, definition: &TaskDefinition) -> Option<String> {
    let (_, expected) = ARCHITECTURES.iter().find(|(arch, _)| name.ends_with(arch))?;
    let found = definition.runtime_platform().and_then(|platform| platform.cpu_architecture());
    let found = found.unwrap_or(&CpuArchitecture::X8664);
    (found != expected).then(|| {
        format!(
            "expected runtimePlatform.cpuArchitecture {}, found {}",
            expected.as_str(),
            found.as_str()
        )
    })
}

/// Whether the runner has the time to stop that it believes to have, and on Spot all that there is.
fn stopping(runner: &ContainerDefinition, settings: &Settings) -> Option<String> {
    let given = runner.stop_timeout().unwrap_or(STOP);
    let told = runner.environment().iter().find(|one| one.name() == Some("IMMORTAL_STOP_TIMEOUT"));
    let told = told.and_then(|one| humantime::parse_duration(one.value()?).ok());
    let told = told.map_or(30, |told| told.as_secs());
    if told > u64::try_from(given).unwrap_or_default() {
        return Some(format!(
            "expected a stopTimeout of at least the {told} s of IMMORTAL_STOP_TIMEOUT, found {given} s"
        ));
    }
    let spot = settings.launch_type.is_none() && settings.capacity.contains_key("FARGATE_SPOT");
    (spot && given < LONGEST_STOP).then(|| {
        format!("expected stopTimeout {LONGEST_STOP} on FARGATE_SPOT, which warns two minutes ahead, found {given} s")
    })
}
