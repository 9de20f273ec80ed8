//! What routes, endpoints and rules mean for a task. Pure. Source: the ECS developer guide, "Task networking for
//! Fargate".

use super::super::finding::Finding;
use super::{Endpoint, Group, Route, RouteTable, Subnet};

/// What a task needs: its image (whose layers are in S3), the function and its code, its ledger, its log.
const NEEDED: [&str; 5] = ["s3", "ecr.api", "ecr.dkr", "lambda", "logs"];

/// What is reached from a subnet.
pub(super) fn subnet(
    subject: &str,
    subnet: &Subnet,
    tables: &[RouteTable],
    endpoints: &[Endpoint],
    public_ip: bool,
) -> Finding {
    let id = &subnet.subnet_id;
    let own =
        |table: &&RouteTable| table.association_set.items.iter().any(|one| one.subnet_id == *id);
    let main = |table: &&RouteTable| table.association_set.items.iter().any(|one| one.main);
    let table = tables.iter().find(own).or_else(|| tables.iter().find(main));
    let route = table.and_then(default_route);
    let missing = missing(endpoints, table);
    match route {
        Some(route) if !route.gateway_id.starts_with("igw-") => {
            Finding::well(subject, "reaches the internet by a NAT gateway or the like")
        }
        Some(_) if public_ip => {
            Finding::well(subject, "reaches the internet with public addresses")
        }
        _ if missing.is_empty() => {
            Finding::well(subject, "reaches all that is needed by endpoints")
        }
        Some(_) => Finding::wrong(
            subject,
            format!(
                "expected tasks with public addresses, since it has an internet gateway, or endpoints; found neither public_ip nor endpoints for {}",
                missing.join(", ")
            ),
            "say `public_ip = true` in [ecs], or name subnets with a NAT gateway",
        ),
        None => Finding::wrong(
            subject,
            format!(
                "expected a route to the internet, or endpoints; found no route and no endpoint for {}",
                missing.join(", ")
            ),
            format!(
                "name subnets with a NAT gateway in [ecs] subnets, or for each: aws ec2 create-vpc-endpoint --vpc-id {} --service-name com.amazonaws.REGION.{} …",
                subnet.vpc_id, missing[0]
            ),
        ),
    }
}

/// The way to the rest of the world, if it leads somewhere.
fn default_route(table: &RouteTable) -> Option<&Route> {
    let default =
        |route: &&Route| route.destination_cidr_block == "0.0.0.0/0" && route.state != "blackhole";
    table.route_set.items.iter().find(default)
}

/// The services that have no endpoint which this table leads to.
fn missing(endpoints: &[Endpoint], table: Option<&RouteTable>) -> Vec<&'static str> {
    let there = |service: &str| {
        endpoints.iter().any(|endpoint| {
            let named = endpoint.service_name.ends_with(&format!(".{service}"));
            let routed =
                table.is_some_and(|table| endpoint.route_table_id_set.items.contains(&table.id));
            named && (endpoint.vpc_endpoint_type != "Gateway" || routed)
        })
    };
    NEEDED.into_iter().filter(|service| !there(service)).collect()
}

