//! What forbids to compare two sides, in words and with both values; and what only must be known.

use std::fmt;

use super::copies::is_copy;
use super::matching::{Matched, lengths_apart, load, load_and_lengths, name_of_both, same_load};
use super::{Measured, words};
use crate::number::{count, shortest};
use crate::prose::quoted;

/// Why two sides cannot be compared as they stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objection {
    /// What it is, for programs: `model`, `lengths`, `dataset`, `api`, `load`, `client_limited`, `broken_off`, `failed`.
    pub kind: &'static str,
    /// In words, with both values.
    pub what: String,
}

impl fmt::Display for Objection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// Everything that forbids to compare, each once.
pub(super) fn objections(matched: &Matched) -> Vec<Objection> {
    let mut found: Vec<Objection> = Vec::new();
    let mut object = |kind: &'static str, what: String| {
        let objection = Objection { kind, what };
        if !found.contains(&objection) {
            found.push(objection);
        }
    };
    if matched.pairs.is_empty() {
        let all = |side: usize| {
            let loads = matched.alone[side].iter().filter_map(|group| group.first());
            few(loads.map(|first| load_and_lengths(first).to_string()).collect())
        };
        object(
            "load",
            format!("no load of both: the baseline has {}, the candidate {}", all(0), all(1)),
        );
    }
    for [a, b] in &matched.pairs {
        for (kind, what, of) in IDENTITIES {
            let [first, second] = [a, b].map(|runs| values(runs, *of));
            if !first.is_empty() && !second.is_empty() && !alike(kind, &first, &second) {
                object(
                    kind,
                    format!(
                        "{what}: {} in the baseline, {} in the candidate",
                        few(first),
                        few(second)
                    ),
                );
            } else if first.len() > 1 || second.len() > 1 {
                let (side, several) =
                    if first.len() > 1 { ("baseline", first) } else { ("candidate", second) };
                if !all_alike(kind, &several) {
                    object(kind, format!("the {side} is of several: {what}: {}", few(several)));
                }
            }
        }
    }
    for sides in &matched.pairs {
        let [a, b] = sides;
        let at = name_of_both(sides).to_string();
        let (Some(first), Some(second)) = (a.first(), b.first()) else { continue };
        if !same_load(first, second) {
            object(
                "load",
                format!(
                    "another load: {} in the baseline, {} in the candidate",
                    load(first),
                    load(second)
                ),
            );
        }
        for (which, what) in ["prompts", "outputs"].into_iter().enumerate() {
            if let Some([of_a, of_b]) = lengths_apart(first, second, which) {
                let [of_a, of_b] = [of_a, of_b].map(|length| shortest(length, 1));
                object(
                    "lengths",
                    format!(
                        "{}: other lengths: {what} of {of_a} tokens in the baseline, of {of_b} in the candidate",
                        load(first)
                    ),
                );
            }
        }
        for (side, runs) in ["baseline", "candidate"].into_iter().zip(sides) {
            let of = |number: usize| match (number, runs.len()) {
                (1, 1) => format!("the {side}"),
                (number, all) => {
                    format!("{number} of {} of the {side}", words::counted(all, "run"))
                }
            };
            let limited = runs.iter().filter(|run| run.case.client_limited).count();
            if limited > 0 {
                object(
                    "client_limited",
                    format!(
                        "{at}: {} client-limited: its figures are partly the client's own",
                        of_are(&of(limited))
                    ),
                );
            }
            let broken: Vec<&str> =
                runs.iter().filter_map(|run| run.broken_off.as_deref()).collect();
            if let Some(why) = broken.first() {
                object(
                    "broken_off",
                    format!("{at}: {} did not come to the end: {why}", of(broken.len())),
                );
            }
            let failing = runs
                .iter()
                .filter_map(Measured::failed)
                .filter(|(failed, tried)| *failed > MOSTLY * tried);
            if let Some((failed, tried)) =
                failing.reduce(|sum, more| (sum.0 + more.0, sum.1 + more.1))
            {
                object(
                    "failed",
                    format!(
                        "{at}: in the {side} most requests failed: {} of {}",
                        count(failed as u64),
                        count(tried as u64)
                    ),
                );
            }
        }
    }
    found
}

