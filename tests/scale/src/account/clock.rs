//! The simulation's clock, in place of the system's: whoever asks in this program what time it is (Tokio's timers, the
//! dispatcher, the SDK's clients, the ledger) is told a time that passes only as the simulation lets it. The programs
//! know nothing of that, and are built as always.
#![expect(unsafe_code, reason = "a function of the C library is replaced")]

use std::cell::Cell;

use libc::{CLOCK_MONOTONIC, CLOCK_REALTIME, SYS_clock_gettime, c_int, clockid_t, timespec};
use tokio::task::yield_now;

/// When everything begins: 2026-10-01T00:00:00Z, milliseconds since the Unix epoch.
const BEGIN: u64 = 1_790_812_800_000;
/// What the other clock shows then.
const UPTIME: u64 = 86_400_000;
/// So long is long.
const QUIET: u64 = 100;

thread_local! {
    /// Milliseconds since it began, in this thread; none while the system's clock is asked.
    static PASSED: Cell<Option<u64>> = const { Cell::new(None) };
    /// When something happened last.
    static HAPPENED: Cell<u64> = const { Cell::new(0) };
}

/// Begins, in this thread.
pub fn begin() {
    PASSED.set(Some(0));
    HAPPENED.set(0);
}

/// Something happens.
pub fn happens() {
    HAPPENED.set(passed());
}

/// From now on the system's clock is asked again.
pub fn end() {
    PASSED.set(None);
}

/// Now, milliseconds since the Unix epoch.
pub fn now() -> u64 {
    BEGIN + passed()
}

/// Milliseconds since it began.
pub fn passed() -> u64 {
    PASSED.get().unwrap_or_default()
}

/// Lets time pass for ever: a millisecond whenever those who have something to do have had a turn, and more where
/// nothing has happened for long.
pub async fn pass() {
    loop {
        let quiet = passed() - HAPPENED.get() > QUIET;
        PASSED.set(Some(passed() + if quiet { 10 } else { 1 }));
        yield_now().await;
    }
}

/// The C library's (POSIX, `clock_getres(2)`), as the standard library calls it.
///
/// # Safety
/// `time` is where a `timespec` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(which: clockid_t, time: *mut timespec) -> c_int {
    let millis = match (PASSED.get(), which) {
        (Some(passed), CLOCK_REALTIME) => BEGIN + passed,
        (Some(passed), CLOCK_MONOTONIC) => UPTIME + passed,
        _ => {
            // SAFETY: the system writes where this function may.
            let done = unsafe { libc::syscall(SYS_clock_gettime, which, time) };
            return c_int::try_from(done).unwrap_or(-1);
        }
    };
    let part = |millis: u64| i64::try_from(millis).unwrap_or(i64::MAX);
    let told = timespec { tv_sec: part(millis / 1_000), tv_nsec: part(millis % 1_000 * 1_000_000) };
    // SAFETY: the caller promises it.
    unsafe { time.write(told) };
    0
}
