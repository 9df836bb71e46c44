//! The service's side as a whole: from what was heard to the figures.

use proptest::prelude::*;
use tokometer_record::{Histogram, PointLog, Reading, RemarkKind};

use super::testing::{metrics, reading};
use super::*;
use crate::summary::testing::{Changed, ms, ok, point_log};

/// Ten requests one after the other from 1 s on, each with its first output after 100 ms and its last after 300 ms.
fn load() -> PointLog {
    point_log((0..10).map(|i| {
        let start = 1_000 + i * 300;
        ok(i, start, &[start + 100, start + 200, start + 300])
    }))
}

fn heard(mut log: PointLog, readings: impl IntoIterator<Item = Reading>) -> ServerSide {
    log.telemetry = metrics(readings);
    ServerSide::of(&Run::of(&log))
}

/// A reading with histograms of so many observations, and these sums in seconds.
fn observed(at: u64, timings: &[(Timing, f64, f64)]) -> Reading {
    let mut reading = reading(at, "http://a/metrics", &[]);
    for &(timing, count, sum) in timings {
        reading.timings.insert(timing, Histogram { sum, count, buckets: Vec::new() });
    }
    reading
}

#[test]
fn what_was_not_heard_has_no_figures() {
    assert_eq!(heard(load(), []), ServerSide::default());
    let mut log = load();
    let remark = Remark {
        at: ms(0),
        source: "http://a/metrics".to_owned(),
        kind: RemarkKind::Unreachable,
        detail: "connection refused".to_owned(),
    };
    log.telemetry.remarks = vec![remark.clone()];
    let side = ServerSide::of(&Run::of(&log));
    assert_eq!((side.was_heard(), side.remarks), (false, vec![remark]));
}

#[test]
fn a_point_has_the_figures_of_its_load() {
    // The load is on from 1 s to 4 s. Before it the server had served others.
    let at = |at, running, prompt, cached, generated| {
        reading(
            at,
            "http://a/metrics",
            &[
                (Signal::Running, running),
                (Signal::PromptTokens, prompt),
                (Signal::CachedPromptTokens, cached),
                (Signal::GenerationTokens, generated),
            ],
        )
    };
    let side = heard(
        load(),
        [
            at(900, 0.0, 1_000.0, 500.0, 7_000.0),
            at(2_000, 1.0, 1_040.0, 510.0, 7_010.0),
            at(3_500, 3.0, 1_080.0, 530.0, 7_020.0),
            at(4_200, 0.0, 1_120.0, 530.0, 7_060.0),
        ],
    );
    assert_eq!(side.servers, ["vllm"]);
    assert_eq!(side.sources, BTreeMap::from([("http://a/metrics".to_owned(), 4)]));
    let running = side.level(Signal::Running).unwrap();
    assert_eq!(
        (running.mean, running.max, running.max_at, running.readings),
        (2.0, 3.0, ms(3_500), 2)
    );
    assert_eq!(side.growth(Signal::PromptTokens), Some(120.0));
    let through = Through { prompt: 40.0, computed: Some(30.0), generation: 20.0 };
    assert_eq!(side.throughput, Some(through));
    assert_eq!(side.prefix_cache.and_then(|cache| cache.hit_rate()), Some(0.25));
    assert_eq!((side.speculation, side.resets.len(), side.in_turn.len()), (None, 0, 0));
    assert_eq!(side.moments.len(), 4);
    assert_eq!(side.between, Some((ms(900), ms(4_200))));
}

#[test]
fn counters_read_late_are_per_second_of_what_they_saw() {
    let at = |at, tokens| {
        reading(at, "a", &[(Signal::GenerationTokens, tokens), (Signal::PromptTokens, 0.0)])
    };
    let side = heard(load(), [at(2_000, 100.0), at(3_000, 150.0)]);
    assert_eq!(side.throughput.map(|through| through.generation), Some(50.0));
}

#[test]
fn a_server_that_counts_no_tokens_is_known_by_its_requests() {
    let side = heard(
        load(),
        [
            observed(900, &[(Timing::PromptLength, 0.0, 0.0), (Timing::OutputLength, 0.0, 0.0)]),
            observed(
                4_100,
                &[(Timing::PromptLength, 10.0, 90.0), (Timing::OutputLength, 10.0, 30.0)],
            ),
        ],
    );
    let through = side.throughput.unwrap();
    assert_eq!((through.prompt, through.computed, through.generation), (30.0, None, 10.0));
}

