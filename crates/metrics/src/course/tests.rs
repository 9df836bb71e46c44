//! Courses of records by hand, with exact values, and what holds of any course.

use proptest::prelude::*;
use tokometer_record::{FailureKind, OutputTokens, PointLog, Record, TokenSource};

use super::*;
use crate::catalog::ITL;
use crate::summary::testing::{Changed, failed, ms, ok, point_log};

fn course(log: &PointLog) -> Course {
    Course::of(&Run::of(log))
}

fn total(course: &Course, rate: impl Fn(&Stretch) -> f64) -> f64 {
    course.stretches.iter().map(|stretch| rate(stretch) * (stretch.to - stretch.from)).sum()
}

fn at(course: &Course, moment: f64) -> &Stretch {
    course.stretches.iter().find(|s| s.from <= moment && moment < s.to).unwrap()
}

#[test]
fn a_small_point_is_there_in_full() {
    let mut log = point_log([
        ok(0, 1_000, &[1_100, 1_120, 1_140]),
        ok(1, 1_050, &[1_250, 1_260]),
        ok(2, 200, &[900, 1_010]).warming_up(),
    ]);
    log.end.as_mut().unwrap().measured_from = Some(ms(1_000));
    let of = course(&log);
    assert_eq!((of.length, of.requests), (0.26, 2));

    let curves: Vec<_> = of.curves.iter().map(|c| (c.metric, c.n, c.points.clone())).collect();
    assert_eq!(
        curves,
        [
            ("ttft", 2, vec![(0.1, 0.5), (0.2, 1.0)]),
            ("tpot", 2, vec![(0.01, 0.5), (0.02, 1.0)]),
            ("itl", 3, vec![(0.01, 1.0 / 3.0), (0.02, 1.0)]),
            ("e2e", 2, vec![(0.14, 0.5), (0.21, 1.0)]),
        ]
    );
    let ttft = &of.tracks[0];
    assert_eq!((ttft.metric, ttft.of), ("ttft", 2));
    assert_eq!(ttft.points, [(0.0, 0.1), (0.05, 0.2)]);
}

#[test]
fn stretches_tell_what_was_under_way() {
    let of = course(&point_log([
        ok(0, 0, &[150, 1_000, 4_000]),
        ok(1, 150, &[250, 350]),
        ok(2, 2_000, &[2_050]).failing_at(2_075),
    ]));
    let first = Stretch {
        from: 0.0,
        to: 0.1,
        in_flight: 1.0,
        most_in_flight: 1,
        started: 10.0,
        ..Stretch::default()
    };
    assert_eq!((of.stretches.len(), of.stretches[0]), (40, first));
    let second = Stretch {
        from: 0.1,
        to: 0.2,
        in_flight: 1.5,
        most_in_flight: 2,
        output_rate: 10.0,
        prompt_rate: 100.0,
        started: 10.0,
        ..Stretch::default()
    };
    assert_eq!(of.stretches[1], second);
    // A failure flies until it fails, and none of its tokens is counted.
    let failing = at(&of, 2.05);
    assert_eq!((failing.in_flight, failing.failed, failing.output_rate), (1.75, 10.0, 0.0));
    let last = of.stretches[39];
    assert_eq!((last.to, last.completed, last.output_rate), (4.0, 10.0, 10.0));
}

#[test]
fn the_warm_up_has_negative_moments() {
    let mut log = point_log([ok(0, 0, &[500, 1_200]).warming_up(), ok(1, 1_000, &[1_500, 4_000])]);
    log.end.as_mut().unwrap().measured_from = Some(ms(1_000));
    let of = course(&log);
    assert_eq!((of.stretches[0].from, of.stretches[0].started), (-1.0, 10.0));
    assert_eq!(at(&of, -0.45).output_rate, 10.0);
    assert_eq!((at(&of, 0.1).most_in_flight, at(&of, 0.35).most_in_flight), (2, 1));
    // Its gaps and latencies are no part of the measurement.
    assert_eq!(of.curves.iter().map(|curve| curve.n).collect::<Vec<_>>(), [1; 4]);
    let gaps = of.gaps.unwrap();
    assert_eq!((gaps.times[0], gaps.counts.iter().sum::<u64>()), (0.0, 1));
}

