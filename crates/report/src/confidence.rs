//! How far means and percentiles can be relied on: their bounds, or in words why they have none.
//!
//! Deliberately of requests alone: the gaps within one request are no sample of their own, and have no bounds. That requests which
//! follow each other depend on each other is in all of these, what differs from run to run in none.

use serde_json::{Map, Value, json};
use tokometer_metrics::Distribution;
use tokometer_metrics::catalog::{E2E, Metric, Of, SCHEDULED_E2E, SCHEDULED_TTFT, TPOT, TTFT};
use tokometer_metrics::confidence::{
    Bounds, CONFIDENCE_OF_MEANS, CONFIDENCE_OF_PERCENTILES, Unbounded,
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
        "Below each figure its bounds. Those of a mean hold it with {} % confidence, and each of a percentile holds with {} %; \
         that requests which follow each other depend on each other is allowed for, what differs from run to run is in neither.",
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
    let bounds = |bounds: Result<Bounds, Unbounded>| match bounds {
        Ok(Bounds { low, high }) => json!({ "low": low, "high": high }),
        Err(Unbounded::TooFew { needs, has }) => {
            json!({ "why": "too_few", "needs": needs, "has": has })
        }
        Err(Unbounded::Dependent { needs, has, worth }) => {
            json!({ "why": "dependent", "needs": needs, "has": has, "worth": worth })
        }
        Err(Unbounded::Pooled) => Value::Null,
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

/// What has no bounds, and why. What too few requests have is told once a figure, by the latency that lacks most; of requests that
/// depend on each other, the latencies each figure of which lacks bounds are named with what they are worth at the least.
fn refusals(told: &[Told<'_>], sent: u64) -> String {
    let mut few: Vec<(String, Few)> = Vec::new();
    let mut dependent: Vec<String> = Vec::new();
    for latency in told {
        let mean = latency.values.mean_bounds().err().map(|why| ("A mean".to_owned(), why));
        let percentiles = SHOWN.iter().filter_map(|&percentile| {
            let why = latency.values.bounds(percentile)?.err()?;
            Some((format!("P{}", percentile.percent()), why))
        });
        let mut of_latency: Vec<(String, u64, u64)> = Vec::new();
        for (what, why) in mean.into_iter().chain(percentiles) {
            match why {
                Unbounded::TooFew { needs, has } => {
                    match few.iter_mut().find(|(known, _)| *known == what) {
                        Some((_, known)) if has < known.has => known.has = has,
                        Some(_) => {}
                        None => few.push((what, Few { needs, has })),
                    }
                }
                Unbounded::Dependent { needs, worth, .. } => of_latency.push((what, needs, worth)),
                Unbounded::Pooled => {}
            }
        }
        if !of_latency.is_empty() {
            dependent.push(hang_together(latency, &of_latency));
        }
    }
    let few = few.iter().map(|(what, few)| refusal(what, *few, sent));
    few.chain(dependent).map(|told| paragraph("", &told)).collect()
}

/// `TTFT: requests depend on each other too much for bounds of …`.
fn hang_together(latency: &Told<'_>, figures: &[(String, u64, u64)]) -> String {
    let lacking: Vec<String> = figures
        .iter()
        .map(|(what, needs, worth)| {
            let what = if what == "A mean" { "the mean" } else { what };
            format!("{what} ({} of {})", count(*worth), count(*needs))
        })
        .collect();
    let name = latency.name.split(" (").next().unwrap_or(latency.name);
    format!(
        "{name}: requests that follow each other depend on each other too much for bounds at n = {}. In brackets how many \
         independent ones they are worth, of those that it takes: {}.",
        count(latency.values.n),
        lacking.join(", ")
    )
}

/// How many requests it takes, and how many there are.
#[derive(Clone, Copy, Debug)]
struct Few {
    needs: u64,
    has: u64,
}

fn refusal(what: &str, few: Few, sent: u64) -> String {
    let needs = plural(few.needs, "request", "requests");
    let has = count(few.has);
    match few.has == sent {
        true => format!(
            "{what} needs {needs}, {has} {} sent: it has no bounds.",
            if sent == 1 { "was" } else { "were" }
        ),
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
        let few = Few { needs: 459, has: 100 };
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
    fn requests_that_hang_together_are_told_as_that() {
        // A queue that grows all along: of 500 requests each meets a longer one.
        let values = Distribution::of((0..500).map(f64::from).collect()).unwrap();
        let told = Told { name: "TTFT (ms)", scale: 1e3, values: &values };
        let text = refusals(&[told], 500).replace('\n', " ");
        assert!(
            text.starts_with("TTFT: requests that follow each other depend on each other too much for bounds at n = 500."),
            "{text}"
        );
        assert!(text.contains("the mean (0 of 10), P50 ("), "{text}");
        let json = json(&TTFT, &values);
        assert_eq!(json["mean"]["why"], "dependent");
        assert_eq!(json["percentiles"][Percentile::P99.to_string()]["why"], "dependent");
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
