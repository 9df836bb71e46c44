//! What was asked for, as far as the log's header tells: the lengths of a dataset of random tokens, and objectives.
//!
//! The plan is read for these few settings and no more, and leniently: a plan of another version that has them elsewhere tells
//! nothing, and lengths are then those that were measured.

use serde::Deserialize;
use serde_json::{Map, Value};
use tokometer_metrics::slo::{Objective, Target};
use tokometer_record::{Header, Point};

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

/// The mean lengths that were asked for: of prompts, and of outputs.
pub(crate) fn lengths(header: &Header) -> [Option<f64>; 2] {
    let Ok(plan) = serde_saphyr::from_str::<Plan>(&header.plan) else { return [None; 2] };
    let Prompts { dataset, args, min_length, max_length } = plan.prompts;
    if dataset != "random" {
        return [None; 2];
    }
    let Generation { min_tokens, max_tokens } = plan.generation;
    let middle = |(low, high): (f64, f64)| f64::midpoint(low, high);
    let input = args.input_len.or_else(|| min_length.zip(max_length).map(middle));
    // Without a least length, outputs end where the model ends them.
    let output = args.output_len.or_else(|| min_tokens.zip(max_tokens).map(middle));
    [input, output]
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Plan {
    prompts: Prompts,
    generation: Generation,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Prompts {
    dataset: String,
    args: Args,
    min_length: Option<f64>,
    max_length: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Args {
    input_len: Option<f64>,
    output_len: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Generation {
    min_tokens: Option<f64>,
    max_tokens: Option<f64>,
}
