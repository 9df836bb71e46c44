//! Cases as curves: those of one model, one pair of lengths and one kind of load, ascending by load.
//!
//! Where a load was measured several times, its place is their mean, and the bar reaches from the least to the greatest; loads that the
//! client limited are never put together with others. Measured mean lengths scatter from load to load: those that are no whole
//! numbers are taken for one another within a few per cent. What was asked for is told apart exactly.

use crate::cases::{Case, sorted};
use crate::number::shortest;
use crate::words::Words;

/// What grows along a curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load {
    /// Requests in flight.
    Concurrency,
    /// Requests per second.
    Rate,
}

/// Cases under a growing load.
#[derive(Clone, Debug)]
pub(super) struct Curve<'a> {
    /// What tells it from the other curves.
    pub(super) name: Words,
    /// What grows.
    pub(super) load: Load,
    /// The loads, ascending.
    pub(super) stops: Vec<Stop<'a>>,
}

/// The cases at one load.
#[derive(Clone, Debug)]
pub(super) struct Stop<'a> {
    /// How much.
    pub(super) load: f64,
    /// What was measured there: once or several times.
    pub(super) cases: Vec<&'a Case>,
    /// Whether the client limited it.
    pub(super) limited: bool,
    /// The load in short: `mc16`, `10 req/s`.
    pub(super) label: String,
}

/// A figure at a load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Value {
    /// The mean of the times it was measured.
    pub(super) mean: f64,
    /// The least and the greatest, where it was measured several times.
    pub(super) range: Option<(f64, f64)>,
}

impl Load {
    /// What the axis is called.
    pub(super) const fn axis(self) -> Words {
        match self {
            Self::Concurrency => {
                Words::fixed("Concurrency (requests in flight)", "并发数（同时处理的请求）")
            }
            Self::Rate => Words::fixed("Request rate (req/s)", "请求速率 (req/s)"),
        }
    }
}

impl Curve<'_> {
    /// The curve where it is of this load, and otherwise nothing of it but its name: so each keeps its place, and its look.
    pub(super) fn only(&self, load: Load) -> Self {
        let stops = if self.load == load { self.stops.clone() } else { Vec::new() };
        Self { stops, ..self.clone() }
    }
}

impl Stop<'_> {
    /// What a figure came to here.
    pub(super) fn value(&self, of: impl Fn(&Case) -> Option<f64>) -> Option<Value> {
        let values: Vec<f64> = self
            .cases
            .iter()
            .filter_map(|case| of(case))
            .filter(|value| value.is_finite())
            .collect();
        let (least, greatest) =
            values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(least, greatest), value| {
                (least.min(*value), greatest.max(*value))
            });
        (!values.is_empty()).then(|| Value {
            mean: values.iter().sum::<f64>() / values.len() as f64,
            range: (values.len() > 1).then_some((least, greatest)),
        })
    }
}

/// The curves that these cases make, by number: the shortest prompts first. Those without a load (all requests at once) are on none.
pub(super) fn curves(cases: &[Case]) -> Vec<Curve<'_>> {
    kinds(cases).iter().flat_map(Kind::curves).collect()
}

/// Cases of one model and one pair of lengths: those that can be compared.
#[derive(Clone, Debug)]
pub(super) struct Kind<'a> {
    /// What tells it from the other kinds.
    pub(super) name: String,
    /// Its cases, by number.
    pub(super) cases: Vec<&'a Case>,
}

/// The kinds that these cases make: models in the order in which they were given, and of each the shortest prompts first.
pub(super) fn kinds(cases: &[Case]) -> Vec<Kind<'_>> {
    let mut kinds: Vec<Kind<'_>> = Vec::new();
    for case in sorted(cases) {
        match kinds.iter_mut().find(|kind| kind.holds(case)) {
            Some(kind) => kind.cases.push(case),
            None => kinds.push(Kind { name: String::new(), cases: vec![case] }),
        }
    }
    let place = |kind: &Kind<'_>| cases.iter().position(|case| case.group == kind.group());
    kinds.sort_by_key(place);
    let groups = names(cases);
    let first = kinds.first().map(Kind::lengths);
    let several = kinds.iter().any(|kind| Some(kind.lengths()) != first);
    for kind in &mut kinds {
        let model = (groups.len() > 1).then(|| name(&groups, kind.group()));
        let lengths = (several || groups.len() <= 1).then(|| kind.lengths());
        kind.name = model.into_iter().chain(lengths).collect::<Vec<_>>().join(" · ");
    }
    kinds
}

