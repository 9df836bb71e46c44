//! The service's own side of a point: its gauges and counters as a table in both languages, and all that was heard as the console
//! tells it, in English.

use tokometer_metrics::server::{Cache, Level};
use tokometer_record::Signal;

use super::body::Body;
use super::names;
use super::table::{Cell, Column, Table};
use crate::number::{count, fixed};
use crate::server_side;
use crate::study::StudiedPoint;
use crate::words::Words;

/// What was heard. Empty where nothing was, and nothing stood in the way.
pub(super) fn of(point: &StudiedPoint) -> Body {
    let (side, began) = (&point.summary.side, point.load_began());
    let told = server_side::told(side);
    if told.is_empty() && side.remarks.is_empty() {
        return Body::new();
    }
    let columns = vec![
        Column::left(Words::fixed("Figure", "指标")),
        Column::right(Words::fixed("Mean", "均值")),
        Column::right(Words::fixed("Most", "最大")),
        Column::right(Words::fixed("When (s of the load)", "时刻（负载开始后的秒数）")),
    ];
    let levels = side.levels.iter().filter_map(|(&signal, level)| gauge(signal, level, began));
    let gauges =
        Table::new(Words::fixed("Gauges while the load was on", "负载期间的仪表值"), columns)
            .rows(levels);
    let mut totals: Vec<(Cell, Cell)> = Vec::new();
    if !side.servers.is_empty() {
        totals
            .push((Cell::new(Words::fixed("Server", "服务")), Cell::new(side.servers.join(", "))));
    }
    let mut put = |name: Words, value: Option<String>| {
        totals.extend(value.map(|value| (Cell::new(name), Cell::new(value))));
    };
    let speed = |tokens: f64| format!("{} tok/s", number(tokens));
    put(
        Words::fixed("Prompt throughput", "提示吞吐量"),
        side.throughput.map(|through| speed(through.prompt)),
    );
    put(
        Words::fixed("Generation throughput", "生成吞吐量"),
        side.throughput.map(|through| speed(through.generation)),
    );
    let rate = |cache: Option<Cache>| cache.and_then(|cache| cache.hit_rate()).map(percent);
    put(Words::fixed("Prefix cache hits", "前缀缓存命中率"), rate(side.prefix_cache));
    put(Words::fixed("External cache hits", "外部缓存命中率"), rate(side.external_cache));
    put(Words::fixed("Multimodal cache hits", "多模态缓存命中率"), rate(side.multimodal_cache));
    for (signal, name) in COUNTED {
        put(name, side.growth(signal).map(|grown| count(grown.max(0.0).round() as u64)));
    }
    let rows = told.into_iter().map(|row| row.into_iter().map(Cell::new).collect());
    let head = ["Figure", "Value", "What it says"].map(Column::left);
    let load = fixed(began, 1);
    let clock = Words::both(
        format!(
            "Moments in this table count from the beginning of the run; the load began at {load} s"
        ),
        format!("本表中的时刻从运行开始算起；负载开始于第 {load} 秒"),
    );
    let full = Table::new(clock, head.into()).rows(rows);
    let remarks = side.remarks.iter().map(|remark| {
        Words::from(format!(
            "{} at {} s of the load: {}",
            crate::prose::quoted(&remark.source, 120),
            names::moment(remark.at, began),
            crate::prose::quoted(&remark.detail, 300)
        ))
    });
    Body::new()
        .table(gauges)
        .facts(totals)
        .raw(
            Words::fixed("All that was heard, and what it says", "全部服务端信息及其含义（英文）"),
            Body::new().table(full),
        )
        .list(remarks.take(REMARKS).collect())
}

fn gauge(signal: Signal, level: &Level, began: f64) -> Option<Vec<Cell>> {
    let (name, shown): (Words, fn(f64) -> String) = match signal {
        Signal::Running => (Words::fixed("Running requests", "运行中的请求"), number),
        Signal::Waiting => (Words::fixed("Waiting requests", "排队的请求"), number),
        Signal::WaitingForCapacity => {
            (Words::fixed("Waiting for capacity", "等待容量的请求"), number)
        }
        Signal::WaitingDeferred => {
            (Words::fixed("Waiting otherwise", "因其他原因等待的请求"), number)
        }
        Signal::MaxRunning => (Words::fixed("Places", "可同时运行的请求数"), number),
        Signal::KvUsage => (Words::fixed("KV cache in use", "KV 缓存使用率"), percent),
        Signal::KvTokens => (Words::fixed("KV cache (tokens)", "KV 缓存容量（token）"), number),
        Signal::PromptThroughput => {
            (Words::fixed("Prompt throughput (tok/s)", "提示吞吐量（tok/s）"), number)
        }
        Signal::GenerationThroughput => {
            (Words::fixed("Generation throughput (tok/s)", "生成吞吐量（tok/s）"), number)
        }
        Signal::PrefixHitRate => (Words::fixed("Prefix cache hits", "前缀缓存命中率"), percent),
        Signal::AcceptanceLength => {
            (Words::fixed("Mean acceptance length", "平均接受长度"), number)
        }
        Signal::AcceptanceRate => (Words::fixed("Draft acceptance rate", "草稿接受率"), percent),
        _ => return None,
    };
    let at = match level.readings {
        0 => Cell::absent(),
        _ => Cell::new(names::moment(level.max_at, began)),
    };
    Some(vec![Cell::new(name), Cell::new(shown(level.mean)), Cell::new(shown(level.max)), at])
}

fn number(value: f64) -> String {
    names::figure(value, 1)
}

fn percent(share: f64) -> String {
    format!("{} %", fixed(100.0 * share, 1))
}

/// Counters whose growth is told.
const COUNTED: [(Signal, Words); 5] = [
    (Signal::Preemptions, Words::fixed("Preemptions", "抢占次数")),
    (Signal::Finished, Words::fixed("Finished requests", "完成的请求")),
    (Signal::Aborted, Words::fixed("Aborted requests", "中止的请求")),
    (Signal::Errored, Words::fixed("Requests in error", "出错的请求")),
    (Signal::Rejected, Words::fixed("Rejected requests", "被拒绝的请求")),
];

/// So many remarks are told.
const REMARKS: usize = 12;
