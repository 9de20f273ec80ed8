//! A simulated account that the real dispatcher drains: its own loop, desk, launchers and watch, over the SDK's clients
//! and the ledger, with an account of AWS in this program behind them and a clock that passes when nobody works.

pub mod account;
pub mod plot;
pub mod report;
pub mod run;
pub mod runner;
pub mod worker;
