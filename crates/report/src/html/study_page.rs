//! The page of a study: what was tested and the verdict, findings, the sweep, each point, configuration, environment.

use std::cmp::Ordering;

use tokometer_metrics::diagnosis::{Finding, RULES, SWEEP_RULES};
use tokometer_metrics::verdict::Verdict;

use super::body::{Body, Found};
use super::shell::{Page, State};
use super::{names, point, setup, sweep};
use crate::cases::Case;
use crate::chinese;
use crate::grid::Tone;
use crate::number::plural;
use crate::prose::quoted;
use crate::study::{Studied, StudiedPoint, Study};
use crate::words::Language::{Chinese, English};
use crate::words::Words;

/// A point in its place on the page.
#[derive(Clone, Debug)]
pub(super) struct Placed<'a> {
    /// Which of the study's runs it belongs to.
    pub(super) run: usize,
    pub(super) point: &'a StudiedPoint,
    /// The section that tells of it.
    pub(super) id: String,
    /// What it is called.
    pub(super) name: Words,
    case: Case,
}

/// The page.
pub(super) fn of(study: &Study) -> Page {
    let places = placed(study);
    let cases = sorted_cases(&places, &study.others);
    let (tone, verdict) = verdict(&places);
    let mut page = Page::new(title(study));
    for line in about(study, &places) {
        page = page.about(line);
    }
    page = page.verdict(tone, verdict);
    page = page.section("findings", Words::fixed("Findings", "发现"), findings(study, &places));
    if places.len() + study.others.len() > 1 {
        let body = sweep::body(&places, &study.others, &cases);
        page = page.section("sweep", Words::fixed("The sweep", "负载扫描"), body);
    }
    for (at, placed) in places.iter().enumerate() {
        let header = &study.runs[placed.run].header;
        let open = places.len() <= OPEN || at == 0;
        let state = if open { State::Open } else { State::Folded };
        page = page.foldable(&placed.id, &placed.name, point::body(header, placed.point), state);
    }
    let named = |run: usize| run_name(study, run);
    page.section(
        "configuration",
        Words::fixed("Configuration", "配置"),
        setup::configuration(study, named),
    )
    .section("environment", Words::fixed("Environment", "环境"), setup::environment(study))
}

fn title(study: &Study) -> Words {
    let mut models: Vec<&str> = study.runs.iter().map(|run| run.header.model.as_str()).collect();
    models.extend(study.others.iter().map(|case| case.group.as_str()));
    models.sort_unstable();
    models.dedup();
    match models.as_slice() {
        [] => Words::fixed("Load test", "压测报告"),
        [only] => {
            let model = quoted(only, LONGEST_NAME);
            Words::both(format!("Load test of {model}"), format!("{model} 压测报告"))
        }
        several => Words::both(
            format!("Load tests of {} models", several.len()),
            format!("{} 个模型的压测报告", several.len()),
        ),
    }
}

