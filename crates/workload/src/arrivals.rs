//! When requests are wanted: absolute moments, known before the first one is sent.
//!
//! Every random schedule is stretched so that its last request falls at exactly the moment that the rate has for it. That
//! takes out the variance of the total, and only that. Nothing here waits for a moment or knows what is sent at it.

mod ramp;

use std::sync::Arc;
use std::time::Duration;

use rand_distr::{Distribution, Exp1, Gamma};

use crate::seed::Seed;

pub use ramp::{Ramp, Shape};

/// An arrival process.
#[derive(Clone, Debug, PartialEq)]
pub enum Arrivals {
    /// As soon as a place is free.
    AtOnce,
    /// A Poisson process of this many requests per second, stretched so that its mean rate is exact.
    Poisson {
        /// Requests per second, above zero.
        rate: f64,
    },
    /// Gaps of a gamma distribution, stretched so that their mean rate is exact.
    Gamma {
        /// Requests per second, above zero.
        rate: f64,
        /// The distribution's shape, above zero: gaps vary by 1/√burstiness of their mean. Below 1 requests come in bursts,
        /// at 1 as a Poisson process, above it ever more evenly; infinity makes all gaps equal.
        burstiness: f64,
    },
    /// Equal gaps: the i-th request, counted from 0, falls at (i + 1) / rate. Even the first waits, as with vLLM.
    Constant {
        /// Requests per second, above zero.
        rate: f64,
    },
    /// A rate that changes from one to another while the load goes on.
    Ramp(Ramp),
    /// Moments that were recorded, counted from the beginning of the load and never going back. Beyond their end they begin
    /// anew, a mean gap behind the last.
    Trace(Arc<[Duration]>),
}

impl Arrivals {
    /// Requests per second, over the whole load. `None` where nothing paces, and for a trace that tells no rate.
    pub fn rate(&self) -> Option<f64> {
        match self {
            Self::AtOnce => None,
            Self::Poisson { rate } | Self::Gamma { rate, .. } | Self::Constant { rate } => {
                Some(*rate)
            }
            Self::Ramp(ramp) => Some(ramp.mean()),
            Self::Trace(moments) => {
                let gaps = moments.len().checked_sub(1)?;
                let time = (moments[gaps] - moments[0]).as_secs_f64();
                (time > 0.0).then(|| gaps as f64 / time)
            }
        }
    }

    /// The most requests per second that are to be expected: the higher end of a ramp, the fullest second of a trace. `None`
    /// where nothing paces.
    pub fn peak_rate(&self) -> Option<f64> {
        match self {
            Self::Ramp(ramp) => Some(ramp.peak()),
            Self::Trace(moments) => Some(fullest_second(moments) as f64),
            steady => steady.rate(),
        }
    }

    /// The moments of `count` requests, counted from the beginning of the load. `None` where nothing paces them.
    ///
    /// A schedule of random gaps is their running sum, stretched so that the last request falls at exactly `count / rate`,
    /// as EvalScope and vLLM do; a ramp's is stretched so that it falls at [`Ramp::duration`], which vLLM does not.
    pub fn schedule(&self, count: u64, seed: Seed) -> Option<Vec<Duration>> {
        let steady = |rate: f64, shares: Vec<f64>| {
            let whole = count as f64 / rate;
            shares.into_iter().map(|share| moment(share * whole)).collect()
        };
        match self {
            Self::AtOnce => None,
            Self::Poisson { rate } => Some(poisson(*rate, count, seed)),
            Self::Gamma { rate, burstiness } => {
                Some(steady(*rate, shares(*burstiness, count, seed)))
            }
            Self::Constant { rate } => Some(steady(*rate, shares(f64::INFINITY, count, seed))),
            Self::Ramp(ramp) => {
                let shares = shares(ramp.burstiness, count, seed);
                let whole = count as f64 / ramp.mean();
                Some(shares.into_iter().map(|share| moment(ramp.time_of(share) * whole)).collect())
            }
            Self::Trace(moments) => Some(repeated(moments, count)),
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
    sums.into_iter().map(|at| moment(at * stretch)).collect()
}

/// The share of the whole that has arrived with each request: running sums of gamma gaps, of which the last is 1.
fn shares(burstiness: f64, count: u64, seed: Seed) -> Vec<f64> {
    let Some(gaps) = gaps(burstiness, count, seed) else {
        return (1..=count).map(|arrived| arrived as f64 / count as f64).collect();
    };
    let whole: f64 = gaps.iter().sum();
    let mut sum = 0.0;
    gaps.into_iter()
        .map(|gap| {
            sum += gap;
            // Gaps of the least burstiness are often all too small for a number: then all come together, at the end.
            if whole > 0.0 { sum / whole } else { 1.0 }
        })
        .collect()
}

/// Gaps of a gamma distribution of that shape and the scale 1. `None` where they are all equal.
fn gaps(burstiness: f64, count: u64, seed: Seed) -> Option<Vec<f64>> {
    if burstiness.is_infinite() {
        return None;
    }
    let gaps = Gamma::new(burstiness.max(LEAST_BURSTINESS), 1.0).ok()?;
    let mut rng = seed.stream("arrivals").rng();
    Some((0..count).map(|_| gaps.sample(&mut rng)).collect())
}

/// The first `count` moments of a trace that begins anew at its end.
fn repeated(moments: &[Duration], count: u64) -> Vec<Duration> {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let Some((first, last)) = moments.first().zip(moments.last()) else {
        return vec![Duration::ZERO; count];
    };
    let gaps = u32::try_from(moments.len() - 1).unwrap_or(u32::MAX).max(1);
    let round = (*last - *first).saturating_add((*last - *first) / gaps);
    let mut begun = Duration::ZERO;
    let mut schedule = Vec::with_capacity(count);
    while schedule.len() < count {
        let left = count - schedule.len();
        schedule.extend(moments.iter().take(left).map(|at| at.saturating_add(begun)));
        begun = begun.saturating_add(round);
    }
    schedule
}

/// How many of the moments lie within one second, at most.
fn fullest_second(moments: &[Duration]) -> usize {
    let mut begin = 0;
    let mut fullest = 0;
    for (end, at) in moments.iter().enumerate() {
        while *at - moments[begin] >= Duration::from_secs(1) {
            begin += 1;
        }
        fullest = fullest.max(end - begin + 1);
    }
    fullest
}

/// So many seconds from the beginning. What no duration can hold lies as far off as one can be.
fn moment(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
}

/// Below this, gaps of a gamma distribution are too small for a number.
const LEAST_BURSTINESS: f64 = 1e-6;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    fn gaps_of(arrivals: &Arrivals, count: u64) -> Vec<f64> {
        let moments = arrivals.schedule(count, Seed::new(42)).unwrap();
        let mut gaps = vec![moments[0].as_secs_f64()];
        gaps.extend(moments.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()));
        gaps
    }

