//! The AWS SDK behind `resolve`'s and `envelope`'s questions: functions as our own type, objects as bytes. The only
//! file that knows Lambda's SDK types; policy is elsewhere.

use std::collections::BTreeMap;
use std::str::FromStr as _;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_sdk_eventbridge::types::Target;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
use aws_sdk_lambda::types::{EventSourceMappingConfiguration, FunctionConfiguration};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use bytes::Bytes;
use ledger::{Access, Bucket, Destination, HttpClient, LedgerError, Redacted, Root};
use runner::aws::{AwsError, remedy};
use runner::causes::causes;
use runner::fetch::client;
use runner::function::name::FunctionName;

use crate::envelope::Object;
use crate::function::{Architecture, Code, FileSystem, Function, Network};
use crate::resolve::directory::{Directory, LookupError};
use crate::resolve::input::Input;
use crate::turns::Turns;

/// Lambda's control plane.
#[derive(Debug)]
pub struct Account {
    sdk: SdkConfig,
    client: Client,
    events: aws_sdk_eventbridge::Client,
    functions: Turns,
    others: Turns,
}

/// Lambda answers 100 questions for a function a second, and 15 of all others together, for everybody in the account
/// (Lambda quotas, "API requests"). We take at most so much of it: so many at once, so many a second.
const FUNCTIONS: (u32, f64) = (20, 50.0);
pub(crate) const OTHERS: (u32, f64) = (5, 10.0);

impl Account {
    /// With the region, credentials and endpoints of these settings.
    pub fn new(sdk: &SdkConfig) -> Self {
        let sdk = sdk.clone().into_builder().retry_config(RetryConfig::disabled()).build();
        Self {
            client: Client::new(&sdk),
            events: aws_sdk_eventbridge::Client::new(&sdk),
            sdk,
            functions: Turns::new(FUNCTIONS),
            others: Turns::new(OTHERS),
        }
    }

    /// Waits until another question may be asked that is not for a function.
    pub(crate) async fn turn(&self) {
        self.others.next().await;
    }

    /// All pages of a list.
    async fn pages<T>(
        &self,
        page: impl AsyncFn(Option<String>) -> Result<(Option<Vec<T>>, Option<String>), LookupError>,
    ) -> Result<Vec<T>, LookupError> {
        let (mut found, mut marker) = (Vec::new(), None);
        loop {
            let (some, next) = self.others.ask(async || page(marker.clone()).await).await?;
            found.extend(some.into_iter().flatten());
            if next.as_ref().is_none_or(String::is_empty) || next == marker {
                return Ok(found);
            }
            marker = next;
        }
    }
}

impl Directory for Account {
    async fn describe(&self, name: &str) -> Result<Function, LookupError> {
        let parsed: FunctionName = name.parse().map_err(|error| {
            LookupError::Refused(format!("expected a function's name or ARN: {}", causes(&error)))
        })?;
        let request = self.client.get_function().function_name(parsed.unqualified());
        let request = request.set_qualifier(parsed.qualifier().map(str::to_owned));
        let answer = self.functions.ask(async || {
            let answer = request.clone().send().await;
            answer.map_err(|error| failed("GetFunction", name, &error))
        });
        function(answer.await?).ok_or_else(|| {
            LookupError::Refused(format!(
                "GetFunction of `{name}` answered without a configuration"
            ))
        })
    }

    async fn mapped_to(&self, source: &str) -> Result<Vec<String>, LookupError> {
        let request = self.client.list_event_source_mappings().event_source_arn(source);
        let found = self.pages(async |marker| {
            let page = request.clone().set_marker(marker).send().await;
            let page = page.map_err(|error| failed("ListEventSourceMappings", source, &error))?;
            Ok((page.event_source_mappings, page.next_marker))
        });
        Ok(mapped(&found.await?))
    }

    async fn failing_to(&self, target: &str) -> Result<Vec<String>, LookupError> {
        let found = self.pages(async |marker| {
            let page = self.client.list_functions().set_marker(marker).send().await;
            let page = page.map_err(|error| failed("ListFunctions", target, &error))?;
            Ok((page.functions, page.next_marker))
        });
        let own =
            |function: &FunctionConfiguration| dead_letter(function).as_deref() == Some(target);
        let found = found.await?.into_iter().filter(own);
        Ok(found.filter_map(|function| function.function_arn).collect())
    }