/// Each group once, with the name that it is shown by: the last part of a path, where that tells all of them apart.
pub(super) fn names(cases: &[Case]) -> Vec<(String, String)> {
    let mut groups: Vec<&str> = Vec::new();
    for case in cases {
        if !groups.contains(&case.group.as_str()) {
            groups.push(&case.group);
        }
    }
    let short =
        |group: &str| group.trim_end_matches('/').rsplit('/').next().unwrap_or(group).to_owned();
    let all: Vec<String> = groups.iter().map(|group| short(group)).collect();
    let unique = all.iter().enumerate().all(|(place, name)| !all[..place].contains(name));
    let named = |(group, short): (&&str, String)| {
        ((*group).to_owned(), if unique { short } else { (*group).to_owned() })
    };
    groups.iter().zip(all).map(named).collect()
}

/// The name that a group is shown by.
pub(super) fn name(names: &[(String, String)], group: &str) -> String {
    names
        .iter()
        .find(|(known, _)| known == group)
        .map_or_else(|| group.to_owned(), |(_, name)| name.clone())
}

/// `512×64`: tokens of prompts and of outputs.
pub(super) fn lengths(case: &Case) -> String {
    let one = |length: Option<f64>| length.map_or("?".to_owned(), |length| shortest(length, 0));
    format!("{}×{}", one(case.input_len), one(case.output_len))
}

impl<'a> Kind<'a> {
    fn group(&self) -> &'a str {
        self.cases.first().map_or("", |case| case.group.as_str())
    }

    fn lengths(&self) -> String {
        self.cases.first().map_or_else(String::new, |case| lengths(case))
    }

    fn holds(&self, case: &Case) -> bool {
        self.cases.first().is_some_and(|first| {
            first.group == case.group
                && alike(first.input_len, case.input_len)
                && alike(first.output_len, case.output_len)
        })
    }

    /// Its curves: one for each kind of load, and for each value of what is held while the other grows.
    fn curves(&self) -> Vec<Curve<'a>> {
        let capped = || self.cases.iter().filter(|case| case.concurrency.is_some());
        let distinct = |of: fn(&Case) -> Option<f64>| {
            let mut values: Vec<f64> = capped().filter_map(|case| of(case)).collect();
            values.sort_by(f64::total_cmp);
            values.dedup();
            values.len()
        };
        // Under one cap and at several rates it is the rate that grows.
        let paced = distinct(|case| case.concurrency) == 1 && distinct(|case| case.rate) > 1;
        let mut curves: Vec<(Load, Option<f64>, Vec<Stop<'a>>)> = Vec::new();
        for case in &self.cases {
            let (load, at, held) = match (case.concurrency, case.rate) {
                (Some(places), Some(rate)) if paced => (Load::Rate, rate, Some(places)),
                (Some(places), rate) => (Load::Concurrency, places, rate),
                (None, Some(rate)) => (Load::Rate, rate, None),
                (None, None) => continue,
            };
            let same = |curve: &&mut (Load, Option<f64>, Vec<Stop<'a>>)| {
                (curve.0, curve.1) == (load, held)
            };
            let stops = match curves.iter_mut().find(same) {
                Some((_, _, stops)) => stops,
                None => {
                    curves.push((load, held, Vec::new()));
                    &mut curves.last_mut().expect("one was just put there").2
                }
            };
            let same =
                |stop: &&mut Stop<'_>| stop.load == at && stop.limited == case.client_limited;
            match stops.iter_mut().find(same) {
                Some(stop) => stop.cases.push(case),
                None => stops.push(Stop {
                    load: at,
                    cases: vec![case],
                    limited: case.client_limited,
                    label: short(load, at),
                }),
            }
        }
        let named = |(load, held, mut stops): (Load, Option<f64>, Vec<Stop<'a>>)| {
            stops.sort_by(|a, b| a.load.total_cmp(&b.load).then(a.limited.cmp(&b.limited)));
            let other = if load == Load::Rate { Load::Concurrency } else { Load::Rate };
            let held = held.map(|held| short(other, held));
            let name = [self.name.clone()].into_iter().chain(held).collect::<Vec<_>>().join(" · ");
            Curve { name: name.into(), load, stops }
        };
        curves.into_iter().map(named).collect()
    }
}

/// Whether two lengths are of the same kind: equal, or neither whole and nearly so.
fn alike(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => {
            let measured = a.fract() != 0.0 || b.fract() != 0.0;
            a == b || (measured && (a - b).abs() <= NEARLY * a.max(b))
        }
        (None, None) => true,
        _ => false,
    }
}

fn short(load: Load, at: f64) -> String {
    match load {
        Load::Concurrency => format!("mc{}", shortest(at, 0)),
        Load::Rate => format!("{} req/s", shortest(at, 2)),
    }
}

/// How far measured mean lengths of one dataset scatter.
const NEARLY: f64 = 0.1;
