//! What is drawn between two axes.
//!
//! Deliberately no drawing here: these are the data, and what of them can stand on which axis.

use super::axis::{Axis, Extent, NOISE, Scale};
use super::look::Look;
use crate::words::Words;

/// What a panel holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Marks {
    /// Curves and scattered points, later ones over earlier ones.
    Series(Vec<Series>),
    /// How often values of each size came.
    Histogram(Histogram),
    /// A bar for each of many things, made of parts stacked on each other; things stand in the order of their numbers, from 0.
    Stacked(Vec<Layer>),
    /// Bars side by side, a group of them for each of a few named things.
    Bars(Bars),
    /// Cells in rows and columns, each as dark as its value.
    Heat(Heat),
    /// A row for each of many things, with the spans of time that its parts took.
    Spans(Spans),
    /// Figures as text, in rows and columns.
    Table(Table),
}

/// Bars side by side. The axis at the bottom names the groups and has no scale.
#[derive(Clone, Debug, PartialEq)]
pub struct Bars {
    /// What each group is, from left to right.
    pub groups: Vec<Words>,
    /// The bars of every group, from left to right: a height each group. What is not finite has no bar, and is said to have none.
    pub layers: Vec<Layer>,
}

/// Cells in rows and columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Heat {
    /// What each column is, from left to right.
    pub columns: Vec<Words>,
    /// What each row is, from top to bottom.
    pub rows: Vec<Words>,
    /// The values, row after row; `None` where nothing was measured.
    pub cells: Vec<Option<f64>>,
    /// What the values are, with their unit: it stands at the scale of colours.
    pub label: Words,
    /// How values become colours.
    pub scale: Scale,
    /// Whether each cell bears its value as text, as far as there is room.
    pub written: bool,
    /// The cells, by their places among them, whose values have a cross behind them: those that are not to be trusted.
    pub crossed: Vec<usize>,
}

/// Rows of spans of time, on the axis at the bottom.
#[derive(Clone, Debug, PartialEq)]
pub struct Spans {
    /// The kinds of spans, in the order of [`Spanned::parts`]; their heights are not used.
    pub kinds: Vec<Layer>,
    /// The things, from top to bottom.
    pub rows: Vec<Spanned>,
}

/// One thing and the spans of its parts.
#[derive(Clone, Debug, PartialEq)]
pub struct Spanned {
    /// What it is called where it is pointed at.
    pub label: String,
    /// From where to where each kind reaches; `None` for a kind that it has not.
    pub parts: Vec<Option<(f64, f64)>>,
    /// Whether it is marked as one that failed.
    pub failed: bool,
}

/// Figures as text. Neither axis is drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The headings of the columns.
    pub head: Vec<Words>,
    /// The rows; the first column is a name, the others are figures and stand at their right edge.
    pub rows: Vec<Vec<String>>,
}

/// Points that belong together.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What the legend calls it; series of the same name share their entry.
    pub name: Option<Words>,
    /// How it looks.
    pub look: Look,
    /// Its points, in the order in which a line joins them.
    pub points: Vec<Point>,
    /// How error bars are drawn.
    pub errors: Errors,
}

/// How the error bars of a series are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Errors {
    /// As a bar at each point.
    #[default]
    Bars,
    /// As an area behind the line.
    Band,
}

/// A point.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Its place on the axis at the bottom.
    pub x: f64,
    /// Its place on the axis at the left.
    pub y: f64,
    /// From where to where its error bar reaches on the axis at the left.
    pub error: Option<(f64, f64)>,
    /// What is written beside it; may have several lines.
    pub label: Option<String>,
}

/// How often values of each size came.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// What stands above it.
    pub title: Words,
    /// What the values are.
    pub label: Words,
    /// The values, in any order. Those that are not finite are left out.
    pub values: Vec<f64>,
    /// Into how many ranges of one width those from the least to the greatest are counted.
    pub bins: usize,
}

