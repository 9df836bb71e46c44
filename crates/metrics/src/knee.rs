//! Where throughput stops growing with the load: the knee of a sweep, by a fit with its uncertainty.
//!
//! The form is the asymptotic bound of a closed system (Denning and Buzen 1978): X(c) = a · min(c, K). It is fitted to the logarithms
//! of throughput, for what disturbs throughputs is in proportion to them. For each K the best a follows in closed form, and between two
//! neighbouring loads the sum of squares is a parabola over ln K: so the best K is found exactly, and so is the set of all K that an F
//! test does not reject. Deliberately no smooth form: real curves bend more softly, and what they differ by is in the residual, and so
//! in the width of what is told.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// What one point of a sweep came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// The load: requests in flight, or requests per second.
    pub load: f64,
    /// The throughput that it brought.
    pub throughput: f64,
}

/// How throughput grows with the load: in proportion up to the knee, and not at all beyond.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Knee {
    /// The load at which the two lines meet.
    pub at: f64,
    /// Between which loads it lies, at 95 %.
    pub between: (f64, f64),
    /// The throughput that is not exceeded.
    pub ceiling: f64,
    /// The deviation of the samples from the lines, as a share of the throughput.
    pub residual: f64,
}

/// The knee of these samples, in any order; those whose load or throughput is not above 0 are left out. `None` if there are fewer than
/// [`FEWEST_LOADS`] different loads, or if they do not bend: if a straight line through all of them, or no growth at all, is among
/// what the test does not reject.
pub fn knee(samples: &[Sample]) -> Option<Knee> {
    let points = logarithms(samples);
    let mut loads: Vec<f64> = points.iter().map(|point| point.0).collect();
    loads.dedup();
    if loads.len() < FEWEST_LOADS {
        return None;
    }
    let (&first, &last) = (loads.first()?, loads.last()?);
    let pieces = pieces(&points);
    let best = pieces.iter().min_by(|a, b| a.least().total_cmp(&b.least()))?;
    // Two figures are fitted: a and K.
    let free = (points.len() - 2) as f64;
    let variance = best.least() / free;
    let limit = best.least() + f_limit(free)? * variance.max(LEAST_DEVIATION.powi(2));
    let kept = || pieces.iter().filter_map(|piece| piece.below(limit));
    let low = kept().map(|(from, _)| from).min_by(f64::total_cmp)?;
    let high = kept().map(|(_, to)| to).max_by(f64::total_cmp)?;
    let at = best.best();
    // Rounding must not make a bend of a line that ends exactly where it bends.
    if low <= first + ROUNDING || high >= last - ROUNDING {
        return None;
    }
    let slope = points.iter().map(|&(x, y)| y - x.min(at)).sum::<f64>() / points.len() as f64;
    Some(Knee {
        at: at.exp(),
        between: (low.exp(), high.exp()),
        ceiling: (slope + at).exp(),
        residual: variance.sqrt(),
    })
}

/// ln load and ln throughput, by load.
fn logarithms(samples: &[Sample]) -> Vec<(f64, f64)> {
    let usable = |sample: &&Sample| {
        [sample.load, sample.throughput].iter().all(|value| value.is_finite() && *value > 0.0)
    };
    let mut points: Vec<(f64, f64)> = samples
        .iter()
        .filter(usable)
        .map(|sample| (sample.load.ln(), sample.throughput.ln()))
        .collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    points
}

/// The sum of squares over u = ln K, for u between two neighbouring loads: `base + curve · (u − vertex)²`.
#[derive(Clone, Copy, Debug)]
struct Piece {
    from: f64,
    to: f64,
    base: f64,
    curve: f64,
    vertex: f64,
}

impl Piece {
    fn best(&self) -> f64 {
        self.vertex.clamp(self.from, self.to)
    }

    fn least(&self) -> f64 {
        self.base + self.curve * (self.best() - self.vertex).powi(2)
    }

    /// From where to where the sum of squares is not above the limit. `None` if it is nowhere.
    fn below(&self, limit: f64) -> Option<(f64, f64)> {
        let reach = ((limit - self.base) / self.curve).max(0.0).sqrt();
        let (from, to) = (self.from.max(self.vertex - reach), self.to.min(self.vertex + reach));
        (self.least() <= limit && from <= to).then_some((from, to))
    }
}

