//! The environments of one function: an order goes to the one that was busy last, which is warm; one
//! more is made ready while there are fewer than allowed and all are busy.

use std::collections::{HashSet, VecDeque};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::{Common, Offers, Plan, run};
use crate::api::Message;
use crate::order::{Order, Reply};
use crate::process;

/// What a new environment needs of its own.
#[derive(Debug)]
pub struct Made {
    /// What it is made of.
    pub plan: Plan,
    /// The calls of its runtime and extensions.
    pub calls: mpsc::UnboundedReceiver<Message>,
}

/// All environments.
#[derive(Debug)]
struct Pool {
    common: Common,
    most: usize,
    /// Those with room, the last to have been busy at the end.
    idle: Vec<usize>,
    waiting: VecDeque<Order>,
    environments: Vec<mpsc::UnboundedSender<Order>>,
    /// Those that are being made ready for the first time.
    booting: HashSet<usize>,
    offers: mpsc::UnboundedSender<usize>,
    running: JoinSet<()>,
    /// Environments whose processes are gone say so here.
    down: mpsc::UnboundedSender<()>,
    gone: mpsc::UnboundedReceiver<()>,
    /// Nobody prints any more.
    silent: watch::Sender<bool>,
}

/// Runs orders in at most `most` environments until it is told to stop, or until nobody can order any
/// more; then stops them all and waits for their ends.
pub async fn serve<F>(
    common: Common,
    most: usize,
    mut orders: mpsc::Receiver<Order>,
    mut make: F,
) -> std::io::Result<()>
where
    F: AsyncFnMut() -> std::io::Result<Made>,
{
    let (offers, mut offered) = mpsc::unbounded_channel();
    let mut stop = common.stop.clone();
    let mut pool = Pool::new(common, most, offers);
    pool.add(make().await?);
    loop {
        tokio::select! {
            biased;
            () = super::stopped(&mut stop) => break,
            Some(index) = offered.recv() => pool.offered(index),
            order = orders.recv() => match order {
                Some(order) => pool.waiting.push_back(order),
                None => break,
            },
        }
        pool.assign();
        if pool.wants_more() {
            pool.add(make().await?);
        }
    }
    for order in pool.waiting.drain(..) {
        let _ = order.reply.send(Reply::Stopped);
    }
    pool.end().await;
    Ok(())
}

impl Pool {
    fn new(common: Common, most: usize, offers: mpsc::UnboundedSender<usize>) -> Self {
        let (down, gone) = mpsc::unbounded_channel();
        Self {
            down,
            gone,
            silent: watch::Sender::new(false),
            common,
            most,
            idle: Vec::new(),
            waiting: VecDeque::new(),
            environments: Vec::new(),
            booting: HashSet::new(),
            offers,
            running: JoinSet::new(),
        }
    }

    fn add(&mut self, made: Made) {
        let (sender, orders) = mpsc::unbounded_channel();
        let offers = Offers {
            index: self.environments.len(),
            sender: self.offers.clone(),
            down: self.down.clone(),
            silent: self.silent.subscribe(),
        };
        self.booting.insert(offers.index);
        self.environments.push(sender);
        self.running.spawn(run(made.plan, self.common.clone(), made.calls, orders, offers));
    }

    /// Waits until all environments are down, asks what they have left behind to end, and lets them go: until then
    /// somebody hears what is printed.
    async fn end(mut self) {
        for _ in &self.environments {
            let _ = self.gone.recv().await;
        }
        process::ask_all(self.common.leftovers).await;
        self.silent.send_replace(true);
        while self.running.join_next().await.is_some() {}
    }

    fn offered(&mut self, index: usize) {
        self.booting.remove(&index);
        self.idle.push(index);
    }

    fn assign(&mut self) {
        while !self.waiting.is_empty()
            && let Some(index) = self.idle.pop()
            && let Some(order) = self.waiting.pop_front()
        {
            // An environment that is gone was told to stop, and so is everybody.
            if let Err(unsent) = self.environments[index].send(order) {
                let _ = unsent.0.reply.send(Reply::Stopped);
            }
        }
    }

    /// Are there more orders than environments that are being made ready could take?
    fn wants_more(&self) -> bool {
        self.waiting.len() > self.booting.len() && self.environments.len() < self.most
    }
}
