//! The three forms of one made-up finding.

use serde_json::json;

use super::*;

/// Two replicas at most, an objective that limits by latency and one by throughput.
fn capacity() -> Capacity {
    let objective = |key: &str, name: &str, limit| Objective {
        key: key.to_owned(),
        name: name.to_owned(),
        side: Side::AtMost,
        limit,
        unit: Unit::Seconds,
    };
    let most = |least, greatest| Most {
        least: Reach::Upto(least),
        greatest: Reach::Upto(greatest),
        wavers: false,
    };
    let beyond = Most { least: Reach::Beyond(30.0), greatest: Reach::Beyond(30.0), wavers: false };
    let there = |load: f64| There {
        in_flight: 4.0 * load,
        request_rate: load,
        output_rate: 128.0 * load,
        cached: 0.25,
        preemptions: 0.0,
    };
    let trial = |load: f64| Trial {
        replicas: 1,
        load,
        repetition: 0,
        requests: 2500,
        measured: 2000,
        failed: 0,
        figures: vec![Some(0.08 / (1.0 - load / 14.0).max(0.001)), Some(0.01 + 0.003 * load)],
        kept: vec![load <= 11.7, load < 13.3],
        saturated: load >= 14.0,
        short: false,
        there: there(load),
        lasted: 2500.0 / load,
    };
    Capacity {
        deployment: "h100-llama-3.1-8b".to_owned(),
        facts: vec![("Requests", "512 tokens in, 128 out (default)".to_owned())],
        asked: json!({ "seed": 42 }),
        load: Load::Rate,
        objectives: vec![
            objective("ttft:p99", "TTFT p99", 0.5),
            objective("tpot:p99", "TPOT p99", 0.05),
        ],
        rows: vec![
            Row {
                replicas: 1,
                each: vec![most(11.7, 12.0), Most { wavers: true, ..most(13.3, 13.3) }],
                all: most(11.7, 12.0),
                limited_by: vec![Limit::Objective(0)],
                there: Some(there(11.7)),
            },
            Row {
                replicas: 2,
                each: vec![most(25.1, 25.1), beyond],
                all: most(25.1, 25.1),
                limited_by: vec![Limit::Objective(0), Limit::Throughput],
                there: Some(there(25.1)),
            },
        ],
        needs: vec![
            Need { load: 10.0, replicas: Some((1, Reach::Upto(11.7))) },
            Need { load: 50.0, replicas: None },
        ],
        course: Course {
            replicas: 1,
            trials: (1..=15).map(|load| trial(f64::from(load))).collect(),
        },
        notes: vec!["These are estimates.".to_owned()],
        trials: vec![trial(11.7)],
    }
}

#[test]
fn a_table_tells_what_each_number_carries_and_what_a_load_needs() {
    insta::assert_snapshot!(capacity().text(Style::Plain), @r"
    h100-llama-3.1-8b: an estimate by a model, not a measurement
    ┌───────────────────────┬──────────────────────────────────────────────────────┐
    │ Requests              │ 512 tokens in, 128 out (default)                     │
    └───────────────────────┴──────────────────────────────────────────────────────┘

    The most load within objectives (req/s)
    ┌──────────┬───────────┬──────────┬───────────┬───────────┬───────────┬────────┬─────────┬──────────────────────┐
    │ Replicas │  TTFT p99 │ TPOT p99 │       All │ A replica │  Requests │ Output │ Prompts │ Limited by           │
    │          │  ≤ 500 ms │  ≤ 50 ms │  together │   carries │ in flight │  tok/s │  cached │                      │
    ├──────────┼───────────┼──────────┼───────────┼───────────┼───────────┼────────┼─────────┼──────────────────────┤
    │        1 │ 11.7 … 12 │   13.3 ~ │ 11.7 … 12 │      11.7 │      46.8 │   1498 │    25 % │ TTFT p99             │
    │        2 │      25.1 │     ≥ 30 │      25.1 │     12.55 │     100.4 │   3213 │    25 % │ TTFT p99, throughput │
    └──────────┴───────────┴──────────┴───────────┴───────────┴───────────┴────────┴─────────┴──────────────────────┘

    The replicas that a load needs within all objectives
    ┌─────────┬──────────┬───────┬───────┐
    │    Load │ Replicas │  They │  Load │
    │ (req/s) │          │ carry │ taken │
    ├─────────┼──────────┼───────┼───────┤
    │      10 │        1 │  11.7 │  85 % │
    │      50 │      > 2 │     – │     – │
    └─────────┴──────────┴───────┴───────┘

    • These are estimates.
    ");
}

#[test]
fn what_is_carried_by_none_and_by_users_is_told_as_such() {
    let mut capacity = capacity();
    capacity.load = Load::Users;
    capacity.objectives.truncate(1);
    capacity.needs.clear();
    capacity.rows.truncate(1);
    let below = Most { least: Reach::Below(1.0), greatest: Reach::Below(1.0), wavers: false };
    capacity.rows[0] =
        Row { each: vec![below], all: below, there: None, ..capacity.rows[0].clone() };
    insta::assert_snapshot!(capacity.text(Style::Plain), @r"
    h100-llama-3.1-8b: an estimate by a model, not a measurement
    ┌───────────────────────┬──────────────────────────────────────────────────────┐
    │ Requests              │ 512 tokens in, 128 out (default)                     │
    └───────────────────────┴──────────────────────────────────────────────────────┘

    The most load within objectives (users)
    ┌──────────┬──────────┬───────────┬────────────┬────────┬────────────┐
    │ Replicas │ TTFT p99 │ A replica │   Requests │ Output │ Limited by │
    │          │ ≤ 500 ms │   carries │ per second │  tok/s │            │
    ├──────────┼──────────┼───────────┼────────────┼────────┼────────────┤
    │        1 │     none │         – │          – │      – │ TTFT p99   │
    └──────────┴──────────┴───────────┴────────────┴────────┴────────────┘

    • These are estimates.
    ");
}

#[test]
fn json_holds_everything_under_stable_keys() {
    let json = capacity().json();
    assert_eq!(json["estimate"], true);
    assert_eq!(json["load_unit"], "requests_per_second");
    assert_eq!(json["objectives"][1]["limit"], 0.05);
    let row = &json["most_load"][0];
    assert_eq!((&row["all"]["load"], &row["all"]["load_at_best"]), (&json!(11.7), &json!(12.0)));
    assert_eq!(row["limited_by"], json!(["ttft:p99"]));
    assert_eq!(json["most_load"][1]["objectives"][1]["range_ends_there"], true);
    assert_eq!(json["replicas_needed"][1]["replicas"], json!(null));
    assert_eq!(json["trials"][0]["kept"], json!([true, true]));
    assert_eq!(json["course"].as_array().unwrap().len(), 15);
}

#[test]
fn the_figure_draws_every_objective_in_both_panels_and_leaves_nothing_out() {
    let figure = capacity().figure(100);
    assert_eq!((figure.panels.len(), figure.left_out()), (2, 0));
    // Three curves of two points at the left; at the right the limit, the most load, and two courses, of which the first ends once it
    // is far beyond its limit, with crosses where requests pile up.
    assert_eq!(figure.points(), 3 * 2 + 2 + 2 + 14 + 15 + 3);
    let svg = figure.svg();
    for text in [
        "TTFT p99 ≤ 500 ms",
        "TPOT p99 ≤ 50 ms",
        "all together",
        "the limit",
        "most within all",
        "not a measurement",
    ] {
        assert!(svg.contains(text), "{text}");
    }
}