/// What was tested, a line or two.
fn about(study: &Study, places: &[Placed<'_>]) -> Vec<Words> {
    let mut lines = Vec::new();
    if let [only] = study.runs.as_slice() {
        let header = &only.header;
        let told = [&header.url, &header.dataset, &header.began];
        let told: Vec<String> = told
            .into_iter()
            .filter(|text| !text.is_empty())
            .map(|text| quoted(text, LONGEST_NAME))
            .collect();
        lines.push(told.join(" · ").into());
    }
    let (runs, points) = (study.runs.len(), places.len());
    let requests: u64 = places.iter().map(|placed| placed.point.summary.counts.measured).sum();
    let requests = crate::number::count(requests);
    let others = match study.others.len() {
        0 => Words::default(),
        others => Words::both(
            format!(", and {} without a log", plural(others as u64, "result", "results")),
            format!("，另有 {others} 份无日志的结果"),
        ),
    };
    lines.push(Words::both(
        format!(
            "{}, {}, {requests} requests{}",
            plural(runs as u64, "run", "runs"),
            plural(points as u64, "point", "points"),
            others.told(English)
        ),
        format!("{runs} 次运行，{points} 个负载点，{requests} 个请求{}", others.told(Chinese)),
    ));
    if study.runs.iter().any(|run| !run.complete) {
        lines.push(Words::fixed(
            "Not complete: a run was interrupted, killed, or still goes on. What had ended by then is here.",
            "不完整：有运行被中断、被终止或仍在进行。此处为当时已结束的部分。",
        ));
    }
    lines
}

/// The verdict over all points in which a request ended.
fn verdict(places: &[Placed<'_>]) -> (Tone, Words) {
    let measured: Vec<&Verdict> = places
        .iter()
        .map(|placed| &placed.point.summary)
        .filter(|summary| summary.counts.measured > 0)
        .map(|summary| &summary.verdict)
        .collect();
    let all = measured.len();
    let limited = measured.iter().filter(|verdict| verdict.is_client_limited()).count();
    let doubted = measured.iter().filter(|verdict| verdict.doubt().is_some()).count();
    if all == 0 {
        return (
            Tone::Fair,
            Words::fixed(
                "! Not judged: no request ended in a run with a log.",
                "! 未判定：没有带日志的请求结束。",
            ),
        );
    }
    let at = |some: usize| match (all, some) {
        (1, _) => Words::both(String::new(), String::new()),
        (all, some) if all == some => {
            Words::both(format!(" at all {all} points"), format!("（全部 {all} 个负载点）"))
        }
        _ => Words::both(
            format!(" at {some} of {all} points"),
            format!("（{all} 个负载点中的 {some} 个）"),
        ),
    };
    if limited > 0 {
        let at = at(limited);
        return (
            Tone::Poor,
            Words::both(
                format!(
                    "✗ CLIENT-LIMITED{}: figures there are partly the client's own, not the server's.",
                    at.told(English)
                ),
                format!(
                    "✗ 受客户端限制{}：其数值有一部分是客户端自身造成的，不全是服务端的表现。",
                    at.told(Chinese)
                ),
            ),
        );
    }
    if doubted > 0 {
        let at = at(doubted);
        return (
            Tone::Fair,
            Words::both(
                format!(
                    "! Not judged{}: there was nothing to judge the client by.",
                    at.told(English)
                ),
                format!("! 未判定{}：缺少判断客户端的依据。", at.told(Chinese)),
            ),
        );
    }
    let at = at(all);
    (
        Tone::Good,
        Words::both(
            format!(
                "✓ Valid: the client kept up{}; the figures are the server's.",
                at.told(English)
            ),
            format!("✓ 有效{}：客户端跟得上，数值是服务端的表现。", at.told(Chinese)),
        ),
    )
}

/// A finding that points share, told by the run where it is worst.
#[derive(Debug)]
struct Shared<'a> {
    run: usize,
    finding: &'a Finding,
    /// What each point is called, and its section.
    at: Vec<(Words, String)>,
}

/// What is wrong or limits it, each rule once, the worst first, whatever run it was found in.
fn findings(study: &Study, places: &[Placed<'_>]) -> Body {
    let mut worst: Vec<Shared<'_>> = Vec::new();
    for (run, studied) in study.runs.iter().enumerate() {
        for finding in &studied.findings {
            let place = |index: &usize| {
                let is_it = |placed: &&Placed<'_>| {
                    placed.run == run && placed.point.summary.point.index == *index
                };
                places.iter().find(is_it).map(|placed| (placed.name.clone(), placed.id.clone()))
            };
            let at = finding.points.iter().filter_map(place);
            match worst.iter_mut().find(|known| known.finding.rule == finding.rule) {
                None => worst.push(Shared { run, finding, at: at.collect() }),
                Some(known) => {
                    known.at.extend(at);
                    let weight = |finding: &Finding| (finding.severity, finding.sureness);
                    if weight(finding) < weight(known.finding) {
                        (known.run, known.finding) = (run, finding);
                    }
                }
            }
        }
    }
    if worst.is_empty() {
        return Body::new().note(
            Tone::Good,
            Words::fixed(
                "None: nothing in the facts of these runs speaks against their figures.",
                "无：这些运行的数据中没有任何迹象与其数值相悖。",
            ),
        );
    }
    worst.sort_by_key(|shared| (shared.finding.severity, shared.finding.sureness));
    let several = study.runs.len() > 1;
    let told = worst.into_iter().map(|Shared { run, finding, at }| {
        let mut found = found(finding);
        if several {
            let name = run_name(study, run);
            found.what = format!("{} ({})", finding.what, name.told(English)).into();
        }
        Found { at, ..found }
    });
    Body::new().findings(told.collect())
}

/// A finding, told with its evidence.
pub(super) fn found(finding: &Finding) -> Found {
    let about = RULES
        .iter()
        .map(|rule| (rule.key, rule.about))
        .chain(SWEEP_RULES.iter().map(|rule| (rule.key, rule.about)))
        .find(|(key, _)| *key == finding.rule)
        .map(|(_, about)| capital(about));
    let chinese = chinese::rule(finding.rule);
    let title = match (about, chinese) {
        (Some(about), Some(chinese)) => Some(Words::both(about, chinese.about)),
        (Some(about), None) => Some(about.into()),
        (None, _) => None,
    };
    let evidence = finding.evidence.iter().map(|evidence| {
        let fact = quoted(&evidence.fact, LONGEST_FACT);
        match evidence.at {
            Some(at) => {
                format!("{fact} (at {} s)", crate::number::fixed(at.as_secs_f64(), 1)).into()
            }
            None => fact.into(),
        }
    });
    Found {
        severity: finding.severity,
        sureness: finding.sureness,
        title,
        what: quoted(&finding.what, LONGEST_FACT).into(),
        evidence: evidence.collect(),
        next: quoted(&finding.next, LONGEST_FACT).into(),
        general: chinese.map(|chinese| Words::both("", chinese.advice)),
        at: Vec::new(),
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Every point under a name that no other has, sorted by number: model, lengths, load.
fn placed(study: &Study) -> Vec<Placed<'_>> {
    let several = study.runs.len() > 1;
    let models: Vec<&str> = study.runs.iter().map(|run| run.header.model.as_str()).collect();
    let one_model = models.iter().all(|model| Some(model) == models.first());
    let mut places: Vec<Placed<'_>> = Vec::new();
    for (run, studied) in study.runs.iter().enumerate() {
        for point in &studied.points {
            let case = Case::of_point(&studied.header, &point.summary);
            let load = names::load(&point.summary.point);
            let name = match several {
                false => load,
                true => in_full(&case, &load, one_model),
            };
            let id = format!("point-{}-{}", run + 1, point.summary.point.index + 1);
            places.push(Placed { run, point, id, name, case });
        }
    }
    places.sort_by(|a, b| by_number(&a.case, &b.case));
    distinguish(&mut places, study);
    places
}

/// `512 × 128 tokens, concurrency 8`, with the model where there are several.
fn in_full(case: &Case, load: &Words, one_model: bool) -> Words {
    let lengths = match (case.input_len, case.output_len) {
        (Some(input), Some(output)) => format!("{input:.0} × {output:.0}"),
        _ => String::new(),
    };
    let model = if one_model { String::new() } else { quoted(&case.group, LONGEST_NAME) };
    let told = |load: &str| {
        let parts = [model.as_str(), lengths.as_str(), load];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
    };
    Words::both(told(load.told(English)), told(load.told(Chinese)))
}

/// Has points of one name bear the names of their runs too.
fn distinguish(places: &mut [Placed<'_>], study: &Study) {
    let names: Vec<Words> = places.iter().map(|placed| placed.name.clone()).collect();
    for placed in places {
        if names.iter().filter(|name| **name == placed.name).count() > 1 {
            let run = run_name(study, placed.run);
            let told =
                |language| format!("{} · {}", placed.name.told(language), run.told(language));
            placed.name = Words::both(told(English), told(Chinese));
        }
    }
}

/// A run by as much of the end of its folder's path as no other run shares.
fn run_name(study: &Study, run: usize) -> Words {
    let tail = |run: &Studied, parts: usize| -> String {
        let names: Vec<_> = run.folder.iter().map(|part| part.to_string_lossy()).collect();
        names[names.len().saturating_sub(parts)..].join("/")
    };
    let own = &study.runs[run];
    let is_its_own = |parts: &usize| {
        let name = tail(own, *parts);
        study.runs.iter().filter(|other| tail(other, *parts) == name).count() == 1
    };
    let parts = (1..=MOST_PARTS).find(is_its_own).unwrap_or(MOST_PARTS);
    quoted(&tail(own, parts), LONGEST_NAME).into()
}

fn sorted_cases(places: &[Placed<'_>], others: &[Case]) -> Vec<Case> {
    let mut cases: Vec<Case> =
        places.iter().map(|placed| placed.case.clone()).chain(others.iter().cloned()).collect();
    cases.sort_by(by_number);
    cases
}

fn by_number(a: &Case, b: &Case) -> Ordering {
    let number = |value: Option<f64>| value.unwrap_or(f64::INFINITY);
    let numbers =
        |case: &Case| [case.input_len, case.output_len, case.concurrency, case.rate].map(number);
    a.group.cmp(&b.group).then_with(|| {
        let pairs = numbers(a).into_iter().zip(numbers(b));
        pairs.map(|(a, b)| a.total_cmp(&b)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    })
}

/// So many points stand open at first; of more, the first alone.
const OPEN: usize = 3;

/// So much of a path is told at most, in parts.
const MOST_PARTS: usize = 4;

/// The longest name of a model or a run, and the longest fact, in characters: both may quote a stranger.
const LONGEST_NAME: usize = 120;
const LONGEST_FACT: usize = 1_000;
