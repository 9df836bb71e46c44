//! What share of the requests failed in each configuration, and why. Not drawn where none did.

use tokometer_record::{FailureKind, TimeoutPhase};

use super::super::bars::{self, Bar, Shown};
use super::super::names::Labels;
use super::super::notes::{Over, with};
use super::super::{SweepChart, sheet, words};
use crate::cases::{Case, sorted};
use crate::chinese;
use crate::figure::{Axes, Colour, Figure, Panel};
use crate::number::count;
use crate::words::Words;

pub(in super::super) const FAILURES: SweepChart = SweepChart {
    key: "failures",
    title: ("Requests that failed", "失败的请求"),
    about: (
        "The share of all requests that ended in each kind of failure. They count in no latency, so that latencies beside many failures flatter.",
        "各类失败占全部请求的比例。失败的请求不计入延迟，因此失败较多时延迟会显得偏低。",
    ),
    draw,
};

fn draw(cases: &[Case]) -> Option<Figure> {
    let all = sorted(cases);
    let failing: Vec<&Case> =
        all.iter().copied().filter(|case| case.failed_share().is_some()).collect();
    if failing.is_empty() {
        return None;
    }
    // Loads without a failure show where failures begin; of very many they would be all there is to see.
    let (shown, title) = match all.len() <= MOST_WITHOUT {
        true => (all, words(FAILURES.title)),
        false => {
            let (some, of) = (count(failing.len() as u64), count(all.len() as u64));
            let title = Words::both(
                format!(
                    "{} (in {some} of {of} configurations, which alone are shown)",
                    FAILURES.title.0
                ),
                format!("{}（{of} 种配置中有 {some} 种，仅显示这些配置）", FAILURES.title.1),
            );
            (failing, title)
        }
    };
    let kinds = kinds(&shown);
    let size = bars::size(shown.len(), 3.6);
    let name = Words::default();
    let labels = Labels::of(cases);
    let unnamed = shown.iter().any(|case| others(case, &kinds).is_some_and(|share| share > 0.0));
    let panel = |(row, of_row): (usize, &[&Case])| {
        panel(&bars::title(&name, &shown, row), &kinds, unnamed, (&labels, of_row))
    };
    let panels: Vec<Panel> = bars::rows(&shown).enumerate().filter_map(panel).collect();
    let title = with(title, &shown, Over::All, size.width);
    (!panels.is_empty())
        .then(|| Figure { axes: Axes::Shared, ..sheet::figure(title, panels, 1, size) })
}

/// The kinds of failures, the most frequent first.
fn kinds<'a>(cases: &[&'a Case]) -> Vec<&'a str> {
    let mut kinds: Vec<(&str, f64)> = Vec::new();
    for (key, count) in cases.iter().flat_map(|case| &case.figures) {
        let Some(kind) = key.strip_prefix(KIND).filter(|_| *count > 0.0) else { continue };
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, all)) => *all += count,
            None => kinds.push((kind, *count)),
        }
    }
    kinds.sort_by(|a, b| b.1.total_cmp(&a.1));
    kinds.into_iter().take(MOST_KINDS).map(|(kind, _)| kind).collect()
}

fn panel(title: &Words, kinds: &[&str], unnamed: bool, shown: Shown<'_>) -> Option<Panel> {
    let of_kind: Vec<Share<'_>> = kinds
        .iter()
        .map(|kind| {
            let share = move |case: &Case| Some(100.0 * told(case, kind) / sent(case)?);
            Box::new(share) as Share<'_>
        })
        .collect();
    let mut layers: Vec<Bar<'_>> = kinds
        .iter()
        .zip(&of_kind)
        .enumerate()
        .map(|(place, (kind, of))| Bar {
            name: named(kind),
            colour: Colour::Kind(COLOURS[place % COLOURS.len()]),
            of,
        })
        .collect();
    let rest = |case: &Case| others(case, kinds);
    if unnamed {
        let name = match kinds.is_empty() {
            true => words(("failed", "失败")),
            false => words(("other failures", "其他失败")),
        };
        layers.push(Bar { name, colour: Colour::Kind(6), of: &rest });
    }
    let y = words(("Share of all requests (%)", "占全部请求的比例 (%)"));
    bars::panel(title.clone(), y, shown, &layers)
}

/// A kind of failure as figures call it, in both languages. One that is not this program's own stands as it is.
fn named(kind: &str) -> Words {
    let known = KINDS.iter().find(|known| known.to_string() == kind);
    match known {
        Some(known) => Words::both(kind.to_owned(), chinese::failure(*known).into_owned()),
        None => kind.into(),
    }
}

/// A share of a case, in per cent.
type Share<'a> = Box<dyn Fn(&Case) -> Option<f64> + 'a>;

fn told(case: &Case, kind: &str) -> f64 {
    case.figure(&format!("{KIND}{kind}")).unwrap_or(0.0)
}

fn sent(case: &Case) -> Option<f64> {
    Some(case.figure("failed")? + case.figure("completed")?).filter(|sent| *sent > 0.0)
}

/// What share failed of which no kind is told, or a less frequent one.
fn others(case: &Case, kinds: &[&str]) -> Option<f64> {
    let known: f64 = kinds.iter().map(|kind| told(case, kind)).sum();
    let rest = (case.figure("failed")? - known).max(0.0);
    Some(100.0 * rest / sent(case)?)
}

const KIND: &str = "error_kinds.";

/// Every kind of failure that has words: statuses are told by their number in any language.
const KINDS: [FailureKind; 16] = [
    FailureKind::Dns,
    FailureKind::ConnectRefused,
    FailureKind::Connect,
    FailureKind::Tls,
    FailureKind::Timeout(TimeoutPhase::Connect),
    FailureKind::Timeout(TimeoutPhase::FirstByte),
    FailureKind::Timeout(TimeoutPhase::BetweenChunks),
    FailureKind::Timeout(TimeoutPhase::Total),
    FailureKind::Reset,
    FailureKind::ErrorEvent,
    FailureKind::TruncatedStream,
    FailureKind::EmptyStream,
    FailureKind::BadJson,
    FailureKind::Protocol,
    FailureKind::OutOfDescriptors,
    FailureKind::Cancelled,
];

/// So many kinds have bars of their own, the most frequent first.
const MOST_KINDS: usize = 5;

const COLOURS: [usize; 5] = [1, 4, 3, 5, 0];

/// Up to so many configurations all are shown, also those in which nothing failed.
const MOST_WITHOUT: usize = 36;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Language::Chinese;

    #[test]
    fn every_kind_of_failure_has_its_chinese_words_and_others_stand_as_they_are() {
        for kind in KINDS {
            assert_eq!(named(&kind.to_string()).told(Chinese), chinese::failure(kind));
        }
        assert_eq!(named("HTTP 503").told(Chinese), "HTTP 503");
    }
}
