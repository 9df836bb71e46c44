//! The letters of figures: how wide a text is, and whether the font that comes with the program has all of its signs.
//!
//! Widths are sums of advances, without kerning: near enough to keep texts apart.

use std::sync::LazyLock;

use ttf_parser::Face;

/// The font, as it stands in the repository with its licence.
pub(crate) const FONT: &[u8] = include_bytes!("../../fonts/Roboto-Regular.subset.ttf");

/// The name of the font, and what stands in for it where an SVG is shown without it, or for the signs that it lacks.
pub(crate) const FAMILY: &str = "Roboto, 'Helvetica Neue', Arial, 'Noto Sans CJK SC', 'Noto Sans SC', 'Source Han Sans SC', \
                                 'PingFang SC', 'Hiragino Sans GB', 'Microsoft YaHei', 'WenQuanYi Micro Hei', \
                                 'WenQuanYi Zen Hei', sans-serif";

/// Families that write simplified Chinese well, the best first.
pub(crate) const CHINESE_FAMILIES: [&str; 14] = [
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "PingFang SC",
    "Hiragino Sans GB",
    "Microsoft YaHei",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Droid Sans Fallback",
    "Heiti SC",
    "STHeiti",
    "SimHei",
    "SimSun",
];

/// The width in points of the widest line of a text of that size.
pub(crate) fn width(text: &str, size: f64) -> f64 {
    text.lines().map(|line| line.chars().map(advance).sum::<f64>()).fold(0.0, f64::max) * size
}

/// The signs that the font lacks, each once.
pub(crate) fn lacking(text: &str) -> Vec<char> {
    let lacks = |sign: &char| !sign.is_ascii() && !sign.is_control() && glyph(*sign).is_none();
    let mut lacking: Vec<char> = text.chars().filter(lacks).collect();
    lacking.sort_unstable();
    lacking.dedup();
    lacking
}

/// How far the next sign is from this one, for a size of 1. Signs that the font lacks are taken to be square.
pub(crate) fn advance(sign: char) -> f64 {
    match ADVANCES.get(sign as usize) {
        Some(advance) => *advance,
        None => measured(sign),
    }
}

fn measured(sign: char) -> f64 {
    let Some(face) = FACE.as_ref() else { return 1.0 };
    let advance = face.glyph_index(sign).and_then(|glyph| face.glyph_hor_advance(glyph));
    advance.map_or(1.0, |advance| f64::from(advance) / f64::from(face.units_per_em()))
}

fn glyph(sign: char) -> Option<ttf_parser::GlyphId> {
    FACE.as_ref()?.glyph_index(sign)
}

/// Those of ASCII, which are asked for most.
static ADVANCES: LazyLock<[f64; 128]> =
    LazyLock::new(|| std::array::from_fn(|sign| measured(char::from(sign as u8))));

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
        assert_eq!(width("模型", 10.0), 20.0);
    }

    #[test]
    fn it_has_the_signs_that_figures_need_and_not_those_of_every_script() {
        assert_eq!(lacking("Output tok/s — µ, −1.5e−5 ≤ 3 × 10 Größe … – ·"), []);

        assert_eq!(lacking("模型 a模"), ['型', '模']);
        // Every sign of ASCII that is written is in it.
        assert!((' '..='~').all(|sign| glyph(sign).is_some()));
    }
}
