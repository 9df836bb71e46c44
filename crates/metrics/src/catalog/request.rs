//! Metrics of requests: one value each, or one for each gap between chunks.

use std::time::Duration;

use tokometer_record::{Channel, Chunk, Connection, Offset, Record};

use super::{Metric, Of, Over};
use crate::Unit;

/// Time to first token.
pub const TTFT: Metric = Metric {
    key: "ttft",
    title: "Time to first token",
    unit: Unit::Seconds,
    definition: "The first chunk with generated output on any channel (content, reasoning, tool call, refusal) − `started`. \
                 Role-only, usage-only and empty chunks do not count. Not applicable to a response that is not streamed.",
    over: Over::Successes,
    of: Of::Request(|record| streamed(record).and(since(record.started, record.first()))),
    named: &[("evalscope", "TTFT (ms)"), ("vllm", "TTFT")],
};

/// Time to first answer token.
pub const TTFAT: Metric = Metric {
    key: "ttfat",
    title: "Time to first answer token",
    unit: Unit::Seconds,
    definition: "The first chunk of the answer (content or tool call, not reasoning) − `started`. Not applicable to a \
                 response that is not streamed.",
    over: Over::Successes,
    of: Of::Request(|record| {
        let answers = |channel| matches!(channel, Channel::Content | Channel::ToolCall);
        let first = record.chunks.iter().find(|chunk| answers(chunk.channel));
        streamed(record).and(since(record.started, first.map(|chunk| chunk.at)))
    }),
    named: &[],
};

/// End-to-end latency.
pub const E2E: Metric = Metric {
    key: "e2e",
    title: "End-to-end latency",
    unit: Unit::Seconds,
    definition: "The last output chunk − `started`.",
    over: Over::Successes,
    of: Of::Request(|record| since(record.started, record.last())),
    named: &[("evalscope", "Latency (s)"), ("vllm", "E2EL")],
};

/// Time per output token.
pub const TPOT: Metric = Metric {
    key: "tpot",
    title: "Time per output token",
    unit: Unit::Seconds,
    definition: "(last output chunk − first output chunk) ÷ (output tokens − 1), that is (E2E − TTFT) ÷ (output tokens − 1). \
                 For outputs of more than one token that came in more than one chunk; otherwise there is no time between tokens \
                 to see.",
    over: Over::Successes,
    of: Of::Request(tpot),
    named: &[("evalscope", "TPOT (ms)"), ("vllm", "TPOT")],
};

/// Inter-chunk latency.
pub const ICL: Metric = Metric {
    key: "icl",
    title: "Inter-chunk latency",
    unit: Unit::Seconds,
    definition: "The gap between consecutive output chunks, pooled over all requests. EvalScope and vLLM print this as \"ITL\".",
    over: Over::Successes,
    of: Of::Gaps(|record, gaps| gaps.extend(chunk_gaps(record).map(|gap| gap.as_secs_f64()))),
    named: &[("evalscope", "ITL (ms)"), ("vllm", "ITL")],
};

/// Inter-token latency.
pub const ITL: Metric = Metric {
    key: "itl",
    title: "Inter-token latency",
    unit: Unit::Seconds,
    definition: "The gap per token: a chunk of k tokens after a gap g is k gaps of g ÷ k. Where the server does not tell the \
                 tokens of each chunk, they are taken to be spread evenly over the chunks after the first: each gap g counts \
                 once, as g × (chunks − 1) ÷ (output tokens − 1), and the figure is labelled an estimate. Further tokens of the \
                 first chunk have no gap before them and add none.",
    over: Over::Successes,
    of: Of::Gaps(token_gaps),
    named: &[],
};

/// TTFT from the schedule.
pub const SCHEDULED_TTFT: Metric = Metric {
    key: "scheduled_ttft",
    title: "Time to first token, from schedule",
    unit: Unit::Seconds,
    definition: "As TTFT, but − `scheduled`: what a user feels who came when the plan says, free of coordinated omission. The \
                 headline in open loop.",
    over: Over::Successes,
    of: Of::Request(|record| streamed(record).and(since(record.scheduled, record.first()))),
    named: &[],
};

/// E2E from the schedule.
pub const SCHEDULED_E2E: Metric = Metric {
    key: "scheduled_e2e",
    title: "End-to-end latency, from schedule",
    unit: Unit::Seconds,
    definition: "As end-to-end latency, but − `scheduled`. The headline in open loop.",
    over: Over::Successes,
    of: Of::Request(|record| since(record.scheduled, record.last())),
    named: &[],
};

