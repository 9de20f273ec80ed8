//! Reads queues until told to stop: each message is dispatched and deleted, or left for later; unfinished jobs are
//! looked after on a timer and when ECS says that a task has stopped.

use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use ledger::mutant;
use runner::causes::causes;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, timeout};
use tracing::warn;

use crate::config::QueueSettings;
use crate::dispatch::{Desk, Fate, Later};
use crate::metrics::Metrics;
use crate::queue::{Delivery, Queue, WAIT};
use crate::reconcile;
use crate::resolve::directory::Directory;
use crate::together::MOST;
use crate::told;

/// The pause after a queue that does not answer; doubled up to the longest.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// So long is waited for more hands, or more messages, before those that there are get on with it: SQS counts requests.
const MOMENT: Duration = Duration::from_millis(500);
/// So long the answer that is under way at a stop is waited for: its messages would stay hidden from others.
const ON_ITS_WAY: Duration = WAIT.saturating_add(Duration::from_secs(2));

/// What all of it shares.
#[derive(Debug)]
pub struct Shared<D> {
    /// Who dispatches.
    pub desk: Desk<D>,
    /// What is counted.
    pub metrics: Metrics,
}

/// Serves until `stop` says so; what has begun is brought to its end, or given back.
pub async fn serve<D: Directory + 'static>(
    shared: Rc<Shared<D>>,
    queues: Vec<(Queue, QueueSettings)>,
    stop: watch::Receiver<bool>,
) {
    let slots = Arc::new(Semaphore::new(shared.desk.config.serve.in_flight));
    let mut readers = JoinSet::new();
    for (queue, settings) in queues {
        let reader = Reader {
            shared: Rc::clone(&shared),
            slots: Arc::clone(&slots),
            queue: Rc::new(queue),
            settings: Rc::new(settings),
            stop: stop.clone(),
        };
        readers.spawn_local(reader.read());
    }
    readers.spawn_local(look_after(shared, stop));
    while readers.join_next().await.is_some() {}
}

/// Looks after unfinished jobs on a timer.
async fn look_after<D: Directory + 'static>(
    shared: Rc<Shared<D>>,
    mut stop: watch::Receiver<bool>,
) {
    if mutant("never-look-after") {
        return;
    }
    let mut timer = tokio::time::interval(shared.desk.config.serve.every);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            _ = timer.tick() => {}
        }
        // A task of its own: a panic ends one look, and not all that would follow.
        let looking = Rc::clone(&shared);
        let mut looks = JoinSet::new();
        looks.spawn_local(async move { looked(&looking).await });
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            ended = looks.join_next() => if let Some(Err(error)) = ended {
                warn!("unfinished jobs were not all looked at: {error}");
            }
        }
    }
}

async fn looked<D: Directory>(shared: &Shared<D>) {
    match Box::pin(reconcile::sweep(&shared.desk)).await {
        Ok(report) => {
            shared.metrics.swept(&report);
            told::look(&shared.desk, &report).await;
        }
        Err(error) => warn!("unfinished jobs were not looked at: {}", causes(&error)),
    }
}

struct Reader<D> {
    shared: Rc<Shared<D>>,
    slots: Arc<Semaphore>,
    queue: Rc<Queue>,
    settings: Rc<QueueSettings>,
    stop: watch::Receiver<bool>,
}

