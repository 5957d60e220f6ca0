//! From a point of a scenario to its figures: contenders in turn, round after round, every result checked.

mod setup;
mod trial;

pub use setup::{Mirroring, Setup};
pub use trial::{Look, Place, Trial, trial};
