//! From a point of a scenario to its figures: contenders in turn, round after round, every result checked.

mod live;
mod setup;

pub use live::{LOSSLESS, Live, Look, Place};
pub use setup::{Mirroring, Setup};
