//! Heartbeats for the workflow that waits for a job, while something is done for it.

use std::future::Future;
use std::pin::pin;

use ledger::Job;

use crate::aws::{self, Carriers};
use crate::destination::{EVERY, heartbeat};
use crate::run::deliver::say;

/// Does something for a job. A workflow that hears no heartbeats any more is said to, and changes nothing: the job
/// has effects of its own, and its outcome is kept.
pub(in crate::run) async fn beating<T>(
    job: &Job,
    region: Option<String>,
    work: impl Future<Output = T>,
) -> T {
    let Some(token) = &job.task_token else { return work.await };
    let mut work = pin!(work);
    let beats = async {
        let carriers = Carriers::new(&aws::config(region).await);
        heartbeat(|| carriers.beat(token), EVERY).await
    };
    tokio::select! {
        done = work.as_mut() => return done,
        fault = beats => {
            say(&format!("the workflow that waits for the job hears no heartbeats any more: {fault}"));
        }
    }
    work.await
}
