//! Cases as curves: those of one model, one pair of lengths and one kind of load, ascending by load.
//!
//! Where a load was measured several times, its place is their mean, and the bar reaches from the least to the greatest; loads that the
//! client limited are never put together with others. Which lengths are of one curve is said by [`Case::has_lengths_of`].

use super::names::Labels;
use crate::cases::{Case, sorted};
use crate::number::shortest;
use crate::words::{Language, Words};

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
    /// Which configuration it is of, among all: those of one have one colour.
    pub(super) kind: usize,
    /// Which curve of that configuration: 0 where users wait for their answers, 1 in open loop, more where something else is held.
    pub(super) variant: usize,
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
    /// Whether nothing that the client did not limit was measured at the load of this stop.
    pub(super) fn is_alone(&self, stop: &Stop<'_>) -> bool {
        !stop.limited || !self.stops.iter().any(|other| !other.limited && other.load == stop.load)
    }
}

/// The curves of this load.
pub(super) fn of_load<'a>(curves: &[Curve<'a>], load: Load) -> Vec<Curve<'a>> {
    curves.iter().filter(|curve| curve.load == load).cloned().collect()
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
    let kinds = kinds(cases);
    let all = kinds.iter().enumerate().flat_map(|(place, kind)| kind.curves(place));
    let mut curves: Vec<Curve<'_>> = all.collect();
    // Without the other kind of load there is nothing to tell apart.
    if curves.iter().any(|curve| curve.load == Load::Concurrency) {
        for curve in curves.iter_mut().filter(|curve| curve.load == Load::Rate) {
            curve.name = Words::both(
                format!("{}, open loop", curve.name),
                format!("{}（开环）", curve.name.told(Language::Chinese)),
            );
        }
    }
    curves
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
    let labels = Labels::of(cases);
    let lengths = |kind: &Kind<'_>| {
        kind.cases.first().map_or_else(String::new, |case| labels.lengths(case, "×"))
    };
    let first = kinds.first().map(lengths);
    let several = kinds.iter().any(|kind| Some(lengths(kind)) != first);
    for kind in &mut kinds {
        let model = kind.cases.first().and_then(|case| labels.group(case));
        let lengths = (several || model.is_none()).then(|| lengths(kind));
        kind.name = model.into_iter().chain(lengths).collect::<Vec<_>>().join(" · ");
    }
    kinds
}

impl<'a> Kind<'a> {
    fn group(&self) -> &'a str {
        self.cases.first().map_or("", |case| case.group.as_str())
    }

    fn holds(&self, case: &Case) -> bool {
        self.cases
            .first()
            .is_some_and(|first| first.group == case.group && first.has_lengths_of(case))
    }

    /// Its curves: one for each kind of load, and for each value of what is held while the other grows.
    fn curves(&self, kind: usize) -> Vec<Curve<'a>> {
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
        let named =
            |(place, (load, held, mut stops)): (usize, (Load, Option<f64>, Vec<Stop<'a>>))| {
                stops.sort_by(|a, b| a.load.total_cmp(&b.load).then(a.limited.cmp(&b.limited)));
                let other = if load == Load::Rate { Load::Concurrency } else { Load::Rate };
                let told = held.map(|held| short(other, held));
                let name =
                    [self.name.clone()].into_iter().chain(told).collect::<Vec<_>>().join(" · ");
                let variant = match (load, held) {
                    (Load::Concurrency, None) => 0,
                    (Load::Rate, None) => 1,
                    _ => 2 + place,
                };
                Curve { name: name.into(), load, kind, variant, stops }
            };
        curves.into_iter().enumerate().map(named).collect()
    }
}

/// The cases that are on none of the curves of at least so many loads.
pub(super) fn on_none<'a>(cases: &'a [Case], curves: &[Curve<'_>], fewest: usize) -> Vec<&'a Case> {
    let shown = |case: &Case| {
        let long = curves.iter().filter(|curve| curve.stops.len() >= fewest);
        let mut all = long.flat_map(|curve| &curve.stops).flat_map(|stop| &stop.cases);
        all.any(|other| std::ptr::eq(*other, case))
    };
    sorted(cases).into_iter().filter(|case| !shown(case)).collect()
}

/// A case's load in words.
pub(super) fn load(case: &Case) -> Words {
    match (case.concurrency, case.rate) {
        (Some(places), Some(rate)) => {
            format!("{} {}", short(Load::Concurrency, places), short(Load::Rate, rate)).into()
        }
        (Some(places), None) => short(Load::Concurrency, places).into(),
        (None, Some(rate)) => short(Load::Rate, rate).into(),
        (None, None) => Words::fixed("all at once", "一次性全部发出"),
    }
}

fn short(load: Load, at: f64) -> String {
    match load {
        Load::Concurrency => format!("mc{}", shortest(at, 0)),
        Load::Rate => format!("{} req/s", shortest(at, 2)),
    }
}
