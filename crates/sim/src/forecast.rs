//! The model without sockets and without waiting: what a deployment does with a load, thousands of times faster than it would take.
//!
//! Time is virtual: it leaps from one happening to the next. Deliberately makes no figures of what happened: that is for whoever
//! asked, with the definitions that measured runs have, over the [`log`](Forecast::log) that a client would have written.

mod log;
mod workload;

use std::sync::Arc;
use std::time::Duration;

use crate::model::{Deployment, Event, Finish, Fleet, Job};

pub use workload::{MOST_TOKENS, Prefixes, Tokens, Workload};

/// One request of a load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// Tokens of the output.
    pub output_tokens: u32,
    /// The chain of hashes of prompt and output ([`chain`](crate::chain)). Empty where no two prompts have anything in common.
    pub chain: Arc<[u64]>,
}

/// When requests arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrivals {
    /// At moments of their own, one for each request, in order.
    At(Vec<Duration>),
    /// As many at once as are in flight, and another whenever one has ended.
    InFlight(usize),
}

/// What is kept of the emissions of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Every one.
    Every,
    /// The first and the last, all tokens after the first counted in the last: enough for what happens to a request as a whole, and
    /// hundreds of times less to keep. Gaps between emissions are lost.
    Ends,
}

/// What happened to one request. Moments are lengths of time since the load began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// When it arrived.
    pub arrival: Duration,
    /// When the first step with it began. `None` if none ever did: there was never room for it.
    pub scheduled: Option<Duration>,
    /// Which replica had it.
    pub replica: u32,
    /// Tokens of its prompt that the prefix cache had.
    pub cached: u32,
    /// How often it lost its blocks.
    pub preemptions: u32,
    /// When which tokens left, in order.
    pub emissions: Vec<(Duration, u32)>,
    /// When the last of its tokens left. `None` if it never ended.
    pub ended: Option<Duration>,
}

/// What happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forecast {
    /// To each request, in the order in which they were given.
    pub outcomes: Vec<Outcome>,
    /// Steps of all replicas.
    pub steps: u64,
    /// How long steps took, all replicas together.
    pub busy: Duration,
}

/// What `deployment` does with `requests`, which arrive as `arrivals` has it. `seed` is the root of all draws.
pub fn run(
    deployment: &Deployment,
    requests: &[Request],
    arrivals: &Arrivals,
    seed: u64,
) -> Forecast {
    run_keeping(deployment, requests, arrivals, seed, Keep::Every)
}

/// As [`run`], with only so much kept of what left the engines.
pub fn run_keeping(
    deployment: &Deployment,
    requests: &[Request],
    arrivals: &Arrivals,
    seed: u64,
    keep: Keep,
) -> Forecast {
    let mut course = Course {
        fleet: Fleet::new(deployment.clone(), seed),
        requests,
        keep,
        forecast: Forecast::default(),
    };
    course.forecast.outcomes.reserve(requests.len());
    match arrivals {
        Arrivals::At(moments) => course.open(moments),
        Arrivals::InFlight(most) => course.closed(*most),
    }
    course.forecast
}

impl Forecast {
    /// The mean number of requests that had arrived and not ended, from one moment to another. 0 if that is no time at all.
    pub fn present(&self, from: Duration, to: Duration) -> f64 {
        let stay = |outcome: &Outcome| (outcome.arrival, outcome.ended);
        mean_number(self.outcomes.iter().map(stay), from, to)
    }

    /// The mean number of requests that had arrived and were in no step yet, from one moment to another. 0 if that is no time at all.
    pub fn waiting(&self, from: Duration, to: Duration) -> f64 {
        let wait = |outcome: &Outcome| (outcome.arrival, outcome.scheduled);
        mean_number(self.outcomes.iter().map(wait), from, to)
    }

    /// When the last request ended.
    pub fn end(&self) -> Duration {
        self.outcomes.iter().filter_map(|outcome| outcome.ended).max().unwrap_or_default()
    }
}

