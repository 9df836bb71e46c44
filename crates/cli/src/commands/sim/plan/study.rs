//! All trials: for each number of replicas and each repetition the most load within each objective, and how requests fare on the way.
//!
//! What is found hangs on the question alone and not on how many threads sought it: guesses come from searches that are done before
//! others begin.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use tokometer_report::capacity::{Course, Limit, Load, Most, Need, Reach, Row, Trial};

use super::progress::Progress;
use super::search::{Known, most};
use super::spans::{Span, round_loads, three_figures};
use super::trial::{Bench, trial};

/// What is to be found.
#[derive(Debug)]
pub(super) struct Study<'a> {
    /// What all trials have in common.
    pub(super) bench: &'a Bench,
    /// The numbers of replicas, ascending, at least one.
    pub(super) replicas: &'a [u32],
    /// The loads, ascending, at least one.
    pub(super) ladder: Vec<f64>,
    /// Which loads were asked for.
    pub(super) span: &'a Span,
    /// How often each search is made, each time with other draws.
    pub(super) repetitions: u32,
    /// How many trials are made at once.
    pub(super) threads: usize,
    /// What is shown meanwhile.
    pub(super) progress: &'a Progress<'a>,
}

/// What was found.
#[derive(Debug)]
pub(super) struct Findings {
    pub(super) rows: Vec<Row>,
    pub(super) needs: Vec<Need>,
    pub(super) course: Course,
    pub(super) trials: Vec<Trial>,
}

/// One repetition on one number of replicas.
type Address = (u32, u32);

/// A search in one of them.
#[derive(Debug)]
struct Searched {
    /// The highest place of the ladder that keeps to each objective, and whether that is blurred.
    each: Vec<(Option<usize>, bool)>,
    /// What was tried, by its place.
    trials: BTreeMap<usize, Trial>,
}

