//! The workers' counters, and what is made of them at scrape.

pub mod counters;
