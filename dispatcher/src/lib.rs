//! The dispatcher: takes failed invocations from queues, works out which function failed and with which
//! event, decides whether a re-run is worth it, and launches a container for it.
//!
//! Rooms, in the order in which data passes: a [`message`] comes from a queue; [`envelope`] understands it;
//! [`resolve`] finds its function, described as [`function`]; [`policy`] decides whether a re-run is worth it;
//! [`place`] where and how; [`launch`] starts it.

pub mod aws;
pub mod envelope;
pub mod file;
pub mod function;
pub mod jobs;
pub mod launch;
pub mod lost;
pub mod message;
pub mod place;
pub mod policy;
pub mod queue;
pub mod reconcile;
pub mod resolve;
mod seconds;
