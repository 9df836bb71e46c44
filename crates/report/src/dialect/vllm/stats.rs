//! The figure of `--plot-dataset-stats`: how long prompts, outputs and both together were, and the requests one by one.
//!
//! Lengths of outputs are those of successes: a failed request has a prompt and no output, as in vLLM's figure.

use std::io;
use std::path::Path;

use super::case::Case;
use super::requests::{in_order, input_len, output_len};
use crate::figure::{Axis, Figure, Histogram, Layer, Look, Marks, Panel, Size, histograms};

/// Draws the figure into a file.
pub(super) fn draw(case: &Case<'_>, path: &Path) -> io::Result<()> {
    figure(case).save(path)
}

fn figure(case: &Case<'_>) -> Figure {
    let records = in_order(&case.run);
    let prompts: Vec<f64> = records.iter().map(|record| f64::from(input_len(record))).collect();
    let outputs: Vec<f64> = records.iter().map(|record| f64::from(output_len(record))).collect();
    let totals: Vec<f64> = prompts.iter().zip(&outputs).map(|(p, o)| p + o).collect();
    let histogram = |title: &str, label: &str, values: &[f64]| Histogram {
        title: title.into(),
        label: label.into(),
        values: values.to_vec(),
        bins: BINS,
    };
    let three = [
        histogram("Prompt tokens", "Tokens", &prompts),
        histogram("Output tokens", "Tokens", &outputs),
        histogram("Prompt and output tokens", "Tokens", &totals),
    ];
    let mut figure = histograms(&three, Size { width: 14.0, height: 10.0 }, DPI);
    figure.panels.push(bars(&prompts, &outputs));
    figure
}

/// A bar a request; of very many, a bar for each group of neighbours, as high as they are on average.
fn bars(prompts: &[f64], outputs: &[f64]) -> Panel {
    let group = prompts.len().div_ceil(MOST_BARS).max(1);
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let layer = |name: &str, kind, values: &[f64]| Layer {
        name: name.into(),
        look: Look::kind(kind),
        heights: values.chunks(group).map(mean).collect(),
    };
    let label = match group {
        1 => "Request".to_owned(),
        several => format!("Group of {several} requests, their mean"),
    };
    Panel {
        title: "Tokens of each request".into(),
        x: Axis::linear(&label),
        y: Axis::linear("Tokens"),
        marks: Marks::Stacked(vec![layer("Prompt", 0, prompts), layer("Output", 1, outputs)]),
        rules: Vec::new(),
    }
}

const BINS: usize = 30;
const DPI: u32 = 150;

/// More bars than this are thinner than a pixel.
const MOST_BARS: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn very_many_requests_are_grouped() {
        let values: Vec<f64> = (0..2_500).map(f64::from).collect();
        let panel = bars(&values, &values);
        let Marks::Stacked(layers) = &panel.marks else { panic!("{panel:?}") };
        assert_eq!((layers[0].heights.len(), layers[0].heights[0]), (834, 1.0));
        assert_eq!(panel.x.label, "Group of 3 requests, their mean".into());
    }

    #[test]
    fn few_requests_have_a_bar_each() {
        let panel = bars(&[3.0, 4.0], &[1.0, 0.0]);
        let Marks::Stacked(layers) = &panel.marks else { panic!("{panel:?}") };
        assert_eq!(layers[1].heights, [1.0, 0.0]);
    }
}
