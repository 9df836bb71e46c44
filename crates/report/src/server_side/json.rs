//! The service's own side as data: all of it for `summary.json`, and its main figures for files of others.
//!
//! Moments are seconds since the run began, shares lie between 0 and 1, lengths of time are seconds. What was not told is absent or
//! null; an upper bound of null is none.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};
use tokometer_metrics::ServerSide;
use tokometer_metrics::server::{Cache, Level, Speculated, Spread};
use tokometer_record::{Offset, Signal};

/// Everything of a point that began then. Null where nothing was heard, and nothing stood in the way.
pub(crate) fn whole(side: &ServerSide, began: Offset) -> Value {
    if *side == ServerSide::default() {
        return Value::Null;
    }
    let mut map = Map::new();
    let mut put = |key: &str, value: Value| map.insert(key.to_owned(), value);
    put("servers", json!(side.servers));
    put("sources", json!(side.sources));
    put("same", json!(side.same));
    put("each", each(side));
    put("levels", keyed(&side.levels, level));
    put("grown", keyed(&side.grown, |grown| json!(grown)));
    put("throughput", throughput(side));
    put("prefix_cache", cache(side.prefix_cache));
    put("external_cache", cache(side.external_cache));
    put("multimodal_cache", cache(side.multimodal_cache));
    put("speculation", side.speculation.as_ref().map_or(Value::Null, speculation));
    put("timings", keyed(&side.timings, spread));
    put("beside", beside(side));
    put("counted", counted(side));
    put(
        "counted_between",
        json!(side.between.map(|(from, to)| [from, to].map(Offset::as_secs_f64))),
    );
    put("log", log(side));
    put("gpus", gpus(side));
    put("resets", side.resets.iter().map(|at| at.as_secs_f64()).collect());
    put("answering_in_turn", json!(side.in_turn));
    put("remarks", remarks(side));
    put("moments", moments(side, began));
    Value::Object(map)
}

/// The main figures. Null where nothing was heard, and nothing stood in the way.
pub(crate) fn brief(side: &ServerSide) -> Value {
    if *side == ServerSide::default() {
        return Value::Null;
    }
    let main = [Signal::Running, Signal::Waiting, Signal::KvUsage];
    let levels: BTreeMap<Signal, Level> = main
        .into_iter()
        .filter_map(|signal| Some((signal, *super::gauge(side, signal)?.0)))
        .collect();
    let rate = |cache: Option<Cache>| json!(cache.and_then(|cache| cache.hit_rate()));
    json!({
        "servers": side.servers,
        "levels": keyed(&levels, level),
        "preemptions": side.growth(Signal::Preemptions),
        "throughput": throughput(side),
        "prefix_hit_rate": rate(side.prefix_cache),
        "external_hit_rate": rate(side.external_cache),
        "multimodal_hit_rate": rate(side.multimodal_cache),
        "speculation": side.speculation.as_ref().map_or(Value::Null, speculation),
        "beside": beside(side),
        "remarks": remarks(side),
    })
}

/// A map under the names that its keys have in the log.
fn keyed<K: Serialize, V>(map: &BTreeMap<K, V>, value: impl Fn(&V) -> Value) -> Value {
    let named = |(key, held): (&K, &V)| Some((name(key)?, value(held)));
    Value::Object(map.iter().filter_map(named).collect())
}

/// The name that a signal, a timing or a kind has in the log.
fn name(key: &impl Serialize) -> Option<String> {
    Some(serde_json::to_value(key).ok()?.as_str()?.to_owned())
}

fn level(level: &Level) -> Value {
    json!({
        "mean": level.mean,
        "max": level.max,
        "max_at": level.max_at.as_secs_f64(),
        "above_zero": level.above_zero,
        "readings": level.readings,
    })
}

fn throughput(side: &ServerSide) -> Value {
    let Some(through) = side.throughput else { return Value::Null };
    json!({
        "prompt": through.prompt,
        "computed_prompt": through.computed,
        "generation": through.generation,
    })
}

fn each(side: &ServerSide) -> Value {
    let each = side.each.iter().map(|server| {
        json!({
            "source": server.source,
            "running": server.running.as_ref().map(level),
            "waiting": server.waiting.as_ref().map(level),
            "generation_throughput": server.generation,
            "share": server.share,
        })
    });
    each.collect()
}

fn cache(cache: Option<Cache>) -> Value {
    let Some(cache) = cache else { return Value::Null };
    json!({ "queries": cache.queries, "hits": cache.hits, "hit_rate": cache.hit_rate(), "reckoned": cache.queries <= 0.0 })
}

fn speculation(speculated: &Speculated) -> Value {
    json!({
        "acceptance_length": speculated.acceptance_length,
        "acceptance_rate": speculated.acceptance_rate,
        "accepted_throughput": speculated.accepted_throughput,
        "drafted_throughput": speculated.drafted_throughput,
        "by_position": speculated.by_position,
        "reckoned": speculated.reckoned,
    })
}

fn spread(spread: &Spread) -> Value {
    // JSON has no infinity: the upper bound of the last bucket is null.
    let between = |bounds: Option<(f64, f64)>| json!(bounds.map(|(low, high)| [low, high]));
    json!({
        "count": spread.count,
        "mean": spread.mean,
        "p50_between": between(spread.p50),
        "p99_between": between(spread.p99),
    })
}

fn beside(side: &ServerSide) -> Value {
    let each = side.beside.iter().map(|beside| {
        json!({
            "timing": name(&beside.timing),
            "server": beside.server,
            "client": beside.client,
            "metric": beside.metric,
            "difference": beside.difference(),
        })
    });
    each.collect()
}

fn counted(side: &ServerSide) -> Value {
    let each = side.counted.iter().map(|counted| {
        json!({
            "timing": name(&counted.timing),
            "server": counted.server,
            "client": counted.client,
            "agrees": counted.agrees(),
        })
    });
    each.collect()
}

fn log(side: &ServerSide) -> Value {
    let Some(log) = &side.log else { return Value::Null };
    json!({
        "lines": log.lines,
        "levels": keyed(&log.levels, level),
        "every": log.every,
        "client_in_flight": log.in_flight,
        "by_position": log.by_position,
    })
}

fn gpus(side: &ServerSide) -> Value {
    let each = side.gpus.iter().map(|gpu| {
        json!({
            "source": gpu.source,
            "id": gpu.id,
            "name": gpu.name,
            "levels": keyed(&gpu.levels, level),
            "readings": gpu.readings,
            "xid": gpu.xid.map(|xid| json!({ "code": xid.code, "during": xid.during })),
        })
    });
    each.collect()
}

fn remarks(side: &ServerSide) -> Value {
    let each = side.remarks.iter().map(|remark| {
        json!({
            "at": remark.at.as_secs_f64(),
            "source": remark.source,
            "kind": name(&remark.kind),
            "detail": remark.detail,
        })
    });
    each.collect()
}

fn moments(side: &ServerSide, began: Offset) -> Value {
    let each = side.moments.iter().map(|moment| {
        json!({
            "at": began.as_secs_f64() + moment.at,
            "running": moment.running,
            "waiting": moment.waiting,
            "kv_usage": moment.kv_usage,
            "prompt_throughput": moment.prompt_throughput,
            "generation_throughput": moment.generation_throughput,
            "preemptions": moment.preemptions,
            "prefix_hit_rate": moment.prefix_hit_rate,
        })
    });
    each.collect()
}
