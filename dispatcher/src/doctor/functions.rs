//! The functions whose failures reach the queues: which they are, whether Lambda tries again first, whether they may be
//! run, whether their roles may send.

use aws_sdk_lambda::types::{FunctionConfiguration, FunctionEventInvokeConfig};
use tracing::info;

use super::finding::Finding;
use super::queues::Queue;
use super::{Patient, said};
use crate::attach::call::quoted;
use crate::attach::found::Way;
use crate::aws::OTHERS;
use crate::envelope::Kind;
use crate::function::Function;
use crate::place;
use crate::resolve::directory::Directory as _;
use crate::roles::{self, Simulated};

/// A function whose failures reach a queue.
#[derive(Debug, Clone)]
pub(super) struct Wired {
    pub(super) function: Function,
}

/// More functions than these take longer than anybody waits without a word.
const MANY: usize = 100;

/// A version or alias, and by what its failures come.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wire {
    /// ARN, with version or alias.
    arn: String,
    way: Way,
    /// How often Lambda tries again itself; not configured: twice.
    retries: Option<i32>,
}

/// Checks those of all queues; the functions that are wired.
pub(super) async fn check(
    patient: &Patient<'_>,
    queues: &[Queue],
    findings: &mut Vec<Finding>,
) -> Vec<Wired> {
    let deployed = match deployed(patient).await {
        Ok(deployed) => deployed,
        Err(why) => {
            findings.push(Finding::untold("functions", why));
            return Vec::new();
        }
    };
    let mut wired = Vec::new();
    for queue in queues.iter().filter(|queue| !queue.settings.task_states) {
        let before = wired.len();
        for (function, configs) in &deployed {
            for wire in wires(function, configs, &queue.arn) {
                findings.push(judge(&wire, queue));
                wired.extend(one(patient, &wire, queue, findings).await);
            }
        }
        if wired.len() == before {
            findings.extend(unwired(patient, queue).await);
        }
    }
    wired
}

/// All functions with their configurations of asynchronous invocations, at the pace that leaves Lambda's quota to others.
async fn deployed(
    patient: &Patient<'_>,
) -> Result<Vec<(FunctionConfiguration, Vec<FunctionEventInvokeConfig>)>, String> {
    let mut pages = patient.lambda.list_functions().into_paginator().send();
    let mut functions = Vec::new();
    loop {
        patient.account.turn().await;
        let Some(page) = pages.next().await else { break };
        let page = page.map_err(|error| said("lambda:ListFunctions", &error).1)?;
        functions.extend(page.functions.unwrap_or_default());
    }
    if functions.len() > MANY {
        let (_, pace) = OTHERS;
        info!("asking where the failures of {} functions go, {pace} a second", functions.len());
    }
    let mut all = Vec::new();
    for function in functions {
        let configs = configs(patient, &function).await?;
        all.push((function, configs));
    }
    Ok(all)
}

/// The configurations of a function and its versions.
async fn configs(
    patient: &Patient<'_>,
    function: &FunctionConfiguration,
) -> Result<Vec<FunctionEventInvokeConfig>, String> {
    let request = patient.lambda.list_function_event_invoke_configs();
    let request = request.function_name(function.function_arn().unwrap_or_default());
    let mut pages = request.into_paginator().send();
    let mut found = Vec::new();
    // More than one page is more than 50 versions.
    patient.account.turn().await;
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| said("lambda:ListFunctionEventInvokeConfigs", &error).1)?;
        found.extend(page.function_event_invoke_configs.unwrap_or_default());
    }
    Ok(found)
}

/// By what a function and its versions are wired to a queue. Pure.
fn wires(
    function: &FunctionConfiguration,
    configs: &[FunctionEventInvokeConfig],
    queue: &str,
) -> Vec<Wire> {
    let arn = function.function_arn().unwrap_or_default();
    let plain = |arn: &str| arn.trim_end_matches(":$LATEST").to_owned();
    let failure = |config: &&FunctionEventInvokeConfig| {
        config.destination_config().and_then(|all| all.on_failure()?.destination()) == Some(queue)
    };
    let wire = |config: &FunctionEventInvokeConfig| Wire {
        arn: plain(config.function_arn().unwrap_or(arn)),
        way: Way::Destination,
        retries: config.maximum_retry_attempts(),
    };
    let mut wires: Vec<Wire> = configs.iter().filter(failure).map(wire).collect();
    let dead_letter = function.dead_letter_config().and_then(|config| config.target_arn());
    if dead_letter == Some(queue) {
        let own = configs.iter().find(|config| plain(config.function_arn().unwrap_or(arn)) == arn);
        let retries = own.and_then(FunctionEventInvokeConfig::maximum_retry_attempts);
        wires.push(Wire { arn: arn.to_owned(), way: Way::DeadLetter, retries });
    }
    wires
}

