//! A program as a source: `nvidia-smi`, which says what the GPUs of this machine do.

use std::ops::ControlFlow;
use std::path::Path;

use tokometer_record::{Offset, Remark, RemarkKind};

use super::{Clock, Heard, Source};
use crate::nvidia_smi::{self, AskError};
use crate::server::Detail;

/// A program that is asked again and again.
pub(super) struct Program {
    name: &'static str,
    /// Whether it was said that something is amiss.
    said_amiss: bool,
}

impl Program {
    /// The program of this name, which takes `nvidia-smi`'s arguments.
    pub(super) const fn new(name: &'static str) -> Self {
        Self { name, said_amiss: false }
    }
}

impl Source for Program {
    fn read(&mut self, _: Detail, now: &Clock, heard: &mut Vec<Heard>) -> ControlFlow<()> {
        let asked = nvidia_smi::ask(Path::new(self.name));
        self.take(asked, now(), heard)
    }
}

impl Program {
    fn take(
        &mut self,
        asked: Result<String, AskError>,
        at: Offset,
        heard: &mut Vec<Heard>,
    ) -> ControlFlow<()> {
        match asked {
            // Most machines have none, and that is no matter.
            Err(error) if error.is_absence() => return ControlFlow::Break(()),
            // Whatever was said before, this is the last of it.
            Err(error @ AskError::Wedged { .. }) => {
                heard.push(self.remark(RemarkKind::Unreachable, error.to_string(), at));
                return ControlFlow::Break(());
            }
            Err(error) => self.amiss(error.to_string(), at, heard),
            Ok(table) => match nvidia_smi::reading(&table, at) {
                Some(reading) => {
                    self.well(at, heard);
                    heard.push(Heard::Gpus(reading));
                }
                None => self.amiss("it tells of no GPU".to_owned(), at, heard),
            },
        }
        ControlFlow::Continue(())
    }

    fn well(&mut self, at: Offset, heard: &mut Vec<Heard>) {
        if std::mem::take(&mut self.said_amiss) {
            let detail = "it answers again".to_owned();
            heard.push(self.remark(RemarkKind::Recovered, detail, at));
        }
    }

    fn amiss(&mut self, why: String, at: Offset, heard: &mut Vec<Heard>) {
        if !std::mem::replace(&mut self.said_amiss, true) {
            heard.push(self.remark(RemarkKind::Unreachable, why, at));
        }
    }

    fn remark(&self, kind: RemarkKind, detail: String, at: Offset) -> Heard {
        Heard::Remark(Remark { at, source: self.name.to_owned(), kind, detail })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn heard(program: &mut Program) -> (Vec<Heard>, ControlFlow<()>) {
        let clock: Clock = Arc::new(|| Offset::from_nanos(7));
        let mut heard = Vec::new();
        let goes_on = program.read(Detail::Brief, &clock, &mut heard);
        (heard, goes_on)
    }

    /// What is remarked upon, once.
    #[cfg(unix)]
    fn remarked(name: &'static str) -> (RemarkKind, String) {
        let mut program = Program::new(name);
        let (mut first, goes_on) = heard(&mut program);
        assert_eq!((first.len(), goes_on), (1, ControlFlow::Continue(())));
        assert_eq!(heard(&mut program), (Vec::new(), ControlFlow::Continue(())));
        match first.remove(0) {
            Heard::Remark(remark) => (remark.kind, remark.detail),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_machine_without_the_program_is_asked_once_and_in_silence() {
        let mut program = Program::new("no-program-of-this-name");
        assert_eq!(heard(&mut program), (Vec::new(), ControlFlow::Break(())));
    }

    #[test]
    #[cfg(unix)]
    fn a_program_that_may_not_be_run_is_as_good_as_none() {
        // A folder is a file that nobody may run.
        let mut program = Program::new("/");
        assert_eq!(heard(&mut program), (Vec::new(), ControlFlow::Break(())));
    }

    #[test]
    fn a_program_that_cannot_even_be_ended_is_not_asked_again() {
        let mut program = Program::new("nvidia-smi");
        let wedged = Err(AskError::Wedged { name: "nvidia-smi".to_owned() });
        let mut heard = Vec::new();
        let goes_on = program.take(wedged, Offset::from_nanos(7), &mut heard);
        assert_eq!((heard.len(), goes_on), (1, ControlFlow::Break(())));
    }

    #[test]
    #[cfg(unix)]
    fn a_program_that_fails_or_tells_nothing_is_remarked_upon_once() {
        let kind = RemarkKind::Unreachable;
        assert_eq!(remarked("false"), (kind, "false failed: exit status: 1".to_owned()));
        assert_eq!(remarked("true"), (kind, "it tells of no GPU".to_owned()));
    }
}
