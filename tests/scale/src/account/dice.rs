//! Chance, by seed: the same question has the same answer, whoever asks and when.

use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::time::Duration;

/// A seed.
#[derive(Debug, Clone, Copy)]
pub struct Dice(pub u64);

impl Dice {
    /// A number from 0 to 1.
    pub fn lot(self, question: impl Hash) -> f64 {
        let mut hasher = DefaultHasher::new();
        (self.0, question).hash(&mut hasher);
        #[expect(clippy::cast_precision_loss, reason = "53 bits are left")]
        let lot = (hasher.finish() >> 11) as f64 / (1_u64 << 53) as f64;
        lot
    }

    /// Whether what happens so often, of 1, happens.
    pub fn happens(self, often: f64, question: impl Hash) -> bool {
        self.lot(question) < often
    }

    /// A time between these; `skew` above 1 makes short ones more frequent.
    pub fn between(
        self,
        (least, most): (Duration, Duration),
        skew: f64,
        question: impl Hash,
    ) -> Duration {
        least + most.saturating_sub(least).mul_f64(self.lot(question).powf(skew))
    }

    /// When something happens that happens so often within an hour, of 1.
    pub fn when(self, in_an_hour: f64, question: impl Hash) -> Duration {
        let hours = (1.0 - self.lot(question)).ln() / (1.0 - in_an_hour).ln();
        Duration::try_from_secs_f64(hours * 3_600.0).unwrap_or(Duration::MAX)
    }
}
