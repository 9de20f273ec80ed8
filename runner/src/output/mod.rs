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
