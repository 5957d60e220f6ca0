//! CPUs for workers: our own threads, pinned, and known to DPDK so that pool caches work.

use std::marker::PhantomData;

use super::eal::Eal;
use super::last_error;

/// Why a thread is not a worker's.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LcoreError {
    /// No such CPU, or not for this process.
    #[error("CPU {cpu} does not exist or is not allowed for this process; allowed are {allowed}")]
    NoCpu {
        /// The CPU asked for.
        cpu: usize,
        /// The CPUs there are.
        allowed: String,
    },
    /// DPDK has no lcore id left.
    #[error("DPDK did not take the thread: {0}")]
    Register(String),
}

/// Proof that the current thread is pinned and registered. It cannot leave the thread.
#[derive(Debug)]
pub struct LcoreCtx {
    _thread: PhantomData<*mut ()>,
}

impl LcoreCtx {
    /// Pins the current thread to `cpu` and registers it.
    ///
    /// # Errors
    /// [`LcoreError`].
    pub fn enter(_eal: &'static Eal, cpu: usize) -> Result<LcoreCtx, LcoreError> {
        pin(cpu)?;
        // SAFETY: EAL runs (the reference proves it); the thread was not registered before, since `LcoreCtx` is the
        // only way and unregisters when it ends.
        if unsafe { dpdk_sys::rte_thread_register() } < 0 {
            return Err(LcoreError::Register(last_error()));
        }
        Ok(LcoreCtx { _thread: PhantomData })
    }
}

impl Drop for LcoreCtx {
    fn drop(&mut self) {
        // SAFETY: the thread was registered by `enter`, and the token never left it.
        unsafe { dpdk_sys::rte_thread_unregister() };
    }
}

/// The CPUs this process may use, ascending.
#[must_use]
pub fn available_cpus() -> Vec<usize> {
    // The main thread's mask: `pin` narrows that of the thread that calls it only.
    let mut set = empty_set();
    // SAFETY: `set` is a valid cpu_set_t of the size given; a failure leaves it empty.
    unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) };
    // SAFETY: CPU_ISSET only reads inside the set: the index is below CPU_SETSIZE.
    (0..libc::CPU_SETSIZE as usize).filter(|cpu| unsafe { libc::CPU_ISSET(*cpu, &set) }).collect()
}

/// Pins the current thread, and those it spawns, to one CPU.
///
/// # Errors
/// [`LcoreError::NoCpu`].
pub fn pin(cpu: usize) -> Result<(), LcoreError> {
    let online = online_cpus();
    if online.contains(&cpu) {
        let mut set = empty_set();
        // SAFETY: the index is an online CPU's, below CPU_SETSIZE.
        unsafe { libc::CPU_SET(cpu, &mut set) };
        // SAFETY: `set` is a valid cpu_set_t of the size given; 0 is the current thread.
        if unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set) } == 0 {
            return Ok(());
        }
    }
    let allowed = online.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    Err(LcoreError::NoCpu { cpu, allowed })
}

/// CPUs that are online.
fn online_cpus() -> Vec<usize> {
    let text = std::fs::read_to_string("/sys/devices/system/cpu/online").unwrap_or_default();
    let mut cpus = Vec::new();
    for range in text.trim().split(',') {
        let mut ends = range.split('-').map(|n| n.parse::<usize>());
        if let Some(Ok(first)) = ends.next() {
            let last = ends.next().and_then(Result::ok).unwrap_or(first);
            cpus.extend((first..=last).filter(|c| *c < libc::CPU_SETSIZE as usize));
        }
    }
    cpus
}

fn empty_set() -> libc::cpu_set_t {
    // SAFETY: cpu_set_t is an array of integers; all zero is the empty set.
    unsafe { std::mem::zeroed() }
}

/// A thread of this process, to be interrupted by another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreadId(pub i32);

/// The current thread, which [`interrupt`] can get out of a system call from now on.
#[must_use]
pub fn interruptible() -> ThreadId {
    extern "C" fn nothing(_signal: libc::c_int) {}
    // SAFETY: an all-zero action with a handler: no flags (so that system calls are not restarted), an empty mask.
    // The handler does nothing, which is safe at any time; the signal is otherwise ignored and nobody else's.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = nothing as *const () as usize;
        libc::sigaction(libc::SIGURG, &raw const action, std::ptr::null_mut());
    }
    // SAFETY: only returns a number.
    ThreadId(unsafe { libc::gettid() })
}

/// Ends the system call that a thread is in, if it is in one that waits. A thread that has ended is none of ours.
pub fn interrupt(thread: ThreadId) {
    // SAFETY: a signal with a handler, to a thread of this process or to nobody: tgkill checks both ids.
    unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread.0, libc::SIGURG) };
}

/// The time-stamp counter: cycles at a constant rate.
#[inline]
#[must_use]
pub fn tsc() -> u64 {
    // SAFETY: every x86-64 CPU has the instruction.
    unsafe { core::arch::x86_64::_rdtsc() }
}
