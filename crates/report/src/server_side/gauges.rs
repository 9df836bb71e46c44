//! Requests, caches, tokens and speculation: what gauges and counters tell.
//!
//! Each figure by the server's metrics, and by its log where they do not tell it, which is then said.

use tokometer_metrics::ServerSide;
use tokometer_metrics::server::{Cache, Level, LogSide, Speculated};
use tokometer_record::Signal;

use super::{Depth, NO_READING, Row, advice, gauge, seconds, table};
use crate::number::{count, fixed, plural, shortest};

/// The rows of a point.
pub(super) fn rows(side: &ServerSide, depth: Depth) -> Vec<Row> {
    let mut rows = Vec::new();
    requests(side, depth, &mut rows);
    rows.extend(gauge_row(side, Signal::KvUsage, depth).or_else(|| missing(side, Signal::KvUsage)));
    if depth == Depth::Full {
        rows.extend(gauge_row(side, Signal::KvTokens, depth));
    }
    if let Some(times) = side.growth(Signal::Preemptions) {
        rows.push(Row::new("Preemptions", whole(times), advice::preemptions(times)));
    }
    throughput(side, depth, &mut rows);
    cache(side, side.prefix_cache, Signal::PrefixHitRate, depth, &mut rows);
    cache(side, side.external_cache, Signal::ExternalHitRate, depth, &mut rows);
    cache(side, side.multimodal_cache, Signal::MultimodalHitRate, depth, &mut rows);
    rows.extend(side.speculation.iter().flat_map(speculation));
    rows
}

/// How requests ended by the server's count, where that is worth a word.
pub(super) fn endings(side: &ServerSide) -> Vec<Row> {
    let told = [
        (Signal::Rejected, "Refused by the server", "! refused at its door: too many waited"),
        (Signal::Errored, "Ended in an error", "! look into the server's log"),
        (Signal::Aborted, "Given up", "the client went away, or gave up"),
    ];
    told.into_iter()
        .filter_map(|(signal, figure, says)| {
            let times = side.growth(signal).filter(|&times| times > 0.0)?;
            Some(Row::new(figure, whole(times), says))
        })
        .collect()
}

/// What a log said beside the metrics: a table of its own. Empty unless both were heard.
pub(super) fn by_the_log(side: &ServerSide) -> String {
    let Some(log) = side.log.as_ref().filter(|_| side.was_heard()) else { return String::new() };
    let mut rows: Vec<Row> = log
        .levels
        .iter()
        .filter_map(|(&signal, level)| {
            let says = match side.levels.get(&signal) {
                Some(scraped) => {
                    format!("by its metrics: {}", value(signal, scraped, Depth::Brief))
                }
                None => String::new(),
            };
            let says = of_the_log(log, signal, level, says);
            Some(Row::new(name(signal)?, value(signal, level, Depth::Full), says))
        })
        .collect();
    if !log.by_position.is_empty() {
        rows.push(positions(&log.by_position));
    }
    match rows.is_empty() {
        true => String::new(),
        false => {
            format!("By its log ({}):\n{}", plural(log.lines as u64, "line", "lines"), table(&rows))
        }
    }
}

fn requests(side: &ServerSide, depth: Depth, rows: &mut Vec<Row>) {
    if let Some((level, by_log)) = gauge(side, Signal::Running) {
        let cap = gauge(side, Signal::MaxRunning).map(|(cap, _)| cap.max);
        let says = match cap {
            Some(cap) => format!("of {} that may run at once", whole(cap)),
            None => advice::on(Signal::Running, level),
        };
        let says = match side.log.as_ref().filter(|_| by_log) {
            Some(log) => of_the_log(log, Signal::Running, level, says),
            None => says,
        };
        rows.push(row(Signal::Running, level, by_log, says, depth));
    }
    rows.extend(
        gauge(side, Signal::Running).is_none().then(|| missing(side, Signal::Running)).flatten(),
    );
    rows.extend(gauge_row(side, Signal::Waiting, depth).or_else(|| missing(side, Signal::Waiting)));
    for signal in [Signal::WaitingForCapacity, Signal::WaitingDeferred] {
        let waited = gauge(side, signal).is_some_and(|(level, _)| level.max > 0.0);
        if waited && depth == Depth::Full {
            rows.extend(gauge_row(side, signal, depth));
        }
    }
}

