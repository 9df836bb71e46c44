//! What a server's histograms gathered during a point: means, exact, and between which bounds percentiles lie.
//!
//! The mean is of the readings that lie closest around the load. Buckets are kept only before a point's load and after it,
//! so percentiles are of all that was observed between those two, the warm-up included. Deliberately nothing is interpolated
//! within a bucket: servers' buckets are wide (vLLM's first of ITL ends at 10 ms), and a figure from inside of one would be
//! made up.

use std::collections::BTreeMap;

use tokometer_record::{Histogram, Timing};

use super::Spread;
use super::growth::Growth;
use super::heard::{Load, Source};

pub(super) fn spreads(
    sources: &[&Source<'_>],
    growth: &Growth,
    load: Load,
) -> BTreeMap<Timing, Spread> {
    let observed = growth.timings.iter().filter(|(_, observed)| observed.count > 0.0);
    let spread = |(&timing, observed): (&Timing, &super::growth::Observed)| {
        // Of a histogram that began anew only the rest is known: its mean is right for that, and its percentiles would be of it alone.
        let gathered = growth.resets.is_empty().then(|| gathered(sources, timing, load)).flatten();
        let bounds = |share| gathered.as_ref().and_then(|gathered| gathered.bounds(share));
        let spread = Spread {
            count: observed.count,
            mean: observed.sum / observed.count,
            p50: bounds(0.5),
            p99: bounds(0.99),
        };
        (timing, spread)
    };
    observed.map(spread).collect()
}

/// Observations by bucket: how many lay at or below each bound, and how many there were.
#[derive(Clone, Debug, PartialEq)]
struct Gathered {
    buckets: Vec<(f64, f64)>,
    count: f64,
}

/// What a histogram of all these sources gathered in its buckets. `None` where the buckets of one are not known, or differ
/// from another's.
fn gathered(sources: &[&Source<'_>], timing: Timing, load: Load) -> Option<Gathered> {
    let mut all: Option<Gathered> = None;
    for source in sources {
        let told = source.readings.iter();
        let mut told = told.filter_map(|r| Some((r.at, r.timings.get(&timing)?))).peekable();
        if told.peek().is_none() {
            continue;
        }
        let known: Vec<_> = told.filter(|(_, histogram)| !histogram.buckets.is_empty()).collect();
        let (_, before) = known.iter().rev().find(|(at, _)| *at <= load.begin)?;
        let (_, after) = known.iter().find(|(at, _)| *at >= load.end)?;
        let own = Gathered::between(before, after)?;
        all = Some(match all {
            Some(all) => all.and(&own)?,
            None => own,
        });
    }
    all.filter(|all| all.count > 0.0)
}

impl Gathered {
    fn between(before: &Histogram, after: &Histogram) -> Option<Self> {
        let alike = before.buckets.len() == after.buckets.len();
        let pairs = || before.buckets.iter().zip(&after.buckets);
        if !alike || pairs().any(|(before, after)| before.0 != after.0 || before.1 > after.1) {
            return None;
        }
        let buckets = pairs().map(|(before, after)| (after.0, after.1 - before.1)).collect();
        Some(Self { buckets, count: after.count - before.count })
    }

    fn and(mut self, other: &Self) -> Option<Self> {
        let same = |(own, other): (&(f64, f64), &(f64, f64))| own.0 == other.0;
        if self.buckets.len() != other.buckets.len()
            || !self.buckets.iter().zip(&other.buckets).all(same)
        {
            return None;
        }
        self.buckets.iter_mut().zip(&other.buckets).for_each(|(own, other)| own.1 += other.1);
        self.count += other.count;
        Some(self)
    }

    /// The bounds of the bucket that holds the percentile by nearest rank. What is observed is never below 0.
    fn bounds(&self, share: f64) -> Option<(f64, f64)> {
        let rank = (share * self.count).ceil().max(1.0);
        let bucket = self.buckets.iter().position(|&(_, within)| within >= rank);
        let bucket = bucket.unwrap_or(self.buckets.len());
        let bound = |bucket: usize| self.buckets.get(bucket).map(|&(bound, _)| bound);
        let low = match bucket.checked_sub(1) {
            Some(below) => bound(below)?,
            None => 0.0,
        };
        Some((low, bound(bucket).unwrap_or(f64::INFINITY)))
    }
}

#[cfg(test)]
mod tests {
    use tokometer_record::{Origin, Reading};

    use super::*;
    use crate::server::side::testing::reading;
    use crate::summary::testing::ms;

    const BOUNDS: [f64; 3] = [0.1, 0.5, 1.0];

    /// A reading of TTFT: its sum, how many lay within each of [`BOUNDS`], and how many in all.
    fn ttft(at: u64, source: &str, sum: f64, within: &[f64], count: f64) -> Reading {
        let buckets = BOUNDS.into_iter().zip(within.iter().copied()).collect();
        let mut reading = reading(at, source, &[]);
        reading.timings.insert(Timing::Ttft, Histogram { sum, count, buckets });
        reading
    }

    fn spread(readings: &[Reading]) -> Option<Spread> {
        let sources = Source::all(readings, &[], Origin::Metrics);
        let load = Load { begin: ms(1_000), end: ms(2_000) };
        let growth = Growth::of(&sources, load);
        spreads(&sources.iter().collect::<Vec<_>>(), &growth, load).remove(&Timing::Ttft)
    }

    #[test]
    fn percentiles_lie_between_the_bounds_of_their_bucket() {
        let spread = spread(&[
            ttft(500, "a", 1.0, &[5.0, 5.0, 5.0], 5.0),
            ttft(1_500, "a", 9.0, &[], 50.0),
            ttft(2_500, "a", 41.0, &[45.0, 75.0, 104.0], 105.0),
        ]);
        let expected =
            Spread { count: 100.0, mean: 0.4, p50: Some((0.1, 0.5)), p99: Some((0.5, 1.0)) };
        assert_eq!(spread, Some(expected));
    }

    #[test]
    fn the_last_bucket_has_no_upper_bound_and_the_first_begins_at_nothing() {
        let spread = spread(&[
            ttft(500, "a", 0.0, &[0.0, 0.0, 0.0], 0.0),
            ttft(2_500, "a", 9.0, &[8.0, 8.0, 8.0], 10.0),
        ]);
        let bounds = spread.map(|spread| (spread.p50, spread.p99)).unwrap();
        assert_eq!(bounds, (Some((0.0, 0.1)), Some((1.0, f64::INFINITY))));
    }

    #[test]
    fn sources_with_the_same_bounds_add_up_and_others_do_not() {
        let of = |source| {
            [
                ttft(500, source, 0.0, &[0.0, 0.0, 0.0], 0.0),
                ttft(2_500, source, 2.0, &[1.0, 4.0, 4.0], 4.0),
            ]
        };
        let mut both = [of("a"), of("b")].concat();
        assert_eq!(spread(&both).unwrap().p50, Some((0.1, 0.5)));
        assert_eq!(spread(&both).unwrap().count, 8.0);
        both[2].timings.get_mut(&Timing::Ttft).unwrap().buckets[1].0 = 0.4;
        assert_eq!(spread(&both).unwrap().p50, None);
        assert_eq!(spread(&both).unwrap().mean, 0.5);
    }

    #[test]
    fn without_buckets_there_is_a_mean_alone() {
        let spread = spread(&[ttft(500, "a", 0.0, &[], 0.0), ttft(2_500, "a", 9.0, &[], 3.0)]);
        assert_eq!(spread, Some(Spread { count: 3.0, mean: 3.0, p50: None, p99: None }));
    }

    #[test]
    fn nothing_observed_is_no_spread() {
        let same = [ttft(500, "a", 4.0, &[], 2.0), ttft(2_500, "a", 4.0, &[], 2.0)];
        assert_eq!(spread(&same), None);
    }
}
