//! The figures of a point as evalscope names and rounds them, for its files and its tables alike.
//!
//! Deliberately knows of no layout: `None` is what does not apply, however it is shown.

use tokometer_metrics::Distribution;
use tokometer_metrics::catalog::{
    CACHE_HIT_RATE, DECODE_RATE, DURATION, E2E, ICL, INPUT_THROUGHPUT, INPUT_TOKENS, ITL, LAG,
    Metric, OUTPUT_RATE, OUTPUT_THROUGHPUT, OUTPUT_TOKENS, REQUEST_THROUGHPUT, SCHEDULED_E2E,
    SCHEDULED_TTFT, TOKENS_PER_CHUNK, TOTAL_RATE, TOTAL_THROUGHPUT, TPOT, TTFAT, TTFT,
};
use tokometer_metrics::quantile::Percentile;
use tokometer_metrics::summary::PointSummary;

use crate::notes::SEVERAL_TOKENS;
use crate::number::rounded;

/// Evalscope's summary of a point: `benchmark_summary.json`, rounded as there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figures {
    pub(super) duration: Option<f64>,
    pub(super) concurrency: Option<usize>,
    pub(super) rate: Option<f64>,
    pub(super) request_throughput: Option<f64>,
    pub(super) latency: Option<f64>,
    pub(super) input_tokens: Option<f64>,
    pub(super) output_throughput: Option<f64>,
    pub(super) total_throughput: Option<f64>,
    pub(super) ttft_ms: Option<f64>,
    pub(super) tpot_ms: Option<f64>,
    pub(super) itl_ms: Option<f64>,
    pub(super) output_tokens: Option<f64>,
    pub(super) input_throughput: Option<f64>,
    pub(super) cache_hit_rate: Option<f64>,
    pub(super) tokens_per_chunk: Option<f64>,
}

impl Figures {
    pub(super) fn of(summary: &PointSummary) -> Self {
        let whole = |metric| summary.figure(metric).map(|value| rounded(value, 4));
        let mean = |metric| summary.mean(metric).map(|value| rounded(value, 4));
        let mean_ms = |metric| summary.mean(metric).map(|value| rounded(value * 1e3, 2));
        Self {
            duration: whole(&DURATION),
            concurrency: summary.point.concurrency,
            rate: summary.point.rate,
            request_throughput: whole(&REQUEST_THROUGHPUT),
            latency: mean(&E2E),
            input_tokens: mean(&INPUT_TOKENS),
            output_throughput: whole(&OUTPUT_THROUGHPUT),
            total_throughput: whole(&TOTAL_THROUGHPUT),
            ttft_ms: mean_ms(&TTFT),
            tpot_ms: mean_ms(&TPOT),
            itl_ms: mean_ms(&ICL),
            output_tokens: mean(&OUTPUT_TOKENS),
            input_throughput: whole(&INPUT_THROUGHPUT),
            cache_hit_rate: whole(&CACHE_HIT_RATE),
            tokens_per_chunk: mean(&TOKENS_PER_CHUNK).filter(|&tokens| tokens > SEVERAL_TOKENS),
        }
    }
}

/// A row of the percentile table: a metric under evalscope's name, in evalscope's unit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ladder {
    /// Its key in the file and its name in the table.
    pub(super) name: &'static str,
    /// The metric.
    pub(super) metric: &'static Metric,
    /// What a value is multiplied with to be in the unit of the name.
    pub(super) scale: f64,
    /// Decimals in the table.
    pub(super) decimals: usize,
}

const fn ladder(
    name: &'static str,
    metric: &'static Metric,
    scale: f64,
    decimals: usize,
) -> Ladder {
    Ladder { name, metric, scale, decimals }
}

/// Evalscope's rows, in its order.
pub(super) const LADDERS: [Ladder; 9] = [
    ladder("Latency (s)", &E2E, 1.0, 3),
    ladder("TTFT (ms)", &TTFT, 1e3, 2),
    ladder("ITL (ms)", &ICL, 1e3, 2),
    ladder("TPOT (ms)", &TPOT, 1e3, 2),
    ladder("Input tokens", &INPUT_TOKENS, 1.0, 0),
    ladder("Output tokens", &OUTPUT_TOKENS, 1.0, 0),
    ladder("Output (tok/s)", &OUTPUT_RATE, 1.0, 2),
    ladder("Total (tok/s)", &TOTAL_RATE, 1.0, 2),
    ladder("Decode (tok/s)", &DECODE_RATE, 1.0, 2),
];

/// Latencies as users feel them who come by the schedule: the headline in open loop.
pub(super) const SCHEDULED: [Ladder; 2] = [
    ladder("Sched. Lat. (s)", &SCHEDULED_E2E, 1.0, 3),
    ladder("Sched. TTFT (ms)", &SCHEDULED_TTFT, 1e3, 2),
];

/// Rows of our own, behind evalscope's in the file.
pub(super) const OURS: [Ladder; 5] = [
    ladder("Scheduled Latency (s)", &SCHEDULED_E2E, 1.0, 3),
    ladder("Scheduled TTFT (ms)", &SCHEDULED_TTFT, 1e3, 2),
    ladder("Schedule Lag (ms)", &LAG, 1e3, 2),
    ladder("TTFAT (ms)", &TTFAT, 1e3, 2),
    ladder("ITL per token (ms)", &ITL, 1e3, 2),
];

/// A place on the ladder: a column of the table, a row of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rung {
    Min,
    At(Percentile),
    Max,
    Std,
}

impl Rung {
    /// Evalscope's rungs in its order, and ours among them: 99.9 % and the standard deviation.
    pub(super) const FILE: [Self; 13] = [
        Self::Min,
        Self::At(Percentile::P1),
        Self::At(Percentile::P5),
        Self::At(Percentile::P10),
        Self::At(Percentile::P25),
        Self::At(Percentile::P50),
        Self::At(Percentile::P75),
        Self::At(Percentile::P90),
        Self::At(Percentile::P95),
        Self::At(Percentile::P99),
        Self::At(Percentile::P99_9),
        Self::Max,
        Self::Std,
    ];

    /// Those that the console has room for: without 1 % and 5 %, which for few requests are the minimum.
    pub(super) fn console() -> impl Iterator<Item = Self> {
        let left_out = [Self::At(Percentile::P1), Self::At(Percentile::P5)];
        Self::FILE.into_iter().filter(move |rung| !left_out.contains(rung))
    }

    /// Its label: `min`, `99.9%`.
    pub(super) fn label(self) -> String {
        match self {
            Self::Min => "min".into(),
            Self::At(percentile) => percentile.to_string(),
            Self::Max => "max".into(),
            Self::Std => "std".into(),
        }
    }

    /// The value there, by nearest rank.
    pub(super) fn of(self, values: &Distribution) -> Option<f64> {
        match self {
            Self::Min => Some(values.min),
            Self::At(percentile) => values.nearest_rank(percentile),
            Self::Max => Some(values.max),
            Self::Std => Some(values.std),
        }
    }
}

impl Ladder {
    /// The value at a rung, in the unit of the name and rounded as in evalscope's file. `None` if there are no values.
    pub(super) fn at(&self, rung: Rung, summary: &PointSummary) -> Option<f64> {
        let value = rung.of(summary.distribution(self.metric)?)?;
        Some(rounded(value * self.scale, 4))
    }
}
