//! Outputs that stand still: while the prompt of another request is computed, or for what is not known.
//!
//! Prefill stalls: who is being answered waits for the whole step that computes a piece of somebody else's prompt: the gap between two of its chunks
//! grows to the length of that step (Agrawal et al., "Taming Throughput-Latency Tradeoff in LLM Inference with Sarathi-Serve", 2024,
//! call it a generation stall). The client sees it end: the other's first token leaves in the same step. Where gaps that are longer still do
//! not end that way, something else makes them, and `stream_stalls` tells of it. Deliberately no guess what: a gap looks the same from
//! whatever it comes.

use std::time::Duration;

use tokometer_record::{Offset, Record, Signal};

use super::figures::{count, figure, percent, plural, setting, time};
use super::telling::median;
use super::{Evidence, Facts, Finding, Severity, Sureness, latencies};
use crate::Run;
use crate::catalog::{ICL, INPUT_TOKENS};
use crate::quantile::Percentile;

/// Gaps between chunks have a tail, and its gaps end with other requests' first tokens.
pub(super) fn prefill_stalls(facts: &Facts<'_>) -> Option<Finding> {
    if !latencies::are_the_servers(facts) {
        return None;
    }
    let gaps = facts.summary.distribution(&ICL)?;
    let (median, tail) = (gaps.linear(Percentile::P50)?, gaps.linear(Percentile::P99)?);
    let long = (median * LONG).max(median + LEAST);
    if tail < long {
        return None;
    }
    let seen = Seen::of(facts.run, median, long);
    let (stalled, usual) = (seen.long.share()?, seen.usual.share().unwrap_or(0.0));
    if seen.long.all < FEWEST || stalled < COINCIDING || usual > stalled * BY_CHANCE {
        return None;
    }
    let mut evidence = vec![Evidence::new(format!(
        "gaps between chunks: {} at p50, {} at p99",
        time(median),
        time(tail)
    ))];
    if let Some((length, at)) = seen.worst {
        let fact = format!("the longest that ends with another's first token: {}", time(length));
        evidence.push(Evidence::at(fact, at));
    }
    evidence.push(Evidence::new(format!(
        "of {} gaps above {}, {} end as another request's first token comes; of the others {}",
        count(seen.long.all),
        time(long),
        percent(stalled),
        percent(usual)
    )));
    if let Some(prompts) = facts.summary.mean(&INPUT_TOKENS) {
        evidence.push(Evidence::new(format!("prompts: {} tokens on average", figure(prompts))));
    }
    Some(Finding {
        rule: "prefill_stalls",
        severity: Severity::Limiting,
        sureness: if stalled >= SURE { Sureness::Likely } else { Sureness::Possible },
        what: format!(
            "Outputs stand still while other requests' prompts are computed: the gap between chunks is {} at p99, {} times its median.",
            time(tail),
            figure(tail / median.max(f64::MIN_POSITIVE))
        ),
        evidence,
        next: next(facts),
        points: vec![facts.summary.point.index],
    })
}

