//! The workers' counters, and what is made of them at scrape: Prometheus text, and the conservation laws.

pub mod counters;
pub mod laws;
pub mod scrape;
pub mod server;
pub mod text;
