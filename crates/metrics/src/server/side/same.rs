//! One server that is read under two names, such as `127.0.0.1` and `localhost`: whose figures would count twice.
//!
//! No two servers add up the same seconds: a histogram of times whose sum is the same to the last bit, and had grown, is one
//! server's. Where a server keeps none, its counters must be the same in most readings that are near each other while they
//! grow. Either way no counter may ever stand where the other's did not pass. Deliberately nothing is resolved: a name says
//! where to ask, and not who answers.

use std::collections::BTreeSet;
use std::time::Duration;

use tokometer_record::{Reading, Timing};

use super::growth::in_turn;
use super::heard::Source;

/// The places of sources that are another one, each with the place of that other, which comes before it and is none itself.
pub(super) fn same(sources: &[Source<'_>]) -> Vec<(usize, usize)> {
    let mut same: Vec<(usize, usize)> = Vec::new();
    for (place, source) in sources.iter().enumerate() {
        let first = |&other: &usize| {
            let is_itself = same.iter().all(|&(is, _)| is != other);
            is_itself && one(&sources[other], source)
        };
        if let Some(other) = (0..place).find(first) {
            same.push((place, other));
        }
    }
    same
}

fn one(a: &Source<'_>, b: &Source<'_>) -> bool {
    let servers = a.readings.first().zip(b.readings.first());
    servers.is_some_and(|(a, b)| a.server == b.server)
        && !in_turn(a)
        && !in_turn(b)
        && goes_with(a, b)
        && goes_with(b, a)
        && match (sums(a), sums(b)) {
            (Some(a), Some(b)) => !a.is_disjoint(&b),
            (None, None) => counts_alike(a, b),
            _ => false,
        }
}

/// Whether each counter of `a` stands between what `b` told shortly before and shortly after.
fn goes_with(a: &Source<'_>, b: &Source<'_>) -> bool {
    a.readings.iter().all(|reading| {
        let next = b.readings.partition_point(|other| other.at <= reading.at);
        let before = next.checked_sub(2).map(|before| b.readings[before]);
        let after = b.readings.get(next + 1);
        let mut counters = reading.values.iter().filter(|(signal, _)| signal.is_counter());
        counters.all(|(signal, &is)| {
            let was = before.and_then(|before| before.values.get(signal)).copied();
            let becomes = after.and_then(|after| after.values.get(signal)).copied();
            let began_anew = was.zip(becomes).is_some_and(|(was, becomes)| becomes < was);
            began_anew || (was.is_none_or(|was| was <= is) && becomes.is_none_or(|then| is <= then))
        })
    })
}

/// What its histograms of times came to, each time that they had grown since its first reading. `None` if it keeps none.
fn sums(source: &Source<'_>) -> Option<BTreeSet<(Timing, u64, u64)>> {
    let of = |reading: &Reading| -> Vec<(Timing, u64, u64)> {
        let times = reading.timings.iter().filter(|&(&timing, _)| is_time(timing));
        times.map(|(&timing, h)| (timing, h.count.to_bits(), h.sum.to_bits())).collect()
    };
    let first = source.readings.first().map(|first| of(first)).unwrap_or_default();
    let keeps = source.readings.iter().any(|reading| !of(reading).is_empty());
    let grown = source.readings.iter().flat_map(|reading| of(reading));
    keeps.then(|| grown.filter(|sum| !first.contains(sum) && sum.2 != 0.0_f64.to_bits()).collect())
}

const fn is_time(timing: Timing) -> bool {
    !matches!(timing, Timing::PromptLength | Timing::OutputLength | Timing::StepTokens)
}

/// Whether counters that grew are the same in most pairs of readings that are near each other.
fn counts_alike(a: &Source<'_>, b: &Source<'_>) -> bool {
    let (mut alike, mut pairs) = (0, 0);
    for step in a.readings.windows(2) {
        let [before, reading] = step else { continue };
        let counters = || reading.values.iter().filter(|(signal, _)| signal.is_counter());
        let grew = counters().any(|(signal, is)| before.values.get(signal) != Some(is));
        let near = b.readings.iter().min_by_key(|other| apart(reading, other));
        let Some(near) = near.filter(|near| grew && apart(reading, near) <= NEAR) else { continue };
        pairs += 1;
        alike += usize::from(counters().all(|(signal, is)| near.values.get(signal) == Some(is)));
    }
    pairs >= FEWEST && 2 * alike >= pairs
}

fn apart(a: &Reading, b: &Reading) -> Duration {
    (a.at - b.at) + (b.at - a.at)
}

/// Readings this close to each other see nearly the same.
const NEAR: Duration = Duration::from_millis(100);

/// Fewer pairs of readings may be alike by chance.
const FEWEST: usize = 3;

#[cfg(test)]
mod tests {
    use tokometer_record::{Histogram, Origin, Signal};

    use super::*;
    use crate::server::side::testing::reading;

    /// What a server that makes 37 tokens each 10 ms says every half second, read so many milliseconds late.
    fn read(source: &str, late: u64, from: f64, time: Option<f64>) -> Vec<Reading> {
        let at = |i: u64| {
            let steps = ((i * 500 + late).min(4_000) / 10) as f64;
            let tokens = from + 37.0 * steps;
            let values = [(Signal::GenerationTokens, tokens), (Signal::PromptTokens, steps)];
            let mut reading = reading(i * 500 + late, source, &values);
            if let Some(time) = time {
                let histogram = Histogram { sum: steps * time, count: steps, buckets: Vec::new() };
                reading.timings.insert(Timing::Ttft, histogram);
            }
            reading
        };
        (0..12).map(at).collect()
    }

    fn found(readings: &[Vec<Reading>]) -> Vec<(usize, usize)> {
        let readings = readings.concat();
        same(&Source::all(&readings, &[], Origin::Metrics))
    }

    #[test]
    fn one_server_under_two_names_is_known_by_its_sums() {
        let (here, there) =
            (read("127.0.0.1", 0, 0.0, Some(0.1)), read("localhost", 13, 0.0, Some(0.1)));
        assert_eq!(found(&[here.clone(), there.clone()]), [(1, 0)]);
        assert_eq!(found(&[here, there, read("::1", 7, 0.0, Some(0.1))]), [(1, 0), (2, 0)]);
    }

    #[test]
    fn two_servers_that_count_alike_have_other_times() {
        let twins = [read("a", 0, 0.0, Some(0.1)), read("b", 0, 0.0, Some(0.1001))];
        assert!(found(&twins).is_empty());
    }

    #[test]
    fn without_times_counters_that_are_the_same_mostly_tell() {
        assert_eq!(found(&[read("a", 0, 0.0, None), read("b", 4, 0.0, None)]), [(1, 0)]);
        assert!(found(&[read("a", 0, 0.0, None), read("b", 0, 1.0, None)]).is_empty());
    }

    #[test]
    fn servers_that_do_nothing_are_not_taken_for_one() {
        let idle = |source| (0..9).map(|i| reading(i * 500, source, &[])).collect::<Vec<_>>();
        assert!(found(&[idle("a"), idle("b")]).is_empty());
        let counted = |source| {
            let at = |i: u64| reading(i * 500, source, &[(Signal::GenerationTokens, 0.0)]);
            (0..9).map(at).collect::<Vec<_>>()
        };
        assert!(found(&[counted("a"), counted("b")]).is_empty());
    }
}
