//! Labels of points, each put where it can be read.
//!
//! No label ever lies over another, over the point of another, or beyond the frame: one for which there is no such place is left out,
//! and counted. One that stands apart from its point is joined to it by a fine line. Places are found one after the other, so that
//! what is found is good, not the best there is.

use super::letters::width;
use super::marks::{Marks, Point};
use super::text::{Anchor, Text};
use super::view::{Frame, View};
use super::{paint, rules};

/// The labels of a panel.
#[derive(Clone, Debug, Default)]
pub(crate) struct Labels {
    pub(crate) placed: Vec<Label>,
    /// For how many there is no place.
    pub(crate) left_out: usize,
}

/// A label in its place.
#[derive(Clone, Debug)]
pub(crate) struct Label {
    pub(crate) text: Text,
    /// From where to where a line joins it to its point, where it stands apart.
    pub(crate) leader: Option<[(f64, f64); 2]>,
}

impl Labels {
    /// Those of a panel, in letters as small as it takes.
    pub(crate) fn of(view: &View<'_>) -> Self {
        let mut best: Option<Self> = None;
        let from_either_end = |size| [(size, false), (size, true)];
        for (size, backwards) in SIZES.into_iter().flat_map(from_either_end) {
            let mut search = Search::new(view);
            if backwards {
                search.wanted.reverse();
            }
            let labels = search.all(size);
            if labels.left_out == 0 {
                return labels;
            }
            if best.as_ref().is_none_or(|best| labels.left_out < best.left_out) {
                best = Some(labels);
            }
        }
        best.unwrap_or_default()
    }
}

/// A label to be placed, and its point on the paper.
type Wanted<'a> = (&'a str, (f64, f64));

/// What is there already.
struct Search<'a> {
    frame: Frame,
    wanted: Vec<Wanted<'a>>,
    /// What labels should not cover: other points, and the lines between points.
    better_free: Vec<Frame>,
    /// What they must not cover.
    closed: Vec<Frame>,
}

impl<'a> Search<'a> {
    fn new(view: &View<'a>) -> Self {
        let mut search =
            Self { frame: view.frame, wanted: vec![], better_free: vec![], closed: vec![] };
        let Marks::Series(all) = &view.panel.marks else { return search };
        let drawn = |point: &&Point| view.panel.x.bears(point.x) && view.panel.y.bears(point.y);
        let labelled = all.iter().flat_map(|series| series.points.iter().filter(drawn));
        let wanted = |point: &'a Point| {
            Some((point.label.as_deref()?, (view.across(point.x), view.up(point.y))))
        };
        search.wanted.extend(labelled.filter_map(wanted));
        if search.wanted.is_empty() {
            return search;
        }
        search.better_free = obstacles(view);
        search.closed.extend(search.wanted.iter().map(|&(_, at)| Frame::around(at, 3.5)));
        for rule in rules::placed(view) {
            search.closed.extend(rule.label.map(|(_, frame)| frame.grown(1.0)));
            search.better_free.extend(rule.line.iter().flat_map(|ends| along(ends, 5.0, 2.0)));
        }
        search
    }

    fn all(mut self, size: f64) -> Labels {
        let mut labels = Labels::default();
        for wanted in std::mem::take(&mut self.wanted) {
            match self.placed(wanted, size) {
                Some(label) => labels.placed.push(label),
                None => labels.left_out += 1,
            }
        }
        labels
    }

    fn placed(&mut self, (label, point): Wanted<'_>, size: f64) -> Option<Label> {
        let wide = width(label, size);
        let high = label.lines().count().max(1) as f64 * size * Text::LEADING;
        // Only what is near can be in the way.
        let reach = DISTANCES[DISTANCES.len() - 1] + wide + high;
        let near = |taken: &[Frame]| -> Vec<Frame> {
            let around = Frame::around(point, reach);
            taken.iter().copied().filter(|taken| taken.covered(around) > 0.0).collect()
        };
        let (better_free, closed) = (near(&self.better_free), near(&self.closed));
        let mut best: Option<(f64, Frame, Vec<Frame>)> = None;
        for (step, distance) in DISTANCES.into_iter().enumerate() {
            for turn in 0..TURNS {
                let spot = beside(point, distance, turn, wide, high);
                let leader = leader(point, spot, label, size);
                let way = leader.map_or_else(Vec::new, |ends| along(&ends, 2.0, 1.0));
                if !allows(self.frame, &closed, spot, &way, point) {
                    continue;
                }
                let covered: f64 = better_free.iter().map(|taken| taken.covered(spot)).sum();
                // Nearer places, and those tried earlier, win where nothing is covered.
                let cost = 3.0 * covered + 25.0 * step as f64 + turn as f64 / TURNS as f64;
                if best.as_ref().is_none_or(|(least, ..)| cost < *least) {
                    best = Some((cost, spot, way));
                }
            }
        }
        let (_, spot, way) = best?;
        self.closed.push(spot.grown(1.0));
        self.closed.extend(way);
        let text = Text::new(label, spot.left, spot.top + size, size, Anchor::Start).with_halo();
        Some(Label { text, leader: leader(point, spot, label, size) })
    }
}

