//! Hugepages for packet buffers.

use super::Finding;
use crate::control::config::Config;

/// MiB of the pages that are counted.
const PAGE_MB: u32 = 2;

/// Hugepages of 2 MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pages {
    pub(super) total: u32,
    pub(super) free: u32,
}

/// Are there enough? A running daemon has taken its own, so that then the whole number counts.
pub(super) fn pages(config: &Config, pages: Option<Pages>, running: bool) -> Finding {
    const NAME: &str = "hugepages";
    if config.worker.count == 0 {
        return Finding::ok(NAME, "not needed without workers (worker.count = 0)");
    }
    if !config.dpdk.hugepages {
        let mend = "set dpdk.hugepages = true and reserve pages with sysctl -w vm.nr_hugepages=N";
        return Finding::warn(NAME, "switched off (dpdk.hugepages = false): packets are slower", mend);
    }
    let needed = config.dpdk.memory_mb.div_ceil(PAGE_MB);
    let Some(Pages { total, free }) = pages else {
        let mend = "boot a kernel with CONFIG_HUGETLBFS, or set dpdk.hugepages = false";
        return Finding::fail(NAME, "this kernel has no hugepages of 2 MiB", mend);
    };
    let (there, what) = if running { (total, "reserved") } else { (free, "free") };
    let says = format!("{there} of 2 MiB are {what}, {needed} are needed (dpdk.memory_mb)");
    if there >= needed {
        return Finding::ok(NAME, says);
    }
    let reserve = total.saturating_add(needed - there);
    let mend =
        format!("sysctl -w vm.nr_hugepages={reserve} (and vm.nr_hugepages = {reserve} in /etc/sysctl.d for good)");
    Finding::fail(NAME, says, mend)
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    fn config(count: u16, hugepages: bool) -> Config {
        let mut config = Config::default();
        (config.worker.count, config.dpdk.hugepages, config.dpdk.memory_mb) = (count, hugepages, 256);
        config
    }

    fn level(config: &Config, total: u32, free: u32, running: bool) -> Level {
        pages(config, Some(Pages { total, free }), running).level
    }

    #[test]
    fn as_many_as_memory_mb_needs() {
        let config = config(1, true);
        assert_eq!(level(&config, 128, 128, false), Level::Ok);
        assert_eq!(level(&config, 128, 127, false), Level::Fail);
        assert_eq!(level(&config, 128, 0, true), Level::Ok, "the daemon has taken them");
        assert_eq!(level(&config, 127, 0, true), Level::Fail);
        assert_eq!(pages(&config, None, false).level, Level::Fail);
    }

    #[test]
    fn what_is_missing_is_added_to_what_others_use() {
        let finding = pages(&config(1, true), Some(Pages { total: 100, free: 28 }), false);
        assert!(finding.mend.is_some_and(|mend| mend.starts_with("sysctl -w vm.nr_hugepages=200 ")));
    }

    #[test]
    fn without_them_it_is_slower_and_without_workers_they_are_not_needed() {
        assert_eq!(level(&config(1, false), 0, 0, false), Level::Warn);
        assert_eq!(level(&config(0, true), 0, 0, false), Level::Ok);
    }
}
