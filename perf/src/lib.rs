//! Guests, generators and peers around vswitch: the instrument that the switch is judged with.
//!
//! - [`guest`]: a vhost-user frontend of our own, event-driven; `vswitch-guest` is its program.
//! - [`scenario`]: what to measure, as data. [`traffic`]: the frames, and how each is verified when it comes back.
//! - [`generator`]: guests that poll, on a CPU of their own. [`contender`]: the switch and its peers as processes.
//! - [`stage`], [`inprocess`]: the two levels inside one process.
//! - [`report`]: medians, spreads, ratios, the machine; text, JSON, charts. [`race`]: the goals, and whether they are met.

#[cfg(feature = "dpdk")]
pub mod cli;
pub mod contender;
pub mod generator;
pub mod guest;
#[cfg(feature = "dpdk")]
pub mod inprocess;
pub mod measure;
pub mod race;
pub mod report;
pub mod scenario;
#[cfg(feature = "dpdk")]
pub mod stage;
pub mod sys;
pub mod traffic;
