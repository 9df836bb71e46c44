//! Whole comparisons of runs: what is matched, what is refused, what is said.

use serde_json::{Value, json};
use tokometer_metrics::compare::LEVEL;

use super::results::result;
use super::*;
use crate::compare::Verdict;

/// A generator of numbers between 0 and 1 that are the same every time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / (1_u64 << 31) as f64
    }
}

/// What becomes of a closed loop.
#[derive(Clone, Copy)]
struct Made {
    seed: u64,
    requests: usize,
    concurrency: usize,
    ttft: f64,
    tpot: f64,
}

const USUAL: Made = Made { seed: 1, requests: 200, concurrency: 4, ttft: 0.2, tpot: 0.02 };

/// A detailed result in vLLM's form.
fn made(made: Made) -> Value {
    let mut numbers = Numbers(made.seed);
    let mut free = vec![0.0_f64; made.concurrency];
    let (mut ttfts, mut latencies, mut starts, mut itls) = (vec![], vec![], vec![], vec![]);
    for _ in 0..made.requests {
        let place = (0..free.len()).min_by(|&a, &b| free[a].total_cmp(&free[b])).unwrap();
        let ttft = made.ttft * (0.5 + numbers.next());
        let tpot = made.tpot * (0.9 + 0.2 * numbers.next());
        starts.push(free[place]);
        ttfts.push(ttft);
        itls.push(vec![tpot; 9]);
        latencies.push(ttft + 9.0 * tpot);
        free[place] += ttft + 9.0 * tpot;
    }
    let duration = free.into_iter().fold(0.0, f64::max);
    let tpots: Vec<f64> = itls.iter().map(|gaps| gaps[0]).collect();
    let mut result = json!({
        "model_id": "qwen", "endpoint_type": "openai-chat", "max_concurrency": made.concurrency, "request_rate": "inf",
        "num_prompts": made.requests, "completed": made.requests, "failed": 0, "duration": duration,
        "total_input_tokens": 100 * made.requests, "total_output_tokens": 10 * made.requests,
        "request_throughput": made.requests as f64 / duration, "output_throughput": 10.0 * made.requests as f64 / duration,
        "total_token_throughput": 110.0 * made.requests as f64 / duration,
        "input_lens": vec![100; made.requests], "output_lens": vec![10; made.requests],
        "errors": vec![""; made.requests], "start_times": starts,
        "ttfts": ttfts, "latencies": latencies, "itls": itls,
    });
    for (name, values) in
        [("ttft", &ttfts), ("tpot", &tpots), ("itl", &tpots), ("e2el", &latencies)]
    {
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        let mean = sorted.iter().sum::<f64>() / sorted.len() as f64;
        let at = |percent| tokometer_metrics::quantile::linear_at(&sorted, percent).unwrap() * 1e3;
        result[format!("mean_{name}_ms")] = json!(mean * 1e3);
        result[format!("median_{name}_ms")] = json!(at(50.0));
        result[format!("p99_{name}_ms")] = json!(at(99.0));
    }
    result
}

fn with(mut value: Value, changes: Value) -> Value {
    for (key, change) in changes.as_object().unwrap() {
        value[key] = change.clone();
    }
    value
}

fn bare(mut value: Value) -> Value {
    for key in ["ttfts", "itls", "latencies", "start_times", "errors", "input_lens", "output_lens"]
    {
        value.as_object_mut().unwrap().remove(key);
    }
    value
}

fn side(name: &str, results: impl IntoIterator<Item = Value>) -> Side {
    Side { name: name.to_owned(), points: results.into_iter().map(result).collect() }
}

fn compared(a: impl IntoIterator<Item = Value>, b: impl IntoIterator<Item = Value>) -> Contrast {
    contrast(side("main", a), side("pr", b), &[]).unwrap()
}

fn objections(a: Value, b: Value) -> Vec<String> {
    compared([a], [b]).objections.iter().map(ToString::to_string).collect()
}

fn row<'c>(contrast: &'c Contrast, key: &str) -> &'c Row {
    contrast.pairs[0].rows.iter().find(|row| row.figure.key == key).unwrap()
}

fn slower() -> Made {
    Made { seed: 2, tpot: 0.022, ..USUAL }
}

