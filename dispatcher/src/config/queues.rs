//! Which queue is meant: by its URL, its ARN, or by there being no other. Pure.

use runner::destination::Queue;

use super::{Config, QueueSettings};
use crate::envelope::Kind;

impl Config {
    /// What the configuration says of a queue, by URL or ARN; of one that it does not know, nothing. Where there is only
    /// one, that is meant if nothing is said.
    pub fn queue_named(&self, queue: Option<&str>) -> QueueSettings {
        let found = match (queue, self.queue.as_slice()) {
            (None, [only]) => Some(only),
            (None, _) => None,
            (Some(wanted), all) => all.iter().find(|one| is_same(&one.url, wanted)),
        };
        found.cloned().unwrap_or_else(|| QueueSettings {
            url: queue.unwrap_or_default().to_owned(),
            kind: Kind::Auto,
            function: None,
            plain_sources: Vec::new(),
            record_buckets: Vec::new(),
            task_states: false,
        })
    }
}

/// Whether both names are one queue's: not every URL says a region.
pub fn is_same(one: &str, other: &str) -> bool {
    let queues = Queue::of(one).zip(Queue::of(other));
    queues.map_or(one == other, |(one, other)| one.is(&other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_known_by_url_and_by_arn() {
        let url = "https://sqs.eu-west-1.amazonaws.com/123456789012/failed";
        let arn = "arn:aws:sqs:eu-west-1:123456789012:failed";
        assert!(is_same("http://127.0.0.1:5000/123456789012/failed", arn));
        assert!(!is_same("https://sqs.us-east-1.amazonaws.com/123456789012/failed", arn));
        let text = format!(
            "ledger = \"file:///x\"\n[launch]\nlauncher = \"process\"\n[[queue]]\nurl = \"{url}\"\nkind = \"redrive\"\n[[queue]]\nurl = \"other\""
        );
        let config = Config::read(&text).unwrap();
        assert_eq!(config.queue_named(Some(arn)).kind, Kind::Redrive);
        assert_eq!(config.queue_named(None).kind, Kind::Auto);
    }
}
