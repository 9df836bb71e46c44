//! What metrics, loads and judgements are called in both languages, and figures as text.
//!
//! Deliberately defines nothing: names and definitions are those of the catalog and of `chinese`.

use tokometer_metrics::Unit;
use tokometer_metrics::catalog::{E2E, Metric, Over, PROBE_E2E, QUEUED_E2E, SCHEDULED_E2E};
use tokometer_metrics::summary::{Ending, PointSummary};
use tokometer_metrics::verdict::Verdict;
use tokometer_record::Point;

use crate::chinese;
use crate::grid::Tone;
use crate::label;
use crate::number::{compact, shortest};
use crate::words::Words;

/// A metric's name.
pub(super) fn metric(metric: &Metric) -> Words {
    match chinese::metric(metric.key) {
        Some(chinese) => Words::fixed(metric.title, chinese.title),
        None => metric.title.into(),
    }
}

/// A metric's short name in a table, with the unit of its figures.
pub(super) fn short(metric: &Metric) -> Words {
    let unit = Shown::of(metric).symbol(metric);
    let name = match metric.key {
        "ttft" => "TTFT",
        "ttfat" => "TTFAT",
        "tpot" => "TPOT",
        "itl" => "ITL",
        "icl" => "ICL",
        "e2e" => "E2E",
        _ => {
            let words = self::metric(metric);
            let told = |language| match unit {
                "" => words.told(language).to_owned(),
                unit => format!("{} ({unit})", words.told(language)),
            };
            return Words::both(
                told(crate::words::Language::English),
                told(crate::words::Language::Chinese),
            );
        }
    };
    format!("{name} ({unit})").into()
}

/// A metric's full name, and its definition with the requests that it is taken over.
pub(super) fn definition(metric: &Metric) -> (Words, Words) {
    let over = match metric.over {
        Over::Successes => "the requests that succeeded",
        Over::Measured => "all measured requests, failures included",
        Over::Probes => "the probes beside the load",
    };
    let english = format!("{} Taken over {over}.", metric.definition);
    let text = match chinese::metric(metric.key) {
        Some(chinese) => Words::both(
            english,
            format!("{}统计对象：{}。", chinese.definition, chinese::over(metric.over)),
        ),
        None => english.into(),
    };
    (self::metric(metric), text)
}

/// In which unit a metric's figures are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    Milliseconds,
    Mebibytes,
    AsIs,
}

impl Shown {
    /// Lengths of whole requests in seconds, all shorter ones in milliseconds.
    pub(super) fn of(metric: &Metric) -> Self {
        let long = [&E2E, &SCHEDULED_E2E, &QUEUED_E2E, &PROBE_E2E];
        match metric.unit {
            Unit::Seconds if metric.key.contains("duration") => Self::AsIs,
            Unit::Seconds if long.iter().any(|long| long.key == metric.key) => Self::AsIs,
            Unit::Seconds => Self::Milliseconds,
            Unit::Bytes => Self::Mebibytes,
            _ => Self::AsIs,
        }
    }

    pub(super) const fn symbol(self, metric: &Metric) -> &'static str {
        match self {
            Self::Milliseconds => "ms",
            Self::Mebibytes => "MiB",
            // A number of requests needs no unit beside its name.
            Self::AsIs if matches!(metric.unit, Unit::Requests | Unit::Inputs) => "",
            Self::AsIs => metric.unit.symbol(),
        }
    }

    /// A figure with its unit.
    pub(super) fn with_unit(metric: &Metric, value: f64) -> String {
        let shown = Self::of(metric);
        format!("{} {}", shown.text(value), shown.symbol(metric)).trim_end().to_owned()
    }

    pub(super) fn text(self, value: f64) -> String {
        match self {
            Self::Milliseconds => compact(value * 1e3, 2),
            Self::Mebibytes => compact(value / 1_048_576.0, 1),
            Self::AsIs => compact(value, 3),
        }
    }
}

/// A load, at the beginning of a line.
pub(super) fn load(point: &Point) -> Words {
    let chinese = match (point.concurrency, point.rate) {
        (Some(places), None) => format!("并发 {places}"),
        (Some(places), Some(rate)) => format!("并发 {places}，速率 {} req/s", shortest(rate, 2)),
        (None, Some(rate)) => format!("速率 {} req/s", shortest(rate, 2)),
        (None, None) => return label::capital(point).into(),
    };
    Words::both(label::capital(point), chinese)
}

/// The verdict on the client, in a word.
pub(super) fn verdict(verdict: &Verdict) -> (Tone, Words) {
    let (tone, english) = match verdict {
        Verdict::Valid => (Tone::Good, "valid"),
        Verdict::ClientLimited { .. } => (Tone::Poor, "CLIENT-LIMITED"),
        Verdict::NotJudged { .. } => (Tone::Fair, "not judged"),
    };
    (tone, Words::fixed(english, chinese::verdict(verdict)))
}

/// Whether a point came to its end, where it did not.
pub(super) fn ending(summary: &PointSummary) -> Option<Words> {
    let english = match summary.ending {
        Ending::Complete => return None,
        Ending::Interrupted => "interrupted",
        Ending::Unfinished => "unfinished",
    };
    Some(Words::fixed(english, chinese::ending(summary.ending)))
}
