//! The service's own side over time: some of its moments, evenly spread.
//!
//! Deliberately a choice of moments as they are, and no means of several: a peak between two of them is in the table above it, and every
//! moment in the JSON.

use tokometer_metrics::ServerSide;
use tokometer_metrics::server::Moment;
use tokometer_record::Offset;

use crate::grid::{Column, outline};
use crate::number::{count, fixed, plural, shortest};

/// At most [`MOST`] moments as a table, of a point that began then. Empty without any.
pub(super) fn table(side: &ServerSide, began: Offset) -> String {
    let moments = chosen(&side.moments);
    let figures: Vec<&Figure> = FIGURES
        .iter()
        .filter(|figure| side.moments.iter().any(|m| (figure.of)(m).is_some()))
        .collect();
    if moments.is_empty() || figures.is_empty() {
        return String::new();
    }
    let mut columns = vec![Column::right("At (s)")];
    columns.extend(figures.iter().map(|figure| Column::right(figure.heading)));
    let rows: Vec<Vec<String>> = moments
        .iter()
        .map(|moment| {
            let at = fixed(began.as_secs_f64() + moment.at, 1);
            let cells = figures.iter().map(|figure| {
                (figure.of)(moment)
                    .map_or_else(|| "–".to_owned(), |value| shortest(value, figure.decimals))
            });
            std::iter::once(at).chain(cells).collect()
        })
        .collect();
    let shown = match moments.len() == side.moments.len() {
        true => plural(moments.len() as u64, "moment", "moments"),
        false => format!(
            "{} of {} moments; all are in summary.json",
            moments.len(),
            count(side.moments.len() as u64)
        ),
    };
    format!("Over time ({shown}):\n{}", outline(&columns, &rows))
}

/// The first, the last, and as many between them as there is room for.
fn chosen(moments: &[Moment]) -> Vec<&Moment> {
    let last = moments.len().saturating_sub(1);
    if moments.len() <= MOST {
        return moments.iter().collect();
    }
    (0..MOST).filter_map(|index| moments.get(index * last / (MOST - 1))).collect()
}

struct Figure {
    heading: &'static str,
    decimals: usize,
    of: fn(&Moment) -> Option<f64>,
}

const FIGURES: &[Figure] = &[
    Figure { heading: "Running", decimals: 0, of: |moment| moment.running },
    Figure { heading: "Waiting", decimals: 0, of: |moment| moment.waiting },
    Figure { heading: "KV cache (%)", decimals: 1, of: |moment| Some(100.0 * moment.kv_usage?) },
    Figure { heading: "Prompt (tok/s)", decimals: 0, of: |moment| moment.prompt_throughput },
    Figure { heading: "Output (tok/s)", decimals: 0, of: |moment| moment.generation_throughput },
    Figure { heading: "Preempted", decimals: 0, of: |moment| moment.preemptions },
    Figure {
        heading: "Prefix hits (%)",
        decimals: 1,
        of: |moment| Some(100.0 * moment.prefix_hit_rate?),
    },
];

/// So many moments are shown.
const MOST: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_moments_the_first_the_last_and_some_between_are_shown() {
        let at = |at: i32| Moment { at: f64::from(at), ..Moment::default() };
        let moments: Vec<Moment> = (0..100).map(at).collect();
        let shown: Vec<f64> = chosen(&moments).iter().map(|moment| moment.at).collect();
        assert_eq!((shown.len(), shown[0], shown[11]), (12, 0.0, 99.0));
        assert!(shown.windows(2).all(|pair| pair[0] < pair[1]), "{shown:?}");
        assert_eq!(chosen(&moments[..3]).len(), 3);
        assert!(chosen(&[]).is_empty());
    }
}