#[test]
fn a_chunk_of_four_tokens_is_four_gaps() {
    let mut record = ok(0, 0, &[100, 140]);
    record.chunks = [(100, 1), (140, 4)]
        .map(|(at, tokens)| tokometer_record::Chunk {
            at: ms(at),
            tokens,
            channel: tokometer_record::Channel::Content,
        })
        .into_iter()
        .collect();
    record.output_tokens = Some(OutputTokens { count: 5, source: TokenSource::Usage });
    let of = course(&point_log([record]));
    let itl = of.curves.iter().find(|curve| curve.metric == "itl").unwrap();
    assert_eq!((itl.n, itl.points.as_slice()), (4, &[(0.01, 1.0)][..]));
    assert_eq!(of.gaps.as_ref().unwrap().counts.iter().sum::<u64>(), 4);
    assert_eq!(total(&of, |stretch| stretch.output_rate).round(), 5.0);
}

#[test]
fn what_came_in_one_piece_has_no_first_token() {
    let mut whole = ok(0, 0, &[800]);
    whole.streamed = false;
    let of = course(&point_log([whole]));
    assert_eq!(of.curves.iter().map(|curve| curve.metric).collect::<Vec<_>>(), ["e2e"]);
    assert_eq!((of.gaps.clone(), of.flights[0].first, of.flights[0].end), (None, None, 0.8));
}

#[test]
fn flights_tell_of_waiting_and_of_failures() {
    let of = course(&point_log([
        ok(0, 100, &[300, 500]).scheduled_at(50),
        ok(1, 200, &[400]).failing_at(700),
        failed(2, FailureKind::Cancelled, "the run was stopped"),
    ]));
    let phases: Vec<_> = of
        .flights
        .iter()
        .map(|f| (f.index, f.scheduled, f.started, f.first, f.end, f.tokens, f.failure))
        .collect();
    assert_eq!(
        phases,
        [
            (2, 0.0, 0.0, None, 0.0, None, Some(FailureKind::Cancelled)),
            (0, 0.05, 0.1, Some(0.3), 0.5, Some(2), None),
            (1, 0.2, 0.2, Some(0.4), 0.7, Some(1), Some(FailureKind::Reset)),
        ]
    );
}

#[test]
fn the_slowest_and_the_failed_are_always_shown() {
    let record = |i: u64| match i {
        // One waited long for its first token, and another long for its last.
        7_777 => ok(i, i, &[i + 900, i + 901]),
        3_333 => ok(i, i, &[i + 10, i + 950]),
        _ if i.is_multiple_of(250) => ok(i, i, &[]).failing_at(i + 5),
        _ => ok(i, i, &[i + 10, i + 20]),
    };
    let of = course(&point_log((0..10_000).map(record)));
    assert_eq!((of.flights.len(), of.requests), (flights::MOST, 10_000));
    let shown = |index: u64| of.flights.iter().any(|flight| flight.index == index);
    assert!(shown(7_777) && shown(3_333) && shown(9_750));
    assert_eq!(of.flights.iter().filter(|flight| flight.failure.is_some()).count(), 40);
    assert!(of.flights.is_sorted_by(|a, b| a.started <= b.started));
}

#[test]
fn more_failures_than_room_are_chosen_evenly() {
    let of = course(&point_log((0..1_000).map(|i| ok(i, i, &[]).failing_at(i + 5))));
    let indices: Vec<u64> = of.flights.iter().map(|flight| flight.index).collect();
    assert_eq!(indices, (0..100).map(|i| i * 10).collect::<Vec<_>>());
    assert!(of.curves.is_empty() && of.tracks.is_empty() && of.gaps.is_none());
}

#[test]
fn nothing_measured_has_no_course() {
    assert_eq!(course(&point_log([])), Course::default());
    assert_eq!(course(&point_log([ok(0, 0, &[5]).warming_up()])), Course::default());
}

fn any_record() -> impl Strategy<Value = Record> {
    let chunk = (0_u64..400, 0_u32..4);
    (0_u64..3_000, prop::collection::vec(chunk, 0..8), 0_u32..20, 0_u8..8).prop_map(
        |(started, chunks, count, kind)| {
            let mut at = started;
            let moments: Vec<u64> = chunks
                .iter()
                .map(|(gap, _)| {
                    at += gap;
                    at
                })
                .collect();
            let mut record = ok(0, started, &moments);
            record.chunks = moments
                .iter()
                .zip(&chunks)
                .map(|(&at, &(_, tokens))| tokometer_record::Chunk {
                    at: ms(at),
                    tokens,
                    channel: tokometer_record::Channel::Content,
                })
                .collect();
            record.output_tokens = Some(OutputTokens { count, source: TokenSource::Usage });
            match kind {
                0 => record.failing_at(at + 30),
                1 => record.warming_up(),
                _ => record,
            }
        },
    )
}

