//! Values that come several a request: a run may have a hundred million of them, which must not live in memory a second time.
//!
//! Few are held and sorted as any sample is. Many are not held: they are gone through a few times, and counted by ever more of their leading
//! bits where a percentile lies, until what is left there can be held (a radix selection). Percentiles, least and greatest are the very values
//! that sorting would find. Mean and standard deviation are summed request by request: that differs from the sum of sorted values by rounding
//! alone, and is the same on any number of processors. Deliberately no sampling: every figure is of every value.

use std::thread;

use tokometer_record::Record;

use super::{Distribution, Rung};
use crate::confidence::Unbounded;
use crate::quantile::{self, Percentile, Place};

/// Values of requests that come several each.
pub(crate) struct Pool<'a> {
    /// The requests.
    pub(crate) records: Vec<&'a Record>,
    /// Adds the values of one.
    pub(crate) gaps: fn(&Record, &mut Vec<f64>),
}

impl Pool<'_> {
    /// All of them summed up. `None` if no value is finite.
    pub(crate) fn distribution(&self) -> Option<Distribution> {
        if self.at_most() > HELD { self.counted(ROOM) } else { Distribution::pooled(self.values()) }
    }

    /// Percentiles as [`quantile::linear_at`] gives them.
    pub(crate) fn linear_at(&self, percents: &[f64]) -> Vec<Option<f64>> {
        if self.at_most() > HELD {
            return self.counted_at(percents, ROOM);
        }
        let mut values = self.values();
        values.retain(|value| value.is_finite());
        values.sort_unstable_by(f64::total_cmp);
        percents.iter().map(|&percent| quantile::linear_at(&values, percent)).collect()
    }

    /// All of them, request by request.
    pub(crate) fn values(&self) -> Vec<f64> {
        let mut values = Vec::new();
        self.records.iter().for_each(|record| (self.gaps)(record, &mut values));
        values
    }

    /// How many there may be: one a chunk, or one a token where the server told them.
    fn at_most(&self) -> u64 {
        let of = |record: &&Record| record.chunks.told().max(record.chunks.len() as u64);
        self.records.iter().map(of).fold(0, u64::saturating_add)
    }

    fn counted(&self, room: u64) -> Option<Distribution> {
        let whole = self.count();
        if whole.n == 0 {
            return None;
        }
        let (n, usual) = (whole.n as f64, self.usual());
        let [sum, squares] =
            [0, 1].map(|power| whole.sums.iter().map(|sums| sums[power]).sum::<f64>());
        // As of a sorted sample: rounding must not carry a mean of equal values outside of them.
        let mean = (usual + sum / n).clamp(whole.min, whole.max);
        let variance = (squares / n - (mean - usual).powi(2)).max(0.0);

        let nearest = Percentile::LADDER.map(|p| quantile::nearest_place(whole.n, p));
        let linear = Percentile::LADDER.map(|p| quantile::linear_place(whole.n, p));
        let found = self.find(&whole, &[nearest, linear].concat(), room);
        let rung = |at: usize| Rung {
            nearest_rank: found[at].unwrap_or(whole.max),
            linear: found[nearest.len() + at].unwrap_or(whole.max),
            bounds: Err(Unbounded::Pooled),
        };
        Some(Distribution {
            n: whole.n,
            mean,
            std: variance.sqrt(),
            min: whole.min,
            max: whole.max,
            mean_bounds: Err(Unbounded::Pooled),
            ladder: std::array::from_fn(rung),
        })
    }

    fn counted_at(&self, percents: &[f64], room: u64) -> Vec<Option<f64>> {
        let whole = self.count();
        let place = |&percent: &f64| quantile::linear_place_at(whole.n, percent);
        let places: Vec<Option<Place>> = percents.iter().map(place).collect();
        self.find(&whole, &places, room)
    }

    /// The median of the first request that has values: a value that is somewhere near the mean of all. 0 if there is none.
    fn usual(&self) -> f64 {
        let mut values = Vec::new();
        for record in &self.records {
            (self.gaps)(record, &mut values);
            values.retain(|value| value.is_finite());
            if !values.is_empty() {
                break;
            }
        }
        values.sort_unstable_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or_default()
    }

    /// Counts all of them by their first bits.
    fn count(&self) -> Whole {
        let usual = self.usual();
        let parts = self.go_through(Whole::default, |whole, values| {
            whole.n += values.len() as u64;
            let (mut sum, mut squares) = (0.0, 0.0);
            for &value in values {
                sum += value - usual;
                squares += (value - usual).powi(2);
                whole.min = whole.min.min(value);
                whole.max = whole.max.max(value);
                whole.table[(key(value) >> FIRST) as usize] += 1;
            }
            whole.sums.push([sum, squares]);
        });
        parts.into_iter().reduce(Whole::and).unwrap_or_default()
    }

    /// The values at these places, with so many of them held at once.
    fn find(&self, whole: &Whole, places: &[Option<Place>], room: u64) -> Vec<Option<f64>> {
        let mut ranks: Vec<u64> = places.iter().flatten().flat_map(|place| place.ranks()).collect();
        ranks.sort_unstable();
        let counts = (0..).zip(whole.table.iter().copied());
        let mut search = Search { shift: FIRST, buckets: holding(&ranks, 0, counts).collect() };
        while search.shift > 0 && search.holds() > room {
            search = self.narrow(&search, &ranks);
        }
        let held = if search.shift > 0 { self.hold(&search) } else { search.alike() };
        let at = |rank: u64| {
            let bucket = search.buckets.partition_point(|bucket| bucket.below <= rank);
            let bucket = bucket.checked_sub(1)?;
            let within = usize::try_from(rank - search.buckets[bucket].below).ok()?;
            // All alike are held once.
            held[bucket].get(within).or(held[bucket].last()).copied()
        };
        places.iter().map(|place| (*place)?.of(at)).collect()
    }

    /// Divides every bucket by the bits that come next, and keeps those parts that hold one of these ranks.
    fn narrow(&self, search: &Search, ranks: &[u64]) -> Search {
        let tables = || vec![vec![0_u64; 1 << NEXT]; search.buckets.len()];
        let shift = search.shift - NEXT;
        let finder = search.finder();
        let parts = self.go_through(tables, |tables, values| {
            for key in values.iter().map(|&value| key(value)) {
                if let Some(bucket) = finder.of(key) {
                    tables[bucket][(key >> shift) as usize % (1 << NEXT)] += 1;
                }
            }
        });
        let divided = search.buckets.iter().enumerate().flat_map(|(index, bucket)| {
            let parts = &parts;
            let count = move |low: usize| parts.iter().map(|tables| tables[index][low]).sum();
            let counts =
                (0..1 << NEXT).map(move |low| ((bucket.prefix << NEXT) + low as u64, count(low)));
            holding(ranks, bucket.below, counts)
        });
        Search { shift, buckets: divided.collect() }
    }

    /// The values of every bucket, ascending.
    fn hold(&self, search: &Search) -> Vec<Vec<f64>> {
        let finder = search.finder();
        let mut held = vec![Vec::new(); search.buckets.len()];
        let parts = self.go_through(
            || held.clone(),
            |held: &mut Vec<Vec<f64>>, values| {
                for &value in values {
                    if let Some(bucket) = finder.of(key(value)) {
                        held[bucket].push(value);
                    }
                }
            },
        );
        for part in parts {
            held.iter_mut().zip(part).for_each(|(all, more)| all.extend(more));
        }
        held.iter_mut().for_each(|values| values.sort_unstable_by(f64::total_cmp));
        held
    }

    /// Shows `work` the finite values of each request in turn: on several threads, each with a state of its own and a part of the requests
    /// behind those of the one before.
    fn go_through<S: Send>(
        &self,
        state: impl Fn() -> S + Sync,
        work: impl Fn(&mut S, &[f64]) + Sync,
    ) -> Vec<S> {
        let threads = thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
        let each = self.records.len().div_ceil(threads).max(1);
        let part = |records: &[&Record]| {
            let (mut state, mut values) = (state(), Vec::new());
            for record in records {
                values.clear();
                (self.gaps)(record, &mut values);
                values.retain(|value| value.is_finite());
                work(&mut state, &values);
            }
            state
        };
        thread::scope(|scope| {
            let part = &part;
            let begun = self.records.chunks(each).map(|records| scope.spawn(move || part(records)));
            let begun: Vec<_> = begun.collect();
            let ended = begun.into_iter().map(thread::ScopedJoinHandle::join);
            // A panic of a part is one of the whole.
            ended
                .map(|state| state.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        })
    }
}

