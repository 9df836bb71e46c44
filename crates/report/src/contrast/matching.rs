//! Which loads of two sides are the same: by what is in flight or sent per second, by the lengths of prompts and outputs, and by how
//! many requests there were. And what such a load is called.
//!
//! Lengths that are drawn are never quite the same: what lies within chance is one length. Deliberately goes by what a load was, and
//! never by the names of files.

use super::{Measured, Pair};
use crate::number::shortest;

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
    let mut left = Vec::new();
    // The better the agreement that is asked for, the earlier a load finds its partner.
    let mut waiting = baseline;
    for agreement in [Agreement::Whole, Agreement::Lengths, Agreement::Load] {
        for group in std::mem::take(&mut waiting) {
            let found = rest.iter().position(|other| agrees(&group[0], &other[0], agreement));
            match found {
                Some(place) => matched.pairs.push([group, rest.remove(place)]),
                None => left.push(group),
            }
        }
        waiting = std::mem::take(&mut left);
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
    /// In what is in flight or sent.
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
        Agreement::Load => same_load(a, b),
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
pub(super) fn name(runs: &[Measured]) -> String {
    let Some(first) = runs.first() else { return String::new() };
    let tokens = tokens(first);
    let requests =
        first.case.requests.map(|requests| format!(", {} requests", shortest(requests, 0)));
    format!("{}{tokens}{}", load(first), requests.unwrap_or_default())
}

/// What a pair is called: by its load and its lengths.
pub(super) fn name_of_both(sides: &[Vec<Measured>; 2]) -> String {
    let [a, b] = sides;
    let both = |of: fn(&Measured) -> String| match (a.first(), b.first()) {
        (Some(a), Some(b)) if of(a) != of(b) && !same_load(a, b) => {
            format!("{} against {}", of(a), of(b))
        }
        (Some(a), _) => of(a),
        _ => String::new(),
    };
    both(load) + &a.first().map(tokens).unwrap_or_default()
}

/// Pairs of one name get the number of their requests beside it.
pub(super) fn tell_apart(pairs: &mut [Pair]) {
    let names: Vec<String> = pairs.iter().map(|pair| pair.name.clone()).collect();
    for pair in pairs {
        if names.iter().filter(|name| **name == pair.name).count() > 1 {
            pair.name = name(&pair.sides[0]);
        }
    }
}

/// `16 in flight`, `5 req/s`, `5 req/s, at most 16 in flight`.
pub(super) fn load(measured: &Measured) -> String {
    let rate = measured.case.rate.map(|rate| format!("{} req/s", shortest(rate, 3)));
    let places = measured.case.concurrency.map(|places| shortest(places, 0));
    match (rate, places) {
        (Some(rate), Some(places)) => format!("{rate}, at most {places} in flight"),
        (Some(rate), None) => rate,
        (None, Some(places)) => format!("{places} in flight"),
        (None, None) => "all at once".to_owned(),
    }
}

/// As they were asked for, or as they were measured where that is another length: an output may end where its model ends it.
fn tokens(measured: &Measured) -> String {
    let length = |which: usize| {
        let asked = [measured.case.input_len, measured.case.output_len][which];
        let was = measured.measured_length(which);
        let other =
            asked.zip(was).is_some_and(|(asked, was)| (asked - was).abs() > FEW_PER_CENT * asked);
        if other { was } else { asked.or(was) }
    };
    match (length(0), length(1)) {
        (Some(input), Some(output)) => {
            format!(", {} + {} tokens", shortest(input, 0), shortest(output, 0))
        }
        (Some(input), None) => format!(", {} tokens", shortest(input, 0)),
        _ => String::new(),
    }
}

/// Lengths that are further apart are others.
const FEW_PER_CENT: f64 = 0.05;

/// Where it is not known how far single lengths spread, those that are further apart are others: of a hundred drawn ones the means
/// differ by some per cent by chance.
const UNKNOWN_SPREAD: f64 = 0.1;

/// So many standard errors apart, drawn lengths are not those of one distribution: one in a thousand by chance.
const CHANCE: f64 = 3.3;
