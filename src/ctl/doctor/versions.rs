//! Versions of what works together: this program and the daemon, DPDK, the kernel.

use super::Finding;
use super::facts::{Facts, Identity};
use crate::control::config::Config;

/// The oldest DPDK that the daemon starts with (`dpdk::eal`).
const OLDEST_DPDK: [u32; 3] = [22, 11, 11];
/// The oldest kernel that DPDK 22.11 runs on, by its requirements.
const OLDEST_KERNEL: [u32; 3] = [4, 14, 0];
/// The oldest kernel that the switch is tested on: Debian 12's.
const TESTED_KERNEL: [u32; 3] = [6, 1, 0];

pub(super) fn versions(config: &Config, facts: &Facts) -> Vec<Finding> {
    let ours = Identity { version: crate::VERSION.to_owned(), commit: crate::COMMIT.to_owned() };
    let daemon = facts.daemon.as_ref().map(|daemon| self::daemon(&ours, daemon));
    let rest = [dpdk(config, facts.dpdk.as_deref()), kernel(&facts.kernel)];
    daemon.into_iter().chain(rest).collect()
}

fn daemon(ours: &Identity, daemon: &Identity) -> Finding {
    const NAME: &str = "daemon_version";
    let shown = |of: &Identity| format!("{} ({})", of.version, of.commit);
    if ours == daemon {
        return Finding::ok(NAME, shown(daemon));
    }
    let says = format!("the daemon is {}, vswitchctl is {}", shown(daemon), shown(ours));
    Finding::warn(NAME, says, "install both from one build, then systemctl restart vswitch")
}

fn dpdk(config: &Config, linked: Option<&str>) -> Finding {
    const NAME: &str = "dpdk";
    let install = "apt-get install libdpdk-dev dpdk";
    match linked {
        _ if config.worker.count == 0 => Finding::ok(NAME, "not needed without workers (worker.count = 0)"),
        None => {
            Finding::fail(NAME, "this build has no DPDK: it has no workers", "cargo build --release (feature dpdk)")
        }
        Some(text) => match numbers(text) {
            Some(found) if found >= OLDEST_DPDK => Finding::ok(NAME, text),
            Some(_) => Finding::fail(NAME, format!("{text} is too old: 22.11.11 or newer is needed"), install),
            None => Finding::fail(NAME, format!("{text}: no version that is known"), install),
        },
    }
}

fn kernel(release: &str) -> Finding {
    const NAME: &str = "kernel";
    let mend = "apt-get install linux-image-amd64, then reboot";
    match numbers(release) {
        Some(found) if found >= TESTED_KERNEL => Finding::ok(NAME, release),
        Some(found) if found >= OLDEST_KERNEL => {
            Finding::warn(NAME, format!("{release}: the switch is tested on 6.1 and newer"), mend)
        }
        Some(_) => Finding::fail(NAME, format!("{release} is too old: DPDK 22.11 needs 4.14 or newer"), mend),
        None => Finding::warn(NAME, format!("\"{release}\": no version that is known"), "uname -r"),
    }
}

/// The first three numbers of a version, behind a name if there is one: `DPDK 22.11.11`, `6.1.0-18-amd64`.
pub(super) fn numbers(text: &str) -> Option<[u32; 3]> {
    let version = text.trim().rsplit(' ').next()?;
    let mut parts = version.split(['.', '-', '+']);
    let major = parts.next()?.parse().ok()?;
    let mut next = || parts.next().and_then(|part| part.parse().ok()).unwrap_or(0);
    Some([major, next(), next()])
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn the_daemon_is_of_the_same_build() {
        let of = |version: &str, commit: &str| Identity { version: version.to_owned(), commit: commit.to_owned() };
        assert_eq!(daemon(&of("0.1.0", "a"), &of("0.1.0", "a")).level, Level::Ok);
        assert_eq!(daemon(&of("0.1.0", "a"), &of("0.1.0", "b")).level, Level::Warn);
        assert_eq!(daemon(&of("0.2.0", "a"), &of("0.1.0", "a")).level, Level::Warn);
    }

    #[test]
    fn dpdk_is_new_enough_and_there() {
        let mut config = Config::default();
        let level = |config: &Config, linked| dpdk(config, linked).level;
        assert_eq!(level(&config, Some("DPDK 22.11.11")), Level::Ok);
        assert_eq!(level(&config, Some("DPDK 23.03.0")), Level::Ok);
        for wrong in [Some("DPDK 22.11.10"), Some("DPDK 21.11.9"), Some("DPDK"), None] {
            assert_eq!(level(&config, wrong), Level::Fail, "{wrong:?}");
        }
        config.worker.count = 0;
        assert_eq!(level(&config, None), Level::Ok);
    }

    #[test]
    fn the_kernel_is_new_enough() {
        for (release, level) in [
            ("6.1.0-18-amd64", Level::Ok),
            ("6.18.44", Level::Ok),
            ("5.10.0", Level::Warn),
            ("4.14.0", Level::Warn),
            ("4.9.337", Level::Fail),
            ("", Level::Warn),
        ] {
            assert_eq!(kernel(release).level, level, "{release}");
        }
    }
}
