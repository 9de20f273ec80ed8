//! What a function's owner has configured beside the function: where its outcomes go, and whether it reports the
//! items of a batch one by one.

use aws_config::SdkConfig;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::{
    DestinationConfig, EventSourceMappingConfiguration, FunctionResponseType,
};
use ledger::Destination;

use super::{AwsError, failure};
use crate::destination::Own;
use crate::function::name::FunctionName;

const GET_CONFIG: &str = "GetFunctionEventInvokeConfig";
const LIST_MAPPINGS: &str = "ListEventSourceMappings";

/// The function's own destinations, those of the version or alias that was invoked; none where nothing is
/// configured.
pub async fn own_destinations(config: &SdkConfig, function_arn: &str) -> Result<Own, AwsError> {
    let incomplete = |problem: String| AwsError::Incomplete {
        operation: GET_CONFIG,
        subject: function_arn.to_owned(),
        problem,
    };
    let name: FunctionName =
        function_arn.parse().map_err(|error| incomplete(format!("was not asked: {error}")))?;
    let qualifier = name.qualifier().filter(|qualifier| *qualifier != "$LATEST");
    let request = Client::new(config).get_function_event_invoke_config();
    let request = request.function_name(name.unqualified());
    match request.set_qualifier(qualifier.map(str::to_owned)).send().await {
        Ok(answer) => own(answer.destination_config()).map_err(incomplete),
        Err(error) => match failure(GET_CONFIG, function_arn, &error) {
            AwsError::Refused { code, .. } if code == "ResourceNotFoundException" => {
                Ok(Own::default())
            }
            AwsError::Refused { operation, subject, code, message } if is_denied(&code) => {
                let message = format!(
                    "{message}; grant lambda:{GET_CONFIG} to the role that runs this, or say where \
                     outcomes go in IMMORTAL_DESTINATIONS"
                );
                Err(AwsError::Refused { operation, subject, code, message })
            }
            error => Err(error),
        },
    }
}

fn is_denied(code: &str) -> bool {
    code.contains("AccessDenied")
}

fn own(config: Option<&DestinationConfig>) -> Result<Own, String> {
    let Some(config) = config else { return Ok(Own::default()) };
    let read = |arn: Option<&str>| {
        let arn = arn.filter(|arn| !arn.is_empty());
        arn.map(Destination::from_arn).transpose().map_err(|error| error.to_string())
    };
    Ok(Own {
        success: read(config.on_success().and_then(|on| on.destination()))?,
        failure: read(config.on_failure().and_then(|on| on.destination()))?,
    })
}

/// Whether the function reports the items of batches from this queue or stream one by one
/// (`ReportBatchItemFailures`).
pub async fn reports_items(
    config: &SdkConfig,
    source_arn: &str,
    function_arn: &str,
) -> Result<bool, AwsError> {
    let request = Client::new(config).list_event_source_mappings().event_source_arn(source_arn);
    let mut pages = request.into_paginator().items().send();
    let mut mappings = Vec::new();
    while let Some(mapping) = pages.next().await {
        mappings.push(mapping.map_err(|error| failure(LIST_MAPPINGS, source_arn, &error))?);
    }
    Ok(reports(&mappings, function_arn))
}

/// That of the very version or alias decides; where it has none, any of the function's.
fn reports(mappings: &[EventSourceMappingConfiguration], function_arn: &str) -> bool {
    let Ok(function) = function_arn.parse::<FunctionName>() else { return false };
    let named = |mapping: &EventSourceMappingConfiguration| {
        mapping.function_arn().and_then(|arn| arn.parse::<FunctionName>().ok())
    };
    let latest = |name: &FunctionName| name.qualifier().unwrap_or("$LATEST").to_owned();
    let of_function: Vec<_> = mappings
        .iter()
        .filter_map(|mapping| Some((named(mapping)?, mapping)))
        .filter(|(name, _)| name.unqualified() == function.unqualified())
        .collect();
    let exact = of_function.iter().find(|(name, _)| latest(name) == latest(&function));
    let mapping = exact.or(of_function.first()).map(|(_, mapping)| mapping);
    mapping.is_some_and(|mapping| {
        mapping.function_response_types().contains(&FunctionResponseType::ReportBatchItemFailures)
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_lambda::types::{OnFailure, OnSuccess};

    use super::*;

    const ARN: &str = "arn:aws:lambda:eu-west-1:123456789012:function:f";

    #[test]
    fn destinations_are_read_and_a_kind_that_is_not_known_is_named() {
        let success = OnSuccess::builder().destination("arn:aws:sqs:eu-west-1:1:q").build();
        let config = DestinationConfig::builder().on_success(success).build();
        let found = own(Some(&config)).unwrap();
        assert_eq!(
            (found.success.unwrap().to_string().as_str(), found.failure),
            ("sqs:arn:aws:sqs:eu-west-1:1:q", None)
        );
        let failure = OnFailure::builder().destination("kafka://topic").build();
        let config = DestinationConfig::builder().on_failure(failure).build();
        assert!(own(Some(&config)).unwrap_err().contains("kafka://topic"));
        assert_eq!(own(None), Ok(Own::default()));
    }

    #[test]
    fn the_mapping_of_what_was_invoked_decides() {
        let mapping = |arn: &str, reports: bool| {
            let kinds = reports.then(|| vec![FunctionResponseType::ReportBatchItemFailures]);
            EventSourceMappingConfiguration::builder()
                .function_arn(arn)
                .set_function_response_types(kinds)
                .build()
        };
        let live = format!("{ARN}:live");
        let other = format!("{ARN}2");
        let table = [
            (vec![], ARN, false),
            (vec![mapping(ARN, true)], &format!("{ARN}:$LATEST"), true),
            (vec![mapping(ARN, false), mapping(&live, true)], &live, true),
            (vec![mapping(ARN, true), mapping(&live, false)], &live, false),
            (vec![mapping(&live, true)], ARN, true),
            (vec![mapping(&other, true)], ARN, false),
        ];
        for (mappings, function, expected) in table {
            assert_eq!(reports(&mappings, function), expected, "{function}");
        }
    }
}
