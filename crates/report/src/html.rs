//! The HTML report: one file that needs no network, light and dark, in English and Chinese, for the screen and for paper.
//!
//! What a page holds is declared as [`Page`] and [`Body`]: sections of paragraphs, tables, figures and findings. Deliberately no figure is
//! made here, and none is rounded but to be shown.

mod body;
mod echarts;
mod latencies;
mod markup;
mod names;
mod point;
mod served;
mod setup;
mod shell;
mod study_page;
mod sweep;
mod table;
mod write;

pub(crate) use body::Body;
pub(crate) use shell::Page;
pub(crate) use table::{Cell, Column, Table};

use crate::figure::Figure;
use crate::study::Study;
use crate::words::{Language, Words};

/// How the page is first shown; its reader can change both.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shown {
    /// The language.
    pub language: Language,
}

/// A figure on a page.
#[derive(Clone, Debug)]
pub struct Shelved {
    /// What it is called.
    pub title: Words,
    /// How it is read, in a sentence.
    pub about: Words,
    /// The figure.
    pub figure: Figure,
}

/// The page of a study.
pub fn page(study: &Study, shown: Shown) -> String {
    study_page::of(study).written(shown)
}

/// A page of figures.
pub fn figures_page(title: Words, figures: &[Shelved], shown: Shown) -> String {
    let body = figures
        .iter()
        .cloned()
        .fold(Body::new(), |body, each| body.figure(each.title, each.about, each.figure));
    Page::new(title).section("figures", Words::fixed("Figures", "图表"), body).written(shown)
}

#[cfg(test)]
mod tests;
