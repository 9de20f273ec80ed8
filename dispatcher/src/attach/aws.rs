//! What attaching reads of AWS: a thin shell around Lambda, IAM and SQS. What it does is `perform`'s business.

use std::collections::{BTreeMap, BTreeSet};

use aws_config::SdkConfig;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_lambda::operation::get_function_event_invoke_config::GetFunctionEventInvokeConfigOutput;
use aws_sdk_lambda::types::EventSourceMappingConfiguration;
use aws_sdk_sqs::types::QueueAttributeName;
use runner::causes::causes;
use runner::function::name::FunctionName;

use super::found::{Asynchronous, Found, Role};
use super::{note, plan};
use crate::aws::{Account, failed};
use crate::people::Refusal;
use crate::resolve::directory::Directory as _;
use crate::roles::{self, Simulated};
use crate::signed::Signed;

/// AWS, as attaching needs it.
#[derive(Debug)]
pub(super) struct Aws {
    account: Account,
    pub(super) lambda: Client,
    sqs: aws_sdk_sqs::Client,
    pub(super) signed: Signed,
}

/// A queue's attributes, by name.
pub(super) type Attributes = BTreeMap<String, String>;

impl Aws {
    pub(super) fn new(sdk: &SdkConfig) -> Result<Self, Refusal> {
        Ok(Self {
            account: Account::new(sdk),
            lambda: Client::new(sdk),
            sqs: aws_sdk_sqs::Client::new(sdk),
            signed: Signed::new(sdk).map_err(Refusal)?,
        })
    }

    /// What is there. Of the role, what concerns this queue.
    pub(super) async fn find(&self, name: &str, queue: Option<&str>) -> Result<Found, Refusal> {
        let parsed: FunctionName = name.parse().map_err(|error| Refusal(causes(&error)))?;
        let qualifier = parsed.qualifier().filter(|it| *it != "$LATEST").map(str::to_owned);
        let described = self.describe(&parsed.unqualified()).await?;
        // A version has the role that the function had when it was published.
        let meant = match &qualifier {
            Some(_) => self.describe(name).await?,
            None => described.clone(),
        };
        let tags = self.tags(&described.arn).await?;
        let asynchronous = self.asynchronous(&described.arn, qualifier.as_deref()).await?;
        let role = self.role(&meant.role, &described.name, qualifier.as_deref(), queue).await?;
        Ok(Found {
            arn: described.arn,
            name: described.name,
            qualifier,
            dead_letter: described.dead_letter,
            asynchronous,
            tags,
            role,
            sharing: None,
        })
    }

    pub(super) async fn describe(&self, name: &str) -> Result<crate::function::Function, Refusal> {
        self.account.describe(name).await.map_err(|error| Refusal(error.to_string()))
    }

    async fn tags(&self, arn: &str) -> Result<BTreeMap<String, String>, Refusal> {
        let answer = self.lambda.list_tags().resource(arn).send().await;
        let answer = answer.map_err(|error| refusal("ListTags", arn, &error))?;
        Ok(answer.tags.unwrap_or_default().into_iter().collect())
    }

    async fn asynchronous(
        &self,
        arn: &str,
        qualifier: Option<&str>,
    ) -> Result<Option<Asynchronous>, Refusal> {
        let request = self.lambda.get_function_event_invoke_config().function_name(arn);
        match request.set_qualifier(qualifier.map(str::to_owned)).send().await {
            Ok(answer) => Ok(Some(asynchronous(&answer))),
            Err(error) if code(&error) == Some("ResourceNotFoundException") => Ok(None),
            Err(error) => Err(refusal("GetFunctionEventInvokeConfig", arn, &error)),
        }
    }

