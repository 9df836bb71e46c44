//! The distributions that vLLM tells under keys and rows of their own, and when each is told.
//!
//! Deliberately knows neither file nor console: both go through the one list.

use tokometer_metrics::catalog::{CLIENT_QUEUE_TIME, E2E, ICL, Metric, QUEUED_E2E, TPOT, TTFT};
use tokometer_metrics::quantile::Percentile;

use super::case::Case;

/// A distribution that is told under keys of its own.
#[derive(Debug)]
pub(super) struct Spread {
    /// vLLM's name in keys: `ttft`.
    pub(super) name: &'static str,
    /// vLLM's name in rows: `TTFT`.
    pub(super) label: &'static str,
    /// The heading above its rows.
    pub(super) heading: &'static str,
    metric: &'static Metric,
    when: When,
}

/// When a distribution is told, if it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Generating,
    Always,
    /// Under a cap of requests in flight.
    Capped,
    /// Under such a cap, where arrivals are paced.
    CappedAndPaced,
}

const fn spread(
    name: &'static str,
    label: &'static str,
    heading: &'static str,
    metric: &'static Metric,
    when: When,
) -> Spread {
    Spread { name, label, heading, metric, when }
}

/// Every distribution, in vLLM's order.
pub(super) const SPREADS: [Spread; 6] = [
    spread("ttft", "TTFT", "Time to First Token", &TTFT, When::Generating),
    spread("tpot", "TPOT", "Time per Output Token (excl. 1st token)", &TPOT, When::Generating),
    spread("itl", "ITL", "Inter-token Latency", &ICL, When::Generating),
    spread("e2el", "E2EL", "End-to-end Latency", &E2E, When::Always),
    spread(
        "client_queue_time",
        "Client Queue Time",
        "Client-side Queueing",
        &CLIENT_QUEUE_TIME,
        When::Capped,
    ),
    spread(
        "e2el_including_client_queue",
        "E2EL incl. Client Queue",
        "Queue-inclusive End-to-end Latency",
        &QUEUED_E2E,
        When::CappedAndPaced,
    ),
];

/// The gaps between chunks.
pub(super) const ITL: &Spread = &SPREADS[2];

/// End-to-end latency, which the file has in any case.
pub(super) const E2EL: &Spread = &SPREADS[3];

impl Spread {
    /// Whether it was asked for and applies.
    pub(super) fn told(&self, case: &Case<'_>) -> bool {
        let capped = case.arguments.max_concurrency.is_some();
        let applies = match self.when {
            When::Generating => !case.pooling(),
            When::Always => true,
            When::Capped => capped,
            When::CappedAndPaced => capped && case.told.log.point.rate.is_some(),
        };
        applies && self.asked(case)
    }

    /// Whether it was asked for.
    pub(super) fn asked(&self, case: &Case<'_>) -> bool {
        case.arguments.percentile_metrics.iter().any(|name| name.trim() == self.name)
    }

    /// Its keys and values, in milliseconds. `None` for each where there are no values.
    pub(super) fn values(&self, case: &Case<'_>) -> Vec<(String, Option<f64>)> {
        let told = case.told.summary.distribution(self.metric);
        let ms = |seconds: Option<f64>| seconds.map(|seconds| seconds * 1e3);
        let key = |what: &str| format!("{what}_{}_ms", self.name);
        let mut all = vec![
            (key("mean"), ms(told.map(|values| values.mean))),
            (key("median"), ms(told.and_then(|values| values.linear(Percentile::P50)))),
            (key("std"), ms(told.map(|values| values.std))),
        ];
        let kept = |percent| on_ladder(percent).and_then(|percentile| told?.linear(percentile));
        let percents = case.arguments.metric_percentiles.iter().copied();
        let percents: Vec<(f64, Option<f64>)> =
            percents.map(|percent| (percent, kept(percent))).collect();
        // The sample itself is gone through only for percentiles that a distribution does not keep, for it may be large.
        let others = percents.iter().filter(|(_, kept)| kept.is_none());
        let others: Vec<f64> = others.map(|&(percent, _)| percent).collect();
        let mut others = match others.is_empty() {
            true => Vec::new().into_iter(),
            false => self.metric.percentiles(&case.run, &others).into_iter(),
        };
        for (percent, kept) in percents {
            let value = kept.or_else(|| others.next().flatten());
            all.push((key(&format!("p{percent}")), ms(value)));
        }
        all
    }
}

/// The percentile that every distribution keeps under this number, if any.
fn on_ladder(percent: f64) -> Option<Percentile> {
    let ladder = Percentile::LADDER.into_iter();
    ladder.into_iter().find(|percentile| percentile.percent() == percent)
}
