//! The entries of a figure's legend: each name once, over all of its panels.

use serde_json::{Value, json};

use super::colours::Themed;
use super::text;
use crate::figure::{Figure, Look, Marks};
use crate::words::Words;

/// An entry.
#[derive(Clone, Debug)]
pub(super) struct Key {
    name: Words,
    look: Look,
    filled: bool,
}

impl Key {
    pub(super) fn value(&self) -> Value {
        json!({
            "name": text(&self.name),
            "color": Themed::role(self.look.colour).value(),
            "dash": self.look.dash.lengths(),
            "line": self.look.is_joined(),
            "symbol": super::series::symbol(self.look.marker),
            "filled": self.filled,
        })
    }
}

/// Every name of a figure, as they first come.
pub(super) fn keys(figure: &Figure) -> Vec<Key> {
    let mut keys: Vec<Key> = Vec::new();
    let mut add = |name: &Words, look: Look, filled: bool| {
        if !keys.iter().any(|key| key.name == *name) {
            keys.push(Key { name: name.clone(), look, filled });
        }
    };
    for panel in &figure.panels {
        match &panel.marks {
            Marks::Series(series) => {
                for series in series {
                    if let Some(name) = &series.name {
                        add(name, series.look, false);
                    }
                }
            }
            Marks::Stacked(layers) => {
                layers.iter().for_each(|layer| add(&layer.name, layer.look, true));
            }
            Marks::Bars(bars) => {
                bars.layers.iter().for_each(|layer| add(&layer.name, layer.look, true));
            }
            Marks::Spans(spans) => {
                spans.kinds.iter().for_each(|layer| add(&layer.name, layer.look, true));
            }
            Marks::Histogram(_) | Marks::Heat(_) | Marks::Table(_) => {}
        }
    }
    keys
}

/// Which entry a name is.
pub(super) fn at(keys: &[Key], name: &Words) -> Option<usize> {
    keys.iter().position(|key| key.name == *name)
}
