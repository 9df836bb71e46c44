//! The sweep: a line for each point, sorted by number, and the charts over all of them.
//!
//! Table and charts are made of the same cases: one throughput and one rule for percentiles, vLLM's, whoever measured.

use tokometer_metrics::catalog::{
    E2E, FULL_OUTPUT_THROUGHPUT, FULL_REQUEST_THROUGHPUT, FULL_TOTAL_THROUGHPUT, ICL, Metric, TPOT,
    TTFT,
};

use super::body::Body;
use super::names;
use super::study_page::Placed;
use super::table::{Cell, Column, Table};
use crate::cases::Case;
use crate::charts::{self, SWEEP_CHARTS};
use crate::grid::Tone;
use crate::number::{count, share};
use crate::words::Words;

/// The table and the charts.
pub(super) fn body(places: &[Placed<'_>], others: &[Case], cases: &[Case]) -> Body {
    let charts = SWEEP_CHARTS.iter().fold(Body::new(), |body, chart| match (chart.draw)(cases) {
        Some(figure) => body.figure(charts::words(chart.title), charts::words(chart.about), figure),
        None => body,
    });
    let body = match failing(cases) {
        Some(note) => Body::new().note(Tone::Poor, note),
        None => Body::new(),
    };
    let body = body.table(table(places, others)).paragraph(DEFINED);
    if charts.is_empty() { body } else { body.part(Words::fixed("Charts", "图表"), charts) }
}

/// That some requests are in no latency, where some are not.
fn failing(cases: &[Case]) -> Option<Words> {
    let failing = cases.iter().filter(|case| case.failed_share().is_some()).count();
    let all = cases.len();
    (failing > 0).then(|| {
        Words::both(
            format!(
                "Requests that failed are in no latency: at {failing} of {all} loads some did."
            ),
            format!("失败的请求不计入任何延迟：{all} 个负载点中有 {failing} 个出现失败。"),
        )
    })
}

fn table(places: &[Placed<'_>], others: &[Case]) -> Table {
    let about = |name: Words, metric: &Metric| Column::right(name).about(names::definition(metric));
    let columns = vec![
        Column::left(Words::fixed("Load", "负载")),
        Column::left(Words::fixed("Verdict", "判定")),
        Column::right(Words::fixed("Requests", "请求数")),
        Column::right(Words::fixed("Success", "成功率")),
        about("req/s".into(), &FULL_REQUEST_THROUGHPUT),
        about(Words::fixed("Output (tok/s)", "输出 (tok/s)"), &FULL_OUTPUT_THROUGHPUT),
        about(Words::fixed("Total (tok/s)", "总计 (tok/s)"), &FULL_TOTAL_THROUGHPUT),
        about("TTFT (ms)".into(), &TTFT),
        about("P99 TTFT".into(), &TTFT),
        about("TPOT (ms)".into(), &TPOT),
        about("P99 TPOT".into(), &TPOT),
        about("P99 ITL".into(), &ICL),
        about("E2E (s)".into(), &E2E),
    ];
    let caption = Words::fixed(
        "Every load: means, and 99th percentiles where they are named",
        "各负载点：均值，以及标明的 P99",
    );
    Table::new(caption, columns).rows(places.iter().map(measured)).rows(others.iter().map(read))
}

/// A point with a log.
fn measured(placed: &Placed<'_>) -> Vec<Cell> {
    let summary = &placed.point.summary;
    let counts = summary.counts;
    let (tone, word) = names::verdict(&summary.verdict);
    let verdict = Cell::new(word).tone(tone);
    let verdict = match names::ending(summary) {
        Some(ending) => verdict.below(ending),
        None => verdict,
    };
    let mut cells = vec![
        Cell::new(&placed.name).to(&placed.id),
        verdict,
        Cell::new(count(counts.measured)),
        success(counts.succeeded, counts.measured, counts.broken()),
    ];
    cells.extend(figures(&placed.case));
    cells
}

/// A result without a log.
fn read(case: &Case) -> Vec<Cell> {
    let number = |key: &str| case.figure(key).map(|value| value.max(0.0) as u64);
    let (completed, failed) = (number("completed"), number("failed"));
    let sent = completed.map(|completed| completed + failed.unwrap_or(0));
    let mut cells = vec![
        Cell::new(case.label()).below(crate::prose::quoted(&case.source, 80)),
        Cell::new(Words::fixed("no log", "无日志")),
        sent.map_or_else(Cell::absent, |sent| Cell::new(count(sent))),
        match (completed, sent, failed) {
            (Some(completed), Some(sent), Some(failed)) => success(completed, sent, failed),
            _ => Cell::absent(),
        },
    ];
    cells.extend(figures(case));
    cells
}

fn success(succeeded: u64, sent: u64, failed: u64) -> Cell {
    let cell = Cell::new(share(succeeded, sent));
    match failed {
        0 => cell,
        failed => {
            let told = count(failed);
            cell.tone(Tone::Poor)
                .below(Words::both(format!("{told} failed"), format!("{told} 个失败")))
        }
    }
}

/// The figures of a case, under vLLM's keys and in its units but for lengths of whole requests, which are in seconds.
fn figures(case: &Case) -> Vec<Cell> {
    FIGURES
        .iter()
        .map(|&(key, scale, digits)| match case.figure(key) {
            Some(value) if !(key == "output_throughput" && lacks_outputs(case)) => {
                Cell::new(names::figure(value * scale, digits))
            }
            _ => Cell::absent(),
        })
        .collect()
}

/// Whether nothing put any output out though requests succeeded, as with embeddings: their throughput of outputs is not 0 but none.
fn lacks_outputs(case: &Case) -> bool {
    let is_above_zero = |key: &str| case.figure(key).is_some_and(|value| value > 0.0);
    is_above_zero("completed")
        && !is_above_zero("total_output_tokens")
        && !is_above_zero("output_throughput")
}

/// Keys of a case, by what each is multiplied, and its decimals.
const FIGURES: [(&str, f64, usize); 9] = [
    ("request_throughput", 1.0, 2),
    ("output_throughput", 1.0, 2),
    ("total_token_throughput", 1.0, 2),
    ("mean_ttft_ms", 1.0, 2),
    ("p99_ttft_ms", 1.0, 2),
    ("mean_tpot_ms", 1.0, 2),
    ("p99_tpot_ms", 1.0, 2),
    ("p99_itl_ms", 1.0, 2),
    ("mean_e2el_ms", 1e-3, 3),
];

const DEFINED: Words = Words::fixed(
    "Table and charts follow vLLM's definitions: throughputs are over the time from the schedule's beginning to the last end, percentiles \
     interpolate linearly, ITL is the gap from chunk to chunk. A finding that states another throughput says so; EvalScope's stand \
     among all figures of a point. What EvalScope's own files tell is by nearest rank, and taken as it stands.",
    "表格与图表采用 vLLM 的定义：吞吐量按从发送计划开始到最后一个请求结束的时间计算，百分位数用线性插值，ITL 为相邻数据块的间隔。\
     采用其他吞吐量的发现会注明；EvalScope 的数值列在负载点的全部指标中。EvalScope 自身文件中的百分位数按最近秩计算，原样采用。",
);

#[cfg(test)]
mod tests {
    use super::*;

    fn case(figures: &[(&str, f64)]) -> Case {
        let figures = figures.iter().map(|&(key, value)| (key.to_owned(), value)).collect();
        Case { figures, ..Case::default() }
    }

    #[test]
    fn embeddings_have_no_throughput_of_outputs_and_a_load_that_failed_has_one_of_zero() {
        let shown = |figures: &[(&str, f64)]| self::figures(&case(figures))[1].text.to_string();
        assert_eq!(shown(&[("completed", 8.0), ("output_throughput", 0.0)]), "–");
        assert_eq!(shown(&[("completed", 0.0), ("output_throughput", 0.0)]), "0");
        assert_eq!(shown(&[("completed", 8.0), ("output_throughput", 12_345.6)]), "12,346");
    }

    #[test]
    fn failures_are_told_beside_their_share_and_as_a_note_over_the_latencies() {
        let one = case(&[("completed", 150.0), ("failed", 10.0)]);
        let success = read(&one)[3].clone();
        assert_eq!(&*success.text, "93.8%");
        assert_eq!(success.below.as_deref(), Some("10 failed"));
        let note = failing(&[one, case(&[("completed", 5.0), ("failed", 0.0)])]).unwrap();
        assert!(note.ends_with("at 1 of 2 loads some did."), "{}", &*note);
        assert_eq!(failing(&[case(&[("completed", 5.0)])]), None);
    }
}