/// What must be known of a pair, and forbids nothing.
pub(super) fn notes(sides: &[Vec<Measured>; 2]) -> Vec<String> {
    let [a, b] = sides;
    let mut notes = Vec::new();
    if let (Some(first), Some(second)) = (a.first(), b.first()) {
        let [of_a, of_b] = [first, second].map(|run| run.case.requests);
        if let Some((of_a, of_b)) = of_a.zip(of_b).filter(|(a, b)| a != b) {
            notes.push(format!(
                "{} requests in the baseline and {} in the candidate: the first requests, which find an empty server, weigh differently",
                shortest(of_a, 0),
                shortest(of_b, 0)
            ));
        }
    }
    for (side, runs) in ["baseline", "candidate"].into_iter().zip(sides) {
        let copies: Vec<String> = runs.iter().flat_map(|run| run.copies.clone()).collect();
        if !copies.is_empty() {
            notes.push(format!(
                "{side}: copies of one run are no repetitions, and are not counted: {}",
                few(copies)
            ));
        }
    }
    if let Some((first, second)) =
        a.iter().find_map(|first| Some((first, b.iter().find(|second| is_copy(first, second))?)))
    {
        notes.push(format!(
            "one run stands on both sides, {} and {}: the file is old, or copied, or was given twice",
            quoted(&first.source, 80),
            quoted(&second.source, 80)
        ));
    }
    for (side, runs) in ["baseline", "candidate"].into_iter().zip(sides) {
        let (failed, tried) = runs
            .iter()
            .filter_map(Measured::failed)
            .fold((0.0, 0.0), |sum, more| (sum.0 + more.0, sum.1 + more.1));
        if failed > 0.0 && failed <= MOSTLY * tried {
            notes.push(format!(
                "{side}: {} of {} requests failed; latencies are those of the others alone",
                count(failed as u64),
                count(tried as u64)
            ));
        }
    }
    notes
}

/// What identifies a run: of its model and such, each value once.
fn values(runs: &[Measured], of: fn(&Measured) -> Option<&str>) -> Vec<String> {
    let mut values: Vec<String> = Vec::new();
    for value in runs.iter().filter_map(of) {
        if !values.iter().any(|known| known == value) {
            values.push(value.to_owned());
        }
    }
    values
}

/// Whether both sides are of the same.
fn alike(kind: &str, a: &[String], b: &[String]) -> bool {
    let among =
        |value: &String, others: &[String]| others.iter().any(|other| is_one(kind, value, other));
    a.iter().all(|value| among(value, b)) && b.iter().all(|value| among(value, a))
}

fn all_alike(kind: &str, values: &[String]) -> bool {
    values.iter().all(|value| is_one(kind, value, &values[0]))
}

/// A model is the same in whichever folder or under whichever owner it lies.
fn is_one(kind: &str, a: &str, b: &str) -> bool {
    let last = |name: &str| {
        name.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_lowercase()
    };
    a == b || (kind == "model" && last(a) == last(b))
}

/// The first few of several.
fn few(values: Vec<String>) -> String {
    let more = values.len().saturating_sub(MOST_NAMED);
    let named: Vec<String> =
        values.into_iter().take(MOST_NAMED).map(|value| quoted(&value, 80)).collect();
    match (named.is_empty(), more) {
        (true, _) => "none".to_owned(),
        (_, 0) => named.join("; "),
        (_, more) => format!("{}; and {more} more", named.join("; ")),
    }
}

fn of_are(of: &str) -> String {
    let verb = if of.starts_with(|c: char| c.is_ascii_digit()) && !of.starts_with("1 of") {
        "are"
    } else {
        "is"
    };
    format!("{of} {verb}")
}

type Identity = (&'static str, &'static str, fn(&Measured) -> Option<&str>);

const IDENTITIES: &[Identity] = &[
    ("model", "another model", Measured::model),
    ("api", "another API", |run| run.api.as_deref()),
    ("dataset", "another dataset", |run| run.dataset.as_deref()),
];

/// A greater part is most.
const MOSTLY: f64 = 0.5;

const MOST_NAMED: usize = 6;
