//! Points between two steps at which the program kills itself, or panics, by name: nothing may be lost there. Only in builds with
//! the feature `failpoints`; in all others a call is nothing.

/// Dies here, as by `kill -9`, if `IMMORTAL_FAILPOINT` names this point; panics, if it says `POINT:panic`.
#[cfg(feature = "failpoints")]
pub(crate) fn failpoint(name: &str) {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    #[expect(clippy::disallowed_methods, reason = "never in a shipped build")]
    let wanted = std::env::var("IMMORTAL_FAILPOINT").unwrap_or_default();
    assert!(wanted != format!("{name}:panic"), "the failpoint {name}");
    if wanted == name {
        let _dead = kill(Pid::this(), Signal::SIGKILL);
    }
}

/// Nothing.
#[cfg(not(feature = "failpoints"))]
pub(crate) fn failpoint(_: &str) {}