/// The mean number of stays that last at a moment between two; a stay without an end lasts for ever.
fn mean_number(
    stays: impl Iterator<Item = (Duration, Option<Duration>)>,
    from: Duration,
    to: Duration,
) -> f64 {
    let length = to.saturating_sub(from).as_secs_f64();
    if length <= 0.0 {
        return 0.0;
    }
    let within = |(begin, end): (Duration, Option<Duration>)| {
        end.unwrap_or(to).min(to).saturating_sub(begin.max(from)).as_secs_f64()
    };
    stays.map(within).sum::<f64>() / length
}

/// A load under way.
struct Course<'r> {
    fleet: Fleet,
    requests: &'r [Request],
    keep: Keep,
    forecast: Forecast,
}

impl Course<'_> {
    fn open(&mut self, moments: &[Duration]) {
        for at in moments.iter().take(self.requests.len()) {
            // What happens at the very moment of an arrival happens after it.
            while let Some(next) = self.fleet.next().filter(|next| next < at) {
                self.advance(next);
            }
            self.begin(*at);
        }
        while let Some(next) = self.fleet.next() {
            self.advance(next);
        }
    }

    fn closed(&mut self, most: usize) {
        for _ in 0..most.min(self.requests.len()) {
            self.begin(Duration::ZERO);
        }
        while let Some(next) = self.fleet.next() {
            let left = self.requests.len() - self.forecast.outcomes.len();
            for _ in 0..self.advance(next).min(left) {
                self.begin(next);
            }
        }
    }

    fn begin(&mut self, at: Duration) {
        let index = self.forecast.outcomes.len();
        let request = &self.requests[index];
        let ticket = self.fleet.submit(
            at,
            Job {
                request: index as u64,
                choice: 0,
                prompt_tokens: request.prompt_tokens,
                output_tokens: request.output_tokens,
                finish: Finish::Length,
                priority: 0,
                chain: Arc::clone(&request.chain),
            },
        );
        // A fleet of one's own hands its tickets out in order, from 0: they are places among the outcomes.
        debug_assert_eq!(ticket.0, index as u64);
        let emissions = Vec::with_capacity(match self.keep {
            Keep::Every => request.output_tokens as usize,
            Keep::Ends => 2,
        });
        self.forecast.outcomes.push(Outcome { arrival: at, emissions, ..Outcome::default() });
    }

    /// Goes on to `now`, and says how many requests ended.
    fn advance(&mut self, now: Duration) -> usize {
        let Self { fleet, keep, forecast, .. } = self;
        let mut ended = 0;
        fleet.advance(now, &mut |event| match event {
            Event::Scheduled { ticket, at, replica, cached } => {
                let outcome = &mut forecast.outcomes[ticket.0 as usize];
                (outcome.scheduled, outcome.replica, outcome.cached) = (Some(at), replica, cached);
            }
            Event::Emitted { ticket, emission } => {
                let outcome = &mut forecast.outcomes[ticket.0 as usize];
                match outcome.emissions.as_mut_slice() {
                    [_, last] if *keep == Keep::Ends => {
                        *last = (emission.at, last.1 + emission.tokens);
                    }
                    _ => outcome.emissions.push((emission.at, emission.tokens)),
                }
                if emission.finish.is_some() {
                    outcome.ended = Some(emission.at);
                    ended += 1;
                }
            }
            Event::Preempted { ticket, .. } => {
                forecast.outcomes[ticket.0 as usize].preemptions += 1;
            }
            Event::Stepped { began, at, .. } => {
                forecast.steps += 1;
                forecast.busy += at - began;
            }
        });
        ended
    }
}

#[cfg(test)]
mod tests {
    use tokometer_metrics::catalog::E2E;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn stayed(arrival: u32, scheduled: Option<u32>, ended: Option<u32>) -> Outcome {
        Outcome {
            arrival: SECOND * arrival,
            scheduled: scheduled.map(|at| SECOND * at),
            ended: ended.map(|at| SECOND * at),
            ..Outcome::default()
        }
    }

    #[test]
    fn requests_are_present_from_their_arrival_to_their_end_and_wait_until_their_first_step() {
        let forecast = Forecast {
            outcomes: vec![
                stayed(0, Some(0), Some(4)),
                stayed(1, Some(3), Some(9)),
                stayed(2, None, None),
            ],
            ..Forecast::default()
        };
        assert_eq!(forecast.present(SECOND * 2, SECOND * 4), 3.0);
        assert_eq!(forecast.present(SECOND * 4, SECOND * 10), 11.0 / 6.0);
        assert_eq!(forecast.waiting(Duration::ZERO, SECOND * 4), 1.0);
        assert_eq!(forecast.waiting(SECOND, SECOND), 0.0);
        assert_eq!(forecast.end(), SECOND * 9);
    }