/// One part of every bar.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// What the legend calls it.
    pub name: Words,
    /// Its colour.
    pub look: Look,
    /// How high the part is in each bar. What is not finite, or less than 0, has no height.
    pub heights: Vec<f64>,
}

/// A range of a histogram, and how many values lie in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bin {
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) count: usize,
}

impl Point {
    /// A point with neither error bar nor label.
    pub const fn at(x: f64, y: f64) -> Self {
        Self { x, y, error: None, label: None }
    }
}

impl Histogram {
    /// The ranges, each with its count. As numpy's: the greatest value belongs to the last range, and a single value stands in the
    /// middle of a range of 1.
    pub(crate) fn counted(&self) -> Vec<Bin> {
        let finite = || self.values.iter().copied().filter(|value| value.is_finite());
        let least = finite().fold(f64::INFINITY, f64::min);
        let greatest = finite().fold(f64::NEG_INFINITY, f64::max);
        if least > greatest {
            return Vec::new();
        }
        let (from, to) =
            if least == greatest { (least - 0.5, greatest + 0.5) } else { (least, greatest) };
        let bins = self.bins.max(1);
        let edge = |index: usize| from + (to - from) * (index as f64 / bins as f64);
        let mut counted: Vec<Bin> = (0..bins)
            .map(|index| Bin { from: edge(index), to: edge(index + 1), count: 0 })
            .collect();
        for value in finite() {
            let index = (value - from) / (to - from) * bins as f64;
            counted[(index as usize).min(bins - 1)].count += 1;
        }
        counted
    }
}

impl Layer {
    /// How high its part of the bar is.
    pub(crate) fn height(&self, bar: usize) -> f64 {
        self.heights.get(bar).copied().filter(|height| height.is_finite()).unwrap_or(0.0).max(0.0)
    }
}

impl Marks {
    /// How many points cannot stand on these axes.
    pub(crate) fn left_out(&self, x: &Axis, y: &Axis) -> usize {
        match self {
            Self::Series(series) => {
                let points = series.iter().flat_map(|series| &series.points);
                points.filter(|point| !(x.bears(point.x) && y.bears(point.y))).count()
            }
            Self::Histogram(histogram) => {
                histogram.values.iter().filter(|value| !value.is_finite()).count()
            }
            Self::Bars(bars) => {
                let heights = bars.layers.iter().flat_map(|layer| &layer.heights);
                heights.filter(|height| height.is_finite() && !y.bears(**height)).count()
            }
            Self::Heat(heat) => {
                let values = heat.cells.iter().flatten();
                values.filter(|value| value.is_finite() && !heat.scale.bears(**value)).count()
            }
            Self::Stacked(_) | Self::Spans(_) | Self::Table(_) => 0,
        }
    }

    /// How many points stand on these axes, or values, or bars.
    pub(crate) fn drawn(&self, x: &Axis, y: &Axis) -> usize {
        match self {
            Self::Series(series) => {
                let points: usize = series.iter().map(|series| series.points.len()).sum();
                points - self.left_out(x, y)
            }
            Self::Histogram(histogram) => histogram.values.len() - self.left_out(x, y),
            Self::Stacked(layers) => bars(layers),
            Self::Bars(bars) => bars.groups.len(),
            Self::Heat(heat) => heat.cells.iter().flatten().count(),
            Self::Spans(spans) => spans.rows.len(),
            Self::Table(table) => table.rows.len(),
        }
    }

    /// Whether the axis at the bottom has a scale, and that at the left: else names stand along it, or nothing.
    pub(crate) const fn scaled(&self) -> (bool, bool) {
        match self {
            Self::Series(_) | Self::Histogram(_) | Self::Stacked(_) => (true, true),
            Self::Bars(_) => (false, true),
            Self::Spans(_) => (true, false),
            Self::Heat(_) | Self::Table(_) => (false, false),
        }
    }

