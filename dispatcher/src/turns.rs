//! How fast AWS's control plane is asked. Its quotas count every question, a repetition too: so the SDK repeats none, and who
//! was refused waits for another turn. Others use the same quotas: a refusal makes all questions slower for a while.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::launch::bucket::Bucket;
use crate::resolve::directory::LookupError;

/// So often a question is asked before whoever asks has to come again.
const TRIES: usize = 5;

/// Who waits for its turn to ask.
#[derive(Debug)]
pub(crate) struct Turns(Mutex<Bucket>);

impl Turns {
    /// So many questions at once, so many a second.
    pub(crate) fn new((at_once, a_second): (u32, f64)) -> Self {
        Self(Mutex::new(Bucket::new(at_once, a_second, Instant::now())))
    }

    /// Waits for a turn.
    pub(crate) async fn next(&self) {
        let wait = self.bucket().take(Instant::now());
        tokio::time::sleep(wait).await;
    }

    /// Asks when it is its turn, and again where it was too much.
    pub(crate) async fn ask<T>(
        &self,
        question: impl AsyncFn() -> Result<T, LookupError>,
    ) -> Result<T, LookupError> {
        let mut tries = 1;
        loop {
            self.next().await;
            let answer = question().await;
            if !matches!(answer, Err(LookupError::Busy(_))) {
                self.bucket().granted();
                return answer;
            }
            self.bucket().refused(Instant::now());
            if tries == TRIES {
                return answer;
            }
            tries += 1;
        }
    }

    fn bucket(&self) -> MutexGuard<'_, Bucket> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn what_is_refused_for_now_is_asked_again_and_nothing_else_is() {
        let busy = || LookupError::Busy("throttled".into());
        for (answers, asked, succeeds) in [
            (vec![Ok(1)], 1, true),
            (vec![Err(busy()), Err(busy()), Ok(1)], 3, true),
            (vec![Err(busy()); 9], TRIES, false),
            (vec![Err(LookupError::Absent("no".into())), Ok(1)], 1, false),
        ] {
            let (turns, count) = (Turns::new((20, 1_000.0)), Cell::new(0));
            let answer = turns.ask(async || {
                count.set(count.get() + 1);
                answers[count.get() - 1].clone()
            });
            let succeeded = answer.await.is_ok();
            assert_eq!((count.get(), succeeded), (asked, succeeds), "{answers:?}");
        }
    }
}
