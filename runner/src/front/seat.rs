//! How many callers may wait, and what happens to an invocation whose caller does not: it goes on, as on Lambda, and
//! keeps its seat until it is over.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::refusal::Refusal;
use crate::order::{Chunk, Reply};

/// Request ids that callers chose and that are taken.
type Chosen = Arc<Mutex<HashSet<String>>>;

/// Room for as many invocations as may run or wait.
#[derive(Debug)]
pub(super) struct Seats {
    room: Arc<Semaphore>,
    chosen: Chosen,
}

/// One invocation's place. Given back when it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    _place: OwnedSemaphorePermit,
    chosen: Option<(Chosen, String)>,
}

impl Seats {
    pub(super) fn new(count: usize) -> Self {
        let count = count.min(Semaphore::MAX_PERMITS);
        Self { room: Arc::new(Semaphore::new(count)), chosen: Chosen::default() }
    }

    /// Takes a seat, under a request id if the caller chose one.
    pub(super) fn take(&self, chosen: Option<String>) -> Result<Seat, Refusal> {
        let place = Arc::clone(&self.room).try_acquire_owned().map_err(|_| Refusal::Busy)?;
        let chosen = chosen.map(|id| self.claim(id)).transpose()?;
        Ok(Seat { _place: place, chosen })
    }

    fn claim(&self, id: String) -> Result<(Chosen, String), Refusal> {
        let mut taken = self.chosen.lock().unwrap_or_else(PoisonError::into_inner);
        let claimed = taken.insert(id.clone());
        if claimed { Ok((Arc::clone(&self.chosen), id)) } else { Err(Refusal::Duplicate) }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some((chosen, id)) = &self.chosen {
            chosen.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        }
    }
}

/// An order that was placed.
#[derive(Debug)]
pub(super) struct Placed(Option<(oneshot::Receiver<Reply>, Seat)>);

impl Placed {
    pub(super) fn new(reply: oneshot::Receiver<Reply>, seat: Seat) -> Self {
        Self(Some((reply, seat)))
    }

    /// What became of it; none where it was dropped.
    pub(super) async fn answered(mut self) -> Option<(Reply, Seat)> {
        let reply = match &mut self.0 {
            Some((reply, _)) => reply.await.ok(),
            None => None,
        };
        let (_, seat) = self.0.take()?;
        Some((reply?, seat))
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        if let (Some((reply, seat)), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(async move {
                if let Ok(Reply::Stream { chunks, .. }) = reply.await {
                    drop(Relay::new(chunks, seat));
                }
            });
        }
    }
}

/// An answer that is passed on as it comes.
#[derive(Debug)]
pub(super) struct Relay(Option<(mpsc::Receiver<Chunk>, Seat)>);

impl Relay {
    pub(super) fn new(chunks: mpsc::Receiver<Chunk>, seat: Seat) -> Self {
        Self(Some((chunks, seat)))
    }

    /// The next piece; none where there will be no more.
    pub(super) async fn next(&mut self) -> Option<Chunk> {
        let (chunks, _) = self.0.as_mut()?;
        let chunk = chunks.recv().await;
        if !matches!(chunk, Some(Chunk::Data(_))) {
            self.0 = None;
        }
        chunk
    }
}

/// The function is not to be held up by a caller who has gone.
impl Drop for Relay {
    fn drop(&mut self) {
        if let (Some((mut chunks, seat)), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(async move {
                while let Some(Chunk::Data(_)) = chunks.recv().await {}
                drop(seat);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_so_many_seats_and_no_more() {
        let seats = Seats::new(2);
        let (first, _second) = (seats.take(None).unwrap(), seats.take(None).unwrap());
        assert_eq!(seats.take(None).unwrap_err(), Refusal::Busy);
        drop(first);
        assert!(seats.take(None).is_ok());
    }

    #[test]
    fn a_chosen_request_id_is_one_invocations_at_a_time() {
        let seats = Seats::new(9);
        let seat = seats.take(Some("a".into())).unwrap();
        assert_eq!(seats.take(Some("a".into())).unwrap_err(), Refusal::Duplicate);
        assert!(seats.take(Some("b".into())).is_ok());
        drop(seat);
        assert!(seats.take(Some("a".into())).is_ok());
    }

    #[tokio::test]
    async fn an_invocation_without_a_caller_keeps_its_seat_until_it_is_over() {
        let seats = Seats::new(1);
        let (reply, answer) = oneshot::channel();
        drop(Placed::new(answer, seats.take(None).unwrap()));
        assert_eq!(seats.take(None).unwrap_err(), Refusal::Busy);
        let (chunks, receiver) = mpsc::channel(1);
        reply.send(Reply::Stream { content_type: String::new(), chunks: receiver }).unwrap();
        for _ in 0..3 {
            chunks.send(Chunk::Data("x".into())).await.unwrap();
        }
        assert_eq!(seats.take(None).unwrap_err(), Refusal::Busy);
        chunks.send(Chunk::End { error: None, tail: None }).await.unwrap();
        chunks.closed().await;
        let freed = seats.room.acquire().await;
        assert!(freed.is_ok());
    }
}
