//! What happens in an environment, told to its log and to whoever subscribed.

pub mod buffer;
pub mod json;
pub mod level;
pub mod record;
pub mod subscribe;
pub mod text;
pub mod write;
