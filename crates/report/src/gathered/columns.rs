//! What the columns of a table are called in Chinese, which of a result's keys become columns, and in which order.
//!
//! vLLM's keys stand first, in the order of its file, with the metadata of the user; then `input_len`, `output_len`, `filename` and
//! `result_dir`; and last what only this program tells. The Chinese names of the first two are those that users of the tool with this
//! form have in their sheets already. A key that is not known keeps its own name.

use super::cell::{Cell, Kind};

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its key: row 1.
    pub key: String,
    /// Its name in Chinese, or its key where there is none: row 2.
    pub chinese: String,
}

impl Column {
    /// The column of a key.
    pub fn of(key: &str) -> Self {
        Self { key: key.to_owned(), chinese: chinese(key).unwrap_or_else(|| key.to_owned()) }
    }
}

/// The columns of rows: each key of any row once.
pub(super) fn of(rows: &[Vec<(String, Cell)>]) -> Vec<Column> {
    let mut keys: Vec<&str> = Vec::new();
    for row in rows {
        // A key that earlier rows did not have stands behind the one that it follows in its own row.
        let mut next = 0;
        for (key, _) in row {
            match keys.iter().position(|known| known == key) {
                Some(place) => next = place + 1,
                None => {
                    keys.insert(next, key);
                    next += 1;
                }
            }
        }
    }
    let told = |key: &str| {
        let at =
            |row: &Vec<(String, Cell)>| row.iter().any(|(k, cell)| k == key && !cell.is_empty());
        rows.iter().any(at)
    };
    let part = |key: &str| match key {
        _ if PLACES.contains(&key) => 1,
        _ if is_ours(key) => 2,
        _ => 0,
    };
    // vLLM's keys and the places have their column also where no row fills it: readers of the form look for them.
    keys.retain(|key| part(key) != 2 || told(key));
    let of_part = |wanted: usize| keys.iter().filter(move |key| part(key) == wanted);
    let first = of_part(0).copied();
    first.chain(PLACES).chain(of_part(2).copied()).map(Column::of).collect()
}

/// Whether a key of a result becomes no column, whatever it holds: lists of requests, and what is no figure.
pub(super) fn is_left_out(key: &str) -> bool {
    let last = key.rsplit('.').next().unwrap_or(key);
    LEFT_OUT.contains(&key) || (key.starts_with("server_side.") && OF_READINGS.contains(&last))
}

/// What a column holds.
pub(super) fn kind(key: &str) -> Kind {
    let named = |part: &str| key.split(['_', '.']).any(|word| word == part);
    match WORDS.contains(&key) || WORD_PARTS.iter().any(|part| named(part)) {
        true => Kind::Words,
        false => Kind::Any,
    }
}

fn is_ours(key: &str) -> bool {
    let first = key.split('.').next().unwrap_or(key);
    OURS.contains(&first) || key.starts_with("tokometer_")
}

fn chinese(key: &str) -> Option<String> {
    let known = NAMES.iter().find(|(name, _)| *name == key);
    known
        .map(|(_, chinese)| (*chinese).to_owned())
        .or_else(|| of_spread(key))
        .or_else(|| of_server(key))
}

/// `p90_ttft_ms`: 首令牌时间P90(ms).
fn of_spread(key: &str) -> Option<String> {
    let (statistic, metric) = key.strip_suffix("_ms")?.split_once('_')?;
    let (_, metric) = SPREADS.iter().find(|(name, _)| *name == metric)?;
    let percentile =
        || statistic.strip_prefix('p').filter(|percent| percent.parse::<f64>().is_ok());
    Some(match statistic {
        "mean" => format!("平均{metric}(ms)"),
        "median" => format!("中位{metric}(ms)"),
        "std" => format!("{metric}标准差(ms)"),
        "min" => format!("最小{metric}(ms)"),
        "max" => format!("最大{metric}(ms)"),
        _ => format!("{metric}P{}(ms)", percentile()?),
    })
}

/// `server_side.levels.running.max`: 服务端运行请求数最大值; `http_status.200`: HTTP状态200的请求数.
fn of_server(key: &str) -> Option<String> {
    if let Some(status) = key.strip_prefix("http_status.") {
        return Some(match status {
            "none" => "无HTTP响应的请求数".to_owned(),
            _ => format!("HTTP状态{status}的请求数"),
        });
    }
    if let Some(kind) = key.strip_prefix("error_kinds.") {
        return Some(format!("错误数({kind})"));
    }
    let (level, what) = key.strip_prefix("server_side.levels.")?.split_once('.')?;
    let (_, level) = LEVELS.iter().find(|(name, _)| *name == level)?;
    let (_, what) = OF_LEVEL.iter().find(|(name, _)| *name == what)?;
    Some(format!("服务端{level}{what}"))
}

/// Where a result came from, and what its file's name says: behind vLLM's own keys.
const PLACES: [&str; 4] = ["input_len", "output_len", "filename", "result_dir"];

