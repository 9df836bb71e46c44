//! What was offered to a deployment, and what it showed: the same figures of what was measured and of what is forecast.
//!
//! Deliberately defines no figure: those of `metrics` are taken, over a forecast as if a client at no distance had written it down.

use tokometer_metrics::catalog::{OUTPUT_THROUGHPUT, TPOT, TTFT};
use tokometer_metrics::quantile::Percentile;
use tokometer_metrics::{Distribution, Run};
use tokometer_record::PointLog;

use crate::forecast::{self, Arrivals, Keep, Request};
use crate::model::Deployment;

/// What was offered.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    /// Every request, in the order in which they were sent.
    pub requests: Vec<Request>,
    /// When they arrive.
    pub arrivals: Arrivals,
    /// How many of them, the first ones, warmed the server up and count in no figure.
    pub warmup: usize,
}

/// What was shown. Lengths of time in seconds; `None` where there was nothing to see.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Tokens of outputs a second.
    pub throughput: Option<f64>,
    /// Mean time per output token.
    pub tpot: Option<f64>,
    /// Mean time to first token.
    pub ttft: Option<f64>,
    /// Its median.
    pub ttft_p50: Option<f64>,
    /// Its 99th percentile.
    pub ttft_p99: Option<f64>,
    /// Seconds from the first start to the last completion.
    pub duration: Option<f64>,
}

impl Load {
    /// What `deployment` shows under it, its steps taking no longer and no shorter than they do on average.
    pub fn forecast(&self, deployment: &Deployment) -> Figures {
        let quiet = Deployment { noise: 0.0, ..deployment.clone() };
        // All that the figures need is when an output began and when it ended.
        let (requests, arrivals) = (&self.requests, &self.arrivals);
        let forecast = forecast::run_keeping(&quiet, requests, arrivals, SEED, Keep::Ends);
        let all = self.requests.len();
        Figures::of(&forecast.log(requests, arrivals, self.warmup.min(all)..all))
    }

    /// Mean tokens of a prompt and of an output.
    pub(super) fn shape(&self) -> (f64, f64) {
        let n = self.requests.len().max(1) as f64;
        let mean = |tokens: fn(&Request) -> u32| {
            self.requests.iter().map(|request| f64::from(tokens(request))).sum::<f64>() / n
        };
        (mean(|request| request.prompt_tokens), mean(|request| request.output_tokens))
    }

    /// About how many requests are under way at once while it lasts.
    pub(super) fn in_flight(&self, figures: &Figures) -> f64 {
        let requests = self.requests.len() as f64;
        match self.arrivals {
            Arrivals::InFlight(most) => (most as f64).min(requests),
            // By Little's law.
            _ => {
                let (_, outputs) = self.shape();
                let stay = figures.ttft.unwrap_or_default()
                    + figures.tpot.unwrap_or_default() * (outputs - 1.0).max(0.0);
                let rate = figures.throughput.unwrap_or_default() / outputs.max(1.0);
                (rate * stay).clamp(1.0, requests.max(1.0))
            }
        }
    }
}

impl Figures {
    /// The figures of a log.
    pub fn of(log: &PointLog) -> Self {
        let run = Run::of(log);
        let ttft = TTFT.distribution(&run);
        let percentile = |which| ttft.as_ref().and_then(|values| values.linear(which));
        let mean = |values: &Distribution| values.mean;
        Self {
            throughput: OUTPUT_THROUGHPUT.figure(&run),
            tpot: TPOT.distribution(&run).as_ref().map(mean),
            ttft: ttft.as_ref().map(mean),
            ttft_p50: percentile(Percentile::P50),
            ttft_p99: percentile(Percentile::P99),
            duration: run.window().duration(),
        }
    }
}

/// Nothing is drawn where steps have no noise and drafts none either; speculation alone asks for it.
const SEED: u64 = 0;

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::fit::testing::deployment;

    fn load(warmup: usize) -> Load {
        let request = |prompt_tokens| Request { prompt_tokens, output_tokens: 3, chain: [].into() };
        let requests = vec![request(10), request(20), request(30)];
        Load { requests, arrivals: Arrivals::InFlight(1), warmup }
    }

    #[test]
    fn solitary_requests_have_the_figures_of_their_steps() {
        // Steps of 10 ms; a prompt's token takes 1 ms more.
        let figures = load(0).forecast(&deployment(10e-3, 1e-3, 0.0));
        let near = |a: Option<f64>, b: f64| (a.unwrap() - b).abs() < 1e-9;
        assert!(near(figures.tpot, 0.010) && near(figures.ttft, 0.030), "{figures:?}");
        assert!(near(figures.throughput, 9.0 / 0.150), "{figures:?}");
        assert!(near(figures.ttft_p50, 0.030) && near(figures.duration, 0.150), "{figures:?}");
    }

    #[test]
    fn the_warm_up_counts_in_no_figure() {
        let figures = load(1).forecast(&deployment(10e-3, 1e-3, 0.0));
        assert!((figures.ttft.unwrap() - 0.035).abs() < 1e-9, "{figures:?}");
    }

    #[test]
    fn noise_is_left_out() {
        let quiet = deployment(10e-3, 1e-3, 0.0);
        let noisy = Deployment { noise: 0.3, ..quiet.clone() };
        assert_eq!(load(0).forecast(&noisy), load(0).forecast(&quiet));
    }

    #[test]
    fn what_never_has_room_shows_nothing() {
        let mut tight = deployment(10e-3, 1e-3, 0.0);
        tight.engine.blocks = NonZeroU32::MIN;
        assert_eq!(load(0).forecast(&tight).tpot, None);
    }

    #[test]
    fn in_open_loop_as_many_are_in_flight_as_littles_law_says() {
        let moments = (0..3).map(std::time::Duration::from_secs).collect();
        let load = Load { arrivals: Arrivals::At(moments), ..load(0) };
        let figures = Figures {
            throughput: Some(30.0),
            ttft: Some(0.05),
            tpot: Some(0.1),
            ..Figures::default()
        };
        // Ten requests a second that stay for a quarter of one.
        assert!((load.in_flight(&figures) - 2.5).abs() < 1e-9);
    }
}
