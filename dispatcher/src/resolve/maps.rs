//! The configured map: which function belongs to a queue, a topic, a bucket or an event source. Pure.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::envelope::Hint;

/// One entry: exactly one of the five, and the function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Map {
    /// A queue's ARN or name.
    pub queue: Option<String>,
    /// A topic's ARN, its name, or the end of it.
    pub topic: Option<String>,
    /// A bucket's name.
    pub bucket: Option<String>,
    /// An event source's ARN, or the end of it.
    pub source: Option<String>,
    /// The unique id of a function's role (`AROA…`), by which its dead letters are sent.
    pub role: Option<String>,
    /// The function: name or ARN, with an optional qualifier.
    pub function: String,
}

impl Map {
    /// Refuses an entry that says nothing, or too much.
    pub fn check(&self) -> Result<(), String> {
        let said = [&self.queue, &self.topic, &self.bucket, &self.source, &self.role];
        let count = said.iter().filter(|one| one.is_some()).count();
        if count == 1 {
            return Ok(());
        }
        Err(format!(
            "expected one of `queue`, `topic`, `bucket`, `source` and `role` in the [[map]] entry of `{}`, found {count}",
            self.function
        ))
    }
}

/// The function that the map names for this hint, and by which entry.
pub fn find(
    maps: &[Map],
    hint: &Hint,
    source: Option<&str>,
    queue_arn: &str,
) -> Option<(String, String)> {
    // What the message says is nearer to the function than the queue that brought it; nearest is whose role sent it.
    let by_role = |map: &&Map| map.role.is_some() && role(hint) == map.role.as_deref();
    let source = source.map(|source| Hint::Source(source.to_owned()));
    let said = |map: &&Map| names(map, hint) || source.iter().any(|source| names(map, source));
    let by_queue = |map: &&Map| map.queue.as_deref().is_some_and(|name| is(name, queue_arn));
    let found = maps.iter().find(by_role).or_else(|| maps.iter().find(said));
    let map = found.or_else(|| maps.iter().find(by_queue))?;
    Some((map.function.clone(), format!("the [[map]] entry of {}", key(map))))
}

fn role(hint: &Hint) -> Option<&str> {
    match hint {
        Hint::DeadLetter { role_id, .. } => role_id.as_deref(),
        _ => None,
    }
}

fn names(map: &Map, hint: &Hint) -> bool {
    let named = |pattern: &Option<String>, arn: &str| {
        pattern.as_deref().is_some_and(|name| arn == name || arn.ends_with(name))
    };
    match hint {
        Hint::Topic(arn) => named(&map.topic, arn),
        Hint::Source(what) => {
            named(&map.topic, what)
                || named(&map.source, what)
                || map.bucket.as_deref() == Some(what)
        }
        Hint::EventSource(arn) | Hint::Rule { rule: arn, .. } | Hint::Schedule(arn) => {
            named(&map.source, arn)
        }
        Hint::DeadLetter { target, .. } => {
            map.queue.as_deref().is_some_and(|name| is(name, target)) || named(&map.topic, target)
        }
        Hint::Function(_) | Hint::Unknown => false,
    }
}

/// Whether a name or an ARN is that of this ARN.
fn is(name: &str, arn: &str) -> bool {
    arn == name || arn.rsplit(':').next() == Some(name)
}

fn key(map: &Map) -> String {
    let said = [
        ("queue", &map.queue),
        ("topic", &map.topic),
        ("bucket", &map.bucket),
        ("source", &map.source),
        ("role", &map.role),
    ];
    let said = said.into_iter().find_map(|(key, value)| Some((key, value.as_ref()?)));
    said.map(|(key, value)| format!("{key} `{value}`")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUE: &str = "arn:aws:sqs:eu-west-1:123456789012:failed";

    fn map(key: &str, value: &str, function: &str) -> Map {
        toml::from_str(&format!("{key} = \"{value}\"\nfunction = \"{function}\"")).unwrap()
    }

    #[test]
    fn the_nearest_entry_counts() {
        let maps = [
            map("queue", "failed", "by-queue"),
            map("topic", "-resize", "by-topic"),
            map("bucket", "in", "by-bucket"),
            map("role", "AROAEXAMPLE", "by-role"),
        ];
        let topic = || "arn:aws:sns:eu-west-1:123456789012:prod-resize".to_owned();
        for (hint, expected) in [
            (Hint::Topic(topic()), "by-topic"),
            (Hint::Source(topic()), "by-topic"),
            (Hint::Source("in".into()), "by-bucket"),
            (Hint::Source("inn".into()), "by-queue"),
            (Hint::Unknown, "by-queue"),
            (Hint::DeadLetter { target: QUEUE.into(), role_id: None }, "by-queue"),
            (
                Hint::DeadLetter { target: QUEUE.into(), role_id: Some("AROAEXAMPLE".into()) },
                "by-role",
            ),
            (
                Hint::DeadLetter { target: QUEUE.into(), role_id: Some("AROAOTHER".into()) },
                "by-queue",
            ),
        ] {
            assert_eq!(find(&maps, &hint, None, QUEUE).unwrap().0, expected, "{hint:?}");
        }
        assert_eq!(find(&maps[1..], &Hint::Unknown, None, QUEUE), None);
    }

    #[test]
    fn an_entry_says_one_thing() {
        assert_eq!(map("queue", "q", "f").check(), Ok(()));
        let both = Map { topic: Some("t".into()), ..map("queue", "q", "f") };
        assert!(both.check().unwrap_err().contains("found 2"));
    }
}
