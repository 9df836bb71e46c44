//! How a figure of ours is made of a server's: the words in which the tables beside this file are written.
//!
//! Knows no server and no name of a metric.

use std::collections::BTreeMap;

use tokometer_record::Signal;

use super::{View, is_told};
use crate::prometheus::{Identity, Sample};

/// A figure in a server's words.
#[derive(Clone, Copy, Debug)]
pub(super) enum Figure {
    /// A figure of its own: of these names, the first that the page tells, made one over all its series.
    Told(&'static [&'static str], Which, Over),
    /// The first times the second that has the same labels, added up.
    Product(Series, Series),
    /// The first ÷ the second that has the same labels, the largest.
    Ratio(Series, Series),
    /// Numbers that stand in the labels of this name, multiplied: of these lists of labels, the first that a series has
    /// numbers for all of; added up over the series.
    InLabels(&'static str, &'static [&'static [&'static str]]),
}

/// A metric, and which of its series.
pub(super) type Series = (&'static str, Which);

/// Which series of a name.
#[derive(Clone, Copy, Debug)]
pub(super) enum Which {
    /// All of them.
    All,
    /// Those whose label has one of these values. A label that is not there is empty, as Prometheus has it.
    Only(&'static str, &'static [&'static str]),
    /// Those whose label has none of these values.
    Except(&'static str, &'static [&'static str]),
}

/// How one figure is made of several series: of engines, of models.
#[derive(Clone, Copy, Debug)]
pub(super) enum Over {
    /// Requests and tokens add up.
    Sum,
    /// Of caches the fullest tells where work is held up.
    Max,
    /// Shares of like things, whose weights are not told.
    Mean,
    /// The same, where zero says that there is nothing to take a share of.
    MeanAboveZero,
}

/// These names, all their series, added up.
pub(super) const fn sum(names: &'static [&'static str]) -> Figure {
    Figure::Told(names, Which::All, Over::Sum)
}

/// These names, of which only some series count, added up.
pub(super) const fn sum_of(which: Which, names: &'static [&'static str]) -> Figure {
    Figure::Told(names, which, Over::Sum)
}

/// These names, the largest of all series.
pub(super) const fn max(names: &'static [&'static str]) -> Figure {
    Figure::Told(names, Which::All, Over::Max)
}

/// These names, the mean over all series.
pub(super) const fn mean(names: &'static [&'static str]) -> Figure {
    Figure::Told(names, Which::All, Over::Mean)
}

impl Figure {
    /// The figure that the page tells. `None` where it does not. May be infinite, where numbers are too large to be added
    /// up.
    pub(super) fn read(self, view: &View<'_, '_>, signal: Signal) -> Option<f64> {
        let told = |(name, which): Series| of_each_series(view, view.series(signal, name), which);
        match self {
            Self::Told(names, which, over) => {
                names.iter().find_map(|name| over.one(told((name, which)).into_values()))
            }
            Self::Product(one, other) => {
                Over::Sum.one(paired(told(one), told(other)).map(|(one, other)| one * other))
            }
            Self::Ratio(one, other) => {
                let pairs = paired(told(one), told(other)).filter(|(_, other)| 0.0 < *other);
                Over::Max.one(pairs.map(|(one, other)| one / other))
            }
            Self::InLabels(name, lists) => {
                let product = |sample: &Sample<'_>| {
                    lists.iter().find_map(|labels| {
                        labels.iter().map(|label| number(sample, label)).product()
                    })
                };
                Over::Sum.one(view.series(signal, name).iter().filter_map(product))
            }
        }
    }
}

impl Which {
    fn includes(self, sample: &Sample<'_>) -> bool {
        let is_one_of = |label, values: &[&str]| {
            values.contains(&sample.label(label).unwrap_or_default().as_ref())
        };
        match self {
            Self::All => true,
            Self::Only(label, values) => is_one_of(label, values),
            Self::Except(label, values) => !is_one_of(label, values),
        }
    }

    /// The label that tells no series from another, as all that count have the same value there.
    fn settled(self) -> Option<&'static str> {
        match self {
            Self::Only(label, [_]) => Some(label),
            _ => None,
        }
    }
}

impl Over {
    fn one(self, values: impl Iterator<Item = f64>) -> Option<f64> {
        let above_zero = |value: &f64| 0.0 < *value;
        match self {
            Self::Sum => values.reduce(|one, other| one + other),
            Self::Max => values.reduce(f64::max),
            Self::Mean => averaged(values),
            Self::MeanAboveZero => averaged(values.filter(above_zero)),
        }
    }
}

fn averaged(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (count, sum) = values.fold((0.0, 0.0), |(count, sum), value| (count + 1.0, sum + value));
    (0.0 < count).then(|| sum / count)
}

/// The value of each series. Those that repeat one another are one, and tell the largest of theirs: a rank may be a moment
/// behind.
fn of_each_series<'p>(
    view: &View<'_, 'p>,
    samples: &[Sample<'p>],
    which: Which,
) -> BTreeMap<Identity<'p>, f64> {
    let apart_from: Vec<&str> =
        view.server.repeated.iter().copied().chain(which.settled()).collect();
    let mut values = BTreeMap::new();
    for sample in samples.iter().filter(|sample| is_told(sample.value) && which.includes(sample)) {
        let value = values.entry(sample.identity(&apart_from)).or_insert(sample.value);
        *value = sample.value.max(*value);
    }
    values
}

fn paired<'p>(
    ones: BTreeMap<Identity<'p>, f64>,
    others: BTreeMap<Identity<'p>, f64>,
) -> impl Iterator<Item = (f64, f64)> {
    ones.into_iter().filter_map(move |(identity, one)| Some((one, *others.get(&identity)?)))
}

fn number(sample: &Sample<'_>, label: &str) -> Option<f64> {
    sample.label(label)?.parse().ok().filter(|number| is_told(*number))
}
