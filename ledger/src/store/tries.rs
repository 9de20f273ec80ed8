//! How long a call is tried again, and when. The waits are pure.

use std::time::Duration;

use async_trait::async_trait;
use object_store::retry::{RetryContext, RetryFailure, RetryPolicy};
use tokio::time::Instant;

/// How long calls are tried. The store's own client has tried a few times before each of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// No new try begins after this long.
    pub within: Duration,
    /// A try that takes this long is given up; parts of large payloads have ten times as long.
    pub each: Duration,
    /// The first wait.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
}

impl Default for Patience {
    /// Two minutes, which S3's throttles seldom outlast.
    fn default() -> Self {
        Self {
            within: Duration::from_mins(2),
            each: Duration::from_secs(30),
            first: Duration::from_millis(100),
            longest: Duration::from_secs(5),
        }
    }
}

impl Patience {
    /// For calls that move much.
    pub(super) fn longer(self) -> Self {
        Self { each: self.each * 10, ..self }
    }

    /// The wait after so many tries: doubled each time, the second half of it by lot (0 to 255), so
    /// that those who were throttled together do not come back together.
    fn wait(&self, tries: u32, lot: u8) -> Duration {
        let whole = self.first.saturating_mul(1 << tries.min(16)).min(self.longest);
        whole / 2 + whole * u32::from(lot) / 512
    }
}

/// The tries of one call.
#[derive(Debug)]
pub(super) struct Tries {
    patience: Patience,
    started: Instant,
    made: u32,
}

impl Tries {
    /// Before the first.
    pub(super) fn start(patience: Patience) -> Self {
        Self { patience, started: Instant::now(), made: 0 }
    }

    /// Waits for the next one, or says how long it has been tried.
    pub(super) async fn again(&mut self) -> Result<(), Duration> {
        let wait = self.patience.wait(self.made, lot());
        self.made += 1;
        let elapsed = self.started.elapsed();
        if elapsed + wait > self.patience.within {
            return Err(elapsed);
        }
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        Ok(())
    }
}

/// Parts of large payloads: only the store itself can send one again.
#[async_trait]
impl RetryPolicy for Patience {
    async fn retry(&self, context: RetryContext) -> bool {
        let tries = u32::try_from(context.attempt).unwrap_or(u32::MAX);
        let wait = self.wait(tries, lot());
        if !is_passing(context.failure) || context.elapsed + wait > self.within {
            return false;
        }
        tokio::time::sleep(wait).await;
        true
    }
}

/// Of refusals, those for credentials that expired on the way are among 400 and 403; what they say is
/// not told here, so they get the benefit of the doubt.
fn is_passing(failure: RetryFailure) -> bool {
    match failure {
        RetryFailure::Status(status) => {
            status.is_server_error() || matches!(status.as_u16(), 200 | 400 | 403 | 408 | 429)
        }
        _ => true,
    }
}

/// Chance, from 0 to 255.
fn lot() -> u8 {
    uuid::Uuid::new_v4().into_bytes()[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_sent_again_unless_it_would_be_refused_again() {
        let status = |code: u16| RetryFailure::Status(code.try_into().unwrap());
        assert!([200, 403, 408, 429, 500, 503].into_iter().map(status).all(is_passing));
        assert!(![301, 404, 405, 411, 412, 413].into_iter().map(status).any(is_passing));
    }

    #[test]
    fn waits_grow_to_a_limit_and_are_never_nothing() {
        let patience = Patience::default();
        let millis = |tries, lot| patience.wait(tries, lot).as_millis();
        assert_eq!((millis(0, 0), millis(0, 255)), (50, 99));
        assert_eq!((millis(3, 0), millis(3, 255)), (400, 798));
        assert_eq!((millis(40, 0), millis(40, 255)), (2_500, 4_990));
    }

    #[tokio::test]
    async fn tries_end() {
        let (first, longest) = (Duration::from_millis(1), Duration::from_millis(2));
        let within = Duration::from_millis(20);
        let mut tries = Tries::start(Patience { within, first, longest, ..Patience::default() });
        while tries.again().await.is_ok() {}
        assert!(tries.made > 1);
    }
}
