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
    let plain = url.username().is_empty() && url.password().is_none() && url.port().is_none();
    if plain && DOMAINS.into_iter().any(inside) { Ok(()) } else { Err(Fault::Host { host }) }
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

    /// Ways of writing addresses of this machine, of its neighbours and of others; what is no address cannot be asked for.
    #[test]
    fn no_way_of_writing_an_address_leads_elsewhere() {
        for text in HOSTILE {
            let refused = text.parse().map_or(true, |url| check(&url).is_err());
            assert!(refused, "{text}");
        }
    }

    const HOSTILE: [&str; 60] = [
        // Where containers and machines find credentials, and this machine itself.
        "https://169.254.169.254/latest/meta-data/",
        "https://169.254.170.2/v2/credentials",
        "https://169.254.170.23/v1/credentials",
        "https://[fd00:ec2::254]/",
        "https://[fd00:ec2::23]/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://127.0.1/",
        "https://127.255.255.254/",
        "https://0/",
        "https://0.0.0.0/",
        "https://localhost/",
        "https://localhost./",
        "https://localhost.localdomain/",
        "https://ip6-localhost/",
        "https://[::1]/",
        "https://[::]/",
        // The same in other numbers.
        "https://2852039166/",
        "https://2852039170/",
        "https://2130706433/",
        "https://0xa9fea9fe/",
        "https://0xa9.0xfe.0xa9.0xfe/",
        "https://0x7f.1/",
        "https://0251.0376.0251.0376/",
        "https://025177524776/",
        "https://0177.0.0.1/",
        "https://169.254.43518/",
        "https://169.16689662/",
        "https://[::ffff:169.254.170.2]/",
        "https://[::ffff:a9fe:aa02]/",
        "https://[::169.254.169.254]/",
        "https://[64:ff9b::a9fe:a9fe]/",
        "https://[2002:a9fe:a9fe::]/",
        "https://[fe80::1]/",
        "https://[fe80::1%25eth0]/",
        "https://\u{ff11}\u{ff12}\u{ff17}.0.0.1/",
        "https://169\u{3002}254\u{3002}169\u{3002}254/",
        "https://\u{2460}\u{2461}\u{2466}.0.0.1/",
        // Networks of one's own.
        "https://10.0.0.1/",
        "https://172.16.0.1/",
        "https://192.168.0.1/",
        "https://100.64.0.1/",
        "https://[fc00::1]/",
        // Names that look like Amazon's.
        "https://s3.amazonaws.com.evil.example/",
        "https://s3.amazonaws.com./",
        "https://evilamazonaws.com/",
        "https://evil.example/.amazonaws.com",
        "https://evil.example#.amazonaws.com",
        "https://evil.example?.amazonaws.com",
        "https://evil.example\\.amazonaws.com",
        "https://evil.example%23.amazonaws.com/",
        "https://s3.amazonaws.com@evil.example/",
        "https://s3.amazonaws.com:x@evil.example/",
        "https://user@b.s3.amazonaws.com/",
        "https://b.s3.amazonaws.com:8443/",
        "https://b.s3.amaz\u{43e}naws.com/",
        // Other schemes.
        "http://b.s3.amazonaws.com/",
        "ftp://b.s3.amazonaws.com/",
        "file://b.s3.amazonaws.com/etc/passwd",
        "gopher://b.s3.amazonaws.com/",
    ];
}
