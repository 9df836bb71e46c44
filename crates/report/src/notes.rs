//! What else a reader of the figures must know not to be misled, in every dialect: notes of a sentence or two.
//!
//! Deliberately not why requests failed, nor the verdict, nor what was found: those have places of their own, and what a finding says
//! is not said again.

use tokometer_metrics::catalog::{DNS_TIME, ICL, ITL, TCP_TIME, TLS_TIME, TOKENS_PER_CHUNK};
use tokometer_metrics::summary::{Ending, PointSummary};
use tokometer_record::{Header, TokenSource};

use crate::number::{count, fixed, plural, shortest};

/// Something a reader must know not to be misled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    /// What it is about: notes of several points that are about the same are told once.
    pub(crate) about: About,
    /// The note, a sentence or two.
    pub(crate) text: String,
}

/// What notes are about, the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum About {
    Ending,
    Duration,
    Warmup,
    Restart,
    Stall,
    Uncounted,
    TokenSource,
    PromptSource,
    PromptZero,
    PromptLength,
    Streaming,
    TokensPerChunk,
    Connections,
}

/// What a reader of this point must know not to be misled.
pub(crate) fn of(header: &Header, summary: &PointSummary) -> Vec<Note> {
    let all = [
        (About::Ending, ending(summary)),
        (About::Duration, cut_by_duration(summary)),
        (About::Warmup, warmup(summary)),
        (About::Restart, restart(summary)),
        (About::Stall, stall(summary)),
        (About::Uncounted, uncounted(summary)),
        (About::TokenSource, token_source(header, summary)),
        (About::PromptSource, prompt_source(header, summary)),
        (About::PromptZero, prompt_zero(summary)),
        (About::PromptLength, prompt_length(header, summary)),
        (About::Streaming, streaming(summary)),
        (About::TokensPerChunk, tokens_per_chunk(summary)),
        (About::Connections, connections(summary)),
    ];
    all.into_iter().filter_map(|(about, text)| Some(Note { about, text: text? })).collect()
}

fn ending(summary: &PointSummary) -> Option<String> {
    let why = match summary.ending {
        Ending::Complete => return None,
        Ending::Interrupted => "it was interrupted",
        Ending::Unfinished => "its log has no end (the program was killed or still runs)",
    };
    let asked = plural(summary.point.requests, "request", "requests");
    let covered = match summary.counts.measured {
        1 if summary.point.requests == 1 => "its one request had ended by then".to_owned(),
        ended if ended == summary.point.requests => format!("all {asked} had ended by then"),
        ended => format!("the figures cover {} of {asked}", count(ended)),
    };
    let cancelled = match summary.counts.cancelled {
        0 => String::new(),
        1 if summary.counts.measured == 1 => ", which was cancelled".to_owned(),
        cancelled => format!(", {} of them cancelled", count(cancelled)),
    };
    Some(format!("Incomplete, for {why}: {covered}{cancelled}."))
}

fn cut_by_duration(summary: &PointSummary) -> Option<String> {
    let duration = summary.point.duration?;
    let unsent = summary.point.requests.checked_sub(summary.counts.measured).filter(|&n| n > 0)?;
    (summary.ending == Ending::Complete).then(|| {
        let (were, they) = if unsent == 1 { ("was", "it was") } else { ("were", "they were") };
        format!(
            "The duration of {} s was over before {} of {} {were} due: {they} not sent.",
            shortest(duration, 3),
            count(unsent),
            plural(summary.point.requests, "request", "requests")
        )
    })
}

fn warmup(summary: &PointSummary) -> Option<String> {
    let counts = summary.counts;
    (counts.warmup_failed > 0 && !found(summary, "warm_up")).then(|| {
        let of = plural(counts.warmup, "request", "requests");
        format!(
            "{} of {of} of the warm-up failed: the server may not have been warm when it was measured.",
            count(counts.warmup_failed)
        )
    })
}

fn restart(summary: &PointSummary) -> Option<String> {
    (summary.server.restarted && !found(summary, "server_restarted")).then(|| {
        "A counter of the server's went down during the load: it was restarted, or its metrics were, and what its counters would \
         have told (speculation, diffusion, prefix cache) is left out."
            .to_owned()
    })
}

/// Whether a finding says it already.
fn found(summary: &PointSummary, rule: &str) -> bool {
    summary.findings.iter().any(|finding| finding.rule == rule)
}

