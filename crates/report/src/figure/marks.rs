//! What is drawn between two axes.
//!
//! Deliberately no drawing here: these are the data, and what of them can stand on which axis.

use super::axis::{Axis, Extent};
use super::look::Look;

/// What a panel holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Marks {
    /// Curves and scattered points, later ones over earlier ones.
    Series(Vec<Series>),
    /// How often values of each size came.
    Histogram(Histogram),
    /// A bar for each of many things, made of parts stacked on each other; things stand in the order of their numbers, from 0.
    Stacked(Vec<Layer>),
}

/// Points that belong together.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What the legend calls it; series of the same name share their entry.
    pub name: Option<String>,
    /// How it looks.
    pub look: Look,
    /// Its points, in the order in which a line joins them.
    pub points: Vec<Point>,
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
    pub title: String,
    /// What the values are.
    pub label: String,
    /// The values, in any order. Those that are not finite are left out.
    pub values: Vec<f64>,
    /// Into how many ranges of one width those from the least to the greatest are counted.
    pub bins: usize,
}

/// One part of every bar.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// What the legend calls it.
    pub name: String,
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
            Self::Stacked(_) => 0,
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
                both.map(|(across, up)| {
                    let (across, up) = (across.with_room(x.scale), up.with_room(y.scale));
                    (across.with_room_above(x.scale, part), up.with_room_above(y.scale, part / 2.0))
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
                Some((across, Extent { low: 0.0, high: 1.05 * highest }))
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
        let of =
            Histogram { title: String::new(), label: String::new(), values: values.to_vec(), bins };
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
    fn what_cannot_stand_on_a_logarithmic_axis_is_counted() {
        let series = Series {
            name: None,
            look: Look::kind(0),
            points: vec![Point::at(0.0, 1.0), Point::at(1.0, f64::INFINITY), Point::at(1.0, 2.0)],
        };
        let log = Axis { scale: super::super::Scale::Log, ..Axis::linear("x") };
        let marks = Marks::Series(vec![series]);
        assert_eq!(marks.left_out(&log, &Axis::linear("y")), 2);
        assert_eq!(marks.left_out(&Axis::linear("x"), &Axis::linear("y")), 1);
    }
}