/// How far the start fell behind the schedule.
pub const LAG: Metric = Metric {
    key: "lag",
    title: "Lag behind schedule",
    unit: Unit::Seconds,
    definition: "`started` − `scheduled`. In a closed loop a request is scheduled when a place becomes free.",
    over: Over::Measured,
    of: Of::Request(|record| since(record.scheduled, Some(record.started))),
    named: &[],
};

/// Time to resolve the server's name.
pub const DNS_TIME: Metric = Metric {
    key: "dns_time",
    title: "DNS time",
    unit: Unit::Seconds,
    definition: "Resolving the server's name, for requests that had to open a connection.",
    over: Over::Measured,
    of: Of::Request(|record| opened(record).map(|(dns, _, _)| dns.as_secs_f64())),
    named: &[],
};

/// Time of the TCP handshake.
pub const TCP_TIME: Metric = Metric {
    key: "tcp_time",
    title: "TCP time",
    unit: Unit::Seconds,
    definition: "The TCP handshake, for requests that had to open a connection.",
    over: Over::Measured,
    of: Of::Request(|record| opened(record).map(|(_, tcp, _)| tcp.as_secs_f64())),
    named: &[],
};

/// Time of the TLS handshake.
pub const TLS_TIME: Metric = Metric {
    key: "tls_time",
    title: "TLS time",
    unit: Unit::Seconds,
    definition: "The TLS handshake, for requests that had to open a connection; 0 without TLS.",
    over: Over::Measured,
    of: Of::Request(|record| opened(record).map(|(_, _, tls)| tls.as_secs_f64())),
    named: &[],
};

/// Tokens of the prompt.
pub const INPUT_TOKENS: Metric = Metric {
    key: "input_tokens",
    title: "Input tokens",
    unit: Unit::Tokens,
    definition: "The prompt's length by the server's `usage`, or else by the local tokenizer.",
    over: Over::Successes,
    of: Of::Request(|record| record.prompt_tokens.count().map(f64::from)),
    named: &[("evalscope", "Input tokens")],
};

/// Tokens of the output.
pub const OUTPUT_TOKENS: Metric = Metric {
    key: "output_tokens",
    title: "Output tokens",
    unit: Unit::Tokens,
    definition: "The output's length by the server's `usage`, or else by its running counts, the local tokenizer, the number of \
                 chunks: whoever counted is named beside the figures.",
    over: Over::Successes,
    of: Of::Request(|record| output(record).map(f64::from)),
    named: &[("evalscope", "Output tokens")],
};

/// Output chunks.
pub const CHUNKS: Metric = Metric {
    key: "chunks",
    title: "Output chunks",
    unit: Unit::Chunks,
    definition: "Chunks with generated output. Not applicable to a response that is not streamed.",
    over: Over::Successes,
    of: Of::Request(|record| streamed(record).map(|()| record.chunks.len() as f64)),
    named: &[],
};

/// Tokens per chunk.
pub const TOKENS_PER_CHUNK: Metric = Metric {
    key: "tokens_per_chunk",
    title: "Tokens per chunk",
    unit: Unit::TokensPerChunk,
    definition: "(output tokens − 1) ÷ (chunks − 1), for outputs of more than one chunk. Above 1 the gap between chunks is not \
                 the gap between tokens.",
    over: Over::Successes,
    of: Of::Request(|record| {
        let gaps = streamed(record).map_or(0, |()| record.chunks.len().saturating_sub(1));
        let tokens = output(record)?.checked_sub(1)?;
        (gaps > 0).then(|| f64::from(tokens) / gaps as f64)
    }),
    named: &[("evalscope", "Decoded Tok/Iter")],
};

/// Decoding speed.
pub const DECODE_RATE: Metric = Metric {
    key: "decode_rate",
    title: "Decoding speed",
    unit: Unit::TokensPerSecond,
    definition: "1 ÷ TPOT.",
    over: Over::Successes,
    of: Of::Request(|record| tpot(record).filter(|&tpot| tpot > 0.0).map(|tpot| 1.0 / tpot)),
    named: &[("evalscope", "Decode (tok/s)")],
};

/// Output tokens per second of a request.
pub const OUTPUT_RATE: Metric = Metric {
    key: "output_rate",
    title: "Output speed of a request",
    unit: Unit::TokensPerSecond,
    definition: "Output tokens ÷ end-to-end latency.",
    over: Over::Successes,
    of: Of::Request(|record| per_second(record, output(record)?)),
    named: &[("evalscope", "Output (tok/s)")],
};