fn stall(summary: &PointSummary) -> Option<String> {
    let stall = summary.stall?;
    let (from, to) = stall.between;
    Some(format!(
        "The client's event loop stood still for {} ms, somewhere between {} and {} s after the run began, when up to {} of {} {} in flight at once: \
         what reached them meanwhile is stamped late by up to as much, which shows in maxima.",
        fixed(stall.length * 1e3, 0),
        fixed(from.as_secs_f64(), 1),
        fixed(to.as_secs_f64(), 1),
        count(stall.at_once),
        plural(summary.counts.measured, "request", "requests"),
        if summary.counts.measured == 1 { "was" } else { "were" }
    ))
}

fn uncounted(summary: &PointSummary) -> Option<String> {
    let (successes, tokens) = (summary.counts.succeeded, &summary.tokens);
    let (outputs, prompts) = (tokens.output_uncounted, tokens.prompt_uncounted);
    let of: Vec<String> = [(outputs, "output", "outputs"), (prompts, "prompt", "prompts")]
        .into_iter()
        .filter(|&(missing, _, _)| missing > 0)
        .map(|(missing, one, several)| plural(missing, one, several))
        .collect();
    // What was counted of none has no throughput, and neither has the total.
    let effect = match (outputs, prompts) {
        (0, 0) => return None,
        (0, _) if prompts == successes => {
            "there is no total throughput; output throughput is not touched"
        }
        (0, _) => "total throughput is too low by them; output throughput is not touched",
        _ if outputs == successes => "there is no output throughput, and no total throughput",
        _ if prompts == successes => {
            "output throughput is too low, and there is no total throughput"
        }
        _ => "output throughput and total throughput leave them out and are too low",
    };
    Some(format!(
        "Nobody counted the tokens of {}: {effect}. Give a tokenizer to count them.",
        of.join(" and ")
    ))
}

fn token_source(header: &Header, summary: &PointSummary) -> Option<String> {
    let tokens = &summary.tokens;
    if !tokens.estimated() && tokens.output.len() < 2 {
        return None;
    }
    let mut counted = tokens.output.iter().map(|(&source, &n)| (n, counter_of(source, header)));
    let (n, by) = counted.next()?;
    let first = format!(
        "The {} of {} {} counted by {by}",
        if n == 1 { "output" } else { "outputs" },
        plural(n, "request", "requests"),
        if n == 1 { "was" } else { "were" }
    );
    let others = counted.map(|(n, by)| {
        format!("{} of {} by {by}", if n == 1 { "that" } else { "those" }, count(n))
    });
    let told: Vec<String> = std::iter::once(first).chain(others).collect();
    let estimate = match tokens.estimated() {
        true => {
            " Counts that are not the server's usage are estimates, and so is what rests on them: TPOT and token throughput."
        }
        false => "",
    };
    Some(format!("{}.{estimate}", told.join(", ")))
}

fn prompt_source(header: &Header, summary: &PointSummary) -> Option<String> {
    let local = summary.tokens.prompt_local;
    (header.tokens_estimated && local > 0).then(|| {
        format!(
            "Input tokens of {} are estimates: the server told none, and its tokenizer is not known.",
            plural(local, "request", "requests")
        )
    })
}

fn prompt_zero(summary: &PointSummary) -> Option<String> {
    let zero = summary.tokens.prompt_zero;
    (zero > 0).then(|| {
        format!(
            "The server counted no tokens at all in {}: input tokens and total throughput leave {} out.",
            plural(zero, "prompt that is not empty", "prompts that are not empty"),
            if zero == 1 { "it" } else { "them" }
        )
    })
}

/// Who counted, in words.
pub(crate) const fn counter(source: TokenSource) -> &'static str {
    match source {
        TokenSource::Usage => "the server's usage",
        TokenSource::ChunkUsage => "the server's running usage",
        TokenSource::LocalTokenizer => "the local tokenizer",
        TokenSource::ChunkCount => "the number of chunks",
    }
}

/// As [`counter`], with the tokenizer of this run: it may be the server's own, asked over the network.
const fn counter_of(source: TokenSource, header: &Header) -> &'static str {
    match (source, header.tokenizer.as_bytes()) {
        (TokenSource::LocalTokenizer, b"server") => "the server's own tokenizer",
        _ => counter(source),
    }
}

/// Where the server's tokenizer is not known, lengths differ for no other reason than that.
fn prompt_length(header: &Header, summary: &PointSummary) -> Option<String> {
    (header.tokens_estimated && summary.prompt_check.differing > 0).then(|| {
        "Prompts were measured by estimates, for the server's tokenizer is not known here: name it to get exact lengths."
            .to_owned()
    })
}

