//! Until when something may be tried: a moment that may be brought forward while it is waited for, as
//! SIGTERM does.

use std::time::Instant;

use tokio::sync::watch;
use tokio::time::sleep_until;

/// Until when something may be tried.
#[derive(Debug, Clone)]
pub struct Until(watch::Receiver<Instant>);

impl Until {
    /// A moment that `Sender::send` moves. A sender that is dropped leaves it where it is.
    pub fn movable(moment: Instant) -> (watch::Sender<Instant>, Self) {
        let (sender, receiver) = watch::channel(moment);
        (sender, Self(receiver))
    }

    /// A moment that stays.
    pub fn fixed(moment: Instant) -> Self {
        Self::movable(moment).1
    }

    /// Waits for it. At once if it has passed.
    pub async fn passed(&self) {
        let mut moments = self.0.clone();
        loop {
            let moment = *moments.borrow_and_update();
            tokio::select! {
                () = sleep_until(moment.into()) => return,
                Ok(()) = moments.changed() => {}
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
        let hour = Duration::from_hours(1);
        let (sender, until) = Until::movable(Instant::now() + hour);
        let waiting = tokio::spawn(async move { until.passed().await });
        sender.send(Instant::now()).unwrap();
        waiting.await.unwrap();
        Until::fixed(Instant::now()).passed().await;
    }
}
