//! What is kept of the requests of one run so that it can be drawn again: sums a request, and values in their order.
//!
//! Its size is bounded however many requests there were: beyond [`MOST_CELLS`] neighbours are put together, and gaps between chunks
//! that hardly differ are counted and not kept one by one. So no figure is taken from here that a summary has exactly; what is taken is how far
//! a figure swings when requests are drawn again.

use tokometer_record::Record;

use super::{Sample, Statistic};
use crate::Run;
use crate::catalog::{E2E, ICL, INPUT_TOKENS, Metric, OUTPUT_TOKENS, Of, TPOT, TTFT};
use crate::window::completed;

/// A length of time that every request has, or may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Latency {
    /// [`TTFT`].
    Ttft,
    /// [`TPOT`].
    Tpot,
    /// [`ICL`]: the gaps between chunks, any number a request, which vLLM and EvalScope call ITL.
    Gaps,
    /// [`E2E`].
    E2e,
}

/// Every latency.
pub const LATENCIES: [Latency; 4] = [Latency::Ttft, Latency::Tpot, Latency::Gaps, Latency::E2e];

/// One request, as far as comparisons need it. Lengths of time in any one unit; what is not finite is none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Heard {
    /// Whether it succeeded. Of a request that failed, no latency counts.
    pub succeeded: bool,
    /// When it started.
    pub started: Option<f64>,
    /// How long it was in flight, failures included.
    pub stay: Option<f64>,
    /// From its start to its first token.
    pub ttft: Option<f64>,
    /// From token to token, on average after the first.
    pub tpot: Option<f64>,
    /// From its start to its last token.
    pub e2e: Option<f64>,
    /// From chunk to chunk.
    pub gaps: Vec<f64>,
    /// Tokens of its prompt.
    pub input: Option<f64>,
    /// Tokens of its output.
    pub output: Option<f64>,
}

/// How requests came to be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sending {
    /// The most in flight at once.
    pub most: Option<usize>,
    /// Whether they came by a schedule, and not whenever a place was free.
    pub paced: bool,
    /// How long the whole took, in the unit of the latencies.
    pub duration: Option<f64>,
}

/// What is kept of the requests of one run, in the order in which they started.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// Requests, or a few neighbours each.
    pub(super) cells: Vec<Cell>,
    /// How many cells at the beginning are of requests that were all sent at once, to fill the places.
    pub(super) burst: usize,
    /// How many requests there were.
    pub(super) requests: usize,
    /// The values of each latency, ascending.
    pub(super) ladders: [Ladder; 4],
    /// When those that filled the places had their first token, ascending.
    pub(super) first_tokens: Vec<f64>,
    /// The standard deviation of the prompts' lengths, in parts of their mean.
    pub(super) prompts_vary: f64,
    /// How long some of them were in flight, spread over the run.
    pub(super) stays: Vec<f64>,
    pub(super) sending: Sending,
}

/// A request, or a few neighbours, in sums.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Cell {
    pub(super) requests: f64,
    pub(super) successes: f64,
    /// Sums of the values of each latency …
    pub(super) sums: [f64; 4],
    /// … and how many there are.
    pub(super) counts: [f64; 4],
    pub(super) input: f64,
    pub(super) output: f64,
    pub(super) stay: f64,
    /// From its first start to that of the next cell.
    pub(super) gap: f64,
}

/// Values ascending, each with the cell it is of and how often it stands there.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Ladder {
    pub(super) rungs: Vec<(f64, u32, u32)>,
}

impl Kept {
    /// What is kept of the measured requests of a run.
    pub fn of(run: &Run<'_>) -> Self {
        let one = |metric: &Metric, record: &Record| match metric.of {
            Of::Request(value) if record.succeeded() => value(record),
            _ => None,
        };
        let heard = run.measured.iter().map(|record| {
            let mut gaps = Vec::new();
            if let (Of::Gaps(between), true) = (ICL.of, record.succeeded()) {
                between(record, &mut gaps);
            }
            Heard {
                succeeded: record.succeeded(),
                started: Some(record.started.as_secs_f64()),
                stay: completed(record).map(|at| (at - record.started).as_secs_f64()),
                ttft: one(&TTFT, record),
                tpot: one(&TPOT, record),
                e2e: one(&E2E, record),
                gaps,
                input: one(&INPUT_TOKENS, record),
                output: one(&OUTPUT_TOKENS, record),
            }
        });
        let sending = Sending {
            most: run.point.concurrency,
            paced: run.point.rate.is_some() || run.point.open_loop,
            duration: run.full_duration(),
        };
        Self::from_requests(heard, sending)
    }