/// What is known after all were gone through once.
struct Whole {
    n: u64,
    min: f64,
    max: f64,
    /// Of each request how far its values lie from a [usual](Pool::usual) one, summed up, and the sum of its squares: of values that are not
    /// far from nothing, rounding takes little (Chan, Golub and LeVeque, The American Statistician 37, 1983).
    sums: Vec<[f64; 2]>,
    /// How many there are of each beginning of a key.
    table: Vec<u64>,
}

impl Default for Whole {
    fn default() -> Self {
        let table = vec![0; 1 << (u64::BITS - FIRST)];
        Self { n: 0, min: f64::INFINITY, max: f64::NEG_INFINITY, sums: Vec::new(), table }
    }
}

impl Whole {
    /// With those of the requests behind it.
    fn and(mut self, behind: Self) -> Self {
        self.n += behind.n;
        self.min = self.min.min(behind.min);
        self.max = self.max.max(behind.max);
        self.sums.extend(behind.sums);
        let counts = self.table.iter_mut().zip(behind.table).filter(|&(_, more)| more > 0);
        counts.for_each(|(count, more)| *count += more);
        self
    }
}

/// Where the values sought may lie.
struct Search {
    /// How many bits of a key are not looked at yet.
    shift: u32,
    /// Those that hold one of them at least, ascending.
    buckets: Vec<Bucket>,
}

