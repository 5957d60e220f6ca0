#![allow(clippy::unwrap_used)]
//! A worker in simulated time: it takes bursts in turn, each packet and each copy costs nanoseconds, and what finds its
//! guest's ring full is lost.

use super::*;

/// What a service packet, a copy and an empty poll cost: 13.3 million packets a second without a session.
const PACKET: u64 = 75;
const COPY: u64 = 60;
const POLL: u64 = 30;
const BURST: u64 = 32;
const RING: f64 = 256.0;
const MS: u64 = 1_000_000;

/// An ENI and its guest.
#[derive(Clone, Debug, Default)]
struct Guest {
    /// Packets a second.
    rate: f64,
    /// Its packets come in lumps, so many at a time.
    lump: f64,
    /// Every packet is copied.
    mirrored: bool,
    /// It has another queue, on which it sends nothing.
    idle_queue: bool,
    ring: f64,
    not_yet: f64,
    last: u64,
    lost: f64,
    sent: u64,
    copies: u64,
    given_up: u64,
}

impl Guest {
    fn new(percent: f64, mirrored: bool) -> Self {
        Guest { rate: percent / 100.0 * 1e9 / PACKET as f64, lump: 1.0, mirrored, ..Guest::default() }
    }

    fn arrive(&mut self, now: u64) {
        self.not_yet += self.rate * (now - self.last) as f64 / 1e9;
        self.last = now;
        let came = (self.not_yet / self.lump).floor() * self.lump;
        self.not_yet -= came;
        self.lost += (self.ring + came - RING).max(0.0);
        self.ring = (self.ring + came).min(RING);
    }
}

struct Sim {
    guests: Vec<Guest>,
    load: Load,
    now: u64,
}

impl Sim {
    fn new(guests: &[Guest]) -> Self {
        Sim::with(Overload::Shed, guests)
    }

    fn with(mode: Overload, guests: &[Guest]) -> Self {
        let mut load = Load::new(mode);
        load.fit(guests.len());
        Sim { guests: guests.to_vec(), load, now: 0 }
    }

    /// Runs for so many milliseconds, and forgets what was counted before.
    fn run(&mut self, ms: u64) -> &[Guest] {
        for g in &mut self.guests {
            (g.lost, g.sent, g.copies, g.given_up) = (0.0, 0, 0, 0);
        }
        let end = self.now + ms * MS;
        while self.now < end {
            let (began, mut moved) = (self.now, false);
            for (slot, g) in self.guests.iter_mut().enumerate() {
                g.arrive(self.now);
                let taken = (g.ring as u64).min(BURST);
                g.ring -= taken as f64;
                self.now += POLL + taken * PACKET;
                self.load.polled(slot as u32, 1, taken == BURST);
                if g.idle_queue {
                    self.now += POLL;
                    self.load.polled(slot as u32, 3, false);
                }
                moved |= taken > 0;
                g.sent += taken;
                let is_over = self.load.is_over(slot as u32);
                for _ in 0..if g.mirrored { taken } else { 0 } {
                    if is_over && self.load.gives_up() {
                        g.given_up += 1;
                    } else {
                        g.copies += 1;
                        self.now += COPY;
                    }
                }
            }
            self.load.turn(self.now, self.now - began, moved);
        }
        &self.guests
    }
}

/// Copies a second that the time left by service pays for, up to one for each packet.
fn paid_for(percent: f64) -> f64 {
    let idle = 1e9 * (1.0 - percent / 100.0) / COPY as f64;
    idle.min(Guest::new(percent, true).rate)
}

#[test]
fn nothing_is_given_up_while_there_is_time() {
    for percent in [10.0, 45.0, 50.0, 53.0] {
        for lump in [1.0, 32.0, 64.0] {
            let mut sim = Sim::new(&[Guest { lump, ..Guest::new(percent, true) }]);
            let g = &sim.run(500)[0];
            assert_eq!((g.given_up, g.lost, g.copies), (0, 0.0, g.sent), "{percent} % in lumps of {lump}");
        }
    }
}

#[test]
fn service_keeps_its_rate_and_copies_get_what_is_left_evenly() {
    for (percent, least) in [(60.0, 0.9), (70.0, 0.85), (80.0, 0.85), (90.0, 0.6)] {
        let mut sim = Sim::new(&[Guest::new(percent, true)]);
        sim.run(100);
        let windows: Vec<Guest> = (0..20).map(|_| sim.run(100)[0].clone()).collect();
        let copies = windows.iter().map(|w| w.copies);
        let (min, max) = (copies.clone().min().unwrap(), copies.clone().max().unwrap());
        assert!(max - min <= max / 10, "{percent} %: {min} to {max} copies in 100 ms");
        let share = copies.sum::<u64>() as f64 / 2.0 / paid_for(percent);
        assert!(share >= least && share <= 1.01, "{percent} %: {share} of what the idle time pays for");
        let (lost, sent) = windows.iter().fold((0.0, 0), |(l, s), w| (l + w.lost, s + w.sent));
        assert!(lost <= sent as f64 / 1000.0, "{percent} %: {lost} of {sent} lost");
    }
}

#[test]
fn under_more_than_it_can_take_service_is_as_fast_as_without_a_session() {
    for percent in [100.0, 130.0, 300.0] {
        let alone = Sim::new(&[Guest::new(percent, false)]).run(300)[0].sent;
        let mut sim = Sim::new(&[Guest::new(percent, true)]);
        let first = sim.run(20)[0].clone();
        assert!(first.copies < first.sent / 4, "{percent} %: within a few windows");
        assert!(sim.run(300)[0].sent * 100 >= alone * 99, "{percent} %");
    }
}

