//! What stands beside the figures in every dialect: why requests failed, how far the figures can be trusted, and what else a
//! reader must know not to be misled.

use std::collections::BTreeSet;

use serde_json::Value;
use tokometer_metrics::catalog::{
    CACHE_HIT_RATE, CLIENT_CPU, DNS_TIME, ICL, ITL, LATENESS_P99, LOOP_LAG_P99, TCP_TIME, TLS_TIME,
    TOKENS_PER_CHUNK,
};
use tokometer_metrics::summary::{Ending, PointSummary};
use tokometer_metrics::{FailureGroup, LengthCheck};
use tokometer_record::{FailureKind, Header, TokenSource};

use crate::grid::{Tone, toned};
use crate::number::{count, fixed, plural, shortest};
use crate::prose::{paragraph, quoted};
use crate::{Style, advice};

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
    Uncounted,
    TokenSource,
    PromptSource,
    PromptLength,
    OutputLength,
    Streaming,
    TokensPerChunk,
    Cache,
    Connections,
}

/// The kinds of failure with their counts and the server's words, two columns in.
pub(crate) fn causes(groups: &[FailureGroup]) -> String {
    let mut text = String::new();
    let widest = groups.iter().map(|group| count(group.count).len()).max().unwrap_or(0);
    for group in groups {
        let lead = format!("  {:>widest$} × ", count(group.count));
        let indent = format!("  {:>widest$}   ", "");
        let several = group.messages.len() > 1;
        if several {
            text.push_str(&paragraph(&lead, &format!("{}, in different words:", group.kind)));
        }
        for message in &group.messages {
            let words = quoted(&gist(&message.message), LONGEST_QUOTE);
            let found = format!(
                "(first: request {}, id {})",
                message.index,
                quoted(&message.request_id, 80)
            );
            text.push_str(&if several {
                let lead = format!("{indent}{} × ", count(message.count));
                paragraph(&lead, &format!("\"{words}\" {found}"))
            } else {
                paragraph(&lead, &format!("{}: \"{words}\" {found}", group.kind))
            });
        }
        if group.others > 0 {
            let others = plural(group.others, "failure", "failures");
            text.push_str(&paragraph(&indent, &format!("and {others} in other words")));
        }
    }
    text
}

/// What a body of JSON says under the names that servers give to messages, or the message as it is.
fn gist(message: &str) -> String {
    let body: Option<Value> = serde_json::from_str(message).ok();
    let said = body.as_ref().and_then(|body| {
        let places = ["/error/message", "/message", "/detail", "/error"];
        places.iter().find_map(|place| body.pointer(place)?.as_str())
    });
    said.filter(|said| !said.trim().is_empty()).unwrap_or(message).to_owned()
}

/// What to do about these failures: one sentence a kind.
pub(crate) fn remedies<'a>(groups: impl IntoIterator<Item = &'a FailureGroup>) -> String {
    let kinds: BTreeSet<FailureKind> = groups.into_iter().map(|group| group.kind).collect();
    kinds
        .into_iter()
        .map(|kind| paragraph("  → ", &format!("{kind}: {}.", advice::on(kind))))
        .collect()
}

/// Why requests of a point failed, and what to do. Empty if none did.
pub(crate) fn failures(summary: &PointSummary, style: Style) -> String {
    if summary.failures.is_empty() {
        return String::new();
    }
    let counts = summary.counts;
    let of = plural(counts.measured, "request", "requests");
    let heading = format!("Why {} of {of} failed:", count(counts.failed));
    let heading = toned(&heading, Tone::Poor, style);
    format!("{heading}\n{}{}", causes(&summary.failures), remedies(&summary.failures))
}

/// The verdict on a point, with what it rests on.
pub(crate) fn verdict(summary: &PointSummary, style: Style) -> String {
    if summary.counts.measured == 0 {
        return "Verdict: none, for no request ended.\n".to_owned();
    }
    let reasons = summary.verdict.reasons();
    if reasons.is_empty() {
        let verdict = format!("{} {}", toned("valid.", Tone::Good, style), kept_up(summary));
        return paragraph("Verdict: ", &verdict);
    }
    let heading = toned("CLIENT-LIMITED", Tone::Poor, style);
    let mut text = format!(
        "Verdict: {heading}: these figures are partly the client's own, not the server's.\n"
    );
    for reason in reasons {
        text.push_str(&paragraph("  • ", &format!("{reason}: {}.", reason.advice())));
    }
    text
}

