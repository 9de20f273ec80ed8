//! How fast things may be started or asked: a token bucket (ECS developer guide, "Request throttling": Fargate starts 20
//! a second, 100 at once). Pure; time is an argument.

use std::time::{Duration, Instant};

/// A bucket of tokens.
#[derive(Debug, Clone)]
pub struct Bucket {
    burst: f64,
    a_second: f64,
    tokens: f64,
    since: Instant,
}

impl Bucket {
    /// A full one.
    pub fn new(burst: u32, a_second: f64, now: Instant) -> Self {
        let burst = f64::from(burst.max(1));
        Self { burst, a_second: a_second.max(f64::MIN_POSITIVE), tokens: burst, since: now }
    }

    /// Takes a token, and says how long to wait until it is there.
    pub fn take(&mut self, now: Instant) -> Duration {
        let passed = now.saturating_duration_since(self.since).as_secs_f64();
        self.tokens = (self.tokens + passed * self.a_second).min(self.burst) - 1.0;
        self.since = self.since.max(now);
        let missing = (-self.tokens).max(0.0);
        Duration::try_from_secs_f64(missing / self.a_second).unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_free_and_then_each_waits_for_its_token() {
        let start = Instant::now();
        let mut bucket = Bucket::new(100, 20.0, start);
        assert!((0..100).all(|_| bucket.take(start).is_zero()));
        assert_eq!(bucket.take(start), Duration::from_millis(50));
        assert_eq!(bucket.take(start), Duration::from_millis(100));
        let later = start + Duration::from_secs(1);
        // 20 have come since, 2 of them were promised.
        assert!((0..18).all(|_| bucket.take(later).is_zero()));
        assert!(!bucket.take(later).is_zero());
    }

    #[test]
    fn an_idle_bucket_holds_no_more_than_its_burst() {
        let start = Instant::now();
        let mut bucket = Bucket::new(2, 20.0, start);
        let later = start + Duration::from_hours(1);
        assert!((0..2).all(|_| bucket.take(later).is_zero()));
        assert!(!bucket.take(later).is_zero());
    }
}
