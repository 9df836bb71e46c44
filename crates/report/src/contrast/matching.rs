//! Which loads of two sides are the same: by what is in flight or sent per second, by the lengths of prompts and outputs, and by how
//! many requests there were. And what such a load is called.
//!
//! Lengths that are drawn are never quite the same: what lies within chance is one length. Of several loads that might be meant the
//! nearest is, and none that is far off. Deliberately goes by what a load was, and never by the names of files.

use super::{Measured, Pair};
use crate::number::shortest;
use crate::words::Language::{Chinese, English};
use crate::words::Words;

/// Loads of two sides.
#[derive(Clone, Debug, Default)]
pub(super) struct Matched {
    /// Those of both, by number: the runs of the baseline, and of the candidate.
    pub(super) pairs: Vec<[Vec<Measured>; 2]>,
    /// Those of one.
    pub(super) alone: [Vec<Vec<Measured>>; 2],
}

/// Loads that are alike, as pairs; where each side has but one load, the two are one even if they are not alike.
pub(super) fn matched(baseline: Vec<Measured>, candidate: Vec<Measured>) -> Matched {
    let (baseline, mut rest) = (grouped(baseline), grouped(candidate));
    let single = baseline.len() == 1 && rest.len() == 1;
    let mut matched = Matched::default();
    // The better the agreement that is asked for, the earlier a load finds its partner; among several the nearest.
    let mut waiting = baseline;
    for agreement in [Agreement::Whole, Agreement::Lengths, Agreement::Load] {
        while let Some((of_waiting, of_rest)) = nearest(&waiting, &rest, agreement) {
            matched.pairs.push([waiting.remove(of_waiting), rest.remove(of_rest)]);
        }
    }
    match (single, waiting.pop(), rest.pop()) {
        (true, Some(a), Some(b)) => matched.pairs.push([a, b]),
        (_, a, b) => {
            waiting.extend(a);
            rest.extend(b);
            matched.alone = [waiting, rest];
        }
    }
    let number = |value: Option<f64>| value.unwrap_or(f64::INFINITY);
    matched.pairs.sort_by(|[a, _], [b, _]| {
        let by = |of: fn(&Measured) -> Option<f64>| number(of(&a[0])).total_cmp(&number(of(&b[0])));
        by(|m| m.case.input_len)
            .then(by(|m| m.case.output_len))
            .then(by(|m| m.case.concurrency))
            .then(by(|m| m.case.rate))
            .then(by(|m| m.case.requests))
    });
    matched
}

/// Where the two loads stand that agree and are nearest to each other; of several as near the first.
fn nearest(
    waiting: &[Vec<Measured>],
    rest: &[Vec<Measured>],
    agreement: Agreement,
) -> Option<(usize, usize)> {
    let mut best: Option<(f64, (usize, usize))> = None;
    for (first, a) in waiting.iter().enumerate() {
        for (second, b) in rest.iter().enumerate() {
            if !agrees(&a[0], &b[0], agreement) {
                continue;
            }
            let far = distance(&a[0], &b[0]);
            if best.is_none_or(|(least, _)| far < least) {
                best = Some((far, (first, second)));
            }
        }
    }
    best.map(|(_, places)| places)
}

/// How far the lengths of two loads are apart, and then the numbers of their requests: by the logarithms of their ratios.
fn distance(a: &Measured, b: &Measured) -> f64 {
    let apart = |a: Option<f64>, b: Option<f64>| match (a, b) {
        (Some(a), Some(b)) if a > 0.0 && b > 0.0 => (b / a).ln().abs(),
        _ => 0.0,
    };
    let lengths: f64 = (0..2).map(|which| apart(length(a, which), length(b, which))).sum();
    lengths + apart(a.case.requests, b.case.requests) * A_LITTLE
}

/// Whether neither length of the two is further off than may be meant.
fn not_far(a: &Measured, b: &Measured) -> bool {
    (0..2).all(|which| match (length(a, which), length(b, which)) {
        (Some(a), Some(b)) => a.max(b) <= FARTHEST * a.min(b),
        _ => true,
    })
}

