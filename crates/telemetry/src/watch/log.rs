//! A log as a source: its lines that tell figures, and what becomes of its file.
//!
//! The moment of a line is the one at which it was found; what it says of the time before it, and what its own clock
//! says, is left to it.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

use tokometer_record::{Offset, Remark, RemarkKind};

use super::{Clock, Heard, Source};
use crate::follow::{Follow, Found};
use crate::log_line;
use crate::server::Detail;

/// A log that is watched.
pub(super) struct Log {
    source: String,
    follow: Follow,
    /// When everything was last read.
    since: Offset,
    /// Since then: whether a line told figures.
    told: bool,
    /// Since then: whether it was said that a line could not be read.
    said_unreadable: bool,
}

impl Log {
    /// Begins to follow the log, from where it ends now.
    pub(super) fn new(path: PathBuf, now: Offset) -> Self {
        let source = path.display().to_string();
        let follow = Follow::new(path);
        Self { source, follow, since: now, told: false, said_unreadable: false }
    }
}

impl Source for Log {
    fn read(&mut self, detail: Detail, now: &Clock, heard: &mut Vec<Heard>) -> ControlFlow<()> {
        let looks = match detail {
            Detail::Whole => MOST_LOOKS,
            Detail::Brief => 1,
        };
        for _ in 0..looks {
            let found = self.follow.read();
            let at = now();
            if found.is_empty() {
                break;
            }
            found.into_iter().for_each(|found| self.understand(found, at, heard));
        }
        if detail == Detail::Whole {
            self.take_stock(now(), heard);
        }
        ControlFlow::Continue(())
    }
}

impl Log {
    fn understand(&mut self, found: Found, at: Offset, heard: &mut Vec<Heard>) {
        let (kind, detail) = match found {
            Found::Line(line) => return self.listen(&line, at, heard),
            Found::Missing(why) => {
                (RemarkKind::LogMissing, format!("the log cannot be read: {why}"))
            }
            Found::Appeared => (RemarkKind::Recovered, "the log is there".to_owned()),
            Found::Vanished => (RemarkKind::LogVanished, "the log is gone".to_owned()),
            Found::Rotated => {
                (RemarkKind::LogRotated, "the log was replaced by a new one".to_owned())
            }
            Found::Truncated => (RemarkKind::LogTruncated, "the log was cut short".to_owned()),
        };
        self.remark(kind, detail, at, heard);
    }

    fn listen(&mut self, line: &str, at: Offset, heard: &mut Vec<Heard>) {
        match log_line::read(line) {
            log_line::Heard::Other => {}
            log_line::Heard::Figures(figures) => {
                self.told = true;
                heard.push(Heard::Reading(figures.reading(&self.source, at)));
            }
            // The line itself is not repeated: nobody knows what else it holds.
            log_line::Heard::Garbled if !self.said_unreadable => {
                self.said_unreadable = true;
                let detail = "a line begins like one of figures, and cannot be read as such";
                self.remark(RemarkKind::LogUnreadable, detail.to_owned(), at, heard);
            }
            log_line::Heard::Garbled => {}
        }
    }

    /// Everything is read: before a load, or after it. A log that should have spoken since the last time and has not is
    /// worth a word.
    fn take_stock(&mut self, at: Offset, heard: &mut Vec<Heard>) {
        let passed = at.since(self.since);
        if !self.told && passed >= PATIENCE {
            let detail =
                format!("no line of figures that is known in {:.0} s", passed.as_secs_f64());
            self.remark(RemarkKind::LogSilent, detail, at, heard);
        }
        (self.since, self.told, self.said_unreadable) = (at, false, false);
    }

    fn remark(&self, kind: RemarkKind, detail: String, at: Offset, heard: &mut Vec<Heard>) {
        heard.push(Heard::Remark(Remark { at, source: self.source.clone(), kind, detail }));
    }
}

/// Twice the ten seconds after which vLLM writes its next line.
const PATIENCE: Duration = Duration::from_secs(20);
/// How much of a log is read at once: so many times what one look reads.
const MOST_LOOKS: usize = 16;
