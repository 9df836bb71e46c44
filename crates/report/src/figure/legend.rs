//! The legend: each name once, in as many columns and letters as small as it takes.
//!
//! What does not fit even so is counted in its last line, never cut off: first of all each colour keeps an entry. Deliberately no
//! more than [`SIZES`] tells in letters, and no wider than all panels together.

use svg::node::element::Group;
use svg::node::element::path::Data;

use super::Figure;
use super::fit;
use super::ink::{boxes, filled};
use super::letters::width;
use super::look::Look;
use super::marks::{Marks, Spans};
use super::paint::{series, spans};
use super::text::{Anchor, Text};
use super::view::Frame;
use crate::words::{Language, Words};

/// A legend in its size.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Legend {
    heading: Option<String>,
    columns: Vec<Vec<Key>>,
    /// How many entries there was no room for.
    left_out: usize,
    size: f64,
    column_width: f64,
    row_height: f64,
    /// How wide a name may be.
    longest: f64,
    language: Language,
    /// What it takes beside the panels.
    pub(crate) width: f64,
}

/// An entry.
#[derive(Clone, Debug, PartialEq)]
struct Key {
    name: String,
    look: Look,
    swatch: Swatch,
}

/// What stands before an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Swatch {
    /// A line with its marker.
    Line,
    /// An area with its texture.
    Area,
    /// The cross of what failed.
    Cross,
}

impl Legend {
    /// The legend of a figure, where it has names, in so much room.
    pub(crate) fn of(
        figure: &Figure,
        language: Language,
        widest: f64,
        height: f64,
    ) -> Option<Self> {
        let keys = keys(figure, language);
        if keys.is_empty() {
            return None;
        }
        let heading = figure.legend.as_ref().map(|words| fit::clean(words));
        let fitting = SIZES.iter().find_map(|&size| {
            let room = Room::at(size, &keys, heading.as_deref(), (widest, height));
            let columns = keys.len().div_ceil(room.rows);
            (columns == 1 || room.width(columns) <= widest).then_some((room, columns))
        });
        let (room, columns) = fitting.unwrap_or_else(|| {
            let room = Room::at(SMALLEST, &keys, heading.as_deref(), (widest, height));
            let columns = (widest / room.column_width).floor().max(1.0) as usize;
            (room, columns)
        });
        let all = keys.len();
        let places = room.rows * columns;
        // The last place tells how many there is none for.
        let shown = if all > places { chosen(keys, places.saturating_sub(1).max(1)) } else { keys };
        let left_out = all - shown.len();
        let rows = room.rows.min(shown.len().div_ceil(columns).max(1));
        let rows = if left_out > 0 { room.rows } else { rows };
        Some(Self {
            width: room.width(columns),
            columns: shown.chunks(rows.max(1)).map(<[Key]>::to_vec).collect(),
            left_out,
            size: room.size,
            column_width: room.column_width,
            row_height: room.row_height,
            heading,
            language,
            longest: room.longest,
        })
    }

    /// From its top left corner down.
    pub(crate) fn painted(&self, left: f64, top: f64) -> Group {
        let mut group = Group::new();
        let mut first = top + self.size;
        if let Some(heading) = &self.heading {
            let text = Text::new(heading, left, top + Text::LEGEND, Text::LEGEND, Anchor::Start);
            first += heading_height(heading);
            group = group.add(text.painted());
        }
        let mut next = (left, first);
        for (index, column) in self.columns.iter().enumerate() {
            let left = left + index as f64 * self.column_width;
            for (row, key) in column.iter().enumerate() {
                let baseline = first + row as f64 * self.row_height;
                let name = fitted(&key.name, self.size, self.longest);
                let text = Text::new(&name, left + SWATCH, baseline, self.size, Anchor::Start);
                let middle = baseline - 0.35 * self.size;
                let text = text.in_full(&key.name).painted();
                group = group.add(swatch(key, left, middle)).add(text);
                next = (left, baseline + self.row_height);
            }
        }
        if self.left_out > 0 {
            let left_out = self.left_out;
            let more = Words::both(format!("… {left_out} more"), format!("… 另有 {left_out} 项"));
            let more = more.told(self.language);
            let text = Text::new(more, next.0 + SWATCH, next.1, self.size, Anchor::Start);
            group = group.add(text.painted());
        }
        group
    }
}