    async fn failure_destination(&self, arn: &str) -> Result<Option<String>, LookupError> {
        let own = self.others.ask(async || {
            let own = runner::aws::own_destinations(&self.sdk, arn).await;
            own.map_err(|error| match &error {
                AwsError::Refused { code, .. } if is_passing(code) => {
                    LookupError::Busy(causes(&error))
                }
                AwsError::Unreachable { .. } => LookupError::Passing(causes(&error)),
                _ => LookupError::Refused(causes(&error)),
            })
        });
        let own = own.await?;
        Ok(own.failure.map(|destination| match destination {
            Destination::SqsArn { arn } => arn,
            other => other.to_string(),
        }))
    }

    async fn input(&self, rule: &str, target: &str) -> Result<Input, LookupError> {
        let (bus, name) = rule_name(rule);
        let request = self.events.list_targets_by_rule().rule(name);
        let request = request.set_event_bus_name(bus.map(str::to_owned));
        let answer = self.others.ask(async || {
            let answer = request.clone().send().await;
            answer.map_err(|error| failed("ListTargetsByRule", rule, &error))
        });
        let answer = answer.await?;
        let found = answer.targets().iter().find(|one| one.arn() == target);
        found.map(input).ok_or_else(|| {
            LookupError::Absent(format!(
                "expected {target} among the targets of {rule}, found it is none any more"
            ))
        })
    }
}

/// The functions of these mappings: those that are switched on, or all if none is, since one may have been switched
/// off after it failed.
fn mapped(mappings: &[EventSourceMappingConfiguration]) -> Vec<String> {
    let of = |wanted: fn(&EventSourceMappingConfiguration) -> bool| -> Vec<String> {
        let chosen = mappings.iter().filter(|mapping| wanted(mapping));
        chosen.filter_map(|mapping| mapping.function_arn.clone()).collect()
    };
    let on = of(|mapping| !matches!(mapping.state(), Some("Disabled" | "Disabling" | "Deleting")));
    if on.is_empty() { of(|_| true) } else { on }
}

/// The bus and the name of a rule: `arn:aws:events:REGION:ACCOUNT:rule/[BUS/]NAME`.
fn rule_name(arn: &str) -> (Option<&str>, &str) {
    let path = arn.split_once(":rule/").map_or(arn, |(_, path)| path);
    match path.rsplit_once('/') {
        Some((bus, name)) => (Some(bus), name),
        None => (None, path),
    }
}

fn input(target: &Target) -> Input {
    if target.input_transformer().is_some() {
        return Input::Template;
    }
    match (target.input(), target.input_path()) {
        (Some(text), _) => Input::Constant(text.to_owned()),
        (None, Some(path)) => Input::Path(path.to_owned()),
        (None, None) => Input::Event,
    }
}

/// Throttles and failures of AWS, by any of their names.
fn is_passing(code: &str) -> bool {
    ["Throttl", "TooManyRequests", "ServiceException", "InternalFailure", "ServiceUnavailable"]
        .iter()
        .any(|part| code.contains(part))
}

/// What an answer of the SDK that is none means.
pub(crate) fn failed<E, R>(
    operation: &'static str,
    subject: &str,
    error: &SdkError<E, R>,
) -> LookupError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    let Some(said) = error.as_service_error() else {
        let text = format!(
            "{operation} of `{subject}` got no answer: {}",
            remedy::unanswered(causes(error))
        );
        return match error {
            SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) => LookupError::Busy(text),
            _ => LookupError::Passing(text),
        };
    };
    let code = said.code().unwrap_or("unknown");
    let message = remedy::refused(code, said.message().unwrap_or("without a message"));
    let text = format!("{operation} of `{subject}` was refused: {code}: {message}");
    match code {
        "ResourceNotFoundException" => LookupError::Absent(text),
        code if is_passing(code) => LookupError::Busy(text),
        _ => LookupError::Refused(text),
    }
}