#[test]
fn what_is_slower_is_found_and_the_rest_is_not() {
    let contrast = compared([made(USUAL)], [made(slower())]);
    let tpot = row(&contrast, "mean_tpot_ms");
    assert_eq!((tpot.verdict, tpot.basis), (Verdict::Worse, Ok(Basis::Requests)));
    let [low, high] = tpot.interval().unwrap();
    assert!(low < 0.1 && 0.1 < high && low > 0.08 && high < 0.12, "{low} {high}");
    assert_eq!(row(&contrast, "mean_ttft_ms").verdict, Verdict::NoneShown);
    let back = compared([made(slower())], [made(USUAL)]);
    assert_eq!(row(&back, "mean_tpot_ms").verdict, Verdict::Better);
    assert!(contrast.objections.is_empty());
}

#[test]
fn the_same_twice_is_no_evidence_of_anything() {
    let contrast = compared([made(USUAL)], [made(USUAL)]);
    for row in &contrast.pairs[0].rows {
        match row.basis {
            Ok(_) => assert_eq!(row.verdict, Verdict::NoneShown, "{row:?}"),
            Err(_) => assert_eq!(row.verdict, Verdict::Unknown, "{row:?}"),
        }
    }
    assert!(
        contrast.headline().starts_with("no evidence of any difference"),
        "{}",
        contrast.headline()
    );
}

#[test]
fn a_verdict_and_its_interval_never_disagree_but_for_the_number_of_figures() {
    for seed in 2..12 {
        let contrast = compared([made(USUAL)], [made(Made { seed, tpot: 0.0203, ..USUAL })]);
        for row in &contrast.pairs[0].rows {
            let Some([low, high]) = row.interval() else { continue };
            let holds = low <= 0.0 && 0.0 <= high;
            assert_eq!(holds, row.p.unwrap() >= 1.0 - LEVEL, "{row:?}");
            if matches!(row.verdict, Verdict::Better | Verdict::Worse) {
                assert!(!holds, "{row:?}");
            }
        }
    }
}

#[test]
fn several_runs_a_side_are_compared_by_runs() {
    let runs = |seeds: std::ops::Range<u64>, tpot: f64| {
        seeds.map(move |seed| made(Made { seed, tpot, ..USUAL }))
    };
    let contrast = compared(runs(1..5, 0.02), runs(11..15, 0.024));
    assert_eq!(contrast.pairs.len(), 1);
    let tpot = row(&contrast, "mean_tpot_ms");
    assert_eq!((tpot.basis, tpot.verdict), (Ok(Basis::Runs), Verdict::Worse));
    let contrast = compared(runs(1..5, 0.02), runs(11..12, 0.024));
    assert_eq!(row(&contrast, "mean_tpot_ms").basis, Ok(Basis::RunsOfOneSide));
}

#[test]
fn without_requests_and_runs_nothing_can_be_told() {
    let contrast = compared([bare(made(USUAL))], [bare(made(slower()))]);
    let tpot = row(&contrast, "mean_tpot_ms");
    assert_eq!((tpot.verdict, tpot.basis), (Verdict::Unknown, Err(Doubt::NoRequests)));
    assert!(contrast.headline().starts_with("cannot tell"), "{}", contrast.headline());
}

#[test]
fn the_same_values_are_no_finding_where_nothing_can_be_told() {
    let contrast = compared([bare(made(USUAL))], [bare(made(USUAL))]);
    for row in &contrast.pairs[0].rows {
        assert_eq!((row.verdict, row.basis), (Verdict::Unknown, Err(Doubt::NoRequests)), "{row:?}");
    }
    assert!(contrast.headline().starts_with("cannot tell"), "{}", contrast.headline());
}

#[test]
fn no_interval_reaches_below_nothing_and_the_widest_say_nothing() {
    // Two runs a side, of which one had a stall: by a plain interval P99 ITL would change by −700 % at the least.
    let run =
        |seed: u64, p99: f64| with(bare(made(Made { seed, ..USUAL })), json!({"p99_itl_ms": p99}));
    let contrast = compared([run(1, 25.0), run(2, 26.0)], [run(3, 27.0), run(4, 110.0)]);
    let itl = row(&contrast, "p99_itl_ms");
    assert_eq!((itl.verdict, itl.basis), (Verdict::Unknown, Err(Doubt::TooWide)));
    let [low, high] = itl.interval().unwrap();
    assert!(low > -1.0 && high > 4.0, "{low} {high}");
    for row in &contrast.pairs[0].rows {
        let candidate = row.candidate.unwrap().interval(LEVEL).unwrap();
        assert!(candidate.low >= 0.0, "{row:?}");
        let ends = row.difference.unwrap().interval(LEVEL).unwrap();
        let Some([low, high]) = row.interval() else { continue };
        assert!((low * row.values[0] - ends.low).abs() < 1e-6, "{row:?}");
        assert!((high * row.values[0] - ends.high).abs() < 1e-6 * ends.high.abs().max(1.0));
    }
    let success = row(&contrast, "success_rate").candidate.unwrap().interval(LEVEL).unwrap();
    assert!(success.high <= 100.0, "{success:?}");
}