/// Tokens in and out per second of a request.
pub const TOTAL_RATE: Metric = Metric {
    key: "total_rate",
    title: "Total speed of a request",
    unit: Unit::TokensPerSecond,
    definition: "(input tokens + output tokens) ÷ end-to-end latency.",
    over: Over::Successes,
    of: Of::Request(|record| {
        per_second(record, output(record)?.saturating_add(record.prompt_tokens.count()?))
    }),
    named: &[("evalscope", "Total (tok/s)")],
};

/// Whether [`ITL`] is an estimate for this request: it has gaps, and the server did not tell the tokens of each chunk.
pub fn itl_is_estimated(record: &Record) -> bool {
    chunk_gaps(record).next().is_some() && !tokens_of_chunks_known(record)
}

/// Whether a request asked for output, and not for a result: embeddings, scores. A failure without any of either is taken to have.
pub fn generates(record: &Record) -> bool {
    !record.chunks.bear(Channel::Result)
}

fn streamed(record: &Record) -> Option<()> {
    (record.streamed && generates(record)).then_some(())
}

fn since(earlier: Offset, moment: Option<Offset>) -> Option<f64> {
    Some((moment? - earlier).as_secs_f64())
}

fn output(record: &Record) -> Option<u32> {
    record.output_tokens.map(|tokens| tokens.count).filter(|_| generates(record))
}

fn opened(record: &Record) -> Option<(Duration, Duration, Duration)> {
    match record.connection {
        Connection::Opened { dns, tcp, tls } => Some((dns, tcp, tls)),
        Connection::Reused | Connection::None => None,
    }
}

fn chunk_gaps(record: &Record) -> impl Iterator<Item = Duration> {
    ended(record).map(|(_, gap)| gap)
}

/// The gaps between chunks, each behind the chunk that ended it. None without a stream.
fn ended(record: &Record) -> impl Iterator<Item = (Chunk, Duration)> {
    let most = streamed(record).map_or(0, |()| record.chunks.len());
    record.chunks.gaps().take(most)
}

/// Also those of the first: where they are not, the second's count holds them too.
fn tokens_of_chunks_known(record: &Record) -> bool {
    record.chunks.tokens().is_none_or(|(fewest, most)| 1 <= fewest && most <= MOST_TOKENS)
}

/// A chunk of more tokens than this is a server's slip: it must not become as many gaps.
const MOST_TOKENS: u32 = 65_536;

fn token_gaps(record: &Record, gaps: &mut Vec<f64>) {
    each_token_gap(record, |_, gap, tokens| {
        // Nearly all: and then there is nothing to repeat.
        match tokens {
            1 => gaps.push(gap),
            _ => gaps.extend(std::iter::repeat_n(gap, tokens as usize)),
        }
    });
}

/// Tells `tell` of the gaps per token of [`ITL`]: the moment at which each ended, its length in seconds, and for how many tokens it
/// stands.
pub(crate) fn each_token_gap(record: &Record, mut tell: impl FnMut(Offset, f64, u32)) {
    let known = tokens_of_chunks_known(record);
    let share = match after_first(record) {
        (_, 0) => 1.0,
        (chunks, tokens) => chunks as f64 / tokens as f64,
    };
    for (chunk, gap) in ended(record) {
        let gap = gap.as_secs_f64();
        match known {
            true => tell(chunk.at, gap / f64::from(chunk.tokens), chunk.tokens),
            false => tell(chunk.at, gap * share, 1),
        }
    }
}

/// Whether each gap between a request's chunks is one gap per token, and just as long: so that [`ITL`] is [`ICL`].
pub(crate) fn chunks_are_tokens(record: &Record) -> bool {
    match tokens_of_chunks_known(record) {
        true => record.chunks.told() == record.chunks.len() as u64,
        false => matches!(after_first(record), (chunks, tokens) if tokens == 0 || chunks == tokens),
    }
}

/// Chunks after the first, and tokens after the first.
fn after_first(record: &Record) -> (u64, u64) {
    let tokens = output(record).map_or(0, u64::from);
    ((record.chunks.len() as u64).saturating_sub(1), tokens.saturating_sub(1))
}

fn tpot(record: &Record) -> Option<f64> {
    let tokens_after_first = output(record)?.checked_sub(1).filter(|&tokens| tokens > 0)?;
    let several_chunks = streamed(record).is_some() && record.chunks.len() > 1;
    let decoding = since(record.first()?, record.last())?;
    several_chunks.then(|| decoding / f64::from(tokens_after_first))
}

fn per_second(record: &Record, tokens: u32) -> Option<f64> {
    let length = since(record.started, record.last()).filter(|&length| length > 0.0)?;
    Some(f64::from(tokens) / length)
}