/// Runs of one load together.
fn grouped(points: Vec<Measured>) -> Vec<Vec<Measured>> {
    let mut groups: Vec<Vec<Measured>> = Vec::new();
    for point in points {
        match groups.iter_mut().find(|group| agrees(&group[0], &point, Agreement::Whole)) {
            Some(group) => group.push(point),
            None => groups.push(vec![point]),
        }
    }
    groups
}

/// In what two loads agree.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Agreement {
    /// In what is in flight or sent, with lengths that are not far apart.
    Load,
    /// And in lengths.
    Lengths,
    /// And in the number of requests.
    Whole,
}

fn agrees(a: &Measured, b: &Measured, agreement: Agreement) -> bool {
    let lengths = || (0..2).all(|which| lengths_apart(a, b, which).is_none());
    let requests = || same(a.case.requests, b.case.requests);
    match agreement {
        Agreement::Load => same_load(a, b) && not_far(a, b),
        Agreement::Lengths => same_load(a, b) && lengths(),
        Agreement::Whole => same_load(a, b) && lengths() && requests(),
    }
}

/// Whether as many are in flight at once, and as many sent per second.
pub(super) fn same_load(a: &Measured, b: &Measured) -> bool {
    same(a.case.concurrency, b.case.concurrency) && same(a.case.rate, b.case.rate)
}

/// The lengths of prompts (0) or outputs (1) of the two, where they are too far apart to be those of one load: as they were asked
/// for, or else as they were measured, by more than chance makes of lengths that are drawn.
pub(super) fn lengths_apart(a: &Measured, b: &Measured, which: usize) -> Option<[f64; 2]> {
    let asked = |m: &Measured| [m.case.input_len, m.case.output_len][which];
    let known = [a, b].iter().all(|m| m.lengths[which].is_some());
    let borne = if known { FEW_PER_CENT } else { UNKNOWN_SPREAD };
    let far = |first: f64, second: f64| (second - first).abs() > borne * first.max(second);
    let by_chance = || {
        let [Some(first), Some(second)] = [a, b].map(|m| m.lengths[which]) else { return false };
        let error = |sample: tokometer_metrics::compare::Sample| {
            sample.sd.unwrap_or(0.0).powi(2) / sample.n as f64
        };
        (second.mean - first.mean).abs() <= CHANCE * (error(first) + error(second)).sqrt()
    };
    let apart = |first: Option<f64>, second: Option<f64>| {
        let (first, second) = first.zip(second)?;
        far(first, second).then_some([first, second])
    };
    let measured = apart(a.measured_length(which), b.measured_length(which));
    let measured = measured.filter(|_| !by_chance());
    // Where nothing was asked for exactly, what is called asked is what was measured.
    let was_asked = |m: &Measured| asked(m) != m.measured_length(which);
    let both = was_asked(a) && was_asked(b);
    measured.or_else(|| apart(asked(a), asked(b)).filter(|_| both))
}

fn same(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-6 * a.abs().max(b.abs()),
        (None, None) => true,
        _ => false,
    }
}

/// What the load of these runs is called: `16 in flight, 512 + 128 tokens, 400 requests`.
pub(super) fn name(runs: &[Measured]) -> Words {
    let Some(first) = runs.first() else { return Words::default() };
    let load = load_and_lengths(first);
    match first.case.requests {
        None => load,
        Some(requests) => {
            let requests = shortest(requests, 0);
            both(
                &load,
                |load| format!("{load}, {requests} requests"),
                |load| format!("{load}，{requests} 个请求"),
            )
        }
    }
}

/// `16 in flight, 512 + 128 tokens`.
pub(super) fn load_and_lengths(measured: &Measured) -> Words {
    let (load, tokens) = (load(measured), tokens(measured));
    match tokens.is_empty() {
        true => load,
        false => both(
            &load,
            |load| format!("{load}, {tokens} tokens"),
            |load| format!("{load}，{tokens} 个令牌"),
        ),
    }
}

