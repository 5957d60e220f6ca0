//! Requests that were made once are not made again: the nonces of all that could still come a second time.
//!
//! A request is good for [`WINDOW`] around its stamp, so its nonce is held until the stamp is that old; never less. Nonces
//! do not survive a restart: requests stamped up to the second of the start, of which a former process may have done some,
//! are refused, and the listener opens only when that second is over, so that no client has to stamp into it.
//! What remains: a client whose clock is ahead stamps requests that a restart within its lead can see again.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use super::{ApiError, stamp};

/// Seconds that a stamp and our clock may be apart, either way.
pub(super) const WINDOW: i64 = 15 * 60;
/// Nonces of all accounts together: about 64 MiB.
const TOTAL: usize = 1 << 20;

/// A nonce and its AccessKey, hashed.
type Print = [u8; 16];

/// The nonces of the window.
pub(super) struct Nonces {
    start: i64,
    limit: Limit,
    state: Mutex<State>,
}

struct Limit {
    total: usize,
    account: usize,
}

#[derive(Default)]
struct State {
    accounts: HashMap<Arc<str>, Seen>,
    held: usize,
    /// Nonces with stamps up to this one may have been forgotten.
    floor: i64,
    /// When all accounts were last gone through.
    swept: i64,
}

#[derive(Default)]
struct Seen {
    prints: HashSet<Print>,
    by_stamp: BTreeMap<i64, Vec<Print>>,
}

impl Seen {
    /// Forgets what is too old to come again; the last stamp of it, and how many there were.
    fn forget(&mut self, now: i64) -> (i64, usize) {
        let live = self.by_stamp.split_off(&(now - WINDOW));
        let old = std::mem::replace(&mut self.by_stamp, live);
        let last = old.keys().next_back().copied().unwrap_or(i64::MIN);
        let before = self.prints.len();
        old.into_values().flatten().for_each(|print| {
            self.prints.remove(&print);
        });
        (last, before - self.prints.len())
    }
}

impl Nonces {
    /// None yet, in the second `start`. An account holds as many as it can use at its rate, and never more than half.
    pub(super) fn new(start: i64, requests_per_minute: u32) -> Self {
        // Stamps may lie a window ahead and count until they are a window old; a minute's burst comes on top.
        let minutes = 2 * WINDOW / 60 + 1;
        let account = usize::try_from(i64::from(requests_per_minute) * minutes).unwrap_or(TOTAL);
        Nonces::with_limits(start, TOTAL, account.clamp(1000, TOTAL / 2))
    }

    fn with_limits(start: i64, total: usize, account: usize) -> Self {
        let state = State { floor: start, ..State::default() };
        Nonces { start, limit: Limit { total, account }, state: Mutex::new(state) }
    }

    /// A request of this stamp may be done now, if it was not done before.
    ///
    /// # Errors
    /// `InvalidTimeStamp.Expired`.
    pub(super) fn check_stamp(&self, stamp: i64, now: i64) -> Result<(), ApiError> {
        let expired = |why: &str| {
            let text = format!("The request is stamped {}, {why}: sign it again.", stamp::text(stamp));
            Err(ApiError::new(400, "InvalidTimeStamp.Expired", text))
        };
        if stamp <= self.start {
            return expired("before this switch started");
        }
        // The floor is above the window only where the clock was set back.
        if stamp.abs_diff(now) > WINDOW.unsigned_abs() || stamp <= self.state.lock().floor {
            return expired(&format!("more than {WINDOW} seconds from the switch's clock, {}", stamp::text(now)));
        }
        Ok(())
    }

    /// This nonce was not used yet.
    ///
    /// # Errors
    /// `SignatureNonceUsed`.
    pub(super) fn check(&self, account: &str, access_key: &str, nonce: &str) -> Result<(), ApiError> {
        let seen = |seen: &Seen| seen.prints.contains(&print(access_key, nonce));
        if self.state.lock().accounts.get(account).is_some_and(seen) { Err(used()) } else { Ok(()) }
    }

    /// Remembers a nonce.
    ///
    /// # Errors
    /// `SignatureNonceUsed`, or `Throttling` where there is no room: what could come again is never forgotten.
    pub(super) fn record(
        &self,
        account: &Arc<str>,
        access_key: &str,
        nonce: &str,
        stamp: i64,
        now: i64,
    ) -> Result<(), ApiError> {
        let print = print(access_key, nonce);
        let mut state = self.state.lock();
        let state = &mut *state;
        if state.held >= self.limit.total && state.swept < now {
            state.swept = now;
            for seen in state.accounts.values_mut() {
                let (last, count) = seen.forget(now);
                state.floor = state.floor.max(last);
                state.held -= count;
            }
            state.accounts.retain(|_, seen| !seen.prints.is_empty());
        }
        let seen = state.accounts.entry(account.clone()).or_default();
        let (last, count) = seen.forget(now);
        state.floor = state.floor.max(last);
        state.held -= count;
        if seen.prints.contains(&print) {
            return Err(used());
        }
        if seen.prints.len() >= self.limit.account || state.held >= self.limit.total {
            let oldest = seen.by_stamp.keys().next().copied().unwrap_or(now);
            let text = "Too many requests within the time for which their nonces are held; try again later.";
            let wait = u32::try_from(oldest + WINDOW + 1 - now).unwrap_or(1).max(1);
            return Err(ApiError { retry_after: Some(wait), ..ApiError::new(400, "Throttling", text) });
        }
        seen.prints.insert(print);
        seen.by_stamp.entry(stamp).or_default().push(print);
        state.held += 1;
        Ok(())
    }
}

