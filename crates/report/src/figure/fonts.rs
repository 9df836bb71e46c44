//! Fonts beyond the one that comes with the program: which of this machine's fonts writes Chinese, and which signs none has.
//!
//! The machine's fonts are looked through at most once per process, and only when a sign is asked for that the program's own font
//! lacks: it takes a while. Deliberately no font is fetched from anywhere.

use std::sync::{Arc, LazyLock};

use resvg::usvg::fontdb::{Database, ID, Source, Style, Weight};
use ttf_parser::Face;

use super::letters;
use crate::words::Language;

/// Whether a PNG made on this machine can show every sign of the text. An SVG can always: its fonts are those of whoever reads it.
pub fn can_write(text: &str) -> bool {
    let lacking = letters::lacking(text);
    lacking.iter().all(|&sign| CHINESE.as_ref().is_some_and(|font| font.has(sign)))
        || lacking.iter().all(|&sign| any_has(&EVERY, sign))
}

/// Why a PNG made on this machine cannot be in that language, as a fragment without a full stop; `None` if it can.
pub fn missing_script(language: Language) -> Option<&'static str> {
    match language {
        Language::Chinese if CHINESE.is_none() => Some(
            "no font on this machine has Chinese characters: install one (on Debian and Ubuntu the package fonts-noto-cjk), \
             or choose English, or SVG or HTML, which take the reader's fonts",
        ),
        _ => None,
    }
}

/// The fonts that a text takes: no more of them are looked through than it needs.
pub(crate) fn that_write(text: &str) -> Arc<Database> {
    let lacking = letters::lacking(text);
    let is_enough = |font: &Font| lacking.iter().all(|&sign| font.has(sign));
    match CHINESE.as_ref() {
        _ if lacking.is_empty() => Arc::clone(&OWN),
        Some(font) if is_enough(font) => Arc::clone(&WITH_CHINESE),
        _ => Arc::clone(&EVERY),
    }
}

/// A font that was found on the machine.
struct Font {
    data: Arc<Vec<u8>>,
    /// Which of the faces in its file.
    index: u32,
}

impl Font {
    fn has(&self, sign: char) -> bool {
        Face::parse(&self.data, self.index).is_ok_and(|face| face.glyph_index(sign).is_some())
    }

    /// Adds it, without the other faces of its file: they are meant for other languages.
    fn join(&self, fonts: &mut Database) {
        for id in fonts.load_font_source(Source::Binary(self.data.clone())) {
            if fonts.face(id).is_some_and(|face| face.index != self.index) {
                fonts.remove_face(id);
            }
        }
    }
}

/// The best font for Chinese: of the families in [`letters::CHINESE_FAMILIES`] the first, else any that has its signs; of a family
/// the face that is upright and nearest to the regular weight.
fn chinese(fonts: &Database) -> Option<Font> {
    let rank = |families: &[(String, _)]| {
        let known = |name: &str| families.iter().any(|(family, _)| family == name);
        letters::CHINESE_FAMILIES.iter().position(|name| known(name))
    };
    let mut faces: Vec<(usize, bool, u16, ID)> = fonts
        .faces()
        .map(|face| {
            let rank = rank(&face.families).unwrap_or(usize::MAX);
            let weight = face.weight.0.abs_diff(Weight::NORMAL.0);
            (rank, face.style != Style::Normal, weight, face.id)
        })
        .collect();
    faces.sort_by_key(|&(rank, is_slanted, weight, _)| (rank, is_slanted, weight));
    faces.into_iter().find_map(|(.., id)| {
        fonts.with_face_data(id, |data, index| {
            let face = Face::parse(data, index).ok()?;
            let has_all = SIGNS.chars().all(|sign| face.glyph_index(sign).is_some());
            has_all.then(|| Font { data: Arc::new(data.to_vec()), index })
        })?
    })
}

fn any_has(fonts: &Database, sign: char) -> bool {
    let has = |data: &[u8], index| Face::parse(data, index).ok()?.glyph_index(sign).map(|_| ());
    fonts.faces().any(|face| fonts.with_face_data(face.id, has).flatten().is_some())
}

fn own() -> Database {
    let mut fonts = Database::new();
    fonts.load_font_data(letters::FONT.to_vec());
    fonts
}

static OWN: LazyLock<Arc<Database>> = LazyLock::new(|| Arc::new(own()));

static SYSTEM: LazyLock<Database> = LazyLock::new(|| {
    let mut fonts = Database::new();
    fonts.load_system_fonts();
    fonts
});

static CHINESE: LazyLock<Option<Font>> = LazyLock::new(|| chinese(&SYSTEM));

static WITH_CHINESE: LazyLock<Arc<Database>> = LazyLock::new(|| {
    let mut fonts = own();
    CHINESE.iter().for_each(|font| font.join(&mut fonts));
    Arc::new(fonts)
});

/// Those of the machine after the two that are preferred: a sign takes the first that has it.
static EVERY: LazyLock<Arc<Database>> = LazyLock::new(|| {
    let mut fonts = Database::clone(&WITH_CHINESE);
    for face in SYSTEM.faces() {
        fonts.push_face_info(face.clone());
    }
    Arc::new(fonts)
});

/// What a font for Chinese must have: signs of the simplified script, and one of its full stops.
const SIGNS: &str = "模请吞延迟。";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_fonts_has_none_for_chinese() {
        assert!(chinese(&Database::new()).is_none());
        assert!(chinese(&own()).is_none());
        assert!(!any_has(&own(), '模') && any_has(&own(), 'm'));
    }

    #[test]
    fn every_machine_can_write_what_its_own_font_has() {
        assert!(can_write("Output tok/s ≤ 3 µs") && can_write(""));
        assert_eq!(missing_script(Language::English), None);
    }

    #[test]
    fn chinese_can_be_written_exactly_where_a_font_for_it_is_found() {
        assert_eq!(CHINESE.is_some(), missing_script(Language::Chinese).is_none());
        if CHINESE.is_some() {
            assert!(can_write("模请吞") && any_has(&that_write("模型"), '型'));
        }
        // The font for Chinese alone is added, not its neighbours in the file.
        assert!(WITH_CHINESE.len() <= 2);
        assert!(that_write("abc").len() == 1);
    }
}