/// Values that have the beginning of their keys in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bucket {
    prefix: u64,
    /// How many values are less than any of these.
    below: u64,
    holds: u64,
}

impl Search {
    fn holds(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.holds).sum()
    }

    /// The one value of every bucket, no bit of which is left to be looked at.
    fn alike(&self) -> Vec<Vec<f64>> {
        self.buckets.iter().map(|bucket| vec![value(bucket.prefix)]).collect()
    }

    fn finder(&self) -> Finder<'_> {
        let mut near = vec![false; 1 << (u64::BITS - FIRST)];
        for bucket in &self.buckets {
            near[(bucket.prefix << self.shift >> FIRST) as usize] = true;
        }
        Finder { search: self, near }
    }
}

/// Tells quickly that most values are in no bucket.
struct Finder<'a> {
    search: &'a Search,
    /// For each beginning of a key whether a bucket has it.
    near: Vec<bool>,
}

impl Finder<'_> {
    fn of(&self, key: u64) -> Option<usize> {
        if !self.near[(key >> FIRST) as usize] {
            return None;
        }
        let prefix = key >> self.search.shift;
        self.search.buckets.binary_search_by_key(&prefix, |bucket| bucket.prefix).ok()
    }
}

/// Those of these counts, each with its prefix and ascending, that hold one of the ranks: before them are `below` values.
fn holding(
    ranks: &[u64],
    below: u64,
    counts: impl Iterator<Item = (u64, u64)>,
) -> impl Iterator<Item = Bucket> {
    let buckets = counts.filter(|&(_, holds)| holds > 0).scan(below, |below, (prefix, holds)| {
        let bucket = Bucket { prefix, below: *below, holds };
        *below += holds;
        Some(bucket)
    });
    buckets.filter(move |bucket| {
        let next = ranks.get(ranks.partition_point(|&rank| rank < bucket.below));
        next.is_some_and(|&rank| rank < bucket.below + bucket.holds)
    })
}

/// A number that ascends as values do by their total order.
const fn key(value: f64) -> u64 {
    let bits = value.to_bits();
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}

/// The value of a key.
const fn value(key: u64) -> f64 {
    f64::from_bits(if key & SIGN == 0 { !key } else { key & !SIGN })
}

const SIGN: u64 = 1 << 63;

/// So many values are held and sorted at once: eight megabytes.
const HELD: u64 = 1 << 20;

/// So many of those around percentiles are held: 32 megabytes.
const ROOM: u64 = 1 << 22;

/// Bits of a key that are left behind those that are counted first: its sign, its exponent and a thousandth of its value.
const FIRST: u32 = 42;

/// Bits that are counted next, three times at most.
const NEXT: u32 = 14;

