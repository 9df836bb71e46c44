//! The service's own side over time: its moments, and of many the means of as many as make a short table.
//!
//! A peak is flattened by a mean; it stands in the table above, with its moment, and every moment is in the JSON.

use tokometer_metrics::ServerSide;
use tokometer_metrics::server::Moment;
use tokometer_record::Offset;

use crate::grid::{Column, outline};
use crate::number::{count, fixed, plural, shortest};
use crate::prose::paragraph;

/// The moments of a point that began then, in at most [`MOST`] lines. Empty without any.
pub(super) fn table(side: &ServerSide, began: Offset) -> String {
    let told = |figure: &&Figure| side.moments.iter().any(|moment| (figure.of)(moment).is_some());
    let figures: Vec<&Figure> = FIGURES.iter().filter(told).collect();
    if figures.is_empty() {
        return String::new();
    }
    let mut columns = vec![Column::right("Until (s)")];
    columns.extend(figures.iter().map(|figure| Column::right(figure.heading)));
    let together = side.moments.len().div_ceil(MOST).max(1);
    let rows: Vec<Vec<String>> = side
        .moments
        .chunks(together)
        .map(|moments| {
            let until = moments.last().map_or(0.0, |moment| moment.at);
            let cells = figures.iter().map(|figure| figure.shown(moments));
            std::iter::once(fixed(began.as_secs_f64() + until, 1)).chain(cells).collect()
        })
        .collect();
    let moments = plural(side.moments.len() as u64, "moment", "moments");
    let summed = figures.iter().filter(|figure| figure.together == Together::Sum);
    let summed: Vec<String> = summed.map(|figure| figure.heading.to_lowercase()).collect();
    let sums = match summed.is_empty() {
        true => String::new(),
        false => format!(", {}: their sum", summed.join(", ")),
    };
    let heading = match together {
        1 => format!("Over time, in seconds since the run began ({moments})"),
        _ => format!(
            "Over time, in seconds since the run began (means of {} moments a line{sums}, of {moments}; all are in summary.json)",
            count(together as u64)
        ),
    };
    paragraph("", &format!("{heading}:")) + &outline(&columns, &rows)
}

struct Figure {
    heading: &'static str,
    decimals: usize,
    together: Together,
    of: fn(&Moment) -> Option<f64>,
}

/// How several moments make one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Together {
    Mean,
    Sum,
}

impl Figure {
    const fn mean(heading: &'static str, decimals: usize, of: fn(&Moment) -> Option<f64>) -> Self {
        Self { heading, decimals, together: Together::Mean, of }
    }

    fn shown(&self, moments: &[Moment]) -> String {
        let values: Vec<f64> = moments.iter().filter_map(self.of).collect();
        if values.is_empty() {
            return "–".to_owned();
        }
        let sum: f64 = values.iter().sum();
        let value = match self.together {
            Together::Mean => sum / values.len() as f64,
            Together::Sum => sum,
        };
        shortest(value, self.decimals)
    }
}

const FIGURES: &[Figure] = &[
    Figure::mean("Running", 1, |moment| moment.running),
    Figure::mean("Waiting", 1, |moment| moment.waiting),
    Figure::mean("KV cache (%)", 1, |moment| Some(100.0 * moment.kv_usage?)),
    Figure::mean("Prompt (tok/s)", 0, |moment| moment.prompt_throughput),
    Figure::mean("Output (tok/s)", 0, |moment| moment.generation_throughput),
    Figure {
        heading: "Preempted",
        decimals: 0,
        together: Together::Sum,
        of: |moment| moment.preemptions,
    },
    Figure::mean("Prefix hits (%)", 1, |moment| Some(100.0 * moment.prefix_hit_rate?)),
];

/// So many lines are shown.
const MOST: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_moments_become_few_lines_and_nothing_that_was_counted_is_lost() {
        let moment = |at: i32| Moment {
            at: f64::from(at),
            waiting: Some(f64::from(at % 2) * 10.0),
            preemptions: Some(1.0),
            ..Moment::default()
        };
        let side = ServerSide { moments: (0..96).map(moment).collect(), ..ServerSide::default() };
        let text = table(&side, Offset::ZERO);
        let lines: Vec<&str> = text.lines().filter(|line| line.contains(" 5 │")).collect();
        assert_eq!(lines.len(), 12, "{text}");
        assert!(lines.iter().all(|line| line.ends_with("│         8 │")), "{text}");
        assert!(lines[11].starts_with("│      95.0 │"), "{text}");
        assert!(text.contains("(means of 8 moments a line, preempted: their sum, of 96"), "{text}");
    }

    #[test]
    fn what_was_never_told_has_no_column() {
        let moments = vec![Moment { at: 1.0, running: Some(3.0), ..Moment::default() }];
        let side = ServerSide { moments, ..ServerSide::default() };
        insta::assert_snapshot!(table(&side, Offset::ZERO), @"
        Over time, in seconds since the run began (1 moment):
        ┌───────────┬─────────┐
        │ Until (s) │ Running │
        ├───────────┼─────────┤
        │       1.0 │       3 │
        └───────────┴─────────┘
        ");
        assert_eq!(table(&ServerSide::default(), Offset::ZERO), "");
    }
}
