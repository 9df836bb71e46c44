//! What single requests took, where a result has kept them, so that one run can be compared with one.
//!
//! What is read is checked: where the requests do not give the figure that stands in the result, they are not what it was made of
//! (another definition, a damaged file), and no confidence is drawn from them.

use tokometer_metrics::compare::{Requests, Statistic};
use tokometer_metrics::quantile::Percentile;

use super::outcome::Outcome;

/// How the figure of that key is made of its values.
pub(crate) fn statistic(key: &str) -> Option<Statistic> {
    let (statistic, _) = key.split_once('_')?;
    match statistic {
        "mean" => Some(Statistic::Mean),
        "median" => Some(Statistic::Linear(Percentile::P50)),
        other => {
            let percent: f64 = other.strip_prefix('p')?.parse().ok()?;
            let hundredths = percent * 100.0;
            let whole = hundredths.round();
            let exact = (hundredths - whole).abs() < 1e-6 && (0.0..=10_000.0).contains(&whole);
            exact.then(|| Percentile::from_hundredths(whole as u16).map(Statistic::Linear))?
        }
    }
}

/// The values, in milliseconds, of the requests that succeeded. `None` where the result has not kept them, or they do not give
/// its figure.
pub(crate) fn requests(outcome: &Outcome, key: &str) -> Option<Requests> {
    let (_, name) = key.split_once('_')?;
    let ended = Ended::of(outcome)?;
    let mut requests = Requests::default();
    match name {
        "ttft_ms" => requests.extend(ended.millis(&outcome.list("ttfts")?)),
        "e2el_ms" => requests.extend(ended.millis(&outcome.list("latencies")?)),
        "tpot_ms" => requests.extend(tpots(outcome, &ended)?),
        "itl_ms" => {
            for (request, gaps) in outcome.field("itls")?.as_array()?.iter().enumerate() {
                let gaps = gaps.as_array().filter(|_| ended.well(request));
                requests
                    .push(gaps.into_iter().flatten().filter_map(|gap| Some(gap.as_f64()? * 1e3)));
            }
        }
        _ => return None,
    }
    let (of_requests, stands) = (requests.statistic(statistic(key)?)?, outcome.number(key)?);
    let agree = (of_requests - stands).abs() <= 0.005 * stands.abs().max(1e-3);
    agree.then_some(requests)
}

/// Which requests succeeded.
struct Ended(Vec<bool>);

impl Ended {
    /// By the errors kept; without them, only of a run in which none failed.
    fn of(outcome: &Outcome) -> Option<Self> {
        match outcome.field("errors").and_then(|errors| errors.as_array()) {
            Some(errors) => {
                Some(Self(errors.iter().map(|error| error.as_str() == Some("")).collect()))
            }
            None if outcome.number("failed") == Some(0.0) => Some(Self(Vec::new())),
            None => None,
        }
    }

    fn well(&self, request: usize) -> bool {
        self.0.is_empty() || self.0.get(request) == Some(&true)
    }

    fn millis(&self, seconds: &[f64]) -> Vec<f64> {
        let seconds = seconds.iter().enumerate();
        seconds.filter(|(request, _)| self.well(*request)).map(|(_, value)| value * 1e3).collect()
    }
}

/// (latency − TTFT) / (output tokens − 1) of each request with more than one token.
fn tpots(outcome: &Outcome, ended: &Ended) -> Option<Vec<f64>> {
    let (latencies, ttfts) = (outcome.list("latencies")?, outcome.list("ttfts")?);
    let tokens = outcome.list("output_lens")?;
    let whole = latencies.iter().zip(&ttfts).zip(&tokens).enumerate();
    let several = whole.filter(|(request, (_, tokens))| ended.well(*request) && **tokens > 1.0);
    Some(
        several
            .map(|(_, ((latency, ttft), tokens))| (latency - ttft) / (tokens - 1.0) * 1e3)
            .collect(),
    )
}
