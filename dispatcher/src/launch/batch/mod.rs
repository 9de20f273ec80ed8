//! Jobs of AWS Batch: `SubmitJob`, `ListJobs` and `DescribeJobs`. A thin shell; answers are understood by `answer`.
//!
//! `SubmitJob` has no token. What an earlier request has submitted is found by its name, and none is sent twice by the
//! SDK. Batch makes one attempt of its own: a second container of the same attempt would find it claimed.

mod answer;

use std::collections::HashMap;

use aws_sdk_batch::Client;
use aws_sdk_batch::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_batch::types::{
    ContainerOverrides, JobDetail, JobTimeout, KeyValuePair, KeyValuesPair, ResourceRequirement,
    RetryStrategy,
};
use aws_smithy_types::retry::RetryConfig;
use runner::causes::causes;

use super::{Launched, Refused, Seen, said};
use crate::place::batch::Placement;

/// The most jobs that are described at once (Batch API reference, `DescribeJobs`).
const AT_ONCE: usize = 100;

/// The job queues of an account.
#[derive(Debug, Clone)]
pub struct Batch {
    client: Client,
}

impl Batch {
    /// With this client.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Submits a job, or finds the one that an earlier request has submitted, where there may be one.
    pub async fn launch(&self, placement: &Placement, repeated: bool) -> Result<Launched, Refused> {
        if repeated && let Some(id) = self.submitted(placement).await? {
            return Ok(Launched { id });
        }
        let request = self
            .client
            .submit_job()
            .job_name(&placement.job_name)
            .job_queue(&placement.job_queue)
            .job_definition(&placement.job_definition)
            .container_overrides(overrides(placement))
            .retry_strategy(RetryStrategy::builder().attempts(1).build())
            .set_share_identifier(placement.share.clone())
            .set_scheduling_priority_override(placement.priority.map(number))
            .set_timeout(placement.timeout_seconds.map(timeout))
            .propagate_tags(true)
            .set_tags(Some(placement.tags.clone().into_iter().collect()));
        // A request whose answer was lost may have been heard.
        let once = aws_sdk_batch::config::Builder::new().retry_config(RetryConfig::disabled());
        let answer = request.customize().config_override(once).send().await;
        let answer = answer.map_err(|error| refused("SubmitJob", &error))?;
        match answer.job_id() {
            Some(id) => Ok(Launched { id: id.to_owned() }),
            None => Err(answer::exception("SubmitJob", "ServerException", "no job id came back")),
        }
    }

    /// The first job of this very name: the filter takes all spellings for one.
    async fn submitted(&self, placement: &Placement) -> Result<Option<String>, Refused> {
        let name = KeyValuesPair::builder().name("JOB_NAME").values(&placement.job_name).build();
        let request = self.client.list_jobs().job_queue(&placement.job_queue).filters(name);
        let mut pages = request.into_paginator().items().send();
        let mut found = Vec::new();
        while let Some(job) = pages.next().await {
            let job = job.map_err(|error| refused("ListJobs", &error))?;
            if job.job_name() == Some(&placement.job_name) {
                found.extend(job.job_id.map(|id| (job.created_at, id)));
            }
        }
        Ok(found.into_iter().min().map(|(_, id)| id))
    }

    /// What is seen of these jobs, in order.
    pub async fn look(&self, ids: &[String]) -> Result<Vec<Seen>, String> {
        let mut known = HashMap::new();
        for ids in ids.chunks(AT_ONCE) {
            let request = self.client.describe_jobs().set_jobs(Some(ids.to_vec()));
            let answer = request.send().await;
            let answer =
                answer.map_err(|error| format!("DescribeJobs failed: {}", said(&error)))?;
            for job in answer.jobs() {
                known.insert(job.job_id().unwrap_or_default().to_owned(), seen(job));
            }
        }
        Ok(ids.iter().map(|id| known.remove(id).unwrap_or(Seen::Absent)).collect())
    }
}

fn seen(job: &JobDetail) -> Seen {
    let container = job.container();
    answer::seen(&answer::Job {
        status: job.status().map_or("", aws_sdk_batch::types::JobStatus::as_str),
        status_reason: job.status_reason(),
        container_reason: container.and_then(|container| container.reason()),
        exit: container.and_then(aws_sdk_batch::types::ContainerDetail::exit_code),
        stopped: job.is_cancelled() == Some(true) || job.is_terminated() == Some(true),
    })
}

fn overrides(placement: &Placement) -> ContainerOverrides {
    let variable =
        |(name, value): (&String, &String)| KeyValuePair::builder().name(name).value(value).build();
    let requirement = |(kind, value): (&str, String)| {
        ResourceRequirement::builder().r#type(kind.into()).value(value).build()
    };
    ContainerOverrides::builder()
        .set_environment(Some(placement.environment.iter().map(variable).collect()))
        .set_resource_requirements(Some(
            placement.requirements().into_iter().map(requirement).collect(),
        ))
        .build()
}

fn timeout(seconds: u64) -> JobTimeout {
    let seconds = i32::try_from(seconds).unwrap_or(i32::MAX);
    JobTimeout::builder().attempt_duration_seconds(seconds).build()
}

fn number(found: u32) -> i32 {
    i32::try_from(found).unwrap_or(i32::MAX)
}

fn refused<E, R>(operation: &'static str, error: &SdkError<E, R>) -> Refused
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    match error.as_service_error() {
        Some(said) => answer::exception(
            operation,
            said.code().unwrap_or("unknown"),
            said.message().unwrap_or("without a message"),
        ),
        None => super::unanswered(operation, &causes(error)),
    }
}
