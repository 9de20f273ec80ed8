//! What is asked of the queue, what is looked at, and what is given back: as much as can begin soon, and no more.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::super::super::attempt::{TOLD, Tried};
use super::super::super::deliver::say;
use super::super::super::error::RunError;
use super::super::{Told, WAIT, take};
use super::Worker;
use crate::aws::AwsError;
use crate::aws::inbox::{BATCH, Letter};
use crate::causes::causes;
use crate::config::Environment;

/// Questions to the queue at once.
const ASKING: usize = 3;
/// The pause after a queue that did not answer.
const PAUSE: Duration = Duration::from_secs(5);

impl<E: Environment + Clone + 'static> Worker<E> {
    /// Looks at as many messages as jobs are wanted.
    pub(super) fn take(&mut self) {
        while self.taking + self.ready.len() < self.wanted()
            && let Some(hand) = self.letters.pop_front()
        {
            self.taking += 1;
            let shared = Rc::clone(&self.shared);
            tokio::task::spawn_local(async move {
                let ready = take::take(&shared, hand).await;
                shared.tell(Told::Taken(ready.map(Box::new)));
            });
        }
    }

    /// Asks the queue for as many messages as are missing, once that is worth a question.
    pub(super) fn ask(&mut self) {
        let known = self.letters.len() + self.taking + self.ready.len();
        let wanted = self.wanted();
        let missing = wanted.saturating_sub(known);
        let most = if self.dry { 1 } else { ASKING };
        let few = worth(wanted);
        while self.asking < most && missing >= self.asking * BATCH + few && self.mute().is_none() {
            let (shared, count) = (Rc::clone(&self.shared), missing - self.asking * BATCH);
            self.asking += 1;
            tokio::task::spawn_local(async move {
                let work = &shared.work;
                let wait = work.idle.map_or(WAIT, |idle| idle.min(WAIT));
                let asked = shared.hands.inbox().receive(count, wait, work.visibility).await;
                shared.tell(Told::Received(asked));
            });
        }
    }

    /// How many jobs are wanted that are claimed and do not run yet.
    fn wanted(&self) -> usize {
        let free = self.shared.work.concurrency.saturating_sub(self.running.len());
        let oldest = self.running.front().map_or(Duration::ZERO, Instant::elapsed);
        free + self.pace.ahead(oldest)
    }

    pub(super) fn received(
        &mut self,
        received: Result<Vec<Letter>, AwsError>,
    ) -> Result<(), RunError> {
        match received {
            Ok(letters) => {
                (self.answered, self.dry) = (true, letters.is_empty());
                let hands = &self.shared.hands;
                self.letters.extend(letters.into_iter().map(|letter| hands.take(letter)));
                if self.stopping.is_some() {
                    self.give_back(TOLD);
                }
            }
            // A queue that is not there, or not ours: it is better to say so than to wait.
            Err(error @ AwsError::Refused { .. }) if !self.answered => return Err(error.into()),
            Err(error) => {
                say(&format!("{}; again in {} s", causes(&error), PAUSE.as_secs()));
                self.silent_since = Some(Instant::now());
            }
        }
        Ok(())
    }

    /// The end of the pause after a queue that did not answer.
    pub(super) fn mute(&self) -> Option<Instant> {
        let end = self.silent_since? + PAUSE;
        (end > Instant::now()).then_some(end)
    }

    /// Gives back what has not begun.
    pub(super) fn give_back(&mut self, why: &'static str) {
        for hand in std::mem::take(&mut self.letters) {
            self.shared.hands.back(&hand, Duration::ZERO);
        }
        for ready in std::mem::take(&mut self.ready) {
            self.end(ready, Ok(Tried::Interrupted(why)));
        }
    }
}

/// So many messages have to be missing for a question: a whole answer of them, but never more than half of those that are
/// wanted, so that some are at hand while it is under way.
fn worth(wanted: usize) -> usize {
    wanted.div_ceil(2).clamp(1, BATCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_are_asked_for_at_once_and_many_by_the_batch() {
        assert_eq!([0, 1, 2, 3, 10, 20, 33].map(worth), [1, 1, 1, 2, 5, 10, 10]);
    }
}
