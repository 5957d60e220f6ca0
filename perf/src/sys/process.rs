//! Child processes that a terminal's Ctrl-C does not reach, and that do not outlive us.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Descriptors that a child with hundreds of ports may need.
const FILES: libc::rlim_t = 65_536;

/// What a child is given before its program starts.
#[derive(Clone, Debug, Default)]
pub struct Leash {
    /// CPUs it may run on, whatever the caller is pinned to; empty: the caller's.
    pub cpus: Vec<usize>,
    /// A network namespace of its own; it goes with the last process in it.
    pub own_network: bool,
}

/// Prepares `command`: a process group of its own, killed when the calling **thread** ends, on the CPUs of `leash`,
/// with room for many descriptors.
pub fn leash(command: &mut Command, leash: &Leash) {
    command.process_group(0);
    let parent = std::process::id();
    let (cpus, own_network) = (set_of(&leash.cpus), leash.own_network);
    let before_exec = move || -> io::Result<()> {
        // SAFETY: plain system calls with valid arguments between fork and exec; all are async-signal-safe.
        unsafe {
            check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL))?;
            // The parent may have ended before the line above.
            if libc::getppid().cast_unsigned() != parent {
                return Err(io::Error::from_raw_os_error(libc::ESRCH));
            }
            let mut files: libc::rlimit = std::mem::zeroed();
            check(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut files))?;
            files.rlim_cur = files.rlim_max.min(FILES.max(files.rlim_cur));
            check(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const files))?;
            if let Some(set) = &cpus {
                check(libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), set))?;
            }
            if own_network {
                check(libc::unshare(libc::CLONE_NEWNET))?;
            }
        }
        Ok(())
    };
    // SAFETY: the closure neither allocates nor takes locks: it makes system calls on values made before the fork.
    unsafe { command.pre_exec(before_exec) };
}

/// Sends a signal to a process that is a child not waited for yet, so that its number is still its own.
///
/// # Errors
/// The kernel's.
pub fn signal(child: &std::process::Child, signal: i32) -> io::Result<()> {
    // SAFETY: kill takes no pointers.
    check(unsafe { libc::kill(child.id().cast_signed(), signal) })
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn set_of(cpus: &[usize]) -> Option<libc::cpu_set_t> {
    if cpus.is_empty() {
        return None;
    }
    // SAFETY: cpu_set_t is plain data; all zero is the empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    for cpu in cpus.iter().filter(|c| **c < libc::CPU_SETSIZE as usize) {
        // SAFETY: the number lies inside the set.
        unsafe { libc::CPU_SET(*cpu, &mut set) };
    }
    Some(set)
}
