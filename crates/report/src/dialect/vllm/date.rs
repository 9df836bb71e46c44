//! The wall clock of a run as vLLM writes it: without an offset, in the time of the place where it ran.
//!
//! Deliberately asks no clock and no time zone: all of it follows from the log's header.

use std::str::FromStr;

use jiff::civil::DateTime;
use jiff::{SignedDuration, ToSpan as _};
use tokometer_record::{Header, Offset};

/// When a run began: `20261122-102421`. What the header says, where that is no date.
pub(super) fn of(header: &Header) -> String {
    match began(header) {
        Some(at) => format!(
            "{:04}{:02}{:02}-{:02}{:02}{:02}",
            at.year(),
            at.month(),
            at.day(),
            at.hour(),
            at.minute(),
            at.second()
        ),
        None => header.began.clone(),
    }
}

/// A moment of a run: `2026-11-22T10:24:21.118423`.
pub(super) fn moment(header: &Header, at: Offset) -> Option<String> {
    let nanos = i64::try_from(at.as_nanos()).ok()?;
    let moment = began(header)?.checked_add(SignedDuration::from_nanos(nanos)).ok()?;
    let micros = i64::from(moment.subsec_nanosecond() % 1_000);
    let moment = moment.checked_sub(micros.nanoseconds()).ok()?;
    Some(moment.to_string())
}

fn began(header: &Header) -> Option<DateTime> {
    // `2026-01-02T11:04:37+08:00`: the date's own hyphens come before the time.
    let (date, time) = header.began.split_once('T')?;
    let local = time.split(['+', '-', 'Z', '[']).next()?;
    DateTime::from_str(&format!("{date}T{local}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(began: &str) -> Header {
        Header { began: began.into(), ..Header::default() }
    }

    #[test]
    fn the_date_is_the_local_one() {
        let written = [
            "2026-01-02T11:04:37+08:00",
            "2026-01-02T11:04:37.25-03:30",
            "2026-01-02T11:04:37Z",
            "2026-01-02T11:04:37+08:00[Asia/Shanghai]",
        ];
        for began in written {
            assert_eq!(of(&header(began)), "20260102-110437", "{began}");
        }
        assert_eq!(of(&header("yesterday")), "yesterday");
    }

    #[test]
    fn moments_are_counted_from_the_beginning_in_microseconds() {
        let at = Offset::from_nanos(61_000_500_700);
        let moment = moment(&header("2026-01-02T23:59:00+08:00"), at);
        assert_eq!(moment.as_deref(), Some("2026-01-03T00:00:01.0005"));
    }
}
