//! What is counted, for Prometheus. Owns names and help texts; who serves them is `http`.

use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::dispatch::{Fate, Later};
use crate::reconcile::Report;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Word {
    fate: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Step {
    step: &'static str,
}

/// What is counted.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    messages: Family<Word, Counter>,
    seconds: Histogram,
    steps: Family<Step, Counter>,
    unfinished: Gauge,
    swept: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("immortal_dispatcher");
        let (messages, steps) = (Family::default(), Family::default());
        let seconds = Histogram::new(exponential_buckets(0.005, 2.0, 14));
        let (unfinished, swept) = (Gauge::default(), Gauge::default());
        registry.register("messages", "Messages, by what became of them", messages.clone());
        registry.register(
            "dispatch_seconds",
            "From receiving a message to its end here",
            seconds.clone(),
        );
        registry.register("steps", "Steps taken for unfinished jobs", steps.clone());
        registry.register(
            "unfinished_jobs",
            "Jobs whose outcome is not delivered, at the last look",
            unfinished.clone(),
        );
        registry.register(
            "last_look_timestamp_seconds",
            "When unfinished jobs were looked at last",
            swept.clone(),
        );
        Self { registry, messages, seconds, steps, unfinished, swept }
    }
}

impl Metrics {
    /// A message has come to its end here.
    pub fn dispatched(&self, ended: &Result<Fate, Later>, took: Duration) {
        let fate = ended.as_ref().map_or("later", Fate::as_str);
        self.messages.get_or_create(&Word { fate }).inc();
        self.seconds.observe(took.as_secs_f64());
    }

    /// All unfinished jobs were looked at.
    pub fn swept(&self, report: &Report) {
        let mut all = 0;
        for (step, count) in &report.0 {
            self.steps.get_or_create(&Step { step }).inc_by(*count as u64);
            all += i64::try_from(*count).unwrap_or(i64::MAX);
        }
        self.unfinished.set(all);
        let now = ledger::Time::now().as_millis() / 1000;
        self.swept.set(i64::try_from(now).unwrap_or(i64::MAX));
    }

    /// All of it, in the text format of `OpenMetrics`.
    pub fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("a string takes all");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_is_counted() {
        let metrics = Metrics::default();
        let later = Err(Later { why: String::new(), after: Duration::ZERO });
        metrics.dispatched(&later, Duration::from_millis(7));
        metrics.dispatched(&Ok(Fate::Ignored(String::new())), Duration::from_millis(7));
        metrics.swept(&Report([("wait", 3)].into()));
        let text = metrics.text();
        for line in [
            "immortal_dispatcher_messages_total{fate=\"later\"} 1",
            "immortal_dispatcher_messages_total{fate=\"ignored\"} 1",
            "immortal_dispatcher_steps_total{step=\"wait\"} 3",
            "immortal_dispatcher_unfinished_jobs 3",
            "immortal_dispatcher_dispatch_seconds_count 2",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}
