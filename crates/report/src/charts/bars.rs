//! Bars side by side, a group for each case, by number; many cases go into several rows of panels, so that each keeps its name.

use super::names::Labels;
use super::sheet;
use crate::cases::Case;
use crate::figure::{Axis, Bars, Colour, Layer, Look, Marks, Panel, Size};
use crate::words::{Language, Words};

/// A bar of each group.
pub(super) struct Bar<'f> {
    /// What the legend calls it.
    pub(super) name: Words,
    /// Its colour.
    pub(super) colour: Colour,
    /// How high it is.
    pub(super) of: &'f dyn Fn(&Case) -> Option<f64>,
}

/// What is shown: cases, with their names among all that stand in the figure.
pub(super) type Shown<'a> = (&'a Labels<'a>, &'a [&'a Case]);

/// A panel of bars. `None` where none of the cases has any.
pub(super) fn panel(
    title: Words,
    y: Words,
    (labels, cases): Shown<'_>,
    bars: &[Bar<'_>],
) -> Option<Panel> {
    let heights = |bar: &Bar<'_>| -> Vec<f64> {
        cases.iter().map(|case| (bar.of)(case).unwrap_or(f64::NAN)).collect()
    };
    let layers: Vec<Layer> = bars
        .iter()
        .enumerate()
        .map(|(place, bar)| Layer {
            name: bar.name.clone(),
            look: look(place, bar.colour),
            heights: heights(bar),
        })
        .filter(|layer| layer.heights.iter().any(|height| height.is_finite()))
        .collect();
    if layers.is_empty() {
        return None;
    }
    let groups = cases.iter().map(|case| label(labels, case)).collect();
    let marks = Marks::Bars(Bars { groups, layers });
    Some(sheet::panel(title, Axis::linear(Words::default()), Axis::linear(y), marks))
}

/// The cases in rows, each as many as have their names under them.
pub(super) fn rows<'c, 'a>(cases: &'c [&'a Case]) -> impl Iterator<Item = &'c [&'a Case]> {
    let rows = cases.len().div_ceil(MOST_GROUPS).max(1);
    cases.chunks(cases.len().div_ceil(rows).max(1)).take(MOST_ROWS)
}

/// How large a panel of so many groups is.
pub(super) fn size(groups: usize, height: f64) -> Size {
    let groups = groups.min(MOST_GROUPS) as f64;
    sheet::size((1.6 + 0.42 * groups).clamp(5.6, 16.0), height)
}

/// The title of the n-th of several rows, and what stands in none.
pub(super) fn title(title: &Words, cases: &[&Case], row: usize) -> Words {
    let rows = cases.len().div_ceil(MOST_GROUPS).max(1);
    if rows == 1 {
        return title.clone();
    }
    let shown = rows.min(MOST_ROWS);
    let [english, chinese] = [Language::English, Language::Chinese].map(|language| {
        format!("{} ({}/{shown})", title.told(language), row + 1).trim_start().to_owned()
    });
    match rows > MOST_ROWS && row + 1 == shown {
        false => Words::both(english, chinese),
        true => Words::both(
            format!("{english}, of {} configurations the lightest only", cases.len()),
            format!("{chinese}，共 {} 种配置，其余未画出", cases.len()),
        ),
    }
}

/// The first of a group is plain, and each further one has a texture of its own, so that they are told apart without colour.
const fn look(place: usize, colour: Colour) -> Look {
    Look { colour, ..Look::kind(place) }
}

/// A case's name below its bars, with its [marks].
pub(super) fn label(labels: &Labels<'_>, case: &Case) -> Words {
    let label = format!("{}{}", labels.label(case), marks(case));
    let chinese = label.replace("all at once", "一次性全部发出");
    Words::both(label, chinese)
}

/// What stands behind the name of a case: a cross where the client limited it, a dagger where more than 1 % of its requests failed. The
/// notes below the title tell what they mean.
fn marks(case: &Case) -> &'static str {
    match (case.client_limited, case.is_failing()) {
        (false, false) => "",
        (true, false) => " ×",
        (false, true) => " †",
        (true, true) => " ×†",
    }
}

/// So many groups stand in a row.
const MOST_GROUPS: usize = 36;

/// So many rows are drawn.
const MOST_ROWS: usize = 10;
