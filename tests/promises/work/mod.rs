//! Workers: many jobs in a warm runtime, from a queue of pointers, with the same promises as one container for each.

mod owner;
mod protection;
mod refused;
mod runtime;
mod scene;
mod stop;
