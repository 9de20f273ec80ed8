//! Outcomes on their way to their destinations: at least once, with the job's name by which repetitions
//! are recognised. Owns what is sent where, what becomes of a record that is too large, which refusals
//! are final and how long the others are tried again. Knows neither SDK nor socket: `aws` sends.
//!
//! `parcel` is what is sent, `request` how (pure); `room` and `workflow` keep to each carrier's limits,
//! `stream` sends what has none; `verdict` judges refusals; `route` says where it goes, `loops` where
//! nothing is sent; `batch` reads partial failures; `heartbeat` keeps a workflow waiting.
//! What users see of it: docs/destinations.md.

pub mod batch;
mod heartbeat;
mod key;
mod loops;
mod parcel;
mod queue;
mod request;
mod room;
mod route;
mod source;
mod stream;
mod until;
mod verdict;
mod workflow;

use std::future::Future;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
pub use heartbeat::{EVERY, heartbeat};
use ledger::{Destination, Time, mutant};
pub use parcel::{Parcel, ParcelError, Sources};
pub use queue::Queue;
pub use request::{ATTRIBUTE, Event, Known, Message, Request, SOURCE, region};
pub use route::{Own, Route};
pub use source::Large;
pub use stream::{line, whole};
pub use until::Until;
pub use verdict::{Fault, Meaning};

/// Who sends. `aws::Carriers` is the real one.
pub trait Carrier {
    /// What must be known of a destination before something is made for it.
    fn know(&self, destination: &Destination) -> impl Future<Output = Result<Known, Fault>>;

    /// Sends it once; the name that the receiver has given it, if it gave one.
    fn send(
        &self,
        request: &Request,
        parcel: &Parcel,
    ) -> impl Future<Output = Result<Option<String>, Fault>>;
}

/// What became of one delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Where to.
    pub destination: Destination,
    /// What became of it.
    pub fate: Fate,
    /// How often it was tried.
    pub tries: u32,
}

/// What became of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It has arrived, this time or before.
    Delivered {
        /// When.
        when: Time,
        /// The receiver's name for it: message id, event id, request id, object.
        id: Option<String>,
    },
    /// The workflow does not wait any more: it was told before, has ended, or has given up. Nothing is left to
    /// be done.
    Gone {
        /// What was said.
        reason: String,
    },
    /// It has not arrived.
    Undeliverable {
        /// What was said, and how long it was tried.
        reason: String,
    },
}

impl Delivery {
    /// Why there is still something to be done.
    pub fn problem(&self) -> Option<String> {
        let Fate::Undeliverable { reason } = &self.fate else { return None };
        Some(format!("{}: {reason}", self.destination))
    }

    /// Who does not wait for it any more, and what was said.
    pub fn gone(&self) -> Option<(&Destination, &str)> {
        let Fate::Gone { reason } = &self.fate else { return None };
        Some((&self.destination, reason))
    }
}

/// How patient deliveries are.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// The longest wait for one answer. Objects and lines, whose length has no limit, may take until the end.
    pub each: Duration,
    /// Pause after the first failure; doubled after each further one.
    pub pause: Duration,
    /// The longest pause.
    pub longest: Duration,
    /// After so long no other try is begun. A large object that is under way goes on.
    pub total: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            each: Duration::from_secs(10),
            pause: Duration::from_millis(200),
            longest: Duration::from_secs(20),
            total: Duration::from_mins(5),
        }
    }
}

impl Patience {
    /// How long to wait after so many failures. `chance` of 0 to 1 spreads those who failed together over
    /// the second half of the pause.
    fn pause_after(&self, failures: u32, chance: f64) -> Duration {
        let doubled = self.pause.saturating_mul(1 << failures.saturating_sub(1).min(16));
        doubled.min(self.longest).mul_f64(f64::midpoint(1.0, chance.clamp(0.0, 1.0)))
    }
}

/// Delivers to all destinations at once, each until it has succeeded, is refused for good, or patience or time
/// are at an end. The results are in the order of the destinations.
pub async fn deliver(
    carrier: &impl Carrier,
    parcel: &Parcel,
    destinations: &[Destination],
    patience: Patience,
    until: &Until,
) -> Vec<Delivery> {
    let each = destinations.iter().map(|destination| {
        let known = None;
        let mut courier =
            Courier { carrier, parcel, destination, patience, until, known, tries: 0 };
        async move {
            let fate = courier.fate().await;
            Delivery { destination: destination.clone(), fate, tries: courier.tries }
        }
    });
    join_all(each).await
}

/// One delivery under way.
struct Courier<'a, C> {
    carrier: &'a C,
    parcel: &'a Parcel,
    destination: &'a Destination,
    patience: Patience,
    until: &'a Until,
    known: Option<Known>,
    tries: u32,
}

impl<C: Carrier> Courier<'_, C> {
    async fn fate(&mut self) -> Fate {
        let (mut largest, until, began) = (None, self.until, Instant::now());
        loop {
            self.tries += 1;
            let fault = tokio::select! {
                biased;
                result = self.once(largest) => match result {
                    Ok(id) => return Fate::Delivered { when: Time::now(), id },
                    Err(fault) => fault,
                },
                () = until.passed() => return self.given_up("there was no answer"),
            };
            if mutant("undelivered-is-done") {
                return Fate::Delivered { when: Time::now(), id: None };
            }
            match fault.meaning {
                Meaning::Gone => return Fate::Gone { reason: fault.said },
                // A carrier whose limit was not raised everywhere yet.
                Meaning::TooLarge if largest.is_none() => largest = Some(room::ALWAYS),
                Meaning::TooLarge | Meaning::Final => {
                    return Fate::Undeliverable { reason: fault.said };
                }
                Meaning::Passing => {
                    let pause = self.pause();
                    if began.elapsed() + pause > self.patience.total {
                        return self.given_up(&fault.said);
                    }
                    tokio::select! {
                        () = until.passed() => return self.given_up(&fault.said),
                        () = tokio::time::sleep(pause) => {}
                    }
                }
            }
        }
    }

    /// One try, from asking what the destination takes to its answer.
    async fn once(&mut self, largest: Option<usize>) -> Result<Option<String>, Fault> {
        let known = match self.known.take() {
            Some(known) => known,
            None => self.within(self.carrier.know(self.destination)).await?,
        };
        let known = Known { largest: largest.or(known.largest), ..known };
        self.known = Some(known.clone());
        let request = request::request(self.parcel, self.destination, &known);
        let request = request.map_err(Fault::lasting)?;
        let sending = self.carrier.send(&request, self.parcel);
        if matches!(request, Request::Object { .. } | Request::Line) {
            return sending.await;
        }
        self.within(sending).await
    }

    async fn within<T>(&self, call: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        let each = self.patience.each;
        let unanswered = || Fault::passing(format!("there was no answer within {each:?}"));
        tokio::time::timeout(each, call).await.unwrap_or_else(|_| Err(unanswered()))
    }

    fn pause(&self) -> Duration {
        // Enough of chance, and no dependency.
        let nanos = uuid::Uuid::new_v4().as_u128() % 1_000;
        #[expect(clippy::cast_precision_loss, reason = "below 1,000")]
        self.patience.pause_after(self.tries, nanos as f64 / 1_000.0)
    }

    fn given_up(&self, said: &str) -> Fate {
        let tries =
            if self.tries == 1 { "1 try".to_owned() } else { format!("{} tries", self.tries) };
        Fate::Undeliverable { reason: format!("{said}; given up after {tries}: the time was up") }
    }
}

#[cfg(test)]
mod tests;