fn streaming(summary: &PointSummary) -> Option<String> {
    // Failures have no latencies anyway, and why they failed is told elsewhere.
    let whole = summary.counts.whole;
    (whole > 0).then(|| match summary.counts.succeeded - whole {
        0 => "Without streaming there is no first token to time: TTFT, TPOT and ITL are not applicable.".to_owned(),
        _ => format!(
            "{} not streamed and {} no TTFT, TPOT or ITL.",
            plural(whole, "response was", "responses were"),
            if whole == 1 { "has" } else { "have" }
        ),
    })
}

fn tokens_per_chunk(summary: &PointSummary) -> Option<String> {
    let per_chunk = summary.mean(&TOKENS_PER_CHUNK).filter(|&mean| mean > SEVERAL_TOKENS)?;
    let (icl, itl) = (summary.mean(&ICL)?, summary.mean(&ITL)?);
    let estimate = if summary.itl_estimated { ", an estimate" } else { "" };
    Some(format!(
        "The server sends {} tokens a chunk, so the ITL shown, the gap between chunks of {} ms, is {} ms a token{estimate}.",
        shortest(per_chunk, 2),
        shortest(icl * 1e3, 2),
        shortest(itl * 1e3, 2)
    ))
}

fn connections(summary: &PointSummary) -> Option<String> {
    let counts = summary.counts;
    if counts.connections_opened == 0 {
        return None;
    }
    let steps = [("DNS", &DNS_TIME), ("TCP", &TCP_TIME), ("TLS", &TLS_TIME)];
    let taken: Vec<String> = steps
        .iter()
        .filter_map(|&(step, metric)| {
            let times = summary.distribution(metric).filter(|times| times.max > 0.0)?;
            let (mean, max) = (times.mean * 1e3, times.max * 1e3);
            Some(format!(
                "{step} {} ms on average and {} ms at most",
                fixed(mean, 1),
                fixed(max, 1)
            ))
        })
        .collect();
    let took = if taken.is_empty() { String::new() } else { format!(": {}", taken.join(", ")) };
    Some(format!(
        "{} of {} had to open a connection, which is part of their latency{took}.",
        count(counts.connections_opened),
        plural(counts.measured, "request", "requests")
    ))
}

/// Above this many tokens a chunk, the gap between chunks is not the gap between tokens.
pub(crate) const SEVERAL_TOKENS: f64 = 1.05;

#[cfg(test)]
mod tests {
    use tokometer_metrics::Stall;
    use tokometer_metrics::diagnosis::{Finding, Severity, Sureness};
    use tokometer_metrics::summary::summarize;
    use tokometer_record::{
        Channel, Chunk, Connection, Failure, FailureKind, Offset, Outcome, OutputTokens, Phase,
        Point, PointLog, PromptTokens, Record,
    };

    use super::*;

    /// A point of successes with these counts: the prompt's by the server, and the output's.
    fn counted<const N: usize>(tokens: [(Option<u32>, Option<TokenSource>); N]) -> PointSummary {
        summarize(&log_of(tokens))
    }

    fn log_of<const N: usize>(tokens: [(Option<u32>, Option<TokenSource>); N]) -> PointLog {
        let records = (0..).zip(tokens).map(|(index, (prompt, output))| Record {
            index,
            phase: Phase::Measured,
            scheduled: Offset::ZERO,
            started: Offset::ZERO,
            connection: Connection::Reused,
            connected: None,
            sent: None,
            headers: None,
            chunks: vec![Chunk { at: Offset::from_nanos(9), tokens: 0, channel: Channel::Content }]
                .into(),
            end: Offset::from_nanos(9),
            streamed: true,
            outcome: Outcome::Ok,
            status: Some(200),
            prompt_tokens: PromptTokens { local: None, server: prompt, cached: None },
            output_tokens: output.map(|source| OutputTokens { count: 4, source }),
            asked_output: None,
            audio: None,
            inputs: None,
            finish_reason: None,
            request_id: String::new(),
            prompt: None,
            output: None,
        });
        let records: Vec<Record> = records.collect();
        let point = Point { requests: records.len() as u64, ..Point::default() };
        PointLog { records, ..PointLog::begun(point) }
    }

