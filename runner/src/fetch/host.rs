//! Which addresses AWS may send us to for code, and where a name may lead. Pure.

use std::net::{IpAddr, Ipv4Addr};

use reqwest::Url;

use super::error::Fault;

/// Domains of AWS's partitions, in which S3 answers.
const DOMAINS: [&str; 6] = [
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "c2s.ic.gov",
    "sc2s.sgov.gov",
    "cloud.adc-e.uk",
];

/// Refuses an address that shows the code to others, or that AWS would not give.
pub(super) fn check(url: &Url) -> Result<(), Fault> {
    let host = url.host_str().unwrap_or_default().to_owned();
    if url.scheme() != "https" {
        return Err(Fault::Plain { host });
    }
    let plain = url.username().is_empty() && url.password().is_none() && url.port().is_none();
    if plain && is_aws(&host) { Ok(()) } else { Err(Fault::Host { host }) }
}

fn is_aws(host: &str) -> bool {
    let inside = |domain: &str| {
        host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.') && rest.len() > 1)
    };
    DOMAINS.into_iter().any(inside)
}

/// Why a name must not lead to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Astray {
    /// Whoever asks there is given credentials, whatever the name.
    Credentials,
    /// No service of AWS answers on this machine, or its link.
    Here,
}

/// Whether a name that leads to this address leads astray. Others than AWS's are the user's, and may be of this machine.
pub(super) fn astray(name: &str, address: IpAddr) -> Option<Astray> {
    match plain(address) {
        address if gives_credentials(address) => Some(Astray::Credentials),
        address if is_here(address) && is_aws(&name.to_ascii_lowercase()) => Some(Astray::Here),
        _ => None,
    }
}

/// The address of the fourth version that is written as one of the sixth: mapped, compatible, translated (RFC 6052), or
/// tunnelled (RFC 3056).
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = address else { return address };
    let four = match six.segments() {
        // `::` and `::1` are themselves.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => Some(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))),
        _ => None,
    };
    four.map_or(address, IpAddr::V4)
}

/// Instance metadata, ECS, EKS (EC2 user guide, "Access instance metadata"; ECS developer guide, "Task IAM role"; EKS user
/// guide, "Pod Identity").
fn gives_credentials(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(four) => {
            matches!(four.octets(), [169, 254, 169, 254] | [169, 254, 170, 2 | 23])
        }
        IpAddr::V6(six) => six.segments()[..2] == [0xfd00, 0xec2],
    }
}

fn is_here(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(four) => four.octets()[0] == 0 || four.is_loopback() || four.is_link_local(),
        IpAddr::V6(six) => six.is_loopback() || six.is_unspecified() || six.is_unicast_link_local(),
    }
}

/// Whether an answer may send us to this address: one that is written in numbers asks no resolver.
pub(super) fn may_follow(url: &Url) -> bool {
    let address = url
        .host_str()
        .and_then(|host| host.trim_start_matches('[').trim_end_matches(']').parse().ok());
    !address.is_some_and(|address| gives_credentials(plain(address)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn checked(url: &str) -> Result<(), Fault> {
        check(&url.parse().unwrap())
    }

    #[test]
    fn code_comes_from_aws_over_tls() {
        checked("https://awslambda-eu-west-1-tasks.s3.eu-west-1.amazonaws.com/snapshots/x")
            .unwrap();
        checked("https://b.s3.cn-north-1.amazonaws.com.cn/x?X-Amz-Signature=1").unwrap();
        checked("https://b.bucket.vpce-1.s3.eu-west-1.vpce.amazonaws.com/x").unwrap();
    }

    #[test]
    fn other_hosts_are_refused_by_name() {
        for host in ["evil.com", "amazonaws.com", "xamazonaws.com", "a.amazonaws.com.evil.com"] {
            let Err(Fault::Host { host: found }) = checked(&format!("https://{host}/x")) else {
                panic!("{host}")
            };
            assert_eq!(found, host);
        }
        assert!(matches!(checked("https://a.amazonaws.com@evil.com/"), Err(Fault::Host { .. })));
        assert!(matches!(checked("http://a.s3.amazonaws.com/"), Err(Fault::Plain { .. })));
    }

    #[test]
    fn a_name_leads_to_no_credentials_and_amazons_not_to_this_machine() {
        use Astray::{Credentials, Here};
        let s3 = "b.s3.eu-west-1.amazonaws.com";
        for (name, address, expected) in [
            (s3, "52.95.1.1", None),
            (s3, "2600:1fa0::1", None),
            // Endpoints in a VPC.
            (s3, "10.0.0.1", None),
            (s3, "172.31.0.9", None),
            (s3, "fd12::1", None),
            (s3, "64:ff9b::345f:101", None),
            (s3, "169.254.169.254", Some(Credentials)),
            ("evil.example", "169.254.170.2", Some(Credentials)),
            ("evil.example", "169.254.170.23", Some(Credentials)),
            ("evil.example", "fd00:ec2::254", Some(Credentials)),
            ("evil.example", "fd00:ec2::23", Some(Credentials)),
            ("evil.example", "::ffff:169.254.170.2", Some(Credentials)),
            ("evil.example", "::169.254.169.254", Some(Credentials)),
            ("evil.example", "64:ff9b::a9fe:a9fe", Some(Credentials)),
            ("evil.example", "2002:a9fe:a9fe::", Some(Credentials)),
            (s3, "127.0.0.1", Some(Here)),
            (s3, "127.9.9.9", Some(Here)),
            (s3, "0.0.0.0", Some(Here)),
            (s3, "169.254.1.1", Some(Here)),
            (s3, "::1", Some(Here)),
            (s3, "::", Some(Here)),
            (s3, "::ffff:7f00:1", Some(Here)),
            (s3, "::ffff:0.0.0.0", Some(Here)),
            (s3, "fe80::1", Some(Here)),
            ("B.S3.AMAZONAWS.COM", "127.0.0.1", Some(Here)),
            // What a user calls so.
            ("localhost", "127.0.0.1", None),
            ("minio.local", "169.254.1.1", None),
        ] {
            assert_eq!(astray(name, address.parse().unwrap()), expected, "{name} {address}");
        }
    }

    #[test]
    fn nobody_is_followed_to_credentials() {
        for (url, expected) in [
            ("https://s3.amazonaws.com/x", true),
            ("https://[2600::1]/x", true),
            ("http://127.0.0.1:5000/x", true),
            ("https://169.254.170.2/x", false),
            ("https://2852039166/x", false),
            ("https://[::ffff:a9fe:aa02]/", false),
            ("https://[fd00:ec2::254]/", false),
        ] {
            assert_eq!(may_follow(&url.parse().unwrap()), expected, "{url}");
        }
    }

    /// Ways of writing addresses of this machine, of its neighbours and of others; what is no address cannot be asked for.
    #[test]
    fn no_way_of_writing_an_address_leads_elsewhere() {
        let forms: BTreeMap<String, BTreeMap<String, Vec<String>>> =
            serde_json::from_str(include_str!("../../../tests/fixtures/addresses.json")).unwrap();
        let forms: Vec<&String> = forms["code"].values().flatten().collect();
        assert_eq!(forms.len(), 60);
        for text in forms {
            let refused = text.parse().map_or(true, |url| check(&url).is_err());
            assert!(refused, "{text}");
        }
    }
}
