//! Workers, as the real ones take pointers from their queue: one after the other, each kept hidden while its job runs,
//! in containers that stay. A service starts and ends them by the backlog.

use std::sync::Arc;
use std::time::Duration;

use ledger::Pointer;
use tokio::time::{Instant, sleep, timeout};

use crate::account::fargate::Size;
use crate::account::limits::{BACKLOG, HOSTS_LOST, LATENCY, SERVICE, START, WORKERS};
use crate::account::queue::{Body, Message};
use crate::account::{Account, clock};
use crate::runner::{self, Beats, End, Fate};

/// A message stays hidden for so long without being heard of, and is heard of three times in it (`immortal-runner work
/// --visibility`).
pub(crate) const VISIBILITY: Duration = Duration::from_mins(2);
/// See above.
const BEAT: Duration = Duration::from_secs(40);
/// A worker that has nothing to do for so long ends (`--idle`).
const IDLE: Duration = Duration::from_mins(5);
/// What is known of a function counts for so long.
const FRESH: Duration = Duration::from_secs(10);
/// The longest wait for messages.
const WAIT: Duration = Duration::from_secs(5);
/// A vCPU, as the functions want it.
const SIZE: Size = Size { vcpus: 1.0, gb: 2.0, spot: false };

/// Starts workers while there are messages, as fast as a service does, up to its limit; for ever.
pub async fn service(account: Arc<Account>) {
    loop {
        sleep(Duration::from_secs_f64(1.0 / SERVICE)).await;
        let (waiting, _) = account.pointers.len();
        if account.fargate.at_work() >= waiting.div_ceil(BACKLOG).min(WORKERS) {
            continue;
        }
        if let Some(number) = account.fargate.start(SIZE) {
            tokio::spawn(worker(Arc::clone(&account), number));
        }
    }
}

async fn worker(account: Arc<Account>, number: u64) {
    let began = clock::now();
    sleep(account.dice.between(START, 1.0, ("start", number))).await;
    let lost = Instant::now() + account.dice.when(HOSTS_LOST, ("host", number));
    let mut known: Option<Instant> = None;
    while let Some((receipt, message)) = next(&account).await {
        let Body::Text(text) = &message.body else { continue };
        let Ok(pointer) = Pointer::read(text.as_bytes()) else { continue };
        if known.is_none_or(|asked| asked.elapsed() >= FRESH) {
            known = Some(Instant::now());
            account.asked_by_runner("GetFunction", pointer.job.as_str());
            sleep(LATENCY).await;
        }
        let fate = Fate { reclaimed: None, lost: lost.saturating_duration_since(Instant::now()) };
        let hide = || {
            account.asked_by_runner("ChangeMessageVisibilityBatch", pointer.job.as_str());
            account.pointers.later(receipt, clock::now() + millis(VISIBILITY));
        };
        let beats = Beats { every: BEAT, alive: VISIBILITY, hide: &hide };
        let ran =
            runner::attempt(&account, &pointer.job, pointer.attempt, fate, Some(&beats)).await;
        if matches!(ran, Ok(End::Lost)) {
            break;
        }
        account.asked_by_runner("DeleteMessageBatch", pointer.job.as_str());
        account.pointers.delete(receipt);
    }
    account.fargate.stop(SIZE, Duration::from_millis(clock::now() - began));
}

/// The next message; none where there was none for too long.
async fn next(account: &Account) -> Option<(u64, Message)> {
    let since = Instant::now();
    while since.elapsed() < IDLE {
        account.asked_by_runner("ReceiveMessage", "pointers");
        sleep(LATENCY).await;
        let until = Instant::now() + WAIT;
        loop {
            let now = clock::now();
            let found = account.pointers.receive(1, now, now + millis(VISIBILITY)).pop();
            let left = until.saturating_duration_since(Instant::now());
            if found.is_some() || left.is_zero() {
                match found {
                    Some(found) => return Some(found),
                    None => break,
                }
            }
            let arrived = account.pointers.arrived.notified();
            let _in_time = timeout(left.min(Duration::from_secs(1)), arrived).await;
        }
    }
    None
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
