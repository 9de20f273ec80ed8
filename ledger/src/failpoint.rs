//! Points between two steps at which a program dies, fails or hesitates, by name: nothing may be lost there. Only in
//! builds with the feature `failpoints`; in all others nothing of this is compiled in.
//!
//! `IMMORTAL_FAILPOINT` lists what is to happen, `POINT:ACTION` or `POINT` with commas between; each happens once, and is
//! told on standard error before it does. Actions: `kill` (as by `kill -9`; what happens where none is said), `panic`,
//! and between two calls of the store also `error` (before: it was refused; after: its answer was lost) and `delay` (8 s).

use std::future::Future;

use crate::error::LedgerError;

/// Passes a point: dies here, if that was asked for.
#[cfg(not(feature = "failpoints"))]
pub fn passed(_point: &str) {}

/// A call of the store between two points, `before OPERATION KIND` and `after OPERATION KIND`.
#[cfg(not(feature = "failpoints"))]
pub(crate) fn step<T, F: Future<Output = Result<T, LedgerError>>>(
    _operation: &'static str,
    _key: &str,
    call: F,
) -> F {
    call
}

#[cfg(feature = "failpoints")]
pub use failing::passed;
#[cfg(feature = "failpoints")]
pub(crate) use failing::step;

#[cfg(feature = "failpoints")]
mod failing {
    use std::io::Write as _;
    use std::sync::Mutex;
    use std::time::Duration;

    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    use super::{Future, LedgerError};

    /// What is still to happen.
    static LEFT: Mutex<Option<Vec<(String, String)>>> = Mutex::new(None);
    /// Longer than a message may be worked at, where it is hidden for the shortest time.
    const DELAY: Duration = Duration::from_secs(8);

    #[expect(clippy::disallowed_methods, reason = "never in a shipped build")]
    fn asked() -> Vec<(String, String)> {
        let said = std::env::var("IMMORTAL_FAILPOINT").unwrap_or_default();
        let one = |one: &str| {
            let (point, action) = one.split_once(':').unwrap_or((one, "kill"));
            (point.to_owned(), action.to_owned())
        };
        said.split(',').map(one).collect()
    }

    /// What is to happen here, now.
    fn next(point: &str) -> Option<String> {
        let mut left = LEFT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let left = left.get_or_insert_with(asked);
        let at = left.iter().position(|(wanted, _)| wanted == point)?;
        let (point, action) = left.remove(at);
        let _told = writeln!(std::io::stderr(), "the failpoint {point}:{action}");
        Some(action)
    }

    fn died(action: &str) {
        assert!(action != "panic", "as told by a failpoint");
        if action == "kill" {
            let _dead = kill(Pid::this(), Signal::SIGKILL);
        }
    }

    /// Passes a point: dies here, if that was asked for.
    pub fn passed(point: &str) {
        if let Some(action) = next(point) {
            died(&action);
        }
    }

    async fn failed(point: &str, key: &str) -> Result<(), LedgerError> {
        let Some(action) = next(point) else { return Ok(()) };
        died(&action);
        if action == "delay" {
            tokio::time::sleep(DELAY).await;
        }
        let (address, within) = (key.to_owned(), Duration::ZERO);
        let problem = format!("the failpoint {point}");
        match action.as_str() {
            "error" => {
                Err(LedgerError::Unavailable { operation: "pass", address, within, problem })
            }
            _ => Ok(()),
        }
    }

    /// What an object is, by its key: `active`, `job`, `launches`, `attempts`, `outcome`, …
    fn kind(key: &str) -> &str {
        let parts: Vec<&str> = key.split('/').collect();
        match parts[..] {
            ["jobs", _, kind, ..] => kind.trim_end_matches(".json"),
            [kind, ..] => kind,
            [] => key,
        }
    }

    /// A call of the store between two points.
    pub(crate) async fn step<T>(
        operation: &'static str,
        key: &str,
        call: impl Future<Output = Result<T, LedgerError>>,
    ) -> Result<T, LedgerError> {
        let step = format!("{operation} {}", kind(key));
        failed(&format!("before {step}"), key).await?;
        let done = call.await?;
        failed(&format!("after {step}"), key).await?;
        Ok(done)
    }
}
