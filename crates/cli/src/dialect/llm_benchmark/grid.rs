//! The combinations of a batch: every length with every load, as often as is asked for, and what each is called.
//!
//! Two combinations have the same name only if they are the same, for their results are told apart by nothing else.

use std::cmp::Ordering;
use std::fmt;

use tokometer_plan::config::{Point, RampShape};
use tokometer_plan::{Burstiness, Pace};
use tokometer_workload::seed::Seed;

use super::config::{Config, Order};

/// What requests of a combination are like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// So many tokens of prompt and of output.
    Lengths {
        /// Tokens of a prompt.
        input: u32,
        /// Tokens of an output.
        output: u32,
    },
    /// As the dataset of this name has them.
    Dataset(String),
    /// One text for all of them.
    Text,
}

/// A combination.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Combination {
    /// What it is called: its files are `NAME.json`, `NAME.error.txt` and the folder `runs/NAME`.
    pub(crate) name: String,
    /// What its requests are like.
    pub(crate) shape: Shape,
    /// How much is asked, and when.
    pub(crate) point: Point,
    /// Which time it is run, from 1 on.
    pub(crate) repetition: u32,
    /// What it is drawn from.
    pub(crate) seed: u64,
    /// The setting that its lengths come from: `input_output.0`.
    pub(crate) lengths_at: Option<String>,
    /// The setting that its load comes from: `concurrency_prompts.1`.
    pub(crate) load_at: String,
}

impl Combination {
    /// Which of two comes first by what they are: lengths, loads, requests, repetition.
    pub(crate) fn by_number(&self, other: &Self) -> Ordering {
        let lengths = |combination: &Self| match combination.shape {
            Shape::Lengths { input, output } => (input, output),
            Shape::Dataset(_) | Shape::Text => (0, 0),
        };
        let pace = |combination: &Self| match (combination.point.rate, combination.point.ramp) {
            (Some(Pace::Rate(rate)), _) => rate.per_second(),
            (Some(Pace::AtOnce), _) => f64::INFINITY,
            (None, Some(ramp)) => ramp.to,
            (None, None) => 0.0,
        };
        lengths(self)
            .cmp(&lengths(other))
            .then(self.point.parallel.cmp(&other.point.parallel))
            .then(pace(self).total_cmp(&pace(other)))
            .then(self.point.number.cmp(&other.point.number))
            .then(self.repetition.cmp(&other.repetition))
            .then_with(|| self.name.cmp(&other.name))
    }
}

/// How many combinations there are, each counted once.
pub(super) fn number(config: &Config) -> usize {
    let shapes = config.input_output.as_ref().map_or(1, Vec::len);
    let loads = [
        config.concurrency_prompts.as_ref().map_or(0, Vec::len),
        config.rate_prompts.as_ref().map_or(0, Vec::len),
        config.points.as_ref().map_or(0, Vec::len),
    ];
    shapes.saturating_mul(loads.iter().sum())
}

/// Every combination, in the order in which they are run.
pub(crate) fn combinations(config: &Config) -> Vec<Combination> {
    let repetitions = config.repetitions.map_or(1, std::num::NonZeroU32::get);
    let (shapes, loads) = (shapes(config), loads(config));
    let mut all = Vec::new();
    for repetition in 1..=repetitions {
        for (lengths_at, shape) in &shapes {
            for (load_at, point) in &loads {
                all.push(Combination {
                    name: name(shape, point, repetition),
                    shape: shape.clone(),
                    point: point.clone(),
                    repetition,
                    // Neighbours draw different prompts, or the second would find those of the first in the server's cache.
                    seed: config.seed().wrapping_add(all.len() as u64),
                    lengths_at: lengths_at.clone(),
                    load_at: load_at.clone(),
                });
            }
        }
    }
    if config.order == Some(Order::Random) {
        let drawn = Seed::new(config.seed()).stream("order");
        all.sort_by_cached_key(|combination| drawn.stream(&combination.name).number());
    }
    all
}

/// Each entry of the lists, with what makes it that entry.
pub(super) fn entries(config: &Config) -> Vec<(String, String)> {
    let any = Shape::Text;
    let shapes = shapes(config).into_iter().filter_map(|(at, shape)| Some((at?, of_shape(&shape))));
    let loads = loads(config).into_iter().map(|(at, point)| (at, name(&any, &point, 1)));
    shapes.chain(loads).collect()
}

