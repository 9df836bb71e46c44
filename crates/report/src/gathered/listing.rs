//! A list in columns for the terminal, without lines between them: one line an entry, so that it can be searched and cut.

use crate::prose::{pad, pad_left, width};

/// The side to which the cells of a column keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Words.
    Left,
    /// Figures.
    Right,
}

/// The rows under their headings, each column as wide as its widest cell. Chinese characters count twice, as terminals draw them.
pub fn listing(headings: &[(&str, Side)], rows: &[Vec<String>]) -> String {
    let widest = |place: usize| {
        let cells = rows.iter().filter_map(|row| row.get(place)).map(|cell| width(cell));
        cells.chain([width(headings[place].0)]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..headings.len()).map(widest).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let set =
            cells.zip(headings.iter().zip(&widths)).map(|(cell, ((_, side), width))| match side {
                Side::Left => pad(cell, *width),
                Side::Right => pad_left(cell, *width),
            });
        let line = set.collect::<Vec<_>>().join("  ");
        format!("{}\n", line.trim_end())
    };
    let mut text = line(&mut headings.iter().map(|(heading, _)| *heading));
    for row in rows {
        text.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_on_the_screen() {
        let rows =
            [vec!["千问".to_owned(), "7".to_owned()], vec!["m".to_owned(), "1,024".to_owned()]];
        let text = listing(&[("model", Side::Left), ("tok/s", Side::Right)], &rows);
        assert_eq!(text, "model  tok/s\n千问       7\nm      1,024\n");
    }
}
