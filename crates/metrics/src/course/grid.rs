//! Equal stretches of time of a round length, one of which begins where the measured schedule begins.
//!
//! Deliberately books nothing: it says which stretch a moment lies in. Moments outside of it (of a damaged log) go to its ends.

use tokometer_record::Offset;

/// Equal stretches of time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    /// Where the first stretch begins, in nanoseconds of the run's clock: negative where that is before the run.
    begin: i64,
    /// The number of the first stretch, counted from that which begins with the measured schedule: negative before it.
    first: i64,
    /// Nanoseconds.
    width: i64,
    /// How many stretches.
    pub(super) count: usize,
}

impl Grid {
    /// Stretches over all the time from `from` to `to`, at most so many, of which one begins at `zero`.
    pub(super) fn over(zero: Offset, from: Offset, to: Offset, most: i64) -> Self {
        let (zero, from, to) = (nanos(zero), nanos(from), nanos(to));
        let (from, to) = (from.saturating_sub(zero), to.saturating_sub(zero));
        let stretches = |width: i64| {
            let first = from.div_euclid(width);
            // That which begins at `zero` is among them, even where nothing lies behind it.
            let behind = (to.div_euclid(width) + i64::from(to.rem_euclid(width) > 0)).max(1);
            (first, behind.saturating_sub(first).max(1))
        };
        let fits = |&width: &i64| {
            let (_, count) = stretches(width);
            count <= most && (width >= SHORTEST || count <= FEW)
        };
        let mut widths =
            (6..=17).flat_map(|power| [1, 2, 5].map(|digit| digit * 10_i64.pow(power)));
        let width = widths.find(fits).unwrap_or(LONGEST);
        let (first, count) = stretches(width);
        let begin = first.saturating_mul(width).saturating_add(zero);
        Self { begin, first, width, count: usize::try_from(count.min(most)).unwrap_or(1) }
    }

    /// The stretch that a moment lies in: from its beginning, up to but without its end. The end of the last belongs to the last.
    pub(super) fn at(&self, moment: Offset) -> usize {
        let since = nanos(moment).saturating_sub(self.begin).max(0);
        usize::try_from(since / self.width).unwrap_or(usize::MAX).min(self.count - 1)
    }

    /// Where a stretch begins, in seconds since the beginning of the measured schedule; that of [`Grid::count`] is the end of the
    /// last.
    pub(super) fn edge(&self, stretch: usize) -> f64 {
        let number = self.first.saturating_add(i64::try_from(stretch).unwrap_or(i64::MAX));
        number.saturating_mul(self.width) as f64 / 1e9
    }

    /// How long a stretch is, in seconds.
    pub(super) fn width(&self) -> f64 {
        self.width as f64 / 1e9
    }

    /// How many things there were on average over a stretch, of what they came to in things × nanoseconds.
    pub(super) fn mean(&self, sum: u128) -> f64 {
        sum as f64 / self.width as f64
    }

    /// Tells of the part of each stretch, in nanoseconds, that lies between two moments: of those with a part.
    pub(super) fn spread(&self, from: Offset, to: Offset, mut tell: impl FnMut(usize, u64)) {
        for stretch in self.at(from)..=self.at(to) {
            let begin = self.begin.saturating_add(self.width.saturating_mul(stretch as i64));
            let end = begin.saturating_add(self.width);
            let part = nanos(to).min(end).saturating_sub(nanos(from).max(begin));
            if part > 0 {
                tell(stretch, part.unsigned_abs());
            }
        }
    }
}

fn nanos(moment: Offset) -> i64 {
    i64::try_from(moment.as_nanos()).unwrap_or(i64::MAX)
}

/// Nanoseconds: stretches are shorter than this only where there would hardly be any.
const SHORTEST: i64 = 100_000_000;

/// The most stretches that are shorter.
const FEW: i64 = 40;

/// Nanoseconds: 16 years, of which 40 are more than moments can be apart.
const LONGEST: i64 = 500_000_000_000_000_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::summary::testing::ms;

    fn grid(zero: u64, from: u64, to: u64) -> Grid {
        Grid::over(ms(zero), ms(from), ms(to), 240)
    }

    #[test]
    fn one_begins_with_the_schedule_though_nothing_lies_behind_it() {
        let grid = grid(863, 0, 863);
        assert!((0..grid.count).any(|stretch| grid.edge(stretch) == 0.0));
    }

    fn edges(grid: &Grid) -> (f64, f64, f64, usize) {
        (grid.edge(0), grid.edge(grid.count), grid.width(), grid.count)
    }

    #[test]
    fn stretches_are_of_a_round_length() {
        assert_eq!(edges(&grid(0, 0, 60_000)), (0.0, 60.0, 0.5, 120));
        assert_eq!(edges(&grid(0, 0, 20_000)), (0.0, 20.0, 0.1, 200));
        assert_eq!(edges(&grid(0, 0, 3_600_000)), (0.0, 3600.0, 20.0, 180));
        assert_eq!(edges(&grid(0, 0, 1_010)), (0.0, 1.05, 0.05, 21));
    }

    #[test]
    fn one_of_them_begins_with_the_measured_schedule() {
        assert_eq!(edges(&grid(1_030, 5, 4_000)), (-1.1, 3.0, 0.1, 41));
        // Before the run's own beginning.
        assert_eq!(edges(&grid(30, 0, 4_000)), (-0.1, 4.0, 0.1, 41));
    }

    #[test]
    fn an_edge_belongs_to_the_stretch_that_begins_there_and_the_last_to_the_last() {
        let grid = grid(1_000, 0, 5_000);
        assert_eq!((grid.at(ms(0)), grid.at(ms(99)), grid.at(ms(100))), (0, 0, 1));
        assert_eq!((grid.at(ms(1_000)), grid.at(ms(5_000)), grid.at(ms(9_999))), (10, 49, 49));
    }

    #[test]
    fn no_time_is_one_stretch() {
        assert_eq!(edges(&grid(0, 0, 0)), (0.0, 0.001, 0.001, 1));
    }

    proptest! {
        #[test]
        fn any_moments_fit(zero: u64, from: u64, to: u64, most in 40_i64..300) {
            let moment = Offset::from_nanos;
            let grid = Grid::over(moment(zero), moment(from), moment(to), most);
            prop_assert!((1..=most).contains(&(grid.count as i64)));
            prop_assert!(grid.at(moment(from)) < grid.count && grid.at(moment(to)) < grid.count);
        }

        #[test]
        fn time_is_spread_over_stretches_without_loss(
            zero in 0_u64..5_000, from in 0_u64..5_000, length in 0_u64..90_000,
        ) {
            let grid = grid(zero, from, from + length);
            let mut sum = 0;
            grid.spread(ms(from), ms(from + length), |_, part| sum += part);
            prop_assert_eq!(sum, length * 1_000_000);
        }
    }
}
