//! From files in place to orders that are run: boot, serve, bring down. After the runtime has been
//! started nothing leaves by `?`: every end is a reply.

use std::io;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::error::{RunError, machine};
use super::plan;
use super::prepare::Prepared;
use super::{LAST_SECONDS, Times};
use crate::config::Environment;
use crate::job::Event;
use crate::order::{Order, Reply, Wants, When};
use crate::output::Journal;
use crate::process::{self, Exits};
use crate::serve::{Common, pool};
use crate::signals::Stop;

/// What is running, and how to stop it.
pub(super) struct Supervisor {
    pub(super) common: Common,
    pub(super) stop: Arc<watch::Sender<bool>>,
    /// Reaps for as long as this value lives: another supervisor has its own.
    _reaper: JoinSet<()>,
}

impl Supervisor {
    /// Opens the log and begins to reap.
    pub(super) fn begin(times: Times, child: tokio::signal::unix::Signal) -> io::Result<Self> {
        let (stop, stopped) = watch::channel(false);
        let exits = Exits::new();
        let mut reaper = JoinSet::new();
        reaper.spawn(reap(child, exits.clone()));
        let journal = Journal::stderr()?;
        let leftovers = times.leftovers;
        let common = Common { clock: times.clock, journal, exits, stop: stopped, leftovers };
        Ok(Self { common, stop: Arc::new(stop), _reaper: reaper })
    }

    /// Ends whatever is left, and the log.
    pub(super) fn end(self) {
        process::end_all(LAST_SECONDS);
        self.common.journal.finish(LAST_SECONDS);
    }
}

async fn reap(mut child: tokio::signal::unix::Signal, exits: Exits) {
    while child.recv().await.is_some() {
        exits.reap();
    }
}

/// Waits to be told to stop, and tells everybody.
pub(super) async fn watch_stop(stop: &mut Stop, told: Arc<watch::Sender<bool>>) {
    stop.asked().await;
    told.send_replace(true);
    std::future::pending::<()>().await;
}

/// Runs one event to its end. No reply: it was interrupted before it began.
pub(super) async fn once(
    prepared: &Prepared,
    event: Event,
    environment: &impl Environment,
    stop: &mut Stop,
    child: tokio::signal::unix::Signal,
    times: Times,
) -> Result<Option<Reply>, RunError> {
    let supervisor =
        Supervisor::begin(times, child).map_err(machine("preparing to run the function"))?;
    let (orders, incoming) = mpsc::channel(1);
    let (reply, answer) = oneshot::channel();
    let order = Order { event, wants: Wants::Whole, when: When::Finished, limit: None, reply };
    let _ = orders.send(order).await;
    let made = async || plan::environment(prepared, environment, times).await;
    let serving = pool::serve(supervisor.common.clone(), 1, incoming, made);
    let told = Arc::clone(&supervisor.stop);
    let waiting = async {
        let reply = answer.await.ok();
        told.send_replace(true);
        reply
    };
    let (served, reply) = tokio::select! {
        both = async { tokio::join!(serving, waiting) } => both,
        () = watch_stop(stop, Arc::clone(&supervisor.stop)) => (Ok(()), None),
    };
    drop(orders);
    supervisor.end();
    served.map_err(machine("opening the Runtime API"))?;
    Ok(reply)
}
