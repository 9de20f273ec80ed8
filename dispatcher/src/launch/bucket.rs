//! How fast things may be started or asked: a token bucket (ECS developer guide, "Request throttling": Fargate starts 20
//! a second, 100 at once), which a refusal makes slower and each start a little faster again: what a quota is worth, only
//! its refusals tell. Pure; time is an argument.

use std::time::{Duration, Instant};

/// A bucket of tokens.
#[derive(Debug, Clone)]
pub struct Bucket {
    burst: f64,
    fastest: f64,
    a_second: f64,
    tokens: f64,
    since: Instant,
    refused: Option<Instant>,
}

/// Of the fastest, so much faster is each start than the one before, after a refusal.
const FASTER: f64 = 0.01;
/// Starts a second at the slowest: to see whether there is room again.
const SLOWEST: f64 = 0.2;
/// Refusals within this time are one: what is on its way cannot be slowed down any more.
const AS_ONE: Duration = Duration::from_secs(1);

impl Bucket {
    /// A full one.
    pub fn new(burst: u32, a_second: f64, now: Instant) -> Self {
        let burst = f64::from(burst.max(1));
        let fastest = a_second.max(f64::MIN_POSITIVE);
        Self { burst, fastest, a_second: fastest, tokens: burst, since: now, refused: None }
    }

    /// Takes a token, and says how long to wait until it is there.
    pub fn take(&mut self, now: Instant) -> Duration {
        self.fill(now);
        self.tokens -= 1.0;
        let missing = (-self.tokens).max(0.0);
        Duration::try_from_secs_f64(missing / self.a_second).unwrap_or(Duration::MAX)
    }

    /// How many could be taken within this time.
    pub fn within(&mut self, time: Duration, now: Instant) -> usize {
        self.fill(now);
        let tokens = (self.tokens + time.as_secs_f64() * self.a_second).max(0.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "floored")]
        let whole = tokens as usize;
        whole
    }

    /// What was started was refused for now: half as fast.
    pub fn refused(&mut self, now: Instant) {
        self.fill(now);
        if self.refused.is_some_and(|last| now.saturating_duration_since(last) < AS_ONE) {
            return;
        }
        self.refused = Some(now);
        self.a_second = (self.a_second / 2.0).max(SLOWEST.min(self.fastest));
        self.tokens = self.tokens.min(0.0);
    }

    /// It was started: a little faster.
    pub fn granted(&mut self) {
        self.a_second = (self.a_second + FASTER * self.fastest).min(self.fastest);
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.since).as_secs_f64();
        self.tokens = (self.tokens + passed * self.a_second).min(self.burst);
        self.since = self.since.max(now);
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
    fn refusals_halve_the_rate_and_starts_restore_it() {
        let start = Instant::now();
        let mut bucket = Bucket::new(100, 20.0, start);
        for _at_once in 0..3 {
            bucket.refused(start);
        }
        assert_eq!(bucket.take(start), Duration::from_millis(100));
        assert_eq!(bucket.within(Duration::from_secs(30), start), 299);
        let mut now = start;
        for _ in 0..60 {
            now += Duration::from_mins(1);
            bucket.refused(now);
        }
        assert_eq!(bucket.take(now), Duration::from_secs(5));
        (0..100).for_each(|_| bucket.granted());
        now += Duration::from_hours(1);
        assert_eq!(bucket.within(Duration::from_secs(1), now), 120);
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
