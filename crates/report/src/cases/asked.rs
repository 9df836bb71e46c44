//! What was asked for, as far as the log's header tells: the dataset and the lengths of prompts and outputs, and objectives.
//!
//! The plan is read for these few settings and no more, and leniently: a plan of another version that has them elsewhere tells
//! nothing, and lengths are then those that were measured.

use serde_json::{Map, Value};
use tokometer_metrics::slo::{Objective, Target};
use tokometer_record::{Header, Point};

use super::told::number;
use crate::number::shortest;

/// What was asked of prompts and outputs: what all points of one configuration have in common, however the lengths came out that
/// were drawn for each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asked {
    /// The dataset that the prompts are from, by its name. `None` for random tokens, of which their lengths are all there is to
    /// know, and where it is not told.
    pub dataset: Option<String>,
    /// Tokens of a prompt, where they were asked for.
    pub input: Option<Lengths>,
    /// Tokens of an output, where they were asked for: a service that may end an output early may give fewer.
    pub output: Option<Lengths>,
}

/// Lengths in tokens, drawn evenly from the least to the greatest; both are the same where all were to be of one length.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lengths {
    /// The least.
    pub low: f64,
    /// The greatest.
    pub high: f64,
}

impl Lengths {
    /// All of one length.
    pub const fn exactly(length: f64) -> Self {
        Self { low: length, high: length }
    }

    /// The mean of lengths that are drawn evenly.
    pub fn mean(self) -> f64 {
        f64::midpoint(self.low, self.high)
    }

    /// Whether all were to be of one length.
    pub fn is_one(self) -> bool {
        self.low >= self.high
    }

    /// `512`, or `100–300`.
    pub(super) fn shown(self) -> String {
        match self.is_one() {
            true => shortest(self.low, 0),
            false => format!("{}–{}", shortest(self.low, 0), shortest(self.high, 0)),
        }
    }

    fn of(low: f64, high: f64) -> Option<Self> {
        (high > 0.0).then(|| Self { low: low.min(high), high })
    }

    /// A number, or the least and the greatest in a list.
    pub(super) fn told(value: &Value) -> Option<Self> {
        match value.as_array().map(Vec::as_slice) {
            Some([low, high]) => Self::of(number(low)?, number(high)?),
            Some(_) => None,
            None => number(value).and_then(|length| Self::of(length, length)),
        }
    }

    /// The lengths of outputs between a least length and a limit that may be drawn itself.
    pub(super) fn between(least: Option<f64>, most: Option<Self>) -> Option<Self> {
        let (most, least) = (most?, least.unwrap_or(f64::NAN));
        match most.is_one() {
            // `min` gives the other of the two where one is not a number.
            true => Some(Self { low: most.low.min(least), ..most }),
            false => Some(Self { low: most.low.max(least).min(most.high), ..most }),
        }
    }

    /// A length, and by what part of it those that are drawn go beyond it to both sides.
    fn around(length: f64, ratio: f64) -> Option<Self> {
        let ratio = if (0.0..1.0).contains(&ratio) { ratio } else { 0.0 };
        Self::of((length * (1.0 - ratio)).floor(), (length * (1.0 + ratio)).ceil())
    }
}

/// The objectives that were set for a point: `--goodput` of the vLLM dialect. Empty where none were.
pub fn objectives(header: &Header, point: &Point) -> Vec<Objective> {
    let goodput =
        arguments(header, point).and_then(|arguments| arguments.get("goodput")?.as_array());
    let objective = |pair: &Value| {
        let (name, ms) = (pair.get(0)?.as_str()?, pair.get(1)?.as_f64()?);
        Some(Objective { target: Target::by_name(name)?, at_most: ms / 1e3 })
    };
    goodput.into_iter().flatten().filter_map(objective).collect()
}

/// The point's own arguments, or else those of the run.
pub(super) fn arguments<'a>(
    header: &'a Header,
    point: &'a Point,
) -> Option<&'a Map<String, Value>> {
    let kept = if point.arguments.is_null() { &header.arguments } else { &point.arguments };
    kept.as_object()
}

/// What was given with the run as `--metadata`: keys and values.
pub(crate) fn metadata(header: &Header, point: &Point) -> Map<String, Value> {
    let given = arguments(header, point).and_then(|arguments| arguments.get("metadata"));
    match given {
        Some(Value::Array(pairs)) => pairs
            .iter()
            .filter_map(|pair| Some((pair.get(0)?.as_str()?.to_owned(), pair.get(1)?.clone())))
            .collect(),
        Some(Value::Object(map)) => map.clone(),
        _ => Map::new(),
    }
}

/// The mean lengths that were asked for: of prompts, and of outputs, where these could neither end early nor come out longer.
pub(crate) fn lengths(header: &Header) -> [Option<f64>; 2] {
    means(&serde_saphyr::from_str(&header.plan).unwrap_or_default())
}

fn means(plan: &Value) -> [Option<f64>; 2] {
    let asked = of_plan(plan);
    if asked.dataset.is_some() {
        return [None; 2];
    }
    let at = |place: &str| plan.pointer(place).and_then(number);
    let output = at("/prompts/args/output_len").or_else(|| {
        // Without a least length, outputs end where the model ends them.
        at("/generation/min_tokens").filter(|least| at("/generation/max_tokens") == Some(*least))
    });
    let input = at("/prompts/args/input_len").or_else(|| Some(asked.input?.mean()));
    [input, output]
}

/// What was asked for, and the means of it that are certain.
pub(super) fn of(header: &Header) -> (Asked, [Option<f64>; 2]) {
    let plan: Value = serde_saphyr::from_str(&header.plan).unwrap_or_default();
    let mut asked = of_plan(&plan);
    if plan.pointer("/prompts/dataset").is_none() {
        asked.dataset = named(&header.dataset);
    }
    // What answers without text has no output whose length could be asked for.
    let api = plan.pointer("/target/api").and_then(Value::as_str).unwrap_or(&header.api);
    if ["embed", "rerank", "score", "pooling"].iter().any(|kind| api.contains(kind)) {
        asked.output = None;
    }
    (asked, means(&plan))
}

fn of_plan(plan: &Value) -> Asked {
    let at = |place: &str| plan.pointer(place);
    let amount = |place: &str| at(place).and_then(number);
    let ratio = |which: &str| {
        let ratio = at("/prompts/args/range_ratio");
        ratio.and_then(|ratio| number(ratio.get(which).unwrap_or(ratio))).unwrap_or(0.0)
    };
    let dataset = at("/prompts/dataset").and_then(Value::as_str).unwrap_or_default();
    let around = |length: &str, which: &str| Lengths::around(amount(length)?, ratio(which));
    let drawn = || {
        let (low, high) = (amount("/prompts/min_length")?, amount("/prompts/max_length")?);
        Lengths::of(low, high).filter(|_| dataset.starts_with(RANDOM))
    };
    let limit = || {
        let most = at("/generation/max_tokens").and_then(Lengths::told);
        Lengths::between(amount("/generation/min_tokens"), most)
    };
    Asked {
        dataset: named(dataset),
        input: around("/prompts/args/input_len", "input").or_else(drawn),
        output: around("/prompts/args/output_len", "output").or_else(limit),
    }
}

/// The name of a dataset, where it says anything beside lengths.
pub(super) fn named(dataset: &str) -> Option<String> {
    (!dataset.is_empty() && dataset != RANDOM).then(|| dataset.to_owned())
}

/// The dataset of random tokens, and how the names of its kin begin.
const RANDOM: &str = "random";
