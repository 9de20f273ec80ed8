//! The AWS SDK: clients as the user configured them, and its answers as our own types. Only what is below here
//! knows SDK types; policy is elsewhere.

pub mod agent;
mod carriers;
mod code;
mod configured;
mod described;
pub mod inbox;
mod presign;
pub mod remedy;
pub mod role;
pub mod task;

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_lambda::Client;
use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use aws_types::service_config::ServiceConfigKey;
use ledger::Redacted;
use thiserror::Error;

pub use carriers::Carriers;
pub use configured::{own_destinations, reports_items};

use crate::causes::causes;
use crate::fetch::resolve::Resolver;
use crate::function::name::FunctionName;
use crate::function::{Function, Location, Package, S3Object};

/// AWS did not describe a function that can be run.
#[derive(Debug, Error)]
pub enum AwsError {
    /// The call was answered with a refusal.
    #[error("{operation} of `{subject}` was refused: {code}: {message}")]
    Refused {
        /// API operation.
        operation: &'static str,
        /// Function or layer.
        subject: String,
        /// Error code.
        code: String,
        /// Error message.
        message: String,
    },
    /// There was no answer.
    #[error("{operation} of `{subject}` got no answer: {problem}")]
    Unreachable {
        /// API operation.
        operation: &'static str,
        /// Function or layer.
        subject: String,
        /// What the SDK says.
        problem: String,
    },
    /// The answer lacks what a run needs.
    #[error("{operation} of `{subject}` {problem}")]
    Incomplete {
        /// API operation.
        operation: &'static str,
        /// Function or layer.
        subject: String,
        /// What is missing and what to do.
        problem: String,
    },
}

/// AWS answers in less, or not at all: then it is asked again. By itself the SDK waits for ever. Twice as long as a queue
/// takes to say that it is empty (SQS API reference, `WaitTimeSeconds`).
const ANSWER: Duration = Duration::from_secs(40);
const GET_FUNCTION: &str = "GetFunction";
const GET_LAYER: &str = "GetLayerVersionByArn";

thread_local! {
    /// What was read, by region: connections and credentials are kept for the next call.
    static READ: RefCell<HashMap<Option<String>, SdkConfig>> = RefCell::default();
}

/// Reads region, credentials and endpoints from the usual places, once.
pub async fn config(region: Option<String>) -> SdkConfig {
    if let Some(known) = READ.with_borrow(|read| read.get(&region).cloned()) {
        return known;
    }
    let config = read(region.clone()).await;
    READ.with_borrow_mut(|read| read.insert(region, config.clone()));
    config
}

async fn read(region: Option<String>) -> SdkConfig {
    let client = aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(CryptoMode::Ring));
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(ANSWER).build();
    let loader = aws_config::defaults(BehaviorVersion::latest()).timeout_config(timeouts);
    let mut loader = loader.http_client(client.build_with_resolver(Resolver));
    if let Some(region) = region {
        loader = loader.region(Region::new(region));
    }
    loader.load().await
}

/// An address at which this object can be had for an hour, with the credentials of the environment.
pub async fn presigned(
    config: &SdkConfig,
    object: &S3Object,
) -> Result<Redacted<String>, AwsError> {
    presign::presign(config, object).await
}

/// Asks Lambda what the function is and where its code and layers are.
pub async fn describe(config: &SdkConfig, name: &FunctionName) -> Result<Function, AwsError> {
    let client = Client::new(config);
    let request = client.get_function().function_name(name.unqualified());
    let answer = request.set_qualifier(name.qualifier().map(str::to_owned)).send().await;
    let answer = answer.map_err(|error| failure(GET_FUNCTION, &name.to_string(), &error))?;
    let mut function = described::function(answer, &name.to_string())?;
    if endpoint(config, "Lambda").is_none() {
        described::of_amazon(&function, &name.to_string())?;
    }
    let layers = function.layers.iter().map(|layer| locate(&client, &layer.name));
    function.layers = futures_util::future::try_join_all(layers).await?;
    for package in function.layers.iter_mut().chain([&mut function.code]) {
        settle(config, package).await?;
    }
    Ok(function)
}