#[test]
fn what_differs_only_if_looked_at_alone_is_said_in_the_headline() {
    let alone = (2..60).find_map(|seed| {
        let contrast = compared([made(USUAL)], [made(Made { seed, tpot: 0.0202, ..USUAL })]);
        let rows = || contrast.pairs[0].rows.iter();
        let only = rows().any(Row::only_on_its_own)
            && rows().all(|row| matches!(row.verdict, Verdict::NoneShown | Verdict::Unknown));
        only.then_some(contrast)
    });
    let contrast = alone.expect("a tenth of a standard error more or less in sixty tries");
    let headline = contrast.headline();
    assert!(
        headline.starts_with("nothing that survives the correction for")
            && headline.contains("looked at alone: ")
            && headline.contains(" % (‡)"),
        "{headline}"
    );
    assert!(headline.told(crate::words::Language::Chinese).contains("单独看："), "{headline}");
    let page = contrast.page(Shown::default());
    assert!(page.contains("no evidence ‡") && page.contains("无证据 ‡"));
}

#[test]
fn requests_that_do_not_give_the_figure_are_not_believed() {
    let damaged = with(made(slower()), json!({"mean_tpot_ms": 40.0}));
    let contrast = compared([made(USUAL)], [damaged]);
    assert_eq!(row(&contrast, "mean_tpot_ms").basis, Err(Doubt::Disagrees));
}

#[test]
fn points_are_matched_by_what_they_were_and_those_of_one_side_are_named() {
    let at =
        |concurrency: usize, seed: u64| made(Made { concurrency, seed, requests: 60, ..USUAL });
    let contrast = compared([at(4, 1), at(8, 2), at(2, 3)], [at(16, 4), at(8, 5), at(4, 6)]);
    let names: Vec<&str> = contrast.pairs.iter().map(|pair| pair.name.as_str()).collect();
    assert_eq!(names, ["4 in flight, 100 + 10 tokens", "8 in flight, 100 + 10 tokens"]);
    assert_eq!(contrast.alone[0], ["2 in flight, 100 + 10 tokens, 60 requests"]);
    assert_eq!(contrast.alone[1], ["16 in flight, 100 + 10 tokens, 60 requests"]);
    assert!(contrast.objections.is_empty(), "{:?}", contrast.objections);
}

/// With other lengths: as drawn ones are, of no round number.
fn with_lengths(value: Value, input: f64, output: f64) -> Value {
    let requests = value["completed"].as_f64().unwrap();
    with(
        bare(value),
        json!({"total_input_tokens": input * requests, "total_output_tokens": output * requests}),
    )
}

#[test]
fn of_several_loads_the_nearest_lengths_are_matched_and_none_that_are_far_off() {
    let at = |seed: u64, concurrency: usize, input: f64, output: f64| {
        with_lengths(made(Made { seed, concurrency, ..USUAL }), input, output)
    };
    let candidate = || {
        [16, 4, 1].into_iter().enumerate().flat_map(move |(place, concurrency)| {
            let seed = 10 * (place as u64 + 1);
            [
                at(seed, concurrency, 1024.0, 16.0),
                at(seed + 1, concurrency, 128.0, 32.0),
                at(seed + 2, concurrency, 64.0, 16.0),
            ]
        })
    };
    let near = [at(1, 16, 150.0, 36.0), at(2, 4, 151.0, 37.0), at(3, 1, 152.0, 38.0)];
    let contrast = compared(near, candidate());
    let lengths: Vec<_> =
        contrast.pairs.iter().map(|pair| pair.sides[1][0].measured_length(0)).collect();
    assert_eq!(lengths, [Some(128.0); 3]);
    assert_eq!((contrast.alone[0].len(), contrast.alone[1].len()), (0, 6));
    // 186 + 41 is none of them: 1.45 and 1.28 times 128 + 32 may still be meant, 219 + 43 may not.
    let far = [at(1, 16, 219.0, 43.0), at(2, 4, 210.0, 42.0), at(3, 1, 219.0, 43.0)];
    let contrast = compared(far, candidate());
    assert!(contrast.pairs.is_empty());
    assert_eq!((contrast.alone[0].len(), contrast.alone[1].len()), (3, 9));
    assert!(contrast.alone[0][0].contains("219 + 43 tokens"), "{:?}", contrast.alone);
}

