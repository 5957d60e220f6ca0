//! From a point of a scenario to its figures: contenders in turn, round after round, every result checked.

mod churn;
mod entrant;
mod live;
mod payable;
mod replay;
mod rounds;
mod samples;
mod scenario;
mod setup;
mod weather;

pub use entrant::{Entrant, Team, setup, teams};
pub use live::{LOSSLESS, Live, Look, Place, no_memory};
pub use rounds::Options;
#[cfg(feature = "dpdk")]
pub(crate) use rounds::{audition, blank, once, remark};
#[cfg(feature = "dpdk")]
pub(crate) use samples::Samples;
pub use scenario::{Run, run};
pub use setup::{Mirroring, Setup};
#[cfg(feature = "dpdk")]
pub(crate) use weather::Weather;