/// Asks again where a package is, because the address has expired.
pub async fn renew(
    config: &SdkConfig,
    name: &FunctionName,
    package: &Package,
) -> Result<Redacted<String>, String> {
    let function = describe(config, name).await.map_err(|error| causes(&error))?;
    let packages = function.layers.into_iter().chain([function.code]);
    let found = packages.into_iter().find(|other| other.name == package.name);
    match found {
        Some(other) if other.sha256 == package.sha256 => match other.location {
            Location::Url(url) | Location::Presigned(url) => Ok(url),
            _ => Err("it has no address any more".to_owned()),
        },
        _ => Err("the function was updated in the meantime".to_owned()),
    }
}

/// Turns what AWS said into an address that can be asked: an object's own is signed here, and one that
/// comes from an endpoint of the user's need not be AWS's.
pub async fn settle(config: &SdkConfig, package: &mut Package) -> Result<(), AwsError> {
    let service = match &package.location {
        Location::S3(object) => {
            let url = presign::presign(config, object).await?;
            package.location = Location::Presigned(url);
            "S3"
        }
        Location::Presigned(_) => "Lambda",
        _ => return Ok(()),
    };
    if let Location::Presigned(url) = &package.location
        && endpoint(config, service).is_some()
    {
        package.location = Location::Url(url.clone());
    }
    Ok(())
}

/// The endpoint that the user chose for a service, by variable or profile.
pub fn endpoint(config: &SdkConfig, service: &str) -> Option<String> {
    let key = ServiceConfigKey::builder()
        .service_id(service)
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build();
    let own = config.service_config().zip(key.ok()).and_then(|(load, key)| load.load_config(key));
    own.or_else(|| config.endpoint_url().map(str::to_owned))
}

async fn locate(client: &Client, arn: &str) -> Result<Package, AwsError> {
    let answer = client.get_layer_version_by_arn().arn(arn).send().await;
    let answer = answer.map_err(|error| failure(GET_LAYER, arn, &error))?;
    let content = answer.content();
    let location = code::of_layer(content).map_err(|problem| AwsError::Incomplete {
        operation: GET_LAYER,
        subject: arn.to_owned(),
        problem,
    })?;
    Ok(Package {
        name: format!("layer {arn}"),
        location,
        sha256: content.and_then(|content| content.code_sha256()).map(str::to_owned),
        size: content
            .and_then(|content| u64::try_from(content.code_size()).ok())
            .filter(|size| *size > 0),
    })
}

/// What Amazon's registries take from whoever may pull in this region: `Basic …`.
pub async fn registry_login(region: &str) -> Result<Redacted<String>, AwsError> {
    const OPERATION: &str = "GetAuthorizationToken";
    let config = config(Some(region.to_owned())).await;
    let answer = aws_sdk_ecr::Client::new(&config).get_authorization_token().send().await;
    let answer = answer.map_err(|error| failure(OPERATION, region, &error))?;
    let token = answer.authorization_data().first().and_then(|it| it.authorization_token());
    let token = token.ok_or_else(|| AwsError::Incomplete {
        operation: OPERATION,
        subject: region.to_owned(),
        problem: "has no token".to_owned(),
    })?;
    Ok(Redacted::new(format!("Basic {token}")))
}

fn failure<E>(operation: &'static str, subject: &str, error: &SdkError<E>) -> AwsError
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    let subject = subject.to_owned();
    if let SdkError::ServiceError(refusal) = error {
        let code = refusal.err().code().unwrap_or("no error code").to_owned();
        let message = remedy::refused(&code, refusal.err().message().unwrap_or("no message"));
        return AwsError::Refused { operation, subject, code, message };
    }
    let problem = remedy::unanswered(causes(error));
    AwsError::Unreachable { operation, subject, problem }
}
