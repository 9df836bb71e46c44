//! Throughputs in lines of a log: means over the time from the line before, which may reach back before the load.
//!
//! Deliberately no share of such a line is reckoned: nothing tells how its time was spread.

use std::time::Duration;

use tokometer_record::{Offset, Signal};

use super::Heard;
use super::heard::{Gauged, Load, Source, usual_gap};

/// The gauges without throughputs whose time reaches back before the load.
pub(super) fn of_the_load(heard: &Heard<'_>, load: Load) -> Vec<Gauged> {
    let mut gauged = heard.gauged.clone();
    for signal in THROUGHPUTS {
        let told: Vec<Vec<Offset>> =
            heard.sources.iter().map(|source| told(source, signal)).collect();
        for (hearing, gauged) in heard.hearings.iter().zip(&mut gauged) {
            let telling = hearing.readings.iter().filter(|(_, r)| r.values.contains_key(&signal));
            let mut reaching = telling.filter(|&&(place, reading)| {
                let since_the_beginning = reading.at - load.begin;
                taken(&told[place], reading.at).is_some_and(|taken| taken > since_the_beginning)
            });
            if reaching.next().is_some() {
                gauged.values.remove(&signal);
            }
        }
    }
    gauged
}

/// The time that a throughput in a line usually is the mean of.
pub(super) fn every(heard: &Heard<'_>) -> Option<Duration> {
    let gaps = |signal| heard.sources.iter().find_map(move |s| usual_gap(&told(s, signal)));
    THROUGHPUTS.into_iter().find_map(gaps)
}

/// When a source told of it.
fn told(source: &Source<'_>, signal: Signal) -> Vec<Offset> {
    let telling = source.readings.iter().filter(|reading| reading.values.contains_key(&signal));
    telling.map(|reading| reading.at).collect()
}

/// The time that what was told at a moment is the mean of: since it was told before, and no more than usual, for an idle server
/// may write nothing. `None` where it was told once.
fn taken(told: &[Offset], at: Offset) -> Option<Duration> {
    let usual = usual_gap(told)?;
    let before = told.iter().rev().find(|&&before| before < at);
    Some(before.map_or(usual, |&before| usual.min(at - before)))
}

const THROUGHPUTS: [Signal; 4] = [
    Signal::PromptThroughput,
    Signal::GenerationThroughput,
    Signal::AcceptedThroughput,
    Signal::DraftedThroughput,
];
