//! Results gathered into one table: what is written, what is named, and how it ends.

use std::fs;

use serde_json::Value;

use crate::{QUICK, Workplace, json, measured};

/// A place with a folder of three results in `results/`, made by `bench serve` against the simulator.
fn place() -> Workplace {
    let place = Workplace::new();
    for (concurrency, requests) in [(4, 8), (1, 2), (16, 16)] {
        measured(
            &place,
            &format!(
                "bench serve --base-url {QUICK} --model m --backend openai --dataset-name random --random-input-len 16 \
                 --random-output-len 4 --tokenizer {} --num-prompts {requests} --max-concurrency {concurrency} --save-result \
                 --result-dir {FOLDER} --result-filename bench_io16x4_mc{concurrency}_np{requests}.json --metadata tp=2",
                crate::tokenizer()
            ),
        );
    }
    place
}

const FOLDER: &str = "results/m_20260102_110437";

/// The one table in the folder.
fn table(place: &Workplace) -> String {
    let files = fs::read_dir(place.path().join(FOLDER)).unwrap();
    let mut tables = files.map(|entry| entry.unwrap().path()).filter(|path| {
        path.file_name().unwrap().to_string_lossy().starts_with("aggregate_results_")
    });
    let only = tables.next().unwrap();
    assert!(tables.next().is_none());
    fs::read_to_string(only).unwrap()
}

#[test]
fn the_newest_folder_becomes_a_table_with_both_headings_sorted_by_number() {
    let place = place();
    let ended = place.run_to(0, "aggregate --no-charts");
    assert!(
        ended
            .stderr
            .contains("gathered 3 results into results/m_20260102_110437/aggregate_results_")
    );
    let table = table(&place);
    let lines: Vec<&str> = table.lines().collect();
    assert!(
        lines[0].starts_with("\u{feff}date,endpoint_type,backend,label,model_id,"),
        "{}",
        lines[0]
    );
    assert!(
        lines[1]
            .starts_with("日期,端点类型,后端,标签,模型ID,分词器ID,提示数量,张量并行度,请求速率,"),
        "{}",
        lines[1]
    );
    let at = |name: &str| lines[0].split(',').position(|key| key == name).unwrap();
    let column = |name: &str| -> Vec<&str> {
        lines[2..].iter().map(|line| line.split(',').nth(at(name)).unwrap()).collect()
    };
    assert_eq!(column("max_concurrency"), ["1", "4", "16"]);
    assert_eq!(column("input_len"), ["16"; 3]);
    assert_eq!(column("tp"), ["2"; 3]);
    let expected = [1, 4, 16].map(|c| {
        format!("bench_io16x4_mc{c}_np{}.json", [2, 8, 16][(c > 1) as usize + (c > 4) as usize])
    });
    assert_eq!(column("filename"), expected);
    let listed = place.run_to(0, "aggregate --list").stdout;
    assert!(
        listed.contains("m_20260102_110437") && listed.contains("aggregate_results_"),
        "{listed}"
    );
}

#[test]
fn a_truncated_result_among_good_ones_is_named_makes_no_row_and_gives_the_exit_code() {
    let place = place();
    let whole =
        fs::read_to_string(place.path().join(FOLDER).join("bench_io16x4_mc4_np8.json")).unwrap();
    place.write(&format!("{FOLDER}/bench_io16x4_mc64_np64.json"), &whole[..whole.len() / 3]);
    place.write(&format!("{FOLDER}/package.json"), "{\"name\": \"none of ours\"}");
    let ended = place.run_to(5, "aggregate --no-charts");
    assert!(
        ended
            .stderr
            .contains("bench_io16x4_mc64_np64.json: it ends in the middle, at line 1, column "),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stderr.contains("package.json: not the result of a benchmark"),
        "{}",
        ended.stderr
    );
    assert_eq!(table(&place).lines().count(), 2 + 3);
}