/// Keys that hold words, also where they look like numbers.
const WORDS: [&str; 8] =
    ["date", "backend", "endpoint_type", "filename", "result_dir", "label", "ending", "hardware"];

/// Parts of a key that say the same.
const WORD_PARTS: [&str; 8] =
    ["id", "name", "tag", "commit", "revision", "version", "sha", "model"];

/// Keys of a result that become no column.
const LEFT_OUT: [&str; 19] = [
    "not_applicable",
    "steady.why_not",
    "findings",
    "notes",
    "token_source",
    "error_messages",
    "input_lens",
    "output_lens",
    "ttfts",
    "itls",
    "generated_texts",
    "errors",
    "latencies",
    "queue_times",
    "start_times",
    "rps_change_events",
    "tpots",
    "e2els",
    "timelines",
];

/// What tells of the readings and not of the server.
const OF_READINGS: [&str; 3] = ["max_at", "above_zero", "readings"];

/// The first name of keys that only this program writes.
const OURS: [&str; 18] = [
    "server_side",
    "steady",
    "cancelled",
    "error_kinds",
    "http_status",
    "prefix_cache_hit_rate",
    "server_restarted",
    "slo_attainment",
    "schedule_lag_ms",
    "scheduled_rate",
    "achieved_rate",
    "ending",
    "verdict",
    "probe_completed",
    "probe_failed",
    "probe_median_e2el_ms",
    "probe_p99_e2el_ms",
    "probe_max_e2el_ms",
];

/// The latencies of which statistics are told.
const SPREADS: [(&str, &str); 7] = [
    ("ttft", "首令牌时间"),
    ("tpot", "每令牌时间"),
    ("itl", "令牌间延迟"),
    ("e2el", "端到端延迟"),
    ("client_queue_time", "客户端排队时间"),
    ("e2el_including_client_queue", "含客户端排队的端到端延迟"),
    ("ttfat", "首答案令牌时间"),
];

const LEVELS: [(&str, &str); 3] =
    [("running", "运行请求数"), ("waiting", "等待请求数"), ("kv_usage", "KV缓存使用率")];

const OF_LEVEL: [(&str, &str); 2] = [("mean", "平均值"), ("max", "最大值")];

