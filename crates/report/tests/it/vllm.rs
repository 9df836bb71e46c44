//! Reports in vLLM's dialect: against a file and a console block that its own client wrote, and of runs made by hand.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokometer_metrics::summary::summarize;
use tokometer_record::{
    Channel, Chunk, Failure, FailureKind, Offset, OutputTokens, Phase, PointLog, Record, RunLog,
    Scrape, TokenSource,
};
use tokometer_report::dialect::Told;
use tokometer_report::dialect::vllm::{self, Arguments, RampUp, Strategy};
use tokometer_report::{Style, rebuild};

use crate::runs::{self, Service};

/// What vLLM 0.32's client wrote of 64 requests, without the generated texts, gaps to the nanosecond.
const FILE: &str = include_str!("../inputs/vllm-0.32-bench.json");
/// What it printed.
const CONSOLE: &str = include_str!("../inputs/vllm-0.32-console.txt");

fn captured() -> Map<String, Value> {
    serde_json::from_str(FILE).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

/// A run in which everything happened as in the captured one.
fn replayed() -> RunLog {
    let file = captured();
    let (starts, ttfts) = (numbers(&file["start_times"]), numbers(&file["ttfts"]));
    let latencies = numbers(&file["latencies"]);
    let ends = starts.iter().zip(&latencies).map(|(start, latency)| start + latency);
    let zero = ends.fold(0.0, f64::max) - file["duration"].as_f64().unwrap();
    let at = |seconds: f64| Offset::after(Duration::from_secs_f64(seconds - zero));
    let record = |index: usize| {
        let mut moment = starts[index] + ttfts[index];
        let mut chunks = vec![moment];
        chunks.extend(numbers(&file["itls"][index]).into_iter().map(|gap| {
            moment += gap;
            moment
        }));
        let mut record = runs::closed(1, 1, |_| Service::of(0.0, 0.0, 0)).records.remove(0);
        record.index = index as u64;
        (record.scheduled, record.started) = (at(starts[index]), at(starts[index]));
        let chunk = |&moment| Chunk { at: at(moment), tokens: 0, channel: Channel::Content };
        record.chunks = chunks.iter().map(chunk).collect();
        record.end = at(starts[index] + latencies[index]);
        record.prompt_tokens.server = file["input_lens"][index].as_u64().map(|n| n as u32);
        record.prompt_tokens.local = record.prompt_tokens.server;
        let count = file["output_lens"][index].as_u64().unwrap() as u32;
        record.output_tokens = Some(OutputTokens { count, source: TokenSource::Usage });
        record.asked_output = Some(count);
        record
    };
    let mut point = runs::closed(16, 64, |_| Service::of(0.0, 0.0, 1));
    point.records = (0..64).rev().map(record).collect();
    point.end.as_mut().unwrap().measured_from = Some(Offset::ZERO);
    let mut log = asking(point, |asked| {
        asked.save_detailed = true;
        asked.percentile_metrics.push("e2el".into());
        asked.max_concurrency = Some(16);
        asked.num_prompts = 64;
    });
    log.header.began = "2026-11-22T10:24:21+00:00".into();
    log
}

/// A run of one point in this dialect, with these arguments.
pub(crate) fn asking(point: PointLog, change: impl FnOnce(&mut Arguments)) -> RunLog {
    let mut arguments = Arguments {
        endpoint_type: "openai-chat".into(),
        backend: "openai-chat".into(),
        model_id: "tiny-qwen".into(),
        tokenizer_id: Some("tiny-qwen".into()),
        ..Arguments::default()
    };
    change(&mut arguments);
    let mut log = runs::run(vec![point]);
    log.header.dialect = "vllm".into();
    log.header.arguments = arguments.to_value();
    log.points[0].point.arguments = arguments.to_value();
    log
}

fn text(log: &RunLog, style: Style) -> String {
    let summary = summarize(&log.points[0]);
    vllm::point_text(&Told { header: &log.header, log: &log.points[0], summary: &summary }, style)
}

fn saved(log: &RunLog) -> Option<std::path::PathBuf> {
    let summary = summarize(&log.points[0]);
    let told = Told { header: &log.header, log: &log.points[0], summary: &summary };
    vllm::save(&told).unwrap()
}

fn result(log: &RunLog) -> Map<String, Value> {
    let folder = tempfile::tempdir().unwrap();
    rebuild(folder.path(), log, Style::Plain).unwrap();
    read(&folder.path().join(&log.points[0].point.name).join("result.json"))
}

fn read(path: &Path) -> Map<String, Value> {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn keys(map: &Map<String, Value>) -> Vec<&str> {
    map.keys().map(String::as_str).collect()
}

fn samples(pairs: &[(&str, f64)]) -> Scrape {
    let samples = pairs.iter().map(|&(key, value)| (key.to_owned(), value)).collect();
    Scrape { at: Offset::ZERO, source: String::new(), samples }
}

#[test]
fn the_file_has_vllm_s_keys_in_its_order_with_its_types() {
    let (theirs, ours) = (captured(), result(&replayed()));
    assert_eq!(keys(&ours)[..theirs.len()], keys(&theirs));
    for (key, value) in &theirs {
        assert!(alike(value, &ours[key]), "{key}: {value} against {}", ours[key]);
    }
}

/// Whether two values are of one type, down to whole and broken numbers, and lists of one length.
fn alike(theirs: &Value, ours: &Value) -> bool {
    match (theirs, ours) {
        (Value::Number(a), Value::Number(b)) => a.is_f64() == b.is_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b))
        }
        _ => std::mem::discriminant(theirs) == std::mem::discriminant(ours),
    }
}