#[test]
fn a_pair_that_is_not_alike_is_called_by_what_each_side_was() {
    let at = |concurrency: usize, input: f64, output: f64| {
        with_lengths(made(Made { concurrency, ..USUAL }), input, output)
    };
    let name = |a: Value, b: Value| compared([a], [b]).pairs[0].name.clone();
    for (candidate, expected) in [
        (at(32, 349.0, 64.0), "32 in flight, 349 + 64 tokens"),
        (at(16, 349.0, 64.0), "32 in flight against 16 in flight, 349 + 64 tokens"),
        (at(32, 108.0, 100.0), "32 in flight, 349 + 64 tokens against 108 + 100 tokens"),
        (
            at(16, 108.0, 100.0),
            "32 in flight, 349 + 64 tokens against 16 in flight, 108 + 100 tokens",
        ),
    ] {
        assert_eq!(name(at(32, 349.0, 64.0), candidate), expected);
    }
}

#[test]
fn copies_of_one_run_are_counted_once_and_named() {
    let (one, other) = (made(USUAL), made(Made { seed: 7, ..USUAL }));
    let contrast = compared([one.clone(), one.clone(), bare(one.clone())], [other.clone()]);
    let pair = &contrast.pairs[0];
    assert_eq!((pair.sides[0].len(), pair.sides[0][0].copies.len()), (1, 2));
    assert!(pair.notes[0].starts_with("baseline: copies of one run"), "{:?}", pair.notes);
    let contrast = compared([one.clone(), other], [one]);
    assert_eq!(contrast.pairs[0].sides[0].len(), 2);
    let note = &contrast.pairs[0].notes[0];
    assert!(note.starts_with("one run stands on both sides"), "{note}");
}

#[test]
fn loads_of_one_concurrency_are_told_apart_by_their_requests() {
    let of = |requests: usize| made(Made { requests, ..USUAL });
    let contrast = compared([of(100), of(200)], [of(200), of(100)]);
    let requests: Vec<_> =
        contrast.pairs.iter().map(|pair| pair.sides[1][0].case.requests).collect();
    assert_eq!(requests, [Some(100.0), Some(200.0)]);
    assert_ne!(contrast.pairs[0].name, contrast.pairs[1].name);
    let contrast = compared([of(100)], [of(200)]);
    assert!(contrast.objections.is_empty());
    assert!(contrast.pairs[0].notes[0].starts_with("100 requests in the baseline and 200"));
}

#[test]
fn each_thing_that_forbids_to_compare_is_said_with_both_values() {
    let usual = || made(USUAL);
    for (changes, said) in [
        (
            json!({"model_id": "llama"}),
            "another model: qwen in the baseline, llama in the candidate",
        ),
        (
            json!({"endpoint_type": "openai"}),
            "another API: chat completions in the baseline, completions in the candidate",
        ),
        (
            json!({"max_concurrency": 32}),
            "another load: 4 in flight in the baseline, 32 in flight in the candidate",
        ),
        (
            json!({"input_lens": vec![200; 200], "total_input_tokens": 40_000}),
            "4 in flight: other lengths: prompts of 100 tokens in the baseline, of 200 in the candidate",
        ),
        (
            json!({"verdict": {"kind": "client_limited"}}),
            "4 in flight, 100 + 10 tokens: the candidate is client-limited: its figures are partly the client's own",
        ),
        (
            json!({"ending": "interrupted"}),
            "4 in flight, 100 + 10 tokens: the candidate did not come to the end: it was interrupted",
        ),
        (
            json!({"failed": 300}),
            "4 in flight, 100 + 10 tokens: in the candidate most requests failed: 300 of 500",
        ),
    ] {
        assert_eq!(objections(usual(), with(usual(), changes)), [said]);
    }
    let [a, b] = ["sharegpt", "random"].map(|dataset| with(usual(), json!({"dataset": dataset})));
    assert_eq!(
        objections(a, b),
        ["another dataset: sharegpt in the baseline, random in the candidate"]
    );
    // One model, wherever it lies, and a dataset that only one side tells.
    let moved = with(usual(), json!({"model_id": "/models/Qwen", "dataset": "random"}));
    assert_eq!(objections(usual(), moved), [""; 0]);
}

