//! What children print, on its way to the log: pipes become whole lines and frames, and the log is written to
//! standard error without anybody waiting for whoever reads it. What is said about them is not known here,
//! nor who else is told.

pub mod frames;
mod journal;
mod lines;
mod stream;
mod tail;

pub use journal::Journal;
pub use stream::{Origin, Sink, Stream};
pub use tail::Tail;

/// Writes one line of the supervisor's own while nothing runs yet that could be held up by it. A
/// reader that went away is no reason to end a run.
pub fn line(out: &mut impl std::io::Write, text: &str) {
    let _ = out.write_all(format!("{text}\n").as_bytes()).and_then(|()| out.flush());
}
