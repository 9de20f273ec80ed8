//! The calls of a plan, done: a thin shell around Lambda and IAM. What is a matter of seconds is tried again.

use std::time::{Duration, Instant};

use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_lambda::types::{DeadLetterConfig, DestinationConfig, OnFailure, OnSuccess};
use serde_json::Value;
use tracing::info;

use super::aws::{Aws, code, refusal};
use super::call::Call;
use super::found::Asynchronous;
use crate::people::Refusal;
use crate::signed::IAM;

/// How long a role that was just changed may be unknown to Lambda, and a function that was just changed busy.
const SETTLES: Duration = Duration::from_mins(1);

impl Aws {
    /// Does one call.
    pub(super) async fn perform(&self, call: &Call) -> Result<(), Refusal> {
        let since = Instant::now();
        loop {
            match self.once(call).await {
                Err(error) if error.settles && since.elapsed() < SETTLES => {
                    info!("{}; trying again", error.why);
                    tokio::time::sleep(Duration::from_secs(3)).await;
                }
                done => return done.map_err(|error| error.why),
            }
        }
    }

    async fn once(&self, call: &Call) -> Result<(), Undone> {
        let lambda = &self.lambda;
        match call.clone() {
            Call::Tag { arn, tags } => {
                let tags = Some(tags.into_iter().collect());
                let done = lambda.tag_resource().resource(&arn).set_tags(tags).send().await;
                done.map(drop).map_err(|error| undone("TagResource", &arn, &error))
            }
            Call::Untag { arn, keys } => {
                let request = lambda.untag_resource().resource(&arn).set_tag_keys(Some(keys));
                request
                    .send()
                    .await
                    .map(drop)
                    .map_err(|error| undone("UntagResource", &arn, &error))
            }
            Call::DeadLetter { function, target } => {
                let target = DeadLetterConfig::builder().target_arn(target).build();
                let request = lambda.update_function_configuration().function_name(&function);
                let done = request.dead_letter_config(target).send().await;
                done.map(drop)
                    .map_err(|error| undone("UpdateFunctionConfiguration", &function, &error))
            }
            Call::Configure { function, qualifier, config } => {
                let request = lambda
                    .put_function_event_invoke_config()
                    .function_name(&function)
                    .set_qualifier(qualifier)
                    .set_maximum_retry_attempts(config.retries)
                    .set_maximum_event_age_in_seconds(config.age)
                    .set_destination_config(destinations(&config));
                let done = request.send().await;
                done.map(drop)
                    .map_err(|error| undone("PutFunctionEventInvokeConfig", &function, &error))
            }
            Call::Unconfigure { function, qualifier } => {
                let request = lambda.delete_function_event_invoke_config();
                let request = request.function_name(&function).set_qualifier(qualifier);
                match request.send().await {
                    Err(error) if code(&error) != Some("ResourceNotFoundException") => {
                        Err(undone("DeleteFunctionEventInvokeConfig", &function, &error))
                    }
                    _ => Ok(()),
                }
            }
            Call::PutPolicy { .. } | Call::DeletePolicy { .. } | Call::Trust { .. } => {
                self.change_role(call).await
            }
        }
    }

    async fn change_role(&self, call: &Call) -> Result<(), Undone> {
        let (_, operation, parameters) = call.request();
        match self.signed.call::<Value>(IAM, operation, &parameters).await {
            Err(refused) if refused.is_absent() && matches!(call, Call::DeletePolicy { .. }) => {
                Ok(())
            }
            Err(refused) => {
                let role = parameters["RoleName"].as_str().unwrap_or_default();
                Err(Undone { settles: false, why: Refusal(format!("{refused} (role {role})")) })
            }
            Ok(_) => Ok(()),
        }
    }
}

/// A call that was not done.
struct Undone {
    /// Whether it may be a matter of seconds.
    settles: bool,
    why: Refusal,
}

fn undone<E, R>(operation: &'static str, subject: &str, error: &SdkError<E, R>) -> Undone
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    // Lambda checks that the role may send; what IAM was told is not everywhere at once.
    let message = error.as_service_error().and_then(|said| said.message()).unwrap_or_default();
    let settles = code(error) == Some("ResourceConflictException")
        || message.contains("does not have permissions")
        || message.contains("cannot be assumed by Lambda");
    Undone { settles, why: refusal(operation, subject, error) }
}

fn destinations(config: &Asynchronous) -> Option<DestinationConfig> {
    let failure = config.failure.as_ref().map(|arn| OnFailure::builder().destination(arn).build());
    let success = config.success.as_ref().map(|arn| OnSuccess::builder().destination(arn).build());
    (failure.is_some() || success.is_some()).then(|| {
        DestinationConfig::builder().set_on_failure(failure).set_on_success(success).build()
    })
}