#[test]
fn the_server_s_latencies_stand_beside_the_client_s() {
    let side = heard(
        load(),
        [
            observed(
                900,
                &[(Timing::Ttft, 5.0, 50.0), (Timing::E2e, 5.0, 50.0), (Timing::Itl, 0.0, 0.0)],
            ),
            observed(
                4_100,
                &[(Timing::Ttft, 15.0, 50.8), (Timing::E2e, 15.0, 52.5), (Timing::Itl, 20.0, 1.98)],
            ),
        ],
    );
    let rounded: Vec<_> = side
        .beside
        .iter()
        .map(|b| (b.timing, b.metric, (b.server * 1e6).round(), (b.client * 1e6).round()))
        .collect();
    let expected = [
        (Timing::Ttft, "ttft", 80_000.0, 100_000.0),
        (Timing::Itl, "icl", 99_000.0, 100_000.0),
        (Timing::E2e, "e2e", 250_000.0, 300_000.0),
    ];
    assert_eq!(rounded, expected);
    assert!(side.counted.iter().all(|counted| counted.agrees() && counted.client == 10.0));
    assert!((side.beside[0].difference() - 0.02).abs() < 1e-9);
}

#[test]
fn warm_up_probes_and_failures_are_among_what_the_server_saw() {
    let mut log = load();
    log.records.push(ok(10, 700, &[950, 1_200]).warming_up());
    log.records.push(ok(11, 2_000, &[2_050]).probing());
    log.records.push(ok(12, 2_000, &[2_500]).failing_at(2_600));
    // Over before the first reading.
    log.records.push(ok(13, 100, &[800]).warming_up());
    let side = heard(
        log,
        [
            observed(900, &[(Timing::Ttft, 0.0, 0.0), (Timing::E2e, 0.0, 0.0)]),
            observed(4_100, &[(Timing::Ttft, 13.0, 1.3), (Timing::E2e, 12.0, 3.6)]),
        ],
    );
    let clients: Vec<_> =
        side.counted.iter().map(|counted| (counted.timing, counted.client)).collect();
    assert_eq!(clients, [(Timing::Ttft, 13.0), (Timing::E2e, 12.0)]);
    assert_eq!(side.beside.len(), 2);
}

#[test]
fn latencies_of_other_requests_do_not_stand_beside() {
    let readings = |seen: f64| {
        [observed(900, &[(Timing::Ttft, 0.0, 0.0)]), observed(4_100, &[(Timing::Ttft, seen, seen)])]
    };
    assert_eq!(heard(load(), readings(12.0)).beside.len(), 1);
    for seen in [13.0, 7.0] {
        let side = heard(load(), readings(seen));
        assert_eq!((side.beside.len(), side.counted[0].agrees()), (0, false), "{seen}");
    }
}

#[test]
fn without_streaming_the_client_sees_no_first_token() {
    let mut log = load();
    log.records.iter_mut().for_each(|record| record.streamed = false);
    let side = heard(
        log,
        [
            observed(900, &[(Timing::Ttft, 0.0, 0.0), (Timing::E2e, 0.0, 0.0)]),
            observed(4_100, &[(Timing::Ttft, 10.0, 1.0), (Timing::E2e, 10.0, 3.0)]),
        ],
    );
    assert_eq!(side.counted.iter().map(|c| c.timing).collect::<Vec<_>>(), [Timing::E2e]);
}

#[test]
fn what_gaps_are_compared_with_is_the_server_s_own_definition() {
    let gaps = |server: &str| {
        let mut readings = [
            observed(900, &[(Timing::Itl, 0.0, 0.0)]),
            observed(4_100, &[(Timing::Itl, 20.0, 2.0)]),
        ];
        readings.iter_mut().for_each(|reading| reading.server = server.to_owned());
        heard(load(), readings).beside.first().map(|beside| beside.metric)
    };
    assert_eq!([gaps("vllm"), gaps("sglang"), gaps("tgi")], [Some("icl"), Some("itl"), None]);
}

#[test]
fn one_count_that_differs_leaves_nothing_to_compare() {
    let side = heard(
        load(),
        [
            observed(900, &[(Timing::Ttft, 0.0, 0.0), (Timing::E2e, 0.0, 0.0)]),
            observed(4_100, &[(Timing::Ttft, 30.0, 3.0), (Timing::E2e, 11.0, 3.0)]),
        ],
    );
    let agree: Vec<_> = side.counted.iter().map(|counted| counted.agrees()).collect();
    assert_eq!((agree, side.beside.len()), (vec![false, true], 0));
}

