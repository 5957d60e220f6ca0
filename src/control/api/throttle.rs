//! How many requests are answered: token buckets, one an account and one for all who are not known.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::ApiError;

/// Requests a minute, all clients together, whose signature is not right. Beyond them, AccessKeys that do not exist are
/// refused before anything is hashed, and every refusal ends its connection.
const STRANGERS_PER_MINUTE: u32 = 6000;
/// Buckets above which full ones, of accounts that do not call, are dropped.
const KEPT: usize = 4096;

/// A bucket that is full at first, holds what a minute brings and is refilled evenly.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    /// When it will be full again, if nobody takes anything.
    full_at: Duration,
}

impl Bucket {
    /// Takes one, or says how long until there is one.
    fn take(&mut self, now: Duration, per_minute: u32) -> Result<(), Duration> {
        let minute = Duration::from_secs(60);
        let full_at = self.full_at.max(now) + minute / per_minute;
        match (full_at - now).checked_sub(minute) {
            Some(wait) if !wait.is_zero() => Err(wait),
            _ => {
                self.full_at = full_at;
                Ok(())
            }
        }
    }
}

/// All buckets. Times are those of one clock that never goes back.
pub(super) struct Throttle {
    per_minute: u32,
    accounts: Mutex<HashMap<Arc<str>, Bucket>>,
    strangers: Mutex<Bucket>,
}

impl Throttle {
    /// Full buckets of so many requests a minute.
    pub(super) fn new(per_minute: u32) -> Self {
        Throttle { per_minute, accounts: Mutex::default(), strangers: Mutex::default() }
    }

    /// A request of an account.
    ///
    /// # Errors
    /// `Throttling.User`, with the seconds until there is a token.
    pub(super) fn account(&self, account: &Arc<str>, now: Duration) -> Result<(), ApiError> {
        let mut accounts = self.accounts.lock();
        if accounts.len() >= KEPT {
            accounts.retain(|_, bucket| bucket.full_at > now);
        }
        let bucket = accounts.entry(account.clone()).or_default();
        bucket.take(now, self.per_minute).map_err(|wait| {
            let text = format!("The account may make {} requests a minute; try again later.", self.per_minute);
            refusal("Throttling.User", text, wait)
        })
    }

    /// A request that was refused before it was known whose it is. True where there are too many.
    pub(super) fn stranger(&self, now: Duration) -> bool {
        self.strangers.lock().take(now, STRANGERS_PER_MINUTE).is_err()
    }

    /// There is no room for strangers.
    ///
    /// # Errors
    /// `Throttling`, with the seconds until there is.
    pub(super) fn room_for_strangers(&self, now: Duration) -> Result<(), ApiError> {
        let mut trial = *self.strangers.lock();
        trial.take(now, STRANGERS_PER_MINUTE).map_err(|wait| {
            let text = "Too many requests without a valid signature; try again later.".to_owned();
            refusal("Throttling", text, wait)
        })
    }
}

fn refusal(code: &'static str, text: String, wait: Duration) -> ApiError {
    let seconds = u32::try_from(wait.as_nanos().div_ceil(1_000_000_000)).unwrap_or(u32::MAX);
    ApiError { retry_after: Some(seconds), ..ApiError::new(400, code, text) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_minute_s_worth_then_evenly() {
        let throttle = Throttle::new(60);
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        let at = Duration::from_secs(1000);
        (0..60).for_each(|_| throttle.account(&a, at).unwrap());
        let error = throttle.account(&a, at + Duration::from_millis(10)).unwrap_err();
        assert_eq!((&*error.code, error.status, error.retry_after), ("Throttling.User", 400, Some(1)));
        throttle.account(&b, at).unwrap();
        throttle.account(&a, at + Duration::from_secs(1)).unwrap();
        assert!(throttle.account(&a, at + Duration::from_secs(1)).is_err());
        (0..60).for_each(|_| throttle.account(&a, at + Duration::from_secs(100)).unwrap());
    }

    #[test]
    fn a_slow_rate_says_how_long() {
        let throttle = Throttle::new(1);
        let a: Arc<str> = "a".into();
        throttle.account(&a, Duration::ZERO).unwrap();
        assert_eq!(throttle.account(&a, Duration::from_millis(20_500)).unwrap_err().retry_after, Some(40));
    }

    #[test]
    fn strangers_have_one_bucket() {
        let throttle = Throttle::new(1);
        let at = Duration::from_secs(9);
        assert!((0..STRANGERS_PER_MINUTE).all(|_| throttle.room_for_strangers(at).is_ok() && !throttle.stranger(at)));
        assert!(throttle.stranger(at));
        assert_eq!(throttle.room_for_strangers(at).unwrap_err().code, "Throttling");
        assert!(throttle.room_for_strangers(at + Duration::from_millis(10)).is_ok());
    }

    #[test]
    fn idle_accounts_are_dropped() {
        let throttle = Throttle::new(600);
        (0..=KEPT).for_each(|n| throttle.account(&n.to_string().into(), Duration::ZERO).unwrap());
        throttle.account(&"x".into(), Duration::from_secs(60)).unwrap();
        assert_eq!(throttle.accounts.lock().len(), 1);
    }

    proptest! {
        /// The slow obvious twin counts tokens, in fractions of 1/60,000.
        #[test]
        fn as_counted_tokens(
            // Rates that divide a minute in milliseconds exactly, so that neither rounds.
            per_minute in proptest::sample::select(vec![1u32, 2, 3, 5, 20, 60]),
            steps in proptest::collection::vec(prop_oneof![Just(0), 0..3000u64], 1..500),
        ) {
            let (mut bucket, mut now) = (Bucket::default(), Duration::from_secs(5));
            let full = u64::from(per_minute) * 60_000;
            let mut tokens = full;
            for step in steps {
                now += Duration::from_millis(step);
                tokens = full.min(tokens + step * u64::from(per_minute));
                let expected = tokens >= 60_000;
                tokens -= if expected { 60_000 } else { 0 };
                prop_assert_eq!(bucket.take(now, per_minute).is_ok(), expected);
            }
        }
    }
}
