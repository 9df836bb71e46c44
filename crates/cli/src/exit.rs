//! The exit codes, each with what it means.
//!
//! A run can deserve several: the one that says most about how far the figures can be used is taken, in the order of
//! [`Exit::of_run`]. docs/exit-codes.md tells the same, and a test holds them together.

use std::process::ExitCode;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything was done and nothing failed.
    Done,
    /// Something that was to be had could not: the server, a file, the system.
    Failed,
    /// What was typed cannot be run.
    Input,
    /// The run ended, and some of its requests had failed.
    RequestsFailed,
    /// The run ended, but this program was too slow for it: the figures are partly its own.
    ClientLimited,
    /// A batch, or what gathers its results, came to its end, and some of what it was to hold is missing or could not be read.
    Incomplete,
    /// A comparison found what `--fail-on` was to fail for.
    Regressed,
    /// The two sides of a comparison cannot be compared as they stand.
    Incomparable,
    /// The run was interrupted.
    Interrupted,
}

impl Exit {
    /// The code handed to the system.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Input => 2,
            Self::RequestsFailed => 3,
            Self::ClientLimited => 4,
            Self::Incomplete => 5,
            Self::Regressed => 6,
            Self::Incomparable => 7,
            Self::Interrupted => 130,
        }
    }

    /// The exit of a run that deserves all of `deserved`: the one that says most. An interruption does, for the run is not what was
    /// asked for; then failed requests, a fact about the server; then a client that was too slow, which the reports say beside
    /// every figure.
    pub(crate) fn of_run(deserved: &[Self]) -> Self {
        let telling = [Self::Interrupted, Self::RequestsFailed, Self::ClientLimited];
        telling.into_iter().find(|exit| deserved.contains(exit)).unwrap_or(Self::Done)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The table for help texts.
pub(crate) const TABLE: &str = "\
Exit codes:
  0    everything was done, and nothing failed
  1    something could not be had: the server, a file, the system
  2    what was typed cannot be run
  3    the run ended, and some of its requests had failed
  4    the run ended, but this program was too slow for it (client-limited)
  5    batch, aggregate, visualize, report: some of what was to be there is missing or could not be read
  6    compare: the candidate is worse by what --fail-on names
  7    compare: the two sides cannot be compared as they stand
  130  interrupted";

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: [Exit; 9] = [
        Exit::Done,
        Exit::Failed,
        Exit::Input,
        Exit::RequestsFailed,
        Exit::ClientLimited,
        Exit::Incomplete,
        Exit::Regressed,
        Exit::Incomparable,
        Exit::Interrupted,
    ];

    #[test]
    fn help_and_documentation_tell_of_every_code() {
        let documented = include_str!("../../../docs/exit-codes.md");
        for code in EVERY.map(Exit::code) {
            assert!(
                documented.contains(&format!("| {code} |")),
                "{code} is not in docs/exit-codes.md"
            );
            assert!(TABLE.contains(&format!("\n  {code:<5}")), "{code} is not in the help");
        }
    }

    #[test]
    fn an_interruption_says_more_than_failures_and_they_more_than_a_slow_client() {
        use Exit::{ClientLimited, Done, Interrupted, RequestsFailed};
        assert_eq!(Exit::of_run(&[ClientLimited, RequestsFailed, Interrupted]), Interrupted);
        assert_eq!(Exit::of_run(&[ClientLimited, RequestsFailed]), RequestsFailed);
        assert_eq!(Exit::of_run(&[ClientLimited]), ClientLimited);
        assert_eq!(Exit::of_run(&[]), Done);
    }
}
