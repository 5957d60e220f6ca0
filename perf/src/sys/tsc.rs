//! The time-stamp counter as a stopwatch.

use std::time::{Duration, Instant};

/// Cycles of the time-stamp counter, after everything before it has finished and before anything behind it begins
/// (LFENCE on both sides: AMD APM volume 3 and Intel SDM volume 2, RDTSC). What is between two readings is measured as a
/// whole; a reading costs some tens of cycles, which callers measure and subtract.
#[inline]
#[must_use]
pub fn cycles() -> u64 {
    // SAFETY: every x86-64 CPU has these instructions; they touch no memory.
    unsafe {
        core::arch::x86_64::_mm_lfence();
        let now = core::arch::x86_64::_rdtsc();
        core::arch::x86_64::_mm_lfence();
        now
    }
}

/// Cycles of the time-stamp counter a second, against the monotonic clock over 20 ms.
#[must_use]
pub fn hertz() -> f64 {
    let (began, from) = (Instant::now(), cycles());
    while began.elapsed() < Duration::from_millis(20) {
        std::hint::spin_loop();
    }
    let (to, seconds) = (cycles(), began.elapsed().as_secs_f64());
    to.wrapping_sub(from) as f64 / seconds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_runs_at_a_plausible_rate() {
        assert!((5e8..1e10).contains(&hertz()));
    }
}
