//! `vswitchctl`: asks a running switch, and shows what it says.

pub mod client;
pub mod explained;
pub mod render;
