//! Time as requests state it: `2026-11-23T15:30:06Z`.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Seconds since 1970 of a time stamp; nothing but the one format is one.
pub(super) fn parse(text: &str) -> Option<i64> {
    const PATTERN: &[u8; 20] = b"dddd-dd-ddTdd:dd:ddZ";
    let fits = |(byte, pattern): (u8, &u8)| if *pattern == b'd' { byte.is_ascii_digit() } else { byte == *pattern };
    if text.len() != PATTERN.len() || !text.bytes().zip(PATTERN).all(fits) {
        return None;
    }
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i8>().ok();
    let year = text.get(..4)?.parse::<i16>().ok()?;
    let (month, day) = (number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let time = DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
    Some(TimeZone::UTC.to_timestamp(time).ok()?.as_second())
}

/// The same, written.
pub(super) fn text(second: i64) -> String {
    jiff::Timestamp::from_second(second).map(|t| t.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_format() {
        assert_eq!(parse("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(parse("2026-11-23T15:30:06Z"), Some(1_795_447_806));
        assert_eq!(text(1_795_447_806), "2026-11-23T15:30:06Z");
        for wrong in [
            "",
            "now",
            "2026-11-23T15:30:06",
            "2026-11-23 15:30:06Z",
            "2026-11-23T15:30:06z",
            "2026-11-23T15:30:06+00:00",
            "2026-11-23T15:30:06.5Z",
            "2026-13-23T15:30:06Z",
            "2026-02-29T15:30:06Z",
            "2026-11-23T24:00:00Z",
            "2026-11-23T15:30:60Z",
            "+026-11-23T15:30:06Z",
            "2026-11-23T15:30:06ZZ",
            "٢٠٢٦-11-23T15",
            "Mon, 23 Nov 2026 15:",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
