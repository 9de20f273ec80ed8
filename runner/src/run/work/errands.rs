//! What a queue is told of the messages in hand: as much at once as has gathered, ten in a call, several calls beside each
//! other. A call that hangs is given up, so that it keeps no other message from being heard of.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::sync::mpsc;

use crate::aws::AwsError;
use crate::aws::inbox::{BATCH, Inbox, Receipt};
use crate::causes::causes;
use crate::run::deliver::say;

/// So many calls are under way at once.
const AT_ONCE: usize = 16;

/// What the queue is to be told.
pub(super) enum Errand {
    /// Of the message with this number in hand.
    Of(u64, Receipt, Wish),
    /// Nothing more.
    End,
}

/// What is to become of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// It does not come again.
    Delete,
    /// It comes again after this time.
    Hide(Duration),
}

/// The queue, and time.
pub(super) trait Outside {
    fn now(&self) -> Instant;
    async fn sleep(&self, time: Duration);
    async fn delete(&self, receipts: &[Receipt]) -> Result<Vec<String>, AwsError>;
    async fn hide(&self, receipts: &[(Receipt, Duration)]) -> Result<Vec<String>, AwsError>;
}

impl Outside for Inbox {
    fn now(&self) -> Instant {
        Instant::now()
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    async fn delete(&self, receipts: &[Receipt]) -> Result<Vec<String>, AwsError> {
        self.delete(receipts).await
    }

    async fn hide(&self, receipts: &[(Receipt, Duration)]) -> Result<Vec<String>, AwsError> {
        self.hide(receipts).await
    }
}

/// Tells the queue, until there is nothing more. Of one message it is told one thing at a time, in order. `patience` is how
/// long a call may take.
pub(super) async fn run(
    outside: &impl Outside,
    mut told: mpsc::UnboundedReceiver<Errand>,
    patience: Duration,
) {
    let mut errands = Vec::new();
    while told.recv_many(&mut errands, usize::MAX).await > 0 {
        let (calls, last) = calls(errands.drain(..));
        let tell = |call| tell(outside, call, patience);
        stream::iter(calls).for_each_concurrent(AT_ONCE, tell).await;
        if last {
            return;
        }
    }
}

/// One call.
#[derive(Debug)]
enum Call {
    Delete(Vec<Receipt>),
    Hide(Vec<(Receipt, Duration)>),
}

/// The calls that do these errands, and whether there will be others. Of what is said of one message the last counts.
fn calls(errands: impl Iterator<Item = Errand>) -> (Vec<Call>, bool) {
    let (mut wishes, mut last) = (BTreeMap::new(), false);
    for errand in errands {
        match errand {
            Errand::Of(number, receipt, wish) => drop(wishes.insert(number, (receipt, wish))),
            Errand::End => last = true,
        }
    }
    let (mut deleted, mut hidden) = (Vec::new(), Vec::new());
    for (receipt, wish) in wishes.into_values() {
        match wish {
            Wish::Delete => deleted.push(receipt),
            Wish::Hide(time) => hidden.push((receipt, time)),
        }
    }
    let deleting = deleted.chunks(BATCH).map(|some| Call::Delete(some.to_vec()));
    let hiding = hidden.chunks(BATCH).map(|some| Call::Hide(some.to_vec()));
    (deleting.chain(hiding).collect(), last)
}

async fn tell(outside: &impl Outside, call: Call, patience: Duration) {
    let asking = async {
        match &call {
            Call::Delete(receipts) => outside.delete(receipts).await,
            Call::Hide(receipts) => outside.hide(receipts).await,
        }
    };
    let answer = tokio::select! {
        biased;
        answer = asking => answer,
        () = outside.sleep(patience) => {
            return say(&format!("the queue has not answered within {patience:?}"));
        }
    };
    // What is not deleted comes again, and meets its own job; what is not hidden is said again in time.
    match answer {
        Ok(failed) => failed.iter().for_each(|why| say(&format!("the queue: {why}"))),
        Err(error) => say(&causes(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(number: u64, wish: Wish) -> Errand {
        Errand::Of(number, Receipt::new(number.to_string()), wish)
    }

    #[test]
    fn of_one_message_the_last_word_counts_and_ten_go_into_a_call() {
        let heard = Wish::Hide(Duration::from_mins(2));
        let all = (0..25).map(|number| of(number, heard));
        let (found, last) =
            calls(all.chain([of(7, Wish::Hide(Duration::ZERO)), of(8, Wish::Delete)]));
        assert!(!last);
        let told = found.iter().map(|call| match call {
            Call::Delete(some) => (some.len(), 0, 0),
            Call::Hide(some) => {
                let back = some.iter().filter(|(_, time)| time.is_zero()).count();
                (0, some.len(), back)
            }
        });
        assert_eq!(told.collect::<Vec<_>>(), [(1, 0, 0), (0, 10, 1), (0, 10, 0), (0, 4, 0)]);
        assert!(calls([Errand::End].into_iter()).1);
    }
}
