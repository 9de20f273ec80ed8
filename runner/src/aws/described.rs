//! `GetFunction`'s answer → a function, or which of its holes is in the way. Pure.

use std::collections::BTreeMap;

use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
use aws_sdk_lambda::types::{
    ApplicationLogLevel, FunctionConfiguration, PackageType, SystemLogLevel,
};
use ledger::Redacted;

use super::{AwsError, GET_FUNCTION, code};
use crate::function::{Function, Image, Location, Package};
use crate::image::Reference;
use crate::telemetry::{Format, Level, Logging};

/// Turns `GetFunction`'s answer into a function, or says which of its holes is in the way.
pub(super) fn function(answer: GetFunctionOutput, subject: &str) -> Result<Function, AwsError> {
    let incomplete = |problem: String| AwsError::Incomplete {
        operation: GET_FUNCTION,
        subject: subject.to_owned(),
        problem,
    };
    let configuration =
        answer.configuration.ok_or_else(|| incomplete("has no Configuration".into()))?;
    if configuration.package_type() == Some(&PackageType::Image) {
        let image = code::of_image(answer.code.as_ref(), &configuration).map_err(incomplete)?;
        return described(&configuration, String::new(), Some(image)).map_err(incomplete);
    }
    let location = code::of_function(answer.code.as_ref()).map_err(incomplete)?;
    let runtime = configuration
        .runtime()
        .ok_or_else(|| incomplete("has no Runtime".into()))?
        .as_str()
        .to_owned();
    let mut function = described(&configuration, runtime, None).map_err(incomplete)?;
    function.code.location = location;
    Ok(function)
}

/// Lambda runs images of Amazon ECR alone (Lambda developer guide, "Creating Lambda functions from container images"): only
/// an endpoint of the user's knows others.
pub(super) fn of_amazon(function: &Function, subject: &str) -> Result<(), AwsError> {
    let Some(image) = &function.image else { return Ok(()) };
    let reference = image.reference.parse::<Reference>();
    if reference.is_ok_and(|reference| reference.ecr_region().is_some()) {
        return Ok(());
    }
    Err(AwsError::Incomplete {
        operation: GET_FUNCTION,
        subject: subject.to_owned(),
        problem: format!("names an image that is not in Amazon ECR: `{}`", image.reference),
    })
}

/// What a configuration says of the function; not where its code is.
fn described(
    configuration: &FunctionConfiguration,
    runtime: String,
    image: Option<Image>,
) -> Result<Function, String> {
    let arn = configuration.function_arn().unwrap_or_default().to_owned();
    let name = configuration.function_name().unwrap_or_default().to_owned();
    let group = configuration.logging_config().and_then(|logging| logging.log_group());
    let layers = configuration.layers().iter().filter_map(|layer| layer.arn());
    Ok(Function {
        version: configuration.version().unwrap_or("$LATEST").to_owned(),
        handler: configuration.handler().unwrap_or_default().to_owned(),
        memory: configuration
            .memory_size()
            .and_then(|size| u32::try_from(size).ok())
            .unwrap_or(128),
        region: arn.split(':').nth(3).unwrap_or_default().to_owned(),
        log_group: group.map_or_else(|| format!("/aws/lambda/{name}"), str::to_owned),
        logging: logging(configuration),
        variables: variables(configuration)?,
        code: Package {
            sha256: configuration.code_sha256().map(str::to_owned),
            size: u64::try_from(configuration.code_size()).ok().filter(|size| *size > 0),
            ..unlocated("function package")
        },
        layers: layers.map(unlocated).collect(),
        image,
        role: configuration.role().map(str::to_owned),
        runtime,
        arn,
        name,
    })
}

/// How its log is written; what is not said is as Lambda has it.
fn logging(configuration: &FunctionConfiguration) -> Logging {
    let default = Logging::default();
    let Some(logging) = configuration.logging_config() else { return default };
    let json = logging.log_format().is_some_and(|format| format.as_str() == "JSON");
    let level = |name: Option<&str>, or| name.and_then(Level::named).unwrap_or(or);
    Logging {
        format: if json { Format::Json } else { Format::Text },
        application: level(
            logging.application_log_level().map(ApplicationLogLevel::as_str),
            default.application,
        ),
        system: level(logging.system_log_level().map(SystemLogLevel::as_str), default.system),
    }
}

/// A layer of which only the ARN is known yet.
fn unlocated(arn: &str) -> Package {
    let location = Location::Url(Redacted::default());
    Package { name: arn.to_owned(), location, sha256: None, size: None }
}

fn variables(
    configuration: &FunctionConfiguration,
) -> Result<BTreeMap<String, Redacted<String>>, String> {
    let Some(environment) = configuration.environment() else { return Ok(BTreeMap::new()) };
    if let Some(error) = environment.error() {
        let (code, message) =
            (error.error_code().unwrap_or_default(), error.message().unwrap_or_default());
        return Err(format!(
            "hides the environment: {code}: {message}; grant kms:Decrypt on the function's key to the role that runs this"
        ));
    }
    let pairs = environment.variables().into_iter().flatten();
    Ok(pairs.map(|(name, value)| (name.clone(), Redacted::new(value.clone()))).collect())
}

#[cfg(test)]
mod tests {
    use aws_sdk_lambda::types::{
        EnvironmentError, EnvironmentResponse, FunctionCodeLocation, Runtime,
    };

    use super::*;

    fn configuration() -> aws_sdk_lambda::types::builders::FunctionConfigurationBuilder {
        FunctionConfiguration::builder()
            .function_name("f")
            .function_arn("arn:aws:lambda:eu-west-1:123456789012:function:f:7")
            .runtime(Runtime::from("python3.13"))
    }

    fn refused(configuration: FunctionConfiguration, url: Option<&str>) -> String {
        let code = FunctionCodeLocation::builder().set_location(url.map(str::to_owned)).build();
        let answer = GetFunctionOutput::builder().configuration(configuration).code(code).build();
        function(answer, "f").unwrap_err().to_string()
    }

    #[test]
    fn each_hole_in_the_answer_is_named() {
        let hidden = EnvironmentResponse::builder()
            .error(EnvironmentError::builder().error_code("AccessDeniedException").build());
        let table = [
            (configuration().build(), None, "has no Code.Location"),
            (
                configuration().environment(hidden.build()).build(),
                Some("u"),
                "hides the environment: AccessDeniedException",
            ),
            (
                configuration().package_type(PackageType::Image).build(),
                Some("u"),
                "has no Code.ImageUri",
            ),
            (configuration().set_runtime(None).build(), Some("u"), "has no Runtime"),
        ];
        for (configuration, url, expected) in table {
            let found = refused(configuration, url);
            assert!(found.contains(expected), "{found}");
        }
    }

    #[test]
    fn the_presigned_url_is_not_printed() {
        let code = FunctionCodeLocation::builder()
            .location("https://host/?X-Amz-Signature=canary")
            .build();
        let answer =
            GetFunctionOutput::builder().configuration(configuration().build()).code(code).build();
        let function = function(answer, "f").unwrap();
        assert_eq!(function.region, "eu-west-1");
        assert!(!format!("{function:?}").contains("canary"));
    }
}
