//! The table of a point whose service was heard, as a user sees it.

use std::collections::BTreeMap;

use tokometer_metrics::server::{
    Beside, Cache, Counted, GpuUse, LogSide, Moment, Speculated, Spread, Through,
};
use tokometer_metrics::summary::summarize;
use tokometer_record::{GpuSignal, Offset, Point, PointLog, RemarkKind, Timing};

use super::*;

fn second(second: f64) -> Offset {
    Offset::from_nanos((second * 1e9) as u64)
}

fn level(mean: f64, max: f64, above_zero: f64) -> Level {
    Level { mean, max, max_at: second(12.3), above_zero, readings: 42 }
}

fn spread(mean: f64, p50: (f64, f64), p99: (f64, f64)) -> Spread {
    Spread { count: 400.0, mean, p50: Some(p50), p99: Some(p99) }
}

fn remark(source: &str, detail: &str) -> Remark {
    Remark {
        at: second(1.2),
        source: source.into(),
        kind: RemarkKind::Unreachable,
        detail: detail.into(),
    }
}

/// A server that is full, with speculation that pays little, on two GPUs.
fn full() -> ServerSide {
    let gpu = |id: &str, busy: f64| GpuUse {
        source: "nvidia-smi".into(),
        id: id.into(),
        name: "NVIDIA H100 80GB HBM3".into(),
        levels: BTreeMap::from([
            (GpuSignal::Utilization, level(busy, 1.0, 1.0)),
            (GpuSignal::MemoryUsed, level(70e9, 76e9, 1.0)),
            (GpuSignal::MemoryTotal, level(85e9, 85e9, 1.0)),
            (GpuSignal::Power, level(612.4, 700.0, 1.0)),
            (GpuSignal::Temperature, level(61.0, 71.0, 1.0)),
        ]),
        readings: 42,
        xid: None,
    };
    let moment = |at: f64, running: f64, waiting: f64| Moment {
        at,
        running: Some(running),
        waiting: Some(waiting),
        kv_usage: Some(running / 30.0),
        generation_throughput: (at > 0.0).then_some(40.0 * running),
        ..Moment::default()
    };
    ServerSide {
        servers: vec!["vllm".into()],
        sources: BTreeMap::from([("http://127.0.0.1:8000/metrics".into(), 42)]),
        levels: BTreeMap::from([
            (Signal::Running, level(23.4, 24.0, 1.0)),
            (Signal::Waiting, level(151.24, 168.0, 0.93)),
            (Signal::WaitingForCapacity, level(150.0, 168.0, 0.93)),
            (Signal::MaxRunning, level(24.0, 24.0, 1.0)),
            (Signal::KvUsage, level(0.78, 0.981, 1.0)),
        ]),
        grown: BTreeMap::from([
            (Signal::Preemptions, 3.0),
            (Signal::Rejected, 1_200.0),
            (Signal::Finished, 400.0),
        ]),
        throughput: Some(Through { prompt: 12_345.6, computed: Some(9_000.0), generation: 987.65 }),
        prefix_cache: Some(Cache { queries: 409_600.0, hits: 110_592.0, reckoned: None }),
        speculation: Some(Speculated {
            acceptance_length: 2.48,
            acceptance_rate: Some(0.37),
            accepted_throughput: Some(590.0),
            drafted_throughput: Some(1_595.0),
            by_position: vec![0.71, 0.42, 0.23, 0.12],
            reckoned: false,
        }),
        timings: BTreeMap::from([
            (Timing::Ttft, spread(6.1, (5.0, 7.5), (10.0, 20.0))),
            (Timing::Queue, spread(5.2, (5.0, 10.0), (10.0, f64::INFINITY))),
            (Timing::Prefill, spread(0.9, (0.5, 1.0), (1.0, 2.5))),
            (Timing::Decode, spread(7.4, (5.0, 10.0), (10.0, 20.0))),
            (Timing::PromptLength, spread(1_024.0, (1_000.0, 2_000.0), (1_000.0, 2_000.0))),
        ]),
        beside: vec![
            Beside { timing: Timing::Ttft, server: 6.1, client: 6.25, metric: "ttft" },
            Beside { timing: Timing::Itl, server: 0.0287, client: 0.0288, metric: "icl" },
            Beside { timing: Timing::E2e, server: 14.0, client: 13.5, metric: "e2e" },
        ],
        counted: vec![
            Counted { timing: Timing::Ttft, server: 400.0, client: 400.0 },
            Counted { timing: Timing::E2e, server: 431.0, client: 400.0 },
        ],
        moments: vec![moment(0.0, 0.0, 0.0), moment(0.5, 24.0, 120.0), moment(1.0, 24.0, 168.0)],
        log: Some(LogSide {
            lines: 5,
            levels: BTreeMap::from([
                (Signal::Running, level(24.0, 24.0, 1.0)),
                (Signal::PrefixHitRate, level(0.271, 0.28, 1.0)),
            ]),
            ..LogSide::default()
        }),
        gpus: vec![gpu("0", 0.97), gpu("1", 0.91)],
        remarks: vec![remark("http://127.0.0.1:9400/metrics", "connection refused")],
        ..ServerSide::default()
    }
}

fn point(side: ServerSide) -> PointSummary {
    let point = Point { began: second(2.0), ..Point::default() };
    let mut summary = summarize(&PointLog::begun(point));
    summary.side = side;
    summary
}

#[test]
fn a_full_server_in_short() {
    insta::assert_snapshot!(brief(&point(full())));
}

#[test]
fn a_full_server_in_full() {
    insta::assert_snapshot!(in_full(&point(full())));
}