fn kept_up(summary: &PointSummary) -> String {
    let ms = |seconds: f64| format!("{} ms", shortest(seconds * 1e3, 2));
    let late = summary
        .figure(&LATENESS_P99)
        .map(|late| format!("requests started {} late at p99", ms(late)));
    let lag = summary
        .figure(&LOOP_LAG_P99)
        .map(|lag| format!("its event loop was {} late at p99", ms(lag)));
    let cpu =
        summary.figure(&CLIENT_CPU).map(|cpu| format!("it used {} % of one core", fixed(cpu, 0)));
    let facts: Vec<String> = [late, lag, cpu].into_iter().flatten().collect();
    let unknown = match summary.client {
        None => " The log has no end, so the client's event loop and processor are not known.",
        Some(client) if client.loop_lag_probes == 0 => " Its event loop was not probed.",
        Some(_) => "",
    };
    format!("The client kept up: {}.{unknown}", facts.join(", "))
}

/// What a reader of this point must know not to be misled.
pub(crate) fn notes(header: &Header, summary: &PointSummary) -> Vec<Note> {
    let all = [
        (About::Ending, ending(summary)),
        (About::Duration, cut_by_duration(summary)),
        (About::Warmup, warmup(summary)),
        (About::Uncounted, uncounted(summary)),
        (About::TokenSource, token_source(summary)),
        (About::PromptSource, prompt_source(header, summary)),
        (About::PromptLength, prompt_length(header, summary)),
        (About::OutputLength, output_length(summary)),
        (About::Streaming, streaming(summary)),
        (About::TokensPerChunk, tokens_per_chunk(summary)),
        (About::Cache, cache(summary)),
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
        ended if ended == summary.point.requests => format!("all {asked} had ended by then"),
        ended => format!("the figures cover {} of {asked}", count(ended)),
    };
    Some(format!("Incomplete, for {why}: {covered}."))
}

fn cut_by_duration(summary: &PointSummary) -> Option<String> {
    let duration = summary.point.duration?;
    let unsent = summary.point.requests.checked_sub(summary.counts.measured).filter(|&n| n > 0)?;
    (summary.ending == Ending::Complete).then(|| {
        format!(
            "The duration of {} s was over before {} of {} requests were due: they were not sent.",
            shortest(duration, 3),
            count(unsent),
            count(summary.point.requests)
        )
    })
}

fn warmup(summary: &PointSummary) -> Option<String> {
    let counts = summary.counts;
    (counts.warmup_failed > 0).then(|| {
        let of = plural(counts.warmup, "request", "requests");
        format!(
            "{} of {of} of the warm-up failed: the server was not warm when it was measured.",
            count(counts.warmup_failed)
        )
    })
}

fn uncounted(summary: &PointSummary) -> Option<String> {
    let tokens = &summary.tokens;
    let missing = tokens.output_uncounted.max(tokens.prompt_uncounted);
    (missing > 0).then(|| {
        format!(
            "Nobody counted the tokens of {}: token throughput leaves them out and is too low. Give a tokenizer to count them.",
            plural(missing, "response", "responses")
        )
    })
}

fn token_source(summary: &PointSummary) -> Option<String> {
    let tokens = &summary.tokens;
    if !tokens.estimated() && tokens.output.len() < 2 {
        return None;
    }
    let counted: Vec<String> = tokens
        .output
        .iter()
        .map(|(&source, &n)| format!("{} by {}", count(n), counter(source)))
        .collect();
    let estimate = match tokens.estimated() {
        true => {
            " Counts that are not the server's own are estimates, and so is what rests on them: TPOT and token throughput."
        }
        false => "",
    };
    Some(format!("Output tokens were counted {}.{estimate}", counted.join(", ")))
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

/// Who counted, in words.
pub(crate) const fn counter(source: TokenSource) -> &'static str {
    match source {
        TokenSource::Usage => "the server's usage",
        TokenSource::ChunkUsage => "the server's running usage",
        TokenSource::LocalTokenizer => "the local tokenizer",
        TokenSource::ChunkCount => "the number of chunks",
    }
}

