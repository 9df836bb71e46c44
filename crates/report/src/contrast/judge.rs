//! The figures of a pair: values of both sides, their difference with its interval, and the verdict.
//!
//! Which interval a figure has depends on what was kept: between runs where a side has several, else between the requests of one run a
//! side, else none. All figures of a comparison share one chance of an error, by Holm's procedure; so a figure whose own interval leaves
//! 0 out may still be no evidence.

use tokometer_metrics::compare::{
    Estimate, FEWEST_BEYOND, FEWEST_REQUESTS, LEVEL, Latency, Sample, Swinging, TooFew, Wanted,
    between_runs, holm, resample,
};

use super::{Measured, Pair};
use crate::compare::{Better, Figure, Verdict, figure, statistic};

/// A figure of both sides.
#[derive(Clone, Debug)]
pub struct Row {
    /// What it is.
    pub figure: Figure,
    /// Its value in the baseline and in the candidate: the mean over runs.
    pub values: [f64; 2],
    /// The candidate's less the baseline's, in the figure's unit.
    pub difference: Option<Estimate>,
    /// The same in parts of the baseline's. `None` where that is, or may well be, 0.
    pub relative: Option<Estimate>,
    /// The candidate's value with its own errors.
    pub candidate: Option<Estimate>,
    /// What the intervals rest on, or why there is none.
    pub basis: Result<Basis, Doubt>,
    /// How often chance alone makes as great a difference.
    pub p: Option<f64>,
    /// The same, with all other figures in mind.
    pub adjusted: Option<f64>,
    /// What follows.
    pub verdict: Verdict,
    /// Whether it is among those that are shown and judged, or was only asked for by a condition.
    pub shown: bool,
}

/// What an interval rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Basis {
    /// Several runs a side.
    Runs,
    /// Several runs of one side; the one of the other is taken to vary as they do.
    RunsOfOneSide,
    /// The requests of one run a side, in blocks. What differs from run to run is not in it.
    Requests,
}

/// Why there is no interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// One run a side, of which one has not kept its requests.
    NoRequests,
    /// The requests that were kept do not tell of this figure.
    NotOfRequests,
    /// The requests that were kept do not give the figure that stands in the result.
    Disagrees,
    /// There are too few of them.
    TooFew(TooFew),
    /// The baseline is, or may well be, 0, of which no per cent can be told.
    NearNothing,
    /// There is an interval, and it leaves no more than the order of magnitude.
    TooWide,
}

impl Doubt {
    /// In words.
    pub fn words(self) -> String {
        match self {
            Self::NoRequests => "one run a side, and its requests were not kept".to_owned(),
            Self::NotOfRequests => "its requests do not tell of this figure".to_owned(),
            Self::Disagrees => "the requests that were kept do not give this figure".to_owned(),
            Self::NearNothing => {
                "the baseline may well be 0, of which nothing can be told in per cent".to_owned()
            }
            Self::TooWide => format!(
                "it swings too far: its interval spans more than {} to 1",
                crate::number::shortest(WIDEST, 0)
            ),
            Self::TooFew(TooFew::Dependent { requests, worth }) => format!(
                "{requests} requests that follow each other fare alike, and are worth {worth}"
            ),
            Self::TooFew(TooFew::Requests) => {
                format!("too few requests: it takes {FEWEST_REQUESTS} a side")
            }
            Self::TooFew(TooFew::Beyond(percentile)) => format!(
                "too few requests for a P{}: fewer than {FEWEST_BEYOND} a side lie beyond it",
                percentile.percent()
            ),
        }
    }
}

impl Row {
    /// The interval of the difference in parts of the baseline, at the usual level.
    pub fn interval(&self) -> Option<[f64; 2]> {
        let interval = self.relative?.interval(LEVEL)?;
        Some([interval.low, interval.high])
    }

    /// Whether its own interval leaves 0 out though so many figures make it no evidence.
    pub fn only_on_its_own(&self) -> bool {
        self.verdict == Verdict::NoneShown && self.p.is_some_and(|p| p < 1.0 - LEVEL)
    }

    /// The difference in parts of the baseline's value, as measured.
    pub fn part(&self) -> Option<f64> {
        let [a, b] = self.values;
        (a != 0.0).then(|| (b - a) / a.abs())
    }

    /// What the verdict rests on: the relative difference where there is one.
    fn decisive(&self) -> Option<Estimate> {
        self.relative.or(self.difference)
    }
}

