//! Who is listened to, of those that connect: so many at once. Whoever has not said one request in full gives its
//! place to who comes later, and the first of them before the others; whoever has keeps it, and may be silent for hours.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::patient::Taking;

/// The places, and who may have to leave one.
#[derive(Debug)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    newcomers: VecDeque<(Taking, oneshot::Sender<()>)>,
}

/// One place, for as long as this value lives.
#[derive(Debug)]
pub(super) struct Place {
    taking: Taking,
    leave: oneshot::Receiver<()>,
    _permit: OwnedSemaphorePermit,
}

impl Places {
    pub(super) fn new(count: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(count)), newcomers: VecDeque::new() }
    }

    /// A place for a connection that has just come: at once, unless all are held by those that have said something.
    pub(super) async fn take(&mut self, taking: Taking) -> Place {
        let free = Arc::clone(&self.free);
        let permit = if let Ok(permit) = Arc::clone(&free).try_acquire_owned() {
            permit
        } else {
            self.ask_one_to_leave();
            free.acquire_owned().await.expect("the places are never closed")
        };
        let (ask, leave) = oneshot::channel();
        self.newcomers.retain(|(taking, ask)| !ask.is_closed() && !taking.has_spoken());
        self.newcomers.push_back((taking.clone(), ask));
        Place { taking, leave, _permit: permit }
    }

    fn ask_one_to_leave(&mut self) {
        while let Some((taking, ask)) = self.newcomers.pop_front() {
            if !taking.has_spoken() && ask.send(()).is_ok() {
                return;
            }
        }
    }
}

impl Place {
    /// Listens to a connection to its end, or until its place is wanted.
    pub(super) async fn hold(mut self, conversation: impl Future<Output = ()>) {
        let leave = &mut self.leave;
        let taking = &self.taking;
        let wanted = async {
            if leave.await.is_err() || taking.has_spoken() {
                pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            () = conversation => {}
            () = wanted => {}
        }
    }
}
