//! Whether tasks reach what they need (S3, ECR, Lambda, CloudWatch Logs) from their subnets, as far as routes, endpoints
//! and security groups tell. `judge` decides and is pure.

mod judge;

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Value, json};

use super::Patient;
use super::finding::Finding;
use super::functions::Wired;
use crate::signed::{EC2, List, Refused};

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subnet {
    subnet_id: String,
    vpc_id: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RouteTable {
    #[serde(rename = "routeTableId")]
    id: String,
    route_set: List<Route>,
    association_set: List<Association>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Route {
    destination_cidr_block: String,
    gateway_id: String,
    state: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Association {
    subnet_id: String,
    main: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Endpoint {
    /// `com.amazonaws.REGION.SERVICE`
    service_name: String,
    vpc_endpoint_type: String,
    route_table_id_set: List<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Group {
    group_id: String,
    ip_permissions_egress: List<Permission>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Permission {
    ip_protocol: String,
    from_port: Option<i64>,
    to_port: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subnets {
    #[serde(default)]
    subnet_set: List<Subnet>,
}
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RouteTables {
    #[serde(default)]
    route_table_set: List<RouteTable>,
}
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Endpoints {
    #[serde(default)]
    vpc_endpoint_set: List<Endpoint>,
}
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Groups {
    #[serde(default)]
    security_group_info: List<Group>,
}

/// Checks all subnets and groups that tasks are put into: the configured ones, and those of functions in a VPC.
pub(super) async fn check(patient: &Patient<'_>, wired: &[Wired]) -> Vec<Finding> {
    let settings = &patient.config.ecs;
    let mut subnets: BTreeSet<String> = settings.subnets.iter().cloned().collect();
    let mut groups: BTreeSet<String> = settings.security_groups.iter().cloned().collect();
    for network in wired.iter().filter_map(|wired| wired.function.network.as_ref()) {
        if settings.function_network {
            subnets.extend(network.subnets.iter().cloned());
            groups.extend(network.security_groups.iter().cloned());
        }
    }
    if subnets.is_empty() {
        return vec![Finding::wrong(
            "subnets",
            "expected subnets for tasks, found none",
            "name them in [ecs] subnets",
        )];
    }
    let mut findings = Vec::new();
    for id in &subnets {
        findings.push(subnet(patient, id).await);
    }
    for id in &groups {
        findings.push(group(patient, id).await);
    }
    findings
}

async fn subnet(patient: &Patient<'_>, id: &str) -> Finding {
    let subject = format!("subnet {id}");
    let subnet = match ask::<Subnets>(patient, "DescribeSubnets", json!({ "SubnetId": [id] })).await
    {
        Ok(found) => found.subnet_set.items.into_iter().next(),
        Err(refused) if refused.is_absent() => None,
        Err(refused) => return Finding::untold(&subject, refused),
    };
    let Some(subnet) = subnet else {
        return Finding::wrong(
            &subject,
            "expected the subnet, found none",
            "correct [ecs] subnets",
        );
    };
    let of_vpc = json!({ "Filter.1.Name": "vpc-id", "Filter.1.Value": [subnet.vpc_id] });
    let tables = ask::<RouteTables>(patient, "DescribeRouteTables", of_vpc.clone()).await;
    let endpoints = ask::<Endpoints>(patient, "DescribeVpcEndpoints", of_vpc).await;
    match (tables, endpoints) {
        (Ok(tables), Ok(endpoints)) => judge::subnet(
            &subject,
            &subnet,
            &tables.route_table_set.items,
            &endpoints.vpc_endpoint_set.items,
            patient.config.ecs.public_ip,
        ),
        (Err(refused), _) | (_, Err(refused)) => {
            Finding::untold(&subject, format!("what it reaches: {refused}"))
        }
    }
}

async fn group(patient: &Patient<'_>, id: &str) -> Finding {
    let subject = format!("security group {id}");
    let asked = json!({ "GroupId": [id] });
    match ask::<Groups>(patient, "DescribeSecurityGroups", asked).await {
        Ok(found) => judge::group(&subject, found.security_group_info.items.first()),
        Err(refused) if refused.is_absent() => judge::group(&subject, None),
        Err(refused) => Finding::untold(&subject, refused),
    }
}

async fn ask<T: serde::de::DeserializeOwned>(
    patient: &Patient<'_>,
    operation: &'static str,
    parameters: Value,
) -> Result<T, Refused> {
    patient.signed.call(EC2, operation, &parameters).await
}
