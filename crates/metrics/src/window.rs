//! From when to when the figures of a run are taken: the one definition of its duration.
//!
//! Deliberately needs no whole run: a summary of what has happened so far adds one request after the other.

use tokometer_record::{FailureKind, Offset, Phase, Record};

/// From the first start of a measured request to the last completion of one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    first: Option<Offset>,
    last: Option<Offset>,
}

impl Window {
    /// Widens the window to a request. Those of the warm-up and probes leave it as it is.
    pub fn add(&mut self, record: &Record) {
        if record.phase != Phase::Measured {
            return;
        }
        self.first = Some(self.first.map_or(record.started, |first| first.min(record.started)));
        // Nothing is later than a moment that is not there.
        self.last = self.last.max(completed(record));
    }

    /// The first start and the last completion. `None` while nothing was completed.
    pub fn span(&self) -> Option<(Offset, Offset)> {
        Some((self.first?, self.last?))
    }

    /// Its length in seconds: what [`DURATION`](crate::catalog::DURATION) is. `None` while nothing was completed, and where it is
    /// no time at all.
    pub fn duration(&self) -> Option<f64> {
        let (first, last) = self.span()?;
        Some((last - first).as_secs_f64()).filter(|&length| length > 0.0)
    }
}

impl<'a> FromIterator<&'a Record> for Window {
    fn from_iter<I: IntoIterator<Item = &'a Record>>(records: I) -> Self {
        let mut window = Self::default();
        records.into_iter().for_each(|record| window.add(record));
        window
    }
}

/// When a request was completed: a success with its last output chunk, whatever usage and end of stream follow it; a failure
/// when it ended. `None` if the user cancelled it: how long it would have taken is not known.
pub fn completed(record: &Record) -> Option<Offset> {
    match record.failure().map(|failure| failure.kind) {
        None => Some(record.last().unwrap_or(record.end)),
        Some(FailureKind::Cancelled) => None,
        Some(_) => Some(record.end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::testing::{Changed, failed, ms, ok};

    fn ending_at(mut record: Record, moment: u64) -> Record {
        record.end = ms(moment);
        record
    }

    #[test]
    fn a_success_completes_with_its_last_output_and_a_failure_with_its_end() {
        assert_eq!(completed(&ending_at(ok(0, 0, &[10, 20]), 25)), Some(ms(20)));
        assert_eq!(completed(&ok(0, 0, &[10, 20]).failing_at(90)), Some(ms(90)));
    }

    #[test]
    fn what_the_user_cancelled_was_never_completed() {
        let cancelled = failed(0, FailureKind::Cancelled, "the run was stopped");
        let cancelled = ending_at(cancelled, 60_000);
        assert_eq!(completed(&cancelled), None);
        assert_eq!(Window::from_iter([&cancelled]).duration(), None);
        let window = Window::from_iter([&ok(1, 5, &[30]), &cancelled]);
        assert_eq!(window.span(), Some((ms(0), ms(30))));
    }

    #[test]
    fn the_window_runs_from_the_first_start_to_the_last_completion() {
        let records = [
            ok(0, 15, &[20]).failing_at(99),
            ending_at(ok(1, 10, &[20, 30]), 200),
            ok(2, 0, &[500]).warming_up(),
            ok(3, 0, &[900]).probing(),
        ];
        let window: Window = records.iter().collect();
        assert_eq!(window.span(), Some((ms(10), ms(99))));
        assert_eq!(window.duration(), Some(0.089));
    }

    #[test]
    fn no_time_at_all_is_no_duration() {
        assert_eq!(Window::default().duration(), None);
        assert_eq!(Window::from_iter([&ok(0, 10, &[])]).duration(), None);
    }
}