/// Streams stand still in mid-output for many times the usual gap, and no other request's prompt is why.
pub(super) fn stream_stalls(facts: &Facts<'_>) -> Option<Finding> {
    let preempted = facts.summary.side.growth(Signal::Preemptions).is_some_and(|grown| grown > 0.0);
    if preempted || !latencies::are_the_servers(facts) {
        return None;
    }
    let gaps = facts.summary.distribution(&ICL)?;
    let usual = gaps.linear(Percentile::P50).filter(|&usual| usual >= UNBUNDLED)?;
    let long = (usual * STILL).max(usual + LEAST);
    if gaps.max < long {
        return None;
    }
    let seen = Seen::of(facts.run, usual, long);
    let (coinciding, by_chance) = (seen.long.share()?, seen.usual.share().unwrap_or(0.0));
    let of_prompts = coinciding >= COINCIDING && by_chance <= coinciding * BY_CHANCE;
    let streams = seen.stalls.len();
    let many = streams >= STREAMS && streams as f64 >= STREAMS_OF_ALL * seen.streams as f64;
    let rare = seen.long.all as f64 <= RARE * (seen.long.all + seen.usual.all) as f64;
    if of_prompts || !many || !rare {
        return None;
    }
    let (length, at) = seen.stalls.iter().copied().max_by(longer)?;
    let typical = median(seen.stalls.iter().map(|&(length, _)| length))?;
    // Of a tail there are the more gaps the shorter they are.
    let middle = median(seen.tail.iter().copied().filter(|&gap| gap >= long))?;
    let shorter = seen.tail.iter().filter(|&&gap| middle / 4.0 <= gap && gap < middle / 2.0);
    if shorter.count() as f64 > SHORTER * seen.long.all as f64 {
        return None;
    }
    let of_streams = plural(seen.streams, "stream", "streams");
    Some(Finding {
        rule: "stream_stalls",
        severity: Severity::Misleading,
        sureness: Sureness::Likely,
        what: format!(
            "Streams stand still in mid-output: {} of {of_streams} have a gap of about {}, where the usual one is {}. A TPOT spreads it over the \
             whole output.",
            count(streams as u64),
            time(typical),
            time(usual)
        ),
        evidence: vec![
            Evidence::new(format!(
                "{} above {}, in {} of {of_streams}",
                plural(seen.long.all, "gap", "gaps"),
                time(long),
                count(streams as u64)
            )),
            Evidence::at(format!("the longest: {}", time(length)), at),
            Evidence::new(format!(
                "{} of them end as another request's first token comes, of the others {}: no prompts explain them",
                percent(coinciding),
                percent(by_chance)
            )),
        ],
        next: "Look into the server's log at that moment, and at what stands before it: a pause of the engine or of a proxy, or a parser of tools or \
               of reasoning that holds text back. Read the 99th percentile and the maximum of the gaps rather than TPOT."
            .to_owned(),
        points: vec![facts.summary.point.index],
    })
}

fn next(facts: &Facts<'_>) -> String {
    let side = &facts.summary.side;
    format!(
        "Compute prompts in smaller pieces ({}; chunked prefill must be on), at the price of a longer TTFT, or compute them on instances of \
         their own (disaggregated prefill).",
        setting(side, "a lower --max-num-batched-tokens", "a lower --chunked-prefill-size")
    )
}

/// The gaps of a run, by their length.
#[derive(Default)]
struct Seen {
    long: Gaps,
    usual: Gaps,
    /// The longest of those long ones that end with another's first token, in seconds, and when it began.
    worst: Option<(f64, Offset)>,
    /// How many streams were looked at.
    streams: u64,
    /// Of each that has a long gap its longest, and when it began.
    stalls: Vec<(f64, Offset)>,
    /// Gaps of a quarter of what is long, and longer.
    tail: Vec<f64>,
}

/// Gaps of one kind.
#[derive(Default)]
struct Gaps {
    all: u64,
    /// Of those, how many end with another's first token.
    coinciding: u64,
}

impl Gaps {
    fn share(&self) -> Option<f64> {
        (self.all > 0).then(|| self.coinciding as f64 / self.all as f64)
    }

    const fn add(&mut self, gaps: u64, coinciding: u64) {
        self.all += gaps;
        self.coinciding += coinciding;
    }
}

