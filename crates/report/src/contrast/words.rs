//! Words that a comparison shares: APIs under one name, figures under the names that people type, values with their units.

use crate::compare::{Figure, figure};
use crate::number::compact;
use crate::words::Words;

/// What an address asks for: `chat completions`. `None` where its path is no API's.
pub(super) fn api_of_address(address: &str) -> Option<String> {
    let path = address.split(['?', '#']).next()?.trim_end_matches('/');
    let known = ENDPOINTS.iter().find(|(end, _)| path.ends_with(end));
    known.map(|(_, name)| (*name).to_owned())
}

/// An API or a backend by one name, whoever names it: vLLM's `openai-chat` and the path `/v1/chat/completions` are one.
pub(super) fn api(name: &str) -> Option<String> {
    let known = BACKENDS.iter().find(|(backend, _)| *backend == name);
    let name = known.map_or(name, |(_, name)| *name);
    Some(name.to_owned()).filter(|name| !name.is_empty())
}

/// The figure that somebody types: `p99_ttft`, `p99_ttft_ms`, `mean_latency`. `None` where there is none of the name.
pub(super) fn typed_figure(typed: &str) -> Option<Figure> {
    let lower = typed.trim().to_ascii_lowercase().replace('-', "_");
    if let Some(known) = figure(&lower).filter(|figure| !figure.key.starts_with("std_")) {
        return in_the_known_form(known);
    }
    if let Some((_, key)) = SHORT.iter().find(|(short, _)| *short == lower) {
        return figure(key);
    }
    let (statistic, name) = lower.split_once('_')?;
    let name = name.strip_suffix("_ms").unwrap_or(name);
    let statistic = match statistic {
        "avg" | "average" => "mean",
        "p50" => "median",
        other => other,
    };
    let (_, name) = LATENCIES.iter().find(|(typed, _)| *typed == name)?;
    figure(&format!("{statistic}_{name}_ms")).and_then(in_the_known_form)
}

/// Only figures that a comparison can have: of a latency the mean, the median and percentiles.
fn in_the_known_form(figure: Figure) -> Option<Figure> {
    let is_latency = figure.key.ends_with("_ms");
    let known = !is_latency || crate::compare::statistic(&figure.key).is_some();
    known.then_some(figure)
}

/// Names that may be typed, for a suggestion.
pub(super) fn nearest(typed: &str) -> Option<String> {
    let statistics = ["mean", "median", "p90", "p95", "p99"];
    let latencies = ["ttft", "tpot", "itl", "e2el"];
    let all = statistics.iter().flat_map(|statistic| {
        latencies.iter().map(move |latency| format!("{statistic}_{latency}"))
    });
    let whole = WHOLE.iter().map(|name| (*name).to_owned());
    let near = all.chain(whole).map(|name| (strsim::jaro_winkler(typed, &name), name));
    near.filter(|(near, _)| *near > 0.7).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}

/// A value of a figure with its unit: `48.4 ms`.
pub(super) fn valued(key: &str, value: f64) -> String {
    let unit = unit(key);
    let digits = if unit == "ms" { 2 } else { 3 };
    format!("{}{}{unit}", compact(value, digits), if unit.is_empty() { "" } else { " " })
}

/// The unit of a figure.
pub(super) fn unit(key: &str) -> &'static str {
    match key {
        "success_rate" | "prefix_cache_hit_rate" | "spec_decode_acceptance_rate" => "%",
        "request_throughput" | "request_goodput" | "achieved_rate" => "req/s",
        "output_throughput" | "total_token_throughput" | "max_output_tokens_per_s" => "tok/s",
        "duration" => "s",
        key if key.ends_with("_ms") => "ms",
        _ => "",
    }
}

/// What a figure is called among others: `mean TTFT`, `output throughput`.
pub(super) fn called(key: &str) -> String {
    match key {
        "request_throughput" => return "request throughput".to_owned(),
        "output_throughput" => return "output throughput".to_owned(),
        "total_token_throughput" => return "total throughput".to_owned(),
        "success_rate" => return "success rate".to_owned(),
        _ => {}
    }
    let title = figure(key).map_or_else(|| key.to_owned(), |figure| figure.title);
    let title = title.split(" (").next().unwrap_or_default().to_owned();
    for (from, to) in [("Mean ", "mean "), ("Median ", "median ")] {
        if let Some(rest) = title.strip_prefix(from) {
            return format!("{to}{rest}");
        }
    }
    title
}

/// The same in every language: `mean TTFT`, `平均首令牌时间（TTFT）`.
pub(super) fn called_in_both(key: &str) -> Words {
    let english = called(key);
    let whole = IN_CHINESE.iter().find(|(known, _)| *known == key);
    let latency = || {
        let (statistic, name) = key.strip_suffix("_ms")?.split_once('_')?;
        let (_, chinese) = IN_CHINESE.iter().find(|(known, _)| *known == name)?;
        Some(match statistic {
            "mean" => format!("平均{chinese}"),
            "median" => format!("{chinese}中位数"),
            percentile => format!("{chinese}{}", percentile.to_uppercase()),
        })
    };
    match whole.map(|(_, chinese)| (*chinese).to_owned()).or_else(latency) {
        Some(chinese) => Words::both(english, chinese),
        None => english.into(),
    }
}

