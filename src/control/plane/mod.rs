//! The control plane: what tenants and the platform want, kept in the store and brought to the workers.
//!
//! A request becomes a plan against the [desired] state ([`actions`]), the plan's changes become writes to the store
//! ([`records`]), and what concerns this host is compiled before and published after the commit ([`control`]).

mod actions;
pub mod activity;
mod answers;
mod billing;
#[cfg(test)]
mod code_table;
pub mod codes;
pub mod control;
pub mod desired;
pub mod filter;
mod history;
pub mod ids;
pub mod index;
pub mod labels;
mod local;
mod metrics;
mod platform;
pub mod publisher;
mod records;
mod reopen;
mod restore;
pub mod rule;
mod seed;
pub mod session;
pub mod start;
pub mod status;
#[cfg(test)]
mod tests;
pub mod tokens;
mod usage;
pub mod world;