#[test]
fn a_killed_run_is_reckoned_until_its_last_reading_and_accuses_nobody() {
    // Killed at 4.5 s, when the server was at work for three more requests.
    let mut log = load();
    log.end = None;
    let of = |at, tokens, seen: f64| {
        let mut reading = observed(at, &[(Timing::Ttft, seen, seen)]);
        reading.values =
            BTreeMap::from([(Signal::GenerationTokens, tokens), (Signal::PromptTokens, 0.0)]);
        reading
    };
    let side = heard(log, [of(900, 0.0, 0.0), of(4_500, 70.0, 13.0)]);
    assert_eq!(side.throughput.map(|through| through.generation), Some(20.0));
    assert_eq!((side.counted.len(), side.beside.len()), (0, 0));
}

/// Readings of a server that makes so many tokens a second from 500 ms before the load to its end.
fn served(source: &str, tokens: f64, running: f64) -> Vec<Reading> {
    let at = |read: u64| {
        let i = read.min(7);
        let made = [
            (Signal::GenerationTokens, tokens * i as f64 / 2.0),
            (Signal::PromptTokens, tokens * i as f64),
            (Signal::Running, running),
        ];
        let mut reading = reading(500 + read * 500, source, &made);
        let seen = Histogram { sum: i as f64 * tokens, count: i as f64, buckets: Vec::new() };
        reading.timings.insert(Timing::Queue, seen);
        reading
    };
    (0..9).map(at).collect()
}

