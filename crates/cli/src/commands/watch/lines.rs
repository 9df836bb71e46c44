//! Figures as data on stdout: a header, and a line for each interval.
//!
//! A line tells what was read since the line before, and its rates and means are over the time between those readings; what is not
//! known, or was not read again, is `-`.
//! Columns are parted by blanks and hold none.

use std::io::{self, Write};

use tokometer_record::{Signal, Timing};

use super::amounts::rounded;
use super::figures::{View, Whose};
use super::growth::Window;

/// The header.
pub(super) fn header() -> String {
    joined(COLUMNS.iter().map(|column| column.name.to_owned()))
}

/// The line of that moment, for what the counters grew by since the line before.
pub(super) fn line(time: &str, view: &View, since: &Window) -> String {
    // What was last read of servers that have fallen silent is not of now.
    let silent = view.is_old();
    let figure = |column: &Column| match column.of {
        Of::Time => time.to_owned(),
        Of::Answering => {
            let answering =
                view.servers.iter().filter(|seen| !seen.stale && seen.whose != Whose::Unread);
            answering.count().to_string()
        }
        Of::Beside(figure) => shown(figure(view), column.digits),
        Of::Now(figure) => shown(figure(view).filter(|_| !silent), column.digits),
        Of::Since(figure) => shown(figure(view, since).filter(|_| !silent), column.digits),
    };
    joined(COLUMNS.iter().map(figure))
}

/// Writes a line. Whether anybody still reads: a stream that was closed is the end, and no failure.
///
/// # Errors
/// If it cannot be written for any other reason.
pub(super) fn hand_out(out: &mut dyn Write, line: &str) -> io::Result<bool> {
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error),
    }
}

fn shown(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| rounded(value, digits))
}

fn joined(cells: impl Iterator<Item = String>) -> String {
    let padded = COLUMNS.iter().zip(cells).map(|(column, cell)| match column.of {
        Of::Time => format!("{cell:<20}"),
        _ => format!("{cell:>width$}", width = column.name.len().max(6)),
    });
    padded.collect::<Vec<_>>().join("  ")
}

/// A column.
struct Column {
    name: &'static str,
    digits: usize,
    of: Of,
}

/// What a column tells.
enum Of {
    /// The moment.
    Time,
    /// How many of the servers answer.
    Answering,
    /// Something that is not the servers'.
    Beside(fn(&View) -> Option<f64>),
    /// Something of the servers now.
    Now(fn(&View) -> Option<f64>),
    /// Something of the time since the line before.
    Since(fn(&View, &Window) -> Option<f64>),
}

const fn now(name: &'static str, digits: usize, figure: fn(&View) -> Option<f64>) -> Column {
    Column { name, digits, of: Of::Now(figure) }
}

const fn since(
    name: &'static str,
    digits: usize,
    figure: fn(&View, &Window) -> Option<f64>,
) -> Column {
    Column { name, digits, of: Of::Since(figure) }
}

/// Units stand in the names: `%` for shares of a hundred, `ms`, `tok/s`.
const COLUMNS: &[Column] = &[
    Column { name: "time", digits: 0, of: Of::Time },
    Column { name: "answering", digits: 0, of: Of::Answering },
    now("running", 0, |view| view.level(Signal::Running)),
    now("waiting", 0, |view| view.level(Signal::Waiting)),
    now("kv_%", 1, |view| view.level(Signal::KvUsage).map(|share| share * 100.0)),
    since("prompt_tok/s", 1, View::prompt),
    since("gen_tok/s", 1, View::generation),
    since("preempted", 0, |_, since| since.grown(Signal::Preemptions)),
    since("prefix_%", 1, |_, since| since.prefix_hits().map(|share| share * 100.0)),
    since("accept_len", 2, |_, since| Some(since.speculation()?.length)),
    since("accept_%", 1, |_, since| Some(since.speculation()?.rate? * 100.0)),
    since("ttft_ms", 1, |_, since| milliseconds(since, Timing::Ttft)),
    since("itl_ms", 2, |_, since| milliseconds(since, Timing::Itl)),
    since("queue_ms", 1, |_, since| milliseconds(since, Timing::Queue)),
    since("prefill_ms", 1, |_, since| milliseconds(since, Timing::Prefill)),
    since("decode_ms", 1, |_, since| milliseconds(since, Timing::Decode)),
    Column {
        name: "gpu_%",
        digits: 1,
        of: Of::Beside(|view| view.busiest_gpu().map(|share| share * 100.0)),
    },
];

