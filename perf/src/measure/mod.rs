//! From a point of a scenario to its figures: contenders in turn, round after round, every result checked.

mod churn;
mod entrant;
mod live;
mod replay;
mod rounds;
mod scenario;
mod setup;

pub use entrant::{Entrant, Team, setup, teams};
pub use live::{LOSSLESS, Live, Look, Place};
pub use rounds::Options;
#[cfg(feature = "dpdk")]
pub(crate) use rounds::{Samples, audition, blank, once};
pub use scenario::{Run, run};
pub use setup::{Mirroring, Setup};
