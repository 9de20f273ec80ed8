//! The queues that are read: whether they are there, what happens to messages that nobody can take, whether Lambda's
//! largest events fit, and whether outcomes would come back as failures.

use std::collections::BTreeMap;

use ledger::Destination;
use serde_json::Value;

use super::finding::Finding;
use super::{Patient, said};
use crate::attach::call::quoted;
use crate::config::QueueSettings;
use crate::config::queues::is_same;

/// A queue that is there.
#[derive(Debug, Clone)]
pub(super) struct Queue {
    pub(super) settings: QueueSettings,
    pub(super) arn: String,
}

/// The largest message of SQS and the largest event of Lambda: 1 MiB each since 2025; older queues keep their limit.
const LARGEST: u64 = 1_048_576;

/// Checks all of them; those that are there.
pub(super) async fn check(patient: &Patient<'_>, findings: &mut Vec<Finding>) -> Vec<Queue> {
    let mut found = Vec::new();
    for settings in &patient.config.queue {
        let subject = format!("queue {}", settings.url);
        let attributes = match attributes(patient, &settings.url).await {
            Ok(attributes) => attributes,
            Err((true, why)) => {
                let name = settings.url.rsplit('/').next().unwrap_or_default();
                findings.push(Finding::wrong(&subject, why, format!("deploy it, correct `url` in [[queue]], or: aws sqs create-queue --queue-name {}", quoted(name))));
                continue;
            }
            Err((false, why)) => {
                findings.push(Finding::untold(&subject, why));
                continue;
            }
        };
        findings.extend(judge(&subject, settings, &attributes));
        findings.extend(redrives(patient, &subject, &attributes).await);
        let arn = attributes.get("QueueArn").cloned().unwrap_or_default();
        found.push(Queue { settings: settings.clone(), arn });
    }
    if patient.config.queue.is_empty() {
        findings.push(Finding::wrong(
            "queues",
            "expected a queue that is read, found none",
            "name one in [[queue]]",
        ));
    }
    findings.extend(loops(patient));
    found
}

/// Attributes by name; else whether there is no such queue, and what was said.
async fn attributes(
    patient: &Patient<'_>,
    url: &str,
) -> Result<BTreeMap<String, String>, (bool, String)> {
    use aws_sdk_sqs::types::QueueAttributeName::All;
    let answer = patient.sqs.get_queue_attributes().queue_url(url).attribute_names(All);
    let answer = answer.send().await;
    let answer = answer.map_err(|error| said("sqs:GetQueueAttributes", &error))?;
    let all = answer.attributes.unwrap_or_default();
    Ok(all.into_iter().map(|(name, value)| (name.as_str().to_owned(), value)).collect())
}

/// What its attributes tell.
fn judge(
    subject: &str,
    settings: &QueueSettings,
    attributes: &BTreeMap<String, String>,
) -> Vec<Finding> {
    let number = |name: &str| attributes.get(name).and_then(|text| text.parse::<u64>().ok());
    let url = quoted(&settings.url);
    let mut findings = Vec::new();
    let waiting = number("ApproximateNumberOfMessages").unwrap_or_default();
    findings.push(Finding::well(subject, format!("is there, {waiting} messages wait")));
    if settings.task_states {
        return findings;
    }
    if !attributes.contains_key("RedrivePolicy") {
        findings.push(Finding::wrong(subject, "expected a redrive policy, found none: a message that nobody can take comes again until it expires, and is lost then", format!("aws sqs set-queue-attributes --queue-url {url} --attributes '{{\"RedrivePolicy\":\"{{\\\"deadLetterTargetArn\\\":\\\"ARN_OF_ANOTHER_QUEUE\\\",\\\"maxReceiveCount\\\":10}}\"}}'")));
    }
    if let Some(size) = number("MaximumMessageSize").filter(|size| *size < LARGEST) {
        findings.push(Finding::wrong(subject, format!("expected messages of up to {LARGEST} bytes, found a limit of {size}: Lambda loses failures of larger events"), format!("aws sqs set-queue-attributes --queue-url {url} --attributes MaximumMessageSize={LARGEST}")));
    }
    if attributes.get("FifoQueue").is_some_and(|fifo| fifo == "true") {
        findings.push(Finding::wrong(subject, "expected a standard queue, since Lambda sends failures to no other, found a FIFO queue", "make a standard queue and name it in [[queue]]"));
    }
    findings
}

/// Whether what the queue gives up on has somewhere to go.
async fn redrives(
    patient: &Patient<'_>,
    subject: &str,
    attributes: &BTreeMap<String, String>,
) -> Option<Finding> {
    let policy: Value = serde_json::from_str(attributes.get("RedrivePolicy")?).ok()?;
    let target = policy["deadLetterTargetArn"].as_str().unwrap_or_default();
    let part = |at: usize| target.split(':').nth(at).unwrap_or_default();
    let request = patient.sqs.get_queue_url().queue_name(part(5));
    match request.queue_owner_aws_account_id(part(4)).send().await {
        Ok(_) => Some(Finding::well(subject, format!("gives up messages to {target}"))),
        Err(error) => Some(match said("sqs:GetQueueUrl", &error) {
            (true, _) => Finding::wrong(
                subject,
                format!("expected the queue {target} of its redrive policy, found none"),
                format!("aws sqs create-queue --queue-name {}", quoted(part(5))),
            ),
            (false, why) => Finding::untold(subject, why),
        }),
    }
}

/// An outcome that arrives in a queue that is read is read as a failure.
fn loops(patient: &Patient<'_>) -> Vec<Finding> {
    let config = patient.config;
    let own = config.function.iter().filter_map(|function| function.destinations.as_ref());
    let destinations = config.destinations.iter().chain(own).flatten();
    let read = |queue: &str| config.queue.iter().any(|one| is_same(&one.url, queue));
    let looping = destinations.filter(|destination| match destination {
        Destination::Sqs { url } => read(url),
        Destination::SqsArn { arn } => read(arn),
        _ => false,
    });
    let wrong = |destination: &Destination| {
        Finding::wrong(
            &format!("destination {destination}"),
            "expected a queue that is not read here, found one of [[queue]]: each outcome would come back as a failure",
            "name another queue in `destinations`",
        )
    };
    looping.map(wrong).collect()
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn attributes_tell_what_would_be_lost() {
        let config = crate::config::Config::read(
            "ledger = \"file:///x\"\n[launch]\nlauncher = \"process\"\n[[queue]]\nurl = \"u\"",
        )
        .unwrap();
        let settings = &config.queue[0];
        let good = [
            ("RedrivePolicy", "{}"),
            ("MaximumMessageSize", "1048576"),
            ("ApproximateNumberOfMessages", "3"),
        ];
        for (change, part) in [
            (("RedrivePolicy", None), "redrive policy"),
            (("MaximumMessageSize", Some("262144")), "found a limit of 262144"),
            (("FifoQueue", Some("true")), "FIFO"),
        ] {
            let mut attributes: BTreeMap<String, String> = good
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            assert_eq!(judge("queue u", settings, &attributes).len(), 1);
            match change.1 {
                Some(value) => attributes.insert(change.0.to_owned(), value.to_owned()),
                None => attributes.remove(change.0),
            };
            let findings = judge("queue u", settings, &attributes);
            let wrong = findings.iter().find(|one| one.verdict == Verdict::Wrong).unwrap();
            assert!(wrong.says.contains(part), "{wrong:?}");
            let states = QueueSettings { task_states: true, ..settings.clone() };
            assert_eq!(judge("queue u", &states, &attributes).len(), 1);
        }
    }
}
