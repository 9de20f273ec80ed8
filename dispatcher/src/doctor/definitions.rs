//! Task definitions: whether there is one for each family and architecture. Whether tasks of it would start and stop is
//! `judge`'s business, where they log that of `logs`.

mod judge;
mod logs;

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::types::{CpuArchitecture, TaskDefinition};
use runner::function::runtime;

use super::finding::Finding;
use super::functions::Wired;
use super::{Patient, said};
use crate::place::{self, Settings};

use judge::judge;
use logs::log_group;
pub(super) use logs::logged;

/// The names of architectures in those of definitions.
const ARCHITECTURES: [(&str, CpuArchitecture); 2] =
    [("x86-64", CpuArchitecture::X8664), ("arm64", CpuArchitecture::Arm64)];

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

#[cfg(test)]
mod tests;
