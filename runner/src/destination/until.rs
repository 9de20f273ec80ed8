//! Until when something may take: for ever, or to a moment that is said while it is waited for, as SIGTERM does.

use std::time::Instant;

use tokio::sync::watch;
use tokio::time::sleep_until;

/// Until when something may take.
#[derive(Debug, Clone)]
pub struct Until(watch::Receiver<Option<Instant>>);

impl Until {
    /// For ever, or to the moment that `Sender::send` says. A sender that is dropped says nothing more.
    pub fn told() -> (watch::Sender<Option<Instant>>, Self) {
        let (sender, receiver) = watch::channel(None);
        (sender, Self(receiver))
    }

    /// To this moment.
    pub fn moment(moment: Instant) -> Self {
        Self(watch::channel(Some(moment)).1)
    }

    /// Waits for it. At once if it has passed.
    pub async fn passed(&self) {
        let mut moments = self.0.clone();
        loop {
            let moment = *moments.borrow_and_update();
            let passed = async {
                match moment {
                    Some(moment) => sleep_until(moment.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = passed => return,
                Ok(()) = moments.changed() => {}
                else => std::future::pending().await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn it_may_be_brought_forward() {
        let (sender, until) = Until::told();
        sender.send(Some(Instant::now() + Duration::from_hours(1))).unwrap();
        let waiting = tokio::spawn(async move { until.passed().await });
        sender.send(Some(Instant::now())).unwrap();
        waiting.await.unwrap();
        Until::moment(Instant::now()).passed().await;
    }

    #[tokio::test]
    async fn what_nobody_says_never_comes() {
        let (sender, until) = Until::told();
        drop(sender);
        let short = Duration::from_millis(20);
        assert!(tokio::time::timeout(short, until.passed()).await.is_err());
        let until = Until::moment(Instant::now() + short / 2);
        until.passed().await;
    }
}
