//! Every rule of the diagnosis in Chinese, and how much and how surely a finding weighs.
//!
//! The advice is the general one of its rule. What a finding says itself, with its figures, is not told here.

use tokometer_metrics::diagnosis::{Severity, Sureness};

use super::Rule;

/// A severity and what it means.
pub(super) const fn severity(severity: Severity) -> (&'static str, &'static str) {
    match severity {
        Severity::Invalid => ("无效", "数值并非服务端的表现，或并非所要求的负载：不可直接采用"),
        Severity::Failing => ("失败", "有请求失败：用户将得不到服务"),
        Severity::Limiting => ("瓶颈", "服务受此限制，是瓶颈所在"),
        Severity::Misleading => ("易误读", "数值正确，但可能造成误解"),
        Severity::Notable => ("提示", "值得了解"),
    }
}

/// A sureness and what it means.
pub(super) const fn sureness(sureness: Sureness) -> (&'static str, &'static str) {
    match sureness {
        Sureness::Certain => ("确定", "证据不容其他解释"),
        Sureness::Likely => ("很可能", "是对证据最合理的解读，但其他原因也可能呈现同样的现象"),
        Sureness::Possible => ("可能", "证据指向这一点，但较为薄弱"),
    }
}

/// Those over a point, then those over a sweep.
pub(super) const RULES: &[Rule] = &[
    Rule {
        key: "client_limited",
        about: "客户端没有跟上",
        advice: "数值有一部分是客户端自身造成的，不要把它当作服务端的表现：请给客户端更多工作线程和独占的核心，降低负载，或按证据中列出的原因逐一处理，然后重测。",
    },
    Rule {
        key: "descriptors",
        about: "客户端的文件描述符耗尽",
        advice: "请提高客户端的文件描述符上限（ulimit -n），或降低并发数；服务端从未收到这些请求。",
    },
    Rule {
        key: "server_restarted",
        about: "服务端（或为它计数的程序）在负载期间重新启动",
        advice: "请在服务端日志中查找它为何停止，然后重新加载测试。",
    },
    Rule {
        key: "client_timeouts",
        about: "请求超过了客户端设定的时间上限",
        advice: "如果用户愿意等得更久，请提高相应的时间上限；否则说明服务在此负载下太慢：请降低负载、要求更短的输出，或先解决限制服务端的瓶颈。如果只是个别停顿，请用                  x-request-id 在服务端及其前置设备的日志中查找这些请求。",
    },
    Rule {
        key: "gateway_timeouts",
        about: "请求超过了服务端前置设备（网关、代理）的时间上限",
        advice: "请提高服务端之前的代理、网关或负载均衡器的时间上限（nginx：proxy_read_timeout，HAProxy：timeout server，Envoy：路由的 timeout），                 或降低负载，直到响应来得更快。",
    },
    Rule {
        key: "server_refuses",
        about: "服务拒绝超出其自身上限或速率的负载",
        advice: "请提高作出拒绝的服务、网关或提供方的并发或速率上限（在服务端尚有余量时；vLLM：--max-num-queued-reqs），增加副本，或把负载控制在上限以内；                 如果是配额用尽，请查看服务允许的每分钟和每天用量。",
    },
    Rule {
        key: "connection_limit",
        about: "客户端与服务端之间只允许有限数量的连接通过",
        advice: "请提高服务端前置设备的连接上限（nginx：worker_connections 和 limit_conn，HAProxy：maxconn，Envoy：集群的 circuit breakers，                 服务网格或负载均衡器：其配额），或把负载控制在上限以内。",
    },
    Rule {
        key: "failures",
        about: "请求因其他原因失败，按种类列出，并附服务端原话",
        advice: "请按失败的种类和服务端的原话处理，并查看服务端及其前置设备在这些时刻的日志：崩溃或内存不足的工作进程常以此方式中断连接。",
    },
    Rule {
        key: "preemption_thrash",
        about: "请求失去在 KV cache 中的位置，需要重新计算（抢占）",
        advice: "请给 KV cache 更多空间（vLLM：更大的 --gpu-memory-utilization、--kv-cache-dtype fp8；SGLang：更大的 --mem-fraction-static；或更多 GPU），                 或减少同时运行的请求（vLLM：--max-num-seqs；SGLang：--max-running-requests），让正在运行的请求保住位置。",
    },
    Rule {
        key: "queueing_by_max_num_seqs",
        about: "请求在等待，因为同时运行的请求已达允许的上限",
        advice: "如果 KV cache 还有空间，请提高同时运行的上限（vLLM：--max-num-seqs；SGLang：--max-running-requests）；如果每一步因此变得太慢，请增加副本，                 或减少同时发送的请求。",
    },
    Rule {
        key: "queueing_by_kv_space",
        about: "请求在等待 KV cache 的空间",
        advice: "请给 KV cache 更多空间（vLLM：更大的 --gpu-memory-utilization、--kv-cache-dtype fp8、更短的 --max-model-len；SGLang：更大的                  --mem-fraction-static；或更多 GPU），或发送更短的提示、更少的并发请求。",
    },
    Rule {
        key: "queueing_by_token_budget",
        about: "请求在等待，因为每一步都被提示（prefill）占满",
        advice: "提示的计算是瓶颈：请尝试更大的每步 token 预算（vLLM：--max-num-batched-tokens；SGLang：--chunked-prefill-size；token 之间的间隔会因此变长），                 发送更短或可命中缓存的提示，或增加副本。",
    },
    Rule {
        key: "queueing",
        about: "请求在服务端排队，所等何物不明",
        advice: "请查明在等什么：同时运行数已达上限、KV cache 已满，还是每一步都被提示占满；服务端自身的设置能说明。也可以增加副本，或降低负载。",
    },
    Rule {
        key: "server_disagrees",
        about: "服务端对负载的统计与客户端的不一致",
        advice: "请核对服务端指标的地址，并用 --server-metrics 列出每个副本的指标；测量期间不要让其他用户和健康检查占用服务。如果每个请求要求多个候选结果，                 服务端会逐个计数，则无需处理。",
    },
    Rule {
        key: "prefill_stalls",
        about: "其他请求的提示在计算时，正在输出的请求停顿",
        advice: "请把提示分成更小的块计算（须启用 chunked prefill；vLLM：更小的 --max-num-batched-tokens；SGLang：更小的 --chunked-prefill-size），代价是 TTFT                  变长；或放到专门的实例上计算（prefill 与 decode 分离）。",
    },
    Rule {
        key: "stream_stalls",
        about: "输出在中途停顿，且并非其他请求的提示所致",
        advice: "请查看该时刻服务端及其前置设备的日志：引擎或代理的停顿，或扣留文本的工具调用、推理解析器。请看间隔的 P99 和最大值，而不是 TPOT。",
    },
    Rule {
        key: "speculation_not_paying",
        about: "投机解码的草稿 token 很少被接受",
        advice: "请减少草稿 token 数、换一种草稿方式，或关闭投机解码；只有不用投机解码再测一次，才能说明它是否划算：tokometer explain RUN --baseline                  RUN_WITHOUT。",
    },
    Rule {
        key: "output_length",
        about: "输出长度与要求的不同",
        advice: "若要固定输出长度，请让服务端忽略结束符（ignore_eos）；若长度由模型决定，请按 token 而不是按请求比较各次运行。若输出被服务端截断，请检查其上下文长度上限                 （--max-model-len）。",
    },
    Rule {
        key: "prompt_length",
        about: "服务端统计的提示长度与预期不同",
        advice: "请指定模型自己的分词器和对话模板（chat template）；处处相同的差值多半来自模板或特殊 token，不固定的差值多半说明分词器不同。",
    },
    Rule {
        key: "prefix_cache",
        about: "提示 token 来自缓存而非计算",
        advice: "如果本就打算让提示共享前缀，则一切正常，但只应与共享同样多前缀的运行比较；否则请更换种子或提示，在运行之前清空缓存（vLLM：POST                  /reset_prefix_cache；SGLang：POST /flush_cache），或关闭前缀缓存。",
    },
    Rule {
        key: "warm_up",
        about: "最先计入测量的请求遇到的是尚未预热的服务端",
        advice: "请在测量之前用与正式请求相似的请求预热服务端。",
    },
    Rule {
        key: "latency_shift",
        about: "延迟在运行中途的某一时刻升高或降低，此后保持不变",
        advice: "请查看该时刻服务端的日志和 GPU：过热或功率限制造成的降频、其他任务、丢失的副本、已满的缓存，或刚结束的加载和编译。在查明之前，请分段看待数值。",
    },
    Rule {
        key: "bimodal_latencies",
        about: "延迟呈双峰分布，请求的已知特征无法解释",
        advice: "请查找地址背后速度不同的服务器、部分 GPU 上的其他任务，或只有部分提示命中缓存；慢请求的编号可在服务端日志中查到。在查明之前，请看百分位数，不要看平均值。",
    },
    Rule {
        key: "noisy_latencies",
        about: "延迟波动很大，请求的已知特征无法解释",
        advice: "请查找服务端 GPU 和主机上的其他任务、功率和温度限制，以及网络的影响；在与其他运行比较平均值之前，请重复测试。",
    },
    Rule {
        key: "too_few_requests",
        about: "请求太少，撑不起所显示的百分位数",
        advice: "请按证据中给出的数量增加每个测试点的请求数，或只看样本撑得起的较低百分位数。",
    },
    Rule {
        key: "failures_begin",
        about: "请求开始失败的负载",
        advice: "在消除原因之前，请把负载控制在仍无失败的水平；或在两者之间再测几个负载，以找到界限。",
    },
    Rule {
        key: "past_knee",
        about: "最高的几个负载几乎没有带来更多吞吐量，甚至更少",
        advice: "请把负载控制在吞吐量停止增长之前；若要得到拐点本身，请在它的两侧多测几个负载。",
    },
    Rule {
        key: "knee",
        about: "吞吐量从此负载起不再增长（拐点）",
        advice: "请把负载保持在此值或以下：超过之后请求只是等得更久。若要更高的吞吐量，请增加副本，或解除其他发现中指出的限制。",
    },
    Rule {
        key: "not_saturated",
        about: "在最高的负载下吞吐量仍在增长",
        advice: "请测量更高的负载，以找到吞吐量停止增长的地方。",
    },
];

#[cfg(test)]
mod tests {
    use tokometer_metrics::diagnosis;

    use super::*;
    use crate::chinese::tests::is_chinese;

    #[test]
    fn every_rule_is_told_and_no_other_in_the_order_of_the_diagnosis() {
        let told: Vec<&str> = RULES.iter().map(|rule| rule.key).collect();
        let of_points = diagnosis::RULES.iter().map(|rule| rule.key);
        let rules: Vec<&str> =
            of_points.chain(diagnosis::SWEEP_RULES.iter().map(|rule| rule.key)).collect();
        assert_eq!(told, rules);
    }

    #[test]
    fn rules_are_told_in_chinese_with_whole_sentences_of_advice() {
        for rule in RULES {
            assert!(is_chinese(rule.about) && !rule.about.ends_with('。'), "{}", rule.about);
            assert!(is_chinese(rule.advice) && rule.advice.ends_with('。'), "{}", rule.advice);
        }
    }
}