#[test]
fn the_same_moments_give_vllm_s_figures() {
    let (theirs, ours) = (captured(), result(&replayed()));
    // Its moments have another zero; it counts a request's wait from a moment that its file does not hold; and its two peaks count
    // chunks for tokens, and whatever touches a second as being in flight at once.
    let other =
        ["start_times", "queue_times", "max_output_tokens_per_s", "max_concurrent_requests"];
    for (key, value) in theirs.iter().filter(|(key, _)| !other.contains(&key.as_str())) {
        close(key, value, &ours[key]);
    }
    assert_eq!(ours["max_concurrent_requests"], 16);
    assert_eq!(ours["max_output_tokens_per_s"], busiest_second(&theirs));
    let waited = numbers(&ours["queue_times"]).into_iter().zip(numbers(&theirs["queue_times"]));
    for (index, (ours, theirs)) in waited.enumerate() {
        assert!((ours - theirs).abs() < 0.05, "request {index} waited {ours} s, not {theirs} s");
    }
}

/// The most tokens in a second, from what vLLM's file tells of each request: the first of its 101 chunks is empty.
fn busiest_second(file: &Map<String, Value>) -> f64 {
    let starts = numbers(&file["start_times"]);
    let zero = starts.iter().copied().fold(f64::INFINITY, f64::min);
    let mut seconds = vec![0.0_f64; 100];
    for (index, start) in starts.iter().enumerate() {
        let mut moment = start + numbers(&file["ttfts"])[index] - zero;
        for gap in numbers(&file["itls"][index]) {
            moment += gap;
            seconds[moment as usize] += 1.0;
        }
    }
    seconds.into_iter().fold(0.0, f64::max)
}

fn close(key: &str, theirs: &Value, ours: &Value) {
    match (theirs, ours) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            // A moment is kept to the nanosecond, and each gap has two.
            assert!((a - b).abs() <= 1e-8_f64.max(a.abs() * 1e-7), "{key}: {b} for {a}");
        }
        (Value::Array(a), Value::Array(b)) => {
            a.iter().zip(b).for_each(|(a, b)| close(key, a, b));
        }
        _ => assert_eq!(theirs, ours, "{key}"),
    }
}

#[test]
fn the_same_moments_give_vllm_s_block() {
    let text = text(&replayed(), Style::Plain);
    let ours = text.lines().skip_while(|line| !line.starts_with("====="));
    let mut ours: Vec<&str> = ours.take(CONSOLE.lines().count()).collect();
    let mut theirs: Vec<&str> = CONSOLE.lines().collect();
    // The two peaks are counted otherwise, and only they.
    for peak in ["Peak output token throughput", "Peak concurrent requests"] {
        for lines in [&mut ours, &mut theirs] {
            let at = lines.iter().position(|line| line.starts_with(peak)).unwrap();
            assert_eq!(lines.remove(at).len(), 51);
        }
    }
    assert_eq!(ours, theirs);
}

