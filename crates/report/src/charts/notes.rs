//! What must be known before a chart is believed: stands under its title, in words, and only where it applies.

use crate::cases::Case;
use crate::number::fixed;
use crate::prose::wrap;
use crate::words::{LANGUAGES, Language, Words};

use super::{Bilingual, words};

/// What a chart's figures depend on, beside the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// Latencies: only requests that succeeded have them.
    Latencies,
    /// Latencies, their 99th percentile among them, which takes 100 requests to be anything but the slowest.
    Tails,
    /// Anything else.
    All,
}

/// The title of a chart of these cases, `width` inches wide, and under it what must be known of them.
pub(super) fn titled(title: Bilingual, cases: &[&Case], over: Over, width: f64) -> Words {
    with(words(title), cases, over, width)
}

/// As [`titled`], with a title that is made.
pub(super) fn with(title: Words, cases: &[&Case], over: Over, width: f64) -> Words {
    let [english, chinese] = [0, 1].map(|place| {
        let language = LANGUAGES[place];
        let mut lines = vec![title.told(language).to_owned()];
        for note in notes(cases, over, language) {
            lines.extend(wrap(&note, (width * COLUMNS_PER_INCH) as usize));
        }
        lines.join("\n")
    });
    Words::both(english, chinese)
}

fn notes(cases: &[&Case], over: Over, language: Language) -> Vec<String> {
    let chinese = language == Language::Chinese;
    let mut notes = Vec::new();
    let limited: Vec<Named> =
        cases.iter().filter(|case| case.client_limited).map(|case| named(case, "")).collect();
    if !limited.is_empty() {
        let which = list(&limited, language);
        notes.push(match chinese {
            false => format!("× client-limited, figures are partly the client's own: {which}"),
            true => format!("× 受压测客户端限制，数据部分反映客户端自身： {which}"),
        });
    }
    if over == Over::All {
        return notes;
    }
    let failing: Vec<Named> = cases
        .iter()
        .filter_map(|case| {
            let share = (100.0 * case.failed_share()?).clamp(0.1, 100.0);
            Some(named(case, &format!(" {} %", fixed(share, 1))))
        })
        .collect();
    if !failing.is_empty() {
        let which = list(&failing, language);
        notes.push(match chinese {
            false => format!("Latencies are of successful requests only; failed: {which}"),
            true => format!("延迟仅统计成功的请求；失败比例： {which}"),
        });
    }
    let few = |case: &&&Case| {
        case.figure("p99_ttft_ms").or(case.figure("p99_e2el_ms")).is_some()
            && case.figure("completed").is_some_and(|completed| completed < BORNE)
    };
    let few: Vec<Named> = cases.iter().filter(few).map(|case| named(case, "")).collect();
    if over == Over::Tails && !few.is_empty() {
        let which = if few.len() == cases.len() { None } else { Some(list(&few, language)) };
        notes.push(match (chinese, which) {
            (false, None) => {
                "Fewer than 100 requests each: a P99 is hardly more than the slowest request"
                    .to_owned()
            }
            (true, None) => "各测试点的请求均少于 100 个： P99 基本等于最慢的请求".to_owned(),
            (false, Some(which)) => format!(
                "Fewer than 100 requests, so that a P99 is hardly more than the slowest: {which}"
            ),
            (true, Some(which)) => format!("请求少于 100 个， P99 基本等于最慢的请求： {which}"),
        });
    }
    notes
}

/// A case by its lengths and its load, and what is said of it.
type Named = (String, String);

fn named(case: &Case, said: &str) -> Named {
    let label = case.label();
    let (lengths, load) = label.split_once('_').unwrap_or(("", &label));
    (lengths.to_owned(), format!("{load}{said}"))
}

/// `512x64 at mc64, mc128; 2048x128 at mc16 and 3 more`: the first few, and how many more.
fn list(names: &[Named], language: Language) -> String {
    let mut shown = String::new();
    let mut before = None;
    for (lengths, load) in names.iter().take(MOST_NAMED) {
        let (gap, at) = match (before, language) {
            (Some(before), _) if before == lengths => (", ", String::new()),
            (before, Language::English) => {
                (if before.is_some() { "; " } else { "" }, format!("{lengths} at "))
            }
            (before, Language::Chinese) => {
                (if before.is_some() { "; " } else { "" }, format!("{lengths} "))
            }
        };
        shown.push_str(gap);
        shown.push_str(&at);
        shown.push_str(load);
        before = Some(lengths);
    }
    match (names.len().saturating_sub(MOST_NAMED), language) {
        (0, _) => shown,
        (more, Language::English) => format!("{shown} and {more} more"),
        (more, Language::Chinese) => format!("{shown} 等，另有 {more} 个"),
    }
}

/// So many are named.
const MOST_NAMED: usize = 12;

/// A P99 of fewer requests is their slowest.
const BORNE: f64 = 100.0;

/// Letters of a title that fit into an inch.
const COLUMNS_PER_INCH: f64 = 11.0;
