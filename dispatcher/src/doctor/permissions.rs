//! The roles of task definitions: whether ECS may assume them, and whether they may do what the runner and its start
//! need, as far as IAM tells.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::types::TaskDefinition;
use ledger::Root;

use super::Patient;
use super::definitions;
use super::finding::Finding;
use super::images::{self, Private};
use crate::attach::call::quoted;
use crate::attach::trust::{Trusted, Who};
use crate::roles::{self, Simulated};

/// Actions with what they are done to.
type Needs = BTreeMap<String, BTreeSet<&'static str>>;

/// Checks them.
pub(super) async fn check(patient: &Patient<'_>, defined: &[TaskDefinition]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (role, needs) in needed(patient, defined) {
        findings.push(trusted(patient, &role).await);
        findings.extend(allowed(patient, &role, &needs).await);
    }
    findings
}

/// The roles, and what each needs. Pure.
fn needed(patient: &Patient<'_>, defined: &[TaskDefinition]) -> BTreeMap<String, Needs> {
    let config = patient.config;
    let mut all: BTreeMap<String, Needs> = BTreeMap::new();
    for one in defined {
        let own = config.ecs.task_role.as_deref();
        let task = own.or(one.task_role_arn()).filter(|role| *role != "function");
        if let Some(role) = task {
            merge(all.entry(role.to_owned()).or_default(), of_runner(config.root().ok(), role));
        }
        if let Some(role) = one.execution_role_arn() {
            merge(
                all.entry(role.to_owned()).or_default(),
                of_start(one, &config.ecs.container, role),
            );
        }
    }
    all
}

fn merge(into: &mut Needs, more: Needs) {
    for (resource, actions) in more {
        into.entry(resource).or_default().extend(actions);
    }
}

/// What the runner does: its job in the ledger, the function's code.
fn of_runner(ledger: Option<Root>, role: &str) -> Needs {
    let part = |at: usize| role.split(':').nth(at).unwrap_or_default();
    let (partition, account) = (part(1), part(4));
    let functions = format!("arn:{partition}:lambda:*:{account}:function:*");
    let mut needs = Needs::from([(functions, BTreeSet::from(["lambda:GetFunction"]))]);
    if let Some(Root::S3 { bucket, prefix }) = ledger {
        let prefix = prefix.as_ref();
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        needs.insert(
            format!("arn:{partition}:s3:::{bucket}/{prefix}*"),
            BTreeSet::from([
                "s3:GetObject",
                "s3:PutObject",
                "s3:DeleteObject",
                "s3:AbortMultipartUpload",
            ]),
        );
        needs.insert(format!("arn:{partition}:s3:::{bucket}"), BTreeSet::from(["s3:ListBucket"]));
    }
    needs
}

/// What ECS does before a container runs: the image, the log stream.
fn of_start(one: &TaskDefinition, container: &str, role: &str) -> Needs {
    let part = |at: usize| role.split(':').nth(at).unwrap_or_default();
    let mut needs = Needs::new();
    let images = images::all(std::slice::from_ref(one), container);
    for image in images.iter().filter_map(|image| Private::parse(image)) {
        needs.insert("*".to_owned(), BTreeSet::from(["ecr:GetAuthorizationToken"]));
        needs.insert(
            format!(
                "arn:{}:ecr:{}:{}:repository/{}",
                part(1),
                image.region,
                image.account,
                image.repository
            ),
            BTreeSet::from(["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]),
        );
    }
    if let Some(group) = definitions::logged(one, container) {
        needs.insert(
            format!("arn:{}:logs:*:{}:log-group:{group}:*", part(1), part(4)),
            BTreeSet::from(["logs:CreateLogStream", "logs:PutLogEvents"]),
        );
    }
    needs
}

/// Whether tasks of ECS may have the role.
async fn trusted(patient: &Patient<'_>, role: &str) -> Finding {
    let subject = format!("role {role}");
    let name = role.rsplit('/').next().unwrap_or_default();
    let account = role.split(':').nth(4).unwrap_or_default();
    let region = patient.sdk.region().map(ToString::to_string).unwrap_or_default();
    let partition = role.split(':').nth(1).unwrap_or_default();
    let who = Who::tasks(&format!("arn:{partition}:lambda:{region}:{account}"));
    let document = match roles::trust(&patient.signed, name).await {
        Ok(document) => document,
        Err(refused) if refused.is_absent() => {
            return Finding::wrong(
                &subject,
                "expected the role of the task definition, found none",
                "deploy it, or register a task definition with another role",
            );
        }
        Err(refused) => {
            return Finding::untold(&subject, format!("whether ECS may assume it: {refused}"));
        }
    };
    match who.is_trusted(&document) {
        Trusted::Yes => Finding::well(&subject, "may be assumed by tasks of ECS"),
        Trusted::Perhaps => Finding::untold(
            &subject,
            "whether ECS may assume it: its trust policy has conditions that are not understood here",
        ),
        Trusted::No => {
            let document = who.with(&document).unwrap_or(document).to_string();
            Finding::wrong(
                &subject,
                "expected ecs-tasks.amazonaws.com in its trust policy, found it is not: tasks would not start",
                format!(
                    "aws iam update-assume-role-policy --role-name {name} --policy-document {}",
                    quoted(&document)
                ),
            )
        }
    }
}

/// Whether the role may do what is needed. One refusal to tell is enough.
async fn allowed(patient: &Patient<'_>, role: &str, needs: &Needs) -> Vec<Finding> {
    let subject = format!("role {role}");
    let mut findings = Vec::new();
    for (resource, actions) in needs {
        let actions: Vec<&str> = actions.iter().copied().collect();
        match roles::simulate(&patient.signed, role, &actions, resource, &[]).await {
            Ok(Simulated::Allowed) => findings
                .push(Finding::well(&subject, format!("may {} on {resource}", actions.join(", ")))),
            Ok(Simulated::Denied(denied)) => {
                let statement = serde_json::json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": denied, "Resource": resource }] });
                let name = role.rsplit('/').next().unwrap_or_default();
                findings.push(Finding::wrong(
                    &subject,
                    format!("expected {} on {resource}, found they are not allowed", denied.join(", ")),
                    format!("aws iam put-role-policy --role-name {name} --policy-name immortal-mended --policy-document {}", quoted(&statement.to_string())),
                ));
            }
            Err(refused) => {
                findings.push(Finding::untold(&subject, format!("what it may do: {refused}")));
                return findings;
            }
        }
    }
    findings
}
