//! Every metric of the catalog in Chinese: the same formulas, with the names of moments (`started`, `scheduled`) and of the server's
//! counters as they stand in the log and on its pages.

use super::Metric;

/// In the order of the catalog.
pub(super) const METRICS: &[Metric] = &[
    Metric {
        key: "ttft",
        title: "首令牌时间（TTFT）",
        definition: "第一个含有生成内容的数据块（任意通道：正文、推理、工具调用、拒绝）的到达时刻 − `started`。只含角色、只含 usage 或为空的\
                     数据块不算。不适用于非流式响应。",
    },
    Metric {
        key: "ttfat",
        title: "首个回答令牌时间（TTFAT）",
        definition: "回答部分（正文或工具调用，不含推理）第一个数据块的到达时刻 − `started`。不适用于非流式响应。",
    },
    Metric {
        key: "e2e",
        title: "端到端延迟（E2E）",
        definition: "最后一个输出数据块的到达时刻 − `started`。",
    },
    Metric {
        key: "tpot",
        title: "每输出令牌时间（TPOT）",
        definition: "（最后一个输出数据块 − 第一个输出数据块）÷（输出 token 数 − 1），即（E2E − TTFT）÷（输出 token 数 − 1）。只计输出多于一个 \
                     token 且分多个数据块到达的请求；否则看不到 token 之间的时间。",
    },
    Metric {
        key: "icl",
        title: "数据块间延迟（ICL）",
        definition: "相邻两个输出数据块之间的间隔，所有请求合并统计。EvalScope 和 vLLM 把它显示为“ITL”。",
    },
    Metric {
        key: "itl",
        title: "令牌间延迟（ITL）",
        definition: "每个 token 的间隔：间隔 g 之后到达的含 k 个 token 的数据块，计为 k 个 g ÷ k 的间隔。服务端没有告知各数据块的 token 数时，假定 \
                     token 均匀分布在首块之后的各数据块中：每个间隔 g 计一次，值为 g ×（数据块数 − 1）÷（输出 token 数 − 1），并标明为估计值。\
                     首块中多出的 token 之前没有间隔，不计入。",
    },
    Metric {
        key: "scheduled_ttft",
        title: "首令牌时间（TTFT），从计划时刻算起",
        definition: "同 TTFT，但减去的是 `scheduled`：按计划时刻到来的用户的真实感受，不受协同遗漏（coordinated omission）影响。开环负载下以此为准。",
    },
    Metric {
        key: "scheduled_e2e",
        title: "端到端延迟（E2E），从计划时刻算起",
        definition: "同端到端延迟，但减去的是 `scheduled`。开环负载下以此为准。",
    },
    Metric {
        key: "lag",
        title: "落后于计划的时间",
        definition: "`started` − `scheduled`。闭环负载下，请求在有空位时被计划。",
    },
    Metric {
        key: "client_queue_time",
        title: "在客户端排队的时间",
        definition: "`started` − 请求开始等待的时刻：按节奏到达时为 `scheduled`；没有节奏时所有请求同时到来，为计入测量的计划开始的时刻。",
    },
    Metric {
        key: "queued_e2e",
        title: "端到端延迟，含客户端排队",
        definition: "最后一个输出数据块的到达时刻 − 请求在客户端开始等待的时刻：`client_queue_time` + `e2e`。",
    },
    Metric {
        key: "dns_time",
        title: "DNS 解析时间",
        definition: "解析服务端域名的时间，只计需要新建连接的请求。",
    },
    Metric {
        key: "tcp_time",
        title: "TCP 连接时间",
        definition: "TCP 握手的时间，只计需要新建连接的请求。",
    },
    Metric {
        key: "tls_time",
        title: "TLS 握手时间",
        definition: "TLS 握手的时间，只计需要新建连接的请求；不使用 TLS 时为 0。",
    },
    Metric {
        key: "input_tokens",
        title: "输入 token 数",
        definition: "提示（prompt）的长度：以服务端的 `usage` 为准，没有时用本地分词器（tokenizer）计数。",
    },
    Metric {
        key: "output_tokens",
        title: "输出 token 数",
        definition: "输出的长度：以服务端的 `usage` 为准，没有时依次采用其逐块计数、本地分词器、数据块个数；由谁计数，在数值旁边注明。",
    },
    Metric {
        key: "chunks",
        title: "输出数据块数",
        definition: "含有生成内容的数据块个数。不适用于非流式响应。",
    },
    Metric {
        key: "tokens_per_chunk",
        title: "每数据块 token 数",
        definition: "（输出 token 数 − 1）÷（数据块数 − 1），只计分多个数据块到达的输出。大于 1 时，数据块之间的间隔不等于 token 之间的间隔。",
    },
    Metric { key: "decode_rate", title: "解码速度", definition: "1 ÷ TPOT。" },
    Metric {
        key: "output_rate",
        title: "单个请求的输出速度",
        definition: "输出 token 数 ÷ 端到端延迟。",
    },
    Metric {
        key: "total_rate",
        title: "单个请求的总速度",
        definition: "（输入 token 数 + 输出 token 数）÷ 端到端延迟。",
    },
    Metric {
        key: "probe_e2e",
        title: "探测请求的端到端延迟",
        definition: "同端到端延迟，但取自与负载并行、以固定速率发送的小请求：此时只求极少内容的用户会有的感受。在计入测量的计划之前启动的属于预热，\
                     不计入。它们不出现在任何其他数值中。",
    },
    Metric {
        key: "duration",
        title: "测试时长",
        definition: "最后一次完成 − 第一个计入测量的请求的启动，包括失败的请求。成功的请求在最后一个输出数据块到达时完成，失败的请求在其结束时完成，\
                     用户取消的请求从未完成。",
    },
    Metric {
        key: "request_throughput",
        title: "请求吞吐量",
        definition: "成功的请求数 ÷ 测试时长。",
    },
    Metric {
        key: "input_throughput",
        title: "输入吞吐量",
        definition: "Σ 输入 token 数 ÷ 测试时长。",
    },
    Metric {
        key: "output_throughput",
        title: "输出吞吐量",
        definition: "Σ 输出 token 数 ÷ 测试时长。",
    },
    Metric {
        key: "total_throughput",
        title: "总吞吐量",
        definition: "Σ（输入 token 数 + 输出 token 数）÷ 测试时长。",
    },
    Metric {
        key: "full_duration",
        title: "测试时长，从计划开始算起",
        definition: "计入测量的请求的最后一次结束（流的结束，或失败）− 计入测量的计划开始的时刻，包括第一个请求之前的间隔。日志没有记下该时刻时，\
                     减去最早的 `scheduled` 或 `started`。用户取消的请求没有结束时刻。",
    },
    Metric {
        key: "full_request_throughput",
        title: "请求吞吐量，从计划开始算起",
        definition: "成功的请求数 ÷ `full_duration`。",
    },
    Metric {
        key: "full_output_throughput",
        title: "输出吞吐量，从计划开始算起",
        definition: "Σ 输出 token 数 ÷ `full_duration`。",
    },
    Metric {
        key: "full_total_throughput",
        title: "总吞吐量，从计划开始算起",
        definition: "Σ（输入 token 数 + 输出 token 数）÷ `full_duration`；只求结果（如向量、分数）的请求为 Σ 输入 token 数 ÷ `full_duration`。",
    },
    Metric {
        key: "input_sequences",
        title: "输入序列数",
        definition: "只求结果的请求的 Σ 输入个数（待向量化的文本、待排序的文档）。没有告知个数的请求计为一个。",
    },
    Metric {
        key: "sequence_throughput",
        title: "输入序列吞吐量",
        definition: "输入序列数 ÷ `full_duration`。",
    },
    Metric {
        key: "peak_output_throughput",
        title: "峰值输出吞吐量",
        definition: "从最早一个成功请求的启动起按整秒划分，任意一秒内到达的输出 token 数的最大值。计的是 token 而不是数据块：服务端告知时用各数据块\
                     自己的 token 数，否则把输出均匀分摊到各数据块。不适用于非流式响应。",
    },
    Metric {
        key: "rtfx",
        title: "逆实时率（RTFx）",
        definition: "Σ 提示中音频的时长 ÷ `full_duration`：一秒内处理了多少秒的音频。",
    },
    Metric {
        key: "success_rate",
        title: "成功率",
        definition: "成功的请求数 ÷ 计入测量的请求数。失败的请求和用户取消的请求都始终留在分母中。",
    },
    Metric {
        key: "cache_hit_rate",
        title: "前缀缓存命中率",
        definition: "Σ 命中缓存的提示 token 数 ÷ Σ 提示 token 数，只计服务端告知了缓存 token 数的请求。没有告知时不作任何假设。",
    },
    Metric {
        key: "prefix_cache_hit_rate",
        title: "前缀缓存命中率，按服务端计数器",
        definition: "负载期间 `vllm:prefix_cache_hits_total` 的增量 ÷ `vllm:prefix_cache_queries_total` 的增量，包括预热和其他客户端的请求。",
    },
    Metric {
        key: "spec_acceptance_rate",
        title: "投机解码：接受率",
        definition: "负载期间被接受的 token 的增量 ÷ 草稿 token 的增量（`vllm:spec_decode_num_accepted_tokens_total`、\
                     `vllm:spec_decode_num_draft_tokens_total`）。",
    },
    Metric {
        key: "spec_acceptance_length",
        title: "投机解码：接受长度",
        definition: "1 + 被接受的 token 的增量 ÷ 草稿次数的增量（`vllm:spec_decode_num_drafts_total`）。",
    },
    Metric {
        key: "diffusion_throughput",
        title: "扩散模型：提交吞吐量",
        definition: "`vllm:diffusion_num_committed_tokens_total` 的增量 ÷ `full_duration`。",
    },
    Metric {
        key: "diffusion_steps",
        title: "扩散模型：每画布去噪步数",
        definition: "去噪步数 ÷ 画布数。一块画布的位置数等于每一步所处理的位置数；提交的画布数等于已提交的 token 所能填满的块数，每块另需一个不去噪的步。",
    },
    Metric {
        key: "diffusion_tokens_per_step",
        title: "扩散模型：每去噪步提交的 token 数",
        definition: "提交的 token 数 ÷ 去噪步数。",
    },
    Metric {
        key: "requested_rate",
        title: "要求的请求速率",
        definition: "计划所要求的平均发送速率。",
    },
    Metric {
        key: "scheduled_rate",
        title: "计划的请求速率",
        definition: "（请求数 − 1）÷（最后一个 `scheduled` − 第一个 `scheduled`）：计划中的随机间隔实际形成的速率。",
    },
    Metric {
        key: "achieved_rate",
        title: "实际的请求速率",
        definition: "（请求数 − 1）÷（最后一个 `started` − 第一个 `started`）。",
    },
    Metric {
        key: "requested_concurrency",
        title: "要求的并发数",
        definition: "计划所允许的同时在途请求数的最大值。开环负载没有此项。",
    },
    Metric {
        key: "held_concurrency",
        title: "保持的并发数",
        definition: "仍有其他请求等待期间，在途请求数的平均值：到最后一个计入测量的请求启动为止；从第一个启动算起，有并发上限时，若首次占满最后一个空位的\
                     启动更晚，则从它算起。",
    },
    Metric {
        key: "mean_concurrency",
        title: "平均并发数",
        definition: "测试时长内计入测量的在途请求数的平均值，包括最后一批请求逐渐结束的阶段。",
    },
    Metric {
        key: "peak_concurrency",
        title: "峰值并发数",
        definition: "在途请求数的精确最大值，由所有启动和结束时刻扫描得出；时刻相同时先算结束，后算启动。",
    },
    Metric {
        key: "lateness_p99",
        title: "客户端启动延误，P99",
        definition: "请求启动延误的第 99 百分位数（最近秩法）：`started` − `scheduled` 与（有并发上限时）出现空位的时刻两者中较晚的一个。",
    },
    Metric {
        key: "lateness_max",
        title: "客户端启动延误，最大值",
        definition: "同 P99，取最大值。",
    },
    Metric {
        key: "loop_lag_p99",
        title: "客户端事件循环延误，P99",
        definition: "客户端事件循环的延误，按时间的第 99 百分位数：有 1 % 的时间延误超过此值。在每个工作线程上每隔几毫秒探测一次；一次停顿吞掉几次探测，\
                     就计几次。数据块的时间戳最多会晚这么多。没有结尾的日志没有此项。",
    },
    Metric {
        key: "loop_lag_max",
        title: "客户端事件循环延误，最大值",
        definition: "客户端事件循环最长的一次停顿。没有结尾的日志按其脉搏记录（pulse）得出。",
    },
    Metric {
        key: "client_cpu",
        title: "客户端 CPU，按单个核心",
        definition: "承担负载的线程的处理器时间，含用户态和内核态（系统不按线程统计时为整个进程）÷ 从第一个请求启动到最后一个请求结束的时间，该时间至少为 \
                     0.1 s。两个满载的核心为 200 %。没有结尾的日志：整个进程，从第一次脉搏记录到最后一次。",
    },
    Metric {
        key: "client_cpu_share",
        title: "客户端 CPU，按其工作线程的核心",
        definition: "客户端 CPU ÷ 承担负载的工作线程数。没有结尾的日志没有此项。",
    },
    Metric {
        key: "client_memory",
        title: "客户端内存，峰值",
        definition: "本进程到此为止的最大常驻内存。",
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tokometer_metrics::catalog;

    use super::*;
    use crate::chinese::metric;

    #[test]
    fn every_metric_is_told_and_no_other_in_the_catalog_s_order() {
        let told: Vec<&str> = METRICS.iter().map(|metric| metric.key).collect();
        let catalog: Vec<&str> = catalog::METRICS.iter().map(|metric| metric.key).collect();
        assert_eq!(told, catalog);
        assert_eq!(metric("no such metric"), None);
    }

    #[test]
    fn titles_are_unique_and_in_chinese() {
        let titles: BTreeSet<&str> = METRICS.iter().map(|metric| metric.title).collect();
        assert_eq!(titles.len(), METRICS.len());
        for metric in METRICS {
            assert!(crate::chinese::tests::is_chinese(metric.title), "{}", metric.title);
            assert!(metric.definition.ends_with('。'), "{}: {}", metric.key, metric.definition);
        }
    }

    /// What stands in backticks is a name that a reader looks for, in the log or on a page of metrics.
    #[test]
    fn definitions_name_the_same_moments_metrics_and_counters_as_in_english() {
        let names = |text: &str| -> BTreeSet<String> {
            text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
        };
        for (chinese, english) in METRICS.iter().zip(catalog::METRICS) {
            assert_eq!(names(chinese.definition), names(english.definition), "{}", chinese.key);
        }
    }
}
