//! A runtime that stays: booted for one function, it runs jobs of it one after the other, and is brought down before
//! another function's files take their place.

use std::io;
use std::rc::Rc;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::functions::Known;
use super::shelf::Shelf;
use crate::config::Environment;
use crate::job::Event;
use crate::order::{Order, Reply, Wants, When};
use crate::place::Place;
use crate::run::error::{RunError, machine};
use crate::run::prepare::{self, Boot, Prepared};
use crate::run::supervise::Supervisor;
use crate::run::{Times, plan};
use crate::serve::pool;
use crate::session::Millis;
use crate::signals;

/// A runtime that was booted, or several where jobs run side by side.
pub(super) struct Warm {
    known: Rc<Known>,
    prepared: Rc<Prepared>,
    supervisor: Supervisor,
    orders: mpsc::Sender<Order>,
    serving: JoinHandle<io::Result<()>>,
}

impl Warm {
    /// Puts a function's files in place, from the shelf if they are there, and boots its runtime.
    pub(super) async fn begin<E: Environment + Clone + 'static>(
        known: Rc<Known>,
        files: &mut Shelf,
        most: usize,
        environment: &E,
    ) -> Result<Self, RunError> {
        let (described, run) = (&known.described, &known.run);
        let times = Times::new(&run.limits);
        let kept = described.function.files().and_then(|digests| files.take(&digests));
        let filled = kept.is_some();
        let place = kept.map_or_else(Place::choose, Place::back)?;
        let prepared = prepare::put_in(place, described, filled, run, environment).await?;
        let prepared = Rc::new(prepared);
        let child = signals::child().map_err(RunError::SetUp)?;
        let supervisor =
            Supervisor::begin(times, child).map_err(machine("preparing to run the function"))?;
        let (orders, incoming) = mpsc::channel(1);
        let most = if described.function.concurrency().is_some() { 1 } else { most };
        let (common, ours, environment) =
            (supervisor.common.clone(), Rc::clone(&prepared), environment.clone());
        let serving = tokio::task::spawn_local(async move {
            let made = async || plan::environment(&ours, &environment, times).await;
            pool::serve(common, most, incoming, made).await
        });
        Ok(Self { known, prepared, supervisor, orders, serving })
    }

    /// Whether it runs jobs of this function.
    pub(super) fn serves(&self, known: &Rc<Known>) -> bool {
        Rc::ptr_eq(&self.known, known)
            || self.known.described.function.is(&known.described.function)
    }

    /// Hands it a job; it is there to take it.
    pub(super) async fn order(&self, event: Event, limit: Millis) -> oneshot::Receiver<Reply> {
        let (reply, answer) = oneshot::channel();
        let (wants, when, limit) = (Wants::Whole, When::Finished, Some(limit));
        // Where it is gone, so is the other end of the reply.
        let _ = self.orders.send(Order { event, wants, when, limit, reply }).await;
        answer
    }

    /// Whether it has ended though nobody told it to.
    pub(super) fn is_gone(&self) -> bool {
        self.serving.is_finished()
    }

    /// Tells it to stop: what runs has its grace.
    pub(super) fn stop(&self) {
        self.supervisor.stop.send_replace(true);
    }

    /// Brings it down with all it has started, and puts its files on the shelf. Nothing else of it is left.
    pub(super) async fn end(self, files: &mut Shelf) -> Result<(), RunError> {
        self.stop();
        let Self { prepared, supervisor, serving, orders, .. } = self;
        drop(orders);
        let served = serving.await;
        supervisor.end();
        served
            .map_err(machine("running the function"))?
            .map_err(machine("opening the Runtime API"))?;
        let prepared = Rc::into_inner(prepared);
        let Some(Prepared { place, boot, function, .. }) = prepared else { return Ok(()) };
        match (boot, function.files()) {
            (Boot::Runtime { .. }, Some(digests)) => files.put(digests, place.stow()?),
            (Boot::Runtime { .. }, None) => {
                place.clear()?;
                place.tidy()?;
            }
            (Boot::Image(_) | Boot::Command(_), _) => place.tidy()?,
        }
        Ok(())
    }
}
