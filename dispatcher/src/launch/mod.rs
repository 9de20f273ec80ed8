//! Starting what was placed.

mod types;

pub use types::{Cause, Launched, Refused, Seen};