fn prompt_length(header: &Header, summary: &PointSummary) -> Option<String> {
    let check = &summary.prompt_check;
    let example = check.examples.first()?;
    let cause = if header.tokens_estimated {
        "The server's tokenizer is not known here: name it to get exact lengths.".to_owned()
    } else if check.same_everywhere() {
        format!(
            "It is the same difference everywhere: likely the server's chat template is not that of {}.",
            header.tokenizer
        )
    } else {
        format!(
            "Likely the server's tokenizer is not {}: name the one that belongs to the model.",
            header.tokenizer
        )
    };
    Some(format!(
        "The server counts other prompt lengths than meant in {} of {}: {} tokens (request {}: {} instead of {}). {cause}",
        count(check.differing),
        plural(check.compared, "request", "requests"),
        range(check),
        example.index,
        example.actual,
        example.expected
    ))
}

fn output_length(summary: &PointSummary) -> Option<String> {
    let check = &summary.output_check;
    let example = check.examples.first()?;
    let cause = if check.stopped > 0 {
        "The model ended them of its own accord: have it ignore its end-of-sequence token (ignore_eos) to fix their length."
    } else {
        "Check that the server honours the limits on output length."
    };
    Some(format!(
        "Outputs are not as long as asked for in {} of {}: {} tokens (request {}: {} instead of {}). {cause}",
        count(check.differing),
        plural(check.compared, "request", "requests"),
        range(check),
        example.index,
        example.actual,
        example.expected
    ))
}

/// `+9`, or `−62 to −3`.
fn range(check: &LengthCheck) -> String {
    let signed = |difference: i64| format!("{difference:+}").replace('-', "−");
    if check.least == check.greatest {
        signed(check.least)
    } else {
        format!("{} to {}", signed(check.least), signed(check.greatest))
    }
}

fn streaming(summary: &PointSummary) -> Option<String> {
    let counts = summary.counts;
    let whole = counts.measured - counts.streamed;
    (whole > 0).then(|| match counts.streamed {
        0 => "Without streaming there is no first token to time: TTFT, TPOT and ITL are not applicable.".to_owned(),
        _ => format!(
            "{} were not streamed and have no TTFT, TPOT or ITL.",
            plural(whole, "response", "responses")
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

fn cache(summary: &PointSummary) -> Option<String> {
    let rate = summary.figure(&CACHE_HIT_RATE).filter(|&rate| rate >= WARM_CACHE)?;
    Some(format!(
        "The server took {}% of the prompt tokens from its prefix cache: TTFT is that of partly known prompts.",
        fixed(rate, 1)
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

/// The longest quotation of a server's words.
const LONGEST_QUOTE: usize = 300;

/// Above this many tokens a chunk, the gap between chunks is not the gap between tokens.
pub(crate) const SEVERAL_TOKENS: f64 = 1.05;

/// A cache that answers this many per cent of the prompt tokens makes a difference: the line at which vLLM's client warns.
const WARM_CACHE: f64 = 1.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gist_of_a_body_is_its_message() {
        let bodies = [
            r#"{"error":{"message":"queue is full","code":429}}"#,
            r#"{"object":"error","message":"no such model"}"#,
            r#"{"detail":"Not Found"}"#,
            r#"{"error":"overloaded"}"#,
            r#"{"detail":[{"msg":"field required"}]}"#,
            r#"{"error":{"message":""}}"#,
            r#"{"error":{"message":"cut o"#,
            "upstream connect error",
        ];
        let gists = bodies.map(gist);
        assert_eq!(gists[..4], ["queue is full", "no such model", "Not Found", "overloaded"]);
        assert_eq!(gists[4..], bodies[4..]);
    }
}