#[test]
fn of_several_servers_each_is_told_and_one_under_two_names_counts_once() {
    let busy = served("a", 300.0, 9.0);
    let idle = served("b", 0.0, 0.0);
    let again = served("a.local", 300.0, 9.0);
    let side = heard(load(), [busy.clone(), idle, again.clone()].concat());
    assert_eq!(side.same, [("a.local".to_owned(), "a".to_owned())]);
    assert_eq!(side.sources.keys().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(side.level(Signal::Running).unwrap().max, 9.0);
    let each: Vec<_> = side
        .each
        .iter()
        .map(|e| (e.source.as_str(), e.running.unwrap().mean, e.generation, e.share))
        .collect();
    let expected = [("a", 9.0, Some(300.0), Some(1.0)), ("b", 0.0, Some(0.0), Some(0.0))];
    assert_eq!(each, expected);
    let alone = heard(load(), [busy, again].concat());
    assert_eq!((alone.each.len(), alone.growth(Signal::GenerationTokens)), (0, Some(900.0)));
}

#[test]
fn lines_of_a_log_that_reach_back_before_the_load_tell_no_throughput_of_it() {
    let line = |at, speed, running| {
        let values = [(Signal::GenerationThroughput, speed), (Signal::Running, running)];
        let mut line = reading(at, "vllm.log", &values);
        line.origin = Origin::Log;
        line
    };
    let lines = [line(500, 0.0, 0.0), line(1_500, 5.0, 8.0), line(2_500, 40.0, 8.0)];
    let side = heard(load(), lines);
    let log = side.log.unwrap();
    let levels = [Signal::GenerationThroughput, Signal::Running].map(|s| log.levels[&s]);
    assert_eq!(levels.map(|level| (level.mean, level.readings)), [(40.0, 1), (8.0, 2)]);
    assert_eq!((log.every, log.in_flight), (Some(1.0), Some(1)));
    // Every moment is told.
    assert_eq!(side.moments.len(), 3);
}

#[test]
fn after_a_restart_nothing_is_put_beside() {
    let side = heard(
        load(),
        [
            observed(900, &[(Timing::Ttft, 5.0, 1.0)]),
            observed(2_000, &[(Timing::Ttft, 2.0, 1.0)]),
            observed(4_100, &[(Timing::Ttft, 10.0, 2.0)]),
        ],
    );
    assert_eq!(side.resets, [ms(2_000)]);
    assert_eq!((side.beside.len(), side.counted.len()), (0, 0));
    assert_eq!(side.timing(Timing::Ttft).map(|spread| spread.count), Some(10.0));
}

#[test]
fn counters_of_several_servers_in_turn_are_none() {
    let at = |at, tokens| {
        reading(at, "lb", &[(Signal::GenerationTokens, tokens), (Signal::Running, 4.0)])
    };
    let side = heard(
        load(),
        [
            at(900, 9_000.0),
            at(1_500, 100.0),
            at(2_000, 9_100.0),
            at(2_500, 200.0),
            at(4_500, 9_200.0),
        ],
    );
    assert_eq!(side.in_turn, ["lb"]);
    assert_eq!((side.growth(Signal::GenerationTokens), side.resets.len()), (None, 0));
    assert_eq!(side.level(Signal::Running).unwrap().mean, 4.0);
    assert!(side.moments.iter().all(|moment| moment.generation_throughput.is_none()));
}

#[test]
fn a_log_alone_tells_levels_speculation_and_moments() {
    let line = |at, engine: &str, values: &[(Signal, f64)]| {
        let mut line = reading(at, "vllm.log", values);
        line.origin = Origin::Log;
        line.engine = (!engine.is_empty()).then(|| engine.to_owned());
        line
    };
    let drafts = [
        (Signal::AcceptanceLength, 3.0),
        (Signal::AcceptanceRate, 0.5),
        (Signal::AcceptedThroughput, 20.0),
        (Signal::DraftedThroughput, 40.0),
    ];
    let mut spoken = line(2_000, "", &drafts);
    spoken.accepted_by_position = vec![0.9, 0.6];
    let side = heard(
        load(),
        [
            line(2_000, "000", &[(Signal::Running, 8.0), (Signal::Waiting, 1.0)]),
            line(2_000, "001", &[(Signal::Running, 8.0), (Signal::Waiting, 2.0)]),
            spoken,
        ],
    );
    assert!(!side.was_heard() && side.levels.is_empty());
    let log = side.log.as_ref().unwrap();
    assert_eq!((log.lines, log.levels[&Signal::Running].mean), (3, 16.0));
    assert_eq!(side.level(Signal::Waiting).unwrap().max, 3.0);
    let speculation = side.speculation.as_ref().unwrap();
    assert_eq!((speculation.acceptance_length, speculation.acceptance_rate), (3.0, Some(0.5)));
    assert_eq!(speculation.by_position, [0.9, 0.6]);
    assert_eq!(side.moments.iter().map(|moment| moment.running).collect::<Vec<_>>(), [Some(16.0)]);
}

fn any_reading() -> impl Strategy<Value = Reading> {
    let value =
        prop_oneof![0.0_f64..1e9, Just(0.0), Just(f64::NAN), Just(f64::INFINITY), -5.0_f64..0.0];
    let signals = [
        Signal::Running,
        Signal::KvUsage,
        Signal::PrefixHitRate,
        Signal::AcceptanceLength,
        Signal::GenerationTokens,
        Signal::PromptTokens,
        Signal::CachedPromptTokens,
        Signal::Drafts,
        Signal::DraftTokens,
        Signal::AcceptedTokens,
    ];
    let values = prop::collection::btree_map(prop::sample::select(signals.to_vec()), value, 0..8);
    let histogram =
        (0.0_f64..100.0, 0.0_f64..50.0, prop::collection::vec((0.0_f64..9.0, 0.0_f64..50.0), 0..4));
    (0_u64..6_000, prop::sample::select(vec!["a", "b"]), values, any::<bool>(), histogram).prop_map(
        |(at, source, values, log, (sum, count, buckets))| {
            let mut reading = reading(at, source, &[]);
            reading.values = values;
            reading.origin = if log { Origin::Log } else { Origin::Metrics };
            reading.accepted_by_position = vec![count; buckets.len()];
            reading.timings.insert(Timing::Ttft, Histogram { sum, count, buckets });
            reading
        },
    )
}

proptest! {
    /// Whatever a server says, in whatever order: no panic, and every figure is a number.
    #[test]
    fn nonsense_makes_no_figure_that_is_none(readings in prop::collection::vec(any_reading(), 0..40)) {
        let side = heard(load(), readings);
        let levels = side.levels.values().chain(side.log.iter().flat_map(|log| log.levels.values()));
        for level in levels {
            prop_assert!(level.mean.is_finite() && level.max.is_finite() && level.mean <= level.max + 1e-6);
            prop_assert!((0.0..=1.0).contains(&level.above_zero));
        }
        prop_assert!(side.grown.values().all(|by| by.is_finite()));
        prop_assert!(side.timings.values().all(|spread| spread.mean.is_finite() && spread.count > 0.0));
        prop_assert!(side.throughput.is_none_or(|t| t.prompt.is_finite() && t.generation.is_finite()));
        for moment in &side.moments {
            let figures = [moment.running, moment.prompt_throughput, moment.generation_throughput];
            prop_assert!(figures.into_iter().flatten().all(f64::is_finite));
        }
        prop_assert!(side.moments.is_sorted_by_key(|moment| moment.at));
        prop_assert!(side.speculation.is_none_or(|speculated| speculated.acceptance_length.is_finite()));
    }
}
