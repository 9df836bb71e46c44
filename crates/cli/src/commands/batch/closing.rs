//! What came of a batch, read from its folder: the closing table, why combinations have no result, and what to do next.
//!
//! Figures are taken from the results as they are, under vLLM's keys and in its units; a figure that a result names under
//! `not_applicable` is absent.

use std::path::Path;

use jiff::Zoned;
use serde_json::Value;
use tokometer_report::gathered::AGGREGATE;

use super::folder::Folder;
use super::gist::gist;
use crate::commands::aggregate::quoted;
use crate::commands::counted;
use crate::dialect::llm_benchmark::{Batch, Combination, Order};
use crate::exit::Exit;

/// A row of the closing table.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    name: String,
    came: Came,
}

/// What came of a combination.
#[derive(Clone, Debug, PartialEq)]
enum Came {
    /// A result.
    Result {
        completed: u64,
        failed: u64,
        /// Tokens of output per second.
        output: Option<f64>,
        /// Means, in milliseconds.
        ttft: Option<f64>,
        tpot: Option<f64>,
        verdict: String,
    },
    /// No result, for this reason.
    Failed(String),
    /// It was not run, or not to its end.
    Missing,
}

impl Row {
    /// The row of a combination with this result.
    pub(super) fn of_result(name: &str, result: &Value) -> Self {
        let absent = |key: &str| {
            let absent = result.get("not_applicable").and_then(Value::as_array);
            absent.is_some_and(|keys| keys.iter().any(|absent| absent == key))
        };
        let figure = |key: &str| result.get(key)?.as_f64().filter(|_| !absent(key));
        let count = |key: &str| result.get(key).and_then(Value::as_u64).unwrap_or(0);
        let verdict = result.pointer("/verdict/kind").and_then(Value::as_str);
        let came = Came::Result {
            completed: count("completed"),
            failed: count("failed"),
            output: figure("output_throughput"),
            ttft: figure("mean_ttft_ms"),
            tpot: figure("mean_tpot_ms"),
            verdict: verdict.unwrap_or("not_judged").to_owned(),
        };
        Self { name: name.to_owned(), came }
    }

    /// In words: `10 ok, 0 failed; 108.9 tok/s out, TTFT 19.3 ms, TPOT 9.16 ms; valid`.
    pub(super) fn in_words(&self) -> String {
        let Came::Result { completed, failed, output, ttft, tpot, verdict } = &self.came else {
            return self.name.clone();
        };
        let figures = [
            output.map(|output| format!("{output:.1} tok/s out")),
            ttft.map(|ttft| format!("TTFT {ttft:.1} ms")),
            tpot.map(|tpot| format!("TPOT {tpot:.2} ms")),
        ];
        let figures: Vec<String> = figures.into_iter().flatten().collect();
        format!("{completed} ok, {failed} failed; {}; {}", figures.join(", "), in_words(verdict))
    }

    fn cells(&self) -> [String; 7] {
        let name = self.name.clone();
        let none = || "-".to_owned();
        match &self.came {
            Came::Result { completed, failed, output, ttft, tpot, verdict } => {
                let figure = |value: Option<f64>, digits: usize| {
                    value.map_or_else(none, |value| format!("{value:.digits$}"))
                };
                let counts = [completed.to_string(), failed.to_string()];
                let [completed, failed] = counts;
                let (output, ttft, tpot) = (figure(*output, 1), figure(*ttft, 1), figure(*tpot, 2));
                [name, completed, failed, output, ttft, tpot, in_words(verdict)]
            }
            Came::Failed(_) => [name, none(), none(), none(), none(), none(), "failed".into()],
            Came::Missing => [name, none(), none(), none(), none(), none(), "not run".into()],
        }
    }
}

/// What came of a batch.
pub(super) struct Close {
    /// By number.
    rows: Vec<Row>,
    /// As a shell takes it.
    folder: String,
    /// The table that would be made of it now, as a shell takes it.
    table: String,
}

