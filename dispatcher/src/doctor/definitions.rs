//! Task definitions: whether there is one for each family and architecture, and whether tasks of it would start, be
//! logged, and have time to stop.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::types::{
    Compatibility, ContainerDefinition, CpuArchitecture, LinuxParameters, NetworkMode,
    TaskDefinition,
};
use runner::function::runtime;
use serde::Deserialize;
use serde_json::json;

use super::finding::Finding;
use super::functions::Wired;
use super::{Patient, said};
use crate::attach::call::quoted;
use crate::place::{self, Settings};
use crate::signed::LOGS;

/// The names of architectures in those of definitions.
const ARCHITECTURES: [(&str, CpuArchitecture); 2] =
    [("x86-64", CpuArchitecture::X8664), ("arm64", CpuArchitecture::Arm64)];
/// The longest that Fargate waits after SIGTERM, and what it does where nothing is said, seconds.
const LONGEST_STOP: i32 = 120;
const STOP: i32 = 30;

/// Checks them; those that are there.
pub(super) async fn check(
    patient: &Patient<'_>,
    wired: &[Wired],
    findings: &mut Vec<Finding>,
) -> Vec<TaskDefinition> {
    let settings = &patient.config.ecs;
    let needed = needed(wired, settings, findings);
    let (mut found, mut absent) = (Vec::new(), Vec::new());
    for name in names(settings).union(&needed.keys().cloned().collect()) {
        let subject = format!("task definition {name}");
        match described(patient, name).await {
            Ok(Some(definition)) => {
                findings.extend(judge(&subject, name, &definition, settings));
                findings.extend(log_group(patient, &subject, &definition).await);
                found.push(definition);
            }
            Ok(None) => match needed.get(name) {
                Some(function) => findings.push(Finding::wrong(
                    &subject,
                    format!("expected one for {function}, found none"),
                    "deploy it, or name another in [ecs.definitions] or [ecs.functions]",
                )),
                None => absent.push(name.clone()),
            },
            Err(why) => findings.push(Finding::untold(&subject, why)),
        }
    }
    findings.extend(others(&found, &absent));
    found
}

/// One that tasks can be started of, if there is one.
async fn described(patient: &Patient<'_>, name: &str) -> Result<Option<TaskDefinition>, String> {
    use aws_sdk_ecs::types::TaskDefinitionStatus::Active;
    match patient.ecs.describe_task_definition().task_definition(name).send().await {
        Ok(answer) => Ok(answer.task_definition.filter(|found| found.status() == Some(&Active))),
        Err(error) => match said("ecs:DescribeTaskDefinition", &error) {
            (true, _) => Ok(None),
            (false, why) => Err(why),
        },
    }
}

/// What no attached function needs and is not there: to be known, or, where there is nothing at all, to be mended.
fn others(found: &[TaskDefinition], absent: &[String]) -> Option<Finding> {
    let list = absent.join(", ");
    match (absent.is_empty(), found.is_empty()) {
        (true, _) => None,
        (_, true) => Some(Finding::wrong(
            "task definitions",
            format!(
                "expected one for each family of runtimes and architecture, found none of {list}"
            ),
            "deploy them, or name yours in [ecs] task_definition",
        )),
        _ => Some(Finding::note(
            "task definitions",
            format!("there is none called {list}: functions that need one of them cannot be run"),
        )),
    }
}

/// The definitions of the attached functions, and for which.
fn needed(
    wired: &[Wired],
    settings: &Settings,
    findings: &mut Vec<Finding>,
) -> BTreeMap<String, String> {
    let mut needed = BTreeMap::new();
    for Wired { function } in wired {
        match place::definition::definition(function, settings) {
            // One that is made for the function is made from this.
            Ok((name, own)) => {
                let name = own.map_or(name, |own| own.base);
                needed.insert(name, function.name.clone());
            }
            Err(why) => {
                let subject = format!("function {}", function.arn);
                findings.push(Finding::wrong(&subject, why, "name one in [ecs.functions]"));
            }
        }
    }
    needed
}

/// Those of all families and architectures, and those that the configuration names.
fn names(settings: &Settings) -> BTreeSet<String> {
    let mut names: BTreeSet<String> =
        settings.functions.values().filter(|name| !name.contains('{')).cloned().collect();
    for (arch, _) in ARCHITECTURES {
        for (runtime, rule) in &settings.definitions {
            let family = runtime::find(runtime).map(|family| family.name.as_str());
            names.insert(place::filled(rule, runtime, family.unwrap_or("provided"), arch));
        }
        // A definition for each runtime would be a list of which nobody has all.
        if settings.task_definition.contains("{runtime}") {
            continue;
        }
        let families = runtime::families().iter();
        names.extend(
            families.map(|family| place::filled(&settings.task_definition, "", &family.name, arch)),
        );
    }
    names
}

/// What of a definition would keep tasks from starting, or from ending well. Pure.
fn judge(
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

#[derive(Deserialize)]
struct LogGroups {
    #[serde(rename = "logGroups", default)]
    groups: Vec<LogGroup>,
}
#[derive(Deserialize)]
struct LogGroup {
    #[serde(rename = "logGroupName")]
    name: String,
}

/// Where the runner's container is logged.
pub(super) fn logged(definition: &TaskDefinition, container: &str) -> Option<String> {
    let runner =
        definition.container_definitions().iter().find(|it| it.name() == Some(container))?;
    let options = runner.log_configuration()?.options()?;
    let made = options.get("awslogs-create-group").is_some_and(|made| made == "true");
    options.get("awslogs-group").filter(|_| !made).cloned()
}

async fn log_group(
    patient: &Patient<'_>,
    subject: &str,
    definition: &TaskDefinition,
) -> Option<Finding> {
    let Some(group) = logged(definition, &patient.config.ecs.container) else {
        return Some(Finding::note(subject, "has no log group of its own (awslogs-group)"));
    };
    let asked = json!({ "logGroupNamePrefix": group });
    match patient.signed.call::<LogGroups>(LOGS, "DescribeLogGroups", &asked).await {
        Ok(answer) if answer.groups.iter().any(|one| one.name == group) => None,
        Ok(_) => Some(Finding::wrong(
            subject,
            format!("expected the log group {group}, found none: its tasks would not start"),
            format!("aws logs create-log-group --log-group-name {}", quoted(&group)),
        )),
        Err(refused) => Some(Finding::untold(
            subject,
            format!("whether the log group {group} is there: {refused}"),
        )),
    }
}

#[cfg(test)]
mod tests;