    fn mean(values: &[f64]) -> f64 {
        values.iter().sum::<f64>() / values.len() as f64
    }

    fn variation(values: &[f64]) -> f64 {
        let mean = mean(values);
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        (squares / (values.len() - 1) as f64).sqrt() / mean
    }

    /// P(a, x), the share of a gamma distribution of shape `a` below `x`, by its series; `gamma` is Γ(a).
    fn gamma_below(a: f64, x: f64, gamma: f64) -> f64 {
        let mut term = 1.0 / a;
        let mut sum = term;
        for n in 1..1000 {
            term *= x / (a + f64::from(n));
            sum += term;
        }
        sum * x.powf(a) * (-x).exp() / gamma
    }

    /// The 0.1 % point of a normal distribution, both sides.
    const SURE: f64 = 3.29;

    #[test]
    fn gamma_gaps_have_their_mean_before_they_are_stretched() {
        for shape in [0.25, 1.0, 4.0] {
            let gaps = gaps(shape, 20_000, Seed::new(42)).unwrap();
            // A gap of scale 1 has the mean and the variance `shape`.
            let error = (shape / 20_000.0_f64).sqrt();
            assert!((mean(&gaps) - shape).abs() < SURE * error, "{} at {shape}", mean(&gaps));
        }
    }

    #[test]
    fn gamma_gaps_vary_as_their_burstiness_says() {
        for burstiness in [0.25, 1.0, 4.0] {
            let gaps = gaps_of(&Arrivals::Gamma { rate: 200.0, burstiness }, 20_000);
            assert!((mean(&gaps) - 1.0 / 200.0).abs() < 1e-9, "the stretch makes the mean exact");
            // The variance of a sample's coefficient of variation, by the delta method with a gamma's moments.
            let wanted = 1.0 / burstiness.sqrt();
            let error = wanted * ((0.5 + 0.5 / burstiness) / 20_000.0).sqrt();
            let found = variation(&gaps);
            assert!((found - wanted).abs() < SURE * error, "{found} for {wanted} ± {error}");
        }
    }

    #[test]
    fn gamma_gaps_are_gamma_by_kolmogorov_and_smirnov() {
        for (burstiness, gamma) in [(0.25, 3.625_609_908_221_908), (1.0, 1.0), (4.0, 6.0)] {
            let mut gaps = gaps_of(&Arrivals::Gamma { rate: 50.0, burstiness }, 5000);
            gaps.sort_by(f64::total_cmp);
            let n = gaps.len() as f64;
            let below = |gap: f64| gamma_below(burstiness, gap * 50.0 * burstiness, gamma);
            let distances =
                gaps.iter().enumerate().map(|(i, gap)| (below(*gap) - (i as f64 + 0.5) / n).abs());
            let distance = distances.fold(0.0, f64::max);
            assert!(distance < 1.63 / n.sqrt(), "{distance} at {burstiness}");
        }
    }

