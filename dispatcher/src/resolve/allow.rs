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
        let foreign = |one: &Destination| matches!(one, Destination::Sqs { url } if !is_queue(url));
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

/// `https://HOST/ACCOUNT/NAME` with a host of Amazon SQS (AWS general reference, "Amazon SQS endpoints", and those of VPC
/// endpoints): no user, no port, no other scheme, and none of the hosts that Amazon's customers may have names at.
fn is_queue(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("https://") else { return false };
    let [host, account, name] = rest.split('/').collect::<Vec<_>>()[..] else { return false };
    let host = ["com", "com.cn", "eu"]
        .into_iter()
        .find_map(|domain| host.strip_suffix(domain)?.strip_suffix(".amazonaws."));
    let Some(host) = host else { return false };
    let sqs = match host.split('.').collect::<Vec<_>>()[..] {
        ["queue"] => true,
        ["sqs" | "sqs-fips", region] | [region, "queue"] => is_region(region),
        [endpoint, "sqs", region, "vpce"] => is_plain(endpoint) && is_region(region),
        _ => false,
    };
    let name = name.strip_suffix(".fifo").unwrap_or(name);
    let account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    sqs && account && is_plain(&name.replace('_', "-").to_ascii_lowercase())
}

/// `eu-west-1`, `us-gov-east-1`, and no `s3-eu-west-1`, at which buckets have hosts.
fn is_region(text: &str) -> bool {
    let words: Vec<&str> = text.split('-').collect();
    let [words @ .., number] = &words[..] else { return false };
    let is = |word: &str, of: fn(&u8) -> bool| !word.is_empty() && word.bytes().all(|b| of(&b));
    words.len() >= 2
        && words.iter().all(|word| is(word, u8::is_ascii_lowercase))
        && is(number, u8::is_ascii_digit)
}

/// Letters, digits and hyphens: a part of a host's name.
fn is_plain(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=80).contains(&text.len()) && text.bytes().all(allowed)
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
    use std::collections::BTreeMap;

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
        for good in [
            "https://sqs.eu-west-1.amazonaws.com/123456789012/done",
            "https://sqs.eu-west-1.amazonaws.com/123456789012/Done_2-b.fifo",
            "https://sqs.cn-north-1.amazonaws.com.cn/123456789012/done",
            "https://sqs.eusc-de-east-1.amazonaws.eu/123456789012/done",
            "https://sqs-fips.us-east-1.amazonaws.com/123456789012/done",
            "https://eu-west-1.queue.amazonaws.com/123456789012/done",
            "https://queue.amazonaws.com/123456789012/done",
            "https://vpce-0a1b-2c.sqs.eu-west-1.vpce.amazonaws.com/123456789012/done",
        ] {
            let list = format!("sqs:{good},s3://b/p,stdout");
            assert_eq!(open.check_destinations(Some(&named(&list))), Ok(()), "{good}");
        }
        // Ways of writing addresses that are no queue's; the path follows.
        let forms: BTreeMap<String, BTreeMap<String, Vec<String>>> =
            serde_json::from_str(include_str!("../../../tests/fixtures/addresses.json")).unwrap();
        let forms: Vec<&String> = forms["queue"].values().flatten().collect();
        assert_eq!(forms.len(), 60);
        for bad in forms {
            let url = format!("{bad}123456789012/done");
            for url in [&url, bad].map(Clone::clone) {
                let found = open.check_destinations(Some(&[Destination::Sqs { url }]));
                assert!(found.is_err(), "{bad}");
            }
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
