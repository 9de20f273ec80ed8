//! The cluster, and where its tasks get their capacity from; how many vCPUs the account may have at once.

use aws_sdk_ecs::types::Cluster;
use serde::Deserialize;
use serde_json::json;

use super::finding::Finding;
use super::functions::Wired;
use super::{Patient, said};
use crate::attach::call::quoted;
use crate::place::{Settings, size};
use crate::signed::QUOTAS;

/// Checks it.
pub(super) async fn check(patient: &Patient<'_>) -> Vec<Finding> {
    let settings = &patient.config.ecs;
    let subject = format!("cluster {}", settings.cluster);
    let answer = patient.ecs.describe_clusters().clusters(&settings.cluster).send().await;
    match answer {
        Ok(answer) => judge(&subject, answer.clusters().first(), settings),
        Err(error) => vec![Finding::untold(&subject, said("ecs:DescribeClusters", &error).1)],
    }
}

fn judge(subject: &str, cluster: Option<&Cluster>, settings: &Settings) -> Vec<Finding> {
    let name = quoted(&settings.cluster);
    let wanted: Vec<&str> = settings.capacity.keys().map(String::as_str).collect();
    let Some(cluster) = cluster.filter(|cluster| cluster.status() == Some("ACTIVE")) else {
        let found = cluster.and_then(Cluster::status).map_or("none", |status| status);
        return vec![Finding::wrong(
            subject,
            format!("expected an active cluster, found {found}"),
            format!(
                "aws ecs create-cluster --cluster-name {name} --capacity-providers {}",
                wanted.join(" ")
            ),
        )];
    };
    let active = Finding::well(subject, "is active");
    let known = cluster.capacity_providers();
    let missing: Vec<&str> =
        wanted.iter().filter(|one| !known.iter().any(|known| known == *one)).copied().collect();
    if settings.launch_type.is_some() || missing.is_empty() {
        return vec![active];
    }
    let mut all: Vec<&str> = known.iter().map(String::as_str).collect();
    all.extend(&missing);
    vec![
        active,
        Finding::wrong(
            subject,
            format!(
                "expected the capacity providers of [ecs] capacity, found none called {}",
                missing.join(", ")
            ),
            format!(
                "aws ecs put-cluster-capacity-providers --cluster {name} --capacity-providers {} --default-capacity-provider-strategy capacityProvider=FARGATE,weight=1",
                all.join(" ")
            ),
        ),
    ]
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetServiceQuota {
    quota: Quota,
}
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Quota {
    value: f64,
}

/// Quotas of vCPUs that run at once (Service Quotas, `fargate`).
const VCPUS: [(&str, &str); 2] = [("FARGATE", "L-3032A538"), ("FARGATE_SPOT", "L-36FBB829")];

/// Checks the quotas of the capacity that is used.
pub(super) async fn quotas(patient: &Patient<'_>, wired: &[Wired]) -> Vec<Finding> {
    let settings = &patient.config.ecs;
    let used = |name: &str| {
        settings.launch_type.as_deref() == Some(name)
            || (settings.launch_type.is_none() && settings.capacity.contains_key(name))
    };
    let largest = wired.iter().map(|wired| size::as_lambda(wired.function.memory_mb)).max();
    let mut findings = Vec::new();
    for (name, code) in VCPUS.iter().filter(|(name, _)| used(name)) {
        let subject = format!("quota {name} vCPUs");
        let asked = json!({ "ServiceCode": "fargate", "QuotaCode": code });
        let answer = patient.signed.call::<GetServiceQuota>(QUOTAS, "GetServiceQuota", &asked);
        findings.push(match answer.await {
            Ok(answer) => quota(&subject, answer.quota.value, largest.unwrap_or_default(), code),
            Err(refused) => Finding::untold(&subject, refused),
        });
    }
    findings
}

/// `largest`: of a function, in CPU units of which 1,024 are a vCPU.
fn quota(subject: &str, value: f64, largest: u32, code: &str) -> Finding {
    let needed = f64::from(largest) / 1024.0;
    if needed <= value {
        return Finding::well(subject, format!("{value} may run at once"));
    }
    Finding::wrong(
        subject,
        format!("expected the {needed} vCPUs of the largest function, found a quota of {value}"),
        format!(
            "aws service-quotas request-service-quota-increase --service-code fargate --quota-code {code} --desired-value {}",
            needed.ceil() * 10.0
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn a_cluster_is_active_and_has_its_providers() {
        let settings = Settings::default();
        let cluster = |status: &str, provider: &str| {
            Cluster::builder().status(status).capacity_providers(provider).build()
        };
        for (cluster, expected) in [
            (Some(cluster("ACTIVE", "FARGATE")), Verdict::Well),
            (Some(cluster("ACTIVE", "FARGATE_SPOT")), Verdict::Wrong),
            (Some(cluster("INACTIVE", "FARGATE")), Verdict::Wrong),
            (None, Verdict::Wrong),
        ] {
            let findings = judge("c", cluster.as_ref(), &settings);
            assert_eq!(findings.last().unwrap().verdict, expected, "{findings:?}");
        }
        let by_type = Settings { launch_type: Some("FARGATE".to_owned()), ..settings };
        assert_eq!(judge("c", Some(&cluster("ACTIVE", "x")), &by_type).len(), 1);
    }

    #[test]
    fn a_quota_holds_the_largest_function() {
        assert_eq!(quota("q", 6.0, 6 * 1024, "L").verdict, Verdict::Well);
        let small = quota("q", 6.0, 8 * 1024, "L");
        assert!(small.mend.unwrap().ends_with("--desired-value 80"));
    }
}