#[test]
fn without_details_the_file_tells_of_no_single_request_but_latencies_and_waits() {
    let mut log = replayed();
    log.points[0].point.arguments["save_detailed"] = json!(false);
    let result = result(&log);
    let lists = result.iter().filter(|(_, value)| value.as_array().is_some_and(|l| l.len() == 64));
    assert_eq!(
        lists.map(|(key, _)| key.as_str()).collect::<Vec<_>>(),
        ["latencies", "queue_times"]
    );
}

/// A paced load under a cap with everything that can be told: failures, probes, speculation, a warm cache, objectives.
fn eventful() -> RunLog {
    let mut point = runs::closed(4, 20, |index| match index % 10 {
        7 => Service::failing(
            3.0,
            FailureKind::Status(503),
            "{\"error\":{\"message\":\"queue is full\"}}",
        ),
        n => Service::of(80.0 + 10.0 * n as f64, 20.0 + n as f64, 16),
    });
    point.point.rate = Some(40.0);
    for record in &mut point.records {
        record.scheduled = runs::ms(record.index as f64 * 25.0);
        if let Some(failure) = record.failure() {
            record.status = matches!(failure.kind, FailureKind::Status(_)).then_some(503);
        }
    }
    let probes: Vec<Record> = (0..3)
        .map(|n| {
            let mut probe = point.records[0].clone();
            probe.index = (1 << 48) + n;
            probe.phase = Phase::Probe;
            probe
        })
        .collect();
    point.records.extend(probes);
    point.end.as_mut().unwrap().measured_from = Some(Offset::ZERO);
    let counters = |n: f64| {
        samples(&[
            ("vllm:spec_decode_num_drafts_total{engine=\"0\"}", 100.0 * n),
            ("vllm:spec_decode_num_draft_tokens_total{engine=\"0\"}", 400.0 * n),
            ("vllm:spec_decode_num_accepted_tokens_total{engine=\"0\"}", 150.0 * n),
            ("vllm:spec_decode_num_accepted_tokens_per_pos_total{position=\"0\"}", 90.0 * n),
            ("vllm:spec_decode_num_accepted_tokens_per_pos_total{position=\"1\"}", 60.0 * n),
            ("vllm:prefix_cache_queries_total", 10_000.0 * n),
            ("vllm:prefix_cache_hits_total", 1_250.0 * n),
        ])
    };
    point.scrapes = vec![counters(0.0), counters(1.0)];
    asking(point, |asked| {
        asked.request_rate = Some(40.0);
        asked.max_concurrency = Some(4);
        asked.goodput = vec![("ttft".into(), 150.0), ("tpot".into(), 25.0)];
        asked.percentile_metrics =
            ["ttft", "tpot", "itl", "e2el", "client_queue_time", "e2el_including_client_queue"]
                .map(str::to_owned)
                .to_vec();
        asked.metric_percentiles = vec![50.0, 99.0, 99.9];
    })
}

#[test]
fn everything_that_can_be_told_has_its_row() {
    insta::assert_snapshot!("vllm_eventful", text(&eventful(), Style::Plain));
}

#[test]
fn the_block_is_never_coloured() {
    let log = eventful();
    let (plain, coloured) = (text(&log, Style::Plain), text(&log, Style::Colour));
    let block = |text: &str| {
        let from = text.find("============ Serving").unwrap();
        text[from..text.rfind("\n====").unwrap()].to_owned()
    };
    assert_eq!(block(&plain), block(&coloured));
    assert!(coloured.contains('\u{1b}'));
}

#[test]
fn a_failed_request_has_its_place_in_every_list() {
    let mut log = eventful();
    log.points[0].point.arguments["save_detailed"] = json!(true);
    let result = result(&log);
    let of = |key: &str| result[key].as_array().unwrap()[7].clone();
    assert_eq!(result["errors"].as_array().unwrap().len(), 20);
    assert_eq!(of("errors"), "HTTP 503: {\"error\":{\"message\":\"queue is full\"}}");
    assert_eq!((of("ttfts"), of("itls"), of("output_lens")), (json!(0.0), json!([]), json!(0)));
    assert_eq!((of("latencies"), of("generated_texts")), (json!(0.0), json!("")));
    assert_eq!((of("http_statuses"), of("request_error_kinds")), (json!(503), json!("HTTP 503")));
    assert_eq!(result["error_kinds"], json!({ "HTTP 503": 2 }));
    assert_eq!(result["http_status"], json!({ "200": 18, "503": 2 }));
}