/// Whether a security group lets HTTPS out: to the internet, or to endpoints.
pub(super) fn group(subject: &str, group: Option<&Group>) -> Finding {
    let Some(group) = group else {
        return Finding::wrong(
            subject,
            "expected the security group, found none",
            "correct [ecs] security_groups",
        );
    };
    let opened = group.ip_permissions_egress.items.iter().any(|permission| {
        let ports = permission.from_port.unwrap_or(0)..=permission.to_port.unwrap_or(65_535);
        permission.ip_protocol == "-1" || (permission.ip_protocol == "tcp" && ports.contains(&443))
    });
    if opened {
        return Finding::well(subject, "lets HTTPS out");
    }
    let id = &group.group_id;
    Finding::wrong(
        subject,
        "expected HTTPS to be let out, found no rule for port 443",
        format!(
            "aws ec2 authorize-security-group-egress --group-id {id} --protocol tcp --port 443 --cidr 0.0.0.0/0"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::super::super::finding::Verdict;
    use super::super::{Association, Permission};
    use super::*;
    use crate::signed::List;

    fn list<T>(items: Vec<T>) -> List<T> {
        List { items }
    }

    fn table(id: &str, subnet: &str, main: bool, gateway: &str, state: &str) -> RouteTable {
        let local = Route { destination_cidr_block: "10.0.0.0/16".to_owned(), ..Route::default() };
        let default = Route {
            destination_cidr_block: "0.0.0.0/0".to_owned(),
            gateway_id: gateway.to_owned(),
            state: state.to_owned(),
        };
        let association = Association { subnet_id: subnet.to_owned(), main };
        RouteTable {
            id: id.to_owned(),
            route_set: list(vec![local, default]),
            association_set: list(vec![association]),
        }
    }

    fn endpoint(service: &str, kind: &str, table: &str) -> Endpoint {
        Endpoint {
            service_name: format!("com.amazonaws.eu-west-1.{service}"),
            vpc_endpoint_type: kind.to_owned(),
            route_table_id_set: list(vec![table.to_owned()]),
        }
    }

    #[test]
    fn the_way_out_is_a_gateway_an_address_or_endpoints() {
        let here = Subnet { subnet_id: "subnet-1".to_owned(), vpc_id: "vpc-1".to_owned() };
        let all = |s3: &str| {
            let interfaces =
                ["ecr.api", "ecr.dkr", "lambda", "logs"].map(|it| endpoint(it, "Interface", ""));
            interfaces.into_iter().chain([endpoint("s3", "Gateway", s3)]).collect::<Vec<_>>()
        };
        let nat = table("t", "subnet-1", false, "", "active");
        let igw = table("t", "subnet-1", false, "igw-1", "active");
        let dead = table("t", "subnet-1", false, "", "blackhole");
        let main = table("main", "", true, "igw-1", "active");
        for (tables, endpoints, public, expected) in [
            (vec![nat.clone()], vec![], false, Verdict::Well),
            (vec![igw.clone()], vec![], true, Verdict::Well),
            (vec![igw.clone()], vec![], false, Verdict::Wrong),
            (vec![igw], all("t"), false, Verdict::Well),
            (vec![dead.clone()], vec![], true, Verdict::Wrong),
            (vec![dead.clone()], all("t"), false, Verdict::Well),
            (vec![dead], all("other"), false, Verdict::Wrong),
            (vec![main.clone()], vec![], true, Verdict::Well),
            (vec![main, nat], vec![], false, Verdict::Well),
            (vec![], vec![], true, Verdict::Wrong),
        ] {
            let found = subnet("subnet", &here, &tables, &endpoints, public);
            assert_eq!(found.verdict, expected, "{found:?} {tables:?}");
        }
    }

    #[test]
    fn https_is_let_out_by_port_or_by_all() {
        let rule = |protocol: &str, from, to| Permission {
            ip_protocol: protocol.to_owned(),
            from_port: from,
            to_port: to,
        };
        for (rules, expected) in [
            (vec![rule("-1", None, None)], Verdict::Well),
            (
                vec![rule("tcp", Some(80), Some(80)), rule("tcp", Some(400), Some(500))],
                Verdict::Well,
            ),
            (vec![rule("tcp", Some(80), Some(80))], Verdict::Wrong),
            (vec![rule("udp", Some(443), Some(443))], Verdict::Wrong),
            (vec![], Verdict::Wrong),
        ] {
            let found = Group { group_id: "sg".to_owned(), ip_permissions_egress: list(rules) };
            assert_eq!(group("sg", Some(&found)).verdict, expected);
        }
        assert_eq!(group("sg", None).verdict, Verdict::Wrong);
    }
}
