//! The letters of figures: how wide a text is, and whether the font that comes with the program has all of its signs.
//!
//! Widths are sums of advances, without kerning: near enough to keep texts apart.

use std::sync::LazyLock;

use ttf_parser::Face;

/// The font, as it stands in the repository with its licence.
pub(crate) const FONT: &[u8] = include_bytes!("../../fonts/Roboto-Regular.subset.ttf");

/// The name of the font, and what stands in for it where an SVG is shown without it.
pub(crate) const FAMILY: &str = "Roboto, 'Helvetica Neue', Arial, sans-serif";

/// The width in points of the widest line of a text of that size.
pub(crate) fn width(text: &str, size: f64) -> f64 {
    text.lines().map(|line| line.chars().map(advance).sum::<f64>()).fold(0.0, f64::max) * size
}

/// Whether the font lacks one of the signs.
pub(crate) fn lacks_any(text: &str) -> bool {
    let lacks = |sign: char| !sign.is_control() && glyph(sign).is_none();
    text.chars().any(lacks)
}

/// How far the next sign is from this one, for a size of 1. Signs that the font lacks are taken to be square.
fn advance(sign: char) -> f64 {
    let Some(face) = FACE.as_ref() else { return 1.0 };
    let advance = face.glyph_index(sign).and_then(|glyph| face.glyph_hor_advance(glyph));
    advance.map_or(1.0, |advance| f64::from(advance) / f64::from(face.units_per_em()))
}

fn glyph(sign: char) -> Option<ttf_parser::GlyphId> {
    FACE.as_ref()?.glyph_index(sign)
}

static FACE: LazyLock<Option<Face<'static>>> = LazyLock::new(|| Face::parse(FONT, 0).ok());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_font_can_be_read_and_measures_texts() {
        assert!(FACE.is_some());
        let digits = width("0000", 10.0);
        assert!((20.0..25.0).contains(&digits), "{digits}");
        assert_eq!(width("ab\nabcd\n", 10.0), width("abcd", 10.0));
    }

    #[test]
    fn it_has_the_signs_that_figures_need_and_not_those_of_every_script() {
        assert!(!lacks_any("Output tok/s — µ, −1.5e−5 ≤ 3 × 10 Größe"));
        assert!(lacks_any("模型"));
    }
}