impl<D: Directory + 'static> Reader<D> {
    async fn read(self) {
        let mut stop = self.stop.clone();
        let mut working = JoinSet::new();
        let mut pause = PAUSE;
        loop {
            while working.try_join_next().is_some() {}
            let free = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => break,
                free = self.free() => free,
            };
            let mut receiving = pin!(self.queue.receive(free));
            let received = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => {
                    if let Ok(Ok(brought)) = timeout(ON_ITS_WAY, receiving.as_mut()).await {
                        self.give_back(&brought).await;
                    }
                    break;
                }
                received = receiving.as_mut() => received,
            };
            match received {
                Ok(deliveries) => {
                    pause = PAUSE;
                    let few = self.settings.task_states && (1..MOST).contains(&deliveries.len());
                    for delivery in deliveries {
                        self.begin(&mut working, delivery).await;
                    }
                    if few {
                        // Nobody waits for them: they may come together.
                        tokio::time::sleep(MOMENT).await;
                    }
                }
                Err(error) => {
                    warn!("{}; again in {} s", causes(&error), pause.as_secs());
                    tokio::select! {
                        biased;
                        _ = stop.wait_for(|stop| *stop) => break,
                        () = tokio::time::sleep(pause) => {}
                    }
                    pause = (2 * pause).min(LONGEST_PAUSE);
                }
            }
        }
        while working.join_next().await.is_some() {}
    }

    /// How many messages there are hands for, and room for what they ask for: at least one.
    async fn free(&self) -> usize {
        let most = self.shared.desk.config.serve.in_flight;
        let enough = u32::try_from(MOST.min(most)).unwrap_or(u32::MAX);
        loop {
            drop(self.slots.acquire().await);
            drop(timeout(MOMENT, self.slots.acquire_many(enough)).await);
            let free = self.slots.available_permits().min(self.room());
            if free > 0 {
                return free;
            }
            tokio::time::sleep(MOMENT).await;
        }
    }

    /// How many more jobs can be taken on: what cannot be started waits better in its queue.
    fn room(&self) -> usize {
        let desk = &self.shared.desk;
        if self.settings.task_states {
            return MOST;
        }
        let unfinished = desk.config.serve.unfinished;
        desk.launcher.room().min(unfinished.saturating_sub(desk.watched.len()))
    }

    async fn give_back(&self, deliveries: &[Delivery]) {
        for delivery in deliveries {
            if let Err(error) = self.queue.later(delivery, Duration::ZERO).await {
                warn!("{}", causes(&error));
            }
        }
    }

    async fn begin(&self, working: &mut JoinSet<()>, delivery: Delivery) {
        let Ok(slot) = Arc::clone(&self.slots).acquire_owned().await else { return };
        let work = Work {
            shared: Rc::clone(&self.shared),
            queue: Rc::clone(&self.queue),
            settings: Rc::clone(&self.settings),
            stop: self.stop.clone(),
        };
        working.spawn_local(async move {
            work.on(delivery).await;
            drop(slot);
        });
    }
}

/// One message that is worked at.
struct Work<D> {
    shared: Rc<Shared<D>>,
    queue: Rc<Queue>,
    settings: Rc<QueueSettings>,
    stop: watch::Receiver<bool>,
}

impl<D: Directory> Work<D> {
    async fn on(self, delivery: Delivery) {
        let began = Instant::now();
        crate::failpoint::failpoint("received");
        if mutant("delete-before-recording") {
            let _ = self.queue.done(&delivery).await;
        }
        let ended = self.dispatched(&delivery).await;
        self.shared.metrics.dispatched(&ended, began.elapsed());
        let message = delivery.message.id.as_str();
        told::message(message, &ended);
        let done = match ended {
            Ok(_) => {
                crate::failpoint::failpoint("before-delete");
                let done = self.queue.done(&delivery).await;
                crate::failpoint::failpoint("after-delete");
                done
            }
            Err(Later { after, .. }) => self.queue.later(&delivery, after).await,
        };
        if let Err(error) = done {
            // It comes again by itself, and meets its own job.
            warn!(message_id = message, "{}", causes(&error));
        }
    }

    /// What becomes of it, within the time for which it is hidden. Whatever is cut off is repeated when it comes again.
    async fn dispatched(&self, delivery: &Delivery) -> Result<Fate, Later> {
        let desk = &self.shared.desk;
        let (hidden, drain) = (self.queue.hidden(), desk.config.serve.drain);
        let mut stop = self.stop.clone();
        let stopped = async {
            if stop.wait_for(|stop| *stop).await.is_ok() {
                tokio::time::sleep(drain).await;
            }
        };
        if self.settings.task_states {
            return reconcile::state(desk, delivery.message.body.expose()).await;
        }
        tokio::select! {
            biased;
            ended = Box::pin(desk.take(&delivery.message, &self.settings)) => ended,
            () = tokio::time::sleep(hidden * 2 / 3) => Err(Later {
                why: format!("it was not dispatched within {} s", (hidden * 2 / 3).as_secs()),
                after: Duration::ZERO,
            }),
            () = stopped => Err(Later { why: "told to stop".to_owned(), after: Duration::ZERO }),
        }
    }
}
