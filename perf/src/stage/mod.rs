//! Stages of the packet's way one by one, in TSC cycles a packet, what compiling takes, and the classifier beside
//! librte_acl.
//!
//! All run in the thread that started EAL, and need nothing else of the machine.

mod bench;
mod classify;
mod compile;
mod contest;
mod frames;
mod host;
mod null;
pub mod random;
pub mod rules;
mod shapes;
mod stages;
pub mod trace;
mod world;

use std::sync::OnceLock;

use vswitch::dpdk::eal::{Eal, EalError, EalSettings};

pub use bench::StageOptions;
pub use classify::{ClassifyOptions, classify};
pub use contest::Input;
pub use stages::stages;

/// Packets in a burst, as many as librte_vhost moves in a call.
const BURST_SIZE: usize = 32;
/// MiB of memory: librte_acl's largest tables, and the cold frames.
const MEMORY: u32 = 640;

/// EAL for this process, started at the first call: the calling thread stays on `cpu` and is the one to measure in, since
/// it has a cache in every pool. Without enough free hugepages it starts with ordinary pages, which is slower.
///
/// # Errors
/// One sentence.
pub fn eal(cpu: usize) -> Result<&'static Eal, String> {
    static EAL: OnceLock<Result<&'static Eal, String>> = OnceLock::new();
    let start = || {
        let mut settings = EalSettings {
            file_prefix: format!("vswitch-perf-{}", std::process::id()),
            memory_mb: MEMORY,
            hugepages: true,
            control_cpu: cpu,
        };
        match Eal::init(&settings) {
            Err(EalError::Hugepages { .. }) => {
                settings.hugepages = false;
                Eal::init(&settings)
            }
            result => result,
        }
        .map_err(|e| e.to_string())
    };
    EAL.get_or_init(start).clone()
}

/// The middle value; of an even number the lower of the two. 0 without values.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or(0.0)
}
