//! Watches over unfinished jobs.

pub mod next;
