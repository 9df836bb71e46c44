//! How far means and percentiles can be relied on: their bounds, or in words why they have none.
//!
//! Deliberately of requests alone: the gaps within one request are not independent of each other, and have no bounds. What differs
//! from run to run is in none of these.

use serde_json::{Map, Value, json};
use tokometer_metrics::Distribution;
use tokometer_metrics::catalog::{E2E, Metric, Of, SCHEDULED_E2E, SCHEDULED_TTFT, TPOT, TTFT};
use tokometer_metrics::confidence::{
    Bounds, CONFIDENCE_OF_MEANS, CONFIDENCE_OF_PERCENTILES, TooFew,
};
use tokometer_metrics::quantile::Percentile;
use tokometer_metrics::summary::PointSummary;

use crate::grid::{Column, outline};
use crate::number::{compact, count, plural, shortest};
use crate::prose::paragraph;

/// The bounds of the latencies of a point as a table, and what has none. Empty without successes.
pub(crate) fn of_point(summary: &PointSummary) -> String {
    let from_schedule = if summary.point.rate.is_some() { SCHEDULED } else { &[] };
    let told: Vec<Told<'_>> = LATENCIES
        .iter()
        .chain(from_schedule)
        .filter_map(|&(name, metric, scale)| {
            Some(Told { name, scale, values: summary.distribution(metric)? })
        })
        .collect();
    if told.is_empty() {
        return String::new();
    }
    let labels: Vec<String> = SHOWN.iter().map(|p| format!("P{}", p.percent())).collect();
    let mut columns = vec![Column::left("Latency"), Column::right("Mean")];
    columns.extend(labels.iter().map(|label| Column::right(label)));
    let rows: Vec<Vec<String>> = told.iter().map(Told::row).collect();
    let sureness = format!(
        "Below each figure its bounds. Those of a mean hold it with {} % confidence, and each of a percentile holds with {} %; what \
         differs from run to run is in neither.",
        shortest(100.0 * CONFIDENCE_OF_MEANS, 1),
        shortest(100.0 * CONFIDENCE_OF_PERCENTILES, 1)
    );
    let heading = "How far the latencies can be relied on (percentiles by nearest rank):\n";
    heading.to_owned()
        + &outline(&columns, &rows)
        + &paragraph("", &sureness)
        + &refusals(&told, summary.counts.measured)
}

/// The bounds of a distribution as data. Null for gaps, of which one request has many.
pub(crate) fn json(metric: &Metric, values: &Distribution) -> Value {
    if matches!(metric.of, Of::Gaps(_)) {
        return Value::Null;
    }
    let bounds = |bounds: Result<Bounds, TooFew>| match bounds {
        Ok(Bounds { low, high }) => json!({ "low": low, "high": high }),
        Err(TooFew { needs, has }) => json!({ "needs": needs, "has": has }),
    };
    let percentiles: Map<String, Value> = Percentile::LADDER
        .iter()
        .filter_map(|&percentile| {
            Some((percentile.to_string(), bounds(values.bounds(percentile)?)))
        })
        .collect();
    json!({
        "mean": bounds(values.mean_bounds()),
        "mean_confidence": CONFIDENCE_OF_MEANS,
        "percentiles": percentiles,
        "percentile_confidence": CONFIDENCE_OF_PERCENTILES,
    })
}

/// A latency as it is told.
#[derive(Clone, Copy, Debug)]
struct Told<'a> {
    /// Its name, with its unit.
    name: &'static str,
    /// What seconds are multiplied with to be in that unit.
    scale: f64,
    values: &'a Distribution,
}

