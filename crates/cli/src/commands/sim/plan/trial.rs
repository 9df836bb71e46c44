//! One trial: a load on a deployment in virtual time, and whether it kept to the objectives.
//!
//! A trial is judged in its steady state. Its first and last requests are left out: the first find the engines empty, the last see
//! them empty again. Where requests pile up there is no steady state, and no objective is kept, whatever the figures say.

use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokometer_metrics::Run;
use tokometer_metrics::catalog::{
    ACHIEVED_RATE, CACHE_HIT_RATE, E2E, HELD_CONCURRENCY, OUTPUT_TOKENS,
};
use tokometer_report::capacity::{Load, Objective, There, Trial};
use tokometer_sim::Deployment;
use tokometer_sim::forecast::{self, Arrivals, Forecast, Keep, Outcome, Request, Workload};
use tokometer_workload::arrivals;
use tokometer_workload::seed::Seed;

use super::objectives::{Slo, figures};

/// What all trials have in common.
#[derive(Debug)]
pub(super) struct Bench {
    /// What is deployed, but for the number of replicas.
    pub(super) deployment: Deployment,
    /// What requests are like.
    pub(super) workload: Workload,
    /// What load is counted in.
    pub(super) load: Load,
    /// How unevenly requests arrive: 1 for a Poisson process.
    pub(super) burstiness: f64,
    /// What is to be kept to.
    pub(super) objectives: Vec<Slo>,
    /// The same, as it is judged and told.
    pub(super) told: Vec<Objective>,
    /// How long trials are.
    pub(super) size: Size,
    /// The share of requests that is left out at either end.
    pub(super) edge: f64,
    /// The root of all draws.
    pub(super) seed: u64,
    /// The requests of each repetition, as many as any trial has needed so far.
    pub(super) requests: Requests,
}

/// How long a trial is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Size {
    /// At least so many requests, and as many more as it takes to last [`LONG`] times as long as a request.
    AtLeast(usize),
    /// So many requests.
    Requests(usize),
    /// As many requests as arrive in so many seconds.
    Seconds(f64),
}

/// Requests of each repetition. They are the same in every trial, so that what differs between two is the load and the deployment
/// alone. Shared between threads, and locked only for as long as it takes to make further ones.
#[derive(Debug, Default)]
pub(super) struct Requests(Mutex<Vec<Arc<Vec<Request>>>>);

/// What came of a load on so many replicas.
pub(super) fn trial(bench: &Bench, replicas: u32, load: f64, repetition: u32) -> Trial {
    let mut count = bench.first_count(load);
    loop {
        let (trial, stay) = bench.once(replicas, load, repetition, count);
        let Some(more) = bench.more(&trial, stay) else { return trial };
        count = more;
    }
}

/// How long a request stays, and what of that it is in steps: means, in seconds.
#[derive(Clone, Copy, Debug)]
struct Stay {
    whole: f64,
    served: f64,
    /// How long requests came.
    trial: f64,
    /// How many times as much they piled up as is taken for chance.
    piled: f64,
}

impl Bench {
    /// Tokens of the longest request among the first ones.
    pub(super) fn longest(&self) -> u64 {
        let count = match self.size {
            Size::AtLeast(count) | Size::Requests(count) => count,
            Size::Seconds(_) => FEWEST,
        };
        let requests = self.drawn(count, 0);
        let tokens =
            |request: &Request| u64::from(request.prompt_tokens) + u64::from(request.output_tokens);
        requests.iter().map(tokens).max().unwrap_or_default()
    }

    /// At least so many requests of a repetition.
    fn drawn(&self, count: usize, repetition: u32) -> Arc<Vec<Request>> {
        self.requests.first(count, repetition, |count| {
            let block_size = self.deployment.engine.block_size;
            self.workload.requests(count, block_size, self.draws(repetition).number())
        })
    }

    fn draws(&self, repetition: u32) -> Seed {
        Seed::new(self.seed).stream("plan").at(u64::from(repetition))
    }

    fn first_count(&self, load: f64) -> usize {
        match (self.size, self.load) {
            (Size::AtLeast(least), Load::Rate) => least,
            (Size::AtLeast(least), Load::Users) => least.max((AIM * LONG * load).ceil() as usize),
            (Size::Requests(count), _) => count,
            (Size::Seconds(seconds), _) => ((seconds * load).ceil() as usize).clamp(FEWEST, MOST),
        }
    }

