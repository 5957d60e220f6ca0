//! Rounds during which the host was busy with others say nothing: they are done again, and when that does not help, the
//! point says that it does not count.

use crate::report::Point;
use crate::report::steal::Watch;

/// Clean rounds that a point needs at least, where so many were asked for.
const NEEDED: u32 = 3;

/// The rounds of a point.
#[derive(Debug)]
pub(crate) struct Weather {
    wanted: u32,
    repeats: u32,
    done: u32,
    dirty: u32,
    repeated: u32,
    watch: Option<Watch>,
    objection: Option<String>,
}

impl Weather {
    /// For so many rounds; up to half as many more are done when the host was busy.
    pub(crate) fn new(wanted: u32) -> Self {
        let repeats = wanted.div_ceil(2);
        Weather { wanted, repeats, done: 0, dirty: 0, repeated: 0, watch: None, objection: None }
    }

    /// Are there rounds to do? Which one is next, counted from 0.
    pub(crate) fn next(&self) -> Option<u32> {
        (self.done < self.wanted).then_some(self.done)
    }

    /// A round begins. The fixed work that it is compared with is done now: frequencies change for good.
    pub(crate) fn begin(&mut self) {
        let mut watch = Watch::new();
        watch.begin();
        self.watch = Some(watch);
    }

    /// It is over; `false`: it is to be forgotten and done again.
    pub(crate) fn end(&mut self) -> bool {
        let objection = self.watch.take().and_then(|w| w.end().objection());
        self.judge(objection)
    }

    fn judge(&mut self, objection: Option<String>) -> bool {
        if let Some(objection) = objection {
            if self.repeated < self.repeats {
                self.repeated += 1;
                return false;
            }
            self.dirty += 1;
            self.objection = Some(objection);
        }
        self.done += 1;
        true
    }

    /// Says in the point what there is to say.
    pub(crate) fn tell(&self, point: &mut Point) {
        if self.repeated > 0 {
            point.notes.push(format!("{} rounds were done again: the host was busy", self.repeated));
        }
        let Some(objection) = &self.objection else {
            return;
        };
        let clean = self.done - self.dirty;
        let text = format!("{clean} of {} rounds were clean; the last objection: {objection}", self.done);
        if clean < NEEDED.min(self.wanted) {
            point.void = Some(text);
        } else {
            point.notes.push(text);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn rounds(wanted: u32, busy: impl Fn(u32) -> bool) -> (u32, Weather) {
        let (mut weather, mut tried) = (Weather::new(wanted), 0);
        while weather.next().is_some() {
            weather.judge(busy(tried).then(|| "steal".to_owned()));
            tried += 1;
        }
        (tried, weather)
    }

    fn told(weather: &Weather) -> Point {
        let mut point = Point {
            scenario: String::new(),
            labels: Default::default(),
            series: Vec::new(),
            verified: 0,
            wrong: Vec::new(),
            void: None,
            notes: Vec::new(),
        };
        weather.tell(&mut point);
        point
    }

    #[test]
    fn busy_rounds_are_done_again_and_then_void_the_point() {
        let (tried, weather) = rounds(5, |_| false);
        assert_eq!((tried, told(&weather).void, told(&weather).notes.len()), (5, None, 0));
        let (tried, weather) = rounds(5, |n| n < 3);
        assert_eq!((tried, told(&weather).void, told(&weather).notes.len()), (8, None, 1));
        let (tried, weather) = rounds(5, |_| true);
        assert_eq!(tried, 8);
        assert!(told(&weather).void.unwrap().starts_with("0 of 5"));
        // Three clean ones are enough.
        let (_, weather) = rounds(5, |n| n < 5);
        assert_eq!((told(&weather).void, told(&weather).notes.len()), (None, 2));
    }
}