    fn deployment() -> Deployment {
        let query = "base_us=5000&per_prefill_token_us=20&per_decode_token_us=100&max_num_seqs=6&max_num_batched_tokens=64\
                     &num_gpu_blocks=40&block_size=16&noise=0.1&no_enable_prefix_caching";
        crate::Options::from_query(query).unwrap().deployment.unwrap()
    }

    fn requests(count: usize) -> Vec<Request> {
        let (input, output) = ("10-120".parse().unwrap(), "1-60".parse().unwrap());
        let block_size = deployment().engine.block_size;
        Workload { input, output, prefixes: None }.requests(count, block_size, 5)
    }

    #[test]
    fn the_ends_of_every_request_are_kept_exactly_and_no_token_is_lost() {
        let requests = requests(120);
        let moments = (0..120).map(|index| Duration::from_millis(40) * index).collect();
        let arrivals = Arrivals::At(moments);
        let every = run(&deployment(), &requests, &arrivals, 3);
        let ends = run_keeping(&deployment(), &requests, &arrivals, 3, Keep::Ends);
        assert_eq!((every.steps, every.busy), (ends.steps, ends.busy));
        assert!(every.outcomes.iter().any(|outcome| outcome.preemptions > 0));
        for ((every, ends), request) in every.outcomes.iter().zip(&ends.outcomes).zip(&requests) {
            assert_eq!(every.emissions.first(), ends.emissions.first());
            let tokens = |outcome: &Outcome| outcome.emissions.iter().map(|(_, n)| n).sum::<u32>();
            assert_eq!(
                (tokens(every), tokens(ends)),
                (request.output_tokens, request.output_tokens)
            );
            assert!(ends.emissions.len() <= 2);
            assert_eq!(every.emissions.last().map(|(at, _)| *at), ends.ended);
            assert_eq!((every.ended, every.scheduled), (ends.ended, ends.scheduled));
            assert!(every.arrival <= every.scheduled.unwrap());
        }
    }

    #[test]
    fn in_a_closed_loop_as_many_are_present_as_were_asked_for_until_none_is_left() {
        let requests = requests(80);
        let forecast = run(&deployment(), &requests, &Arrivals::InFlight(9), 3);
        assert_eq!(forecast.outcomes.len(), 80);
        let last = forecast.outcomes.last().map(|outcome| outcome.arrival).unwrap();
        assert!((forecast.present(Duration::ZERO, last) - 9.0).abs() < 1e-6);
        assert!(forecast.end() > last);
    }

    /// L = λW: requests in flight, counted as they come and go, are their rate times the mean latency that a client would report.
    #[test]
    fn littles_law_holds() {
        let requests = requests(100);
        let moments = (0..100).map(|index| Duration::from_millis(30) * index).collect();
        let arrivals = Arrivals::At(moments);
        let forecast = run(&deployment(), &requests, &arrivals, 3);
        let comes = forecast.outcomes.iter().map(|outcome| (outcome.arrival, 1.0));
        let goes = forecast.outcomes.iter().map(|outcome| (outcome.ended.unwrap(), -1.0));
        let mut changes: Vec<(Duration, f64)> = comes.chain(goes).collect();
        changes.sort_by_key(|(at, _)| *at);
        let (mut in_flight, mut area) = (0.0, 0.0);
        for pair in changes.windows(2) {
            in_flight += pair[0].1;
            area += in_flight * (pair[1].0 - pair[0].0).as_secs_f64();
        }
        let log = forecast.log(&requests, &arrivals, 0..100);
        let latency = E2E.distribution(&tokometer_metrics::Run::of(&log)).unwrap().mean;
        let end = forecast.end().as_secs_f64();
        let rate = 100.0 / end;
        assert!((area / end - rate * latency).abs() < 1e-6, "{} {}", area / end, rate * latency);
        assert!((forecast.present(Duration::ZERO, forecast.end()) - area / end).abs() < 1e-9);
    }
}
