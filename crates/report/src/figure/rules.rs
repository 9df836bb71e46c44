//! Rules: lines across a panel at values that matter, each with its label where that covers as little as it can.
//!
//! One that stands beyond the axis has no line: its label stands at that end, with an arrow. Labels of points keep clear of these.

use std::cmp::Ordering;

use super::fit;
use super::labels::obstacles;
use super::letters::width;
use super::text::{Anchor, Text};
use super::view::{Frame, View};
use super::{On, Rule};

/// A rule in its place.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) line: Option<[(f64, f64); 2]>,
    pub(crate) band: Option<Frame>,
    /// The label and the place that it takes, with its arrow; none where there is no room at all.
    pub(crate) label: Option<(Text, Frame)>,
    /// The corners of the arrow that points beyond the axis.
    pub(crate) arrow: Option<[(f64, f64); 3]>,
}

/// The rules of a panel.
pub(crate) fn placed(view: &View<'_>) -> Vec<Placed> {
    let (has_x, has_y) = view.panel.marks.scaled();
    let fits = |rule: &&Rule| match rule.on {
        On::Across => has_x && view.panel.x.bears(rule.at),
        On::Up => has_y && view.panel.y.bears(rule.at),
    };
    let rules: Vec<&Rule> = view.panel.rules.iter().filter(fits).collect();
    if rules.is_empty() {
        return Vec::new();
    }
    let obstacles = obstacles(view);
    let mut taken: Vec<Frame> = Vec::new();
    let mut all = Vec::with_capacity(rules.len());
    for rule in rules {
        let label = label(view, rule, &obstacles, &taken);
        taken.extend(label.iter().map(|(_, frame)| frame.grown(1.0)));
        let arrow = label.as_ref().and_then(|(_, frame)| arrow(rule.on, side(view, rule), *frame));
        all.push(Placed { line: line(view, rule), band: band(view, rule), label, arrow });
    }
    all
}

/// Whether the value stands below the axis, on it, or above.
fn side(view: &View<'_>, rule: &Rule) -> Ordering {
    let extent = if rule.on == On::Across { view.across } else { view.up };
    match rule.at {
        at if extent.holds(at) => Ordering::Equal,
        at if at < extent.low => Ordering::Less,
        _ => Ordering::Greater,
    }
}

fn line(view: &View<'_>, rule: &Rule) -> Option<[(f64, f64); 2]> {
    let Frame { left, top, right, bottom } = view.frame;
    let is_on_axis = side(view, rule).is_eq();
    is_on_axis.then(|| match rule.on {
        On::Across => [(view.across(rule.at), bottom), (view.across(rule.at), top)],
        On::Up => [(left, view.up(rule.at)), (right, view.up(rule.at))],
    })
}

/// The area in which the value may lie, as far as it is within the frame.
fn band(view: &View<'_>, rule: &Rule) -> Option<Frame> {
    let (low, high) = rule.within?;
    let frame = view.frame;
    let axis = if rule.on == On::Across { &view.panel.x } else { &view.panel.y };
    let end = |value: f64, extreme: f64| if axis.bears(value) { value } else { extreme };
    let area = match rule.on {
        On::Across => Frame {
            left: view.across(end(low, view.across.low)).max(frame.left),
            right: view.across(end(high, view.across.high)).min(frame.right),
            ..frame
        },
        On::Up => Frame {
            top: view.up(end(high, view.up.high)).max(frame.top),
            bottom: view.up(end(low, view.up.low)).min(frame.bottom),
            ..frame
        },
    };
    (area.left < area.right && area.top < area.bottom).then_some(area)
}

fn label(
    view: &View<'_>,
    rule: &Rule,
    obstacles: &[Frame],
    taken: &[Frame],
) -> Option<(Text, Frame)> {
    let side = side(view, rule);
    if rule.label.trim().is_empty() {
        return None;
    }
    let arrow = if side.is_eq() { 0.0 } else { ARROW };
    let (text, size) = fit::shrunk(&rule.label, &SIZES, view.frame.width() - 8.0 - arrow);
    let wide = width(&text, size) + arrow;
    let high = text.lines().count().max(1) as f64 * size * Text::LEADING;
    let mut best: Option<(f64, Frame)> = None;
    for (step, (left, top)) in corners(view, rule, side, (wide, high)).into_iter().enumerate() {
        let spot = Frame { left, top, right: left + wide, bottom: top + high };
        let is_within = view.frame.grown(0.5).covered(spot) >= wide * high * 0.999;
        if !is_within || taken.iter().any(|taken| taken.covered(spot) > 0.0) {
            continue;
        }
        let covered: f64 = obstacles.iter().map(|obstacle| obstacle.covered(spot)).sum();
        let cost = covered + step as f64;
        if best.is_none_or(|(least, _)| cost < least) {
            best = Some((cost, spot));
        }
    }
    let (_, spot) = best?;
    let text = Text::new(&text, spot.left, spot.top + size, size, Anchor::Start);
    Some((text.with_halo().in_full(&rule.label), spot))
}

