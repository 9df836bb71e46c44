//! A load and what came of it, as comparisons need it: its figures, its requests where they were kept, and what it was.
//!
//! Deliberately holds no record: what is kept of requests is of a bounded size, so that any number of runs can be compared.

use tokometer_metrics::Run;
use tokometer_metrics::catalog::{INPUT_TOKENS, OUTPUT_TOKENS};
use tokometer_metrics::compare::{Kept, Sample};
use tokometer_metrics::course::{Course, Curve};
use tokometer_metrics::summary::{Ending, summarize};
use tokometer_record::{Header, PointLog};

use super::words;
use crate::cases::Case;

/// A load and what came of it.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Where it was read.
    pub source: String,
    /// Where copies of it were read, which are not counted.
    pub copies: Vec<String>,
    /// Its load and its figures.
    pub case: Case,
    /// What API was asked, in words that are the same whoever measured: `chat completions`.
    pub api: Option<String>,
    /// The dataset.
    pub dataset: Option<String>,
    /// Whether requests were sent by schedule alone.
    pub open_loop: bool,
    /// Why its figures are not those of the whole load: it was interrupted, or its log has no end.
    pub broken_off: Option<String>,
    /// Its requests, if they were kept.
    pub kept: Option<Kept>,
    /// The lengths of its prompts and outputs, if they were kept.
    pub lengths: [Option<Sample>; 2],
    /// Its distributions, if they are wanted and known.
    pub curves: Vec<Curve>,
}

/// What is kept beside figures and requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Nothing.
    Figures,
    /// Curves, for pictures.
    Curves,
}

impl Measured {
    /// A point of a log of this program. `source` says where the log is.
    pub fn of_log(header: &Header, log: &PointLog, source: &str, keep: Keep) -> Self {
        let (summary, run) = (summarize(log), Run::of(log));
        let sample = |metric: &tokometer_metrics::catalog::Metric| Sample::of(&metric.values(&run));
        Self {
            source: format!("{source} ({})", log.point.name),
            copies: Vec::new(),
            case: Case::of_point(header, &summary),
            api: words::api_of_address(&header.url).or_else(|| words::api(&header.api)),
            dataset: Some(header.dataset.clone()).filter(|dataset| !dataset.is_empty()),
            open_loop: log.point.open_loop,
            broken_off: match summary.ending {
                Ending::Complete => None,
                Ending::Interrupted => Some("it was interrupted".to_owned()),
                Ending::Unfinished => Some("its log has no end".to_owned()),
            },
            kept: Some(Kept::of(&run)),
            lengths: [sample(&INPUT_TOKENS), sample(&OUTPUT_TOKENS)],
            curves: match keep {
                Keep::Figures => Vec::new(),
                Keep::Curves => Course::of(&run).curves,
            },
        }
    }

    /// What EvalScope wrote of a point.
    pub fn of_evalscope(case: Case, source: &str) -> Self {
        let text = |key: &str| case.settings.get(key).and_then(|value| value.as_str());
        Self {
            source: source.to_owned(),
            copies: Vec::new(),
            api: text("url")
                .and_then(words::api_of_address)
                .or_else(|| text("api").and_then(words::api)),
            dataset: text("dataset").map(str::to_owned),
            open_loop: case.settings.get("open_loop").and_then(|open| open.as_bool()) == Some(true),
            broken_off: None,
            kept: None,
            lengths: [None; 2],
            curves: Vec::new(),
            case,
        }
    }

    /// Requests that were tried, and those of them that failed, where both are told.
    pub(super) fn failed(&self) -> Option<(f64, f64)> {
        let failed = self.case.figure("failed")? - self.case.figure("cancelled").unwrap_or(0.0);
        Some((failed, failed + self.case.figure("completed")?))
    }

    /// The model.
    pub(super) fn model(&self) -> Option<&str> {
        Some(self.case.group.as_str()).filter(|model| !model.is_empty())
    }

    /// The mean length of prompts, or of outputs, as it was measured.
    pub(super) fn measured_length(&self, which: usize) -> Option<f64> {
        let total = ["total_input_tokens", "total_output_tokens"][which];
        let of_figures = || {
            let completed = self.case.figure("completed").filter(|completed| *completed > 0.0)?;
            Some(self.case.figure(total)? / completed)
        };
        self.lengths[which].map(|sample| sample.mean).or_else(of_figures).filter(|mean| *mean > 0.0)
    }
}