/// With j points up to the knee and m beyond it, residuals against ln a are pᵢ = yᵢ − xᵢ for the former and qᵢ = yᵢ − u for the latter.
/// Their sum of squares around their common mean is that within both groups, and between them j·m/n · (mean p − mean q)².
fn pieces(points: &[(f64, f64)]) -> Vec<Piece> {
    let n = points.len() as f64;
    let piece = |j: usize| {
        let (grow, flat) = points.split_at(j);
        let (p, within_p) = mean_and_squares(grow.iter().map(|&(x, y)| y - x));
        let (q, within_q) = mean_and_squares(flat.iter().map(|&(_, y)| y));
        Piece {
            from: points[j - 1].0,
            to: points[j].0,
            base: within_p + within_q,
            curve: grow.len() as f64 * flat.len() as f64 / n,
            vertex: q - p,
        }
    };
    (1..points.len()).map(piece).filter(|piece| piece.from < piece.to).collect()
}

fn mean_and_squares(values: impl ExactSizeIterator<Item = f64> + Clone) -> (f64, f64) {
    let mean = values.clone().sum::<f64>() / values.len().max(1) as f64;
    (mean, values.map(|value| (value - mean).powi(2)).sum())
}

/// The 95th percentile of F with 1 and so many degrees of freedom: the square of Student's t at 97.5 %.
fn f_limit(free: f64) -> Option<f64> {
    let t = StudentsT::new(0.0, 1.0, free).ok()?.inverse_cdf(f64::midpoint(LEVEL, 1.0));
    Some(t * t)
}

/// How sure the bounds are.
pub const LEVEL: f64 = 0.95;

/// Three loads fit two lines always: it takes a fourth to contradict.
pub const FEWEST_LOADS: usize = 4;

/// No throughput of a load test is known better than this, as a share of it: a line that fits better fits by chance.
pub const LEAST_DEVIATION: f64 = 0.01;

