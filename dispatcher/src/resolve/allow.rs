//! Which functions may be run: accounts, regions, names, a tag. A message is an instruction from whoever may send to
//! the queue; what is not allowed here is not run. Pure.

use ledger::Destination;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::function::Function;

/// What is allowed. Nothing said: functions of the queue's own account and region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Allow {
    /// Accounts; none said: the queue's own.
    pub accounts: Vec<String>,
    /// Regions; none said: the queue's own.
    pub regions: Vec<String>,
    /// Names, with `*` for anything; none said: any.
    pub functions: Vec<String>,
    /// A tag that a function must have: `name` or `name=value`.
    pub tag: Option<String>,
    /// Whether a function's `OnFailure` destination must be the queue that its record came from.
    pub provenance: bool,
    /// Whether a request may say where its outcome goes: whoever may send to the queue could have it sent anywhere.
    pub destinations: bool,
}

impl Default for Allow {
    fn default() -> Self {
        Self {
            accounts: Vec::new(),
            regions: Vec::new(),
            functions: Vec::new(),
            tag: None,
            provenance: true,
            destinations: false,
        }
    }
}

impl Allow {
    /// Refuses destinations that a message names and must not: only queues of AWS are addressed by URL, and never the
    /// network that we are in.
    pub fn check_destinations(&self, named: Option<&[Destination]>) -> Result<(), String> {
        let Some(named) = named else { return Ok(()) };
        if !self.destinations {
            return Err("expected a request without `destinations`, found some: say `destinations = true` in [allow] if \
                        whoever may send to this queue may also say where outcomes go"
                .to_owned());
        }
        let foreign = |one: &Destination| matches!(one, Destination::Sqs { url } if !is_aws(url));
        if named.iter().any(foreign) {
            return Err("expected the https address of a queue of Amazon SQS in `destinations`, found another address".to_owned());
        }
        Ok(())
    }

    /// Refuses a function that is not allowed to this queue: what was expected, what was found, what to do.
    pub fn check(&self, function: &Function, queue_arn: &str) -> Result<(), String> {
        self.check_name(&function.arn, queue_arn)?;
        match &self.tag {
            Some(tag) if !tagged(function, tag) => Err(format!(
                "expected a function with the tag `{tag}`, found `{}` without it: tag it (reading tags needs lambda:ListTags), or change [allow] tag",
                function.name
            )),
            _ => Ok(()),
        }
    }

    /// The same, of which only the ARN is known.
    pub fn check_name(&self, arn: &str, queue_arn: &str) -> Result<(), String> {
        let (region, account) = place(arn);
        let (queue_region, queue_account) = place(queue_arn);
        listed("account", "accounts", account, &self.accounts, queue_account)?;
        listed("region", "regions", region, &self.regions, queue_region)?;
        let name = arn.split(':').nth(6).unwrap_or(arn);
        if self.functions.is_empty() || self.functions.iter().any(|p| matches(p, name)) {
            return Ok(());
        }
        Err(format!(
            "expected a function named like {}, found `{name}`: add it to [allow] functions",
            self.functions.join(", "),
        ))
    }
}

fn listed(what: &str, key: &str, found: &str, allowed: &[String], own: &str) -> Result<(), String> {
    let fits = match allowed {
        // Not every queue has an ARN: one that was read from a file has none.
        [] => own.is_empty() || found == own,
        list => list.iter().any(|one| one == found),
    };
    if fits {
        return Ok(());
    }
    let expected = if allowed.is_empty() { own.to_owned() } else { allowed.join(", ") };
    Err(format!("expected a function in {what} {expected}, found {found}: add it to [allow] {key}"))
}