impl Close {
    /// Reads it from the folder.
    pub(super) fn of(batch: &Batch, folder: &Folder) -> Self {
        let row = |name: &String| match (folder.result(name), folder.error(name)) {
            (Some(result), _) => Row::of_result(name, &result),
            (None, Some(why)) => Row { name: name.clone(), came: Came::Failed(why) },
            (None, None) => Row { name: name.clone(), came: Came::Missing },
        };
        let mut all: Vec<&Combination> =
            batch.planned.iter().map(|planned| &planned.combination).collect();
        // As it was written it stays; what was shuffled is found again by number.
        if batch.config.order == Some(Order::Random) {
            all.sort_by(|a, b| a.by_number(b));
        }
        let rows = all.into_iter().map(|combination| row(&combination.name)).collect();
        let date = Zoned::now().strftime("%Y%m%d");
        let table = folder.path().join(format!("{AGGREGATE}{date}.csv"));
        Self { rows, folder: quoted(folder.path()), table: quoted(&table) }
    }

    /// The closing table.
    pub(super) fn table(&self) -> String {
        let heads = ["combination", "ok", "failed", "out tok/s", "TTFT ms", "TPOT ms", "verdict"];
        let rows = std::iter::once(heads.map(str::to_owned));
        let rows: Vec<[String; 7]> = rows.chain(self.rows.iter().map(Row::cells)).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
        let widths: [usize; 7] = std::array::from_fn(|column| width(column).unwrap_or(0));
        let line = |row: &[String; 7]| {
            let [name, figures @ .., verdict] = row;
            let mut line = format!("{name:<0$}", widths[0]);
            for (figure, width) in figures.iter().zip(&widths[1..]) {
                line.push_str(&format!("  {figure:>width$}"));
            }
            line + "  " + verdict + "\n"
        };
        rows.iter().map(line).collect()
    }

    /// Why combinations have no result, and what to do next; `config` is the batch's file.
    pub(super) fn explain(&self, config: &Path) -> Vec<String> {
        let config = quoted(config);
        let mut said = Vec::new();
        let mut missing = 0;
        let mut failed = 0;
        for row in &self.rows {
            match &row.came {
                Came::Failed(why) => {
                    failed += 1;
                    said.push(format!("failed: {}: {}", row.name, gist(why)));
                }
                Came::Missing => missing += 1,
                Came::Result { .. } => {}
            }
        }
        let Self { folder, rows, table } = self;
        if failed + missing > 0 {
            let (of, without) = (rows.len(), failed + missing);
            said.push(format!(
                "{without} of {} have no result (each failed one has its NAME.error.txt); to run those alone: tokometer batch --config {config} --resume {folder}",
                counted(of, "combination")
            ));
        }
        if failed + missing < rows.len() {
            said.push(format!("\nresults are in {folder}; next:"));
            said.push(format!("  tokometer aggregate --dir {folder}"));
            said.push(format!("  tokometer visualize --csv {table}"));
            said.push(format!("  tokometer report {folder} --html report.html"));
        }
        said
    }

    /// The exit code that the batch deserves: what is missing says more than what failed within, for there is nothing to read of it.
    pub(super) fn exit(&self) -> Exit {
        let any = |holds: fn(&Came) -> bool| self.rows.iter().any(|row| holds(&row.came));
        if any(|came| *came == Came::Missing) {
            return Exit::Interrupted;
        }
        if any(|came| matches!(came, Came::Failed(_))) {
            return Exit::Incomplete;
        }
        let deserved = [
            (Exit::RequestsFailed, any(|came| matches!(came, Came::Result { failed: 1.., .. }))),
            (
                Exit::ClientLimited,
                any(
                    |came| matches!(came, Came::Result { verdict, .. } if verdict == CLIENT_LIMITED),
                ),
            ),
        ];
        let deserved: Vec<Exit> =
            deserved.into_iter().filter(|(_, holds)| *holds).map(|(exit, _)| exit).collect();
        Exit::of_run(&deserved)
    }
}