    /// What cannot be told of a role stays unknown: not everybody may ask.
    async fn role(
        &self,
        arn: &str,
        function: &str,
        qualifier: Option<&str>,
        queue: Option<&str>,
    ) -> Result<Role, Refusal> {
        let role = Role { arn: arn.to_owned(), ..Role::default() };
        let name = role.name().to_owned();
        let may_send = match queue {
            Some(queue) => {
                let send = ["sqs:SendMessage"];
                let told = roles::simulate(&self.signed, arn, &send, queue, &[]).await;
                told.ok().map(|denied| matches!(denied, Simulated::Allowed))
            }
            None => None,
        };
        let policies = roles::inline(&self.signed, &name).await.ok();
        let own = plan::policy_name(function, qualifier);
        let own = match &policies {
            Some(policies) if policies.contains(&own) => {
                roles::inline_policy(&self.signed, &name, &own).await.ok()
            }
            _ => None,
        };
        let trust = roles::trust(&self.signed, &name).await.ok();
        Ok(Role { may_send, policies: policies.map(BTreeSet::from_iter), own, trust, ..role })
    }

    /// Other functions, or other versions of this one, for which this role got its trust.
    pub(super) async fn sharing(&self, found: &Found) -> Option<Vec<String>> {
        let mut sharing = Vec::new();
        if note::others_trust(&found.tags, found.qualifier.as_deref()) {
            sharing.push(found.name.clone());
        }
        let mut pages = self.lambda.list_functions().into_paginator().items().send();
        while let Some(function) = pages.next().await {
            let function = function.ok()?;
            let arn = function.function_arn()?;
            if function.role() != Some(&found.role.arn) || arn == found.arn {
                continue;
            }
            let none = Some("");
            if note::others_trust(&self.tags(arn).await.ok()?, none) {
                sharing.extend(function.function_name.clone());
            }
        }
        Some(sharing)
    }

    /// The queues and streams that feed a function.
    pub(super) async fn sources(
        &self,
        found: &Found,
    ) -> Result<Vec<EventSourceMappingConfiguration>, Refusal> {
        let function = match &found.qualifier {
            Some(qualifier) => format!("{}:{qualifier}", found.arn),
            None => found.arn.clone(),
        };
        let request = self.lambda.list_event_source_mappings().function_name(&function);
        let mut pages = request.into_paginator().items().send();
        let mut sources = Vec::new();
        while let Some(mapping) = pages.next().await {
            sources.push(
                mapping.map_err(|error| refusal("ListEventSourceMappings", &function, &error))?,
            );
        }
        Ok(sources)
    }

    /// Attributes of the queue at this address.
    pub(super) async fn queue(&self, url: &str) -> Result<Attributes, Refusal> {
        let request = self.sqs.get_queue_attributes().queue_url(url);
        let answer = request.attribute_names(QueueAttributeName::All).send().await;
        let answer = answer.map_err(|error| refusal("GetQueueAttributes", url, &error))?;
        let all = answer.attributes.unwrap_or_default();
        Ok(all.into_iter().map(|(name, value)| (name.as_str().to_owned(), value)).collect())
    }

    /// The address of a queue by its ARN.
    pub(super) async fn url(&self, arn: &str) -> Result<String, Refusal> {
        let part = |at: usize| arn.split(':').nth(at).unwrap_or_default();
        let request = self.sqs.get_queue_url().queue_name(part(5));
        let answer = request.queue_owner_aws_account_id(part(4)).send().await;
        let answer = answer.map_err(|error| refusal("GetQueueUrl", arn, &error))?;
        Ok(answer.queue_url.unwrap_or_default())
    }
}

pub(super) fn code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> Option<&str> {
    error.as_service_error().and_then(|said| said.code())
}

pub(super) fn refusal<E, R>(
    operation: &'static str,
    subject: &str,
    error: &SdkError<E, R>,
) -> Refusal
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    Refusal(failed(operation, subject, error).to_string())
}

fn asynchronous(answer: &GetFunctionEventInvokeConfigOutput) -> Asynchronous {
    let said = |arn: Option<&str>| arn.filter(|arn| !arn.is_empty()).map(str::to_owned);
    let config = answer.destination_config();
    Asynchronous {
        retries: answer.maximum_retry_attempts(),
        age: answer.maximum_event_age_in_seconds(),
        success: said(config.and_then(|all| all.on_success()?.destination())),
        failure: said(config.and_then(|all| all.on_failure()?.destination())),
    }
}
