//! How a run ended: where it is kept, and the exit code that it deserves.

use std::path::PathBuf;

use tokometer_metrics::summary::{Ending, PointSummary};

use crate::exit::Exit;

/// How a run ended, and where it is kept.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit code that it deserves.
    pub(crate) exit: Exit,
    /// Its folder.
    pub(crate) folder: PathBuf,
    /// What its points amounted to, as far as they ended.
    pub(crate) summaries: Vec<PointSummary>,
}

impl Ended {
    /// The result of its first point, where its reports are vLLM's.
    pub(crate) fn result(&self) -> PathBuf {
        let point = self.summaries.first().map_or("", |summary| &summary.point.name);
        self.folder.join(point).join(RESULT)
    }
}

/// The exit code that these points deserve, in a run that ended so.
pub(crate) fn exit_of(summaries: &[PointSummary], ending: Ending) -> Exit {
    let any = |holds: fn(&PointSummary) -> bool| summaries.iter().any(holds);
    let cut = ending != Ending::Complete || any(|point| point.ending != Ending::Complete);
    let deserved = [
        (Exit::Interrupted, cut),
        (Exit::RequestsFailed, any(|point| point.counts.broken() > 0)),
        (Exit::ClientLimited, any(|point| point.verdict.is_client_limited())),
    ];
    let deserved: Vec<Exit> =
        deserved.into_iter().filter(|(_, holds)| *holds).map(|(exit, _)| exit).collect();
    Exit::of_run(&deserved)
}

/// What vLLM's reports write into the folder of a point.
const RESULT: &str = "result.json";