/// What would be run: each combination with the name of its result, and whether it is there already.
pub(super) fn listed(batch: &Batch, before: Option<&Folder>) -> String {
    let folder = match before {
        Some(folder) => folder.path().display().to_string(),
        None => {
            let name = super::folder::name(&batch.config.model, &jiff::Zoned::now());
            let model = name.get(..name.len() - "YYYYmmdd_HHMMSS".len()).unwrap_or(&name);
            format!("{}/{model}<time>", batch.config.results_dir().display())
        }
    };
    let widest = |planned: &crate::dialect::llm_benchmark::Planned| planned.combination.name.len();
    let widest = batch.planned.iter().map(widest).max().unwrap_or(0) + ".json".len();
    let mut text = format!("{folder}/\n");
    let mut requests = 0_u64;
    for (index, planned) in batch.planned.iter().enumerate() {
        let combination = &planned.combination;
        let there = before.is_some_and(|folder| folder.result(&combination.name).is_some());
        if !there {
            requests = requests.saturating_add(
                planned.resolved.plan.points.iter().map(tokometer_plan::Point::requests).sum(),
            );
        }
        let file = format!("{}.json", combination.name);
        let note = if there { "; is there" } else { "" };
        text.push_str(&format!("{:>4}  {file:<widest$}  {combination}{note}\n", index + 1));
    }
    let count = counted(batch.planned.len(), "combination");
    text + &format!("{count}, {requests} requests to send\n")
}

fn in_words(verdict: &str) -> String {
    match verdict {
        CLIENT_LIMITED => "client-limited".to_owned(),
        other => other.replace('_', " "),
    }
}

/// How a result calls a client that was too slow.
const CLIENT_LIMITED: &str = "client_limited";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn result(failed: u64, verdict: &str) -> Value {
        json!({
            "completed": 10, "failed": failed, "output_throughput": 108.94, "mean_ttft_ms": 19.31,
            "mean_tpot_ms": 9.163, "verdict": { "kind": verdict }, "not_applicable": [],
        })
    }

    fn close(rows: Vec<Row>) -> Close {
        Close { rows, folder: "results/m_1".into(), table: "results/m_1/table.csv".into() }
    }

    fn failed(name: &str) -> Row {
        Row { name: name.into(), came: Came::Failed("no request succeeded".into()) }
    }

    #[test]
    fn the_table_shows_figures_where_there_are_any() {
        let mut whole = result(0, "valid");
        whole["not_applicable"] = json!(["mean_tpot_ms"]);
        let rows = vec![
            Row::of_result("bench_io512x512_mc1_np10", &result(2, "client_limited")),
            Row::of_result("bench_io512x1_mc1_np10", &whole),
            failed("bench_io9000x512_mc1_np10"),
            Row { name: "bench_io1x1_mc1_np1".into(), came: Came::Missing },
        ];
        insta::assert_snapshot!(close(rows).table(), @"
        combination                ok  failed  out tok/s  TTFT ms  TPOT ms  verdict
        bench_io512x512_mc1_np10   10       2      108.9     19.3     9.16  client-limited
        bench_io512x1_mc1_np10     10       0      108.9     19.3        -  valid
        bench_io9000x512_mc1_np10   -       -          -        -        -  failed
        bench_io1x1_mc1_np1         -       -          -        -        -  not run
        ");
    }

    #[test]
    fn what_has_no_result_is_explained_and_can_be_run_again() {
        let rows = vec![Row::of_result("a", &result(0, "valid")), failed("b")];
        insta::assert_snapshot!(close(rows).explain(Path::new("config.yaml")).join("\n"), @"
        failed: b: no request succeeded
        1 of 2 combinations have no result (each failed one has its NAME.error.txt); to run those alone: tokometer batch --config config.yaml --resume results/m_1

        results are in results/m_1; next:
          tokometer aggregate --dir results/m_1
          tokometer visualize --csv results/m_1/table.csv
          tokometer report results/m_1 --html report.html
        ");
    }

    #[test]
    fn the_exit_code_tells_the_worst_that_came_of_it() {
        let row = |failed, verdict| Row::of_result("a", &result(failed, verdict));
        let missing = || Row { name: "c".into(), came: Came::Missing };
        let exit = |rows| close(rows).exit();
        assert_eq!(exit(vec![row(0, "valid")]), Exit::Done);
        assert_eq!(exit(vec![row(0, "valid"), row(0, "client_limited")]), Exit::ClientLimited);
        assert_eq!(exit(vec![row(0, "client_limited"), row(3, "valid")]), Exit::RequestsFailed);
        assert_eq!(exit(vec![row(3, "client_limited"), failed("b")]), Exit::Incomplete);
        assert_eq!(exit(vec![failed("b"), missing()]), Exit::Interrupted);
    }
}