/// The figures of a pair that both sides have, without verdicts yet. `extra` are keys of further figures; `place` tells the draws of
/// pairs apart.
pub(super) fn rows(sides: &[Vec<Measured>; 2], extra: &[&str], place: u64) -> Vec<Row> {
    let further = extra.iter().filter(|key| !SHOWN.contains(key));
    let mut keys: Vec<&str> = Vec::new();
    for key in SHOWN.iter().chain(further) {
        if !keys.contains(key) {
            keys.push(key);
        }
    }
    let keys: Vec<&str> = keys.into_iter().filter(|key| values(sides, key).is_some()).collect();
    let mut stream = 2 * MOST_RUNS * place;
    let swings: Vec<Vec<Swings>> = sides
        .iter()
        .map(|runs| {
            runs.iter()
                .map(|run| {
                    stream += 1;
                    swings(run, &keys, stream)
                })
                .collect()
        })
        .collect();
    let row = |(at, key): (usize, &&str)| {
        let [a, b] = values(sides, key)?;
        let of = |side: usize| swings[side].iter().map(|run| &run[at]).collect::<Vec<_>>();
        let estimates = estimates([&a, &b], [&of(0), &of(1)]);
        let (told, basis) = match estimates {
            Ok((told, basis)) => (Some(told), Ok(basis)),
            Err(doubt) => (None, Err(doubt)),
        };
        Some(Row {
            figure: figure(key)?,
            values: [a.mean, b.mean],
            difference: told.and_then(|told| told.difference),
            relative: told.and_then(|told| told.relative),
            candidate: told.and_then(|told| told.candidate).map(|candidate| match *key {
                "success_rate" => candidate.within(0.0, 100.0),
                _ => candidate,
            }),
            basis,
            p: None,
            adjusted: None,
            verdict: Verdict::Unknown,
            shown: SHOWN.contains(key),
        })
    };
    keys.iter().enumerate().filter_map(row).collect()
}

/// Gives every figure of all pairs its verdict, and says how many were held against chance together.
pub(super) fn settle(pairs: &mut [Pair]) -> usize {
    let rows = || pairs.iter().flat_map(|pair| &pair.rows).filter(|row| row.shown);
    let p: Vec<f64> = rows().filter_map(|row| Some(row.decisive()?.p(0.0))).collect();
    let mut adjusted = p.iter().copied().zip(holm(&p));
    for row in pairs.iter_mut().flat_map(|pair| &mut pair.rows) {
        let judged = row.decisive().is_some();
        if row.shown && judged {
            let (own, together) = adjusted.next().unzip();
            (row.p, row.adjusted) = (own, together);
        } else if judged {
            row.p = row.decisive().map(|estimate| estimate.p(0.0));
            row.adjusted = row.p;
        }
        // It was held against chance all the same: what is left out for what it came to would make the others look surer than they are.
        if too_wide(row) {
            row.basis = Err(Doubt::TooWide);
        }
        row.verdict = verdict(row);
    }
    p.len()
}

/// Whether no more than the order of magnitude is known, and not even that anything differs.
fn too_wide(row: &Row) -> bool {
    if let Some([low, high]) = row.interval() {
        return low <= 0.0 && 0.0 <= high && 1.0 + high > WIDEST * (1.0 + low);
    }
    // Of one that may be 0 in some draws: all of the baseline may have gone, or nothing.
    let [baseline, _] = row.values;
    let ends = row.difference.and_then(|difference| difference.interval(LEVEL));
    ends.is_some_and(|ends| baseline > 0.0 && ends.low <= -baseline && ends.high >= 0.0)
}

fn verdict(row: &Row) -> Verdict {
    let (Some(adjusted), Ok(_)) = (row.adjusted, row.basis) else { return Verdict::Unknown };
    let rises = row.decisive().is_some_and(|estimate| estimate.value > 0.0);
    match (adjusted < 1.0 - LEVEL, row.figure.better) {
        (false, _) => Verdict::NoneShown,
        (true, Better::Neither) => Verdict::Differs,
        (true, better) if rises == (better == Better::Higher) => Verdict::Better,
        (true, _) => Verdict::Worse,
    }
}

/// The values of all runs of both sides, if every run has the figure.
fn values(sides: &[Vec<Measured>; 2], key: &str) -> Option<[Sample; 2]> {
    let of = |runs: &[Measured]| {
        let values: Option<Vec<f64>> = runs.iter().map(|run| value(run, key)).collect();
        Sample::of(&values?)
    };
    Some([of(&sides[0])?, of(&sides[1])?])
}

/// A figure of a run: as it stands in its result, or else as its requests give it.
fn value(run: &Measured, key: &str) -> Option<f64> {
    let of_requests = || {
        let Wanted::Latency(latency, of) = wanted(key)? else { return None };
        Some(run.kept.as_ref()?.statistic(latency, of)? * scale(key))
    };
    run.case.figure(key).or_else(of_requests)
}

/// How the figures of one run swing.
type Swings = Vec<Result<Swinging, Doubt>>;

fn swings(run: &Measured, keys: &[&str], stream: u64) -> Swings {
    let Some(kept) = &run.kept else { return vec![Err(Doubt::NoRequests); keys.len()] };
    let wanted: Vec<Option<Wanted>> = keys.iter().map(|key| wanted(key)).collect();
    let known: Vec<Wanted> = wanted.iter().flatten().copied().collect();
    let mut drawn = resample(kept, &known, stream).into_iter();
    let each = keys.iter().zip(&wanted).map(|(key, wanted)| {
        let Some(figure) = wanted else { return Err(Doubt::NotOfRequests) };
        let swinging = drawn.next().unwrap_or(Err(TooFew::Requests)).map_err(Doubt::TooFew)?;
        let stands = value(run, key).ok_or(Doubt::NotOfRequests)?;
        fitted(swinging, stands, scale(key), is_pooled_percentile(*figure)).ok_or(Doubt::Disagrees)
    });
    each.collect()
}

