//! How long the blocks of a block bootstrap must be so that values of one block depend on those of another no more than chance has it.
//!
//! By Politis and White (Econometric Reviews 23, 2004), with the correction of Patton, Politis and White (ibid. 28, 2009), for the
//! circular block bootstrap (Politis and Romano 1992; blocks that move: Künsch, Annals of Statistics 17, 1989).

/// The best length of blocks for the mean of a series, at least 1 and at most a tenth of it, so that ten blocks are left to draw.
pub(super) fn length(series: &[f64]) -> usize {
    let n = series.len();
    let most = (n / LEAST_BLOCKS).max(1);
    let Some(best) = best(series) else { return 1 };
    (best.ceil() as usize).clamp(1, most)
}

/// (2 G² ÷ D)^⅓ · n^⅓, D = 4/3 · g². `None` of values that do not vary, or too few.
fn best(series: &[f64]) -> Option<f64> {
    let n = series.len();
    if n < LEAST {
        return None;
    }
    let mean = series.iter().sum::<f64>() / n as f64;
    let centred: Vec<f64> = series.iter().map(|value| value - mean).collect();
    let covariance = |lag: usize| {
        centred.iter().zip(&centred[lag..]).map(|(a, b)| a * b).sum::<f64>() / n as f64
    };
    let variance = covariance(0);
    if variance <= (1e-12 * mean).powi(2) {
        return None;
    }
    let decades = (n as f64).log10();
    let run = (decades.sqrt().ceil() as usize).max(5);
    let furthest = ((n as f64).sqrt().ceil() as usize + run).min(n - 1);
    let correlations: Vec<f64> = (0..=furthest).map(|lag| covariance(lag) / variance).collect();
    let by_chance = 2.0 * (decades / n as f64).sqrt();
    let quiet = |from: usize| {
        let following = correlations.get(from + 1..=from + run);
        following.is_some_and(|some| some.iter().all(|correlation| correlation.abs() < by_chance))
    };
    let last = (0..furthest).find(|&lag| quiet(lag)).unwrap_or(furthest / 2);
    let window = (2 * last).clamp(1, furthest);
    // The flat-top window: whole up to its half, then falling to nothing.
    let weight = |lag: usize| (2.0 * (1.0 - lag as f64 / window as f64)).clamp(0.0, 1.0);
    let (mut g, mut moment) = (1.0, 0.0);
    for (lag, correlation) in correlations.iter().enumerate().take(window + 1).skip(1) {
        g += 2.0 * weight(lag) * correlation;
        moment += 2.0 * weight(lag) * lag as f64 * correlation;
    }
    let squared = 4.0 / 3.0 * g * g;
    let best = (2.0 * moment * moment / squared).cbrt() * (n as f64).cbrt();
    best.is_finite().then_some(best)
}

/// So many blocks are left to draw from at least.
const LEAST_BLOCKS: usize = 10;

/// Of fewer values no dependence is known.
const LEAST: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::confidence::testing::{Draws, sequence};

    fn mean_length(correlation: f64) -> f64 {
        let mut draws = Draws::seeded(5);
        let lengths = (0..40).map(|_| length(&sequence(&mut draws, 1_000, correlation)));
        lengths.map(|length| length as f64).sum::<f64>() / 40.0
    }

    #[test]
    fn the_more_values_depend_on_each_other_the_longer_the_blocks() {
        let [none, some, much] = [0.0, 0.5, 0.9].map(mean_length);
        // For an autoregressive sequence G/g = 2r/(1 − r²): by the formula (2·(G/g)²·3/4·n)^⅓ is 13.9 and 51.2.
        assert!(none < 4.0, "{none}");
        assert!((9.0..20.0).contains(&some), "{some}");
        assert!((35.0..75.0).contains(&much), "{much}");
    }

    #[test]
    fn values_that_never_vary_and_handfuls_have_blocks_of_one() {
        assert_eq!(length(&[2.0; 100]), 1);
        assert_eq!(length(&[1.0, 2.0, 3.0]), 1);
        let rising: Vec<f64> = (0..200).map(f64::from).collect();
        assert_eq!(length(&rising), 20);
    }
}