impl Study<'_> {
    /// Makes every trial.
    pub(super) fn run(&self) -> Findings {
        let fewest = self.replicas[0];
        let mut searched: BTreeMap<Address, Searched> = BTreeMap::new();
        // The fewest replicas first; what more of them carry is guessed from there, and then from the most and the middle.
        let anchors =
            [self.replicas[self.replicas.len() - 1], self.replicas[self.replicas.len() / 2]];
        let first = vec![(fewest, 0)];
        let second: Vec<Address> = anchors.into_iter().map(|replicas| (replicas, 0)).collect();
        let rest = (0..self.repetitions).flat_map(|r| self.replicas.iter().map(move |n| (*n, r)));
        for mut addresses in [first, second, rest.collect()] {
            addresses.retain(|address| !searched.contains_key(address));
            addresses.sort_unstable_by(|a, b| b.cmp(a));
            addresses.dedup();
            let found = self.side_by_side(&addresses, |address| self.search(*address, &searched));
            searched.extend(addresses.iter().copied().zip(found));
        }
        let rows: Vec<Row> = self.replicas.iter().map(|n| self.row(*n, &searched)).collect();
        // Where something is to be seen: on the fewest replicas that carry anything, or else on the most.
        let telling = rows.iter().find(|row| row.all.least.load().is_some()).or(rows.last());
        let course = telling.map_or_else(Course::default, |row| self.course(row));
        let needs = self.needs(&rows);
        let trials = searched.into_values().flat_map(|found| found.trials.into_values()).collect();
        Findings { rows, needs, course, trials }
    }

    fn search(
        &self,
        (replicas, repetition): Address,
        before: &BTreeMap<Address, Searched>,
    ) -> Searched {
        let mut trials: BTreeMap<usize, Trial> = BTreeMap::new();
        let objectives = self.bench.objectives.len();
        let mut places = Vec::with_capacity(objectives);
        for objective in 0..objectives {
            let known = known(&trials, objective);
            let guess = self.guess(replicas, objective, before);
            let found = most(self.ladder.len(), known, guess, &mut |place| {
                let at = trials
                    .entry(place)
                    .or_insert_with(|| self.trial(replicas, self.ladder[place], repetition));
                at.kept[objective]
            });
            places.push(found);
        }
        let strays = |(place, trial): (&usize, &Trial), objective: usize| {
            trial.kept[objective] != places[objective].is_some_and(|found| *place <= found)
        };
        let wavers = |objective| trials.iter().any(|at| strays(at, objective));
        let each =
            (0..objectives).map(|objective| (places[objective], wavers(objective))).collect();
        self.progress.searched();
        Searched { each, trials }
    }

    /// Where the limit of an objective may be: in proportion to what the nearest numbers of replicas carry that are known.
    fn guess(
        &self,
        replicas: u32,
        objective: usize,
        before: &BTreeMap<Address, Searched>,
    ) -> Option<usize> {
        let known = before.iter().filter(|((_, repetition), _)| *repetition == 0);
        let each = known.filter_map(|((known, _), found)| {
            let load = self.ladder[found.each.get(objective)?.0?];
            Some((f64::from(*known), load / f64::from(*known)))
        });
        let each: Vec<(f64, f64)> = each.collect();
        let here = f64::from(replicas);
        let below = each.iter().rev().find(|(known, _)| *known <= here);
        let above = each.iter().find(|(known, _)| *known >= here);
        let carries = match (below, above) {
            (Some((a, of_a)), Some((b, of_b))) if b > a => {
                of_a + (of_b - of_a) * (here - a) / (b - a)
            }
            (Some((_, each)), _) | (None, Some((_, each))) => *each,
            (None, None) => return None,
        };
        let load = carries * here;
        Some(self.ladder.partition_point(|rung| *rung <= load).saturating_sub(1))
    }

    fn row(&self, replicas: u32, searched: &BTreeMap<Address, Searched>) -> Row {
        let of_these = (0..self.repetitions).filter_map(|r| searched.get(&(replicas, r)));
        let of_these: Vec<&Searched> = of_these.collect();
        let objectives = 0..self.bench.objectives.len();
        let each = objectives.map(|objective| {
            let found: Vec<_> = of_these.iter().map(|found| found.each[objective]).collect();
            self.over(&found)
        });
        let together: Vec<_> = of_these.iter().map(|found| found.together()).collect();
        let worst = of_these.iter().zip(&together).min_by_key(|(_, (place, _))| *place);
        let (limited_by, there) = worst.map_or((Vec::new(), None), |(found, (place, _))| {
            let next = place.map_or(0, |place| place + 1);
            let limits = found.trials.get(&next).map_or(Vec::new(), |trial| self.limits(trial));
            let there = place.and_then(|place| found.trials.get(&place)).map(|trial| trial.there);
            (limits, there)
        });
        Row { replicas, each: each.collect(), all: self.over(&together), limited_by, there }
    }

    /// The most load over repetitions.
    fn over(&self, found: &[(Option<usize>, bool)]) -> Most {
        let reach = |(place, _): &(Option<usize>, bool)| match place {
            None => Reach::Below(self.ladder[0]),
            Some(place) if place + 1 == self.ladder.len() => Reach::Beyond(self.ladder[*place]),
            Some(place) => Reach::Upto(self.ladder[*place]),
        };
        let below = Reach::Below(self.ladder[0]);
        Most {
            least: found.iter().map(reach).reduce(Reach::min).unwrap_or(below),
            greatest: found.iter().map(reach).reduce(Reach::max).unwrap_or(below),
            wavers: found.iter().any(|(_, wavers)| *wavers),
        }
    }

    /// What a trial misses.
    fn limits(&self, trial: &Trial) -> Vec<Limit> {
        let missed = self.bench.told.iter().zip(&trial.figures).enumerate();
        let missed =
            missed.filter(|(_, (told, figure))| figure.is_some_and(|figure| !told.keeps(figure)));
        let mut limits: Vec<Limit> = missed.map(|(place, _)| Limit::Objective(place)).collect();
        if trial.saturated {
            limits.push(Limit::Throughput);
        }
        if trial.failed > 0 {
            limits.push(Limit::Room);
        }
        limits
    }

    /// Trials from little load to somewhat more than is carried within any objective.
    fn course(&self, row: &Row) -> Course {
        let (low, high) = self.span.ends();
        let most = row.each.iter().filter_map(|most| most.greatest.load()).fold(low, f64::max);
        let top = ABOVE * most;
        let (low, top) = match (self.span, row.all.least) {
            (Span::Range(..), Reach::Upto(_) | Reach::Beyond(_)) => {
                (low.max(BELOW * top), top.min(high))
            }
            _ => (BELOW * top, top),
        };
        let load = |step: usize| {
            let load = low + (top - low) * step as f64 / (POINTS - 1) as f64;
            match self.bench.load {
                Load::Rate => three_figures(load),
                Load::Users => load.round().max(1.0),
            }
        };
        let mut loads: Vec<f64> = (0..POINTS).map(load).collect();
        loads.dedup();
        let replicas = row.replicas;
        let trials = self.side_by_side(&loads, |load| self.trial(replicas, *load, 0));
        Course { replicas, trials }
    }

    /// The fewest replicas for each of some loads: those that were asked for, or round ones.
    fn needs(&self, rows: &[Row]) -> Vec<Need> {
        let carried = || rows.iter().filter_map(|row| row.all.least.load());
        let least = carried().reduce(f64::min);
        let greatest = carried().reduce(f64::max);
        let loads = match (self.span, least, greatest) {
            (Span::List(all), ..) => all.clone(),
            (Span::Range(..), Some(least), Some(greatest)) => {
                let mut loads = round_loads(least, greatest);
                if self.bench.load == Load::Users {
                    loads.retain(|load| load.fract() == 0.0);
                }
                loads
            }
            (Span::Range(..), ..) => Vec::new(),
        };
        let need = |load: f64| {
            let enough = rows.iter().find(|row| row.all.least.covers(load));
            Need { load, replicas: enough.map(|row| (row.replicas, row.all.least)) }
        };
        loads.into_iter().map(need).collect()
    }

    fn trial(&self, replicas: u32, load: f64, repetition: u32) -> Trial {
        let trial = trial(self.bench, replicas, load, repetition);
        self.progress.tried(&trial);
        trial
    }

    /// Does something for each of some things, several at once; what came of it stands in their order.
    fn side_by_side<T: Sync, R: Send>(
        &self,
        things: &[T],
        each: impl Fn(&T) -> R + Sync,
    ) -> Vec<R> {
        let next = AtomicUsize::new(0);
        let (done, results) = mpsc::channel();
        thread::scope(|scope| {
            for _ in 0..self.threads.min(things.len()) {
                let (done, next, each) = (done.clone(), &next, &each);
                scope.spawn(move || {
                    while let Some((index, thing)) = {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        things.get(index).map(|thing| (index, thing))
                    } {
                        // Whoever wants the results waits for all of them.
                        drop(done.send((index, each(thing))));
                    }
                });
            }
            drop(done);
        });
        let mut results: Vec<(usize, R)> = results.iter().collect();
        results.sort_unstable_by_key(|(index, _)| *index);
        results.into_iter().map(|(_, result)| result).collect()
    }
}

