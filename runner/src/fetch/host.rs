//! Which addresses AWS may send us to for code. Pure.

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
    let inside = |domain: &str| {
        host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.') && rest.len() > 1)
    };
    if DOMAINS.into_iter().any(inside) { Ok(()) } else { Err(Fault::Host { host }) }
}

#[cfg(test)]
mod tests {
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
}
