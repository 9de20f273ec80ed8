//! Keeps a workflow waiting for as long as its job runs (Step Functions API reference, `SendTaskHeartbeat`):
//! a state with `HeartbeatSeconds` fails when it hears nothing for so long.

use std::future::Future;
use std::time::Duration;

use super::verdict::{Fault, Meaning};

/// Between two heartbeats.
pub const EVERY: Duration = Duration::from_secs(30);

/// Sends heartbeats until one is refused for good, and says why: the workflow does not wait any more, or we
/// may not tell it. Drop it when the job has ended.
pub async fn heartbeat<F>(beat: impl Fn() -> F, every: Duration) -> Fault
where
    F: Future<Output = Result<(), Fault>>,
{
    loop {
        let beaten = tokio::time::timeout(every, beat()).await;
        let passing = match beaten {
            Ok(Ok(())) => false,
            Ok(Err(fault)) if fault.meaning != Meaning::Passing => return fault,
            Ok(Err(_)) | Err(_) => true,
        };
        // One that failed is not to be missed.
        tokio::time::sleep(if passing { every / 6 } else { every }).await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn it_beats_until_nobody_listens() {
        let beats = Cell::new(0);
        let beat = || {
            beats.set(beats.get() + 1);
            std::future::ready(match beats.get() {
                1 | 3 => Ok(()),
                2 => Err(Fault::refused("SendTaskHeartbeat", 503, "x", "")),
                _ => Err(Fault::refused("SendTaskHeartbeat", 400, "TaskTimedOut", "too late")),
            })
        };
        let fault = heartbeat(beat, Duration::from_millis(6)).await;
        assert_eq!((beats.get(), fault.meaning), (4, Meaning::Gone));
        assert!(fault.said.contains("too late"));
    }

    #[tokio::test]
    async fn a_beat_without_an_answer_is_not_the_last() {
        let beats = Cell::new(0);
        let beat = || {
            beats.set(beats.get() + 1);
            let last = beats.get() == 2;
            async move {
                if !last {
                    std::future::pending::<()>().await;
                }
                Err(Fault::lasting("no"))
            }
        };
        assert_eq!(heartbeat(beat, Duration::from_millis(6)).await.said, "no");
    }
}
