//! The machine card: what a figure was measured on.

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;

/// Flags of a CPU that decide which code runs, in the kernel's words.
const FLAGS: &[&str] = &[
    "hypervisor",
    "constant_tsc",
    "nonstop_tsc",
    "tsc_known_freq",
    "sse4_2",
    "avx2",
    "bmi2",
    "avx512f",
    "avx512bw",
    "avx512vl",
    "avx512vbmi",
    "avx512_vbmi2",
    "avx512_vp2intersect",
    "gfni",
    "vaes",
    "vpclmulqdq",
    "erms",
    "fsrm",
    "movdir64b",
];

/// How long the TSC is compared with the clock.
const CALIBRATION: Duration = Duration::from_millis(50);

/// What a figure was measured on.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Machine {
    /// CPU model, with family and model number: hypervisors shorten the name.
    pub cpu: String,
    /// CPUs that the system sees.
    pub cpus: usize,
    /// Those of the flags that matter to us.
    pub flags: Vec<String>,
    /// Frequency of the time stamp counter, MHz, measured against the clock; `None`: no counter was given.
    pub tsc_mhz: Option<f64>,
    /// Kernel release.
    pub kernel: String,
    /// Version of DPDK.
    pub dpdk: String,
    /// Pages of the default huge size.
    pub hugepages: Hugepages,
    /// Memory, MiB.
    pub memory_mib: u64,
    /// Frequency governor of CPU 0, if it has one.
    pub governor: Option<String>,
    /// Commit of this program.
    pub commit: String,
}

/// Huge pages of the default size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Hugepages {
    /// KiB of a page.
    pub size_kib: u64,
    /// Pages that there are.
    pub total: u64,
    /// Pages that nobody uses.
    pub free: u64,
}

impl Machine {
    /// Reads this machine. `dpdk` is DPDK's version, `tsc` reads the time stamp counter, which is watched for 50 ms.
    #[must_use]
    pub fn read(dpdk: &str, tsc: Option<&dyn Fn() -> u64>) -> Self {
        let text = |path: &str| std::fs::read_to_string(Path::new(path)).unwrap_or_default();
        let mut machine = Machine {
            kernel: text("/proc/sys/kernel/osrelease").trim().to_owned(),
            dpdk: dpdk.to_owned(),
            tsc_mhz: tsc.map(tsc_mhz),
            commit: vswitch::COMMIT.to_owned(),
            ..Machine::default()
        };
        machine.cpuinfo(&text("/proc/cpuinfo"));
        machine.meminfo(&text("/proc/meminfo"));
        let governor = text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
        machine.governor = Some(governor.trim().to_owned()).filter(|g| !g.is_empty());
        machine
    }

    fn cpuinfo(&mut self, text: &str) {
        let field = |name: &str| {
            text.lines().filter_map(|l| l.split_once(':')).find(|(k, _)| k.trim() == name).map(|(_, v)| v.trim())
        };
        self.cpus = text.lines().filter(|l| l.split(':').next().is_some_and(|k| k.trim() == "processor")).count();
        self.cpu = match (field("model name"), field("cpu family"), field("model")) {
            (Some(name), Some(family), Some(model)) => format!("{name} family {family} model {model}"),
            (name, ..) => name.unwrap_or("unknown").to_owned(),
        };
        let have: Vec<&str> = field("flags").unwrap_or_default().split_whitespace().collect();
        self.flags = FLAGS.iter().filter(|f| have.contains(f)).map(|f| (*f).to_owned()).collect();
    }

    fn meminfo(&mut self, text: &str) {
        let field = |name: &str| {
            let value = text.lines().filter_map(|l| l.split_once(':')).find(|(k, _)| *k == name).map(|(_, v)| v)?;
            value.split_whitespace().next()?.parse::<u64>().ok()
        };
        let number = |name: &str| field(name).unwrap_or(0);
        self.memory_mib = number("MemTotal") / 1024;
        self.hugepages = Hugepages {
            size_kib: number("Hugepagesize"),
            total: number("HugePages_Total"),
            free: number("HugePages_Free"),
        };
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} CPUs", self.cpu, self.cpus)?;
        if let Some(mhz) = self.tsc_mhz {
            write!(f, ", TSC {mhz:.0} MHz")?;
        }
        if let Some(governor) = &self.governor {
            write!(f, ", governor {governor}")?;
        }
        writeln!(f, ", {} MiB memory", self.memory_mib)?;
        writeln!(f, "flags: {}", self.flags.join(" "))?;
        let Hugepages { size_kib, total, free } = self.hugepages;
        write!(
            f,
            "kernel {}, DPDK {}, {total} hugepages of {size_kib} KiB ({free} free), commit {}",
            self.kernel, self.dpdk, self.commit
        )
    }
}

/// Ticks of a counter in a microsecond, seen against the clock over 50 ms. Each end is read between two looks at the
/// clock, and the tightest of a few such looks counts, so that being scheduled away in between does no harm.
fn tsc_mhz(tsc: &dyn Fn() -> u64) -> f64 {
    let start = Instant::now();
    let look = || {
        (0..16)
            .map(|_| {
                let before = start.elapsed();
                let ticks = tsc();
                let after = start.elapsed();
                (after - before, (before + after) / 2, ticks)
            })
            .min_by_key(|(width, ..)| *width)
            .map_or((Duration::ZERO, 0), |(_, at, ticks)| (at, ticks))
    };
    let first = look();
    std::thread::sleep(CALIBRATION);
    let last = look();
    last.1.wrapping_sub(first.1) as f64 / (last.0.saturating_sub(first.0).as_secs_f64() * 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_from_texts() {
        let mut m = Machine { kernel: "6.1.0".into(), dpdk: "22.11.11".into(), commit: "abc".into(), ..<_>::default() };
        m.cpuinfo(
            "processor\t: 0\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\nflags\t\t: fpu avx2 avx512f x\n\n\
             processor\t: 1\nmodel name\t: AMD EPYC\n",
        );
        m.meminfo("MemTotal:  8388608 kB\nHugePages_Total: 1024\nHugePages_Free: 7\nHugepagesize: 2048 kB\n");
        m.tsc_mhz = Some(2596.14);
        assert_eq!(
            m.to_string(),
            "AMD EPYC family 25 model 17, 2 CPUs, TSC 2596 MHz, 8192 MiB memory\nflags: avx2 avx512f\n\
             kernel 6.1.0, DPDK 22.11.11, 1024 hugepages of 2048 KiB (7 free), commit abc"
        );
    }

    #[test]
    fn this_machine_answers() {
        // A counter that ticks 2,000 times a microsecond, because the clock says so.
        let start = Instant::now();
        let machine = Machine::read("22.11", Some(&|| start.elapsed().as_nanos() as u64 * 2));
        assert!(machine.cpus > 0 && machine.memory_mib > 0 && !machine.kernel.is_empty());
        let mhz = machine.tsc_mhz.unwrap();
        assert!((1990.0..2010.0).contains(&mhz), "{mhz}");
        assert!(Machine::read("22.11", None).tsc_mhz.is_none());
    }
}