impl Seen {
    /// A prompt in several pieces makes as many long gaps in a row, and its first token comes with the last: they count together.
    fn of(run: &Run<'_>, median: f64, long: f64) -> Self {
        let firsts = firsts(run);
        let near = Duration::from_secs_f64((median * NEAR).clamp(NEAREST, FARTHEST));
        let mut seen = Self::default();
        for record in sampled(run) {
            let mut in_a_row: Vec<(f64, Offset)> = Vec::new();
            let mut longest = None;
            seen.streams += u64::from(record.chunks.len() > 1);
            let mut from = record.first().unwrap_or_default();
            for (chunk, gap) in record.chunks.gaps() {
                let to = chunk.at;
                let (length, ends) = (gap.as_secs_f64(), another(&firsts, record, to, near));
                if length >= long / 4.0 {
                    seen.tail.push(length);
                }
                if length >= long {
                    in_a_row.push((length, from));
                    longest = [(length, from)].into_iter().chain(longest).max_by(longer);
                    if ends {
                        seen.worst = in_a_row.iter().copied().chain(seen.worst).max_by(longer);
                        let gaps = in_a_row.drain(..).len() as u64;
                        seen.long.add(gaps, gaps);
                    }
                } else {
                    seen.long.add(in_a_row.drain(..).len() as u64, 0);
                    seen.usual.add(1, u64::from(ends));
                }
                from = to;
            }
            seen.long.add(in_a_row.len() as u64, 0);
            seen.stalls.extend(longest);
        }
        seen
    }
}

fn longer(a: &(f64, Offset), b: &(f64, Offset)) -> std::cmp::Ordering {
    // Of equal ones the earliest.
    a.0.total_cmp(&b.0).then(b.1.cmp(&a.1))
}

/// Everybody's first tokens, the warm-up's too, by their moments, and whose they are.
fn firsts(run: &Run<'_>) -> Vec<(Offset, u64)> {
    let first = |record: &&Record| Some((record.first()?, record.index));
    let mut firsts: Vec<(Offset, u64)> = run.all.iter().filter_map(first).collect();
    firsts.sort_unstable();
    firsts
}

/// Whether another request's first token came at about this moment.
fn another(firsts: &[(Offset, u64)], record: &Record, at: Offset, near: Duration) -> bool {
    let from = Offset::ZERO + at.since(Offset::ZERO).saturating_sub(near);
    let within = firsts[firsts.partition_point(|&(moment, _)| moment < from)..].iter();
    within.take_while(|&&(moment, _)| moment <= at + near).any(|&(_, whose)| whose != record.index)
}

/// Successes, all or as many of them, evenly chosen, as have about [`MOST_CHUNKS`].
fn sampled<'a>(run: &Run<'a>) -> impl Iterator<Item = &'a Record> {
    let chunks: usize = run.successes().map(|record| record.chunks.len()).sum();
    run.successes().step_by(chunks.div_ceil(MOST_CHUNKS).max(1))
}

/// A gap is long from so many times the median on: below that, a step with a prompt in it is not much longer than one without.
pub(super) const LONG: f64 = 3.0;

/// … and from so many seconds above the median on: what takes less than a tenth of a second is felt as immediate (Miller 1968).
pub(super) const LEAST: f64 = 0.1;

/// At least so many long gaps must have been seen: a percentile of fewer is a few accidents.
pub(super) const FEWEST: u64 = 20;

/// At least this share of long gaps must end with another's first token: the cause of most of them.
pub(super) const COINCIDING: f64 = 0.5;

/// From this share on hardly anything else is left that makes them.
pub(super) const SURE: f64 = 0.8;

/// Of the other gaps at most so much of that share may do so too: where first tokens come all the time, every gap ends with one.
pub(super) const BY_CHANCE: f64 = 0.5;

/// A stream stands still from so many times the usual gap on: steps differ by less, however full they are.
pub(super) const STILL: f64 = 10.0;

/// Below so many seconds the usual gap is one within a bundle of chunks, and the long ones are those between bundles.
pub(super) const UNBUNDLED: f64 = 0.001;

/// At least so many streams stand still …
pub(super) const STREAMS: usize = 4;

/// … and this share of all: less is seen in the maximum only.
pub(super) const STREAMS_OF_ALL: f64 = 0.02;

/// At most this share of all gaps: where more are, it is how the server writes.
pub(super) const RARE: f64 = 0.05;

/// Gaps between a quarter and a half of the long ones' median are at most this many times the long ones: otherwise the long ones are a tail.
pub(super) const SHORTER: f64 = 0.5;

/// How near two chunks of one step arrive: within this share of the median gap …
const NEAR: f64 = 0.25;