/// What letters of a size leave room for.
struct Room {
    size: f64,
    column_width: f64,
    row_height: f64,
    /// Entries in a column, at least one.
    rows: usize,
    heading: f64,
    /// How wide a name may be.
    longest: f64,
}

impl Room {
    fn at(size: f64, keys: &[Key], heading: Option<&str>, (wide, height): (f64, f64)) -> Self {
        let longest = (0.6 * wide).max(LONGEST);
        let names = keys.iter().map(|key| width(&fitted(&key.name, size, longest), size));
        let widest = names.fold(0.0, f64::max);
        let lines = keys.iter().map(|key| key.name.lines().count()).max().unwrap_or(1).max(1);
        let row_height = size * (lines as f64 * Text::LEADING + 0.4);
        let height = height - heading.map_or(0.0, heading_height);
        Self {
            size,
            column_width: SWATCH + widest + GAP,
            row_height,
            rows: ((height / row_height).floor().max(1.0)) as usize,
            heading: heading.map_or(0.0, |heading| width(heading, Text::LEGEND) + GAP),
            longest,
        }
    }

    fn width(&self, columns: usize) -> f64 {
        (columns as f64 * self.column_width).max(self.heading)
    }
}

fn heading_height(heading: &str) -> f64 {
    Text::LEGEND * (heading.lines().count() as f64 * Text::LEADING + 0.4)
}

/// So many of the entries, in their order: one of each colour, evenly spread where there are more colours than places, and then those
/// that come first.
fn chosen(keys: Vec<Key>, places: usize) -> Vec<Key> {
    let mut colours: Vec<usize> = Vec::new();
    for (index, key) in keys.iter().enumerate() {
        if colours.iter().all(|&known| keys[known].look.colour != key.look.colour) {
            colours.push(index);
        }
    }
    let mut taken: Vec<usize> = match colours.len() {
        many if many > places => {
            (0..places).map(|place| colours[place * (many - 1) / (places - 1).max(1)]).collect()
        }
        _ => colours,
    };
    let others = (0..keys.len()).filter(|index| !taken.contains(index));
    let others: Vec<usize> = others.take(places - taken.len()).collect();
    taken.extend(others);
    let entries = keys.into_iter().enumerate();
    entries.filter(|(index, _)| taken.contains(index)).map(|(_, key)| key).collect()
}

/// The name, each line cut in its middle where it is wider than the room.
fn fitted(name: &str, size: f64, room: f64) -> String {
    fit::shrunk(name, &[size], room).0
}

/// The entries, each name once, as they first come.
fn keys(figure: &Figure, language: Language) -> Vec<Key> {
    let mut keys: Vec<Key> = Vec::new();
    let mut add = |name: &str, look: Look, swatch: Swatch| {
        if !name.is_empty() && !keys.iter().any(|key| key.name == name) {
            keys.push(Key { name: name.to_owned(), look, swatch });
        }
    };
    for panel in &figure.panels {
        match &panel.marks {
            Marks::Series(series) => series
                .iter()
                .filter_map(|series| Some((series.name.as_ref()?, series.look)))
                .for_each(|(name, look)| add(name, look, Swatch::Line)),
            Marks::Stacked(layers) => {
                layers.iter().for_each(|layer| add(&layer.name, layer.look, Swatch::Area));
            }
            Marks::Bars(bars) => {
                bars.layers.iter().for_each(|layer| add(&layer.name, layer.look, Swatch::Area));
            }
            Marks::Spans(Spans { kinds, rows }) => {
                kinds.iter().for_each(|kind| add(&kind.name, kind.look, Swatch::Area));
                if rows.iter().any(|row| row.failed) {
                    let failed = Words::fixed("failed", "失败");
                    add(failed.told(language), Look::muted(), Swatch::Cross);
                }
            }
            Marks::Histogram(_) | Marks::Heat(_) | Marks::Table(_) => {}
        }
    }
    keys
}

