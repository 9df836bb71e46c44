//! A page of metrics as a source: what it says of a server or of GPUs, and what stands in the way of it.

use std::ops::ControlFlow;

use tokometer_record::{Offset, Remark, RemarkKind};

use super::{Clock, Heard, Source};
use crate::fetch::{Endpoint, Failure, Fetch, LIMIT};
use crate::server::{self, Detail};
use crate::{gpu, prometheus, scrape};

/// What a page is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    Server,
    Gpus,
}

/// Whether a page must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Surely,
    Perhaps,
}

/// A page that is watched.
pub(super) struct Page {
    source: String,
    subject: Subject,
    expected: Expected,
    fetch: Result<Fetch, Failure>,
    standing: Standing,
    /// Whether it was said that nothing here knows its server.
    said_unknown: bool,
}

/// How it went the last time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It was never asked.
    Unasked,
    /// It never answered, which is no matter.
    Silent,
    /// It answered.
    Well,
    /// It did not, and that was said.
    Amiss(RemarkKind),
}

impl Page {
    pub(super) fn new(endpoint: Endpoint, subject: Subject, expected: Expected) -> Self {
        let source = endpoint.shown.clone();
        let (fetch, standing) = (Fetch::new(endpoint, LIMIT), Standing::Unasked);
        Self { source, subject, expected, fetch, standing, said_unknown: false }
    }
}

impl Source for Page {
    fn read(&mut self, detail: Detail, now: &Clock, heard: &mut Vec<Heard>) -> ControlFlow<()> {
        if self.standing == Standing::Silent && detail == Detail::Brief {
            return ControlFlow::Continue(());
        }
        let page = match &self.fetch {
            Ok(fetch) => fetch.page(),
            Err(failure) => Err(failure.clone()),
        };
        let at = now();
        match page {
            Ok(page) => self.understand(&page, at, detail, heard),
            Err(failure) => {
                let kind = match failure {
                    Failure::Unreachable(_) => RemarkKind::Unreachable,
                    Failure::Status(_) | Failure::Elsewhere { .. } => RemarkKind::NoMetrics,
                };
                self.amiss(kind, failure.to_string(), at, heard);
            }
        }
        ControlFlow::Continue(())
    }
}

impl Page {
    /// What the page says. A recovery is told before what was heard thereby.
    fn understand(&mut self, page: &str, at: Offset, detail: Detail, heard: &mut Vec<Heard>) {
        let source = self.source.clone();
        if !page.ends_with('\n') && prometheus::samples(page).next().is_some() {
            // What it lacks would look like counters that began anew.
            let why = "its page ends in the middle of a line: it was cut short";
            self.amiss(RemarkKind::Unreachable, why.to_owned(), at, heard);
            return;
        }
        match self.subject {
            Subject::Gpus => match gpu::reading(page, &source, at) {
                None => self.no_metrics("its page has no metrics of GPUs", at, heard),
                Some(reading) => {
                    self.well(at, heard);
                    heard.push(Heard::Gpus(reading));
                }
            },
            Subject::Server => {
                let reading = server::reading(page, &source, at, detail);
                let is_known = reading.is_some();
                // A whole page is taken apart only where it is kept.
                let keep = !is_known || detail == Detail::Whole;
                let kept = if keep { scrape(page, &source, at) } else { None };
                if !is_known && kept.is_none() {
                    self.no_metrics("what it answers is no page of metrics", at, heard);
                    return;
                }
                self.well(at, heard);
                heard.extend(kept.map(Heard::Scrape));
                match reading {
                    Some(reading) => heard.push(Heard::Reading(reading)),
                    None => self.unknown(at, heard),
                }
            }
        }
    }

    fn no_metrics(&mut self, why: &str, at: Offset, heard: &mut Vec<Heard>) {
        self.amiss(RemarkKind::NoMetrics, why.to_owned(), at, heard);
    }

    fn unknown(&mut self, at: Offset, heard: &mut Vec<Heard>) {
        if !std::mem::replace(&mut self.said_unknown, true) {
            let detail =
                "its metrics are of no server that is known here, and are kept as they stand";
            heard.push(self.remark(RemarkKind::UnknownServer, detail.to_owned(), at));
        }
    }

    fn well(&mut self, at: Offset, heard: &mut Vec<Heard>) {
        if let Standing::Amiss(_) = self.standing {
            let detail = "it answers again".to_owned();
            heard.push(self.remark(RemarkKind::Recovered, detail, at));
        }
        self.standing = Standing::Well;
    }

    fn amiss(&mut self, kind: RemarkKind, why: String, at: Offset, heard: &mut Vec<Heard>) {
        let never_answered = matches!(self.standing, Standing::Unasked | Standing::Silent);
        if never_answered && self.expected == Expected::Perhaps {
            self.standing = Standing::Silent;
        } else if self.standing != Standing::Amiss(kind) {
            self.standing = Standing::Amiss(kind);
            heard.push(self.remark(kind, why, at));
        }
    }

    fn remark(&self, kind: RemarkKind, detail: String, at: Offset) -> Heard {
        Heard::Remark(Remark { at, source: self.source.clone(), kind, detail })
    }
}
