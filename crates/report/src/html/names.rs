//! What metrics, loads and judgements are called in both languages, and figures as text.
//!
//! Deliberately defines nothing: names and definitions are those of the catalog and of `chinese`.

use tokometer_metrics::Unit;
use tokometer_metrics::catalog::{
    E2E, FULL_OUTPUT_THROUGHPUT, Metric, OUTPUT_THROUGHPUT, OUTPUT_TOKENS, Over, PROBE_E2E,
    QUEUED_E2E, SCHEDULED_E2E,
};
use tokometer_metrics::summary::{Ending, PointSummary};
use tokometer_metrics::verdict::Verdict;
use tokometer_record::{Offset, Point};

use crate::chinese;
use crate::grid::Tone;
use crate::label;
use crate::number::{compact, count, fixed, shortest};
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
            Self::Milliseconds => figure(value * 1e3, 2),
            Self::Mebibytes => figure(value / 1_048_576.0, 1),
            Self::AsIs => figure(value, 3),
        }
    }
}

/// A figure in a few digits, thousands apart as in charts: `12,346`.
pub(super) fn figure(value: f64, digits: usize) -> String {
    let text = compact(value, digits);
    let (sign, rest) = text.strip_prefix('-').map_or(("", text.as_str()), |rest| ("-", rest));
    let (whole, decimals) = match rest.split_once('.') {
        Some((whole, decimals)) => (whole, format!(".{decimals}")),
        None => (rest, String::new()),
    };
    match whole.parse::<u64>() {
        Ok(whole) => format!("{sign}{}{decimals}", count(whole)),
        Err(_) => text,
    }
}

/// A figure of a point as a whole. A throughput of outputs is none where nothing put any out: 0 would be a figure.
pub(super) fn whole(summary: &PointSummary, metric: &Metric) -> Option<f64> {
    let of_outputs = [&OUTPUT_THROUGHPUT, &FULL_OUTPUT_THROUGHPUT];
    let is_of_outputs = of_outputs.iter().any(|of| of.key == metric.key);
    if is_of_outputs && summary.counts.succeeded > 0 && !has_outputs(summary) {
        return None;
    }
    summary.figure(metric)
}

/// Whether any token of an output was counted.
pub(super) fn has_outputs(summary: &PointSummary) -> bool {
    summary.distribution(&OUTPUT_TOKENS).is_some_and(|tokens| tokens.max > 0.0)
}

/// A moment of a run on the clock of a point's load, as text: seconds since it began.
pub(super) fn moment(at: Offset, began: f64) -> String {
    fixed(at.as_secs_f64() - began, 1)
}

/// That some requests are in no latency, where some are not.
pub(super) fn not_in_latencies(summary: &PointSummary) -> Option<Words> {
    let counts = summary.counts;
    if counts.measured <= counts.succeeded {
        return None;
    }
    let (failed, cancelled) = (counts.broken(), counts.cancelled);
    let all = count(counts.measured);
    let [english, chinese] = match (failed, cancelled) {
        (failed, 0) => {
            let failed = count(failed);
            [
                format!("{failed} of {all} requests failed"),
                format!("{all} 个请求中有 {failed} 个失败"),
            ]
        }
        (0, cancelled) => {
            let cancelled = count(cancelled);
            [
                format!("{cancelled} of {all} requests were cancelled"),
                format!("{all} 个请求中有 {cancelled} 个被取消"),
            ]
        }
        (failed, cancelled) => {
            let (failed, cancelled) = (count(failed), count(cancelled));
            [
                format!("{failed} of {all} requests failed and {cancelled} were cancelled"),
                format!("{all} 个请求中有 {failed} 个失败、{cancelled} 个被取消"),
            ]
        }
    };
    Some(Words::both(
        format!("{english}, and are in no latency."),
        format!("{chinese}，不计入任何延迟。"),
    ))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart_and_decimals_stay() {
        let told = [0.0, 0.1234, 999.994, 1_234.56, 12_345.6, 1_234_567.0, -1_234.5];
        let told = told.map(|value| figure(value, 2));
        assert_eq!(told, ["0", "0.12", "999.99", "1,234.6", "12,346", "1,234,567", "-1,234.5"]);
    }

    #[test]
    fn a_moment_counts_from_the_load_and_may_lie_before_it() {
        let at = Offset::from_nanos(9_400_000_000);
        assert_eq!([moment(at, 6.2), moment(at, 10.0)], ["3.2", "-0.6"]);
    }
}