fn throughput(side: &ServerSide, depth: Depth, rows: &mut Vec<Row>) {
    let Some(through) = side.throughput else {
        rows.extend(gauge_row(side, Signal::PromptThroughput, depth));
        let generation = gauge_row(side, Signal::GenerationThroughput, depth);
        rows.extend(generation.or_else(|| before_the_load(side)));
        return;
    };
    let says = advice::on(Signal::PromptThroughput, &Level::default());
    let says = match through.computed {
        Some(computed) if computed < through.prompt => {
            format!("{says}; {} of it computed, the rest cached", speed(computed))
        }
        _ => says,
    };
    rows.push(Row::new("Prompt throughput", speed(through.prompt), says));
    let says = advice::on(Signal::GenerationThroughput, &Level::default());
    rows.push(Row::new("Generation throughput", speed(through.generation), says));
}

/// A cache by its counters, or else by the rate that the server reckons.
fn cache(
    side: &ServerSide,
    counted: Option<Cache>,
    signal: Signal,
    depth: Depth,
    rows: &mut Vec<Row>,
) {
    let Some((cache, rate)) = counted.and_then(|cache| Some((cache, cache.hit_rate()?))) else {
        rows.extend(gauge_row(side, signal, depth));
        return;
    };
    let what = if signal == Signal::MultimodalHitRate { "items" } else { "tokens" };
    let value = match depth {
        _ if cache.queries <= 0.0 => percent(rate) + AS_RECKONED,
        Depth::Brief => percent(rate),
        Depth::Full => {
            format!("{} ({} of {} {what})", percent(rate), whole(cache.hits), whole(cache.queries))
        }
    };
    let level = Level { mean: rate, max: rate, ..Level::default() };
    rows.push(Row::new(name(signal).unwrap_or_default(), value, advice::on(signal, &level)));
}

fn speculation(speculated: &Speculated) -> Vec<Row> {
    let origin = if speculated.reckoned { AS_RECKONED } else { "" };
    let length = shortest(speculated.acceptance_length, 2);
    let says = advice::acceptance_length(speculated.by_position.len());
    let mut rows = vec![Row::new("Mean acceptance length", length + origin, says)];
    let mut told = |signal, value: Option<f64>, shown: fn(f64) -> String| {
        let Some(value) = value else { return };
        let level = Level { mean: value, max: value, ..Level::default() };
        let figure = name(signal).unwrap_or_default();
        rows.push(Row::new(figure, shown(value) + origin, advice::on(signal, &level)));
    };
    told(Signal::AcceptanceRate, speculated.acceptance_rate, percent);
    told(Signal::AcceptedThroughput, speculated.accepted_throughput, speed);
    told(Signal::DraftedThroughput, speculated.drafted_throughput, speed);
    if !speculated.by_position.is_empty() {
        rows.push(positions(&speculated.by_position));
    }
    rows
}

fn positions(shares: &[f64]) -> Row {
    let each: Vec<String> = shares.iter().map(|share| fixed(100.0 * share, 0)).collect();
    Row::new("Accepted by position", format!("{} %", each.join(" / ")), advice::by_position(shares))
}

fn gauge_row(side: &ServerSide, signal: Signal, depth: Depth) -> Option<Row> {
    let (level, by_log) = gauge(side, signal)?;
    let says = advice::on(signal, level);
    let says = match side.log.as_ref().filter(|_| by_log) {
        Some(log) => of_the_log(log, signal, level, says),
        None => says,
    };
    Some(row(signal, level, by_log, says, depth))
}

/// What stands where metrics were heard, and a gauge that nearly every server tells has no figure.
fn missing(side: &ServerSide, signal: Signal) -> Option<Row> {
    let told = side.moments.iter().any(|moment| match signal {
        Signal::Running => moment.running.is_some(),
        Signal::Waiting => moment.waiting.is_some(),
        _ => moment.kv_usage.is_some(),
    });
    let says = if told { NO_READING } else { "not told, or not as a number" };
    side.was_heard().then(|| Row::new(name(signal).unwrap_or_default(), "–", says))
}

