//! Requests that are made together: what several tasks ask for within a moment becomes one request of up to ten, since
//! AWS counts requests and not what is in them. Owns the waiting; what is asked, and how, is its maker's.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;

/// The most entries of a batch (SQS API reference, `DeleteMessageBatch`, `SendMessageBatch`).
pub const MOST: usize = 10;
/// So long the first waits for others.
const MOMENT: Duration = Duration::from_millis(100);

/// An answer for each entry, in order.
pub type Answers<A> = LocalBoxFuture<'static, Vec<A>>;

/// Who makes requests of many entries.
pub struct Together<T, A> {
    send: Rc<dyn Fn(Vec<T>) -> Answers<A>>,
    waiting: Rc<RefCell<Vec<Entry<T, A>>>>,
    full: Rc<Notify>,
}

type Entry<T, A> = (T, oneshot::Sender<A>);

impl<T, A> Clone for Together<T, A> {
    fn clone(&self) -> Self {
        let Self { send, waiting, full } = self;
        Self { send: Rc::clone(send), waiting: Rc::clone(waiting), full: Rc::clone(full) }
    }
}

impl<T, A> fmt::Debug for Together<T, A> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Together({} waiting)", self.waiting.borrow().len())
    }
}

impl<T: 'static, A: 'static> Together<T, A> {
    /// With this request, which takes at most [`MOST`] entries.
    pub fn new(send: impl Fn(Vec<T>) -> Answers<A> + 'static) -> Self {
        Self { send: Rc::new(send), waiting: Rc::default(), full: Rc::default() }
    }

    /// Asks for one thing, and waits for its answer; none where the program ends meanwhile.
    pub async fn ask(&self, what: T) -> Option<A> {
        let (tell, told) = oneshot::channel();
        self.waiting.borrow_mut().push((what, tell));
        match self.waiting.borrow().len() {
            1 => drop(tokio::task::spawn_local(self.clone().gather())),
            MOST => self.full.notify_one(),
            _ => {}
        }
        told.await.ok()
    }

    async fn gather(self) {
        let _in_time = timeout(MOMENT, self.full.notified()).await;
        let mut rest = self.waiting.take().into_iter();
        loop {
            let (some, tell): (Vec<T>, Vec<_>) = rest.by_ref().take(MOST).unzip();
            if some.is_empty() {
                return;
            }
            let answers = (self.send)(some).await;
            for (tell, answer) in tell.into_iter().zip(answers) {
                // Whoever asked may be gone.
                let _nobody_waits = tell.send(answer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use futures_util::future::join_all;
    use tokio::task::LocalSet;

    use super::*;

    #[tokio::test]
    async fn what_is_asked_together_is_one_request_and_each_has_its_answer() {
        let sizes = Rc::new(RefCell::new(Vec::new()));
        let told = Rc::clone(&sizes);
        let doubled = move |some: Vec<u32>| {
            told.borrow_mut().push(some.len());
            async move { some.into_iter().map(|number| 2 * number).collect() }.boxed_local()
        };
        let together = Together::new(doubled);
        let answers = LocalSet::new()
            .run_until(async { join_all((0..25).map(|number| together.ask(number))).await })
            .await;
        assert_eq!(answers, (0..25).map(|number| Some(2 * number)).collect::<Vec<_>>());
        assert_eq!(*sizes.borrow(), [10, 10, 5]);
    }
}
