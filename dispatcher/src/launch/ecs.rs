//! Tasks of ECS: `RunTask` and `DescribeTasks`. A thin shell; answers are understood by `answer`.

use std::collections::HashMap;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_ecs::Client;
use aws_sdk_ecs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ecs::types::{
    AssignPublicIp, AwsVpcConfiguration, CapacityProviderStrategyItem, ContainerDefinition,
    ContainerOverride, DesiredStatus, EphemeralStorage, KeyValuePair, NetworkConfiguration,
    PropagateTags, Tag, Task, TaskOverride,
};
use runner::causes::causes;

use super::answer::{self, Told};
use super::definition::Definitions;
use super::{Launched, Refused, Seen, said};
use crate::place::Placement;

/// The most tasks that are described at once (ECS API reference, `DescribeTasks`).
const AT_ONCE: usize = 100;

/// A cluster of ECS.
#[derive(Debug)]
pub struct Ecs {
    client: Client,
    cluster: String,
    container: String,
    definitions: Definitions,
    logs: aws_sdk_cloudwatchlogs::Client,
}

impl Ecs {
    /// With the region, credentials and endpoints of these settings; `container` is the runner's.
    pub fn new(sdk: &SdkConfig, cluster: &str, container: &str) -> Self {
        let client = Client::new(sdk);
        let efs = aws_sdk_efs::Client::new(sdk);
        let definitions = Definitions::new(client.clone(), efs, container);
        let logs = aws_sdk_cloudwatchlogs::Client::new(sdk);
        let (cluster, container) = (cluster.to_owned(), container.to_owned());
        Self { client, cluster, container, definitions, logs }
    }

    /// Starts a task, or finds the one that this token started before.
    pub async fn launch(&self, placement: &Placement, token: &str) -> Result<Launched, Refused> {
        if let Some(own) = &placement.own {
            self.definitions.ensure(&placement.task_definition, own).await?;
        }
        let request = self
            .client
            .run_task()
            .cluster(&placement.cluster)
            .task_definition(&placement.task_definition)
            .count(1)
            .client_token(token)
            .started_by(&placement.started_by)
            .propagate_tags(PropagateTags::TaskDefinition)
            .enable_ecs_managed_tags(true)
            .network_configuration(network(placement))
            .set_launch_type(placement.launch_type.as_deref().map(Into::into))
            .set_capacity_provider_strategy(capacity(placement))
            .set_tags(Some(tags(placement)))
            .overrides(overrides(placement));
        match request.send().await {
            Ok(answer) => {
                if let Some(arn) = answer.tasks().first().and_then(Task::task_arn) {
                    return Ok(Launched { id: arn.to_owned() });
                }
                let failure = answer.failures().first();
                let reason =
                    failure.and_then(|failure| failure.reason()).unwrap_or("no task, no reason");
                Err(answer::failure(reason, failure.and_then(|failure| failure.detail())))
            }
            Err(error) => Err(refused(&error)),
        }
    }

    /// The task that was started for this placement, if it is still known: those that have stopped are, for an hour.
    pub async fn find(&self, placement: &Placement) -> Result<Option<String>, Refused> {
        for status in [DesiredStatus::Running, DesiredStatus::Stopped] {
            let request = self.client.list_tasks().cluster(&placement.cluster);
            let request = request.started_by(&placement.started_by).desired_status(status);
            let answer = match request.send().await {
                Ok(answer) => answer,
                // A second task would find its attempt claimed: better that than none.
                Err(error) if error.code() == Some("AccessDeniedException") => {
                    tracing::warn!("{}: ecs:ListTasks is wanted", said(&error));
                    return Ok(None);
                }
                Err(error) => return Err(unlisted(&error)),
            };
            if let Some(arn) = answer.task_arns.and_then(|arns| arns.into_iter().next()) {
                return Ok(Some(arn));
            }
        }
        Ok(None)
    }

    /// What is seen of these tasks, in order.
    pub async fn look(&self, arns: &[String]) -> Result<Vec<Seen>, String> {
        let mut known = HashMap::new();
        for arns in arns.chunks(AT_ONCE) {
            let request = self.client.describe_tasks().cluster(&self.cluster);
            let answer = request.set_tasks(Some(arns.to_vec())).send().await;
            let answer =
                answer.map_err(|error| format!("DescribeTasks failed: {}", said(&error)))?;
            for task in answer.tasks() {
                known.insert(task.task_arn().unwrap_or_default().to_owned(), self.seen(task));
            }
        }
        Ok(arns.iter().map(|arn| known.remove(arn).unwrap_or(Seen::Absent)).collect())
    }