/// More threads take more memory for their counts than they save time.
const MOST_THREADS: usize = 8;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::catalog::{ICL, ITL, Of};
    use crate::summary::testing::ok;

    fn gaps_of(metric: &crate::catalog::Metric) -> fn(&Record, &mut Vec<f64>) {
        let Of::Gaps(gaps) = metric.of else { panic!("{} has no gaps", metric.key) };
        gaps
    }

    /// Requests whose gaps are these, in milliseconds.
    fn requests(gaps: &[Vec<u64>]) -> Vec<Record> {
        let moments = |gaps: &Vec<u64>| -> Vec<u64> {
            let sums = gaps.iter().scan(5, |at, gap| {
                *at += gap;
                Some(*at)
            });
            [5].into_iter().chain(sums).collect()
        };
        (0..).zip(gaps).map(|(index, gaps)| ok(index, 0, &moments(gaps))).collect()
    }

    fn alike(counted: &Distribution, sorted: &Distribution) {
        assert_eq!((counted.n, counted.min, counted.max), (sorted.n, sorted.min, sorted.max));
        for p in Percentile::LADDER {
            assert_eq!(counted.nearest_rank(p), sorted.nearest_rank(p), "{p}");
            assert_eq!(counted.linear(p), sorted.linear(p), "{p}");
        }
        let near = |a: f64, b: f64| (a - b).abs() <= 1e-12 * b.abs().max(1e-9);
        assert!(near(counted.mean, sorted.mean), "{} for {}", counted.mean, sorted.mean);
        assert!(
            (counted.std - sorted.std).abs() <= 1e-9 * sorted.max,
            "{} for {}",
            counted.std,
            sorted.std
        );
        assert_eq!(counted.mean_bounds(), sorted.mean_bounds());
    }

    fn checked(records: &[Record], metric: &crate::catalog::Metric, room: u64) {
        let pool = Pool { records: records.iter().collect(), gaps: gaps_of(metric) };
        match (pool.counted(room), Distribution::pooled(pool.values())) {
            (Some(counted), Some(sorted)) => alike(&counted, &sorted),
            (counted, sorted) => assert_eq!(counted, sorted),
        }
        let percents = [0.0, 33.3, 99.5, 100.0, 101.0];
        assert_eq!(pool.counted_at(&percents, room), pool.linear_at(&percents));
    }

    #[test]
    fn many_of_one_value_need_no_room() {
        let records = requests(&vec![vec![20; 50]; 40]);
        checked(&records, &ICL, 0);
        let pool = Pool { records: records.iter().collect(), gaps: gaps_of(&ICL) };
        let of = pool.counted(0).unwrap();
        assert_eq!((of.min, of.mean, of.max, of.std), (0.02, 0.02, 0.02, 0.0));
    }

    #[test]
    fn nothing_counts_to_nothing() {
        checked(&[], &ICL, 8);
        checked(&[ok(0, 0, &[10])], &ICL, 8);
    }

    #[test]
    fn keys_ascend_as_values_do() {
        let values = [
            f64::MIN,
            -1.0,
            -f64::MIN_POSITIVE,
            -0.0,
            0.0,
            1e-300,
            1.0,
            1.0 + f64::EPSILON,
            f64::MAX,
        ];
        assert!(values.map(key).is_sorted());
        assert!(values.iter().all(|&of| value(key(of)).to_bits() == of.to_bits()));
    }

    #[test]
    fn more_than_can_be_held_are_counted() {
        // 1.2 million gaps, of 1 to 997 ms.
        let gaps = |request: u64| (0..2_000).map(|i| 1 + (request * 7_919 + i * i) % 997).collect();
        let records = requests(&(0..600).map(gaps).collect::<Vec<_>>());
        let pool = Pool { records: records.iter().collect(), gaps: gaps_of(&ICL) };
        assert!(pool.at_most() > HELD);
        alike(&pool.distribution().unwrap(), &Distribution::pooled(pool.values()).unwrap());
    }

    proptest! {
        #[test]
        fn counting_finds_what_sorting_finds(
            gaps in prop::collection::vec(prop::collection::vec(prop_oneof![0_u64..4, 0_u64..90_000], 0..40), 1..30),
            tokens in prop::collection::vec(0_u32..4, 1..7),
            room in 0_u64..60,
        ) {
            let mut records = requests(&gaps);
            for record in &mut records {
                record.chunks.edit(|chunks| {
                    let tokens = tokens.iter().cycle();
                    chunks.iter_mut().zip(tokens).for_each(|(chunk, &tokens)| chunk.tokens = tokens);
                });
            }
            checked(&records, &ICL, room);
            checked(&records, &ITL, room);
        }
    }
}
