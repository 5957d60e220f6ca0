//! How many copies the time that service leaves would pay for: what giving up copies (`shed`) is held against.
//!
//! A worker's idle cycles do not say it: one that polls a packet at a time is busy all the time. So two runs as fast as
//! it goes tell what a packet and a copy cost: without a session a packet takes 1/s₀; sharing the worker, s packets and
//! c copies a second take all of it, and a copy (1 − s/s₀)/c.

use std::sync::atomic::AtomicBool;

use super::entrant::Entrant;
use super::live::Look;
use super::rounds::{AUDITION, Options, once};
use super::setup::Setup;
use crate::contender::vswitch::Vswitch;
use crate::generator::Pace;
use crate::scenario::Overload;
use crate::traffic::Sampling;

/// Copies a second that are paid for at a service rate, packets a second; `None` where the host has become so slow since
/// that rate was found that the switch would not keep up with it even without a session.
///
/// # Errors
/// One sentence: a run that failed, or nobody to compare with.
pub(super) fn payable(
    entrants: &[Entrant],
    rate: f64,
    options: &Options,
    stop: &AtomicBool,
) -> Result<Option<f64>, String> {
    let named = |label: &str| entrants.iter().find(|e| e.label == label).ok_or(format!("{label} does not take part"));
    let (off, on) = (named("vswitch-off")?, named("vswitch")?);
    let look = Look { sampling: Sampling::OneIn64, stamp_every: 0 };
    let pace = Pace { warmup: options.warmup, measure: AUDITION, rate: None };
    let (alone, ..) = once(off, options, &look, &pace, stop)?;
    let setup = Setup { overload: Overload::Share, ..on.setup.clone() };
    let sharing = Entrant { label: on.label.clone(), setup, make: Box::new(|| Box::new(Vswitch::new())) };
    let (shared, ..) = once(&sharing, options, &look, &pace, stop)?;
    let alone = alone.service_mpps();
    let paid = paid_for(alone, (shared.service_mpps(), shared.copies_mpps()), rate / 1e6) * 1e6;
    Ok((alone * 1e6 > rate).then_some(paid))
}

/// The same from rates, in any one unit.
fn paid_for(alone: f64, (service, copies): (f64, f64), rate: f64) -> f64 {
    let copy = (1.0 - service / alone) / copies;
    // Every packet is copied once at most.
    if copy > 0.0 { ((1.0 - rate / alone).max(0.0) / copy).min(rate) } else { rate }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_pays_for_copies() {
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} {b}");
        // A copy costs as much as a packet.
        close(paid_for(10.0, (5.0, 5.0), 8.0), 2.0);
        close(paid_for(10.0, (5.0, 5.0), 4.0), 4.0);
        close(paid_for(10.0, (5.0, 5.0), 11.0), 0.0);
        // Half as much.
        close(paid_for(12.0, (8.0, 8.0), 10.0), 4.0);
        close(paid_for(10.0, (10.0, 10.0), 8.0), 8.0);
    }
}