    /// How many requests it takes for a steady state, or to be sure that there is none.
    ///
    /// Where requests pile up, how long they wait hangs on the trial's length, and no length is long enough: then only the time in steps
    /// counts.
    fn more(&self, trial: &Trial, stay: Stay) -> Option<usize> {
        let Size::AtLeast(least) = self.size else { return None };
        let (length, times) = match stay.piled {
            ..=1.0 => (stay.whole, LONG),
            ..CERTAIN => (stay.served, SURE),
            _ => (stay.served, LONG),
        };
        let most = (MOST_TIMES * least).min(MOST);
        let count = trial.requests as usize;
        if stay.trial >= times * length || trial.failed > 0 || count >= most {
            return None;
        }
        let wanted = count as f64 * AIM * times * length / stay.trial;
        Some((wanted.ceil() as usize).clamp(count + count / 4, 8 * count).min(most))
    }

    fn once(&self, replicas: u32, load: f64, repetition: u32, count: usize) -> (Trial, Stay) {
        let seed = self.draws(repetition);
        let requests = self.drawn(count, repetition);
        let requests = &requests[..count];
        let arrivals = self.arrivals(load, count, seed);
        let gaps = self.objectives.iter().any(Slo::needs_gaps);
        let keep = if gaps { Keep::Every } else { Keep::Ends };
        let engines = NonZeroU32::new(replicas).unwrap_or(NonZeroU32::MIN);
        let deployment = Deployment { replicas: engines, ..self.deployment.clone() };
        let forecast = forecast::run_keeping(&deployment, requests, &arrivals, seed.number(), keep);
        self.judged(
            &forecast,
            requests,
            &arrivals,
            Trial {
                replicas,
                load,
                repetition,
                requests: count as u64,
                measured: 0,
                failed: 0,
                figures: Vec::new(),
                kept: Vec::new(),
                saturated: false,
                short: false,
                there: There::default(),
                lasted: forecast.end().as_secs_f64(),
            },
        )
    }

    fn arrivals(&self, load: f64, count: usize, seed: Seed) -> Arrivals {
        if self.load == Load::Users {
            return Arrivals::InFlight(load as usize);
        }
        let process = match self.burstiness {
            1.0 => arrivals::Arrivals::Poisson { rate: load },
            burstiness => arrivals::Arrivals::Gamma { rate: load, burstiness },
        };
        Arrivals::At(process.schedule(count as u64, seed).unwrap_or_default())
    }

    /// The requests that count, of so many.
    fn counted(&self, count: usize) -> Range<usize> {
        let edge = (count as f64 * self.edge).round() as usize;
        edge..count.saturating_sub(edge).max(edge)
    }

    fn judged(
        &self,
        forecast: &Forecast,
        requests: &[Request],
        arrivals: &Arrivals,
        trial: Trial,
    ) -> (Trial, Stay) {
        let counted = self.counted(requests.len());
        let log = forecast.log(requests, arrivals, counted.clone());
        let run = Run::of(&log);
        let outcomes = &forecast.outcomes[counted.clone()];
        let measured = outcomes.len() as u64;
        // What does not fit is never served, or cut short.
        let whole = |(outcome, request): &(&Outcome, &Request)| {
            let tokens: u32 = outcome.emissions.iter().map(|(_, tokens)| tokens).sum();
            outcome.ended.is_some() && tokens == request.output_tokens
        };
        let told = outcomes.iter().zip(&requests[counted.clone()]);
        let failed = measured - told.filter(whole).count() as u64;
        let served =
            outcomes.iter().filter_map(|outcome| Some(outcome.ended? - outcome.scheduled?));
        let served: Duration = served.sum();
        let last = forecast.outcomes.last().map_or(Duration::ZERO, |outcome| outcome.arrival);
        let whole = E2E.distribution(&run).map_or(0.0, |values| values.mean);
        let piled = match self.load {
            Load::Rate => piled_up(forecast, counted.start, whole),
            Load::Users => 0.0,
        };
        let stay = Stay {
            whole,
            piled,
            served: served.as_secs_f64() / measured.max(1) as f64,
            trial: match arrivals {
                Arrivals::At(_) => last.as_secs_f64(),
                Arrivals::InFlight(_) => trial.lasted,
            },
        };
        let saturated = piled > 1.0;
        let figures = figures(&self.objectives, &run);
        let steady = !saturated && failed == 0;
        let keeps = |(told, figure): (&Objective, &Option<f64>)| {
            steady && figure.is_none_or(|figure| told.keeps(figure))
        };
        let kept = self.told.iter().zip(&figures).map(keeps).collect();
        let request_rate = ACHIEVED_RATE.figure(&run).unwrap_or_default();
        let output = OUTPUT_TOKENS.distribution(&run).map_or(0.0, |values| values.mean);
        let preempted: u32 = outcomes.iter().map(|outcome| outcome.preemptions).sum();
        let there = There {
            in_flight: HELD_CONCURRENCY.figure(&run).unwrap_or_default(),
            request_rate,
            output_rate: request_rate * output,
            cached: CACHE_HIT_RATE.figure(&run).unwrap_or_default() / 100.0,
            preemptions: f64::from(preempted) / measured.max(1) as f64,
        };
        let short = stay.trial < LONG * stay.whole;
        (Trial { measured, failed, figures, kept, saturated, short, there, ..trial }, stay)
    }
}

