//! Kinds in Chinese: of failures, of units, of requests that a metric is taken over, and how a point ended.

use std::borrow::Cow;

use tokometer_metrics::Unit;
use tokometer_metrics::catalog::Over;
use tokometer_metrics::summary::Ending;
use tokometer_record::{FailureKind, TimeoutPhase};

/// How a request failed.
pub fn failure(kind: FailureKind) -> Cow<'static, str> {
    Cow::Borrowed(match kind {
        FailureKind::Dns => "域名无法解析",
        FailureKind::ConnectRefused => "连接被拒绝",
        FailureKind::Connect => "连接未能建立",
        FailureKind::Tls => "TLS 握手失败",
        FailureKind::Timeout(TimeoutPhase::Connect) => "连接超时",
        FailureKind::Timeout(TimeoutPhase::FirstByte) => "等待首字节超时",
        FailureKind::Timeout(TimeoutPhase::BetweenChunks) => "数据块之间超时",
        FailureKind::Timeout(TimeoutPhase::Total) => "整个请求超时",
        FailureKind::Reset => "连接被重置",
        FailureKind::Status(code) => return Cow::Owned(format!("HTTP {code}")),
        FailureKind::ErrorEvent => "流中出现错误",
        FailureKind::TruncatedStream => "流被截断",
        FailureKind::EmptyStream => "空的流",
        FailureKind::BadJson => "响应无法解读",
        FailureKind::Protocol => "HTTP 协议错误",
        FailureKind::OutOfDescriptors => "文件描述符耗尽",
        FailureKind::Cancelled => "已取消",
    })
}

/// A unit as it stands behind a number. Symbols that the field writes in Latin letters stay as they are.
pub const fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Tokens => "个 token",
        Unit::Chunks => "个数据块",
        Unit::Requests => "个请求",
        Unit::TokensPerChunk => "token/块",
        Unit::Inputs => "个输入",
        Unit::InputsPerSecond => "输入/s",
        Unit::Steps => "步",
        Unit::Times => "倍",
        Unit::Seconds
        | Unit::TokensPerSecond
        | Unit::RequestsPerSecond
        | Unit::Percent
        | Unit::Bytes => unit.symbol(),
    }
}

/// The requests that a metric is taken over.
pub const fn over(over: Over) -> &'static str {
    match over {
        Over::Successes => "成功的请求",
        Over::Measured => "所有计入测量的请求，包括失败的",
        Over::Probes => "与负载并行发送的探测请求",
    }
}

/// Whether a point came to its end.
pub const fn ending(ending: Ending) -> &'static str {
    match ending {
        Ending::Complete => "完整",
        Ending::Interrupted => "被中断",
        Ending::Unfinished => "未结束",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chinese::tests::is_chinese;

    #[test]
    fn failures_are_told_and_statuses_keep_their_number() {
        assert_eq!(failure(FailureKind::Status(503)), "HTTP 503");
        assert_eq!(failure(FailureKind::Timeout(TimeoutPhase::FirstByte)), "等待首字节超时");
        let kinds =
            [FailureKind::Dns, FailureKind::Tls, FailureKind::BadJson, FailureKind::Protocol];
        assert!(kinds.into_iter().all(|kind| is_chinese(&failure(kind))));
    }

    #[test]
    fn symbols_stay_as_the_field_writes_them() {
        assert_eq!((unit(Unit::Seconds), unit(Unit::TokensPerSecond)), ("s", "tok/s"));
        assert_eq!((unit(Unit::Requests), unit(Unit::Times)), ("个请求", "倍"));
        assert!(
            [Over::Successes, Over::Measured, Over::Probes].map(over).iter().all(|o| is_chinese(o))
        );
        assert_eq!(ending(Ending::Interrupted), "被中断");
    }
}
