//! The runner: fetches a deployed Lambda function, starts its language runtime, is the Runtime API
//! for it, and reports how the run ended.
//!
//! Rooms, in the order in which data passes: [`cli`] and [`config`] say what is wanted; [`job`] is
//! the event; [`function`] is what to run, described by [`aws`] or by arguments; [`fetch`],
//! [`unpack`], [`layers`] and [`image`] put its code in [`place`]; [`boot`] and [`process`] start its
//! runtime, with [`credentials`] of its own where that is wanted; [`api`] and [`session`] serve it in the one loop of [`serve`]; [`output`] and [`telemetry`] tell what
//! happens meanwhile, [`report`] how it went, [`outcome`] what is recorded of it, and [`destination`] delivers that.
//! [`run`] leads through them.

pub mod api;
pub mod aws;
pub mod boot;
pub mod causes;
pub mod cli;
pub mod clock;
pub mod code;
pub mod config;
pub mod credentials;
pub mod destination;
pub mod fetch;
pub mod front;
pub mod function;
pub mod image;
pub mod job;
mod json;
pub mod layers;
pub mod order;
pub mod outcome;
pub mod output;
pub mod payload;
pub mod place;
pub mod process;
pub mod report;
pub mod run;
pub mod serve;
pub mod session;
pub mod signals;
pub mod telemetry;
pub mod unpack;