/// By how many times what is taken for chance ever more requests wait, or are in flight, from the `first` one on that counts to the last
/// arrival: more than 1 where they pile up. Each `stay`s so many seconds.
///
/// Waiting means that there is no place in a step: more of it by 1 % of those that arrived between a tenth of the time at the
/// beginning and a tenth at the end is a queue without end. Being in flight grows where steps become ever slower; there chance has its
/// part, and what is found between the two halves must be thrice as much as chance makes of it.
fn piled_up(forecast: &Forecast, first: usize, stay: f64) -> f64 {
    let arrival = |index: usize| forecast.outcomes.get(index).map(|outcome| outcome.arrival);
    let count = forecast.outcomes.len();
    let Some((from, to)) = arrival(first).zip(arrival(count.saturating_sub(1))) else { return 0.0 };
    let length = to.saturating_sub(from);
    if length.is_zero() || stay <= 0.0 {
        return 0.0;
    }
    let arrived = (count - first) as f64;
    let tenth = length / 10;
    let waiting =
        forecast.waiting(to.saturating_sub(tenth), to) - forecast.waiting(from, from + tenth);
    let middle = from + length / 2;
    let grown = forecast.present(middle, to) - forecast.present(from, middle);
    let (half, stays) = (arrived / 2.0, length.as_secs_f64() / 2.0 / stay);
    // Requests in flight vary by their root, and are others after two stays: the mean over h stays varies by √(2n/h), the difference of
    // two such means by √2 of it, and n = half ÷ h by Little's law.
    let chance = 2.0 * half.sqrt() / stays;
    (waiting / (WAITING * 0.9 * arrived)).max(grown / (GROWN * half).max(3.0 * chance))
}

impl Requests {
    /// At least the first `count` of a repetition.
    fn first(
        &self,
        count: usize,
        repetition: u32,
        make: impl FnOnce(usize) -> Vec<Request>,
    ) -> Arc<Vec<Request>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = repetition as usize;
        if all.len() <= place {
            all.resize_with(place + 1, Arc::default);
        }
        if all[place].len() < count {
            all[place] = Arc::new(make(count));
        }
        Arc::clone(&all[place])
    }
}

/// How many times as long as a request stays a trial must last, for the edges to be about as long as a stay.
pub(super) const LONG: f64 = 10.0;

/// How many times as long as a request in steps it must last where it seems that requests pile up, but not by much.
const SURE: f64 = 20.0;

/// From how many times what is taken for chance on requests pile up for certain.
const CERTAIN: f64 = 4.0;

/// How many times as long as it must a trial is to last where it must be longer.
const AIM: f64 = 1.25;

/// How many times the fewest requests a trial may have.
const MOST_TIMES: usize = 50;

/// Requests of a trial.
const FEWEST: usize = 50;
pub(super) const MOST: usize = 2_000_000;

/// What share of those that arrive may come to wait.
const WAITING: f64 = 0.01;

/// What share of those that arrive may come to be in flight.
const GROWN: f64 = 0.02;
