//! Runs of one kind, summed up: for each figure its mean, standard deviation and 95 % confidence interval over the runs.

use tokometer_metrics::compare::Sample;

use super::figures::figure;
use super::outcome::Outcome;
use crate::grid::{Column, outline};
use crate::number::{ABSENT, compact};
use crate::prose::quoted;

/// For each figure that every run has: `KEY_over_runs_mean`, and where there are at least two runs `KEY_over_runs_sd` (the sample's,
/// divided by n − 1) and `KEY_over_runs_ci95_low` and `_high` (Student's t); before them all `over_runs`, how many runs.
pub fn over_runs(runs: &[Outcome]) -> Vec<(String, f64)> {
    let Some(first) = runs.first() else { return Vec::new() };
    let mut columns = vec![("over_runs".to_owned(), runs.len() as f64)];
    for figure in first.figures() {
        let Some(sample) = sample(runs, &figure.key) else { continue };
        let key = format!("{}_over_runs", figure.key);
        columns.push((format!("{key}_mean"), sample.mean));
        if let (Some(sd), Some(interval)) = (sample.sd, sample.interval()) {
            columns.push((format!("{key}_sd"), sd));
            columns.push((format!("{key}_ci95_low"), interval.low));
            columns.push((format!("{key}_ci95_high"), interval.high));
        }
    }
    columns
}

/// A table of combinations, each with its runs: how many of their requests failed, whether the client kept up, and the figures most
/// looked at, as mean ± half of the 95 % confidence interval.
pub fn overview(combinations: &[(String, &[Outcome])]) -> String {
    let has = |key: &&&str| combinations.iter().any(|(_, runs)| sample(runs, key).is_some());
    let keys: Vec<&str> = SHOWN.iter().filter(has).copied().collect();
    let headings: Vec<String> = keys
        .iter()
        .filter_map(|key| figure(key))
        .map(|figure| figure.title.replacen(" (", "\n(", 1))
        .collect();
    let told = combinations.iter().flat_map(|(_, runs)| *runs).any(|run| verdict(run).is_some());
    let mut columns =
        vec![Column::left("Combination"), Column::right("Runs"), Column::right("Failed")];
    columns.extend(told.then(|| Column::left("Verdict")));
    columns.extend(headings.iter().map(|heading| Column::right(heading)));
    let row = |(name, runs): &(String, &[Outcome])| {
        let figures = keys.iter().map(|key| cell(runs, key));
        let about = [quoted(name, 60), runs.len().to_string(), failed(runs)];
        about.into_iter().chain(told.then(|| verdicts(runs))).chain(figures).collect()
    };
    outline(&columns, &combinations.iter().map(row).collect::<Vec<_>>())
}

/// Failed requests of all runs together: `19 of 150`.
fn failed(runs: &[Outcome]) -> String {
    let sum = |key| runs.iter().filter_map(|run| run.number(key)).sum::<f64>();
    match sum("failed") {
        0.0 => "0".to_owned(),
        failed => format!("{failed} of {}", failed + sum("completed")),
    }
}

/// What this program said of itself: the verdict of every run, or how many have which.
fn verdicts(runs: &[Outcome]) -> String {
    let mut counts: Vec<(String, usize)> = Vec::new();
    for verdict in runs.iter().map(|run| verdict(run).unwrap_or_else(|| ABSENT.to_owned())) {
        match counts.iter_mut().find(|(known, _)| *known == verdict) {
            Some((_, count)) => *count += 1,
            None => counts.push((verdict, 1)),
        }
    }
    match counts.as_slice() {
        [(only, _)] => only.clone(),
        _ => {
            let counts = counts.iter().map(|(verdict, count)| format!("{count} {verdict}"));
            counts.collect::<Vec<_>>().join(", ")
        }
    }
}

fn verdict(run: &Outcome) -> Option<String> {
    Some(run.field("verdict")?.get("kind")?.as_str()?.replace('_', "-"))
}