    /// The last line that a task has written, where its definition sends lines to `CloudWatch` Logs and we may read them.
    pub async fn last_line(&self, placement: &Placement, arn: &str) -> Option<String> {
        let request = self.client.describe_task_definition();
        let answer = request.task_definition(&placement.task_definition).send().await.ok()?;
        let definition = answer.task_definition?;
        let own = |container: &&ContainerDefinition| container.name() == Some(&placement.container);
        let container = definition.container_definitions().iter().find(own)?;
        let options = container.log_configuration()?.options()?;
        let (group, prefix) =
            (options.get("awslogs-group")?, options.get("awslogs-stream-prefix")?);
        let task = arn.rsplit('/').next()?;
        let stream = format!("{prefix}/{}/{task}", placement.container);
        let request = self.logs.get_log_events().log_group_name(group).log_stream_name(stream);
        let answer = request.start_from_head(false).limit(1).send().await.ok()?;
        answer.events?.pop()?.message
    }

    fn seen(&self, task: &Task) -> Seen {
        // Others may inject containers of their own.
        let own = |name: Option<&str>| name == Some(self.container.as_str());
        let container = task.containers().iter().find(|container| own(container.name()));
        answer::seen(&Told {
            last_status: task.last_status().unwrap_or_default(),
            pulling: task.pull_started_at().is_some() && task.pull_stopped_at().is_none(),
            stop_code: task.stop_code().map(aws_sdk_ecs::types::TaskStopCode::as_str),
            stopped_reason: task.stopped_reason(),
            container_reason: container.and_then(|container| container.reason()),
            exit: container.and_then(aws_sdk_ecs::types::Container::exit_code),
        })
    }
}

fn network(placement: &Placement) -> NetworkConfiguration {
    let public =
        if placement.public_ip { AssignPublicIp::Enabled } else { AssignPublicIp::Disabled };
    let vpc = AwsVpcConfiguration::builder()
        .set_subnets(Some(placement.subnets.clone()))
        .set_security_groups(Some(placement.security_groups.clone()))
        .assign_public_ip(public)
        .build()
        .expect("it has subnets");
    NetworkConfiguration::builder().awsvpc_configuration(vpc).build()
}

fn capacity(placement: &Placement) -> Option<Vec<CapacityProviderStrategyItem>> {
    let item = |(provider, weight): (&String, &u32)| {
        CapacityProviderStrategyItem::builder()
            .capacity_provider(provider)
            .weight(i32::try_from(*weight).unwrap_or(i32::MAX))
            .build()
            .expect("it has a provider")
    };
    (!placement.capacity.is_empty()).then(|| placement.capacity.iter().map(item).collect())
}

fn tags(placement: &Placement) -> Vec<Tag> {
    placement.tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

fn overrides(placement: &Placement) -> TaskOverride {
    let variable =
        |(name, value): (&String, &String)| KeyValuePair::builder().name(name).value(value).build();
    let container = ContainerOverride::builder()
        .name(&placement.container)
        .set_environment(Some(placement.environment.iter().map(variable).collect()))
        .build();
    let disk = placement.disk_gib.and_then(|gib| i32::try_from(gib).ok());
    TaskOverride::builder()
        .cpu(placement.size.cpu.to_string())
        .memory(placement.size.memory.to_string())
        .set_ephemeral_storage(disk.map(|gib| EphemeralStorage::builder().size_in_gib(gib).build()))
        .set_task_role_arn(placement.task_role.clone())
        .container_overrides(container)
        .build()
}

fn unlisted<E, R>(error: &SdkError<E, R>) -> Refused
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    Refused::later(format!("ListTasks failed: {}", said(error)), Duration::from_secs(15))
}

fn refused<E, R>(error: &SdkError<E, R>) -> Refused
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    match error.as_service_error() {
        Some(said) => answer::exception(
            said.code().unwrap_or("unknown"),
            said.message().unwrap_or("without a message"),
        ),
        // It may have been started: the same token finds it.
        None => super::unanswered("RunTask", &causes(error)),
    }
}
