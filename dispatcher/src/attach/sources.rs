//! What wiring a function does not reach: events that queues and streams bring, which Lambda invokes it with
//! synchronously; keys of encrypted queues. Says what to do about them.

use aws_sdk_lambda::types::EventSourceMappingConfiguration;
use serde_json::{Value, json};

use super::aws::{Attributes, Aws};
use super::call::quoted;
use super::found::{Found, Wanted};
use crate::people::Refusal;

/// Remarks on these.
pub(super) async fn remarks(
    aws: &Aws,
    found: &Found,
    wanted: &Wanted,
    queue: &Attributes,
) -> Result<Vec<String>, Refusal> {
    let mut remarks: Vec<String> = key(queue).into_iter().collect();
    for mapping in aws.sources(found).await? {
        let Some(source) = mapping.event_source_arn() else { continue };
        if !source.contains(":sqs:") {
            remarks.push(stream(&mapping, source));
            continue;
        }
        let attributes = match aws.url(source).await {
            Ok(url) => aws.queue(&url).await.map(|attributes| (url, attributes)),
            Err(refusal) => Err(refusal),
        };
        match attributes {
            Ok((url, attributes)) => remarks.extend(redrive(source, &url, &attributes, &wanted.queue)),
            Err(refusal) => remarks.push(format!(
                "{source} feeds the function: its failures are redriven by that queue alone, and whether it does could not be told: {refusal}"
            )),
        }
    }
    Ok(remarks)
}

/// A queue encrypted with a key of the customer's.
fn key(queue: &Attributes) -> Option<String> {
    let key = queue.get("KmsMasterKeyId").filter(|key| !key.is_empty())?;
    Some(format!(
        "the queue is encrypted with {key}: the function's role needs kms:GenerateDataKey and kms:Decrypt on it"
    ))
}

/// What a source queue has to do with messages that its function fails on.
fn redrive(source: &str, url: &str, attributes: &Attributes, queue: &str) -> Option<String> {
    let policy = attributes.get("RedrivePolicy").map(String::as_str).unwrap_or_default();
    let policy: Value = serde_json::from_str(policy).unwrap_or_default();
    let target = policy["deadLetterTargetArn"].as_str();
    if target == Some(queue) {
        return None;
    }
    let count = policy["maxReceiveCount"].as_u64().unwrap_or(1);
    let redrive = json!({ "deadLetterTargetArn": queue, "maxReceiveCount": count }).to_string();
    let wanted = json!({ "RedrivePolicy": redrive }).to_string();
    let now = target.map_or_else(|| "nowhere".to_owned(), |target| format!("to {target}"));
    Some(format!(
        "{source} feeds the function synchronously: what fails is redriven by that queue, now {now}. To have it here: aws sqs set-queue-attributes --queue-url {} --attributes {}",
        quoted(url),
        quoted(&wanted)
    ))
}

/// Streams say where failures go in their mapping, and only a bucket gets the events too.
fn stream(mapping: &EventSourceMappingConfiguration, source: &str) -> String {
    let target = mapping.destination_config().and_then(|all| all.on_failure()?.destination());
    let now = target.map_or_else(|| "nowhere".to_owned(), |target| format!("to {target}"));
    format!(
        "{source} feeds the function synchronously: what fails goes {now}, as its mapping {} says. A bucket gets the events too: aws lambda update-event-source-mapping --uuid {} --destination-config '{{\"OnFailure\":{{\"Destination\":\"arn:aws:s3:::BUCKET\"}}}}', and the bucket's notifications go to a queue of the dispatcher's",
        mapping.uuid().unwrap_or_default(),
        mapping.uuid().unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUE: &str = "arn:aws:sqs:eu-west-1:123456789012:failed";
    const SOURCE: &str = "arn:aws:sqs:eu-west-1:123456789012:orders";

    #[test]
    fn a_source_queue_that_redrives_here_is_well_and_others_are_told_how() {
        let having =
            |policy: &str| Attributes::from([("RedrivePolicy".to_owned(), policy.to_owned())]);
        let here = format!(r#"{{"deadLetterTargetArn":"{QUEUE}","maxReceiveCount":3}}"#);
        assert_eq!(redrive(SOURCE, "u", &having(&here), QUEUE), None);
        let none = redrive(SOURCE, "u", &Attributes::new(), QUEUE).unwrap();
        assert!(none.contains("now nowhere") && none.contains(r#"maxReceiveCount\":1"#), "{none}");
        let elsewhere = r#"{"deadLetterTargetArn":"arn:x","maxReceiveCount":"5"}"#;
        let elsewhere = redrive(SOURCE, "u", &having(elsewhere), QUEUE).unwrap();
        assert!(elsewhere.contains("now to arn:x"), "{elsewhere}");
    }
}
