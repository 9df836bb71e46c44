//! A point on the page: counts, percentiles, the steady part, figures, the service's own side, errors and notes.

use tokometer_metrics::gist;
use tokometer_metrics::summary::PointSummary;
use tokometer_metrics::verdict::Verdict;
use tokometer_record::Header;

use super::body::Body;
use super::table::{Cell, Column, Table};
use super::{latencies, names, served};
use crate::charts::{self, POINT_CHARTS};
use crate::grid::Tone;
use crate::number::{count, share, shortest};
use crate::prose::quoted;
use crate::study::StudiedPoint;
use crate::words::Words;
use crate::{advice, chinese, notes};

/// All of a point.
pub(super) fn body(header: &Header, point: &StudiedPoint) -> Body {
    let summary = &point.summary;
    verdict(summary)
        .facts(counts(summary))
        .part(Words::fixed("Latencies", "延迟"), noted(summary, latencies::percentiles(summary)))
        .part(Words::fixed("Steady part", "稳态区段"), latencies::steady(point))
        .part(Words::fixed("Figures", "图表"), noted(summary, charts(point)))
        .part(Words::fixed("The service's own side", "服务端自身数据"), served::of(point))
        .part(Words::fixed("Errors", "错误"), errors(header, summary))
        .part(Words::fixed("Notes", "说明"), told(header, summary))
        .raw(
            Words::fixed("All figures of the point", "该负载点的全部指标"),
            latencies::figures(summary),
        )
}

/// Behind what must be known of any latencies in it.
fn noted(summary: &PointSummary, body: Body) -> Body {
    match names::not_in_latencies(summary) {
        Some(note) if !body.is_empty() => Body::new().note(Tone::Poor, note).join(body),
        _ => body,
    }
}

/// The verdict with its reasons.
fn verdict(summary: &PointSummary) -> Body {
    let (tone, name) = names::verdict(&summary.verdict);
    use crate::words::Language::{Chinese, English};
    let meaning = match &summary.verdict {
        Verdict::Valid => "the client kept up: the figures are the server's".to_owned(),
        Verdict::ClientLimited { .. } => {
            "these figures are partly the client's own, not the server's".to_owned()
        }
        Verdict::NotJudged { doubt } => doubt.to_string(),
    };
    let chinese_meaning = match &summary.verdict {
        Verdict::NotJudged { doubt } => chinese::doubt(doubt),
        verdict => chinese::verdict_means(verdict).to_owned(),
    };
    let line = Words::both(
        format!("Verdict: {}: {meaning}.", name.told(English)),
        format!("判定：{}。{chinese_meaning}。", name.told(Chinese)),
    );
    let reasons = summary.verdict.reasons().iter().map(|reason| {
        Words::both(
            format!("{reason}: {}.", reason.advice()),
            format!("{}：{}。", chinese::reason(reason), chinese::reason_advice(reason)),
        )
    });
    let body = Body::new().note(tone, line).list(reasons.collect());
    match names::ending(summary) {
        None => body,
        Some(ending) => body.note(
            Tone::Fair,
            Words::both(
                format!("The point is not complete: {}.", ending.told(English)),
                format!("该负载点不完整：{}。", ending.told(Chinese)),
            ),
        ),
    }
}