fn milliseconds(window: &Window, timing: Timing) -> Option<f64> {
    window.mean(timing).map(|mean| mean * 1e3)
}

#[cfg(test)]
mod tests {
    use super::super::figures::Watched;
    use super::super::figures::testing::{A, at, busy, page};
    use super::*;

    #[test]
    fn a_line_stands_under_its_header() {
        let watched = busy();
        let view = watched.view(at(100_300));
        let line = line("2026-06-27T10:00:00Z", &view, &view.recent);
        insta::assert_snapshot!(format!("{}\n{line}", header()), @"
        time                  answering  running  waiting    kv_%  prompt_tok/s  gen_tok/s  preempted  prefix_%  accept_len  accept_%  ttft_ms  itl_ms  queue_ms  prefill_ms  decode_ms   gpu_%
        2026-06-27T10:00:00Z          1       64      136    83.4        9000.0     1250.0          3      40.0        2.50      37.5    312.0   21.30     250.0        62.0     2310.0    98.0
        ");
    }

    #[test]
    fn every_line_has_a_word_for_each_column_whatever_is_known() {
        let watched = busy();
        for view in [View::default(), watched.view(at(100_300)), watched.view(at(900_000))] {
            let line = line("t", &view, &Window::default());
            assert_eq!(line.split_whitespace().count(), COLUMNS.len(), "{line}");
        }
        assert_eq!(header().split_whitespace().count(), COLUMNS.len());
    }

    #[test]
    fn what_was_last_read_of_a_silent_server_is_not_told_as_of_now() {
        let view = busy().view(at(900_000));
        let line = line("t", &view, &Window::default());
        let words: Vec<_> = line.split_whitespace().take(5).collect();
        assert_eq!(words, ["t", "0", "-", "-", "-"]);
    }

    #[test]
    fn what_was_not_read_again_since_the_line_before_is_not_told_anew() {
        let mut watched = busy();
        let marks = watched.marks();
        assert!(watched.awaits(&marks));
        let told = |watched: &Watched, millis| {
            let line = line("t", &watched.view_since(at(millis), &marks), &watched.since(&marks));
            line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        let mut nothing = vec!["-"; COLUMNS.len()];
        (nothing[0], nothing[1], nothing[COLUMNS.len() - 1]) = ("t", "0", "98.0");
        assert_eq!(told(&watched, 100_900), nothing);
        watched.hear(page(A, 102_000, &[(Signal::Running, 5.0), (Signal::Preemptions, 4.0)]));
        assert!(!watched.awaits(&marks));
        assert_eq!(told(&watched, 102_001)[..3], ["t", "1", "5"]);
        assert_eq!(told(&watched, 102_001)[7], "0");
    }

    #[test]
    fn figures_of_no_sense_stay_short() {
        let mut watched = Watched::new(vec![A.to_owned()], std::time::Duration::from_secs(1));
        watched.hear(page(A, 0, &[(Signal::Running, 1e300)]));
        let view = watched.view(at(0));
        assert!(line("t", &view, &view.whole).contains(" 1.00e300 "));
    }

    #[test]
    fn a_closed_stream_is_the_end_and_no_failure() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        assert!(!hand_out(&mut Closed, "x").unwrap());
        let mut out = Vec::new();
        assert!(hand_out(&mut out, "x").unwrap());
        assert_eq!(out, b"x\n");
    }
}
