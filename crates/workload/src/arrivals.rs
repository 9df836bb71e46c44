//! When requests are wanted: absolute moments, known before the first one is sent.

use std::time::Duration;

use rand_distr::{Distribution, Exp1};

use crate::seed::Seed;

/// An arrival process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Arrivals {
    /// As soon as a place is free.
    AtOnce,
    /// A Poisson process of this many requests per second, stretched so that its mean rate is exact.
    Poisson {
        /// Requests per second, above zero.
        rate: f64,
    },
}

impl Arrivals {
    /// Requests per second. `None` where nothing paces.
    pub const fn rate(&self) -> Option<f64> {
        match *self {
            Self::AtOnce => None,
            Self::Poisson { rate } => Some(rate),
        }
    }

    /// The moments of `count` requests, counted from the beginning of the load. `None` where nothing paces them.
    ///
    /// A Poisson schedule is the running sum of exponential gaps, stretched so that the last request falls at exactly
    /// `count / rate`, as EvalScope and vLLM do. Stretching takes out the variance of the total, and only that.
    pub fn schedule(&self, count: u64, seed: Seed) -> Option<Vec<Duration>> {
        match *self {
            Self::AtOnce => None,
            Self::Poisson { rate } => Some(poisson(rate, count, seed)),
        }
    }
}

fn poisson(rate: f64, count: u64, seed: Seed) -> Vec<Duration> {
    let mut rng = seed.stream("arrivals").rng();
    let mut sum = 0.0;
    let sums: Vec<f64> = (0..count)
        .map(|_| {
            let gap: f64 = Exp1.sample(&mut rng);
            sum += gap;
            sum
        })
        .collect();
    // The sum is zero only if there are no requests: an exponential gap is above zero.
    let stretch = count as f64 / rate / sum;
    sums.into_iter().map(|at| Duration::from_secs_f64(at * stretch)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(rate: f64, count: u64) -> Vec<Duration> {
        Arrivals::Poisson { rate }.schedule(count, Seed::new(42)).unwrap()
    }

    #[test]
    fn the_mean_rate_is_exact() {
        let last = *schedule(200.0, 3000).last().unwrap();
        assert!(last.abs_diff(Duration::from_secs(15)) < Duration::from_nanos(10), "{last:?}");
    }

    #[test]
    fn moments_never_go_back() {
        assert!(schedule(50.0, 1000).is_sorted());
    }

    #[test]
    fn counts_in_windows_vary_as_poisson_counts_do() {
        let moments = schedule(200.0, 20_000);
        let mut counts = vec![0.0_f64; 1000];
        for at in moments.iter().filter(|at| at.as_secs_f64() < 100.0) {
            counts[(at.as_secs_f64() * 10.0) as usize] += 1.0;
        }
        let mean = counts.iter().sum::<f64>() / 1000.0;
        let variance = counts.iter().map(|n| (n - mean).powi(2)).sum::<f64>() / 999.0;
        // The ratio's standard error over 1,000 windows is √(2/999) ≈ 0.045.
        assert!((0.82..=1.18).contains(&(variance / mean)), "{}", variance / mean);
    }

    #[test]
    fn gaps_are_exponential_by_kolmogorov_and_smirnov() {
        let moments = schedule(200.0, 5000);
        let mut gaps: Vec<f64> =
            moments.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect();
        gaps.sort_by(f64::total_cmp);
        let n = gaps.len() as f64;
        let distance = gaps
            .iter()
            .enumerate()
            .map(|(i, gap)| ((1.0 - (-200.0 * gap).exp()) - (i as f64 + 0.5) / n).abs())
            .fold(0.0, f64::max);
        // The 1 % point of the statistic is 1.63 / √n.
        assert!(distance < 1.63 / n.sqrt(), "{distance}");
    }

    #[test]
    fn nothing_paces_a_closed_loop() {
        assert_eq!(Arrivals::AtOnce.schedule(5, Seed::new(1)), None);
    }
}