#[test]
fn lengths_that_are_drawn_differ_by_chance() {
    let drawn = |seed: u64| {
        let mut numbers = Numbers(seed);
        let lengths: Vec<f64> = (0..60).map(|_| (10.0 + 990.0 * numbers.next()).round()).collect();
        let total: f64 = lengths.iter().sum();
        let made = made(Made { requests: 60, seed, ..USUAL });
        with(made, json!({"input_lens": lengths, "total_input_tokens": total}))
    };
    let means: Vec<f64> =
        (1..20).map(|seed| drawn(seed)["total_input_tokens"].as_f64().unwrap()).collect();
    let far = means.iter().any(|mean| (mean / means[0] - 1.0).abs() > 0.1);
    assert!(far, "{means:?}");
    for seed in 2..20 {
        assert_eq!(objections(drawn(1), drawn(seed)), [""; 0], "{seed}");
    }
}

#[test]
fn sides_without_a_load_in_common_have_no_figures() {
    let at = |concurrency: usize| made(Made { concurrency, requests: 60, ..USUAL });
    let contrast = compared([at(1), at(2)], [at(4), at(8)]);
    assert!(contrast.pairs.is_empty());
    assert_eq!(
        contrast.objections[0].to_string(),
        "no load of both: the baseline has 1 in flight, 100 + 10 tokens; 2 in flight, 100 + 10 tokens, the candidate 4 in flight, 100 + 10 tokens; 8 in flight, 100 + 10 tokens"
    );
}

#[test]
fn a_summary_of_ours_is_as_long_as_what_it_sums_up() {
    let metric = |mean: f64| json!({"n": 200, "mean": mean, "std": 0.0, "linear": {"50%": mean, "99%": mean}});
    let summary = json!({
        "program": "0.1.0", "model": "qwen", "url": "http://h/v1/chat/completions", "dataset": "random",
        "points": [{
            "name": "p", "asked": {"requests": 200, "concurrency": 4, "rate": null}, "ending": "complete",
            "verdict": {"kind": "valid"}, "counts": {"succeeded": 200, "failed": 0, "cancelled": 0},
            "figures": {"full_request_throughput": 10.0},
            "metrics": {"ttft": metric(0.2), "input_tokens": metric(100.0), "output_tokens": metric(10.0)},
        }],
    });
    let points = of_summary(&summary, "summary.json").unwrap();
    let contrast =
        contrast(side("main", [made(USUAL)]), Side { name: "pr".to_owned(), points }, &[]).unwrap();
    assert!(contrast.objections.is_empty(), "{:?}", contrast.objections);
    let ttft = row(&contrast, "mean_ttft_ms");
    assert_eq!((ttft.values[1], ttft.basis), (200.0, Err(Doubt::NoRequests)));
    assert_eq!(of_summary(&json!({"points": []}), "x").map(|points| points.len()), None);
}

fn held(condition: &str, a: Value, b: Value) -> Vec<(Standing, String)> {
    let conditions = [condition.parse().unwrap()];
    contrast(side("main", [a]), side("pr", [b]), &conditions).unwrap().checked[0].told()
}

#[test]
fn a_condition_is_met_only_where_the_whole_interval_lies_beyond_its_limit() {
    let standing = |condition| held(condition, made(USUAL), made(slower()))[0].0;
    for (condition, expected) in [
        ("mean_tpot>+5%", Standing::Met),
        ("mean_tpot>+9.9%", Standing::Open),
        ("mean_tpot>+20%", Standing::NotMet),
        ("mean_tpot>+1ms", Standing::Met),
        ("mean_tpot>21ms", Standing::Met),
        ("mean_tpot>30ms", Standing::NotMet),
        ("mean_tpot<30ms", Standing::Met),
        ("mean_tpot<-3%", Standing::NotMet),
        ("p99_ttft>+5%", Standing::Unknown),
        ("success_rate<99.9%", Standing::NotMet),
    ] {
        assert_eq!(standing(condition), expected, "{condition}");
    }
    let told = held("p99.9_ttft>1s", made(USUAL), made(USUAL));
    assert_eq!(told[0].0, Standing::Unknown, "{told:?}");
}