#[test]
fn beyond_vllm_s_keys_the_file_says_how_far_it_can_be_trusted() {
    let mut log = eventful();
    log.points[0].end.as_mut().unwrap().client.loop_lag_p99 = 50_000_000;
    let result = result(&log);
    assert_eq!(result["slo_attainment"]["sent"], 20);
    assert_eq!(result["slo_attainment"]["share"], json!(0.6));
    assert_eq!(result["prefix_cache_hit_rate"], 12.5);
    assert_eq!((&result["probe_completed"], &result["completed"]), (&json!(3), &json!(18)));
    assert_eq!(result["verdict"]["kind"], "client_limited");
    assert_eq!(result["verdict"]["reasons"][0]["kind"], "late_stamps");
    assert_eq!(result["spec_decode_per_position_acceptance_rates"], json!([0.9, 0.6]));
    assert_eq!(result["not_applicable"], json!([]));
    assert_eq!(result["tokometer_version"], "0.1.0");
    assert!(result["p99.9_ttft_ms"].is_f64() && result["p50_itl_ms"].is_f64());
}

#[test]
fn the_user_s_metadata_keeps_its_keys() {
    let log = asking(runs::closed(1, 2, |_| Service::of(10.0, 1.0, 4)), |asked| {
        asked.metadata = vec![("tp".into(), "2".into()), ("verdict".into(), "mine".into())];
    });
    let result = result(&log);
    assert_eq!((&result["tp"], &result["verdict"]), (&json!("2"), &json!("mine")));
    assert_eq!(result["tokometer_verdict"]["valid"], true);
    assert_eq!(keys(&result)[6..10], ["num_prompts", "tp", "verdict", "request_rate"]);
}

#[test]
fn requests_for_a_result_have_no_first_token_to_time() {
    let mut point = runs::closed(2, 6, |_| Service::of(40.0, 0.0, 1));
    for record in &mut point.records {
        record.chunks.edit(|chunks| chunks[0].channel = Channel::Result);
        record.streamed = false;
        record.output_tokens = None;
        record.asked_output = None;
        record.inputs = Some(8);
    }
    let log = asking(point, |asked| {
        asked.pooling = true;
        asked.backend = "openai-embeddings".into();
        asked.percentile_metrics = vec!["e2el".into()];
        asked.save_detailed = true;
    });
    insta::assert_snapshot!("vllm_pooling", text(&log, Style::Plain));
    let result = result(&log);
    let after: Vec<&str> = keys(&result)
        .into_iter()
        .skip_while(|&key| key != "max_concurrency")
        .skip(1)
        .take(15)
        .collect();
    let expected = [
        "duration",
        "completed",
        "total_input_tokens",
        "total_input_sequences",
        "request_throughput",
        "input_sequence_throughput",
        "total_token_throughput",
        "input_lens",
        "latencies",
        "queue_times",
        "errors",
        "mean_e2el_ms",
        "median_e2el_ms",
        "std_e2el_ms",
        "p99_e2el_ms",
    ];
    assert_eq!(after, expected);
    assert_eq!(result["total_input_sequences"], 48);
}

#[test]
fn chunks_of_several_tokens_are_told_only_where_the_itl_is_shown() {
    let told = |metrics: &[&str]| {
        let mut point = runs::closed(1, 2, |_| Service::of(100.0, 20.0, 8));
        for record in &mut point.records {
            record.output_tokens = Some(OutputTokens { count: 32, source: TokenSource::Usage });
        }
        let log = asking(point, |asked| {
            asked.percentile_metrics = metrics.iter().map(|&name| name.to_owned()).collect();
        });
        let told = "so the ITL shown";
        let notes = result(&log)["notes"].to_string().contains(told);
        (text(&log, Style::Plain).replace('\n', " ").replace("   ", " ").contains(told), notes)
    };
    assert_eq!(told(&["ttft", "itl"]), (true, true));
    assert_eq!(told(&["ttft", "e2el"]), (false, false));
}