/// Whether a label may stand there in the frame, and be joined to its point by that way.
fn allows(frame: Frame, closed: &[Frame], spot: Frame, way: &[Frame], point: (f64, f64)) -> bool {
    let area = (spot.right - spot.left) * (spot.bottom - spot.top);
    let within = frame.covered(spot) >= area * 0.999;
    // Near its own point a line cannot but pass what is there.
    let apart = |step: &&Frame| step.middle_is_beyond(point, 5.0);
    let free = |place: &Frame| closed.iter().all(|closed| closed.covered(*place) == 0.0);
    within && free(&spot) && way.iter().filter(apart).all(free)
}

/// What texts in a panel should not cover: points, the lines between them, and bars.
pub(crate) fn obstacles(view: &View<'_>) -> Vec<Frame> {
    let all = match &view.panel.marks {
        Marks::Series(all) => all,
        Marks::Bars(bars) => return paint::bars::frames(view, bars),
        _ => return Vec::new(),
    };
    let drawn = |point: &&Point| view.panel.x.bears(point.x) && view.panel.y.bears(point.y);
    let mut frames = Vec::new();
    for series in all {
        let points = series.points.iter().filter(drawn);
        let places: Vec<_> = points.map(|point| (view.across(point.x), view.up(point.y))).collect();
        frames.extend(places.iter().map(|&at| Frame::around(at, 3.5)));
        if series.look.is_joined() {
            frames.extend(places.windows(2).flat_map(|ends| along(ends, 5.0, 2.0)));
        }
    }
    frames
}

/// A place for a label at a distance from its point, in one of the directions around it.
fn beside((x, y): (f64, f64), distance: f64, turn: usize, wide: f64, high: f64) -> Frame {
    // First to the upper right, then around in ever larger turns to either side.
    let half_turns = turn.div_ceil(2) as f64 * if turn.is_multiple_of(2) { 1.0 } else { -1.0 };
    let angle = (0.5 + half_turns * 4.0 / TURNS as f64) * std::f64::consts::FRAC_PI_2;
    let (right, down) = (angle.cos(), -angle.sin());
    let left = x + right * distance + (right.clamp(-0.71, 0.71) / 0.71 - 1.0) * wide / 2.0;
    let top = y + down * distance + (down.clamp(-0.71, 0.71) / 0.71 - 1.0) * high / 2.0;
    Frame { left, top, right: left + wide, bottom: top + high }
}

/// The line to a label that stands apart from its point: to the nearest of its lines.
fn leader((x, y): (f64, f64), spot: Frame, label: &str, size: f64) -> Option<[(f64, f64); 2]> {
    let end = |(index, line): (usize, &str)| {
        let top = spot.top + index as f64 * size * Text::LEADING;
        let (right, bottom) = (spot.left + width(line, size), top + size * Text::LEADING);
        let end = (x.clamp(spot.left, right), y.clamp(top, bottom));
        (end, (end.0 - x).hypot(end.1 - y))
    };
    let ends = label.lines().enumerate().map(end);
    let (end, length) = ends.min_by(|(_, a), (_, b)| a.total_cmp(b))?;
    (length > 6.0).then(|| [(x + (end.0 - x) * 4.0 / length, y + (end.1 - y) * 4.0 / length), end])
}

