//! Each of several servers for itself: how busy it was, and how much of the work it did.
//!
//! Deliberately no judgement of what is uneven: that is for whoever set up what shares the load out.

use tokometer_metrics::ServerSide;
use tokometer_metrics::server::Level;

use super::LONGEST_NAME;
use crate::grid::{Column, outline};
use crate::number::{fixed, shortest};
use crate::prose::quoted;

/// A line for each. Empty unless there are several.
pub(super) fn each(side: &ServerSide) -> String {
    if side.each.is_empty() {
        return String::new();
    }
    let rows: Vec<Vec<String>> = side
        .each
        .iter()
        .map(|server| {
            vec![
                quoted(&server.source, LONGEST_NAME),
                gauge(server.running.as_ref()),
                gauge(server.waiting.as_ref()),
                server.generation.map_or_else(none, |rate| format!("{} tok/s", shortest(rate, 1))),
                server.share.map_or_else(none, |share| format!("{} %", fixed(100.0 * share, 1))),
            ]
        })
        .collect();
    let columns = [
        Column::left("Server"),
        Column::right("Running"),
        Column::right("Waiting"),
        Column::right("Generation"),
        Column::right("Of all tokens"),
    ];
    format!("Each server for itself:\n{}", outline(&columns, &rows))
}

/// `23.4, at most 24`.
fn gauge(level: Option<&Level>) -> String {
    level.map_or_else(none, |level| {
        let [mean, max] = [level.mean, level.max].map(|value| shortest(value, 1));
        if mean == max { mean } else { format!("{mean}, at most {max}") }
    })
}

fn none() -> String {
    "–".to_owned()
}

#[cfg(test)]
mod tests {
    use tokometer_metrics::server::SourceUse;

    use super::*;

    #[test]
    fn an_idle_replica_is_seen() {
        let level = |mean, max| Some(Level { mean, max, ..Level::default() });
        let server = |source: &str, running, generation, share| SourceUse {
            source: source.to_owned(),
            running,
            waiting: None,
            generation: Some(generation),
            share: Some(share),
        };
        let side = ServerSide {
            each: vec![
                server("http://a:8000/metrics", level(23.4, 24.0), 987.65, 1.0),
                server("http://b:8000/metrics", level(0.0, 0.0), 0.0, 0.0),
            ],
            ..ServerSide::default()
        };
        insta::assert_snapshot!(each(&side));
        assert_eq!(each(&ServerSide::default()), "");
    }
}