#[test]
fn a_flood_through_one_queue_of_several_is_a_flood() {
    let mut sim = Sim::new(&[Guest { idle_queue: true, ..Guest::new(130.0, true) }]);
    sim.run(20);
    let g = &sim.run(100)[0];
    assert!(g.copies * 20 < g.sent, "{} copies of {}", g.copies, g.sent);
}

#[test]
fn who_floods_does_not_blind_its_neighbours() {
    for (flood, mirrored) in [(100.0, true), (130.0, true), (130.0, false), (400.0, true)] {
        let quiet =
            [(5.0, 1.0), (10.0, 16.0), (1.0, 100.0)].map(|(percent, lump)| Guest { lump, ..Guest::new(percent, true) });
        let mut sim = Sim::new(&[&[Guest::new(flood, mirrored)][..], &quiet[..]].concat());
        let guests = sim.run(1000);
        for g in &guests[1..] {
            assert_eq!(g.lost, 0.0);
            assert!(g.given_up * 100 < g.sent, "{flood} %: {} of {} given up", g.given_up, g.sent);
        }
        assert!(guests[0].copies * 20 < guests[0].sent, "the flood itself is hardly copied");
    }
}

#[test]
fn who_is_over_its_share_gives_up_in_proportion_to_its_use() {
    let mut sim = Sim::new(&[Guest::new(48.0, true), Guest::new(24.0, true)]);
    sim.run(100);
    let [a, b] = sim.run(1000) else { panic!() };
    let (lost, sent) = ((a.given_up + b.given_up) as f64, (a.sent + b.sent) as f64);
    assert!(lost > sent / 10.0);
    // The smaller one may stay within its share; it never loses more than its part.
    assert!(b.given_up as f64 / b.sent as f64 <= 1.02 * a.given_up as f64 / a.sent as f64);

    let mut sim = Sim::new(&[Guest::new(90.0, true), Guest::new(90.0, true)]);
    sim.run(100);
    let [a, b] = sim.run(1000) else { panic!() };
    assert!(a.copies.abs_diff(b.copies) <= a.sent / 50, "{} {} of {}", a.copies, b.copies, a.sent);
}

#[test]
fn shared_means_that_nothing_is_given_up() {
    let mut sim = Sim::with(Overload::Share, &[Guest::new(130.0, true)]);
    let g = sim.run(200)[0].clone();
    assert_eq!((g.given_up, g.copies), (0, g.sent));
    assert!(sim.load.saturated() > 100, "which is counted all the same");
}

#[test]
fn a_cpu_that_was_away_is_no_saturation() {
    let mut sim = Sim::new(&[Guest::new(45.0, true)]);
    for _ in 0..20 {
        sim.run(30);
        sim.now += 10 * MS;
    }
    assert_eq!(sim.load.saturated(), 0);
}

#[test]
fn when_the_flood_ends_everything_is_copied_again() {
    let mut sim = Sim::new(&[Guest::new(200.0, true)]);
    sim.run(100);
    assert_eq!(sim.load.steps(), 64);
    sim.guests[0].rate /= 10.0;
    sim.run(70);
    assert_eq!(sim.load.steps(), 0);
    assert_eq!(sim.run(100)[0].given_up, 0);
}

/// Ends a window in which the first of two rings was always full, or not; the other one is always empty.
fn ring_window(load: &mut Load, full: bool) {
    for n in 1..=8 {
        load.ring_polled(1, false);
        load.ring_polled(0, full);
        let end = load.turn(load.began + n * WINDOW / 8, 1000, true);
        assert_eq!(end, n == 8);
        if end {
            break;
        }
    }
}

#[test]
fn on_a_ring_those_are_over_their_share_who_have_much_under_way() {
    let mut load = Load::new(Overload::Shed);
    assert!(!load.is_over_on_ring(|| 512, 512), "nobody is, while nothing is given up");
    ring_window(&mut load, true);
    assert_eq!(load.steps(), 2);
    assert!(load.is_over_on_ring(|| 128, 512) && !load.is_over_on_ring(|| 127, 512));
    ring_window(&mut load, true);
    assert!(!load.is_over_on_ring(|| 127, 512), "one was found");
    // In a window of saturation nobody was found who has much under way: all of them are too many.
    ring_window(&mut load, true);
    assert!(load.is_over_on_ring(|| 0, 512));
    load.ring_polled(1, false);
    assert!(!load.is_over_on_ring(|| 0, 512), "those on the other ring are not");
    for _ in 0..64 {
        ring_window(&mut load, false);
    }
    assert!(!load.gives() && !load.is_over_on_ring(|| 512, 512));
    ring_window(&mut load, true);
    assert!(!load.is_over_on_ring(|| 0, 512), "forgotten with the overload that it was about");
}

#[test]
fn all_on_a_ring_are_too_many_only_until_one_is_found_who_has_much_under_way() {
    let mut load = Load::new(Overload::Shed);
    (0..2).for_each(|_| ring_window(&mut load, true));
    assert!(load.is_over_on_ring(|| 0, 512), "nobody was found");
    assert!(load.is_over_on_ring(|| 512, 512));
    ring_window(&mut load, true);
    assert!(!load.is_over_on_ring(|| 0, 512) && load.is_over_on_ring(|| 512, 512));
}
