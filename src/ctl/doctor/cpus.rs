//! CPUs of the workers.

use super::Finding;
use crate::control::config::{Config, Idle};

/// CPUs of the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cpus {
    /// Those that this process may use.
    pub(super) allowed: Vec<usize>,
    /// Those on which the kernel puts nothing unasked.
    pub(super) isolated: Vec<usize>,
}

/// Are they there, and the workers' own?
pub(super) fn cpus(config: &Config, cpus: &Cpus) -> Vec<Finding> {
    let count = usize::from(config.worker.count);
    if count == 0 {
        return vec![Finding::ok("cpus", "no workers (worker.count = 0)")];
    }
    match planned(config, cpus) {
        Ok(workers) => vec![own(config, &workers), isolated(config, &workers, cpus)],
        Err(finding) => vec![finding],
    }
}

/// The CPUs that the workers will have, chosen as the daemon does.
fn planned(config: &Config, cpus: &Cpus) -> Result<Vec<usize>, Finding> {
    let count = usize::from(config.worker.count);
    let allowed = text(&cpus.allowed);
    if config.worker.lcores.is_empty() {
        let free: Vec<usize> = cpus.allowed.iter().copied().filter(|c| *c != config.dpdk.control_cpu).collect();
        let Some(first) = free.len().checked_sub(count) else {
            let says = format!("worker.count = {count}, but beside dpdk.control_cpu only {} CPUs are free", free.len());
            let mend = format!("set worker.count = {}, or name CPUs of {allowed} in worker.lcores", free.len().max(1));
            return Err(Finding::fail("cpus", says, mend));
        };
        return Ok(free[first..].to_vec());
    }
    let workers: Vec<usize> = config.worker.lcores.iter().copied().take(count).collect();
    match workers.iter().find(|cpu| !cpus.allowed.contains(cpu)) {
        Some(cpu) => {
            let says = format!("worker.lcores names CPU {cpu}, which is not there or not allowed");
            Err(Finding::fail("cpus", says, format!("set worker.lcores to CPUs of {allowed}")))
        }
        None => Ok(workers),
    }
}

fn own(config: &Config, workers: &[usize]) -> Finding {
    let shown = text(workers);
    let twice = workers.iter().enumerate().find(|(n, cpu)| workers[..*n].contains(cpu));
    let mend = "set worker.lcores to CPUs that nobody else has, one a worker";
    if let Some((_, cpu)) = twice {
        return Finding::warn("cpus", format!("workers share CPU {cpu}: they take turns of milliseconds"), mend);
    }
    if workers.contains(&config.dpdk.control_cpu) {
        let says = format!("CPU {} is a worker's and control's (dpdk.control_cpu)", config.dpdk.control_cpu);
        return Finding::warn("cpus", says, mend);
    }
    Finding::ok("cpus", format!("workers have {shown}, control has {}", config.dpdk.control_cpu))
}

fn isolated(config: &Config, workers: &[usize], cpus: &Cpus) -> Finding {
    const NAME: &str = "isolation";
    let shared: Vec<usize> = workers.iter().copied().filter(|cpu| !cpus.isolated.contains(cpu)).collect();
    if shared.is_empty() {
        return Finding::ok(NAME, format!("the kernel keeps {} for the workers", text(workers)));
    }
    if config.worker.idle == Idle::Sleep {
        return Finding::ok(NAME, "not needed: idle workers sleep (worker.idle)");
    }
    let list = text(&shared);
    Finding::warn(
        NAME,
        format!("the kernel runs other programs on {list}: packets wait for them"),
        format!(
            "add isolcpus={list} nohz_full={list} rcu_nocbs={list} to GRUB_CMDLINE_LINUX in /etc/default/grub, then \
             update-grub && reboot"
        ),
    )
}

/// A list as the kernel writes it, `0-3,5`.
pub(super) fn list(text: &str) -> Option<Vec<usize>> {
    let mut cpus = Vec::new();
    for part in text.trim().split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        // No machine has more; a text that says so is not the kernel's.
        if last < first || last > 65_535 {
            return None;
        }
        cpus.extend(first..=last);
    }
    Some(cpus)
}

fn text(cpus: &[usize]) -> String {
    cpus.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    fn config(count: u16, lcores: &[usize]) -> Config {
        let mut config = Config::default();
        (config.worker.count, config.worker.lcores) = (count, lcores.to_vec());
        config
    }

    fn machine(isolated: &[usize]) -> Cpus {
        Cpus { allowed: vec![0, 1, 2, 3], isolated: isolated.to_vec() }
    }

    fn levels(config: &Config, machine: &Cpus) -> Vec<Level> {
        cpus(config, machine).iter().map(|finding| finding.level).collect()
    }

    #[test]
    fn workers_have_cpus_of_their_own_that_the_kernel_leaves_alone() {
        assert_eq!(levels(&config(2, &[]), &machine(&[2, 3])), [Level::Ok, Level::Ok]);
        assert_eq!(levels(&config(2, &[1, 2]), &machine(&[1, 2])), [Level::Ok, Level::Ok]);
        assert_eq!(levels(&config(0, &[]), &machine(&[])), [Level::Ok]);
    }

    #[test]
    fn a_cpu_that_is_not_there_and_too_few_of_them_fail() {
        let absent = cpus(&config(1, &[9]), &machine(&[]));
        assert_eq!((absent.len(), absent[0].level), (1, Level::Fail));
        assert_eq!(absent[0].mend.as_deref(), Some("set worker.lcores to CPUs of 0,1,2,3"));
        assert_eq!(levels(&config(4, &[]), &machine(&[])), [Level::Fail]);
        assert_eq!(levels(&config(1, &[]), &Cpus::default()), [Level::Fail]);
    }

    #[test]
    fn shared_cpus_are_warned_of() {
        assert_eq!(levels(&config(2, &[1, 1]), &machine(&[1])), [Level::Warn, Level::Ok]);
        assert_eq!(levels(&config(1, &[0]), &machine(&[0])), [Level::Warn, Level::Ok]);
        let findings = cpus(&config(2, &[1, 2]), &machine(&[1]));
        assert_eq!((findings[0].level, findings[1].level), (Level::Ok, Level::Warn));
        assert!(findings[1].mend.as_deref().is_some_and(|mend| mend.contains("isolcpus=2 nohz_full=2 rcu_nocbs=2")));
        let mut sleepy = config(1, &[1]);
        sleepy.worker.idle = Idle::Sleep;
        assert_eq!(levels(&sleepy, &machine(&[])), [Level::Ok, Level::Ok]);
    }

    #[test]
    fn lists_of_the_kernel_are_read() {
        assert_eq!(list("0-2,5\n"), Some(vec![0, 1, 2, 5]));
        assert_eq!(list("\n"), Some(vec![]));
        for wrong in ["1-", "x", "3-1", "0-99999999999", "-1"] {
            assert_eq!(list(wrong), None, "{wrong}");
        }
    }
}