fn counts(summary: &PointSummary) -> Vec<(Cell, Cell)> {
    let counts = summary.counts;
    let mut facts = vec![
        (Words::fixed("Requests", "请求数"), Cell::new(count(counts.measured))),
        (Words::fixed("Succeeded", "成功"), {
            let cell = Cell::new(format!(
                "{} ({})",
                count(counts.succeeded),
                share(counts.succeeded, counts.measured)
            ));
            if counts.succeeded == counts.measured { cell } else { cell.tone(Tone::Fair) }
        }),
    ];
    let mut some = |name: Words, number: u64, tone: Tone| {
        if number > 0 {
            facts.push((name, Cell::new(count(number)).tone(tone)));
        }
    };
    some(Words::fixed("Failed", "失败"), counts.broken(), Tone::Poor);
    some(Words::fixed("Cancelled", "取消"), counts.cancelled, Tone::Fair);
    some(Words::fixed("Warm-up", "预热"), counts.warmup, Tone::Neutral);
    some(Words::fixed("Warm-up failed", "预热失败"), counts.warmup_failed, Tone::Poor);
    some(Words::fixed("Probes", "探针"), counts.probes, Tone::Neutral);
    some(Words::fixed("Connections opened", "新建连接"), counts.connections_opened, Tone::Neutral);
    let mut facts: Vec<(Cell, Cell)> =
        facts.into_iter().map(|(name, value)| (Cell::new(name), value)).collect();
    use tokometer_metrics::catalog as c;
    // By vLLM's definitions, as in the sweep, the charts and the Markdown; EvalScope's stand among all figures.
    for (called, metric) in [
        (&c::DURATION, &c::FULL_DURATION),
        (&c::REQUEST_THROUGHPUT, &c::FULL_REQUEST_THROUGHPUT),
        (&c::OUTPUT_THROUGHPUT, &c::FULL_OUTPUT_THROUGHPUT),
        (&c::TOTAL_THROUGHPUT, &c::FULL_TOTAL_THROUGHPUT),
        (&c::MEAN_CONCURRENCY, &c::MEAN_CONCURRENCY),
    ] {
        if summary.figure(metric).is_none() {
            continue;
        }
        let name = Cell::new(names::metric(called)).about(names::definition(metric));
        let value = names::whole(summary, metric);
        let value = value.map(|value| Cell::new(names::Shown::with_unit(metric, value)));
        facts.push((name, value.unwrap_or_else(Cell::absent)));
    }
    facts
}

fn charts(point: &StudiedPoint) -> Body {
    POINT_CHARTS.iter().fold(Body::new(), |body, chart| {
        match (chart.draw)(&point.summary, &point.course) {
            Some(figure) => {
                body.figure(charts::words(chart.title), charts::words(chart.about), figure)
            }
            None => body,
        }
    })
}

/// Why requests failed, in the server's words.
fn errors(header: &Header, summary: &PointSummary) -> Body {
    let columns = vec![
        Column::left(Words::fixed("Cause", "原因")),
        Column::right(Words::fixed("Count", "次数")),
        Column::left(Words::fixed("What was said", "返回的信息")),
        Column::left(Words::fixed("What to do", "建议")),
    ];
    let rows = summary.failures.iter().map(|group| {
        let said = |first: &str, id: &str| {
            let each = group.messages.iter().map(|message| {
                format!(
                    "{} × \"{}\" ({first} {}, {id} {})",
                    count(message.count),
                    quoted(&gist(&message.message), LONGEST_QUOTE),
                    message.index,
                    quoted(&message.request_id, LONGEST_ID)
                )
            });
            each.collect::<Vec<_>>().join("; ")
        };
        let others = (group.others > 0).then(|| {
            Words::both(
                format!("and {} in other words", count(group.others)),
                format!("另有 {} 次为其他信息", count(group.others)),
            )
        });
        let mut quotation =
            Cell::new(Words::both(said("first: request", "id"), said("首个请求", "ID")));
        if let Some(others) = others {
            quotation = quotation.below(others);
        }
        let next = match group.cancelled() {
            true => Cell::absent(),
            false => Cell::new(advice::on(group.kind, &header.dialect)),
        };
        let kind = Words::both(group.kind.to_string(), chinese::failure(group.kind));
        let tone = if group.cancelled() { Tone::Neutral } else { Tone::Poor };
        vec![Cell::new(kind).tone(tone), Cell::new(count(group.count)), quotation, next]
    });
    Body::new().table(Table::new("", columns).rows(rows))
}

/// What else is to be known, and the client's worst stall.
fn told(header: &Header, summary: &PointSummary) -> Body {
    let mut notes: Vec<Words> =
        notes::of(header, summary).into_iter().map(|note| note.text.into()).collect();
    if let Some(asked) = summary.point.duration {
        let seconds = shortest(asked, 1);
        notes.push(Words::both(
            format!("Requests were sent for {seconds} s at most."),
            format!("最多发送请求 {seconds} 秒。"),
        ));
    }
    Body::new().list(notes)
}

/// The longest quotation of a server's words, in characters, and the longest of a request's id.
const LONGEST_QUOTE: usize = 300;
const LONGEST_ID: usize = 80;
