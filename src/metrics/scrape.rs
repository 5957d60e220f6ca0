//! What there is to sum, at one moment.

use std::sync::Arc;

use super::counters::{EniCounters, RowCounters};
use super::laws::Totals;
use crate::control::fabric::WorkerView;

/// An ENI.
#[derive(Clone, Debug)]
pub struct EniSample {
    /// Its id.
    pub id: Arc<str>,
    /// A guest is there.
    pub up: bool,
    /// Its counters.
    pub counters: Arc<EniCounters>,
}

/// A session and one of its local sources.
#[derive(Clone, Debug)]
pub struct RowSample {
    /// The session's id.
    pub session: Arc<str>,
    /// The source's id.
    pub eni: Arc<str>,
    /// Their counters.
    pub counters: Arc<RowCounters>,
}

/// Everything.
#[derive(Clone, Debug, Default)]
pub struct Scrape {
    /// ENIs.
    pub enis: Vec<EniSample>,
    /// ENIs that went with the last change, and what outlived its ENI: they count in the totals, not in the metrics.
    pub departed: Vec<Arc<EniCounters>>,
    /// Sums of ENIs that went before.
    pub gone: Totals,
    /// Sessions with a local source.
    pub rows: Vec<RowSample>,
    /// Workers.
    pub workers: Vec<WorkerView>,
}
