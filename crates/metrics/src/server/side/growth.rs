//! By how much counters and histograms grew over a load, source by source.
//!
//! From a source's last reading at or before the load's beginning (or else its first) to its first reading after the load's
//! end (or else its last), step by step, so that a server that began anew in between loses only what it did not live to
//! tell. What happened between these readings and the load, such as the end of the warm-up, is in it too.

use std::collections::BTreeMap;

use tokometer_record::{Offset, Reading, Signal, Timing};

use super::heard::{Load, Source};

/// By how much counters grew, all sources together.
#[derive(Clone, Debug, Default)]
pub(super) struct Growth {
    pub(super) grown: BTreeMap<Signal, f64>,
    /// Accepted tokens by the position in their draft.
    pub(super) positions: Vec<f64>,
    pub(super) timings: BTreeMap<Timing, Observed>,
    /// When counters had gone down, each moment once.
    pub(super) resets: Vec<Offset>,
    /// The earliest and the latest reading of all.
    pub(super) between: Option<(Offset, Offset)>,
}

/// What a histogram gathered.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Observed {
    pub(super) count: f64,
    pub(super) sum: f64,
}

impl Growth {
    /// A source of fewer than two readings tells of no growth.
    pub(super) fn of<'a>(sources: impl IntoIterator<Item = &'a Source<'a>>, load: Load) -> Self {
        let mut growth = Self::default();
        for source in sources {
            let [first, rest @ ..] = around(&source.readings, load) else { continue };
            let Some(last) = rest.last() else { continue };
            let (from, to) = growth.between.unwrap_or((first.at, last.at));
            growth.between = Some((from.min(first.at), to.max(last.at)));
            let mut stand = Stand::default();
            stand.step(first);
            // A counter that did not grow is none that the server lacks.
            for signal in stand.values.keys() {
                growth.grown.entry(*signal).or_default();
            }
            for reading in rest {
                let step = stand.step(reading);
                if step.fell && !growth.resets.contains(&reading.at) {
                    growth.resets.push(reading.at);
                }
                growth.add(step);
            }
        }
        growth.resets.sort_unstable();
        growth
    }

    pub(super) fn of_signal(&self, signal: Signal) -> Option<f64> {
        self.grown.get(&signal).copied()
    }

    fn add(&mut self, step: Step) {
        for (signal, by) in step.values {
            *self.grown.entry(signal).or_default() += by;
        }
        self.positions.resize(self.positions.len().max(step.positions.len()), 0.0);
        self.positions.iter_mut().zip(step.positions).for_each(|(sum, by)| *sum += by);
        for (timing, by) in step.timings {
            let observed = self.timings.entry(timing).or_default();
            observed.count += by.count;
            observed.sum += by.sum;
        }
    }
}

/// From the last reading at or before the load's beginning, or else the first, to the first after its end, or else the last.
pub(super) fn around<'r, 'a>(readings: &'r [&'a Reading], load: Load) -> &'r [&'a Reading] {
    let begun = readings.partition_point(|reading| reading.at <= load.begin);
    let over = readings.partition_point(|reading| reading.at <= load.end);
    &readings[begun.saturating_sub(1)..(over + 1).min(readings.len())]
}

/// The counters of one source as they stood last.
#[derive(Clone, Debug, Default)]
pub(super) struct Stand {
    values: BTreeMap<Signal, f64>,
    positions: Vec<f64>,
    timings: BTreeMap<Timing, Observed>,
}

/// By how much they grew since.
#[derive(Clone, Debug, Default)]
pub(super) struct Step {
    pub(super) values: BTreeMap<Signal, f64>,
    positions: Vec<f64>,
    timings: BTreeMap<Timing, Observed>,
    /// Whether any of them went down: it began anew, at 0.
    fell: bool,
}