impl Told<'_> {
    fn row(&self) -> Vec<String> {
        let mean = self.values.mean;
        let within = self.values.mean_bounds().ok().map(|bounds| self.around(mean, bounds));
        let mut row = vec![self.name.to_owned(), self.cell(mean, within)];
        row.extend(SHOWN.iter().map(|&percentile| {
            let bounds = self.values.bounds(percentile).and_then(Result::ok);
            let value = self.values.nearest_rank(percentile).unwrap_or(self.values.max);
            self.cell(value, bounds.map(|bounds| self.between(bounds)))
        }));
        row
    }

    fn cell(&self, value: f64, bounds: Option<String>) -> String {
        format!("{}\n{}", self.shown(value), bounds.as_deref().unwrap_or("no bounds"))
    }

    /// `± 12.4`, or from where to where if the mean is not in the middle.
    fn around(&self, mean: f64, bounds: Bounds) -> String {
        let (below, above) = (mean - bounds.low, bounds.high - mean);
        if (above - below).abs() <= EVEN * (above + below) {
            format!("± {}", self.shown(f64::midpoint(below, above)))
        } else {
            self.between(bounds)
        }
    }

    fn between(&self, bounds: Bounds) -> String {
        format!("{} – {}", self.shown(bounds.low), self.shown(bounds.high))
    }

    fn shown(&self, seconds: f64) -> String {
        compact(seconds * self.scale, if self.scale > 1.0 { 2 } else { 3 })
    }
}

/// What has no bounds, and how many requests it takes: each figure once, by the latency that lacks most.
fn refusals(told: &[Told<'_>], sent: u64) -> String {
    let mut refused: Vec<(String, TooFew)> = Vec::new();
    for latency in told {
        let mean = latency.values.mean_bounds().err().map(|few| ("A mean".to_owned(), few));
        let percentiles = SHOWN.iter().filter_map(|&percentile| {
            let few = latency.values.bounds(percentile)?.err()?;
            Some((format!("P{}", percentile.percent()), few))
        });
        for (what, few) in mean.into_iter().chain(percentiles) {
            match refused.iter_mut().find(|(known, _)| *known == what) {
                Some((_, known)) if few.has < known.has => *known = few,
                Some(_) => {}
                None => refused.push((what, few)),
            }
        }
    }
    refused.iter().map(|(what, few)| paragraph("", &refusal(what, *few, sent))).collect()
}

fn refusal(what: &str, few: TooFew, sent: u64) -> String {
    let needs = plural(few.needs, "request", "requests");
    let has = count(few.has);
    match few.has == sent {
        true => format!("{what} needs {needs}, {has} were sent: it has no bounds."),
        false => format!(
            "{what} needs {needs}, of the {} that were sent {has} have such a latency: it has no bounds.",
            count(sent)
        ),
    }
}

const LATENCIES: &[(&str, &Metric, f64)] =
    &[("TTFT (ms)", &TTFT, 1e3), ("TPOT (ms)", &TPOT, 1e3), ("E2E (s)", &E2E, 1.0)];

/// Where requests were paced.
const SCHEDULED: &[(&str, &Metric, f64)] =
    &[("Sched. TTFT (ms)", &SCHEDULED_TTFT, 1e3), ("Sched. E2E (s)", &SCHEDULED_E2E, 1.0)];

/// The percentiles of the table.
const SHOWN: [Percentile; 4] = [Percentile::P50, Percentile::P90, Percentile::P95, Percentile::P99];

/// A mean is in the middle of its bounds if they differ by no more than this part of their distance.
const EVEN: f64 = 0.01;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_that_is_not_borne_is_refused_in_words() {
        let few = TooFew { needs: 459, has: 100 };
        assert_eq!(
            refusal("P99", few, 100),
            "P99 needs 459 requests, 100 were sent: it has no bounds."
        );
        assert_eq!(
            refusal("P99", few, 400),
            "P99 needs 459 requests, of the 400 that were sent 100 have such a latency: it has no bounds."
        );
    }

    #[test]
    fn a_mean_in_the_middle_of_its_bounds_has_a_half_width() {
        let values = Distribution::of(vec![0.1]).unwrap();
        let told = Told { name: "TTFT (ms)", scale: 1e3, values: &values };
        assert_eq!(told.around(0.1, Bounds { low: 0.09, high: 0.11 }), "± 10");
        assert_eq!(told.around(0.1, Bounds { low: 0.09, high: 0.2 }), "90 – 200");
    }

    #[test]
    fn the_gaps_of_a_request_have_no_bounds() {
        let values = Distribution::of(vec![0.1; 100]).unwrap();
        assert!(json(&tokometer_metrics::catalog::ITL, &values).is_null());
        assert!(json(&TTFT, &values).is_object());
    }
}