/// That a log told throughputs, and none that is of the load alone.
fn before_the_load(side: &ServerSide) -> Option<Row> {
    let told = || side.moments.iter().any(|moment| moment.generation_throughput.is_some());
    let log = side.log.as_ref().filter(|_| !side.was_heard() && told())?;
    let every = log.every.map_or_else(String::new, |every| format!(" ({} s)", shortest(every, 1)));
    let says = format!("no line's time{every} lies within the load");
    Some(Row::new("Generation throughput, by its log", "–", says))
}

/// What is to be known of a figure of a log beside what the figure says.
fn of_the_log(log: &LogSide, signal: Signal, level: &Level, says: String) -> String {
    let more = match (signal, log.in_flight) {
        (Signal::Running, Some(client)) if level.max > FAR_ABOVE * client as f64 + SOME => format!(
            "! far above the {} that the client had in flight: others' requests, several choices each, or another server's log",
            count(client)
        ),
        (Signal::PromptThroughput | Signal::GenerationThroughput, _) => match log.every {
            Some(every) => {
                format!("over the lines' own {} s, idle time included", shortest(every, 1))
            }
            None => "over the line's own time, idle time included".to_owned(),
        },
        _ => return says,
    };
    if says.is_empty() { more } else { format!("{says}; {more}") }
}

fn row(signal: Signal, level: &Level, by_log: bool, says: String, depth: Depth) -> Row {
    let figure = name(signal).unwrap_or_default();
    let origin = if by_log { ", by its log" } else { "" };
    Row::new(format!("{figure}{origin}"), value(signal, level, depth), says)
}

/// `151.2, at most 168`, in full with the moment.
fn value(signal: Signal, level: &Level, depth: Depth) -> String {
    let shown = match signal {
        Signal::KvUsage
        | Signal::PrefixHitRate
        | Signal::ExternalHitRate
        | Signal::MultimodalHitRate
        | Signal::AcceptanceRate => percent,
        Signal::PromptThroughput
        | Signal::GenerationThroughput
        | Signal::AcceptedThroughput
        | Signal::DraftedThroughput => speed,
        Signal::KvTokens | Signal::MaxRunning => whole,
        Signal::AcceptanceLength => |length| shortest(length, 2),
        _ => |number| shortest(number, 1),
    };
    let (mean, max) = (shown(level.mean), shown(level.max));
    match depth {
        _ if mean == max => mean,
        Depth::Brief => format!("{mean}, at most {max}"),
        Depth::Full => format!("{mean}, at most {max} (at {} s)", seconds(level.max_at)),
    }
}

/// The name of a gauge. Counters are told otherwise.
pub(super) const fn name(signal: Signal) -> Option<&'static str> {
    Some(match signal {
        Signal::Running => "Running requests",
        Signal::Waiting => "Waiting requests",
        Signal::WaitingForCapacity => "Waiting for capacity",
        Signal::WaitingDeferred => "Waiting otherwise",
        Signal::MaxRunning => "Places",
        Signal::KvUsage => "KV cache in use",
        Signal::KvTokens => "KV cache",
        Signal::PromptThroughput => "Prompt throughput",
        Signal::GenerationThroughput => "Generation throughput",
        Signal::PrefixHitRate => "Prefix cache hits",
        Signal::ExternalHitRate => "External cache hits",
        Signal::MultimodalHitRate => "Multimodal cache hits",
        Signal::AcceptanceLength => "Mean acceptance length",
        Signal::AcceptanceRate => "Draft acceptance rate",
        Signal::AcceptedThroughput => "Accepted throughput",
        Signal::DraftedThroughput => "Drafted throughput",
        _ => return None,
    })
}

fn percent(share: f64) -> String {
    format!("{} %", fixed(100.0 * share, 1))
}

fn speed(tokens: f64) -> String {
    format!("{} tok/s", shortest(tokens, 1))
}

fn whole(number: f64) -> String {
    count(number.max(0.0).round() as u64)
}

/// A log that has so many times as many running as the client had in flight, and some more, is not of the client's requests
/// alone: a server may count one a moment longer than the client.
const FAR_ABOVE: f64 = 1.5;
const SOME: f64 = 2.0;

/// What a server reckons over times of its own choosing is not of this load alone.
const AS_RECKONED: &str = " (as it reckons)";