impl Stand {
    /// Takes the counters of a reading. One that was not there before began at 0.
    pub(super) fn step(&mut self, reading: &Reading) -> Step {
        let mut step = Step::default();
        let counters = reading.values.iter().filter(|(s, v)| s.is_counter() && v.is_finite());
        for (&signal, &is) in counters {
            let was = self.values.insert(signal, is);
            step.values.insert(signal, grown(was, is, &mut step.fell));
        }
        for (position, &is) in reading.accepted_by_position.iter().enumerate() {
            let was = self.positions.get(position).copied();
            step.positions.push(grown(was, is, &mut step.fell));
        }
        if !reading.accepted_by_position.is_empty() {
            self.positions.clone_from(&reading.accepted_by_position);
        }
        for (&timing, histogram) in &reading.timings {
            let is = Observed { count: histogram.count, sum: histogram.sum };
            if !(is.count.is_finite() && is.sum.is_finite()) {
                continue;
            }
            let was = self.timings.insert(timing, is);
            // A sum may go down by rounding alone: the count tells.
            let anew = was.is_some_and(|was| is.count < was.count);
            step.fell |= anew;
            let was = was.filter(|_| !anew).unwrap_or_default();
            let by = Observed { count: is.count - was.count, sum: is.sum - was.sum };
            step.timings.insert(timing, by);
        }
        step
    }
}

fn grown(was: Option<f64>, is: f64, fell: &mut bool) -> f64 {
    match was {
        Some(was) if is < was => {
            *fell = true;
            is
        }
        was => is - was.unwrap_or(0.0),
    }
}