/// Region and account of an ARN.
fn place(arn: &str) -> (&str, &str) {
    let mut parts = arn.split(':').skip(3);
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

/// `https://HOST/…` with a host of Amazon's: no user, no port, no other scheme.
fn is_aws(url: &str) -> bool {
    let Some(host) = url.strip_prefix("https://").and_then(|rest| rest.split('/').next()) else {
        return false;
    };
    let plain = host
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.');
    plain && (host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn"))
}

fn tagged(function: &Function, tag: &str) -> bool {
    match tag.split_once('=') {
        Some((name, value)) => function.tags.get(name).is_some_and(|found| found == value),
        None => function.tags.contains_key(tag),
    }
}

/// Whether a name is like a pattern: `*` stands for anything, everything else for itself.
pub fn matches(pattern: &str, name: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut left) = name.strip_prefix(head) else { return false };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        let Some(at) = left.find(piece) else { return false };
        left = &left[at + piece.len()..];
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::sample;

    const QUEUE: &str = "arn:aws:sqs:eu-west-1:123456789012:failed";

    #[test]
    fn a_pattern_stands_for_names() {
        for (pattern, name, expected) in [
            ("resize", "resize", true),
            ("resize", "resize2", false),
            ("*", "", true),
            ("img-*", "img-resize", true),
            ("img-*", "im", false),
            ("*-prod", "a-prod", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXcYb", false),
            ("a*a", "a", false),
            ("**", "x", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn nothing_said_allows_the_queues_own_account_and_region() {
        let allow = Allow::default();
        assert_eq!(allow.check(&sample(), QUEUE), Ok(()));
        let foreign = allow.check(&sample(), "arn:aws:sqs:eu-west-1:999999999999:failed");
        assert!(foreign.unwrap_err().contains("found 123456789012: add it to [allow] accounts"));
        let far = allow.check(&sample(), "arn:aws:sqs:us-east-1:123456789012:failed");
        assert!(far.unwrap_err().contains("[allow] regions"));
    }

    #[test]
    fn outcomes_go_only_where_whoever_sends_may_say() {
        let named = |list: &str| Destination::list(list).unwrap();
        let closed = Allow::default();
        assert_eq!(closed.check_destinations(None), Ok(()));
        assert!(
            closed.check_destinations(Some(&named("s3://b/p"))).unwrap_err().contains("[allow]")
        );
        let open = Allow { destinations: true, ..Allow::default() };
        let good = "sqs:https://sqs.eu-west-1.amazonaws.com/123456789012/done,s3://b/p,stdout";
        assert_eq!(open.check_destinations(Some(&named(good))), Ok(()));
        for bad in [
            "http://sqs.eu-west-1.amazonaws.com/1/q",
            "https://169.254.170.2/v2/credentials",
            "http://169.254.169.254/",
            "https://[fd00:ec2::254]/",
            "https://[::ffff:169.254.170.2]/",
            "https://2852039166/",
            "https://0xa9fea9fe/",
            "https://0/",
            "https://localhost/",
            "https://sqs.amazonaws.com.evil.example/",
            "https://evil.example/.amazonaws.com",
            "https://user@sqs.eu-west-1.amazonaws.com/1/q",
            "https://sqs.eu-west-1.amazonaws.com:8080/1/q",
            "https://sqs.eu-west-1.amazonaws.com\\@evil.example/",
            "https://evil.example#.amazonaws.com",
            "https://evil.example?.amazonaws.com",
            "https://ѕqs.amazonaws.com/",
            "ftp://sqs.amazonaws.com/",
            "file:///etc/passwd",
        ] {
            let url = bad.to_owned();
            let found = open.check_destinations(Some(&[Destination::Sqs { url }]));
            assert!(found.is_err(), "{bad}");
        }
    }

    #[test]
    fn names_and_tags_are_asked_for() {
        let allow = Allow { functions: vec!["img-*".into()], ..Allow::default() };
        assert!(allow.check(&sample(), QUEUE).unwrap_err().contains("[allow] functions"));
        let mut function = sample();
        for (tag, value, expected) in
            [("rerun", "x", true), ("rerun=true", "true", true), ("rerun=true", "false", false)]
        {
            let allow = Allow { tag: Some(tag.into()), ..Allow::default() };
            function.tags.insert("rerun".into(), value.into());
            assert_eq!(allow.check(&function, QUEUE).is_ok(), expected, "{tag} {value}");
        }
    }
}