#[test]
fn a_folder_without_results_is_an_error_that_says_what_to_do() {
    let place = Workplace::new();
    let ended = place.run_to(2, "aggregate");
    assert_eq!(ended.stderr.lines().next().unwrap(), "error: there is no folder results");
    fs::create_dir_all(place.path().join("results/empty")).unwrap();
    let ended = place.run_to(2, "aggregate --dir empty");
    assert_eq!(
        ended.stderr.lines().next().unwrap(),
        "error: there are no results in results/empty"
    );
    assert!(ended.stderr.contains("hint: "));
    let ended = place.run_to(2, "aggregate --dir nosuch");
    assert!(ended.stderr.contains("there is no folder nosuch"), "{}", ended.stderr);
    assert!(ended.stderr.contains("there are: empty"), "{}", ended.stderr);
    place.write("results/empty/bad.json", "{\"completed\": 1,");
    let ended = place.run_to(2, "aggregate --dir empty");
    assert!(ended.stderr.contains("bad.json: it ends in the middle"), "{}", ended.stderr);
}

#[test]
fn a_table_that_cannot_be_written_is_an_error() {
    let place = place();
    place.write("file", "");
    let ended = place.run_to(1, "aggregate --output file/table.csv");
    assert!(ended.stderr.contains("error: cannot write file/table.csv: "), "{}", ended.stderr);
}

#[test]
fn json_and_parquet_are_the_same_table() {
    let place = place();
    let text = place.run_to(0, "aggregate --format json --output -").stdout;
    let rows: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(rows.as_array().unwrap().len(), 3);
    assert_eq!(
        (&rows[2]["max_concurrency"], &rows[2]["completed"]),
        (&Value::from(16), &Value::from(16))
    );
    assert_eq!(rows[0]["request_rate"], "inf");
    place.run_to(0, "aggregate --format parquet --output t.parquet");
    assert_eq!(&fs::read(place.path().join("t.parquet")).unwrap()[..4], b"PAR1");
    let ended = place.run_to(2, "aggregate --format parquet --output -");
    assert!(ended.stderr.contains("Parquet is no text"), "{}", ended.stderr);
}

#[test]
fn the_runs_of_perf_become_a_table_with_the_figures_of_their_summaries() {
    let place = Workplace::new();
    measured(
        &place,
        &format!(
            "perf --url {QUICK} --model m --dataset random --min-prompt-length 16 --max-prompt-length 16 --max-tokens 4 --parallel 4 1 --number 8 2"
        ),
    );
    let text = place.run_to(0, "aggregate --dir outputs --format json --output -").stdout;
    let rows: Value = serde_json::from_str(&text).unwrap();
    let summary = json(&place.run_folder().join("summary.json"));
    // By number, and not in the order in which they ran.
    let point = &summary["points"][1];
    assert_eq!(point["asked"]["concurrency"], 1);
    assert_eq!(rows[0]["max_concurrency"], 1);
    assert_eq!(rows[0]["output_throughput"], point["figures"]["full_output_throughput"]);
    let ttft = point["metrics"]["ttft"]["linear"]["99%"].as_f64().unwrap() * 1e3;
    assert_eq!(rows[0]["p99_ttft_ms"].as_f64().unwrap(), ttft);
    assert_eq!(rows[0]["filename"], "parallel_1_number_2");
    assert_eq!(rows[1]["input_len"], 16);
}

#[test]
fn the_charts_are_drawn_beside_the_table() {
    let place = place();
    let ended = place.run_to(0, "aggregate");
    let charts: Vec<&str> = ended.stdout.lines().collect();
    assert!(!charts.is_empty(), "{}", ended.stderr);
    for chart in charts {
        assert!(chart.starts_with("results/m_20260102_110437/charts/"), "{chart}");
        assert_eq!(&fs::read(place.path().join(chart)).unwrap()[1..4], b"PNG");
    }
}
