//! One small figure of each kind of marks as it stands, in both languages.

use super::gallery::{bands, bars, figure_of, heat, spans, table};
use super::*;
use crate::words::LANGUAGES;

fn stands(name: &str, panel: Panel) {
    let figure =
        Figure { legend: Some(Words::fixed("Legend", "图例")), ..figure_of(vec![panel]) };
    for &language in LANGUAGES {
        let svg = figure.svg_in(language);
        assert_eq!(svg, figure.svg_in(language));
        insta::assert_snapshot!(format!("{name}_{language}"), svg);
    }
}

#[test]
fn bars_stand_in_both_languages() {
    stands("bars", bars(3, 2));
}

#[test]
fn heat_stands_in_both_languages() {
    stands("heat", heat(6, 2));
}

#[test]
fn bands_and_rules_stand_in_both_languages() {
    stands("bands", bands());
}

#[test]
fn spans_stand_in_both_languages() {
    stands("spans", spans(6));
}

#[test]
fn a_table_stands_in_both_languages() {
    stands("table", table(3));
}

#[test]
fn a_figure_is_in_one_language_throughout() {
    let figure = figure_of(vec![bars(3, 2), heat(6, 2), bands(), spans(6), table(3)]);
    let english = figure.svg_in(Language::English);
    assert!(english.is_ascii() || letters::lacking(&english).is_empty(), "Chinese in English");
    for word in ["Throughput", "Concurrency", "knee", "Decode", "failed", "Errors"] {
        assert!(english.contains(word), "{word}");
        assert!(!figure.svg_in(Language::Chinese).contains(word), "{word}");
    }
    assert_eq!(figure.svg(), english);
}
