//! What to measure, as data: `perf/scenarios/*.toml`.
//!
//! A scenario's lists make a cross product: [`Scenario::points`]. [`model`] says what there is, [`read`] how a file
//! becomes it and what is allowed, [`builtin`] which files come with the program.

pub mod builtin;
pub mod model;
mod points;
pub mod read;
pub mod rules;
#[cfg(test)]
mod tests;

pub use model::{Kind, Level, Overload, Peer, Ring, Scenario, Size, Target};
pub use points::PointSpec;

/// IMIX in frame bytes without FCS, and how often each comes in 48 frames: 353.5 bytes on average. The sizes are the
/// usual ones, 64, 570 and 1518, of which the last counts the 4 bytes of FCS: 1514 is the longest frame of an MTU of
/// 1500.
pub const IMIX: [(u16, u8); 3] = [(64, 28), (570, 16), (1514, 4)];
