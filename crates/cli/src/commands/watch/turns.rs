//! Whether several servers answer in turn where one page of metrics is read, as behind a balancer.
//!
//! Their counters are no one's: from one reading to the next they leap up and down, and what looks like growth is the distance between
//! two servers. That shows when counters that went down are, in a single step, back where they were, or go on from where they were a
//! few readings ago. A server that begins anew comes to neither: it begins at nothing, and grows back in its own time. Deliberately
//! nothing is guessed of who answered: of such an address no growth can be told.

use std::collections::{BTreeMap, VecDeque};

use tokometer_record::{Reading, Signal, Timing};

/// What is known of who answers at an address.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// Counters as they stood at the last readings, oldest first.
    seen: VecDeque<Stand>,
    /// As they stood before and after they last went down.
    fell: Option<(Stand, Stand)>,
    /// How often another server was back.
    returns: usize,
}

/// What lies between two readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The same server went on.
    On,
    /// Counters went down: it began anew, or it is another server's reading.
    Down,
    /// It is most likely another server's reading, which was seen before.
    Back,
}

/// What only grows while a server lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Counter {
    Signal(Signal),
    /// How much a histogram gathered. Its sum may go down, by rounding alone.
    Timing(Timing),
    /// Accepted tokens at this position of their draft.
    Position(usize),
}

/// Counters at a moment.
pub(super) type Stand = BTreeMap<Counter, f64>;

/// The counters of a reading.
pub(super) fn stand(reading: &Reading) -> Stand {
    let signals = reading.values.iter().filter(|(signal, _)| signal.is_counter());
    let signals = signals.map(|(signal, value)| (Counter::Signal(*signal), *value));
    let timings = reading.timings.iter();
    let timings = timings.map(|(timing, gathered)| (Counter::Timing(*timing), gathered.count));
    let positions = reading.accepted_by_position.iter().enumerate();
    let positions = positions.map(|(position, value)| (Counter::Position(position), *value));
    signals.chain(timings).chain(positions).collect()
}

/// Whether no counter of `now` is below what it was before, or no number.
pub(super) fn goes_on(before: &Stand, now: &Stand) -> bool {
    now.iter().all(|(counter, now)| {
        before.get(counter).is_none_or(|before| now >= before && now.is_finite())
    })
}

impl Turns {
    /// Takes in what lies between two readings.
    pub(super) fn step(&mut self, before: &Reading, after: &Reading) -> Step {
        let (before, after) = (stand(before), stand(after));
        let down = !goes_on(&before, &after);
        let back = match down {
            true => self.seen.iter().any(|seen| resumes(seen, &before, &after)),
            false => self.fell.as_ref().is_some_and(|fell| makes_good(fell, &before, &after)),
        };
        self.returns += usize::from(back);
        self.seen.push_back(before.clone());
        if self.seen.len() > REMEMBERED {
            self.seen.pop_front();
        }
        match (down, back) {
            (true, _) => self.fell = Some((before, after)),
            (false, true) => self.fell = None,
            (false, false) => {}
        }
        match (back, down) {
            (true, _) => Step::Back,
            (false, true) => Step::Down,
            (false, false) => Step::On,
        }
    }

    /// Whether several servers answer in turn. Once might be chance.
    pub(super) const fn are_taken(&self) -> bool {
        self.returns >= 2
    }
}

/// Whether counters that went down go on from an earlier reading, and not from nothing.
fn resumes(seen: &Stand, before: &Stand, after: &Stand) -> bool {
    let went_down =
        |counter: &Counter, value: f64| before.get(counter).is_some_and(|before| value < *before);
    let from_something = after.iter().any(|(counter, now)| {
        went_down(counter, *now) && seen.get(counter).is_some_and(|seen| *seen > 0.0)
    });
    from_something && goes_on(seen, after)
}

/// Whether, in a single step, every counter that had gone down rose by nearly as much, and all are where they were at the least.
fn makes_good((top, low): &(Stand, Stand), before: &Stand, after: &Stand) -> bool {
    let at = |stand: &Stand, counter| stand.get(counter).copied().unwrap_or_default();
    let made_good = low.iter().all(|(counter, low)| {
        let depth = at(top, counter) - low;
        depth <= 0.0 || at(after, counter) - at(before, counter) >= NEARLY * depth
    });
    made_good && goes_on(top, after)
}

/// How many readings are remembered: as many servers may answer one after the other.
const REMEMBERED: usize = 16;

/// The servers may have counted on since.
const NEARLY: f64 = 0.9;

#[cfg(test)]
mod tests {
    use super::super::figures::testing::reading_of;
    use super::*;

    const TOKENS: Signal = Signal::GenerationTokens;
    const PROMPTS: Signal = Signal::PromptTokens;

    /// The steps between readings of tokens generated and taken up.
    fn steps(counts: &[(f64, f64)]) -> (Vec<Step>, bool) {
        let readings: Vec<_> = (0..)
            .zip(counts)
            .map(|(second, &(tokens, prompts))| {
                reading_of(second * 1000, &[(TOKENS, tokens), (PROMPTS, prompts)])
            })
            .collect();
        let mut turns = Turns::default();
        let steps = readings.windows(2).map(|pair| turns.step(&pair[0], &pair[1])).collect();
        (steps, turns.are_taken())
    }

    fn taken(tokens: &[f64]) -> bool {
        steps(&tokens.iter().map(|tokens| (*tokens, 0.0)).collect::<Vec<_>>()).1
    }

    #[test]
    fn two_servers_in_turn_are_known_at_the_fourth_reading_and_leaps_are_no_growth() {
        let told = steps(&[(50_000.0, 9.0), (1_000.0, 3.0), (50_020.0, 9.0), (1_030.0, 4.0)]);
        assert_eq!(told, (vec![Step::Down, Step::Back, Step::Back], true));
        let idle = steps(&[(50_000.0, 9.0), (1_000.0, 3.0), (50_000.0, 9.0), (1_000.0, 3.0)]);
        assert!(idle.1);
    }

    #[test]
    fn servers_of_which_each_leads_in_something_are_known_too() {
        let told = steps(&[(500.0, 20.0), (100.0, 90.0), (510.0, 21.0), (120.0, 95.0)]);
        assert_eq!(told, (vec![Step::Down, Step::Back, Step::Back], true));
    }

    #[test]
    fn more_servers_in_any_order_are_known() {
        assert!(taken(&[500.0, 900.0, 1000.0, 510.0, 915.0, 1020.0, 520.0]));
        assert!(taken(&[500.0, 505.0, 9000.0, 9010.0, 510.0, 520.0, 9050.0]));
    }

    #[test]
    fn servers_that_begin_anew_take_no_turns() {
        assert!(!taken(&[1_000.0, 1_010.0, 20.0, 60.0, 110.0, 0.0, 40.0, 80.0]));
        assert!(!taken(&[0.0, 40.0, 80.0, 0.0, 40.0, 80.0, 120.0, 0.0, 40.0]));
        // It grows past where it was, in its own time.
        assert!(!taken(&[300.0, 0.0, 100.0, 200.0, 300.0, 400.0, 0.0, 100.0, 200.0, 300.0, 400.0]));
        assert!(!taken(&[1.0, 2.0, 2.0, 5.0]));
    }

    #[test]
    fn a_rare_counter_that_catches_up_at_once_is_no_other_server() {
        let told = steps(&[(900.0, 1.0), (5.0, 0.0), (40.0, 6.0), (9.0, 0.0), (50.0, 8.0)]);
        assert_eq!(told.0[..2], [Step::Down, Step::On]);
    }
}