    /// Whether only whole numbers stand on the axis at the bottom, and on that at the left: such an axis has no halves.
    pub(crate) fn whole(&self, x: &Axis, y: &Axis) -> (bool, bool) {
        let whole = |value: f64| value.fract() == 0.0;
        match self {
            Self::Series(series) => {
                let points = series.iter().flat_map(|series| &series.points);
                let drawn = points.filter(|point| x.bears(point.x) && y.bears(point.y));
                drawn.fold((true, true), |(across, up), point| {
                    (across && whole(point.x), up && whole(point.y))
                })
            }
            Self::Histogram(histogram) => {
                let mut finite = histogram.values.iter().filter(|value| value.is_finite());
                (finite.all(|value| whole(*value)), true)
            }
            Self::Stacked(layers) => {
                let mut heights = layers.iter().flat_map(|layer| &layer.heights);
                (true, heights.all(|height| whole(*height)))
            }
            Self::Bars(bars) => {
                let mut heights = bars.layers.iter().flat_map(|layer| &layer.heights);
                (false, heights.all(|height| !height.is_finite() || whole(*height)))
            }
            Self::Heat(_) | Self::Spans(_) | Self::Table(_) => (false, false),
        }
    }

    /// What they span on the axes, of what can stand on them: at the bottom, then at the left. `None` where there is nothing.
    pub(crate) fn extent(&self, x: &Axis, y: &Axis) -> Option<(Extent, Extent)> {
        match self {
            Self::Series(series) => {
                let points = series.iter().flat_map(|series| &series.points);
                let drawn = points.filter(|point| x.bears(point.x) && y.bears(point.y));
                let mut both: Option<(Extent, Extent)> = None;
                for point in drawn {
                    let (mut across, mut up) =
                        both.unwrap_or((Extent::at(point.x), Extent::at(point.y)));
                    across.take(point.x);
                    up.take(point.y);
                    if let Some((low, high)) = point.error {
                        [low, high]
                            .into_iter()
                            .filter(|&end| y.bears(end))
                            .for_each(|end| up.take(end));
                    }
                    both = Some((across, up));
                }
                // Labels stand to the right of their points, and above them, where they can.
                let labelled = series
                    .iter()
                    .flat_map(|series| &series.points)
                    .any(|point| point.label.is_some());
                let part = if labelled { 0.12 } else { 0.0 };
                let whole = self.whole(x, y);
                let roomy = |axis: &Axis, values: Extent, whole: bool, part: f64| {
                    let wide = values.no_finer_than(NOISE);
                    let wide = if whole { wide.holding_three_whole(axis.scale) } else { wide };
                    let wide = wide.with_room(axis.scale).with_room_above(axis.scale, part);
                    axis.bounded(wide, values)
                };
                both.map(|(across, up)| {
                    (roomy(x, across, whole.0, part), roomy(y, up, whole.1, part / 2.0))
                })
            }
            Self::Histogram(histogram) => {
                let bins = histogram.counted();
                let highest = bins.iter().map(|bin| bin.count).max()?;
                let across = Extent { low: bins.first()?.from, high: bins.last()?.to };
                Some((across.with_margin(), Extent { low: 0.0, high: 1.05 * highest as f64 }))
            }
            Self::Stacked(layers) => {
                let bars = bars(layers);
                let total = |bar| layers.iter().map(|layer| layer.height(bar)).sum::<f64>();
                let highest = (0..bars).map(total).fold(0.0, f64::max);
                let highest = if highest > 0.0 { highest } else { 1.0 };
                let across = Extent { low: -0.5, high: bars.max(1) as f64 - 0.5 };
                Some((across, Extent { low: 0.0, high: (1.05 * highest).min(f64::MAX) }))
            }
            Self::Bars(bars) => Some((Extent::slots(bars.groups.len()), bars.reach(y.scale))),
            Self::Spans(spans) => {
                let parts = spans.rows.iter().flat_map(|row| &row.parts).flatten();
                let ends = parts.flat_map(|&(from, to)| [from, to]).filter(|&end| x.bears(end));
                let across = ends.map(Extent::at).reduce(Extent::joined)?;
                let up = Extent { low: 0.0, high: spans.rows.len() as f64 };
                Some((across.with_room(x.scale), up))
            }
            Self::Heat(_) | Self::Table(_) => None,
        }
    }
}

