//! A job that is at work or is not to begin: its end is recorded, and its message deleted or given back. The record is
//! kept by the same desk as that of a program which is there for one attempt.

use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::hands::Hand;
use super::take::Ready;
use super::{Shared, Told};
use crate::causes::causes;
use crate::code::Code;
use crate::job::Event;
use crate::order::Reply;
use crate::run::attempt::{Ran, TOLD, Tried};
use crate::run::deliver::say;
use crate::run::error::RunError;
use crate::run::ledgered::claim::Held;
use crate::run::ledgered::desk::Desk;
use crate::run::ledgered::heart;

/// The pause before a job is tried again that could not be run or delivered; doubled for each time its message came.
const PAUSE: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_mins(10);

/// Waits for a job's answer, and brings the job to its end.
pub(super) async fn run<E>(
    shared: Rc<Shared<E>>,
    ready: Ready,
    began: Instant,
    reply: oneshot::Receiver<Reply>,
) {
    let Ready { hand, desk, held, known, event, .. } = ready;
    let version = known.described.function.version.clone();
    let answered = async { answered(reply.await.ok(), event, version) };
    let tried = Box::pin(heart::beating(&desk.job, desk.region(), answered)).await;
    shared.tell(Told::Free(began));
    Box::pin(conclude(&shared, &hand, &desk, &held, Ok(tried))).await;
    shared.tell(Told::Finished);
}

fn answered(reply: Option<Reply>, event: Event, version: String) -> Tried {
    match reply {
        Some(Reply::Whole(answer)) => Tried::Answered(Box::new(Ran { version, event, answer })),
        // Whole answers were ordered.
        Some(Reply::Stopped | Reply::Stream { .. }) | None => Tried::Interrupted(TOLD),
    }
}

/// Brings a job to its end that was claimed and has not begun.
pub(super) async fn end<E>(shared: Rc<Shared<E>>, ready: Ready, tried: Result<Tried, RunError>) {
    let Ready { hand, desk, held, .. } = ready;
    Box::pin(conclude(&shared, &hand, &desk, &held, tried)).await;
    shared.tell(Told::Finished);
}

/// Records how an attempt ended, and then lets go of its message.
pub(super) async fn conclude<E>(
    shared: &Shared<E>,
    hand: &Hand,
    desk: &Desk,
    held: &Held,
    tried: Result<Tried, RunError>,
) {
    let mut stop = shared.stop.clone();
    match Box::pin(desk.conclude(&mut stop, held, tried)).await {
        Ok(concluded) if concluded.code == Code::Interrupted => {
            shared.interrupted.set(true);
            shared.hands.back(hand, Duration::ZERO);
        }
        Ok(concluded) => {
            if let Some(refusal) = concluded.refusal {
                say(&format!("{}: {}", desk.asked.root.job(&desk.job.id), causes(&refusal)));
            }
            shared.hands.done(hand);
        }
        Err(error) => failed(shared, hand, desk, &error),
    }
}

/// What could not be run or delivered is tried again.
pub(super) fn failed<E>(shared: &Shared<E>, hand: &Hand, desk: &Desk, error: &RunError) {
    let after = pause(hand.letter.count);
    let (job, text) = (desk.asked.root.job(&desk.job.id), causes(error));
    say(&format!("{job}: {text}; again in {} s", after.as_secs()));
    shared.hands.back(hand, after);
}

/// How long a message is put aside that came so often.
pub(super) fn pause(count: u32) -> Duration {
    PAUSE.saturating_mul(1 << count.saturating_sub(1).min(16)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_doubled_up_to_the_longest() {
        let seconds = [1, 2, 4, 40].map(|count| pause(count).as_secs());
        assert_eq!(seconds, [10, 20, 80, 600]);
    }
}
