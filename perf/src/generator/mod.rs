//! Guests that poll: they offer traffic and take it back, on a CPU of their own.
//!
//! An [`Engine`] is all guests of a run, a turn at a time: [`run`] gives it a thread of its own, and the in-process level
//! lets each worker's thread turn one. Two ports talk to each other, a third collects copies, the rest is idle.

mod engine;
mod live;
mod port;
mod run;
#[cfg(test)]
mod tests;

pub use engine::{Counts, Engine, Plan, PortCounts, Target};
pub use live::port_counts;
pub use port::{PolledPort, PortSetup};
pub use run::{Course, Outcome, Pace, run};