#[test]
fn where_nothing_succeeded_the_block_says_so_and_the_file_names_the_zeros() {
    let log = asking(
        runs::closed(2, 4, |_| Service::failing(1.0, FailureKind::ConnectRefused, "refused")),
        |_| {},
    );
    insta::assert_snapshot!("vllm_nothing", text(&log, Style::Plain));
    let result = result(&log);
    assert_eq!((&result["mean_ttft_ms"], &result["p99_itl_ms"]), (&json!(0.0), &json!(0.0)));
    let absent = result["not_applicable"].as_array().unwrap();
    assert!(absent.contains(&json!("mean_ttft_ms")) && absent.contains(&json!("p99_itl_ms")));
    assert_eq!(result["mean_e2el_ms"], Value::Null);
}

#[test]
fn waiting_for_a_place_is_told_where_nobody_asked_for_it() {
    let mut log = eventful();
    log.points[0].point.arguments["percentile_metrics"] = json!(["ttft"]);
    let text = text(&log, Style::Plain);
    let told = text.split("Client-side queueing: ").nth(1).unwrap().split("\n\n").next().unwrap();
    let words: Vec<&str> = told.split_whitespace().collect();
    assert_eq!(
        words.join(" "),
        "requests waited 590.25 ms on average (1358.02 ms at p99) after their scheduled moment for a place under the cap. The \
         latencies above leave that out: ask for client_queue_time and e2el_including_client_queue with --percentile-metrics."
    );
}

#[test]
fn a_restarted_server_s_counters_are_left_out_and_that_is_told() {
    let mut log = eventful();
    log.points[0].scrapes.reverse();
    let result = result(&log);
    let rules = result["findings"].as_array().unwrap().iter().map(|finding| &finding["rule"]);
    assert!(rules.into_iter().any(|rule| rule == "server_restarted"), "{}", result["findings"]);
    assert!(!text(&log, Style::Plain).contains("A counter of the server's went down"));
    assert_eq!(result["server_restarted"], true);
    assert_eq!(result["prefix_cache_hit_rate"], Value::Null);
    assert!(!result.contains_key("spec_decode_num_drafts"));
}

#[test]
fn a_ramp_tells_when_it_reached_each_rate() {
    let mut point = runs::closed(4, 6, |_| Service::of(10.0, 1.0, 4));
    point.end.as_mut().unwrap().measured_from = Some(runs::ms(500.0));
    let log = asking(point, |asked| {
        asked.ramp_up = Some(RampUp { strategy: Strategy::Linear, start_rps: 1.0, end_rps: 3.0 });
    });
    let result = result(&log);
    // On average 2 per second: six requests take 3 s.
    let events = json!([
        { "rps": 1, "timestamp": "2026-01-02T11:04:37.5" },
        { "rps": 2, "timestamp": "2026-01-02T11:04:39" },
        { "rps": 3, "timestamp": "2026-01-02T11:04:40.5" },
    ]);
    assert_eq!(result["rps_change_events"], events);
    assert_eq!(
        (&result["ramp_up_strategy"], &result["ramp_up_end_rps"]),
        (&json!("linear"), &json!(3))
    );
}

#[test]
fn nothing_is_saved_unasked() {
    let log = asking(runs::closed(1, 2, |_| Service::of(10.0, 1.0, 4)), |_| {});
    assert_eq!(saved(&log), None);
}

#[test]
fn results_are_overwritten_or_appended_as_asked() {
    let folder = tempfile::tempdir().unwrap();
    let asked = |append: bool, name: Option<&str>| {
        let results = folder.path().join("made/for/it");
        let log = asking(runs::closed(1, 2, |_| Service::of(10.0, 1.0, 4)), |asked| {
            asked.save_result = true;
            asked.append_result = append;
            asked.result_dir = Some(results);
            asked.result_filename = name.map(str::to_owned);
            asked.label = Some("é".into());
        });
        saved(&log).unwrap()
    };
    assert_eq!(asked(false, Some("r.json")), asked(false, Some("r.json")));
    let path = asked(false, None);
    assert_eq!(path.file_name().unwrap(), "é-infqps-tiny-qwen-20260102-110437.json");
    let once = fs::read_to_string(&path).unwrap();
    assert_eq!(fs::read_to_string(asked(false, Some("r.json"))).unwrap(), once);
    assert_eq!(asked(true, None), path);
    let twice = fs::read_to_string(&path).unwrap();
    assert_eq!(twice, format!("{once}\n{once}"));
    assert!(once.starts_with("{\"date\": \"20260102-110437\", \"endpoint_type\": "), "{once}");
}

