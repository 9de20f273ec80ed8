//! The log groups of definitions: tasks whose group is not there do not start.

use aws_sdk_ecs::types::TaskDefinition;
use serde::Deserialize;
use serde_json::json;

use super::super::Patient;
use super::super::finding::Finding;
use crate::attach::call::quoted;
use crate::signed::LOGS;

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
pub(in crate::doctor) fn logged(definition: &TaskDefinition, container: &str) -> Option<String> {
    let runner =
        definition.container_definitions().iter().find(|it| it.name() == Some(container))?;
    let options = runner.log_configuration()?.options()?;
    let made = options.get("awslogs-create-group").is_some_and(|made| made == "true");
    options.get("awslogs-group").filter(|_| !made).cloned()
}

pub(super) async fn log_group(
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