impl Bars {
    /// From where to where the axis beside them reaches: from 0 where it can, for a bar's length tells its value.
    fn reach(&self, scale: Scale) -> Extent {
        let heights = self.layers.iter().flat_map(|layer| &layer.heights).copied();
        let all =
            heights.filter(|&height| scale.bears(height)).map(Extent::at).reduce(Extent::joined);
        match (all, scale) {
            (None, Scale::Log) => Extent { low: 1.0, high: 10.0 },
            (Some(all), Scale::Log) => all.with_room(scale),
            (None, _) => Extent { low: 0.0, high: 1.0 },
            (Some(Extent { low, high }), _) => {
                let (low, high) = (low.min(0.0), high.max(0.0));
                // Room for the values above the bars, and below those that hang: more where bars are so narrow that they stand upright.
                let bars = self.groups.len() * self.layers.len();
                let part = if (12..=90).contains(&bars) { 0.2 } else { 0.08 };
                let room = part * (high / 2.0 - low / 2.0) * 2.0;
                let room = if room > 0.0 { room } else { 1.0 };
                let (low, high) = (
                    if low < 0.0 { low - room } else { 0.0 },
                    if high > 0.0 || low == 0.0 { high + room } else { 0.0 },
                );
                Extent { low: low.max(-f64::MAX), high: high.min(f64::MAX) }
            }
        }
    }
}

/// How many bars the layers make.
pub(crate) fn bars(layers: &[Layer]) -> usize {
    layers.iter().map(|layer| layer.heights.len()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(values: &[f64], bins: usize) -> Vec<usize> {
        let of = Histogram {
            title: Words::default(),
            label: Words::default(),
            values: values.to_vec(),
            bins,
        };
        of.counted().iter().map(|bin| bin.count).collect()
    }

    #[test]
    fn a_histogram_counts_as_numpy_does() {
        // numpy.histogram([0, 1, 2, 3, 4, 4], 4)
        assert_eq!(histogram(&[0.0, 1.0, 2.0, 3.0, 4.0, 4.0], 4), [1, 1, 1, 3]);
        assert_eq!(histogram(&[7.0, 7.0], 3), [0, 2, 0]);
        assert_eq!(histogram(&[f64::NAN], 3), [0; 0]);
    }

    #[test]
    fn repeats_of_one_value_look_flat_and_a_true_rise_does_not() {
        let of = |heights: [f64; 3]| {
            let points = (0..3).map(|n| Point::at(f64::from(10 * n), heights[n as usize]));
            let series = Series {
                name: None,
                look: Look::kind(0),
                points: points.collect(),
                errors: super::Errors::default(),
            };
            let (x, y) = (Axis::linear("x"), Axis::linear("y"));
            Marks::Series(vec![series]).extent(&x, &y).unwrap().1
        };
        let part = |heights: [f64; 3]| {
            let up = of(heights);
            (heights[2] - heights[0]) / (up.high - up.low)
        };
        assert!(part([100.0, 100.04, 100.1]) < 0.03);
        assert!(part([60.0, 80.0, 100.0]) > 0.8);
    }

    #[test]
    fn what_cannot_stand_on_a_logarithmic_axis_is_counted() {
        let series = Series {
            name: None,
            look: Look::kind(0),
            points: vec![Point::at(0.0, 1.0), Point::at(1.0, f64::INFINITY), Point::at(1.0, 2.0)],
            errors: super::Errors::default(),
        };
        let log = Axis { scale: super::super::Scale::Log, ..Axis::linear("x") };
        let marks = Marks::Series(vec![series]);
        assert_eq!(marks.left_out(&log, &Axis::linear("y")), 2);
        assert_eq!(marks.left_out(&Axis::linear("x"), &Axis::linear("y")), 1);
    }
}
