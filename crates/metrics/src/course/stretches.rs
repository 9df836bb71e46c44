//! What was under way, stretch after stretch: requests in flight, tokens, starts and ends.
//!
//! The warm-up's requests are among them, for the server worked for them too: those of negative moments, and those that still ran when
//! the measurement began. Tokens are booked as everywhere ([`crate::series`]): at the arrival of their chunk, those of successes alone.

use tokometer_record::{FailureKind, Offset};

use super::Stretch;
use super::grid::Grid;
use crate::Run;
use crate::concurrency;
use crate::run::flights;
use crate::series::arrivals;
use crate::window::completed;

/// The most stretches of a point.
pub(super) const MOST: i64 = 240;

/// What was under way between two moments, in stretches of which one begins at `zero`.
pub(super) fn of(run: &Run<'_>, zero: Offset, from: Offset, to: Offset) -> Vec<Stretch> {
    let grid = Grid::over(zero, from, to, MOST);
    let mut sums = vec![Sums::default(); grid.count];
    book_flights(run, &grid, &mut sums);
    for record in &run.all {
        sums[grid.at(record.started)].started += 1;
        match record.failure().map(|failure| failure.kind) {
            // How it would have ended is not known.
            Some(FailureKind::Cancelled) => {}
            Some(_) => sums[grid.at(record.end)].failed += 1,
            None => {
                sums[grid.at(completed(record).unwrap_or(record.end))].completed += 1;
                arrivals(record, |at, tokens| {
                    let sums = &mut sums[grid.at(at)];
                    sums.output += tokens.output;
                    sums.prompt += tokens.new_prompt + tokens.cached_prompt;
                });
            }
        }
    }
    sums.iter().enumerate().map(|(index, sums)| sums.stretch(&grid, index)).collect()
}

/// Time in flight, and the most at once: by every moment at which the number in flight changed.
fn book_flights(run: &Run<'_>, grid: &Grid, sums: &mut [Sums]) {
    let flights = flights(&run.all);
    let mut before: Option<(Offset, u64)> = None;
    for (at, count) in concurrency::counts(&flights, Offset::ZERO) {
        if let Some((since, flying)) = before {
            grid.spread(since, at, |stretch, part| {
                let sums = &mut sums[stretch];
                sums.flown += u128::from(part) * u128::from(flying);
                sums.most = sums.most.max(flying);
            });
        }
        before = Some((at, count));
    }
}

#[derive(Clone, Copy, Default)]
struct Sums {
    /// Requests × nanoseconds.
    flown: u128,
    most: u64,
    output: u64,
    prompt: u64,
    started: u64,
    completed: u64,
    failed: u64,
}

impl Sums {
    fn stretch(&self, grid: &Grid, index: usize) -> Stretch {
        let per_second = |count: u64| count as f64 / grid.width();
        Stretch {
            from: grid.edge(index),
            to: grid.edge(index + 1),
            in_flight: grid.mean(self.flown),
            most_in_flight: self.most,
            output_rate: per_second(self.output),
            prompt_rate: per_second(self.prompt),
            started: per_second(self.started),
            completed: per_second(self.completed),
            failed: per_second(self.failed),
        }
    }
}
