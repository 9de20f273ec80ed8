//! What happens to whom and when. Pure: the same seed gives the same answers, whoever asks in whatever order.

use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::time::Duration;

/// What a run is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seed(pub u64);

impl Seed {
    /// A number from 0 to below 1 that belongs to this name.
    pub(crate) fn chance(self, name: impl Hash) -> f64 {
        let mut hasher = DefaultHasher::new();
        (self.0, name).hash(&mut hasher);
        #[expect(clippy::cast_precision_loss, reason = "53 bits are left")]
        let chance = (hasher.finish() >> 11) as f64 / (1_u64 << 53) as f64;
        chance
    }

    /// A moment from now to before `most`.
    fn moment(self, name: impl Hash, most: Duration) -> Duration {
        most.mul_f64(self.chance(name))
    }

    /// What a launch meets with.
    pub(crate) fn fate(self, job: usize, launch: usize) -> Fate {
        let at = self.moment(("when", job, launch), Duration::from_millis(500));
        match self.chance(("fate", job, launch)) {
            x if x < 0.25 => Fate::Killed(at),
            x if x < 0.35 => Fate::Stopped(at),
            x if x < 0.45 => Fate::FunctionKilled(at),
            x if x < 0.50 => Fate::QueueRestarted(at),
            x if x < 0.60 => Fate::KilledAtTheEnd(at / 20),
            _ => Fate::None,
        }
    }

    /// Who else is launched with it.
    pub(crate) fn twin(self, job: usize, launch: usize) -> Twin {
        match self.chance(("twin", job, launch)) {
            x if x < 0.10 => Twin::Same,
            x if x < 0.15 => Twin::Next,
            _ => Twin::None,
        }
    }

    /// What becomes of the nth request to a place.
    pub(crate) fn fault(self, place: &str, nth: usize) -> Fault {
        let wait = self.moment(("wait", place, nth), Duration::from_millis(300));
        match self.chance(("fault", place, nth)) {
            x if x < 0.03 => Fault::Throttled,
            x if x < 0.05 => Fault::CutBefore,
            x if x < 0.08 => Fault::CutAfter,
            x if x < 0.10 => Fault::Slow(wait),
            _ => Fault::None,
        }
    }

    /// How large an answer is, in bytes: some are too large for a record.
    pub(crate) fn bytes(self, job: usize) -> usize {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "far below")]
        let spread = (self.chance(("bytes", job)) * 400_000.0) as usize;
        if self.chance(("large", job)) < 0.2 { 300_000 + spread } else { spread / 1000 }
    }

    /// How long the function takes.
    pub(crate) fn millis(self, job: usize) -> u64 {
        u64::try_from(self.moment(("millis", job), Duration::from_millis(150)).as_millis()).unwrap()
    }
}

/// What a launch meets with, so long after its start.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fate {
    /// Nothing.
    None,
    /// kill -9 of the runner.
    Killed(Duration),
    /// The same, so long after the function's end: while its outcome is decided and delivered.
    KilledAtTheEnd(Duration),
    /// SIGTERM.
    Stopped(Duration),
    /// kill -9 of the function.
    FunctionKilled(Duration),
    /// kill -9 of the destination.
    QueueRestarted(Duration),
}

/// Who else is launched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Twin {
    /// Nobody.
    None,
    /// The same attempt.
    Same,
    /// The next attempt, while this one runs.
    Next,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// It is answered.
    None,
    /// It is answered with a throttle, and not passed on.
    Throttled,
    /// It is neither answered nor passed on.
    CutBefore,
    /// It is passed on, and its answer is lost.
    CutAfter,
    /// It is answered late.
    Slow(Duration),
}