/// … but not nearer than the network scatters them, in seconds …
const NEAREST: f64 = 0.001;

/// … and not farther than that by much.
const FARTHEST: f64 = 0.005;

/// Some hundred thousand gaps tell a share to a tenth of a per cent.
const MOST_CHUNKS: usize = 400_000;

#[cfg(test)]
mod tests {
    use tokometer_record::PointLog;

    use super::*;
    use crate::summary::summarize;
    use crate::summary::testing::{ok, point_log, probed};

    /// Twenty requests that read along at 10 ms a chunk, and stand still for `stall` every 300 ms; and others, whose first tokens come
    /// so long after the end of each stall.
    fn log(stall: u64, after: u64) -> PointLog {
        let mut chunks = Vec::new();
        let mut at = 10;
        for number in 1..=600_u64 {
            chunks.push(at);
            at += if number.is_multiple_of(30) { stall } else { 10 };
        }
        let readers = (0..20).map(|i| ok(i, 0, &chunks));
        let gaps = chunks.windows(2).filter(|pair| pair[1] - pair[0] == stall && stall != 10);
        let others: Vec<u64> = gaps.map(|pair| pair[1]).collect();
        let others = (20..).zip(others).map(|(i, end)| ok(i, end - stall, &[end + after]));
        probed(point_log(readers.chain(others)), 100_000, 200_000)
    }

    fn found(log: &PointLog) -> Option<Finding> {
        let mut summary = summarize(log);
        summary.findings.clear();
        prefill_stalls(&Facts { run: &Run::of(log), summary: &summary })
    }

    #[test]
    fn gaps_that_end_with_the_first_tokens_of_others_are_stalls() {
        let finding = found(&log(200, 0)).unwrap();
        assert_eq!((finding.severity, finding.sureness), (Severity::Limiting, Sureness::Likely));
        assert_eq!(
            finding.what,
            "Outputs stand still while other requests' prompts are computed: the gap between chunks is 200 ms at p99, 20 times its median."
        );
        let facts: Vec<&str> = finding.evidence.iter().map(|e| e.fact.as_str()).collect();
        assert_eq!(
            facts,
            [
                "gaps between chunks: 10 ms at p50, 200 ms at p99",
                "the longest that ends with another's first token: 200 ms",
                "of 380 gaps above 110 ms, 100 % end as another request's first token comes; of the others 0 %",
                "prompts: 10 tokens on average",
            ]
        );
        assert_eq!(finding.evidence[1].at, Some(Offset::from_nanos(300_000_000)));
    }

    #[test]
    fn a_prompt_in_pieces_is_one_stall_of_several_gaps() {
        // Three gaps of 150 ms in a row; the other's first token comes with the last of them.
        let mut chunks: Vec<u64> = (1..=100).map(|i| i * 10).collect();
        chunks.extend([1_150, 1_300, 1_450]);
        chunks.extend((1..=50).map(|i| 1_450 + i * 10));
        let readers = (0..10).map(|i| ok(i, 0, &chunks));
        let finding = found(&point_log(readers.chain([ok(10, 900, &[1_450])])));
        let finding = finding.expect("3 of 152 gaps are long");
        assert!(finding.evidence[2].fact.starts_with("of 30 gaps above 110 ms, 100 % end"));
    }

    fn still(log: &PointLog) -> Option<Finding> {
        let mut summary = summarize(log);
        summary.findings.clear();
        stream_stalls(&Facts { run: &Run::of(log), summary: &summary })
    }

    /// So many streams of 40 chunks at 10 ms, one after the other; every fifth stands still once for so long.
    fn every_fifth(streams: u64, pause: u64) -> PointLog {
        let stream = |i: u64| {
            let from = i * 2_000;
            let pause = if i.is_multiple_of(5) { pause } else { 0 };
            let chunks =
                (1..=40).map(|chunk| from + chunk * 10 + if chunk > 20 { pause } else { 0 });
            ok(i, from, &chunks.collect::<Vec<u64>>())
        };
        probed(point_log((0..streams).map(stream)), 100_000, 200_000)
    }