/// Small places along the line from the one to the other.
fn along(ends: &[(f64, f64)], apart: f64, reach: f64) -> Vec<Frame> {
    let [(x1, y1), (x2, y2)] = [ends[0], ends[1]];
    let steps = ((x2 - x1).hypot(y2 - y1) / apart).ceil().clamp(1.0, 400.0) as usize;
    let part = |step: usize| step as f64 / steps as f64;
    let place = |part: f64| Frame::around((x1 + (x2 - x1) * part, y1 + (y2 - y1) * part), reach);
    (1..steps).map(|step| place(part(step))).collect()
}

impl Frame {
    fn middle_is_beyond(&self, (x, y): (f64, f64), distance: f64) -> bool {
        let (across, down) =
            (f64::midpoint(self.left, self.right), f64::midpoint(self.top, self.bottom));
        (across - x).hypot(down - y) > distance
    }
}

/// The sizes of letters that are tried, in points.
const SIZES: [f64; 3] = [8.5, 7.5, 6.5];

/// How far from their points labels may stand.
const DISTANCES: [f64; 12] =
    [4.0, 9.0, 16.0, 26.0, 38.0, 54.0, 72.0, 95.0, 120.0, 150.0, 185.0, 225.0];

/// In how many directions places are looked for.
const TURNS: usize = 32;

#[cfg(test)]
mod tests {
    use super::super::axis::Extent;
    use super::super::{Axis, Look, Panel, Series};
    use super::*;

    /// The labels of so many points on a steep frontier, in a frame of the size that `plot_pareto` has.
    fn labels(points: usize, lines: usize) -> (Labels, Vec<Frame>) {
        let point = |n: usize| {
            let part = n as f64 / points as f64;
            let label = vec![format!("max_concurrency={}", 1 << (n % 16)); lines].join("\n");
            Point { x: 60.0 * (1.0 - part), y: 90.0 * part.sqrt(), error: None, label: Some(label) }
        };
        let series = Series {
            name: None,
            look: Look::kind(0),
            points: (0..points).map(point).collect(),
            errors: crate::figure::Errors::default(),
        };
        let panel = Panel {
            title: "".into(),
            x: Axis::linear(""),
            y: Axis::linear(""),
            marks: Marks::Series(vec![series]),
            rules: Vec::new(),
        };
        let (across, up) = panel.marks.extent(&panel.x, &panel.y).unwrap_or((UNIT, UNIT));
        let frame = Frame { left: 60.0, top: 10.0, right: 440.0, bottom: 300.0 };
        let view = View {
            panel: &panel,
            frame,
            across,
            up,
            x_ticks: vec![],
            y_ticks: vec![],
            names: None,
            rows: None,
            edges: (0.0, 460.0),
            language: crate::words::Language::English,
        };
        let labels = Labels::of(&view);
        let frames = labels.placed.iter().map(|label| label.text.frame()).collect();
        (labels, frames)
    }

    const UNIT: Extent = Extent { low: 0.0, high: 1.0 };

    fn none_overlap(frames: &[Frame]) -> bool {
        let pairs = frames.iter().enumerate();
        pairs
            .into_iter()
            .all(|(n, one)| frames[n + 1..].iter().all(|other| one.covered(*other) == 0.0))
    }

    #[test]
    fn eight_labels_of_three_lines_all_find_a_place_of_their_own() {
        let (labels, frames) = labels(8, 3);
        assert_eq!((frames.len(), labels.left_out), (8, 0));
        assert!(none_overlap(&frames));
    }

    #[test]
    fn labels_without_a_place_are_left_out_and_counted() {
        let (labels, frames) = labels(60, 3);
        assert!(labels.left_out > 0 && frames.len() + labels.left_out == 60);
        assert!(none_overlap(&frames));
    }

    #[test]
    fn a_label_apart_from_its_point_is_joined_to_it() {
        let (labels, _) = labels(24, 2);
        assert!(labels.placed.iter().any(|label| label.leader.is_some()));
    }
}
