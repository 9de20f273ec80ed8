//! What a message is: one file per shape.

mod types;

pub use types::{Failed, Hint, Kind, Known, Object, Reason, Seen, Understood};
