//! How long the rest of a batch may take: an estimate, from how long its combinations have taken so far.
//!
//! In a closed loop a combination goes in rounds, and a round takes as long as its output: the estimate takes a round for proportional
//! to the tokens of an output. In an open loop the schedule says how long it takes. Deliberately rough: it is shown as such.

use std::time::Duration;

use tokometer_plan::Pace;

use crate::dialect::llm_benchmark::{Combination, Shape};

/// What was measured so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Forecast {
    /// Seconds that closed loops took.
    seconds: f64,
    /// The steps that they took them for.
    steps: f64,
    /// Seconds that all combinations took.
    all: f64,
    /// How many those are.
    number: u32,
}

impl Forecast {
    /// A combination took that long.
    pub(super) fn took(&mut self, combination: &Combination, length: Duration) {
        self.all += length.as_secs_f64();
        self.number += 1;
        if let Effort::Steps(steps) = effort(combination) {
            self.seconds += length.as_secs_f64();
            self.steps += steps;
        }
    }

    /// How long these will take, if they go as those before: one of a kind that none of those was, as long as those took on average.
    /// `None` if nothing can be told of one of them.
    pub(super) fn of<'c>(
        self,
        rest: impl IntoIterator<Item = &'c Combination>,
    ) -> Option<Duration> {
        let each = (self.steps > 0.0).then(|| self.seconds / self.steps);
        let mean = (self.number > 0).then(|| self.all / f64::from(self.number));
        let length = |combination| match effort(combination) {
            Effort::Steps(steps) => each.map(|each| steps * each).or(mean),
            Effort::Seconds(seconds) => Some(seconds),
            Effort::Unknown => mean,
        };
        let seconds = rest.into_iter().map(length).sum::<Option<f64>>()?;
        Duration::try_from_secs_f64(seconds).ok()
    }
}

/// What a combination takes.
enum Effort {
    /// So many steps of the server, one after the other.
    Steps(f64),
    /// So long, whatever the server does.
    Seconds(f64),
    /// It cannot be told.
    Unknown,
}

fn effort(combination: &Combination) -> Effort {
    let point = &combination.point;
    let number = point.number.get() as f64;
    match (point.parallel, point.rate, point.ramp) {
        (_, _, Some(ramp)) => Effort::Seconds(number / ((ramp.from + ramp.to) / 2.0)),
        (_, Some(Pace::Rate(rate)), None) => Effort::Seconds(number / rate.per_second()),
        (Some(parallel), _, None) if point.recorded != Some(true) => {
            let rounds = (number / f64::from(parallel.get())).ceil();
            let output = match combination.shape {
                Shape::Lengths { output, .. } => f64::from(output),
                Shape::Dataset(_) | Shape::Text => 1.0,
            };
            Effort::Steps(rounds * output)
        }
        _ => Effort::Unknown,
    }
}

/// A length of time in the words of people: `48 s`, `3 min 20 s`, `2 h 5 min`.
pub(super) fn in_words(length: Duration) -> String {
    let exact = length.as_secs_f64();
    let seconds = exact.round() as u64;
    match seconds {
        0..10 => format!("{exact:.1} s"),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::llm_benchmark::{Batch, Origin, read, resolve};
    use crate::surroundings::Surroundings;

    fn batch(loads: &str) -> Batch {
        let text = format!(
            "model: m\nbase_url: 'sim://'\ninput_output: [[10, 100], [10, 200]]\n{loads}\n"
        );
        let config = read(&text, "b.yaml").unwrap();
        let origin = Origin::File { name: "b.yaml", text: &text };
        resolve(config, &origin, &mut Surroundings::default(), &|_| false).unwrap()
    }

    #[test]
    fn what_is_twice_as_long_takes_twice_as_long() {
        let batch = batch("concurrency_prompts: [[1, 10], [4, 41]]");
        let all: Vec<_> = batch.planned.iter().map(|planned| &planned.combination).collect();
        let mut forecast = Forecast::default();
        assert_eq!(forecast.of(all.iter().copied()), None);
        forecast.took(all[0], Duration::from_secs(10));
        // 11 rounds of 100, then 10 and 11 rounds of 200.
        assert_eq!(forecast.of(all[1..].iter().copied()), Some(Duration::from_secs(11 + 20 + 22)));
        assert_eq!(forecast.of([]), Some(Duration::ZERO));
    }

    #[test]
    fn what_none_before_was_like_takes_as_long_as_those_did_on_average() {
        let batch = batch("points: [{rate: inf, number: 5}, {rate: 2, number: 10}]");
        let all: Vec<_> = batch.planned.iter().map(|planned| &planned.combination).collect();
        let mut forecast = Forecast::default();
        forecast.took(all[0], Duration::from_secs(4));
        forecast.took(all[1], Duration::from_secs(6));
        assert_eq!(forecast.of([all[2], all[3]]), Some(Duration::from_secs(5 + 5)));
    }

    #[test]
    fn a_rate_says_by_itself_how_long_it_takes() {
        let batch = batch("rate_prompts: [[5, 100]]");
        let all = batch.planned.iter().map(|planned| &planned.combination);
        assert_eq!(Forecast::default().of(all), Some(Duration::from_secs(40)));
    }

    #[test]
    fn lengths_of_time_are_told_in_two_words_at_most() {
        let told = |seconds| in_words(Duration::from_secs(seconds));
        assert_eq!(
            [told(0), told(59), told(61), told(7_500)],
            ["0.0 s", "59 s", "1 min 1 s", "2 h 5 min"]
        );
    }
}
