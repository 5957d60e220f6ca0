//! Control: configuration and objects are read, validated, compiled and published, in that order.

pub mod compile;
pub mod config;
pub mod fabric;
pub mod model;
pub mod registry;
pub mod switch;

pub fn load_model(
    _a: &std::path::Path,
    _b: &std::path::Path,
    _c: &config::Config,
) -> Result<model::Model, Vec<String>> {
    Err(vec![])
}
