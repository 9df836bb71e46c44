//! A figure in one language alone: every text in its form there.

use super::{Axis, Bars, Figure, Heat, Histogram, Layer, Marks, Panel, Rule, Series, Spans, Table};
use crate::words::{Language, Words};

impl Figure {
    /// The figure with its texts in that language alone, which its texts as `str` then are.
    #[must_use]
    pub fn only(&self, language: Language) -> Self {
        Self {
            title: self.title.only(language),
            panels: self.panels.iter().map(|panel| panel.only(language)).collect(),
            legend: self.legend.as_ref().map(|words| words.only(language)),
            ..*self
        }
    }
}

impl Panel {
    fn only(&self, language: Language) -> Self {
        let axis = |axis: &Axis| Axis { label: axis.label.only(language), ..*axis };
        let rule = |rule: &Rule| Rule { label: rule.label.only(language), ..*rule };
        Self {
            title: self.title.only(language),
            x: axis(&self.x),
            y: axis(&self.y),
            marks: self.marks.only(language),
            rules: self.rules.iter().map(rule).collect(),
        }
    }
}

impl Marks {
    fn only(&self, language: Language) -> Self {
        let all = |words: &[Words]| words.iter().map(|words| words.only(language)).collect();
        let layers = |layers: &[Layer]| {
            let layer = |layer: &Layer| Layer { name: layer.name.only(language), ..layer.clone() };
            layers.iter().map(layer).collect()
        };
        let series = |series: &Series| Series {
            name: series.name.as_ref().map(|name| name.only(language)),
            ..series.clone()
        };
        match self {
            Self::Series(of) => Self::Series(of.iter().map(series).collect()),
            Self::Histogram(of) => Self::Histogram(Histogram {
                title: of.title.only(language),
                label: of.label.only(language),
                values: of.values.clone(),
                bins: of.bins,
            }),
            Self::Stacked(of) => Self::Stacked(layers(of)),
            Self::Bars(of) => {
                Self::Bars(Bars { groups: all(&of.groups), layers: layers(&of.layers) })
            }
            Self::Heat(of) => Self::Heat(Heat {
                columns: all(&of.columns),
                rows: all(&of.rows),
                label: of.label.only(language),
                ..of.clone()
            }),
            Self::Spans(of) => {
                Self::Spans(Spans { kinds: layers(&of.kinds), rows: of.rows.clone() })
            }
            Self::Table(of) => Self::Table(Table { head: all(&of.head), rows: of.rows.clone() }),
        }
    }
}
