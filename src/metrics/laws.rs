//! The conservation laws: at any quiet moment nothing is missing and nothing is there twice.

use serde::Serialize;

use super::counters::{EniCounters, RowCounters};
use super::scrape::Scrape;
use crate::packet::{Direction, Reason};

/// Sums over all ENIs, those that are gone included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Frames taken from guests.
    pub received: u64,
    /// Frames that the switch made.
    pub generated: u64,
    /// Service frames that guests got.
    pub delivered: u64,
    /// Packets whose receiver was the switch.
    pub consumed: u64,
    /// Service packets dropped.
    pub dropped: u64,
    /// Copies that targets got.
    pub copies: u64,
    /// Packets and copies that left for another worker.
    pub crossed_out: u64,
    /// Packets and copies that arrived there.
    pub crossed_in: u64,
    /// Ring entries that the vhost library refused before we saw them.
    pub ring_rejected: u64,
}

impl Totals {
    /// Adds an ENI.
    pub fn add(&mut self, counters: &EniCounters) {
        self.received += counters.sum(|b| b.rx_packets.get());
        self.generated += counters.sum(|b| b.generated.get());
        let copies = counters.sum(|b| b.tx_copies.get());
        self.copies += copies;
        self.delivered += counters.sum(|b| b.tx_packets.get()).saturating_sub(copies);
        for reason in Reason::ALL {
            self.consumed += counters.sum(|b| b.consumed.get(*reason));
            self.dropped += Direction::ALL.iter().map(|d| counters.drops(*d, *reason)).sum::<u64>();
        }
        self.crossed_out += counters.sum(|b| b.crossed_out.get() + b.copies_out.get());
        self.crossed_in += counters.sum(|b| b.crossed_in.get() + b.copies_in.get());
        self.ring_rejected += counters.sum(|b| b.ring_rejected.get());
    }

    /// Packets on rings between workers. Less than none means that one was counted in twice.
    #[must_use]
    pub const fn in_flight(&self) -> i64 {
        self.crossed_out.wrapping_sub(self.crossed_in).cast_signed()
    }
}

/// Adds up all ENIs.
#[must_use]
pub fn totals(scrape: &Scrape) -> Totals {
    let mut totals = scrape.gone;
    let all = scrape.enis.iter().map(|e| &*e.counters).chain(scrape.departed.iter().map(|c| &**c));
    all.for_each(|counters| totals.add(counters));
    totals
}

/// Every law that does not hold, a sentence each; all hold when the switch is quiet.
#[must_use]
pub fn violations(scrape: &Scrape) -> Vec<String> {
    let mut broken = Vec::new();
    let t = totals(scrape);
    let (came, went) = (t.received + t.generated, t.delivered + t.consumed + t.dropped);
    if t.in_flight() != 0 {
        broken.push(format!("{} packets are on rings between workers", t.in_flight()));
    } else if came != went {
        broken.push(format!(
            "received {} + generated {} = {came}, but delivered {} + consumed {} + dropped {} = {went}",
            t.received, t.generated, t.delivered, t.consumed, t.dropped
        ));
    }
    for eni in &scrape.enis {
        for d in Direction::ALL {
            broken.extend(source(&eni.id, &eni.counters, d));
        }
    }
    for row in &scrape.rows {
        for d in Direction::ALL {
            broken.extend(copies(&row.session, &row.eni, &row.counters, d));
        }
    }
    broken
}

fn source(eni: &str, counters: &EniCounters, direction: Direction) -> Option<String> {
    let d = direction.index();
    let seen = counters.sum(|b| b.seen[d].get());
    let excluded: u64 = Reason::ALL.iter().map(|r| counters.sum(|b| b.excluded[d].get(*r))).sum();
    let unmatched = counters.sum(|b| b.unmatched[d].get());
    let refused = counters.sum(|b| b.refused[d].get());
    let matched = counters.sum(|b| b.matched[d].get());
    (seen != excluded + unmatched + refused + matched).then(|| {
        format!(
            "{eni} {direction}: seen {seen}, but excluded {excluded} + unmatched {unmatched} + refused {refused} + \
             matched {matched}"
        )
    })
}

fn copies(session: &str, eni: &str, counters: &RowCounters, direction: Direction) -> Option<String> {
    let d = direction.index();
    let matched = counters.sum(|b| b.matched[d].get());
    let sent = counters.sum(|b| b.sent[d].get());
    let skipped: u64 = Reason::ALL.iter().map(|r| counters.sum(|b| b.skips[d].get(*r))).sum();
    (matched != sent + skipped)
        .then(|| format!("{session} of {eni} {direction}: matched {matched}, but sent {sent} + skipped {skipped}"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_packet_that_came_in_twice_is_a_violation() {
        for (crossed_in, in_flight) in [(1, 0), (2, -1)] {
            let counters = EniCounters::new(2);
            counters.of(0).crossed_out.add(1);
            counters.of(1).crossed_in.add(crossed_in);
            let scrape = Scrape { departed: vec![Arc::new(counters)], ..Scrape::default() };
            assert_eq!(totals(&scrape).in_flight(), in_flight);
            assert_eq!(violations(&scrape).len(), usize::from(in_flight != 0));
        }
    }
}