impl Searched {
    /// The highest place that keeps to all objectives, and whether that is blurred.
    fn together(&self) -> (Option<usize>, bool) {
        let place = self.each.iter().map(|(place, _)| *place).min().flatten();
        let wavers = self.each.iter().any(|(of, wavers)| *wavers && *of == place);
        (place, wavers)
    }
}

/// What trials tell of an objective already.
fn known(trials: &BTreeMap<usize, Trial>, objective: usize) -> Known {
    let misses = trials.iter().find(|(_, trial)| !trial.kept[objective]).map(|(place, _)| *place);
    let below = trials
        .iter()
        .filter(|(place, trial)| trial.kept[objective] && misses.is_none_or(|miss| **place < miss));
    Known { meets: below.map(|(place, _)| *place).max(), misses }
}

/// Trials of a course.
const POINTS: usize = 25;

/// How much more load a course shows than is carried within any objective, and from which part of that on.
const ABOVE: f64 = 1.3;
const BELOW: f64 = 0.05;

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use tokometer_sim::forecast::{Tokens, Workload};
    use tokometer_sim::{Deployment, Engine, Frontend, Linear, Policy, Routing, StepTime};

    use super::super::objectives::{Slo, slo};
    use super::super::trial::{Requests, Size};
    use super::*;
    use crate::screen::Screen;

    const fn whole(number: u32) -> NonZeroU32 {
        NonZeroU32::new(number).unwrap()
    }

    /// Engines of eight places whose every step takes 10 ms, and `per_decode_token` seconds more for each token.
    fn deployment(per_decode_token: f64) -> Deployment {
        Deployment {
            name: "by hand".to_owned(),
            engine: Engine {
                max_num_seqs: whole(8),
                max_num_batched_tokens: whole(2048),
                chunked_prefill: true,
                policy: Policy::Fcfs,
                blocks: whole(1000),
                block_size: whole(16),
                prefix_caching: false,
                speculation: None,
            },
            step: StepTime::Linear(Linear { base: 0.01, per_decode_token, ..Linear::default() }),
            frontend: Frontend { per_request: Duration::ZERO, per_prompt_token: Duration::ZERO },
            replicas: whole(1),
            routing: Routing::LeastRequests,
            noise: 0.0,
        }
    }

    fn bench(deployment: Deployment, load: Load, slos: &[&str], requests: usize) -> Bench {
        let objectives: Vec<Slo> = slos.iter().map(|text| slo(text).unwrap()).collect();
        Bench {
            deployment,
            workload: Workload {
                input: Tokens::Fixed(16),
                output: Tokens::Fixed(20),
                prefixes: None,
            },
            load,
            burstiness: 1.0,
            told: objectives.iter().map(Slo::told).collect(),
            objectives,
            size: Size::Requests(requests),
            edge: 0.1,
            seed: 42,
            requests: Requests::default(),
        }
    }

    fn study(
        bench: &Bench,
        replicas: &[u32],
        span: &Span,
        repetitions: u32,
        threads: usize,
    ) -> Findings {
        let screen = Screen::without_progress();
        let progress = Progress::new(&screen, 1);
        let ladder = span.ladder(bench.load);
        Study { bench, replicas, ladder, span, repetitions, threads, progress: &progress }.run()
    }

    fn upto(row: &Row) -> f64 {
        match row.all.least {
            Reach::Upto(load) => load,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn as_many_users_as_there_are_places_never_wait_and_one_more_does() {
        // A request takes 20 steps of 10 ms. With nine users somebody always waits for a place, a whole request long.
        let bench = bench(deployment(0.0), Load::Users, &["ttft:p99:50ms"], 400);
        let found = study(&bench, &[1, 2], &Span::Range(1.0, 40.0), 1, 2);
        assert_eq!(found.rows.iter().map(upto).collect::<Vec<_>>(), [8.0, 16.0]);
        assert_eq!(found.rows[0].limited_by, [Limit::Objective(0)]);
        // Eight requests in 200 ms; all come and go together, so that the first group has no gap before it.
        let there = found.rows[0].there.unwrap();
        assert!((38.0..=41.0).contains(&there.request_rate), "{there:?}");
        assert!((there.output_rate - 20.0 * there.request_rate).abs() < 1e-6);
    }

    #[test]
    fn where_nothing_else_limits_the_limit_is_what_the_places_can_serve() {
        // Eight places, each taken for 20 steps of 10 ms and for what is left of a step at its beginning: at most 40 requests a second.
        let bench = bench(deployment(0.0), Load::Rate, &["tpot:mean:50ms"], 3000);
        let found = study(&bench, &[1], &Span::Range(10.0, 100.0), 1, 1);
        let most = upto(&found.rows[0]);
        assert!((38.0..=41.2).contains(&most), "{most}");
        assert_eq!(found.rows[0].limited_by, [Limit::Throughput]);
    }

    #[test]
    fn where_steps_grow_with_the_load_time_per_token_limits_at_the_closed_formula() {
        // With n requests in a step it takes 10 + 2n ms: 20 ms for five, 22 ms for six.
        let bench = bench(deployment(0.002), Load::Users, &["tpot:mean:20.5ms"], 400);
        let found = study(&bench, &[1], &Span::Range(1.0, 30.0), 1, 1);
        assert_eq!(upto(&found.rows[0]), 5.0);
    }

    #[test]
    fn what_is_found_keeps_to_every_objective_and_a_step_more_does_not() {
        let bench = bench(deployment(0.001), Load::Rate, &["ttft:p99:60ms", "tpot:p99:16ms"], 1000);
        let found = study(&bench, &[1], &Span::Range(1.0, 100.0), 2, 2);
        let most = upto(&found.rows[0]);
        let at = |load: f64| found.trials.iter().filter(move |trial| trial.load == load);
        assert!(at(most).count() > 0 && at(most).all(|trial| trial.kept.iter().all(|kept| *kept)));
        let ladder = Span::Range(1.0, 100.0).ladder(Load::Rate);
        let next = *ladder.iter().find(|rung| **rung > most).unwrap();
        assert!(at(next).any(|trial| trial.kept.contains(&false)));
        for (one, together) in found.rows[0].each.iter().map(|each| (each, found.rows[0].all)) {
            assert!(one.least.load() >= together.least.load());
        }
    }

    #[test]
    fn more_replicas_carry_more_and_every_thread_finds_the_same() {
        let bench = bench(deployment(0.001), Load::Rate, &["ttft:p99:60ms"], 600);
        let span = Span::Range(1.0, 400.0);
        let found = study(&bench, &[1, 2, 3], &span, 1, 3);
        let most: Vec<f64> = found.rows.iter().map(upto).collect();
        assert!(most.windows(2).all(|pair| pair[0] < pair[1]), "{most:?}");
        let alone = study(&bench, &[1, 2, 3], &span, 1, 1);
        assert_eq!((found.rows, found.trials), (alone.rows, alone.trials));
        for need in &found.needs {
            let (replicas, carried) = need.replicas.unwrap();
            assert!(carried.covers(need.load));
            assert!(replicas == 1 || most[replicas as usize - 2] < need.load);
        }
    }

    #[test]
    fn what_is_beyond_the_range_is_said_to_be() {
        let lenient = bench(deployment(0.0), Load::Rate, &["ttft:p99:10s"], 300);
        let found = study(&lenient, &[1], &Span::Range(1.0, 5.0), 1, 1);
        assert_eq!(
            (found.rows[0].all.least, found.rows[0].limited_by.len()),
            (Reach::Beyond(5.0), 0)
        );
        let strict = bench(deployment(0.0), Load::Rate, &["ttft:p99:1ms"], 300);
        let found = study(&strict, &[1], &Span::List(vec![1.0, 5.0]), 1, 1);
        assert_eq!(found.rows[0].all.least, Reach::Below(1.0));
        assert_eq!(found.rows[0].limited_by, [Limit::Objective(0)]);
        assert_eq!(found.needs[0], Need { load: 1.0, replicas: None });
    }
}