    #[test]
    fn prompts_that_nobody_counted_are_not_held_against_output_throughput() {
        const USAGE: Option<TokenSource> = Some(TokenSource::Usage);
        let told = |summary| uncounted(&summary).unwrap_or_default();
        assert_eq!(
            told(counted([(None, USAGE)])),
            "Nobody counted the tokens of 1 prompt: there is no total throughput; output throughput is not touched. \
             Give a tokenizer to count them."
        );
        let some = told(counted([(None, USAGE), (Some(8), USAGE)]));
        assert!(some.contains("1 prompt: total throughput is too low by them"), "{some}");
        let outputs = told(counted([(Some(8), USAGE), (Some(8), None), (Some(8), None)]));
        assert!(outputs.contains("of 2 outputs: output throughput and total"), "{outputs}");
        let both = told(counted([(None, None)]));
        assert!(both.contains("1 output and 1 prompt: there is no output"), "{both}");
        assert_eq!(told(counted([(Some(8), USAGE)])), "");
    }

    #[test]
    fn a_prompt_of_no_tokens_is_told_unless_it_is_empty() {
        const USAGE: Option<TokenSource> = Some(TokenSource::Usage);
        let told = |summary| prompt_zero(&summary).unwrap_or_default();
        assert_eq!(
            told(counted([(Some(0), USAGE), (Some(0), USAGE), (Some(3), USAGE)])),
            "The server counted no tokens at all in 2 prompts that are not empty: input tokens and total throughput leave them out."
        );
        assert_eq!(told(counted([(Some(3), USAGE)])), "");
        let mut empty = log_of([(Some(0), USAGE)]);
        empty.records[0].prompt_tokens.local = Some(0);
        assert_eq!(told(summarize(&empty)), "");
    }

    #[test]
    fn what_a_finding_says_is_not_said_again() {
        let mut summary = counted([(Some(9), None)]);
        (summary.counts.warmup, summary.counts.warmup_failed) = (4, 1);
        let told = warmup(&summary).unwrap();
        assert!(told.starts_with("1 of 4 requests of the warm-up failed"), "{told}");
        summary.findings = vec![Finding {
            rule: "warm_up",
            severity: Severity::Misleading,
            sureness: Sureness::Likely,
            what: String::new(),
            evidence: Vec::new(),
            next: String::new(),
            points: vec![0],
        }];
        assert_eq!(warmup(&summary), None);
    }

    #[test]
    fn lengths_are_called_estimates_only_where_they_are() {
        let mut log = log_of([(Some(9), None)]);
        log.records[0].prompt_tokens.local = Some(8);
        let summary = summarize(&log);
        let told = |tokens_estimated| {
            prompt_length(&Header { tokens_estimated, ..header() }, &summary).is_some()
        };
        assert!(told(true) && !told(false));
    }

    #[test]
    fn only_successes_are_said_to_lack_a_first_token() {
        let mut log = log_of([(Some(9), None), (Some(9), None), (Some(9), None)]);
        log.records[2].streamed = false;
        let told = |log: &PointLog| streaming(&summarize(log)).unwrap_or_default();
        assert_eq!(told(&log), "1 response was not streamed and has no TTFT, TPOT or ITL.");
        log.records[2].outcome =
            Outcome::Failed(Failure::new(FailureKind::Reset, "a page of HTML"));
        assert_eq!(told(&log), "");
    }

    #[test]
    fn a_stall_is_told_with_what_was_in_flight_at_once() {
        let mut summary = counted([(Some(9), None), (Some(9), None), (Some(9), None)]);
        let between = (Offset::ZERO, Offset::from_nanos(500_000_000));
        summary.stall = Some(Stall { length: 0.053, between, touched: 3, at_once: 2 });
        let told = stall(&summary).unwrap();
        assert!(told.contains("when up to 2 of 3 requests were in flight at once: what"), "{told}");
    }

    #[test]
    fn the_server_s_own_tokenizer_is_not_called_local() {
        let summary = counted([
            (Some(8), Some(TokenSource::LocalTokenizer)),
            (Some(8), Some(TokenSource::LocalTokenizer)),
            (Some(8), Some(TokenSource::ChunkCount)),
        ]);
        let told = |tokenizer: &str| {
            let header = Header { tokenizer: tokenizer.into(), ..header() };
            token_source(&header, &summary).unwrap_or_default()
        };
        let of_both = "The outputs of 2 requests were counted by the server's own tokenizer, that of 1 by the number of chunks.";
        assert!(told("server").starts_with(of_both), "{}", told("server"));
        assert!(told("models/x").contains("by the local tokenizer"));
    }

    fn header() -> Header {
        Header {
            version: tokometer_record::VERSION,
            program: String::new(),
            began: String::new(),
            dialect: String::new(),
            name: String::new(),
            alias: None,
            model: String::new(),
            api: String::new(),
            url: String::new(),
            dataset: String::new(),
            tokenizer: String::new(),
            tokens_estimated: false,
            arguments: serde_json::Value::Null,
            plan: String::new(),
            ..Header::default()
        }
    }
}