fn swatch(key: &Key, left: f64, middle: f64) -> Group {
    let right = left + SWATCH - 8.0;
    match key.swatch {
        Swatch::Line => {
            let ends = [(left, middle), (right, middle)];
            let group = Group::new().add(series::line(&ends, key.look));
            series::add_marker(group, key.look, (f64::midpoint(left, right), middle))
        }
        Swatch::Area => {
            let (left, right) = (left + 6.0, right - 2.0);
            let area = Frame { left, top: middle - 5.0, right, bottom: middle + 5.0 };
            filled(&boxes([&area]), key.look)
        }
        Swatch::Cross => {
            let place = (f64::midpoint(left + 6.0, right - 2.0), middle);
            spans::struck(&spans::cross(Data::new(), place, 3.2), 3.2)
        }
    }
}

/// The sizes of letters that are tried, in points.
const SIZES: [f64; 3] = [Text::LEGEND, 8.5, SMALLEST];

const SMALLEST: f64 = 7.0;

/// What the sample of an entry takes, with the gap behind it.
const SWATCH: f64 = 34.0;

/// Behind a column.
const GAP: f64 = 14.0;

/// How wide a name may be even beside a narrow figure, in points.
const LONGEST: f64 = 200.0;

#[cfg(test)]
mod tests {
    use super::super::{Axes, Axis, Colour, Panel, Series, Size};
    use super::*;

    fn figure(curves: usize, colours: usize) -> Figure {
        let series = |n: usize| {
            let colour = Colour::Kind(n * colours / curves);
            let look = Look { colour, ..Look::kind(n) };
            Series {
                name: Some(format!("tp={n}, max_num_seqs=64").into()),
                look,
                points: vec![],
                errors: crate::figure::Errors::default(),
            }
        };
        Figure {
            title: "".into(),
            panels: vec![Panel {
                title: "".into(),
                x: Axis::linear("x"),
                y: Axis::linear("y"),
                marks: Marks::Series((0..curves).map(series).collect()),
                rules: Vec::new(),
            }],
            columns: 1,
            panel: Size { width: 6.4, height: 6.4 },
            dpi: 50,
            axes: Axes::Shared,
            legend: Some("tp, max_num_seqs".into()),
        }
    }

    fn shown(legend: &Legend) -> usize {
        legend.columns.iter().map(Vec::len).sum()
    }

    #[test]
    fn a_short_legend_is_one_column() {
        let legend = Legend::of(&figure(5, 3), Language::English, 460.0, 400.0).unwrap();
        assert_eq!((legend.columns.len(), shown(&legend), legend.size), (1, 5, Text::LEGEND));
    }

    #[test]
    fn a_long_legend_gets_columns_and_smaller_letters_and_keeps_within_its_room() {
        let legend = Legend::of(&figure(54, 3), Language::English, 460.0, 400.0).unwrap();
        assert_eq!((shown(&legend), legend.left_out), (54, 0));
        assert!(legend.columns.len() > 1 && legend.width <= 460.0, "{legend:?}");
        let rows = legend.columns.iter().map(Vec::len).max().unwrap();
        assert!(rows as f64 * legend.row_height <= 400.0);
    }

    #[test]
    fn entries_without_room_are_counted_and_every_colour_keeps_one() {
        let legend = Legend::of(&figure(300, 6), Language::English, 300.0, 200.0).unwrap();
        let svg = legend.painted(0.0, 0.0).to_string();
        assert!(legend.left_out > 0 && shown(&legend) + legend.left_out == 300);
        assert!(svg.contains(&format!("… {} more", legend.left_out)), "{svg}");
        let colours = (0..6).map(|n| Colour::Kind(n).css());
        colours.for_each(|colour| assert!(svg.contains(&colour), "{colour}"));
        let rows = legend.columns.iter().map(Vec::len).max().unwrap();
        assert!(rows as f64 * legend.row_height <= 200.0);
        // More colours than places: the first and the last are among them.
        let keys = keys(&figure(7, 7), Language::English);
        let names: Vec<_> = chosen(keys, 3).into_iter().map(|key| key.name).collect();
        assert_eq!(
            names,
            ["tp=0, max_num_seqs=64", "tp=3, max_num_seqs=64", "tp=6, max_num_seqs=64"]
        );
    }
}
