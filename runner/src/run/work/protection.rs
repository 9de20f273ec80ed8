//! ECS is asked not to end this task while it is busy (scale-in, deployments), and told when it no longer is. Where there
//! is no agent to ask, nothing happens; one that refuses is said once: a task that is ended hands its jobs back.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::aws::agent;
use crate::run::deliver::say;

/// For so long the agent is asked; it is asked again when half of that is over.
const MINUTES: u32 = 10;
/// A worker that has been idle for so long may be ended: not each pause between two jobs is told.
const QUIET: Duration = Duration::from_secs(2);
/// So long the last word may take.
const LAST: Duration = Duration::from_secs(2);

/// Says whether this task is busy.
pub(super) struct Protection {
    busy: watch::Sender<bool>,
    asking: Option<JoinHandle<()>>,
}

impl Protection {
    /// With the agent at this address (`ECS_AGENT_URI`), where there is one.
    pub(super) fn new(agent: Option<String>) -> Self {
        let (busy, told) = watch::channel(false);
        let asking = agent.map(|address| tokio::task::spawn_local(ask(address, told)));
        Self { busy, asking }
    }

    /// Whether there is anything to protect.
    pub(super) fn busy(&self, busy: bool) {
        self.busy.send_if_modified(|known| std::mem::replace(known, busy) != busy);
    }

    /// Lifts it.
    pub(super) async fn end(self) {
        drop(self.busy);
        if let Some(asking) = self.asking {
            let _best_effort = timeout(LAST, asking).await;
        }
    }
}

async fn ask(address: String, mut busy: watch::Receiver<bool>) {
    let mut said = false;
    let mut put = async |minutes| match agent::protect(&address, minutes).await {
        Err(why) if !said => {
            said = true;
            say(&format!("ECS does not protect this task while it is busy: {why}"));
        }
        _ => {}
    };
    while busy.wait_for(|busy| *busy).await.is_ok() {
        put(Some(MINUTES)).await;
        while is_busy(&mut busy).await {
            put(Some(MINUTES)).await;
        }
        put(None).await;
    }
}

/// Waits until protection has to be asked for again: true; or until the task is idle.
async fn is_busy(busy: &mut watch::Receiver<bool>) -> bool {
    let again = Duration::from_mins(u64::from(MINUTES)) / 2;
    let idle = async {
        while busy.wait_for(|busy| !*busy).await.is_ok() {
            tokio::select! {
                () = sleep(QUIET) => return,
                woken = busy.wait_for(|busy| *busy) => if woken.is_err() { return },
            }
        }
    };
    timeout(again, idle).await.is_err()
}
