//! Gauges over a point: their mean, their greatest value, and how often they were above nothing.
//!
//! Only readings while the load was on count. A gauge of before or after it says nothing of it, and none is put in its
//! place, but for what stays as it is while a server lives.

use std::collections::BTreeMap;

use tokometer_record::{Offset, Signal};

use super::Level;
use super::heard::{Gauged, Load};

pub(super) fn levels(gauged: &[Gauged], load: Load) -> BTreeMap<Signal, Level> {
    let mut told: BTreeMap<Signal, Vec<(Offset, f64)>> = BTreeMap::new();
    for gauged in gauged {
        for (&signal, &value) in &gauged.values {
            told.entry(signal).or_default().push((gauged.at, value));
        }
    }
    let level = |(signal, values): (Signal, Vec<(Offset, f64)>)| {
        let stays = matches!(signal, Signal::MaxRunning | Signal::KvTokens);
        let level = if stays { Level::staying(&values, load) } else { Level::over(&values, load) };
        Some((signal, level?))
    };
    told.into_iter().filter_map(level).collect()
}

/// The mean of a gauge while the load was on, over values above `least`, each weighted by the first of these other gauges
/// that was told at the same moment. `None` where there is no such value.
pub(super) fn weighted(
    gauged: &[Gauged],
    load: Load,
    (signal, least): (Signal, f64),
    by: &[Signal],
) -> Option<f64> {
    let told = gauged.iter().filter(|gauged| load.holds(gauged.at)).filter_map(|gauged| {
        let value = gauged.values.get(&signal).copied().filter(|&value| value >= least)?;
        let weight = by.iter().find_map(|other| gauged.values.get(other)).copied();
        Some((value, weight.unwrap_or(1.0).max(0.0)))
    });
    let (sum, weights, plain, n) =
        told.fold((0.0, 0.0, 0.0, 0.0), |(sum, weights, plain, n), (value, weight)| {
            (sum + value * weight, weights + weight, plain + value, n + 1.0)
        });
    if weights > 0.0 { Some(sum / weights) } else { (n > 0.0).then(|| plain / n) }
}

impl Level {
    /// Of the values while the load was on. `None` if there were none.
    pub(super) fn over(values: &[(Offset, f64)], load: Load) -> Option<Self> {
        let on = || values.iter().copied().filter(|&(at, _)| load.holds(at));
        let readings = on().count();
        // The first of the greatest.
        let greatest = |a: (Offset, f64), b: (Offset, f64)| if b.1 > a.1 { b } else { a };
        let (max_at, max) = on().reduce(greatest)?;
        let mean = on().map(|(_, value)| value).sum::<f64>() / readings as f64;
        let above_zero = on().filter(|&(_, value)| value > 0.0).count() as f64 / readings as f64;
        Some(Self { mean, max, max_at, above_zero, readings })
    }

    /// As [`Level::over`], and if nothing was read while the load was on, the value that was read nearest to it.
    pub(super) fn staying(values: &[(Offset, f64)], load: Load) -> Option<Self> {
        Self::over(values, load).or_else(|| {
            let &(at, value) = values.iter().min_by_key(|&&(at, _)| load.misses(at))?;
            let above_zero = if value > 0.0 { 1.0 } else { 0.0 };
            Some(Self { mean: value, max: value, max_at: at, above_zero, readings: 0 })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::testing::ms;

    const LOAD: Load = Load { begin: Offset::from_nanos(1_000), end: Offset::from_nanos(3_000) };

    fn over(values: &[(u64, f64)]) -> Vec<(Offset, f64)> {
        values.iter().map(|&(at, value)| (Offset::from_nanos(at), value)).collect()
    }

    #[test]
    fn a_level_is_of_the_readings_while_the_load_was_on() {
        let values = over(&[
            (0, 99.0),
            (1_000, 0.0),
            (2_000, 6.0),
            (2_500, 6.0),
            (3_000, 0.0),
            (3_001, 99.0),
        ]);
        let level = Level::over(&values, LOAD).unwrap();
        let expected = Level {
            mean: 3.0,
            max: 6.0,
            max_at: Offset::from_nanos(2_000),
            above_zero: 0.5,
            readings: 4,
        };
        assert_eq!(level, expected);
    }

    #[test]
    fn a_gauge_of_before_and_after_is_none_of_the_load() {
        assert_eq!(Level::over(&over(&[(999, 5.0), (3_001, 5.0)]), LOAD), None);
        assert_eq!(Level::over(&[], LOAD), None);
    }

    #[test]
    fn what_stays_is_told_by_the_nearest_reading() {
        let level = Level::staying(&over(&[(0, 8.0), (3_100, 9.0), (9_000, 7.0)]), LOAD).unwrap();
        assert_eq!((level.mean, level.readings), (9.0, 0));
    }

    #[test]
    fn weights_are_those_of_the_same_moment() {
        let at = |at, values: &[(Signal, f64)]| Gauged {
            at: ms(at),
            values: values.iter().copied().collect(),
        };
        let rate = Signal::PrefixHitRate;
        let gauged = [
            at(0, &[(rate, 0.9), (Signal::Running, 0.0)]),
            at(1, &[(rate, 0.2), (Signal::Running, 30.0)]),
            at(2, &[(rate, 0.6), (Signal::Running, 10.0)]),
            at(99, &[(rate, 1.0), (Signal::Running, 1e9)]),
        ];
        let load = Load { begin: ms(0), end: ms(2) };
        let mean = weighted(&gauged, load, (rate, 0.0), &[Signal::Running]).unwrap();
        assert!((mean - 0.3).abs() < 1e-12);
        let idle = weighted(&gauged[..1], load, (rate, 0.0), &[Signal::Running]);
        assert_eq!(idle, Some(0.9));
        assert_eq!(weighted(&gauged, load, (rate, 2.0), &[]), None);
    }
}