/// An arrow at the end of a label's place, pointing to where the value lies.
fn arrow(on: On, side: Ordering, spot: Frame) -> Option<[(f64, f64); 3]> {
    let (x, y) = (spot.right - 4.0, f64::midpoint(spot.top, spot.bottom));
    let across = |by: f64| [(x + by, y), (x - by, y - 3.0), (x - by, y + 3.0)];
    let up = |by: f64| [(x, y - by), (x - 3.0, y + by), (x + 3.0, y + by)];
    match (on, side) {
        (_, Ordering::Equal) => None,
        (On::Across, Ordering::Greater) => Some(across(3.0)),
        (On::Across, Ordering::Less) => Some(across(-3.0)),
        (On::Up, Ordering::Greater) => Some(up(3.0)),
        (On::Up, Ordering::Less) => Some(up(-3.0)),
    }
}

/// Where the label may begin, the best places first.
fn corners(
    view: &View<'_>,
    rule: &Rule,
    side: Ordering,
    (wide, high): (f64, f64),
) -> Vec<(f64, f64)> {
    let Frame { left, top, right, bottom } = view.frame;
    let rows = ((bottom - top) / (high + 2.0)).clamp(1.0, 60.0) as usize;
    let down = (0..rows).map(|row| top + 3.0 + row as f64 * (high + 2.0));
    let along = (0..=8)
        .map(|part| right - wide - 3.0 - (right - left - wide - 6.0) * f64::from(part) / 8.0);
    match (rule.on, side) {
        (On::Across, Ordering::Equal) => {
            let x = view.across(rule.at);
            down.flat_map(|y| [(x + 4.0, y), (x - wide - 4.0, y)]).collect()
        }
        (On::Up, Ordering::Equal) => {
            let y = view.up(rule.at);
            along.flat_map(|x| [(x, y - high - 1.5), (x, y + 2.0)]).collect()
        }
        (On::Across, Ordering::Greater) => down.map(|y| (right - wide - 3.0, y)).collect(),
        (On::Across, Ordering::Less) => down.map(|y| (left + 3.0, y)).collect(),
        (On::Up, Ordering::Greater) => along.map(|x| (x, top + 1.0)).collect(),
        (On::Up, Ordering::Less) => along.map(|x| (x, bottom - high - 2.0)).collect(),
    }
}

/// What an arrow takes behind its label.
const ARROW: f64 = 9.0;

const SIZES: [f64; 3] = [8.5, 7.5, 6.5];

#[cfg(test)]
mod tests {
    use super::super::{Axis, Look, Marks, Panel, Point, Series};
    use super::*;
    use crate::figure::layout::Layout;
    use crate::figure::{Axes, Figure, Size};
    use crate::words::Language;

    fn rule(on: On, at: f64, label: &str) -> Rule {
        Rule { on, at, within: None, label: label.into() }
    }

    fn figure(rules: Vec<Rule>) -> Figure {
        let point = |n: u32| Point {
            label: Some(format!("c={n}")),
            ..Point::at(f64::from(n), f64::from(n * n))
        };
        let series = Series {
            name: None,
            look: Look::kind(0),
            points: (1..12).map(point).collect(),
            errors: crate::figure::Errors::default(),
        };
        Figure {
            title: "".into(),
            panels: vec![Panel {
                title: "".into(),
                x: Axis::linear("x"),
                y: Axis::linear("y"),
                marks: Marks::Series(vec![series]),
                rules,
            }],
            columns: 1,
            panel: Size { width: 5.0, height: 4.0 },
            dpi: 50,
            axes: Axes::Own,
            legend: None,
        }
    }

    fn all_placed(figure: &Figure) -> Vec<Placed> {
        placed(&Layout::of(figure, Language::English).views[0])
    }

    #[test]
    fn a_rule_beyond_the_points_widens_the_axis_and_one_far_beyond_is_pointed_to() {
        let near = all_placed(&figure(vec![rule(On::Up, 200.0, "limit")]));
        assert!(near[0].line.is_some());
        let far = figure(vec![rule(On::Up, 20_000.0, "limit")]);
        let far = &all_placed(&far)[0];
        assert!(far.line.is_none() && far.label.is_some());
        let [tip, left, right] = far.arrow.unwrap();
        assert!(tip.1 < left.1 && left.0 < tip.0 && tip.0 < right.0);
    }

    #[test]
    fn labels_of_rules_and_of_points_never_overlap() {
        let rules = vec![
            rule(On::Up, 40.0, "TTFT p99 ≤ 40 ms"),
            rule(On::Up, 41.0, "another limit beside it"),
            rule(On::Across, 7.0, "knee"),
            rule(On::Across, 7.1, "capacity"),
        ];
        let figure = figure(rules);
        let layout = Layout::of(&figure, Language::English);
        let view = &layout.views[0];
        let mut frames: Vec<Frame> = placed(view)
            .into_iter()
            .filter_map(|rule| rule.label)
            .map(|(_, frame)| frame)
            .collect();
        assert_eq!(frames.len(), 4);
        let labels = crate::figure::labels::Labels::of(view);
        frames.extend(labels.placed.iter().map(|label| label.text.frame()));
        for (n, one) in frames.iter().enumerate() {
            assert!(frames[n + 1..].iter().all(|other| one.covered(*other) == 0.0), "{one:?}");
        }
    }

    #[test]
    fn rules_that_cannot_stand_on_the_axis_are_not_drawn() {
        let rules = vec![
            rule(On::Up, f64::NAN, "a"),
            Rule { within: Some((f64::NAN, f64::INFINITY)), ..rule(On::Across, 5.0, "b") },
        ];
        assert_eq!(all_placed(&figure(rules)).len(), 1);
    }
}