    #[test]
    fn one_long_gap_in_every_fifth_stream_is_told_as_that() {
        let finding = still(&every_fifth(60, 1_500)).unwrap();
        assert_eq!((finding.severity, finding.sureness), (Severity::Misleading, Sureness::Likely));
        assert_eq!(
            finding.what,
            "Streams stand still in mid-output: 12 of 60 streams have a gap of about 1.51 s, where the usual one is 10 ms. A TPOT spreads it over \
             the whole output."
        );
        let facts: Vec<&str> = finding.evidence.iter().map(|e| e.fact.as_str()).collect();
        assert_eq!(
            facts,
            [
                "12 gaps above 110 ms, in 12 of 60 streams",
                "the longest: 1.51 s",
                "0 % of them end as another request's first token comes, of the others 0 %: no prompts explain them",
            ]
        );
        assert_eq!(finding.evidence[1].at, Some(Offset::from_nanos(200_000_000)));
    }

    #[test]
    fn short_pauses_and_those_of_few_streams_are_not_told() {
        assert!(still(&every_fifth(60, 100)).is_some());
        assert_eq!(still(&every_fifth(60, 99)), None);
        assert!(still(&every_fifth(20, 1_500)).is_some());
        assert_eq!(still(&every_fifth(15, 1_500)), None);
    }

    #[test]
    fn pauses_for_other_requests_prompts_are_left_to_the_other_rule() {
        assert_eq!(still(&log(200, 0)), None);
        let finding = still(&log(200, 40)).unwrap();
        assert!(finding.what.contains("20 of"), "{}", finding.what);
    }

    #[test]
    fn a_tail_of_gaps_is_noise() {
        // Of each twice as long gap there are half as many.
        let gap = |i: u64| 10 << (i + 1).trailing_zeros();
        let stream = |i: u64| {
            let mut at = i * 100_000;
            let chunks = (0..400).map(|chunk| {
                at += gap(i * 400 + chunk);
                at
            });
            ok(i, i * 100_000, &chunks.collect::<Vec<u64>>())
        };
        assert_eq!(still(&point_log((0..20).map(stream))), None);
    }

    #[test]
    fn chunks_in_bundles_stand_still_nowhere() {
        let bundles = |i: u64| {
            let chunks = (0..200).map(|chunk| i * 3_000 + 100 + chunk / 25 * 250);
            ok(i, i * 3_000, &chunks.collect::<Vec<u64>>())
        };
        assert_eq!(still(&point_log((0..20).map(bundles))), None);
    }

    #[test]
    fn pauses_of_preempted_requests_are_the_preemptions() {
        let log = every_fifth(60, 1_500);
        let mut summary = summarize(&log);
        summary.side.grown.insert(Signal::Preemptions, 12.0);
        assert_eq!(stream_stalls(&Facts { run: &Run::of(&log), summary: &summary }), None);
    }

    #[test]
    fn long_gaps_that_end_with_nobody_s_first_token_are_not_told_as_stalls() {
        assert_eq!(found(&log(200, 40)), None);
    }

    #[test]
    fn short_gaps_are_no_stalls() {
        assert_eq!(found(&log(10, 0)), None);
        // 99 ms above the median is not a tenth of a second.
        assert_eq!(found(&log(109, 0)), None);
        assert!(found(&log(111, 0)).is_some());
    }

    #[test]
    fn nothing_is_said_of_stalls_where_the_client_was_late_itself() {
        assert_eq!(found(&probed(log(200, 0), 80_000_000, 90_000_000)), None);
    }

    #[test]
    fn one_request_alone_has_no_others() {
        let mut chunks: Vec<u64> = (1..=100).map(|i| i * 10).collect();
        chunks.extend((1..=40).map(|i| 1_000 + i * 200));
        assert_eq!(found(&point_log([ok(0, 0, &chunks)])), None);
    }
}