fn any_log() -> impl Strategy<Value = PointLog> {
    prop::collection::vec(any_record(), 1..30).prop_map(|records| {
        point_log((0..).zip(records).map(|(index, record)| Record { index, ..record }))
    })
}

proptest! {
    #[test]
    fn sums_of_stretches_are_the_totals(log in any_log()) {
        let run = Run::of(&log);
        let of = Course::of(&run);
        prop_assume!(!run.measured.is_empty());
        let near = |a: f64, b: f64| (a - b).abs() < 1e-6 * b.max(1.0);
        let succeeded: Vec<_> = run.all.iter().filter(|record| record.succeeded()).collect();
        let flown: f64 = run.all.iter().map(|record| (record.end - record.started).as_secs_f64()).sum();
        // Without a chunk there is no moment at which output came, and none is booked.
        let with_chunks = succeeded.iter().filter(|record| record.first().is_some());
        let output: u32 = with_chunks.map(|record| record.output_tokens.unwrap().count).sum();
        prop_assert!(near(total(&of, |s| s.started), run.all.len() as f64));
        prop_assert!(near(total(&of, |s| s.completed), succeeded.len() as f64));
        prop_assert!(near(total(&of, |s| s.failed), (run.all.len() - succeeded.len()) as f64));
        prop_assert!(near(total(&of, |s| s.prompt_rate), 10.0 * succeeded.len() as f64));
        prop_assert!(near(total(&of, |s| s.output_rate), f64::from(output)));
        prop_assert!(near(total(&of, |s| s.in_flight), flown));
        let peak = of.stretches.iter().map(|stretch| stretch.most_in_flight).max();
        prop_assert_eq!(peak, Some(concurrency_peak(&run)));
        prop_assert!(of.stretches.iter().all(|s| s.in_flight <= s.most_in_flight as f64 + 1e-9));
    }

    #[test]
    fn stretches_follow_each_other_and_one_begins_at_zero(log in any_log()) {
        let of = course(&log);
        prop_assume!(of.requests > 0);
        prop_assert!(of.stretches.len() <= 240);
        prop_assert!(of.stretches.windows(2).all(|pair| pair[0].to == pair[1].from));
        prop_assert!(of.stretches.iter().any(|stretch| stretch.from == 0.0));
        prop_assert!(of.stretches.last().unwrap().to >= of.length);
    }

    #[test]
    fn gaps_are_those_of_the_metric(log in any_log()) {
        let run = Run::of(&log);
        let of = Course::of(&run);
        let values = ITL.values(&run);
        let itl = of.curves.iter().find(|curve| curve.metric == ITL.key);
        prop_assert_eq!(itl.map_or(0, |curve| curve.n), values.len() as u64);
        let counted = of.gaps.as_ref().map_or(0, |gaps| gaps.counts.iter().sum::<u64>());
        prop_assert_eq!(counted, values.len() as u64);
        if let Some(curve) = itl {
            prop_assert_eq!(curve.points[0].0, values[0]);
            prop_assert_eq!(curve.points.last(), Some(&(values[values.len() - 1], 1.0)));
        }
    }

    #[test]
    fn a_damaged_log_has_a_course_all_the_same(
        moments in prop::collection::vec((any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>()), 1..6),
    ) {
        let records = (0..).zip(moments).map(|(index, (scheduled, started, chunk, end))| {
            let mut record = ok(index, 0, &[0, 0]);
            let moment = Offset::from_nanos;
            (record.scheduled, record.started, record.end) = (moment(scheduled), moment(started), moment(end));
            record.chunks = [chunk, chunk.wrapping_mul(3)]
                .map(|at| tokometer_record::Chunk {
                    at: moment(at),
                    tokens: 0,
                    channel: tokometer_record::Channel::Content,
                })
                .into_iter()
                .collect();
            record
        });
        let of = course(&point_log(records));
        let finite = |value: f64| value.is_finite();
        prop_assert!(of.stretches.len() <= 240 && of.stretches.iter().all(|s| finite(s.in_flight) && finite(s.to)));
        prop_assert!(of.curves.iter().flat_map(|curve| &curve.points).all(|point| finite(point.0)));
    }
}

fn concurrency_peak(run: &Run<'_>) -> u64 {
    crate::concurrency::peak(&crate::run::flights(&run.all), Offset::ZERO)
}