const ROUNDING: f64 = 1e-9;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn samples(of: &[(f64, f64)]) -> Vec<Sample> {
        of.iter().map(|&(load, throughput)| Sample { load, throughput }).collect()
    }

    fn ideal(loads: &[f64], slope: f64, at: f64) -> Vec<Sample> {
        loads.iter().map(|&load| Sample { load, throughput: slope * load.min(at) }).collect()
    }

    const LOADS: [f64; 8] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];

    #[test]
    fn an_ideal_curve_bends_where_it_bends() {
        let knee = knee(&ideal(&LOADS, 30.0, 20.0)).unwrap();
        assert!((knee.at - 20.0).abs() < 1e-6, "{knee:?}");
        assert!((knee.ceiling - 600.0).abs() < 1e-6, "{knee:?}");
        assert!(knee.residual < 1e-6);
        // Nothing is known better than to one per cent.
        assert!(19.0 < knee.between.0 && knee.between.1 < 21.0, "{knee:?}");
    }

    #[test]
    fn curves_that_do_not_bend_have_no_knee() {
        assert_eq!(knee(&ideal(&LOADS, 30.0, 1e9)), None);
        assert_eq!(knee(&ideal(&LOADS, 30.0, 0.5)), None);
        assert_eq!(knee(&ideal(&LOADS, 30.0, 128.0)), None);
    }

    #[test]
    fn a_bend_within_the_noise_is_none() {
        let one_per_cent = samples(&[(1.0, 10.0), (2.0, 20.0), (4.0, 40.0), (8.0, 79.2)]);
        assert_eq!(knee(&one_per_cent), None);
    }

    #[test]
    fn three_loads_are_too_few() {
        assert_eq!(knee(&ideal(&[1.0, 8.0, 64.0], 1.0, 10.0)), None);
        assert_eq!(knee(&ideal(&[1.0, 1.0, 8.0, 64.0], 1.0, 10.0)), None);
        assert_eq!(knee(&[]), None);
    }

    #[test]
    fn what_is_no_throughput_is_left_out() {
        let mut with = ideal(&LOADS, 30.0, 20.0);
        let without = knee(&with);
        with.extend(samples(&[(256.0, 0.0), (0.0, 5.0), (f64::NAN, 1.0), (3.0, f64::INFINITY)]));
        assert_eq!(knee(&with), without);
    }

    #[test]
    fn a_document_s_sweep_has_its_knee_between_its_loads() {
        // Qwen2.5-0.5B on one A100, as a soft curve: 1, 10, 50, 100, 200 requests in flight.
        let soft = samples(&[
            (1.0, 210.0),
            (10.0, 1_900.0),
            (50.0, 6_800.0),
            (100.0, 7_900.0),
            (200.0, 8_100.0),
        ]);
        let knee = knee(&soft).unwrap();
        assert!(30.0 < knee.at && knee.at < 60.0, "{knee:?}");
        assert!(knee.between.0 < knee.at && knee.at < knee.between.1, "{knee:?}");
        assert!(knee.between.1 < 100.0, "{knee:?}");
    }

    /// The sum of squares with ln a free, the plain way.
    fn squares(points: &[(f64, f64)], u: f64) -> f64 {
        mean_and_squares(points.iter().map(|&(x, y)| y - x.min(u))).1
    }

    proptest! {
        #[test]
        fn a_known_knee_is_found_under_noise(
            at in 3.0_f64..60.0,
            noise in prop::collection::vec(-0.04_f64..0.04, LOADS.len()),
        ) {
            let mut curve = ideal(&LOADS, 30.0, at);
            curve.iter_mut().zip(&noise).for_each(|(sample, noise)| sample.throughput *= 1.0 + noise);
            let knee = knee(&curve).expect("it bends by far");
            prop_assert!((knee.at / at).ln().abs() < 0.12, "{} for {at}", knee.at);
            prop_assert!(knee.between.0 <= knee.at && knee.at <= knee.between.1);
            // The residual is the noise's.
            prop_assert!(knee.residual < 0.05, "{knee:?}");
        }

        #[test]
        fn scales_of_load_and_throughput_scale_the_knee(
            at in 3.0_f64..60.0,
            noise in prop::collection::vec(-0.1_f64..0.1, LOADS.len()),
            load in 0.01_f64..100.0,
            throughput in 0.01_f64..100.0,
        ) {
            let mut curve = ideal(&LOADS, 30.0, at);
            curve.iter_mut().zip(&noise).for_each(|(sample, noise)| sample.throughput *= 1.0 + noise);
            let scaled: Vec<Sample> = curve
                .iter()
                .map(|of| Sample { load: of.load * load, throughput: of.throughput * throughput })
                .collect();
            let near = |a: f64, b: f64| (a / b).ln().abs() < 1e-6;
            match (knee(&curve), knee(&scaled)) {
                (None, None) => {}
                (Some(one), Some(other)) => {
                    prop_assert!(near(one.at * load, other.at));
                    prop_assert!(near(one.between.0 * load, other.between.0));
                    prop_assert!(near(one.between.1 * load, other.between.1));
                    prop_assert!(near(one.ceiling * throughput, other.ceiling));
                    prop_assert!((one.residual - other.residual).abs() < 1e-6);
                }
                (one, other) => prop_assert!(false, "{one:?} and {other:?}"),
            }
        }

        #[test]
        fn parabolas_are_the_sums_of_squares_and_nowhere_is_it_less(
            curve in prop::collection::vec((1.0_f64..200.0, 1.0_f64..1e4), 4..9),
            tries in prop::collection::vec(0.0_f64..1.0, 20),
        ) {
            let points = logarithms(&samples(&curve));
            let pieces = pieces(&points);
            prop_assume!(!pieces.is_empty());
            let least = pieces.iter().map(Piece::least).fold(f64::INFINITY, f64::min);
            for piece in &pieces {
                for share in &tries {
                    let u = piece.from + share * (piece.to - piece.from);
                    let told = piece.base + piece.curve * (u - piece.vertex).powi(2);
                    let plain = squares(&points, u);
                    prop_assert!((told - plain).abs() <= 1e-9 * plain.max(1.0), "{told} {plain}");
                    prop_assert!(least <= plain + 1e-9);
                }
            }
        }
    }
}
