//! Queues by their two names: `https://sqs.REGION.amazonaws.com/ACCOUNT/NAME` and
//! `arn:aws:sqs:REGION:ACCOUNT:NAME`. Pure.

/// Account and name of a queue, and its region where the name says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queue<'a> {
    partition: &'a str,
    region: Option<&'a str>,
    /// The account that it is in.
    pub account: &'a str,
    /// Its name.
    pub name: &'a str,
}

impl<'a> Queue<'a> {
    /// A queue by either name.
    pub fn of(name: &'a str) -> Option<Self> {
        Self::of_arn(name).or_else(|| Self::of_url(name))
    }

    /// A queue by its ARN.
    pub fn of_arn(arn: &'a str) -> Option<Self> {
        let parts: Vec<&str> = arn.split(':').collect();
        match parts.as_slice() {
            ["arn", partition, "sqs", region, account, name] => {
                let region = Some(*region).filter(|region| !region.is_empty());
                Some(Self { partition, region, account, name })
            }
            _ => None,
        }
    }

    /// A queue by its URL. Hosts other than AWS's own say no region.
    pub fn of_url(url: &'a str) -> Option<Self> {
        let (rest, name) = url.rsplit_once('/')?;
        let (_, account) = rest.rsplit_once('/')?;
        let region = region(url);
        Some(Self { partition: partition(region.unwrap_or_default()), region, account, name })
    }

    /// Its region, where its name says it.
    pub fn region(&self) -> Option<&'a str> {
        self.region
    }

    /// Its ARN, in this region where its name says none.
    pub fn arn(&self, region: &str) -> String {
        let Self { account, name, .. } = self;
        let (partition, region) = match self.region {
            Some(region) => (self.partition, region),
            None => (partition(region), region),
        };
        format!("arn:{partition}:sqs:{region}:{account}:{name}")
    }

    /// Its URL at AWS.
    pub fn url(&self) -> String {
        let domain = if self.partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
        let region = self.region.unwrap_or("us-east-1");
        format!("https://sqs.{region}.{domain}/{}/{}", self.account, self.name)
    }

    /// Whether both can be the same queue.
    pub fn is(&self, other: &Queue<'_>) -> bool {
        let regions = self.region.zip(other.region);
        self.account == other.account
            && self.name == other.name
            && regions.is_none_or(|(one, other)| one == other)
    }
}

/// The partition of a region (AWS, "Amazon Resource Names").
fn partition(region: &str) -> &'static str {
    match region {
        _ if region.starts_with("cn-") => "aws-cn",
        _ if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

/// The region in a queue's URL: `sqs.REGION.amazonaws.com`, `REGION.queue.amazonaws.com`,
/// `queue.amazonaws.com` (SQS endpoints, AWS general reference), or a VPC endpoint's.
pub(super) fn region(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let (host, _) = rest.split_once('/')?;
    let parts: Vec<&str> = host.split('.').collect();
    match parts.as_slice() {
        ["sqs" | "sqs-fips", region, "amazonaws", "com", ..]
        | ["sqs" | "sqs-fips", region, "api", "aws"]
        | [region, "queue", "amazonaws", "com", ..]
        | [_, "sqs", region, "vpce", "amazonaws", "com", ..] => Some(region),
        ["queue", "amazonaws", "com"] => Some("us-east-1"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_has_two_names() {
        let arn = "arn:aws:sqs:eu-west-1:123456789012:done";
        let own = Queue::of_arn(arn).unwrap();
        for (url, same) in [
            ("https://sqs.eu-west-1.amazonaws.com/123456789012/done", true),
            ("https://eu-west-1.queue.amazonaws.com/123456789012/done", true),
            ("https://vpce-1.sqs.eu-west-1.vpce.amazonaws.com/123456789012/done", true),
            ("http://127.0.0.1:5000/123456789012/done", true),
            ("https://queue.amazonaws.com/123456789012/done", false),
            ("https://sqs.eu-west-2.amazonaws.com/123456789012/done", false),
            ("https://sqs.eu-west-1.amazonaws.com/999999999999/done", false),
            ("https://sqs.eu-west-1.amazonaws.com/123456789012/done2", false),
        ] {
            assert_eq!(own.is(&Queue::of_url(url).unwrap()), same, "{url}");
        }
        assert_eq!(own.url(), "https://sqs.eu-west-1.amazonaws.com/123456789012/done");
        for (url, arn) in [
            ("https://sqs.eu-west-1.amazonaws.com/123456789012/done", arn),
            (
                "http://127.0.0.1:5000/123456789012/done",
                "arn:aws-us-gov:sqs:us-gov-west-1:123456789012:done",
            ),
            (
                "https://sqs.cn-north-1.amazonaws.com.cn/123456789012/done",
                "arn:aws-cn:sqs:cn-north-1:123456789012:done",
            ),
        ] {
            assert_eq!(Queue::of(url).unwrap().arn("us-gov-west-1"), arn);
        }
        for bad in ["", "arn:aws:sns:r:1:t", "arn:aws:sqs:r:1:a:b", "done"] {
            assert_eq!(Queue::of_arn(bad), None);
        }
    }
}
