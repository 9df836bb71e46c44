//! The coefficients of a deployment, found from what a real one did under known loads.
//!
//! A forecast of the same loads is made again and again, and its mean time per output token, its throughput and its mean time to first
//! token are held against those that were measured, until the sum of the squares of their log-ratios is least. Measured points come
//! from logs ([`Observed`]); a document's table will do as well ([`Target`]).
//!
//! Deliberately knows no file, and decides nothing: which coefficients the loads can tell, [`identified`] says, and whoever asks chooses. Fitting
//! to percentiles is for targets that have many requests; of few they say little.

mod coefficient;
mod load;
mod observed;
mod simplex;
mod written;

use crate::model::Deployment;
use coefficient::{MOST, estimate};

pub use coefficient::{Coefficient, Unidentified, identified};
pub use load::{Figures, Load};
pub use observed::{Observed, Place, Unusable};
pub use written::{settings, written};

/// A load, and what it is to show.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// What is offered.
    pub load: Load,
    /// What it is to show. What is `None` is not asked for.
    pub figures: Figures,
}

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitted {
    /// The deployment, with the coefficients that were sought.
    pub deployment: Deployment,
    /// The root of the weighted mean square of the log-ratios that are left: 0.05 is an error of about 5 %.
    pub error: f64,
    /// How often the loads were forecast.
    pub forecasts: usize,
}

/// Seeks the `free` coefficients with which `begin` shows what `targets` ask for; all other ones, and the engine's settings, stay as they
/// are. The same question has the same answer.
pub fn fit(begin: &Deployment, free: &[Coefficient], targets: &[Target]) -> Fitted {
    let from: Vec<f64> = free.iter().map(|coefficient| estimate(*coefficient, targets)).collect();
    // Each variable is the root of how many times its estimate a coefficient is: none is less than nothing, and nothing is within reach.
    let with = |roots: &[f64]| {
        let mut deployment = begin.clone();
        for ((coefficient, estimate), root) in free.iter().zip(&from).zip(roots) {
            // With no more digits than are written down: what is written has the errors that are told.
            let seconds = written::significant((estimate * root * root).min(MOST));
            coefficient.set(&mut deployment, seconds);
        }
        deployment
    };
    let mut cost = |roots: &[f64]| cost(&with(roots), targets);
    let starts: Vec<Vec<f64>> = STARTS
        .iter()
        .map(|roots| (0..free.len()).map(|place| roots[place % roots.len()]).collect())
        .collect();
    let least = simplex::least(&starts, WIDTH, TURNS * free.len().max(1), &mut cost);
    Fitted { deployment: with(&least.at), error: least.value.sqrt(), forecasts: least.asked }
}

/// The weighted mean of the squares of the log-ratios.
fn cost(deployment: &Deployment, targets: &[Target]) -> f64 {
    let (mut sum, mut weights) = (0.0, 0.0);
    for target in targets {
        let shown = target.load.forecast(deployment);
        let asked = &target.figures;
        let pairs = [
            (shown.tpot, asked.tpot, 1.0),
            (shown.throughput, asked.throughput, 1.0),
            (shown.ttft, asked.ttft, TTFT_WEIGHT),
            (shown.ttft_p50, asked.ttft_p50, PERCENTILE_WEIGHT),
            (shown.ttft_p99, asked.ttft_p99, PERCENTILE_WEIGHT),
        ];
        for (shown, asked, weight) in pairs {
            let Some(asked) = asked.filter(|asked| *asked > 0.0) else { continue };
            let ratio = shown.filter(|shown| *shown > 0.0).map_or(FAR_OFF, |s| (s / asked).ln());
            sum += weight * ratio * ratio;
            weights += weight;
        }
    }
    if weights > 0.0 { sum / weights } else { 0.0 }
}

/// What the square of a time to first token counts beside that of the others: it may be off by 2½ times as much.
const TTFT_WEIGHT: f64 = 0.16;

/// What the square of a percentile of it counts, where one is asked for.
const PERCENTILE_WEIGHT: f64 = 0.02;

/// The log-ratio of a figure that a forecast does not have.
const FAR_OFF: f64 = 10.0;

/// Where the search begins: at the estimates, and where what they ascribe to one coefficient is ascribed to its neighbours. By turns, for
/// the coefficients in their order.
const STARTS: [&[f64]; 3] = [&[1.0], &[1.0, 1.0, 0.4, 1.3], &[0.9, 1.2, 1.3, 0.5, 0.4]];

/// How far about the estimates the search looks at first: at a little more than twice as much.
const WIDTH: f64 = 0.5;

/// How many turns the search may take for each coefficient, each time that it begins anew.
const TURNS: usize = 60;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
