//! Control: configuration and objects are read, validated, compiled and published, in that order.

pub mod compile;
pub mod model;
pub mod registry;
