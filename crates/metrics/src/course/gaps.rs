//! The gaps between tokens, in one pass over all chunks: their distribution, and how long they were over time.
//!
//! A gap is one of [`ITL`]: per token, of measured requests that succeeded. None is kept: they are counted as they are told.

use tokometer_record::Offset;

use super::curve::Tally;
use super::grid::Grid;
use super::{Curve, Gaps};
use crate::Run;
use crate::catalog::{ITL, each_token_gap};

/// The most stretches of time that gaps are told apart by.
pub(super) const COLUMNS: i64 = 120;

/// The most lengths that gaps are told apart by.
pub(super) const ROWS: usize = 40;

/// The curve of the gaps, and the gaps over time from `from` to `to`. Nothing if there is none.
pub(super) fn of(
    run: &Run<'_>,
    zero: Offset,
    from: Offset,
    to: Offset,
) -> (Option<Curve>, Option<Gaps>) {
    let mut tally = Tally::new();
    let mut field = Field::new(Grid::over(zero, from, to, COLUMNS));
    for record in run.successes() {
        each_token_gap(record, |at, gap, tokens| {
            let count = u64::from(tokens);
            tally.add(gap, count);
            field.add(at, gap, count);
        });
    }
    (tally.curve(ITL.key), tally.extremes().map(|extremes| field.between(extremes)))
}

/// Counts by time and by fine rows of lengths, which are joined to fewer when it is known how long gaps were.
struct Field {
    grid: Grid,
    /// Where each fine row begins, and behind them where the last ends, in seconds.
    edges: Vec<f64>,
    /// By the leading bits of a length, the fine row in which the least length with such bits lies.
    rows: Vec<u16>,
    /// By stretches of time, and in each by fine rows: a request's gaps go to few of them in turn.
    counts: Vec<u64>,
}

impl Field {
    fn new(grid: Grid) -> Self {
        let edges: Vec<f64> = (0..=FINE_ROWS)
            .map(|row| SHORTEST * 10_f64.powf(row as f64 / ROWS_PER_DECADE as f64))
            .collect();
        let keys = leading(SHORTEST)..=leading(edges[FINE_ROWS]);
        let least = keys.map(|key| f64::from_bits(key << UNTOLD_BITS));
        let row = |value: f64| edges.partition_point(|&edge| edge <= value).saturating_sub(1);
        let rows = least.map(|value| u16::try_from(row(value)).unwrap_or(u16::MAX)).collect();
        let counts = vec![0; grid.count * FINE_ROWS];
        Self { grid, edges, rows, counts }
    }

    fn add(&mut self, at: Offset, gap: f64, count: u64) {
        if gap.is_finite() {
            let row = self.row(gap);
            self.counts[self.grid.at(at) * FINE_ROWS + row] += count;
        }
    }

    /// The fine row of a length: the shortest for what is shorter, and the longest for what is longer.
    fn row(&self, gap: f64) -> usize {
        let gap = gap.max(SHORTEST);
        let key = (leading(gap) - leading(SHORTEST)) as usize;
        let mut row = self.rows.get(key).map_or(FINE_ROWS, |&row| usize::from(row));
        while row + 1 < FINE_ROWS && self.edges[row + 1] <= gap {
            row += 1;
        }
        row.min(FINE_ROWS - 1)
    }

    /// The gaps, with rows from the least length to the greatest.
    fn between(&self, (least, greatest): (f64, f64)) -> Gaps {
        let (first, last) = (self.row(least), self.row(greatest));
        let joined = (last - first + 1).div_ceil(ROWS);
        let rows = (last - first + 1).div_ceil(joined);
        let columns = self.grid.count;
        let mut counts = vec![0; rows * columns];
        for fine in first..=last {
            let row = (fine - first) / joined;
            for column in 0..columns {
                counts[row * columns + column] += self.counts[column * FINE_ROWS + fine];
            }
        }
        let edge = |row: usize| {
            SHORTEST * 10_f64.powf((first + row * joined) as f64 / ROWS_PER_DECADE as f64)
        };
        Gaps {
            times: (0..=columns).map(|column| self.grid.edge(column)).collect(),
            lengths: (0..=rows).map(edge).collect(),
            counts,
        }
    }
}

/// The leading bits of a number: they ascend with it.
const fn leading(value: f64) -> u64 {
    value.to_bits() >> UNTOLD_BITS
}

/// Of a number's 64 bits, all but its sign, its exponent and 7 of its fraction: 128 steps an octave, finer than a fine row.
const UNTOLD_BITS: u32 = 45;

/// Seconds: chunks that came in one read have no time between them, and are counted as this far apart.
pub(super) const SHORTEST: f64 = 1e-5;

const ROWS_PER_DECADE: usize = 160;

/// Sixteen decades: up to thousands of years.
const FINE_ROWS: usize = 16 * ROWS_PER_DECADE;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::summary::testing::ms;

    fn field(gaps: &[(u64, f64)]) -> Gaps {
        let mut field = Field::new(Grid::over(ms(0), ms(0), ms(10_000), COLUMNS));
        let mut tally = Tally::new();
        for &(at, gap) in gaps {
            field.add(ms(at), gap, 1);
            tally.add(gap, 1);
        }
        field.between(tally.extremes().unwrap())
    }

    #[test]
    fn equal_gaps_are_one_row() {
        let gaps = field(&[(0, 0.02), (50, 0.02), (9_999, 0.02)]);
        assert_eq!((gaps.times.len(), gaps.lengths.len(), gaps.counts.len()), (101, 2, 100));
        assert_eq!((gaps.counts[0], gaps.counts[99], gaps.counts.iter().sum::<u64>()), (2, 1, 3));
        assert!(gaps.lengths[0] <= 0.02 && 0.02 < gaps.lengths[1]);
    }

    #[test]
    fn rows_are_at_equal_ratios_and_few() {
        let gaps = field(&[(0, 0.001), (5_000, 1.0)]);
        assert!(gaps.lengths.len() <= ROWS + 1, "{}", gaps.lengths.len());
        let ratio = gaps.lengths[1] / gaps.lengths[0];
        assert!(gaps.lengths.windows(2).all(|pair| (pair[1] / pair[0] / ratio - 1.0).abs() < 1e-9));
        let columns = gaps.times.len() - 1;
        assert_eq!(gaps.counts[0], 1);
        assert_eq!(gaps.counts[(gaps.lengths.len() - 2) * columns + 50], 1);
    }

    #[test]
    fn no_time_at_all_counts_as_the_shortest() {
        let gaps = field(&[(0, 0.0), (0, 0.02)]);
        assert_eq!((gaps.lengths[0], gaps.counts[0]), (SHORTEST, 1));
    }

    proptest! {
        #[test]
        fn every_gap_is_counted_once_and_in_its_row(
            gaps in prop::collection::vec((0_u64..10_000, 1e-6..1e4_f64), 1..60),
        ) {
            let of = field(&gaps);
            let columns = of.times.len() - 1;
            prop_assert!(columns <= 120 && of.lengths.len() <= ROWS + 1);
            prop_assert_eq!(of.counts.len(), columns * (of.lengths.len() - 1));
            for (row, edges) in of.lengths.windows(2).enumerate() {
                let inside = gaps.iter().map(|&(_, gap)| gap.max(SHORTEST));
                let inside = inside.filter(|&gap| edges[0] <= gap && gap < edges[1]).count() as u64;
                prop_assert_eq!(inside, of.counts[row * columns..][..columns].iter().sum::<u64>());
            }
        }
    }
}