/// Whether Lambda gives up at once.
fn judge(wire: &Wire, queue: &Queue) -> Finding {
    let Wire { arn, way, retries } = wire;
    let subject = format!("function {arn}");
    let (way, tries) = (way.as_str(), retries.unwrap_or(2) + 1);
    if tries == 1 {
        return Finding::well(
            &subject,
            format!("its failures reach {} ({way}) after one try", queue.arn),
        );
    }
    Finding::wrong(
        &subject,
        format!(
            "expected MaximumRetryAttempts 0, found {}: a function that times out does so {tries} times before it arrives here ({way})",
            retries.map_or_else(|| "none, which is 2".to_owned(), |retries| retries.to_string())
        ),
        format!(
            "immortal-dispatcher attach {} --queue {} --as {way}",
            quoted(arn),
            quoted(&queue.arn)
        ),
    )
}

/// What is known of it beyond that.
async fn one(
    patient: &Patient<'_>,
    wire: &Wire,
    queue: &Queue,
    findings: &mut Vec<Finding>,
) -> Option<Wired> {
    let subject = format!("function {}", wire.arn);
    let function = match patient.account.describe(&wire.arn).await {
        Ok(function) => function,
        Err(error) => {
            findings.push(Finding::untold(&subject, error));
            return None;
        }
    };
    if let Err(why) = patient.config.allow.check(&function, &queue.arn) {
        findings.push(Finding::wrong(
            &subject,
            why,
            "change [allow], or take the function off the queue: immortal-dispatcher detach",
        ));
    }
    // Failures name no tenant.
    if let Err(why) = place::possible(&function, None) {
        let detach = format!("immortal-dispatcher detach {}", quoted(&wire.arn));
        findings.push(Finding::wrong(&subject, why, detach));
    }
    let send = ["sqs:SendMessage"];
    let told = roles::simulate(&patient.signed, &function.role, &send, &queue.arn, &[]);
    findings.push(match told.await {
        Ok(Simulated::Allowed) => Finding::well(&subject, format!("{} may send to the queue", function.role)),
        Ok(Simulated::Denied(_)) => Finding::wrong(
            &subject,
            format!("expected its role {} to have sqs:SendMessage on {}, found it has not: its failures are lost", function.role, queue.arn),
            format!("immortal-dispatcher attach {} --queue {} --as {}", quoted(&wire.arn), quoted(&queue.arn), wire.way.as_str()),
        ),
        Err(refused) => Finding::untold(&subject, format!("whether {} may send to the queue: {refused}", function.role)),
    });
    Some(Wired { function })
}

/// No function's failures reach it; other queues may be redriven into it.
async fn unwired(patient: &Patient<'_>, queue: &Queue) -> Option<Finding> {
    let subject = format!("queue {}", queue.settings.url);
    let by_lambda =
        matches!(queue.settings.kind, Kind::Auto | Kind::DeadLetter | Kind::Destination);
    if !by_lambda && queue.settings.kind != Kind::Redrive {
        return None;
    }
    let request = patient.sqs.list_dead_letter_source_queues().queue_url(&queue.settings.url);
    match request.send().await {
        Ok(answer) if !answer.queue_urls().is_empty() => Some(Finding::well(
            &subject,
            format!("gets what {} give up on", answer.queue_urls().join(", ")),
        )),
        Ok(_) => Some(Finding::wrong(
            &subject,
            "expected a function or a queue whose failures come here, found none",
            format!("immortal-dispatcher attach FUNCTION --queue {}", quoted(&queue.settings.url)),
        )),
        Err(error) => {
            Some(Finding::untold(&subject, said("sqs:ListDeadLetterSourceQueues", &error).1))
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_lambda::types::{DeadLetterConfig, DestinationConfig, OnFailure};

    use super::*;

    const ARN: &str = "arn:aws:lambda:eu-west-1:123456789012:function:resize";

    #[test]
    fn a_function_may_be_wired_in_several_ways() {
        let config = |qualifier: &str, target: &str, retries| {
            let failure = OnFailure::builder().destination(target).build();
            let destinations = DestinationConfig::builder().on_failure(failure).build();
            FunctionEventInvokeConfig::builder()
                .function_arn(format!("{ARN}:{qualifier}"))
                .destination_config(destinations)
                .set_maximum_retry_attempts(retries)
                .build()
        };
        let dead = DeadLetterConfig::builder().target_arn("q").build();
        let function =
            FunctionConfiguration::builder().function_arn(ARN).dead_letter_config(dead).build();
        let configs = [config("$LATEST", "other", Some(1)), config("live", "q", Some(0))];
        let wire = |arn: &str, way, retries| Wire { arn: arn.to_owned(), way, retries };
        let expected = [
            wire(&format!("{ARN}:live"), Way::Destination, Some(0)),
            wire(ARN, Way::DeadLetter, Some(1)),
        ];
        assert_eq!(wires(&function, &configs, "q"), expected);
        assert_eq!(wires(&function, &configs, "other"), [wire(ARN, Way::Destination, Some(1))]);
        assert_eq!(wires(&function, &[], "none"), []);
    }
}