/// Whether several servers answer in turn where this source is read: a counter that goes down and then, in a single step, up
/// by nearly as much, twice at least. One that began anew grows back in its own time.
pub(super) fn in_turn(source: &Source<'_>) -> bool {
    let mut before: BTreeMap<Signal, f64> = BTreeMap::new();
    let mut fallen: BTreeMap<Signal, f64> = BTreeMap::new();
    let mut made_good: BTreeMap<Signal, usize> = BTreeMap::new();
    for reading in &source.readings {
        for (&signal, &is) in reading.values.iter().filter(|(signal, _)| signal.is_counter()) {
            let rise = is - before.insert(signal, is).unwrap_or(is);
            if rise < 0.0 {
                fallen.insert(signal, -rise);
            } else if fallen.get(&signal).is_some_and(|&depth| rise >= 0.9 * depth) {
                fallen.remove(&signal);
                *made_good.entry(signal).or_default() += 1;
            }
        }
    }
    made_good.values().any(|&times| times >= 2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokometer_record::{Histogram, Origin};

    use super::*;
    use crate::server::side::testing::reading;
    use crate::summary::testing::ms;

    const TOKENS: Signal = Signal::GenerationTokens;

    fn load(begin: u64, end: u64) -> Load {
        Load { begin: ms(begin), end: ms(end) }
    }

    fn growth(readings: &[Reading], load: Load) -> Growth {
        Growth::of(&Source::all(readings, &[], Origin::Metrics), load)
    }

    fn tokens(counts: &[(u64, f64)]) -> Vec<Reading> {
        counts.iter().map(|&(at, count)| reading(at, "a", &[(TOKENS, count)])).collect()
    }

    #[test]
    fn counters_grow_from_the_last_reading_before_the_load_to_the_first_after_it() {
        let readings = tokens(&[
            (0, 7.0),
            (900, 10.0),
            (1_100, 15.0),
            (2_900, 40.0),
            (3_100, 50.0),
            (9_000, 99.0),
        ]);
        let growth = growth(&readings, load(1_000, 3_000));
        assert_eq!(growth.of_signal(TOKENS), Some(40.0));
        assert_eq!(growth.between, Some((ms(900), ms(3_100))));
    }

    #[test]
    fn readings_only_within_the_load_are_the_best_there_is() {
        let growth = growth(&tokens(&[(1_500, 10.0), (2_000, 30.0)]), load(1_000, 3_000));
        assert_eq!(
            (growth.of_signal(TOKENS), growth.between),
            (Some(20.0), Some((ms(1_500), ms(2_000))))
        );
    }

    #[test]
    fn one_reading_tells_of_no_growth() {
        assert_eq!(growth(&tokens(&[(500, 10.0)]), load(0, 900)).of_signal(TOKENS), None);
        assert_eq!(growth(&[], load(0, 900)).between, None);
    }

    #[test]
    fn a_counter_that_went_down_began_anew_at_nothing() {
        let growth = growth(
            &tokens(&[(0, 100.0), (500, 150.0), (1_000, 20.0), (1_500, 30.0)]),
            load(0, 1_400),
        );
        assert_eq!(growth.of_signal(TOKENS), Some(80.0));
        assert_eq!(growth.resets, [ms(1_000)]);
    }

    #[test]
    fn what_goes_down_at_once_is_one_reset() {
        let at =
            |at, tokens, drafts| reading(at, "a", &[(TOKENS, tokens), (Signal::Drafts, drafts)]);
        let of = growth(&[at(0, 9.0, 9.0), at(500, 1.0, 2.0)], load(0, 400));
        assert_eq!(
            (of.resets.len(), of.of_signal(TOKENS), of.of_signal(Signal::Drafts)),
            (1, Some(1.0), Some(2.0))
        );
    }

    #[test]
    fn a_counter_first_seen_later_began_at_nothing() {
        let readings = [reading(0, "a", &[]), reading(500, "a", &[(TOKENS, 12.0)])];
        assert_eq!(growth(&readings, load(100, 400)).of_signal(TOKENS), Some(12.0));
    }

    #[test]
    fn sources_add_up_each_by_its_own_growth() {
        let mut readings = tokens(&[(0, 1_000.0), (500, 1_010.0)]);
        readings.extend([reading(20, "b", &[(TOKENS, 5.0)]), reading(520, "b", &[(TOKENS, 6.0)])]);
        assert_eq!(growth(&readings, load(100, 400)).of_signal(TOKENS), Some(11.0));
    }

    #[test]
    fn histograms_and_positions_grow_as_counters_do() {
        let at = |at, count, sum, positions: &[f64]| {
            let mut reading = reading(at, "a", &[]);
            reading.timings.insert(Timing::Ttft, Histogram { sum, count, buckets: Vec::new() });
            reading.accepted_by_position = positions.to_vec();
            reading
        };
        let readings =
            [at(0, 4.0, 2.0, &[3.0]), at(500, 6.0, 5.0, &[5.0, 1.0]), at(900, 1.0, 0.5, &[1.0])];
        let of = growth(&readings, load(100, 800));
        assert_eq!(of.timings[&Timing::Ttft], Observed { count: 3.0, sum: 3.5 });
        assert_eq!((of.positions, of.resets), (vec![3.0, 1.0], vec![ms(900)]));
    }

    #[test]
    fn servers_that_answer_in_turn_are_no_restarts() {
        let of = |counts: &[f64]| {
            let readings: Vec<_> = (0..)
                .zip(counts)
                .map(|(i, &count)| reading(i * 500, "a", &[(TOKENS, count)]))
                .collect();
            in_turn(&Source::all(&readings, &[], Origin::Metrics)[0])
        };
        assert!(of(&[1_000.0, 300.0, 1_020.0, 320.0, 1_040.0]));
        assert!(!of(&[1_000.0, 1_010.0, 20.0, 60.0, 110.0, 0.0, 40.0, 80.0]));
        assert!(!of(&[1.0, 2.0, 2.0]));
    }

    proptest! {
        /// Whatever the steps, and wherever a restart falls among them: all that was counted is in the growth.
        #[test]
        fn growth_is_the_sum_of_the_steps(steps in prop::collection::vec(0_u32..50, 1..30), restart in 0_usize..60) {
            let mut stand = 1_000.0;
            let mut counts = vec![(0, stand)];
            let mut lost = 0.0;
            for (i, &step) in steps.iter().enumerate() {
                if i == restart {
                    lost = f64::from(step);
                    stand = 0.0;
                } else {
                    stand += f64::from(step);
                }
                counts.push((500 * (i as u64 + 1), stand));
            }
            let of = growth(&tokens(&counts), load(0, 500 * steps.len() as u64));
            let all: f64 = steps.iter().copied().map(f64::from).sum();
            prop_assert_eq!(of.of_signal(TOKENS), Some(all - lost));
            prop_assert_eq!(of.resets.len(), usize::from(restart < steps.len()));
        }
    }
}
