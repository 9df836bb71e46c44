//! Each of several servers for itself, so that one that does nothing is seen.

use super::growth::Growth;
use super::heard::{Gauged, Hearing, Load, Source};
use super::{Level, SourceUse, counted_seconds, levels, throughput};

/// Empty of fewer than two sources. Counters of those in `counting` alone are followed.
pub(super) fn each(sources: &[Source<'_>], counting: &[bool], load: Load) -> Vec<SourceUse> {
    if sources.len() < 2 {
        return Vec::new();
    }
    let mut uses: Vec<(SourceUse, Option<f64>)> = Vec::new();
    for (source, &counts) in sources.iter().zip(counting) {
        let alone = std::slice::from_ref(source);
        let gauged = Gauged::all(alone, &Hearing::all(alone));
        let levels = levels::levels(&gauged, load);
        let level = |signal| levels.get(&signal).copied();
        let growth = Growth::of(alone.iter().filter(|_| counts), load);
        let seconds = counted_seconds(&growth, load);
        let generation = throughput(&growth, seconds).map(|through| through.generation);
        let running: Option<Level> = level(tokometer_record::Signal::Running);
        let waiting: Option<Level> = level(tokometer_record::Signal::Waiting);
        let name = source.name.to_owned();
        let told = SourceUse { source: name, running, waiting, generation, share: None };
        uses.push((told, generation.map(|rate| rate * seconds)));
    }
    let all: f64 = uses.iter().filter_map(|(_, tokens)| *tokens).sum();
    let share = |tokens: Option<f64>| tokens.filter(|_| all > 0.0).map(|tokens| tokens / all);
    uses.into_iter().map(|(told, tokens)| SourceUse { share: share(tokens), ..told }).collect()
}
