//! What must be known before a chart is believed: stands under its title, in words, and only where it applies.

use crate::cases::{Case, MOST_FAILED};
use crate::number::{fixed, shortest};
use crate::prose::wrap;
use crate::words::{LANGUAGES, Language, Words};

use super::names::Labels;
use super::{Bilingual, curves, words};

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

/// A title with one more note below.
pub(super) fn under(title: &Words, note: &Words, width: f64) -> Words {
    let [english, chinese] = [0, 1].map(|place| {
        let language = LANGUAGES[place];
        let mut lines = vec![title.told(language).to_owned()];
        lines.extend(wrap(note.told(language), (width * COLUMNS_PER_INCH) as usize));
        lines.join("\n")
    });
    Words::both(english, chinese)
}

/// That these of all cases are on no curve, and which they are. `None` where every case is on one.
pub(super) fn on_no_curve(left: &[&Case], all: &[&Case]) -> Option<Words> {
    let labels = Labels::of(all.iter().copied());
    let [english, chinese] = [0, 1].map(|place| {
        let named = |case: &&Case| named(&labels, case, "", LANGUAGES[place]);
        list(&left.iter().map(named).collect::<Vec<Named>>(), LANGUAGES[place])
    });
    (!left.is_empty()).then(|| {
        Words::both(
            format!("Not shown, for one load makes no curve: {english}"),
            format!("仅有一个负载，无法成曲线，未画出： {chinese}"),
        )
    })
}

fn notes(cases: &[&Case], over: Over, language: Language) -> Vec<String> {
    let chinese = language == Language::Chinese;
    let labels = Labels::of(cases.iter().copied());
    let named = |case: &Case, said: &str, language| named(&labels, case, said, language);
    let mut notes = Vec::new();
    let limited: Vec<Named> = cases
        .iter()
        .filter(|case| case.client_limited)
        .map(|case| named(case, "", language))
        .collect();
    if !limited.is_empty() {
        let which = list(&limited, language);
        notes.push(match chinese {
            false => format!("× client-limited, figures are partly the client's own: {which}"),
            true => format!("× 受压测客户端限制，数据部分反映客户端自身： {which}"),
        });
    }
    let beside = |case: &&Case| -> Option<Named> {
        let tokens = |length: f64| shortest(length, 0);
        let said = match (case.beside_asked(), chinese) {
            ([None, None], _) => return None,
            ([Some(input), None], false) => format!(" {} in", tokens(input)),
            ([None, Some(output)], false) => format!(" {} out", tokens(output)),
            ([Some(input), Some(output)], false) => {
                format!(" {} in and {} out", tokens(input), tokens(output))
            }
            ([Some(input), None], true) => format!(" 输入 {}", tokens(input)),
            ([None, Some(output)], true) => format!(" 输出 {}", tokens(output)),
            ([Some(input), Some(output)], true) => {
                format!(" 输入 {} 输出 {}", tokens(input), tokens(output))
            }
        };
        Some(named(case, &said, language))
    };
    let beside: Vec<Named> = cases.iter().filter_map(beside).collect();
    if !beside.is_empty() {
        let which = list(&beside, language);
        notes.push(match chinese {
            false => format!("Mean tokens measured, more than 5 % from those asked for: {which}"),
            true => format!("实测平均令牌数与设定值相差超过 5 %： {which}"),
        });
    }
    let failing = |least: f64| -> Vec<Named> {
        let told = cases.iter().filter_map(|case| Some((case, case.failed_share()?)));
        told.filter(|(_, share)| *share > least)
            .map(|(case, share)| {
                let share = (100.0 * share).clamp(0.1, 100.0);
                named(case, &format!(" {} %", fixed(share, 1)), language)
            })
            .collect()
    };
    if over == Over::All {
        let failing = failing(MOST_FAILED);
        if !failing.is_empty() {
            let which = list(&failing, language);
            notes.push(match chinese {
                false => format!("† more than 1 % of requests failed: {which}"),
                true => format!("† 失败请求超过 1 %： {which}"),
            });
        }
        return notes;
    }
    let dagger = match cases.iter().any(|case| case.is_failing()) {
        true => (" († more than 1 %)", "（† 超过 1 %）"),
        false => ("", ""),
    };
    let failing = failing(0.0);
    if !failing.is_empty() {
        let which = list(&failing, language);
        notes.push(match chinese {
            false => {
                format!("Latencies are of successful requests only; failed{}: {which}", dagger.0)
            }
            true => format!("延迟仅统计成功的请求；失败比例{}： {which}", dagger.1),
        });
    }
    let few = |case: &&&Case| {
        case.figure("p99_ttft_ms").or(case.figure("p99_e2el_ms")).is_some()
            && case.figure("completed").is_some_and(|completed| completed < BORNE)
    };
    let few: Vec<Named> = cases.iter().filter(few).map(|case| named(case, "", language)).collect();
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

fn named(labels: &Labels<'_>, case: &Case, said: &str, language: Language) -> Named {
    (labels.row(case), format!("{}{said}", curves::load(case).told(language)))
}

/// `512x64 at mc64, mc128; 2048x128 at mc16 and 3 more`: the first few, and how many more.
fn list(names: &[Named], language: Language) -> String {
    let mut shown = String::new();
    let mut before = None;
    // Repetitions of one load are named once.
    let mut once = names.to_vec();
    once.dedup();
    let names = once.as_slice();
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
