//! Workers: the loop of an lcore, and which ENIs it owns.

pub mod placement;