/// Keys and their Chinese names: the first lines are those of the form that this table has.
const NAMES: &[(&str, &str)] = &[
    ("date", "日期"),
    ("backend", "后端"),
    ("model_id", "模型ID"),
    ("tokenizer_id", "分词器ID"),
    ("num_prompts", "提示数量"),
    ("request_rate", "请求速率"),
    ("burstiness", "突发性"),
    ("max_concurrency", "最大并发数"),
    ("duration", "持续时间"),
    ("completed", "完成数量"),
    ("total_input_tokens", "总输入令牌数"),
    ("total_output_tokens", "总输出令牌数"),
    ("request_throughput", "请求吞吐量"),
    ("request_goodput", "请求有效吞吐量"),
    ("output_throughput", "输出吞吐量"),
    ("total_token_throughput", "总令牌吞吐量"),
    ("input_len", "输入长度"),
    ("output_len", "输出长度"),
    ("filename", "文件名"),
    ("result_dir", "结果目录"),
    // What the form does not have.
    ("endpoint_type", "端点类型"),
    ("label", "标签"),
    ("failed", "失败数量"),
    ("cancelled", "取消数量"),
    ("tp", "张量并行度"),
    ("tensor_parallel_size", "张量并行度"),
    ("data_type", "数据类型"),
    ("batch", "批处理大小"),
    ("hardware", "硬件"),
    ("gpu", "显卡型号"),
    ("gpus", "GPU数量"),
    ("price", "价格"),
    ("price_per_hour", "每小时价格"),
    ("currency", "货币"),
    ("repetition", "重复次序"),
    ("ramp_up_strategy", "速率爬升方式"),
    ("ramp_up_start_rps", "起始请求速率"),
    ("ramp_up_end_rps", "终止请求速率"),
    ("max_output_tokens_per_s", "输出令牌峰值速率"),
    ("max_concurrent_requests", "最大同时请求数"),
    ("rtfx", "实时倍率"),
    ("total_input_sequences", "总输入序列数"),
    ("input_sequence_throughput", "输入序列吞吐量"),
    ("spec_decode_acceptance_rate", "投机解码接受率"),
    ("spec_decode_acceptance_length", "投机解码接受长度"),
    ("spec_decode_num_drafts", "投机解码草稿数"),
    ("spec_decode_draft_tokens", "投机解码草稿令牌数"),
    ("spec_decode_accepted_tokens", "投机解码接受令牌数"),
    ("diffusion_committed_throughput", "扩散解码提交吞吐量"),
    ("diffusion_steps_per_canvas", "每画布扩散步数"),
    ("diffusion_committed_per_step", "每步提交令牌数"),
    ("diffusion_committed_tokens", "扩散解码提交令牌数"),
    ("diffusion_denoising_steps", "扩散去噪步数"),
    ("diffusion_canvas_positions", "扩散画布位置数"),
    ("probe_completed", "探测请求完成数"),
    ("probe_failed", "探测请求失败数"),
    ("probe_median_e2el_ms", "探测请求中位端到端延迟(ms)"),
    ("probe_p99_e2el_ms", "探测请求端到端延迟P99(ms)"),
    ("probe_max_e2el_ms", "探测请求最大端到端延迟(ms)"),
    ("prefix_cache_hit_rate", "前缀缓存命中率(%)"),
    ("server_restarted", "服务端是否重启"),
    ("scheduled_rate", "计划请求速率"),
    ("achieved_rate", "实际请求速率"),
    ("ending", "结束方式"),
    ("verdict.kind", "判定"),
    ("verdict.valid", "判定是否有效"),
    ("verdict.doubt", "判定疑点"),
    ("tokometer_version", "tokometer版本"),
    ("schedule_lag_ms.mean", "发送延后平均值(ms)"),
    ("schedule_lag_ms.p99", "发送延后P99(ms)"),
    ("schedule_lag_ms.max", "发送延后最大值(ms)"),
    ("schedule_lag_ms.client_p99", "客户端发送延后P99(ms)"),
    ("schedule_lag_ms.client_max", "客户端发送延后最大值(ms)"),
    ("slo_attainment.share", "SLO达标比例"),
    ("slo_attainment.met", "SLO达标请求数"),
    ("slo_attainment.sent", "SLO计入请求数"),
    ("steady.from", "稳态开始(秒)"),
    ("steady.to", "稳态结束(秒)"),
    ("steady.share", "稳态占比(%)"),
    ("steady.requests", "稳态请求数"),
    ("steady.ttft", "稳态平均首令牌时间(秒)"),
    ("steady.tpot", "稳态平均每令牌时间(秒)"),
    ("steady.e2e", "稳态平均端到端延迟(秒)"),
    ("steady.output_throughput", "稳态输出吞吐量"),
    ("steady.request_throughput", "稳态请求吞吐量"),
    ("server_side.preemptions", "服务端抢占次数"),
    ("server_side.throughput.prompt", "服务端提示令牌吞吐量"),
    ("server_side.throughput.computed_prompt", "服务端计算的提示令牌吞吐量"),
    ("server_side.throughput.generation", "服务端生成吞吐量"),
    ("server_side.prefix_hit_rate", "服务端前缀缓存命中率"),
    ("server_side.external_hit_rate", "服务端外部缓存命中率"),
    ("server_side.multimodal_hit_rate", "服务端多模态缓存命中率"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_named_by_their_pattern_and_unknown_keys_keep_their_name() {
        for (key, expected) in [
            ("mean_ttft_ms", "平均首令牌时间(ms)"),
            ("median_tpot_ms", "中位每令牌时间(ms)"),
            ("std_itl_ms", "令牌间延迟标准差(ms)"),
            ("p99_e2el_ms", "端到端延迟P99(ms)"),
            ("p99.9_ttft_ms", "首令牌时间P99.9(ms)"),
            ("p50_e2el_including_client_queue_ms", "含客户端排队的端到端延迟P50(ms)"),
            ("http_status.503", "HTTP状态503的请求数"),
            ("server_side.levels.kv_usage.max", "服务端KV缓存使用率最大值"),
            ("px_ttft_ms", "px_ttft_ms"),
            ("my_own_key", "my_own_key"),
        ] {
            assert_eq!(Column::of(key).chinese, expected);
        }
    }

    #[test]
    fn keys_that_only_some_rows_have_stand_where_those_rows_have_them() {
        let row = |keys: &[&str]| -> Vec<(String, Cell)> {
            keys.iter().map(|key| ((*key).to_owned(), Cell::Integer(1))).collect()
        };
        let rows = [
            row(&["date", "duration", "verdict.kind", "filename"]),
            row(&["date", "tp", "duration", "p99_ttft_ms", "filename", "cancelled"]),
        ];
        let keys: Vec<String> = of(&rows).into_iter().map(|column| column.key).collect();
        let expected = [
            "date",
            "tp",
            "duration",
            "p99_ttft_ms",
            "input_len",
            "output_len",
            "filename",
            "result_dir",
            "verdict.kind",
            "cancelled",
        ];
        assert_eq!(keys, expected);
    }

    #[test]
    fn names_and_versions_are_words_also_where_they_look_like_numbers() {
        for key in ["model_id", "vllm_version", "commit", "label", "env.git.revision"] {
            assert_eq!(kind(key), Kind::Words, "{key}");
        }
        for key in ["tp", "num_prompts", "verdict.valid"] {
            assert_eq!(kind(key), Kind::Any, "{key}");
        }
    }
}
