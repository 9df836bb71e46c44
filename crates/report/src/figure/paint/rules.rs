//! Rules across a panel: their areas below the marks, their lines and labels above.

use svg::node::element::{Group, Path};

use crate::figure::ink::{boxes, outline, rule};
use crate::figure::rules::placed;
use crate::figure::text::INK;
use crate::figure::view::View;

/// The areas in which the values may lie.
pub(crate) fn bands(view: &View<'_>) -> Group {
    placed(view).iter().filter_map(|placed| placed.band).fold(Group::new(), |group, band| {
        let area =
            Path::new().set("d", boxes([&band])).set("fill", INK).set("fill-opacity", "0.07");
        group.add(area)
    })
}

/// The lines at the values, with their labels.
pub(crate) fn lines(view: &View<'_>) -> Group {
    let placed = placed(view);
    let lines = placed.iter().filter_map(|placed| placed.line);
    let group = lines.fold(Group::new(), |group, [from, to]| {
        group.add(rule(from, to, INK, 0.9).set("stroke-dasharray", "4 3"))
    });
    let arrows = placed.iter().filter_map(|placed| placed.arrow);
    let group = arrows.fold(group, |group, corners| {
        group.add(Path::new().set("d", outline(&corners)).set("fill", INK))
    });
    let labels = placed.iter().filter_map(|placed| placed.label.as_ref());
    labels.fold(group, |group, (text, _)| group.add(text.painted()))
}
