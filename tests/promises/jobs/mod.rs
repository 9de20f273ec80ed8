//! Jobs of a ledger: one owner for an attempt, one outcome for a job, whatever happens.

pub(crate) mod desk;
mod end;
mod owner;
mod refused;
mod stop;