/// A part as per cent with its sign: `+3.1 %`.
pub(super) fn percent(part: f64) -> String {
    let size = crate::number::fixed(100.0 * part.abs(), if part.abs() < 0.995 { 1 } else { 0 });
    match () {
        () if size.parse() == Ok(0.0) => format!("{size} %"),
        () if part < 0.0 => format!("−{size} %"),
        () => format!("+{size} %"),
    }
}

/// A number with its sign.
pub(super) fn signed(value: f64, digits: usize) -> String {
    let size = compact(value.abs(), digits);
    match () {
        () if size == "0" => size,
        () if value < 0.0 => format!("−{size}"),
        () => format!("+{size}"),
    }
}

/// One thing, or how many: `1 run`, `3 runs`.
pub(super) fn counted(number: usize, one: &str) -> String {
    format!("{number} {one}{}", if number == 1 { "" } else { "s" })
}

/// Figures and latencies in Chinese, as the pages of single runs call them.
const IN_CHINESE: [(&str, &str); 8] = [
    ("ttft", "首令牌时间（TTFT）"),
    ("tpot", "每输出令牌时间（TPOT）"),
    ("itl", "令牌间延迟（ITL）"),
    ("e2el", "端到端延迟（E2EL）"),
    ("request_throughput", "请求吞吐量"),
    ("output_throughput", "输出吞吐量"),
    ("total_token_throughput", "总吞吐量"),
    ("success_rate", "成功率"),
];

const ENDPOINTS: [(&str, &str); 10] = [
    ("/chat/completions", "chat completions"),
    ("/completions", "completions"),
    ("/responses", "responses"),
    ("/embeddings", "embeddings"),
    ("/rerank", "rerank"),
    ("/score", "score"),
    ("/pooling", "pooling"),
    ("/classify", "classify"),
    ("/audio/transcriptions", "transcriptions"),
    ("/generate", "generate"),
];

const BACKENDS: [(&str, &str); 7] = [
    ("openai-chat", "chat completions"),
    ("openai", "completions"),
    ("vllm", "completions"),
    ("sglang", "completions"),
    ("openai-embeddings", "embeddings"),
    ("vllm-rerank", "rerank"),
    ("openai-audio", "transcriptions"),
];

/// What people call latencies, and vLLM's name.
const LATENCIES: [(&str, &str); 8] = [
    ("ttft", "ttft"),
    ("tpot", "tpot"),
    ("itl", "itl"),
    ("icl", "itl"),
    ("e2el", "e2el"),
    ("e2e", "e2el"),
    ("e2e_latency", "e2el"),
    ("latency", "e2el"),
];

const SHORT: [(&str, &str); 4] = [
    ("throughput", "output_throughput"),
    ("rps", "request_throughput"),
    ("goodput", "request_goodput"),
    ("total_throughput", "total_token_throughput"),
];

const WHOLE: [&str; 6] = [
    "output_throughput",
    "request_throughput",
    "total_token_throughput",
    "success_rate",
    "request_goodput",
    "slo_attainment",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_go_by_the_names_that_people_type() {
        let key = |typed| typed_figure(typed).map(|figure| figure.key);
        for (typed, expected) in [
            ("p99_ttft", "p99_ttft_ms"),
            ("P99-TTFT", "p99_ttft_ms"),
            ("p99_ttft_ms", "p99_ttft_ms"),
            ("mean_latency", "mean_e2el_ms"),
            ("p50_e2e", "median_e2el_ms"),
            ("avg_tpot", "mean_tpot_ms"),
            ("p99.9_itl", "p99.9_itl_ms"),
            ("success_rate", "success_rate"),
            ("throughput", "output_throughput"),
        ] {
            assert_eq!(key(typed).as_deref(), Some(expected), "{typed}");
        }
        for typed in ["ttft", "p99", "std_ttft_ms", "p101_ttft", "max_concurrency", "", "_"] {
            assert_eq!(key(typed), None, "{typed}");
        }
        assert_eq!(nearest("p99_tfft").as_deref(), Some("p99_ttft"));
        assert_eq!(nearest("output_troughput").as_deref(), Some("output_throughput"));
        assert_eq!(nearest("xyz"), None);
    }

    #[test]
    fn one_api_has_one_name_whoever_names_it() {
        assert_eq!(api_of_address("http://h:1/v1/chat/completions"), api("openai-chat"));
        assert_eq!(api_of_address("http://h/v1/completions?x=/embeddings"), api("vllm"));
        assert_eq!(api_of_address("http://h/"), None);
    }

    #[test]
    fn parts_have_their_sign() {
        assert_eq!(
            [0.031, -0.5, 0.0, -0.0001, 2.0].map(percent),
            ["+3.1 %", "−50.0 %", "0.0 %", "0.0 %", "+200 %"]
        );
        assert_eq!(called("mean_ttft_ms"), "mean TTFT");
        assert_eq!(called("p99_e2el_ms"), "P99 E2EL");
        assert_eq!(valued("mean_ttft_ms", 48.456), "48.46 ms");
    }
}