    /// What is kept of requests in any order; those without a start keep the order in which they are given.
    pub fn from_requests(requests: impl IntoIterator<Item = Heard>, sending: Sending) -> Self {
        let mut all: Vec<Heard> = requests.into_iter().collect();
        if all.iter().all(|request| request.started.is_some()) {
            let start = |request: &Heard| request.started.unwrap_or_default();
            all.sort_by(|a, b| start(a).total_cmp(&start(b)));
        }
        let burst = burst(&all, sending);
        let each = all.len().div_ceil(MOST_CELLS).max(1);
        let mut kept = Self {
            cells: Vec::new(),
            burst: 0,
            requests: all.len(),
            ladders: Default::default(),
            first_tokens: all[..burst].iter().filter_map(|request| request.ttft).collect(),
            prompts_vary: varies(all.iter().filter_map(|request| request.input)),
            stays: spread(all.iter().filter_map(|request| request.stay).filter(|stay| *stay > 0.0)),
            sending,
        };
        kept.first_tokens.sort_by(f64::total_cmp);
        let (first, rest) = all.split_at(burst);
        first.chunks(each).for_each(|few| kept.push(few));
        kept.burst = kept.cells.len();
        rest.chunks(each).for_each(|few| kept.push(few));
        kept.set_gaps(each, &all);
        kept.ladders.iter_mut().for_each(Ladder::sort);
        kept
    }

    /// How many requests there were, failures included.
    pub const fn requests(&self) -> usize {
        self.requests
    }

    /// The cells behind the burst.
    pub(super) fn steady(&self) -> &[Cell] {
        &self.cells[self.burst..]
    }

    /// The statistic of a latency, from what is kept. `None` where there are no values.
    pub fn statistic(&self, latency: Latency, statistic: Statistic) -> Option<f64> {
        let weights = vec![1; self.cells.len()];
        super::resample::statistic(self, &weights, latency, statistic)
    }

    fn push(&mut self, few: &[Heard]) {
        let place = u32::try_from(self.cells.len()).unwrap_or(u32::MAX);
        let mut cell = Cell { requests: few.len() as f64, ..Cell::default() };
        let finite = |value: Option<f64>| value.filter(|value| value.is_finite());
        for request in few {
            cell.stay += finite(request.stay).unwrap_or_default();
            if !request.succeeded {
                continue;
            }
            cell.successes += 1.0;
            cell.input += finite(request.input).unwrap_or_default();
            cell.output += finite(request.output).unwrap_or_default();
            for latency in LATENCIES {
                let one = match latency {
                    Latency::Ttft => request.ttft,
                    Latency::Tpot => request.tpot,
                    Latency::E2e => request.e2e,
                    Latency::Gaps => None,
                };
                let several = if latency == Latency::Gaps { request.gaps.as_slice() } else { &[] };
                let at = latency as usize;
                for value in finite(one).into_iter().chain(several.iter().copied()) {
                    if !value.is_finite() {
                        continue;
                    }
                    cell.sums[at] += value;
                    cell.counts[at] += 1.0;
                    self.ladders[at].rungs.push((value, place, 1));
                }
            }
        }
        let gaps = &mut self.ladders[Latency::Gaps as usize];
        gaps.count_alike(place);
        self.cells.push(cell);
    }

    /// From start to start, where there are starts.
    fn set_gaps(&mut self, each: usize, all: &[Heard]) {
        let burst: f64 = self.cells[..self.burst].iter().map(|cell| cell.requests).sum();
        let burst = burst as usize;
        let firsts = (0..burst).step_by(each).chain((burst..all.len()).step_by(each));
        let starts: Vec<Option<f64>> = firsts.map(|first| all[first].started).collect();
        for (cell, pair) in self.cells.iter_mut().zip(starts.windows(2)) {
            cell.gap = pair[0].zip(pair[1]).map_or(0.0, |(from, to)| to - from);
        }
    }
}

impl Ladder {
    /// Gaps of this cell, which stand last, that differ by less than [`ALIKE`] become one with their count.
    fn count_alike(&mut self, place: u32) {
        let from = self.rungs.partition_point(|(_, cell, _)| *cell < place);
        let own = &mut self.rungs[from..];
        own.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let mut kept: Vec<(f64, u32, u32)> = Vec::new();
        for &(value, cell, count) in own.iter() {
            match kept.last_mut() {
                Some(last) if value <= last.0 * ALIKE => last.2 += count,
                _ => kept.push((value, cell, count)),
            }
        }
        self.rungs.truncate(from);
        self.rungs.append(&mut kept);
    }