fn shapes(config: &Config) -> Vec<(Option<String>, Shape)> {
    match (&config.input_output, config.dataset()) {
        (Some(pairs), _) => {
            let pairs = pairs.iter().enumerate();
            pairs
                .map(|(index, [input, output])| {
                    let shape = Shape::Lengths { input: input.get(), output: output.get() };
                    (Some(format!("input_output.{index}")), shape)
                })
                .collect()
        }
        (None, Some(dataset)) => vec![(None, Shape::Dataset(dataset.to_owned()))],
        (None, None) => vec![(None, Shape::Text)],
    }
}

fn loads(config: &Config) -> Vec<(String, Point)> {
    let bare = |number| Point {
        parallel: None,
        rate: None,
        burstiness: None,
        ramp: None,
        recorded: None,
        number,
    };
    let closed = config.concurrency_prompts.iter().flatten().enumerate().map(|(index, entry)| {
        let point = Point { parallel: Some(entry.0), ..bare(entry.1) };
        (format!("concurrency_prompts.{index}"), point)
    });
    let open = config.rate_prompts.iter().flatten().enumerate().map(|(index, entry)| {
        (format!("rate_prompts.{index}"), Point { rate: Some(entry.0), ..bare(entry.1) })
    });
    let own = config.points.iter().flatten().enumerate();
    let own = own.map(|(index, point)| (format!("points.{index}"), point.clone()));
    closed.chain(open).chain(own).collect()
}

/// What a combination is called: as the document's tool calls it, where that tool has it.
pub(super) fn name(shape: &Shape, point: &Point, repetition: u32) -> String {
    let mut name = format!("bench_{}", of_shape(shape));
    if let Some(parallel) = point.parallel {
        name.push_str(&format!("_mc{parallel}"));
    }
    match point.rate {
        Some(Pace::Rate(rate)) => name.push_str(&format!("_rps{}", rate.per_second())),
        Some(Pace::AtOnce) => name.push_str("_rpsinf"),
        None => {}
    }
    if let Some(ramp) = point.ramp {
        let shape = match ramp.shape {
            RampShape::Linear => "ramp",
            RampShape::Exponential => "expramp",
        };
        name.push_str(&format!("_{shape}{:?}to{:?}", ramp.from, ramp.to));
    }
    if point.recorded == Some(true) {
        name.push_str("_recorded");
    }
    if let Some(burstiness) = point.burstiness.map(Burstiness::shape) {
        name.push_str(&format!("_b{burstiness}"));
    }
    name.push_str(&format!("_np{}", point.number));
    if repetition > 1 {
        name.push_str(&format!("_rep{repetition}"));
    }
    name
}

fn of_shape(shape: &Shape) -> String {
    match shape {
        Shape::Lengths { input, output } => format!("io{input}x{output}"),
        Shape::Dataset(name) => name.clone(),
        Shape::Text => "text".to_owned(),
    }
}

/// In words: `512 in, 512 out, 4 at a time, 40 requests`.
impl fmt::Display for Combination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.shape {
            Shape::Lengths { input, output } => write!(f, "{input} in, {output} out")?,
            Shape::Dataset(name) => write!(f, "prompts of {name}")?,
            Shape::Text => f.write_str("one text for all")?,
        }
        let Point { parallel, rate, burstiness, ramp, recorded, number } = &self.point;
        if let Some(parallel) = parallel {
            write!(f, ", {parallel} at a time")?;
        }
        match rate {
            Some(Pace::Rate(rate)) => write!(f, ", {} a second", rate.per_second())?,
            Some(Pace::AtOnce) => f.write_str(", all at once")?,
            None => {}
        }
        if let Some(ramp) = ramp {
            write!(f, ", from {} to {} a second", ramp.from, ramp.to)?;
        }
        if recorded == &Some(true) {
            f.write_str(", as they were recorded")?;
        }
        if let Some(burstiness) = burstiness {
            write!(f, ", burstiness {}", burstiness.shape())?;
        }
        write!(f, ", {number} request{}", if number.get() == 1 { "" } else { "s" })?;
        if self.repetition > 1 {
            write!(f, ", run {}", self.repetition)?;
        }
        Ok(())
    }
}