#[test]
fn a_server_with_room_is_told_without_alarm() {
    let side = ServerSide {
        levels: BTreeMap::from([
            (Signal::Running, level(3.2, 4.0, 1.0)),
            (Signal::Waiting, level(0.0, 0.0, 0.0)),
            (Signal::KvUsage, level(0.11, 0.14, 1.0)),
        ]),
        grown: BTreeMap::from([(Signal::Preemptions, 0.0)]),
        speculation: Some(Speculated {
            acceptance_length: 4.3,
            acceptance_rate: Some(0.83),
            by_position: vec![0.95, 0.88, 0.79, 0.7],
            ..Speculated::default()
        }),
        sources: BTreeMap::from([("http://a:8000/metrics".into(), 9)]),
        ..ServerSide::default()
    };
    let text = brief(&point(side));
    assert!(!text.contains('!'), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn what_only_the_log_told_is_marked_as_the_log_s() {
    let side = ServerSide {
        servers: vec!["sglang".into()],
        log: Some(LogSide {
            lines: 12,
            levels: BTreeMap::from([
                (Signal::Waiting, level(0.1, 2.0, 0.2)),
                (Signal::PrefixHitRate, level(0.004, 0.01, 1.0)),
            ]),
            ..LogSide::default()
        }),
        speculation: Some(Speculated {
            acceptance_length: 2.8,
            by_position: vec![0.8, 0.9],
            reckoned: true,
            ..Speculated::default()
        }),
        ..ServerSide::default()
    };
    insta::assert_snapshot!(brief(&point(side)));
}

#[test]
fn without_anything_heard_only_what_stood_in_the_way_is_told() {
    assert_eq!(brief(&point(ServerSide::default())), "");
    let refused = remark("http://a:9400/metrics", "connection refused");
    let side = ServerSide { remarks: vec![refused; 3], ..ServerSide::default() };
    let told = "The service's own side was not heard: http://a:9400/metrics at 1.2 s of the run: connection refused; 2 more remarks.";
    assert_eq!(brief(&point(side)).split_whitespace().collect::<Vec<_>>().join(" "), told);
}

#[test]
fn in_full_every_remark_is_told() {
    let remarks = (0..5).map(|n| remark(&format!("http://{n}:9400/metrics"), "refused")).collect();
    let text = in_full(&point(ServerSide { remarks, ..ServerSide::default() }));
    assert_eq!(text.lines().count(), 6, "{text}");
    assert!(text.ends_with("• http://4:9400/metrics at 1.2 s of the run: refused.\n"), "{text}");
}

#[test]
fn a_basic_figure_that_is_missing_says_why() {
    let side = ServerSide {
        sources: BTreeMap::from([("http://a:8000/metrics".into(), 2)]),
        moments: vec![Moment { at: 0.1, running: Some(0.0), ..Moment::default() }],
        ..ServerSide::default()
    };
    let rows: Vec<_> = rows(&side, Depth::Brief).into_iter().map(|r| (r.figure, r.says)).collect();
    let [inside, untold] = ["no reading fell into the load", "not told, or not as a number"];
    let expected =
        [("Running requests", inside), ("Waiting requests", untold), ("KV cache in use", untold)]
            .map(|(figure, says)| (figure.to_owned(), says.to_owned()));
    assert_eq!(rows, expected);
}

#[test]
fn a_throughput_of_a_log_says_of_which_time_and_a_busy_log_whose_it_may_be() {
    let log = |client| LogSide {
        lines: 4,
        levels: BTreeMap::from([
            (Signal::Running, level(60.0, 64.0, 1.0)),
            (Signal::GenerationThroughput, level(700.0, 900.0, 1.0)),
        ]),
        every: Some(10.0),
        in_flight: Some(client),
        by_position: Vec::new(),
    };
    let told = |client| {
        let side = ServerSide { log: Some(log(client)), ..ServerSide::default() };
        rows(&side, Depth::Brief).into_iter().map(|row| row.says).collect::<Vec<_>>()
    };
    assert!(told(64)[1].ends_with("; over the lines' own 10 s, idle time included"));
    assert!(
        !told(64)[0].contains('!') && told(20)[0].contains("! far above the 20 that the client")
    );
}

#[test]
fn remarks_of_one_source_that_say_the_same_are_told_once() {
    let remarks: Vec<Remark> = (0..7)
        .map(|n| remark(&format!("http://{}:9400/metrics", n % 5), "connection refused"))
        .collect();
    insta::assert_snapshot!(super::remarks(&remarks, 3), @"
    • http://0:9400/metrics at 1.2 s of the run: connection refused (2 times).
    • http://1:9400/metrics at 1.2 s of the run: connection refused (2 times).
    • http://2:9400/metrics at 1.2 s of the run: connection refused.
    • and 2 other remarks.
    ");
}

#[test]
fn data_has_every_moment_since_the_run_began() {
    let value = json(&full(), second(2.0));
    assert_eq!(value["levels"]["waiting"]["max"], 168.0);
    assert_eq!(value["levels"]["waiting"]["max_at"], 12.3);
    assert_eq!(value["grown"]["rejected"], 1_200.0);
    assert_eq!(value["prefix_cache"]["hit_rate"], 0.27);
    assert_eq!(value["moments"].as_array().unwrap().len(), 3);
    assert_eq!(value["moments"][1]["at"], 2.5);
    assert!(value["timings"]["queue"]["p99_between"][1].is_null());
    assert_eq!(value["remarks"][0]["kind"], "unreachable");
    assert!(json(&ServerSide::default(), second(2.0)).is_null());
}

#[test]
fn data_in_short_has_the_main_figures_and_no_moments() {
    let value = brief_json(&full());
    assert_eq!(value["levels"]["running"]["mean"], 23.4);
    assert_eq!((&value["preemptions"], &value["prefix_hit_rate"]), (&3.0.into(), &0.27.into()));
    assert!(value.get("moments").is_none());
}