fn function(answer: GetFunctionOutput) -> Option<Function> {
    let GetFunctionOutput { configuration, code, tags, .. } = answer;
    let image = code.and_then(|code| code.resolved_image_uri.or(code.image_uri));
    let configuration = configuration?;
    let architecture = configuration.architectures().first().map(|found| found.as_str().to_owned());
    let file_system = configuration.file_system_configs().first().map(|found| FileSystem {
        arn: found.arn().to_owned(),
        mount: found.local_mount_path().to_owned(),
    });
    let positive = |found: Option<i32>, default: u32| {
        found.and_then(|found| u32::try_from(found).ok()).unwrap_or(default)
    };
    let arn = configuration.function_arn.clone()?;
    let name: FunctionName = arn.parse().ok()?;
    Some(Function {
        arn: unqualified(&arn),
        name: name.name().to_owned(),
        version: configuration.version.clone().unwrap_or_else(|| "$LATEST".to_owned()),
        runtime: configuration.runtime().map(|runtime| runtime.as_str().to_owned()),
        architecture: match architecture.as_deref() {
            Some("arm64") => Architecture::Arm,
            _ => Architecture::X86,
        },
        memory_mb: positive(configuration.memory_size, 128),
        ephemeral_mb: positive(
            configuration.ephemeral_storage().map(aws_sdk_lambda::types::EphemeralStorage::size),
            512,
        ),
        timeout_seconds: positive(configuration.timeout, 3),
        role: configuration.role.clone().unwrap_or_default(),
        network: network(&configuration),
        code: image.map_or(Code::Zip, Code::Image),
        file_system,
        dead_letter: dead_letter(&configuration),
        durable: configuration.durable_config().is_some(),
        tenants: configuration.tenancy_config().is_some(),
        tags: tags.unwrap_or_default().into_iter().collect::<BTreeMap<_, _>>(),
        modified: configuration.last_modified.clone().unwrap_or_default(),
        revision: configuration.revision_id.clone(),
    })
}

/// `arn:aws:lambda:REGION:ACCOUNT:function:NAME` without the version behind it.
fn unqualified(arn: &str) -> String {
    arn.split(':').take(7).collect::<Vec<_>>().join(":")
}

fn dead_letter(configuration: &FunctionConfiguration) -> Option<String> {
    let target = configuration.dead_letter_config()?.target_arn()?;
    (!target.is_empty()).then(|| target.to_owned())
}

fn network(configuration: &FunctionConfiguration) -> Option<Network> {
    let found = configuration.vpc_config()?;
    let subnets = found.subnet_ids().to_vec();
    (!subnets.is_empty())
        .then(|| Network { subnets, security_groups: found.security_group_ids().to_vec() })
}

/// The largest object that is read: an invocation record with its event and its answer, of 6 MB each at most.
const LARGEST: u64 = 64 << 20;

/// Reads a record that Lambda has left in a bucket.
pub async fn object(sdk: &SdkConfig, object: &Object) -> Result<Redacted<Bytes>, LookupError> {
    let Object { bucket, key, version } = object;
    let http = client::new().map_err(|error| LookupError::Passing(causes(&error)))?;
    let access = Access { sdk, http: HttpClient::new(http) };
    let root = Root::from_str(&format!("s3://{bucket}"))
        .map_err(|error| LookupError::Refused(error.to_string()))?;
    let bucket = Bucket::open(&root, Some(access));
    let bucket = bucket.map_err(|error| LookupError::Refused(causes(&error)))?;
    match bucket.read(key, version.as_deref(), LARGEST).await {
        Ok(Some(bytes)) => Ok(Redacted::new(bytes)),
        Ok(None) => Err(LookupError::Absent(format!(
            "expected a record of a failed invocation in s3://{root}/{key}, found no such object",
            root = object.bucket
        ))),
        Err(error @ LedgerError::Unavailable { .. }) => Err(LookupError::Passing(causes(&error))),
        Err(error) => Err(LookupError::Refused(causes(&error))),
    }
}