/// Draws around the figure as it stands in the result, in its unit, if the requests give that figure.
fn fitted(swinging: Swinging, stands: f64, scale: f64, is_coarse: bool) -> Option<Swinging> {
    let value = swinging.value * scale;
    let near = if is_coarse { COARSELY } else { NEARLY };
    if (value - stands).abs() > near * stands.abs().max(1e-3) {
        return None;
    }
    // In parts, so that none comes out below 0.
    let (times, by) =
        if value > 0.0 { (scale * stands / value, 0.0) } else { (scale, stands - value) };
    let draws = swinging.draws.into_iter().map(|draw| draw * times + by).collect();
    Some(Swinging { value: stands, draws, freedom: swinging.freedom })
}

/// The estimates of a figure.
#[derive(Clone, Copy)]
struct Told {
    difference: Option<Estimate>,
    relative: Option<Estimate>,
    candidate: Option<Estimate>,
}

fn estimates(
    samples: [&Sample; 2],
    swings: [&[&Result<Swinging, Doubt>]; 2],
) -> Result<(Told, Basis), Doubt> {
    if samples.iter().any(|sample| sample.n > 1) {
        let within = |side: usize| {
            let variances: Option<Vec<f64>> =
                swings[side].iter().map(|run| Some(run.as_ref().ok()?.variance())).collect();
            let variances = variances.filter(|variances| !variances.is_empty())?;
            Some(variances.iter().sum::<f64>() / variances.len() as f64)
        };
        let within = [within(0), within(1)];
        let [difference, relative] = between_runs(samples, within).ok_or(Doubt::NoRequests)?;
        let basis = match samples.iter().all(|sample| sample.n > 1) {
            true => Basis::Runs,
            false => Basis::RunsOfOneSide,
        };
        let sound = |estimate: Estimate| estimate.below.is_finite() && estimate.value.is_finite();
        return Ok((
            Told {
                difference: Some(difference).filter(|e| sound(*e)),
                relative: Some(relative).filter(|e| sound(*e) && samples[0].mean > 0.0),
                candidate: Estimate::of_runs(samples[1], within[1])
                    .or_else(|| swings[1].first()?.as_ref().ok()?.estimate()),
            },
            basis,
        ));
    }
    let [[a], [b]] = swings else { return Err(Doubt::NoRequests) };
    let (a, b) = match (a, b) {
        (Ok(a), Ok(b)) => (a, b),
        (Err(doubt), _) | (_, Err(doubt)) => return Err(*doubt),
    };
    let told = Told {
        difference: Swinging::difference(a, b),
        relative: Swinging::relative(a, b),
        candidate: b.estimate(),
    };
    Ok((told, Basis::Requests))
}

/// What of the requests gives the figure of that key.
fn wanted(key: &str) -> Option<Wanted> {
    match key {
        "request_throughput" => return Some(Wanted::Requests),
        "output_throughput" => return Some(Wanted::Output),
        "total_token_throughput" => return Some(Wanted::Tokens),
        "success_rate" => return Some(Wanted::Success),
        _ => {}
    }
    let (_, name) = key.split_once('_')?;
    let latency = match name {
        "ttft_ms" => Latency::Ttft,
        "tpot_ms" => Latency::Tpot,
        "itl_ms" => Latency::Gaps,
        "e2el_ms" => Latency::E2e,
        _ => return None,
    };
    Some(Wanted::Latency(latency, statistic(key)?))
}

fn is_pooled_percentile(wanted: Wanted) -> bool {
    matches!(
        wanted,
        Wanted::Latency(Latency::Gaps, tokometer_metrics::compare::Statistic::Linear(_))
    )
}

/// Requests are kept in seconds, and latencies told in milliseconds.
fn scale(key: &str) -> f64 {
    if key.ends_with("_ms") { 1e3 } else { 1.0 }
}

/// Figures that every comparison shows, as far as both sides have them.
pub(super) const SHOWN: &[&str] = &[
    "mean_ttft_ms",
    "median_ttft_ms",
    "p99_ttft_ms",
    "mean_tpot_ms",
    "median_tpot_ms",
    "p99_tpot_ms",
    "mean_itl_ms",
    "median_itl_ms",
    "p99_itl_ms",
    "mean_e2el_ms",
    "median_e2el_ms",
    "p99_e2el_ms",
    "request_throughput",
    "output_throughput",
    "total_token_throughput",
    "success_rate",
];

/// Where an interval reaches from a value to more than so many times that, nothing is told by it.
const WIDEST: f64 = 10.0;

/// Requests give a figure that lies within this part of it …
const NEARLY: f64 = 0.005;

/// … or within this, where gaps that hardly differ are counted as one.
const COARSELY: f64 = 0.02;

/// The draws of so many runs of a pair are kept apart from those of the next.
const MOST_RUNS: u64 = 1 << 20;
