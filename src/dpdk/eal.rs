//! DPDK's environment: built once from checked settings, nothing left behind.

use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use super::{last_error, lcore};

/// The oldest DPDK that a hostile guest may be put before.
const OLDEST: (u32, u32, u32) = (22, 11, 11);
/// The page size that is counted.
const HUGEPAGE_MB: u32 = 2;

/// What EAL is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EalSettings {
    /// Tells this process's run-time files from those of other DPDK processes.
    pub file_prefix: String,
    /// Memory for buffers, in MiB.
    pub memory_mb: u32,
    /// Real hugepages; without them everything works, slower.
    pub hugepages: bool,
    /// The CPU of EAL's own threads and of control.
    pub control_cpu: usize,
}

/// Why EAL did not start.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EalError {
    /// A second start in one process.
    #[error("DPDK's environment was started before in this process")]
    Again,
    /// The library is too old.
    #[error("DPDK {0} is too old: 22.11.11 or newer is needed (Debian's packages libdpdk-dev and dpdk)")]
    TooOld(String),
    /// A setting that cannot be.
    #[error("{0}")]
    Setting(String),
    /// No hugepages.
    #[error(
        "too few free hugepages: {needed} of 2 MiB are needed, {free} are free; reserve them with \
         `sysctl -w vm.nr_hugepages={reserve}`, or set dpdk.hugepages = false"
    )]
    Hugepages {
        /// Pages needed.
        needed: u32,
        /// Pages free.
        free: u32,
        /// Pages to reserve in all.
        reserve: u32,
    },
    /// rte_eal_init failed.
    #[error("DPDK's environment did not start: {0}")]
    Init(String),
}

/// Proof that EAL runs. It lives as long as the process.
#[derive(Debug)]
pub struct Eal {
    _private: (),
}

static STARTED: AtomicBool = AtomicBool::new(false);
static EAL: Eal = Eal { _private: () };

impl Eal {
    /// Starts EAL with no PCI devices, no files and only the control CPU. The calling thread, and all threads it
    /// spawns later, stay on the control CPU; workers choose their own.
    ///
    /// # Errors
    /// [`EalError`], before anything was started where that is possible.
    pub fn init(settings: &EalSettings) -> Result<&'static Eal, EalError> {
        check_version(&version())?;
        let args = arguments(settings)?;
        if settings.hugepages {
            check_hugepages(settings.memory_mb)?;
        }
        if STARTED.swap(true, SeqCst) {
            return Err(EalError::Again);
        }
        // EAL's control threads take what is left of the caller's CPUs: nothing but the control CPU.
        lcore::pin(settings.control_cpu).map_err(|e| EalError::Setting(e.to_string()))?;
        let mut pointers: Vec<*mut i8> = args.iter().map(|a| a.as_ptr().cast_mut()).collect();
        // SAFETY: argv holds NUL-terminated strings that outlive the call; EAL copies what it keeps and reorders only
        // the pointers.
        let result = unsafe { dpdk_sys::rte_eal_init(pointers.len() as i32, pointers.as_mut_ptr()) };
        if result < 0 {
            return Err(EalError::Init(last_error()));
        }
        leave_no_folder();
        Ok(&EAL)
    }
}

/// EAL makes a run-time folder in any case; nothing is in it with `--in-memory`, and a kill would leave it behind.
fn leave_no_folder() {
    // SAFETY: EAL runs; the result is a static NUL-terminated string.
    let folder = unsafe { CStr::from_ptr(dpdk_sys::rte_eal_get_runtime_dir()) };
    // A folder that is not empty stays.
    let _ = std::fs::remove_dir(Path::new(std::ffi::OsStr::from_bytes(folder.to_bytes())));
}

/// The DPDK that the process runs with, such as `DPDK 22.11.11`.
#[must_use]
pub fn version() -> String {
    // SAFETY: rte_version returns a static NUL-terminated string.
    unsafe { CStr::from_ptr(dpdk_sys::rte_version()) }.to_string_lossy().into_owned()
}

fn check_version(text: &str) -> Result<(), EalError> {
    let numbers = text.rsplit(' ').next().unwrap_or_default();
    let mut parts = numbers.split(['.', '-']).map(|p| p.parse::<u32>().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    let found = (next(), next(), next());
    if found < OLDEST { Err(EalError::TooOld(numbers.to_owned())) } else { Ok(()) }
}

fn arguments(settings: &EalSettings) -> Result<Vec<CString>, EalError> {
    let prefix = &settings.file_prefix;
    if prefix.is_empty() || !prefix.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)) {
        return Err(EalError::Setting(format!(
            "dpdk.file_prefix = \"{prefix}\": letters, digits, - and _ are allowed"
        )));
    }
    let mut args = vec![
        "vswitch".to_owned(),
        "--no-pci".to_owned(),
        "--no-telemetry".to_owned(),
        format!("--file-prefix={prefix}"),
        format!("-m={}", settings.memory_mb).replace('=', ""),
        format!("--lcores=0@{}", settings.control_cpu),
        // The library's per-packet complaints would let a guest write our log.
        "--log-level=lib.vhost.data:critical".to_owned(),
        "--log-level=lib.vhost.config:warning".to_owned(),
        "--log-level=lib.eal:warning".to_owned(),
    ];
    args.push(if settings.hugepages { "--in-memory" } else { "--no-huge" }.to_owned());
    if !settings.hugepages {
        args.push("--no-shconf".to_owned());
    }
    args.into_iter()
        .map(|a| CString::new(a).map_err(|_| EalError::Setting("a setting holds a NUL byte".to_owned())))
        .collect()
}

fn check_hugepages(memory_mb: u32) -> Result<(), EalError> {
    let folder = Path::new("/sys/kernel/mm/hugepages/hugepages-2048kB");
    let read = |name: &str| -> u32 {
        std::fs::read_to_string(folder.join(name)).ok().and_then(|t| t.trim().parse().ok()).unwrap_or(0)
    };
    let needed = memory_mb.div_ceil(HUGEPAGE_MB);
    let free = read("free_hugepages");
    if free < needed {
        let reserve = read("nr_hugepages") + needed - free;
        return Err(EalError::Hugepages { needed, free, reserve });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_versions_are_refused() {
        assert_eq!(check_version("DPDK 22.11.11"), Ok(()));
        assert_eq!(check_version("DPDK 23.03.0"), Ok(()));
        for old in ["DPDK 22.11.10", "DPDK 21.11.9", "DPDK 22.11.0-rc1", ""] {
            assert!(matches!(check_version(old), Err(EalError::TooOld(_))), "{old}");
        }
    }

    #[test]
    fn a_prefix_with_a_slash_is_refused() {
        let settings = EalSettings { file_prefix: "a/b".to_owned(), memory_mb: 64, hugepages: false, control_cpu: 0 };
        let Err(EalError::Setting(text)) = arguments(&settings) else { panic!("accepted") };
        assert!(text.contains("dpdk.file_prefix"), "{text}");
    }
}
