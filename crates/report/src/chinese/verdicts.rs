//! Verdicts in Chinese, and why they were reached, with the figures that they rest on.

use tokometer_metrics::verdict::{Doubt, Reason, Verdict};

/// A verdict in a few words.
pub const fn verdict(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Valid => "有效",
        Verdict::ClientLimited { .. } => "受客户端限制",
        Verdict::NotJudged { .. } => "无法判定",
    }
}

/// What a verdict means, in a sentence without its full stop.
pub const fn verdict_means(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Valid => "客户端跟得上：数值是服务端的表现",
        Verdict::ClientLimited { .. } => "客户端没有跟上：数值有一部分是客户端自身造成的",
        Verdict::NotJudged { .. } => "不知道客户端是否跟得上",
    }
}

/// One way in which the client limited a run, with what was measured and against which limit: the same figures as in English.
pub fn reason(reason: &Reason) -> String {
    let ms = |seconds: f64| seconds * 1e3;
    match *reason {
        Reason::Descriptors { failed, of } => {
            format!("{of} 个请求中有 {failed} 个因客户端文件描述符耗尽而失败")
        }
        Reason::LateStarts { lateness, limit } => {
            format!("请求启动的延误 P99 为 {:.1} ms（上限 {:.1} ms）", ms(lateness), ms(limit))
        }
        Reason::LateStamps { lag, limit } => {
            format!("客户端事件循环的延误 P99 为 {:.1} ms（上限 {:.1} ms）", ms(lag), ms(limit))
        }
        Reason::Stalls { share, limit } => format!(
            "至少 {share:.1} % 的时间里，客户端事件循环的延误超过 {:.1} ms（上限为 1 % 的时间）",
            ms(limit)
        ),
        Reason::Concurrency { asked, held } => {
            format!("要求 {asked} 个并发请求，实际只有 {held:.1} 个在途，而其他请求仍在等待")
        }
        Reason::HandOver { asked, held, length } => format!(
            "要求 {asked} 个并发请求，实际只有 {held:.1} 个在途（每个请求占用位置 {:.2} ms，交接位置又用去 {:.2} ms）",
            ms(length),
            ms(length * (asked as f64 - held) / held)
        ),
        Reason::Rate { wanted, achieved } => {
            format!("计划每秒发送 {wanted:.2} 个请求，实际每秒发送 {achieved:.2} 个")
        }
        Reason::Processor { share, lag } => {
            format!("客户端工作线程用去其核心的 {share:.0} %，延误 P99 为 {:.1} ms", ms(lag))
        }
    }
}

/// What to do about a reason.
pub const fn reason_advice(reason: &Reason) -> &'static str {
    match reason {
        Reason::Descriptors { .. } => {
            "服务端从未收到这些请求：请提高文件描述符上限（ulimit -n），或降低并发数"
        }
        Reason::LateStarts { .. } => {
            "从启动时刻算起的延迟掩盖了这段等待：请改看从计划时刻算起的延迟，降低负载，或给客户端更多工作线程"
        }
        Reason::LateStamps { .. } | Reason::Stalls { .. } => {
            "TTFT 和间隔最多被高估这么多：请给客户端独占的核心，远离服务端和其他任务，或降低负载"
        }
        Reason::Concurrency { .. } => {
            "服务端承受的负载低于要求：请给客户端更多工作线程，或降低并发数"
        }
        Reason::HandOver { .. } => {
            "请求太短，交接位置占了可观的时间，吞吐量有一部分取决于客户端：请要求更长的输出；或增加并发数，并把数值理解为实际在途并发数下的结果"
        }
        Reason::Rate { .. } => "服务端承受的负载低于要求：请降低请求速率，或分散到更多工作线程",
        Reason::Processor { .. } => "客户端已到自身极限：请给它更多工作线程和核心",
    }
}

/// Why it cannot be told whether the client kept up.
pub fn doubt(doubt: &Doubt) -> String {
    match *doubt {
        Doubt::NoRequests => "没有任何请求结束".to_owned(),
        Doubt::NotProbed => "负载在探测客户端事件循环之前就已结束".to_owned(),
        Doubt::NoPulse => "日志在记下客户端自身状态之前就中断了".to_owned(),
        Doubt::Stalls { late, of, limit } => format!(
            "日志没有结尾，剩下的部分说明不了客户端事件循环延误了多久：{of} 秒中有 {late} 秒在某一时刻延误超过 {:.1} ms",
            limit * 1e3
        ),
        Doubt::Concurrency { asked, held } => format!(
            "日志没有结尾，缺少当时仍在途的请求：要求的 {asked} 个并发中，能确定的只有 {held:.1} 个"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of a text, sorted: words stand in another order in Chinese.
    fn numbers(text: &str) -> Vec<String> {
        let parts = text.split(|c: char| !(c.is_ascii_digit() || c == '.'));
        let mut numbers: Vec<String> =
            parts.map(|part| part.trim_matches('.').to_owned()).filter(|n| !n.is_empty()).collect();
        numbers.sort();
        numbers
    }

    /// English writes p99 and Chinese P99; both have the number.
    #[test]
    fn reasons_bear_the_same_figures_as_in_english() {
        let reasons = [
            Reason::Descriptors { failed: 3, of: 1 },
            Reason::Descriptors { failed: 3, of: 40 },
            Reason::LateStarts { lateness: 0.0123, limit: 0.005 },
            Reason::LateStamps { lag: 0.0071, limit: 0.002 },
            Reason::Stalls { share: 3.21, limit: 0.002 },
            Reason::Concurrency { asked: 64, held: 51.23 },
            Reason::HandOver { asked: 64, held: 51.23, length: 0.004 },
            Reason::Rate { wanted: 20.0, achieved: 17.456 },
            Reason::Processor { share: 97.5, lag: 0.0042 },
        ];
        for of in reasons {
            assert_eq!(numbers(&reason(&of)), numbers(&of.to_string()), "{of}");
            assert!(super::super::tests::is_chinese(reason_advice(&of)), "{of}");
        }
    }

    #[test]
    fn doubts_bear_the_same_figures_as_in_english() {
        let doubts = [
            Doubt::NoRequests,
            Doubt::NotProbed,
            Doubt::NoPulse,
            Doubt::Stalls { late: 3, of: 20, limit: 0.0025 },
            Doubt::Concurrency { asked: 64, held: 51.23 },
        ];
        for of in doubts {
            assert_eq!(numbers(&doubt(&of)), numbers(&of.to_string()), "{of}");
            assert!(super::super::tests::is_chinese(&doubt(&of)), "{of}");
        }
    }

    #[test]
    fn verdicts_are_told_and_explained() {
        let verdicts = [
            Verdict::Valid,
            Verdict::ClientLimited { reasons: Vec::new() },
            Verdict::NotJudged { doubt: Doubt::NoPulse },
        ];
        assert_eq!(verdicts.each_ref().map(verdict), ["有效", "受客户端限制", "无法判定"]);
        assert!(verdicts.iter().all(|of| super::super::tests::is_chinese(verdict_means(of))));
    }
}