#[test]
fn every_point_is_reported_by_its_own_arguments_in_a_file_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let points = [(1, 2), (2, 4), (2, 6)].map(|(places, requests)| {
        let mut point = runs::closed(places, requests, |_| Service::of(10.0, 1.0, 4));
        let arguments = Arguments {
            model_id: "m".into(),
            num_prompts: requests,
            max_concurrency: Some(places as u64),
            save_result: true,
            plot_dataset_stats: true,
            result_dir: Some(folder.path().into()),
            ..Arguments::default()
        };
        point.point.arguments = arguments.to_value();
        point
    });
    let mut log = asking(points[0].clone(), |asked| asked.num_prompts = 77);
    let names = points.map(|point| {
        log.points[0] = point;
        let path = saved(&log).unwrap();
        assert_eq!(read(&path)["num_prompts"], log.points[0].point.requests);
        assert_eq!(result(&log)["max_concurrency"], json!(log.points[0].point.concurrency));
        let beside = path.with_extension("dataset_stats.png");
        assert!(beside.is_file(), "{}", beside.display());
        path.file_name().unwrap().to_string_lossy().into_owned()
    });
    assert_eq!(
        names,
        [
            "openai-infqps-concurrency1-m-20260102-110437.json",
            "openai-infqps-concurrency2-m-20260102-110437.json",
            "openai-infqps-concurrency2-m-20260102-110437-2.json",
        ]
    );
    // A log that tells nothing of its points has it in its header.
    log.points[0].point.arguments = Value::Null;
    assert_eq!(result(&log)["num_prompts"], 77);
}

#[test]
fn the_form_of_pytorch_s_database_is_written_beside_the_result() {
    let folder = tempfile::tempdir().unwrap();
    let log = asking(runs::closed(1, 2, |_| Service::of(10.0, 1.0, 4)), |asked| {
        asked.save_result = true;
        asked.pytorch_format = true;
        asked.result_dir = Some(folder.path().into());
        asked.result_filename = Some("r.json".into());
    });
    saved(&log).unwrap();
    let text = fs::read_to_string(folder.path().join("r.pytorch.json")).unwrap();
    let records: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(records.len(), 12);
    assert_eq!(records[0]["metric"]["name"], "median_ttft_ms");
    assert_eq!(records[0]["metric"]["benchmark_values"], json!([10.0]));
}

#[test]
fn figures_stand_beside_the_result() {
    let mut log = eventful();
    log.points[0].point.arguments["plot_timeline"] = json!(true);
    log.points[0].point.arguments["plot_dataset_stats"] = json!(true);
    log.points[0].records[3].outcome = tokometer_record::Outcome::Failed(Failure::new(
        FailureKind::ErrorEvent,
        "</script><script>alert(1)</script>",
    ));
    let folder = tempfile::tempdir().unwrap();
    rebuild(folder.path(), &log, Style::Plain).unwrap();
    let point = folder.path().join(&log.points[0].point.name);
    let page = fs::read_to_string(point.join("result.timeline.html")).unwrap();
    assert_eq!(page.matches("</script>").count(), 2);
    let data = page.split("id=\"data\">").nth(1).unwrap().split("</script>").next().unwrap();
    let data: Value = serde_json::from_str(data).unwrap();
    assert_eq!(data["requests"].as_array().unwrap().len(), 20);
    let bars = numbers(&data["requests"][0][4]);
    assert_eq!(bars[..4], [0.0, 1.0, 80_000.0, 80_000.0]);
    let png = fs::read(point.join("result.dataset_stats.png")).unwrap();
    assert_eq!(&png[..4], b"\x89PNG");
}

#[test]
fn a_file_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let in_the_way = folder.path().join("taken");
    fs::write(&in_the_way, "").unwrap();
    let log = asking(runs::closed(1, 2, |_| Service::of(10.0, 1.0, 4)), |asked| {
        asked.save_result = true;
        asked.result_dir = Some(in_the_way.join("results"));
    });
    let summary = summarize(&log.points[0]);
    let told = Told { header: &log.header, log: &log.points[0], summary: &summary };
    let error = vllm::save(&told).unwrap_err();
    assert!(error.to_string().contains("taken"), "{error}");
}