    fn sort(&mut self) {
        self.rungs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    }
}

/// How many of the requests, which stand in the order of their starts, were sent at once to fill the places: those that started before
/// the first of all had ended. 0 where arrivals are paced, or too few were.
fn burst(all: &[Heard], sending: Sending) -> usize {
    let Some(most) = sending.most.filter(|_| !sending.paced) else { return 0 };
    let ends = all.iter().filter_map(|request| Some(request.started? + request.stay?));
    let first_end = ends.fold(f64::INFINITY, f64::min);
    let before = |request: &&Heard| request.started.is_none_or(|started| started < first_end);
    let together = all.iter().take(most).take_while(before).count();
    if together >= LEAST_BURST { together } else { 0 }
}

/// The standard deviation of values in parts of their mean. 0 where there is none.
fn varies(values: impl Iterator<Item = f64>) -> f64 {
    let values: Vec<f64> = values.collect();
    let sample = Sample::of(&values).filter(|sample| sample.mean > 0.0);
    sample.and_then(|sample| Some(sample.sd? / sample.mean)).unwrap_or(0.0)
}

/// Some of the values, evenly spread.
fn spread(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let all: Vec<f64> = values.collect();
    let step = all.len().div_ceil(MOST_CELLS).max(1);
    all.into_iter().step_by(step).collect()
}

/// No more cells than this are drawn from.
const MOST_CELLS: usize = 1_000;

/// Fewer requests at once are no burst.
const LEAST_BURST: usize = 2;

/// Gaps of one request that lie within this ratio are taken for the shortest of them.
const ALIKE: f64 = 1.01;

#[cfg(test)]
mod tests {
    use super::*;

    fn request(started: f64, e2e: f64) -> Heard {
        Heard {
            succeeded: true,
            started: Some(started),
            stay: Some(e2e),
            e2e: Some(e2e),
            ..Heard::default()
        }
    }

    #[test]
    fn requests_stand_in_the_order_of_their_starts() {
        let kept = Kept::from_requests(
            [request(3.0, 1.0), request(1.0, 2.0), request(2.5, 4.0)],
            Sending::default(),
        );
        let stays: Vec<f64> = kept.cells.iter().map(|cell| cell.stay).collect();
        assert_eq!(stays, [2.0, 4.0, 1.0]);
        assert_eq!(kept.cells.iter().map(|cell| cell.gap).collect::<Vec<_>>(), [1.5, 0.5, 0.0]);
    }

    #[test]
    fn those_that_fill_the_places_are_a_burst_and_those_of_a_schedule_are_not() {
        let requests = || (0..20).map(|i| request(if i < 4 { 0.0 } else { f64::from(i) }, 2.0));
        let closed = Sending { most: Some(4), ..Sending::default() };
        assert_eq!(Kept::from_requests(requests(), closed).burst, 4);
        let paced = Sending { paced: true, ..closed };
        assert_eq!(Kept::from_requests(requests(), paced).burst, 0);
    }

    #[test]
    fn a_hundred_thousand_requests_are_kept_in_a_thousand_cells() {
        let requests = (0..100_000).map(|i| request(f64::from(i), 1.0 + f64::from(i % 7)));
        let kept = Kept::from_requests(requests, Sending::default());
        assert_eq!((kept.cells.len(), kept.requests()), (1_000, 100_000));
        let count: f64 = kept.cells.iter().map(|cell| cell.counts[Latency::E2e as usize]).sum();
        assert_eq!(count, 100_000.0);
        assert_eq!(kept.statistic(Latency::E2e, Statistic::Mean).map(f64::round), Some(4.0));
    }

    #[test]
    fn gaps_that_hardly_differ_are_counted() {
        let gaps = (0..1_000).map(|i| 0.010 + f64::from(i % 3) * 1e-6).collect();
        let request = Heard { gaps, ..request(0.0, 10.0) };
        let kept = Kept::from_requests([request], Sending::default());
        assert_eq!(kept.ladders[Latency::Gaps as usize].rungs, [(0.010, 0, 1_000)]);
        assert_eq!(kept.cells[0].counts[Latency::Gaps as usize], 1_000.0);
    }

    #[test]
    fn a_failed_request_has_a_place_and_no_latency() {
        let failed = Heard { succeeded: false, ..request(0.0, 3.0) };
        let kept = Kept::from_requests([failed], Sending::default());
        assert_eq!((kept.cells[0].requests, kept.cells[0].successes), (1.0, 0.0));
        assert_eq!(kept.statistic(Latency::E2e, Statistic::Mean), None);
    }
}