/// What a pair is called: by its load and its lengths; by both of each where they differ.
pub(super) fn name_of_both(sides: &[Vec<Measured>; 2]) -> Words {
    let [a, b] = sides;
    let (Some(a), Some(b)) = (a.first(), b.first()) else {
        return a.first().or(b.first()).map(load_and_lengths).unwrap_or_default();
    };
    let one_length = (0..2).all(|which| lengths_apart(a, b, which).is_none());
    let against = |first: &Words, second: &Words| {
        Words::both(
            format!("{} against {}", first.told(English), second.told(English)),
            format!("{} 对比 {}", first.told(Chinese), second.told(Chinese)),
        )
    };
    match (same_load(a, b), one_length) {
        (true, true) => load_and_lengths(a),
        (false, false) => against(&load_and_lengths(a), &load_and_lengths(b)),
        (true, false) => {
            let other = tokens(b);
            let other = Words::both(format!("{other} tokens"), format!("{other} 个令牌"));
            against(&load_and_lengths(a), &other)
        }
        (false, true) => against(&load(a), &load_and_lengths(b)),
    }
}

fn both(
    words: &Words,
    english: impl Fn(&str) -> String,
    chinese: impl Fn(&str) -> String,
) -> Words {
    Words::both(english(words.told(English)), chinese(words.told(Chinese)))
}

/// Pairs of one name get the number of their requests beside it.
pub(super) fn tell_apart(pairs: &mut [Pair]) {
    let names: Vec<String> = pairs.iter().map(|pair| pair.name.clone()).collect();
    for pair in pairs {
        if names.iter().filter(|name| **name == pair.name).count() > 1 {
            pair.heading = name(&pair.sides[0]);
            pair.name = pair.heading.to_string();
        }
    }
}

/// `16 in flight`, `5 req/s`, `5 req/s, at most 16 in flight`.
pub(super) fn load(measured: &Measured) -> Words {
    let rate = measured.case.rate.map(|rate| format!("{} req/s", shortest(rate, 3)));
    let places = measured.case.concurrency.map(|places| shortest(places, 0));
    match (rate, places) {
        (Some(rate), Some(places)) => Words::both(
            format!("{rate}, at most {places} in flight"),
            format!("{rate}，最多 {places} 并发"),
        ),
        (Some(rate), None) => rate.into(),
        (None, Some(places)) => {
            Words::both(format!("{places} in flight"), format!("{places} 并发"))
        }
        (None, None) => Words::fixed("all at once", "同时发送全部请求"),
    }
}

/// Mean tokens of prompts and outputs: `512 + 128`. Empty where they are not known.
fn tokens(measured: &Measured) -> String {
    match (length(measured, 0), length(measured, 1)) {
        (Some(input), Some(output)) => format!("{} + {}", shortest(input, 0), shortest(output, 0)),
        (Some(input), None) => shortest(input, 0),
        _ => String::new(),
    }
}

/// As it was asked for, or as it was measured where that is another length: an output may end where its model ends it.
fn length(measured: &Measured, which: usize) -> Option<f64> {
    let asked = [measured.case.input_len, measured.case.output_len][which];
    let was = measured.measured_length(which);
    let other =
        asked.zip(was).is_some_and(|(asked, was)| (asked - was).abs() > FEW_PER_CENT * asked);
    if other { was } else { asked.or(was) }
}

/// Lengths more than this many times another's are nobody's idea of one load, not even of one that has changed a little.
const FARTHEST: f64 = 1.5;

/// The number of requests tells loads apart only where their lengths do not.
const A_LITTLE: f64 = 1e-3;

/// Lengths that are further apart are others.
const FEW_PER_CENT: f64 = 0.05;

/// Where it is not known how far single lengths spread, those that are further apart are others: of a hundred drawn ones the means
/// differ by some per cent by chance.
const UNKNOWN_SPREAD: f64 = 0.1;

/// So many standard errors apart, drawn lengths are not those of one distribution: one in a thousand by chance.
const CHANCE: f64 = 3.3;