fn cell(runs: &[Outcome], key: &str) -> String {
    let Some(sample) = sample(runs, key) else { return ABSENT.to_owned() };
    match sample.interval() {
        None => compact(sample.mean, 2),
        Some(interval) => {
            format!("{} ± {}", compact(sample.mean, 2), compact(interval.high - sample.mean, 2))
        }
    }
}

fn sample(runs: &[Outcome], key: &str) -> Option<Sample> {
    let values: Option<Vec<f64>> = runs.iter().map(|run| run.number(key)).collect();
    Sample::of(&values?)
}

const SHOWN: &[&str] = &[
    "request_throughput",
    "output_throughput",
    "input_sequence_throughput",
    "median_ttft_ms",
    "p99_ttft_ms",
    "median_tpot_ms",
    "median_e2el_ms",
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn run(throughput: f64) -> Outcome {
        let value = json!({"completed": 5, "duration": 1.0, "output_throughput": throughput, "max_concurrency": 4});
        Outcome::of(value, "x").unwrap()
    }

    #[test]
    fn three_runs_have_mean_deviation_and_interval() {
        let columns = over_runs(&[run(10.0), run(12.0), run(14.0)]);
        let get = |key: &str| columns.iter().find(|(name, _)| name == key).map(|(_, value)| *value);
        assert_eq!(get("over_runs"), Some(3.0));
        assert_eq!(get("output_throughput_over_runs_mean"), Some(12.0));
        assert_eq!(get("output_throughput_over_runs_sd"), Some(2.0));
        assert!((get("output_throughput_over_runs_ci95_low").unwrap() - 7.0317).abs() < 1e-3);
        assert_eq!(get("max_concurrency_over_runs_mean"), None);
    }

    #[test]
    fn one_run_has_a_mean_alone() {
        let columns = over_runs(&[run(10.0)]);
        assert!(columns.iter().all(|(key, _)| !key.ends_with("_sd") && !key.contains("ci95")));
    }

    #[test]
    fn a_figure_that_does_not_apply_to_a_run_has_no_mean() {
        let value = json!({"completed": 5, "duration": 1.0, "output_throughput": 0.0, "not_applicable": ["output_throughput"]});
        let none = Outcome::of(value, "x").unwrap();
        let columns = over_runs(&[run(10.0), none]);
        assert!(columns.iter().all(|(key, _)| !key.starts_with("output_throughput")));
    }

    #[test]
    fn an_overview_tells_of_failed_requests_and_of_a_client_that_was_too_slow() {
        let of = |failed: u32, kind: &str| {
            let value = json!({"completed": 5, "duration": 1.0, "failed": failed, "verdict": {"kind": kind}});
            Outcome::of(value, "x").unwrap()
        };
        let combinations = [
            ("a".to_owned(), &[of(3, "valid"), of(0, "client_limited")][..]),
            ("b".to_owned(), &[of(0, "valid"), of(0, "valid")][..]),
        ];
        insta::assert_snapshot!(overview(&combinations), @r"
            ┌─────────────┬──────┬─────────┬───────────────────────────┐
            │ Combination │ Runs │  Failed │ Verdict                   │
            ├─────────────┼──────┼─────────┼───────────────────────────┤
            │ a           │    2 │ 3 of 13 │ 1 valid, 1 client-limited │
            │ b           │    2 │       0 │ valid                     │
            └─────────────┴──────┴─────────┴───────────────────────────┘
            ");
    }

    #[test]
    fn an_overview_has_a_row_a_combination() {
        let combinations = [
            ("tp=1".to_owned(), &[run(10.0), run(12.0), run(14.0)][..]),
            ("tp=2".to_owned(), &[run(30.0)][..]),
        ];
        insta::assert_snapshot!(overview(&combinations), @r"
            ┌─────────────┬──────┬────────┬───────────────┐
            │ Combination │ Runs │ Failed │ Output tokens │
            │             │      │        │       (tok/s) │
            ├─────────────┼──────┼────────┼───────────────┤
            │ tp=1        │    3 │      0 │     12 ± 4.97 │
            │ tp=2        │    1 │      0 │            30 │
            └─────────────┴──────┴────────┴───────────────┘
            ");
    }
}