    #[test]
    fn a_burstiness_of_one_is_the_poisson_process_itself() {
        let gamma = Arrivals::Gamma { rate: 7.0, burstiness: 1.0 };
        let poisson = Arrivals::Poisson { rate: 7.0 };
        let schedules = [gamma, poisson].map(|it| it.schedule(500, Seed::new(3)).unwrap());
        for (gamma, poisson) in schedules[0].iter().zip(&schedules[1]) {
            assert!(gamma.abs_diff(*poisson) < Duration::from_nanos(10));
        }
    }

    #[test]
    fn the_poisson_process_is_drawn_as_it_always_was() {
        let moments = Arrivals::Poisson { rate: 10.0 }.schedule(4, Seed::new(42)).unwrap();
        assert_eq!(
            moments.iter().map(Duration::as_nanos).collect::<Vec<_>>(),
            [49_438_696, 131_692_927, 369_660_232, 400_000_000]
        );
    }

    #[test]
    fn constant_gaps_are_equal_and_even_the_first_request_waits() {
        let evenly =
            [Duration::from_millis(250), Duration::from_millis(500), Duration::from_millis(750)];
        let constant = Arrivals::Constant { rate: 4.0 };
        assert_eq!(constant.schedule(3, Seed::new(1)).unwrap(), evenly);
        let endless = Arrivals::Gamma { rate: 4.0, burstiness: f64::INFINITY };
        assert_eq!(endless.schedule(3, Seed::new(1)).unwrap(), evenly);
    }

    #[test]
    fn gaps_too_small_for_a_number_make_no_schedule_of_nonsense() {
        for burstiness in [1e-300, 0.0, -1.0, f64::NAN] {
            let moments =
                Arrivals::Gamma { rate: 2.0, burstiness }.schedule(4, Seed::new(1)).unwrap();
            assert!(moments.is_sorted());
            assert_eq!(*moments.last().unwrap(), Duration::from_secs(2), "{burstiness}");
        }
    }

    fn trace(millis: &[u64]) -> Arrivals {
        Arrivals::Trace(millis.iter().copied().map(Duration::from_millis).collect())
    }

    #[test]
    fn a_trace_is_kept_to_and_begun_anew_a_mean_gap_behind_its_end() {
        let moments = trace(&[0, 100, 600]).schedule(5, Seed::new(1)).unwrap();
        let millis: Vec<u128> = moments.iter().map(Duration::as_millis).collect();
        assert_eq!(millis, [0, 100, 600, 900, 1000]);
        assert_eq!(trace(&[]).schedule(2, Seed::new(1)).unwrap(), [Duration::ZERO; 2]);
        assert_eq!(trace(&[0]).schedule(2, Seed::new(1)).unwrap(), [Duration::ZERO; 2]);
    }

    #[test]
    fn rates_are_means_and_peaks_are_peaks() {
        assert_eq!(trace(&[0, 100, 600]).rate(), Some(2.0 / 0.6));
        assert_eq!(trace(&[0, 0]).rate(), None);
        assert_eq!(trace(&[0, 900, 1000, 1100, 1899, 5000]).peak_rate(), Some(4.0));
        let ramp = Ramp { shape: Shape::Linear, from: 20.0, to: 10.0, burstiness: 1.0 };
        assert_eq!(Arrivals::Ramp(ramp).rate(), Some(15.0));
        assert_eq!(Arrivals::Ramp(ramp).peak_rate(), Some(20.0));
        assert_eq!(Arrivals::AtOnce.peak_rate(), None);
        assert_eq!(Arrivals::Constant { rate: 3.0 }.peak_rate(), Some(3.0));
    }

    fn any_arrivals() -> impl Strategy<Value = Arrivals> {
        let rate = || 0.01..10_000.0_f64;
        let burstiness = || prop_oneof![0.01..50.0_f64, Just(f64::INFINITY)];
        let shape = prop_oneof![Just(Shape::Linear), Just(Shape::Exponential)];
        prop_oneof![
            rate().prop_map(|rate| Arrivals::Poisson { rate }),
            (rate(), burstiness())
                .prop_map(|(rate, burstiness)| Arrivals::Gamma { rate, burstiness }),
            rate().prop_map(|rate| Arrivals::Constant { rate }),
            (shape, rate(), rate(), burstiness()).prop_map(|(shape, from, to, burstiness)| {
                Arrivals::Ramp(Ramp { shape, from, to, burstiness })
            }),
        ]
    }

    proptest! {
        #[test]
        fn a_schedule_has_every_request_never_goes_back_and_ends_where_it_should(
            arrivals in any_arrivals(),
            count in 0..400_u64,
            seed: u64,
        ) {
            let moments = arrivals.schedule(count, Seed::new(seed)).unwrap();
            prop_assert_eq!(moments.len() as u64, count);
            prop_assert!(moments.is_sorted());
            if let Some(last) = moments.last() {
                let end = count as f64 / arrivals.rate().unwrap();
                let off = (last.as_secs_f64() - end).abs();
                prop_assert!(off < 1e-9 * end.max(1.0), "{:?} for {}", last, end);
            }
            prop_assert_eq!(arrivals.schedule(count, Seed::new(seed)).unwrap(), moments);
        }
    }
}
