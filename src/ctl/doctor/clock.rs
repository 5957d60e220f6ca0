//! The clock: requests with a time of their own are refused when it is wrong.

use super::Finding;
use super::facts::Facts;

/// Seconds between the daemon's clock and ours that are only rounding and waiting.
const NEAR: i64 = 2;
/// Seconds after which the tenant API refuses a request's timestamp.
const WINDOW: i64 = 900;

pub(super) fn clock(facts: &Facts) -> Vec<Finding> {
    std::iter::once(synchronised(facts.synchronised)).chain(facts.skew.map(skew)).collect()
}

fn synchronised(synchronised: Option<bool>) -> Finding {
    const NAME: &str = "clock";
    let mend = "timedatectl set-ntp true (after apt-get install systemd-timesyncd or chrony)";
    match synchronised {
        Some(true) => Finding::ok(NAME, "synchronised"),
        Some(false) => {
            Finding::warn(NAME, "not synchronised: signed requests are refused once it is 15 minutes off", mend)
        }
        None => Finding::warn(NAME, "nobody here says whether it is synchronised", mend),
    }
}

/// How far the daemon's clock is ahead of ours, in seconds.
fn skew(seconds: i64) -> Finding {
    const NAME: &str = "clock_skew";
    let says = format!("the daemon's clock is {seconds} s ahead of this program's");
    let mend = "restart the daemon outside a time namespace (systemctl restart vswitch)";
    match seconds.saturating_abs() {
        0..=NEAR => Finding::ok(NAME, "the daemon's clock is this program's"),
        off if off <= WINDOW => Finding::warn(NAME, says, mend),
        _ => Finding::fail(NAME, format!("{says}: signed requests are refused"), mend),
    }
}

/// The seconds since 1970 of an HTTP date, `Tue, 24 Nov 2026 22:30:26 GMT`.
pub(super) fn seconds_of(date: &str) -> Option<i64> {
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(date).ok().map(jiff::Timestamp::as_second)
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn a_clock_is_synchronised_or_may_go_wrong() {
        assert_eq!(synchronised(Some(true)).level, Level::Ok);
        assert_eq!(synchronised(Some(false)).level, Level::Warn);
        assert_eq!(synchronised(None).level, Level::Warn);
    }

    #[test]
    fn the_daemon_s_clock_is_near_off_or_beyond_the_window() {
        for (seconds, level) in [
            (0, Level::Ok),
            (-2, Level::Ok),
            (3, Level::Warn),
            (-900, Level::Warn),
            (901, Level::Fail),
            (i64::MIN, Level::Fail),
        ] {
            assert_eq!(skew(seconds).level, level, "{seconds}");
        }
    }

    #[test]
    fn dates_of_http_are_read() {
        assert_eq!(seconds_of("Thu, 01 Jan 1970 00:01:40 GMT"), Some(100));
        assert_eq!(seconds_of("yesterday"), None);
    }
}
