//! The dispatcher: takes failed invocations from queues, works out which function failed and with which
//! event, decides whether a re-run is worth it, and launches a container for it.
//!
//! Rooms, in the order in which data passes: a [`message`] comes from a [`queue`] or a [`file`]; [`envelope`]
//! understands it; [`resolve`] finds its function, described as [`function`] by [`aws`]; [`policy`] decides whether a
//! re-run is worth it; [`jobs`] makes it a job; [`place`] says where and how; [`launch`] starts it. [`dispatch`] and [`start`] lead
//! through them, [`reconcile`] looks after what was started, [`lost`] and [`mod@deliver`] bring to an end what no container
//! does; what cannot be understood is kept in [`quarantine`]. What became of it all is [`told`] in log lines. [`attach`] wires
//! functions to queues, [`doctor`] checks a deployment; [`signed`] and [`roles`] ask services that have no client here.
#![forbid(unsafe_code)]

pub mod attach;
pub mod aws;
pub mod cli;
pub mod code;
pub mod commands;
pub mod config;
pub mod deliver;
pub mod dispatch;
pub mod doctor;
pub mod envelope;
pub mod explain;
mod failpoint;
pub mod file;
pub mod function;
pub mod furnish;
pub mod http;
pub mod jobs;
mod kept;
pub mod lambda;
pub mod launch;
pub mod lost;
pub mod message;
pub mod metrics;
pub mod people;
pub mod place;
pub mod policy;
pub mod quarantine;
pub mod queue;
pub mod reconcile;
pub mod resolve;
pub mod roles;
mod seconds;
pub mod serve;
pub mod signed;
pub mod start;
mod stdout;
pub mod together;
pub mod told;
mod turns;
pub mod variable;