#[test]
fn a_condition_on_what_no_point_has_is_refused_with_what_there_is() {
    let conditions = ["slo_attainment<0.9".parse().unwrap()];
    let refused =
        contrast(side("a", [made(USUAL)]), side("b", [made(USUAL)]), &conditions).unwrap_err();
    assert_eq!(refused.what, "\"slo_attainment<0.9\": no point of both sides has SLO attainment");
    assert!(refused.hint.unwrap().contains("mean_e2el_ms"));
}

fn told() -> Contrast {
    let small = |seed, tpot| bare_of_gaps(made(Made { seed, tpot, ..USUAL }));
    let conditions = ["mean_tpot>+5%", "p99_ttft>+5%"].map(|condition| condition.parse().unwrap());
    let alone = bare_of_gaps(made(Made { concurrency: 1, ..USUAL }));
    let limited = with(small(2, 0.022), json!({"verdict": {"kind": "client_limited"}}));
    contrast(
        side("results/main", [small(1, 0.02), alone]),
        side("results/pr", [limited]),
        &conditions,
    )
    .unwrap()
}

/// Without ITL, to be brief.
fn bare_of_gaps(mut value: Value) -> Value {
    for key in ["itls", "mean_itl_ms", "median_itl_ms", "p99_itl_ms"] {
        value.as_object_mut().unwrap().remove(key);
    }
    value
}

#[test]
fn the_text_says_first_what_it_comes_to() {
    insta::assert_snapshot!(told().text(Style::Plain));
}

#[test]
fn the_markdown_folds_away_what_was_not_shown() {
    insta::assert_snapshot!(told().markdown());
}

#[test]
fn the_json_has_every_figure_with_what_it_rests_on() {
    insta::assert_snapshot!(format!("{:#}", rounded(told().json())));
}

/// To six digits: the last ones are the machine's.
fn rounded(value: Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => {
            let text = format!("{:.5e}", number.as_f64().unwrap());
            json!(text.parse::<f64>().unwrap())
        }
        Value::Array(values) => values.into_iter().map(rounded).collect(),
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(key, value)| (key, rounded(value))).collect())
        }
        other => other,
    }
}

#[test]
fn strangers_words_are_no_markup() {
    let nasty = with(made(USUAL), json!({"model_id": "<img src=x>|`*_\u{1b}[31m"}));
    let contrast = contrast(side("a|`b`", [made(USUAL)]), side("<b>", [nasty]), &[]).unwrap();
    let markdown = contrast.markdown();
    assert!(markdown.contains("\\<img src=x\\>\\|\\`\\*\\_ \\[31m"), "{markdown}");
    assert!(!contrast.text(Style::Plain).contains('\u{1b}'));
    assert!(!contrast.page(Shown::default()).contains("<img src=x>"));
}

#[test]
fn the_page_lays_curves_over_each_other() {
    let page = compared([made(USUAL)], [made(slower())]).page(Shown::default());
    for part in [
        "Baseline: main",
        "TPOT worse by",
        "Took no longer",
        "对比",
        "候选（4 并发，100 + 10 个令牌）：TPOT 变差",
        "平均首令牌时间（TTFT）",
        "端到端延迟（E2EL）P99",
    ] {
        assert!(page.contains(part), "{part}");
    }
    // What it comes to stands before what it was.
    let heads: Vec<usize> =
        ["Verdict</span>", "Difference</span>", "95 % interval</span>", "Baseline</span>"]
            .into_iter()
            .map(|head| page.find(head).expect(head))
            .collect();
    assert!(heads.is_sorted(), "{heads:?}");
}

#[test]
fn colour_says_nothing_that_words_do_not() {
    let told = told();
    let (plain, coloured) = (told.text(Style::Plain), told.text(Style::Colour));
    let stripped =
        coloured.split('\u{1b}').enumerate().fold(String::new(), |text, (at, part)| match at {
            0 => part.to_owned(),
            _ => text + part.split_once('m').map_or("", |(_, rest)| rest),
        });
    assert!(coloured.contains("\u{1b}[31m") && stripped == plain);
}