fn used() -> ApiError {
    let text = "The parameter SignatureNonce is not valid; it is one that no other request of this AccessKey had.";
    ApiError::new(400, "SignatureNonceUsed", text)
}

fn print(access_key: &str, nonce: &str) -> Print {
    let hash = Sha256::new().chain_update(access_key).chain_update([0]).chain_update(nonce).finalize();
    std::array::from_fn(|i| hash[i])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_000_000;

    fn code(outcome: Result<(), ApiError>) -> String {
        outcome.map_or_else(|e| e.code.into_owned(), |()| "OK".to_owned())
    }

    #[test]
    fn a_nonce_is_good_once_for_each_key() {
        let nonces = Nonces::new(NOW - 10, 600);
        let account: Arc<str> = "a".into();
        let record = |key, nonce, now| code(nonces.record(&account, key, nonce, NOW, now));
        assert_eq!(record("k", "n", NOW), "OK");
        assert_eq!(code(nonces.check("a", "k", "n")), "SignatureNonceUsed");
        assert_eq!(record("k", "n", NOW + WINDOW), "SignatureNonceUsed", "as long as the stamp is good");
        assert_eq!((record("l", "n", NOW), record("k", "m", NOW)), ("OK".to_owned(), "OK".to_owned()));
        assert_eq!(code(nonces.check("b", "k", "n")), "OK");
    }

    #[test]
    fn stamps_of_the_window_after_the_start() {
        let nonces = Nonces::new(NOW, 600);
        for (stamp, now, expected) in [
            (NOW + 1, NOW + 1, "OK"),
            (NOW, NOW, "InvalidTimeStamp.Expired"),
            (NOW - 1, NOW + 1, "InvalidTimeStamp.Expired"),
            (NOW + 1 + WINDOW, NOW + 1, "OK"),
            (NOW + 2 + WINDOW, NOW + 1, "InvalidTimeStamp.Expired"),
            (NOW + 1, NOW + 1 + WINDOW, "OK"),
            (NOW + 1, NOW + 2 + WINDOW, "InvalidTimeStamp.Expired"),
            (i64::MIN, NOW, "InvalidTimeStamp.Expired"),
            (i64::MAX, NOW, "InvalidTimeStamp.Expired"),
        ] {
            assert_eq!(code(nonces.check_stamp(stamp, now)), expected, "{stamp} at {now}");
        }
        let before = nonces.check_stamp(NOW, NOW + 1).unwrap_err();
        assert!(before.message.contains("before this switch started"), "{before}");
    }

    #[test]
    fn a_clock_that_is_set_back_opens_no_way_back() {
        let nonces = Nonces::new(NOW - 10, 600);
        let account: Arc<str> = "a".into();
        nonces.record(&account, "k", "n", NOW, NOW).unwrap();
        let later = NOW + WINDOW + 1;
        nonces.record(&account, "k", "m", later, later).unwrap();
        assert_eq!(code(nonces.check_stamp(NOW, NOW + 5)), "InvalidTimeStamp.Expired", "its nonce is forgotten");
        assert_eq!(code(nonces.check_stamp(NOW + 1, NOW + 5)), "OK");
    }

    #[test]
    fn full_is_throttling_and_time_makes_room() {
        let nonces = Nonces::with_limits(NOW - 10, 5, 3);
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        for n in ["1", "2", "3"] {
            nonces.record(&a, "k", n, NOW, NOW).unwrap();
        }
        let full = nonces.record(&a, "k", "4", NOW, NOW + 100).unwrap_err();
        assert_eq!((&*full.code, full.retry_after), ("Throttling", Some(801)));
        assert_eq!(code(nonces.record(&a, "k", "1", NOW, NOW)), "SignatureNonceUsed", "nothing was forgotten");
        nonces.record(&b, "k", "1", NOW + 1, NOW).unwrap();
        nonces.record(&b, "k", "2", NOW + 1, NOW).unwrap();
        assert_eq!(code(nonces.record(&b, "k", "3", NOW, NOW)), "Throttling", "all together");
        let later = NOW + WINDOW + 1;
        nonces.record(&b, "k", "3", later, later).unwrap();
        assert_eq!(nonces.state.lock().held, 3, "a's are forgotten, though a does not call");
    }

    proptest! {
        /// The slow obvious twin: a list of all that was accepted, each with its stamp.
        #[test]
        fn as_a_list_that_is_searched(
            calls in proptest::collection::vec((0..2u8, 0..4u8, 0..2 * WINDOW, 0..400i64), 1..120),
        ) {
            let nonces = Nonces::new(NOW - 1, 600);
            let (mut now, mut accepted) = (NOW, Vec::new());
            for (account, nonce, ahead, passed) in calls {
                now += passed;
                let stamp = now - WINDOW + ahead;
                let account: Arc<str> = account.to_string().into();
                let outcome = nonces
                    .check_stamp(stamp, now)
                    .and_then(|()| nonces.record(&account, "k", &nonce.to_string(), stamp, now));
                let live = accepted.iter().any(|(a, n, s)| (a, *n) == (&account, nonce) && now - *s <= WINDOW);
                prop_assert_eq!(outcome.is_ok(), stamp >= NOW && !live);
                if outcome.is_ok() {
                    accepted.push((account, nonce, stamp));
                }
            }
        }
    }
}
