//! The page of a study: what was tested and the verdict, findings, the sweep, each point, configuration, environment.

use std::cmp::Ordering;

use tokometer_metrics::diagnosis::{Finding, RULES, SWEEP_RULES, Severity};
use tokometer_metrics::verdict::Verdict;

use super::body::{Body, Found};
use super::shell::{Page, State};
use super::{names, point, setup, sweep};
use crate::cases::Case;
use crate::chinese;
use crate::grid::Tone;
use crate::number::plural;
use crate::prose::{capital, quoted};
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
    /// Its figures, as the charts of the sweep have them.
    pub(super) case: Case,
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

/// What a rule found in a run, with what tells how bad it is.
#[derive(Clone, Debug)]
struct Told<'a> {
    run: usize,
    finding: &'a Finding,
    /// Where the point that it speaks of stands among all points, which are sorted by load.
    place: Option<usize>,
    /// What share of that point's requests failed, 0 to 1, where that is what was found.
    failed: f64,
    /// What each point is called, and its section.
    at: Vec<(Words, String)>,
}

impl Told<'_> {
    /// The worst first: by severity, by sureness, then by how much failed, and then as within a run: what grows with the load is
    /// worse at the later point.
    fn by_weight(&self, other: &Self) -> Ordering {
        let weight = |told: &Self| (told.finding.severity, told.finding.sureness);
        let by_place = match self.finding.severity.grows_with_load() {
            true => other.place.cmp(&self.place),
            false => self.place.cmp(&other.place),
        };
        weight(self)
            .cmp(&weight(other))
            .then_with(|| other.failed.total_cmp(&self.failed))
            .then(by_place)
    }
}

/// What is wrong or limits it, each rule once, the worst first, whatever run it was found in.
fn findings(study: &Study, places: &[Placed<'_>]) -> Body {
    let mut rules: Vec<Vec<Told<'_>>> = Vec::new();
    for (run, studied) in study.runs.iter().enumerate() {
        for finding in &studied.findings {
            let told = told(run, finding, places);
            match rules.iter_mut().find(|known| known[0].finding.rule == finding.rule) {
                Some(known) => known.push(told),
                None => rules.push(vec![told]),
            }
        }
    }
    if rules.is_empty() {
        return Body::new().note(
            Tone::Good,
            Words::fixed(
                "None: nothing in the facts of these runs speaks against their figures.",
                "无：这些运行的数据中没有任何迹象与其数值相悖。",
            ),
        );
    }
    rules.iter_mut().for_each(|told| told.sort_by(Told::by_weight));
    rules.sort_by_key(|told| (told[0].finding.severity, told[0].finding.sureness));
    let found: Vec<Found> = rules.iter().map(|told| of_rule(study, places, told)).collect();
    let has_moments =
        rules.iter().any(|told| told[0].finding.evidence.iter().any(|e| e.at.is_some()));
    let body = Body::new().findings(found);
    if has_moments { body.paragraph(MOMENTS) } else { body }
}

fn told<'a>(run: usize, finding: &'a Finding, places: &[Placed<'_>]) -> Told<'a> {
    let place = |index: usize| {
        let is_it =
            |placed: &Placed<'_>| placed.run == run && placed.point.summary.point.index == index;
        places.iter().position(is_it)
    };
    let at = finding.points.iter().filter_map(|&index| {
        let placed = &places[place(index)?];
        Some((placed.name.clone(), placed.id.clone()))
    });
    let first = finding.points.first().and_then(|&index| place(index));
    let failed = first.filter(|_| finding.severity == Severity::Failing).map_or(0.0, |place| {
        let counts = places[place].point.summary.counts;
        if counts.tried() == 0 { 0.0 } else { counts.broken() as f64 / counts.tried() as f64 }
    });
    Told { run, finding, place: first, failed, at: at.collect() }
}

/// What a rule found in all runs, told by the worst, with the sentences of the others below it.
fn of_rule(study: &Study, places: &[Placed<'_>], told: &[Told<'_>]) -> Found {
    let worst = &told[0];
    let began = worst.place.map_or(0.0, |place| places[place].point.load_began());
    let mut found = found(worst.finding, began);
    if study.runs.len() > 1 {
        let name = run_name(study, worst.run);
        found.what = format!("{} ({})", found.what.told(English), name.told(English)).into();
    }
    found.at = told.iter().flat_map(|told| told.at.clone()).collect();
    found.others = told[1..]
        .iter()
        .map(|told| (run_name(study, told.run), quoted(&told.finding.what, LONGEST_FACT).into()))
        .collect();
    found
}

/// A finding, told with its evidence, at a point whose load began so many seconds after its run.
fn found(finding: &Finding, began: f64) -> Found {
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
    let mut evidence: Vec<Words> = finding
        .evidence
        .iter()
        .map(|evidence| {
            let fact = quoted(&evidence.fact, LONGEST_FACT);
            match evidence.at {
                Some(at) => format!("{fact} (at {} s)", names::moment(at, began)).into(),
                None => fact.into(),
            }
        })
        .collect();
    if OF_EVALSCOPE.contains(&finding.rule) {
        evidence.push(OTHER_THROUGHPUT);
    }
    Found {
        severity: finding.severity,
        sureness: finding.sureness,
        title,
        what: quoted(&finding.what, LONGEST_FACT).into(),
        evidence,
        next: quoted(&finding.next, LONGEST_FACT).into(),
        general: chinese.map(|chinese| Words::both("", chinese.advice)),
        at: Vec::new(),
        others: Vec::new(),
    }
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

/// Rules whose throughputs are over EvalScope's duration, and not over vLLM's as the page's tables and charts.
const OF_EVALSCOPE: [&str; 3] = ["past_knee", "knee", "not_saturated"];

const OTHER_THROUGHPUT: Words = Words::fixed(
    "the throughputs of this finding are EvalScope's: over the time from the first start to the last completion",
    "此发现中的吞吐量采用 EvalScope 的定义：按从第一个请求开始到最后一个请求完成的时间计算",
);

const MOMENTS: Words = Words::fixed(
    "Moments in brackets are seconds since the load of the point that the finding speaks of began, as in its charts; before that it \
     warmed up.",
    "括号内的时刻为该发现所述负载点的负载开始后的秒数，与其图表一致；负数为预热阶段。",
);

/// So many points stand open at first; of more, the first alone.
const OPEN: usize = 3;

/// So much of a path is told at most, in parts.
const MOST_PARTS: usize = 4;

/// The longest name of a model or a run, and the longest fact, in characters: both may quote a stranger.
const LONGEST_NAME: usize = 120;
const LONGEST_FACT: usize = 1_000;

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use tokometer_metrics::diagnosis::{Evidence, Sureness};
    use tokometer_record::{Header, Offset, Point, PointLog, RunLog};

    use super::*;

    fn finding(what: &str, severity: Severity) -> Finding {
        Finding {
            rule: "failures",
            severity,
            sureness: Sureness::Certain,
            what: what.to_owned(),
            evidence: vec![Evidence::at("a fact", Offset::from_nanos(9_400_000_000))],
            next: "Look.".into(),
            points: vec![0],
        }
    }

    /// A run of one point, in which so many of 20 requests failed.
    fn run(folder: &str, failed: u64, found: Finding) -> Studied {
        let began = Offset::from_nanos(6_000_000_000);
        let point = Point { concurrency: Some(4), began, ..Point::default() };
        let points = vec![PointLog::begun(point)];
        let log = RunLog { header: Header::default(), points, end: None, damaged: vec![] };
        let mut run = Studied::of(PathBuf::from(folder), &log);
        let counts = &mut run.points[0].summary.counts;
        (counts.measured, counts.failed, counts.succeeded) = (20, failed, 20 - failed);
        run.findings = vec![found];
        run
    }

    #[test]
    fn of_several_runs_the_worst_speaks_and_the_others_stand_below_it() {
        let severity = Severity::Failing;
        let runs = vec![
            run("r/a", 1, finding("1 of 20 failed.", severity)),
            run("r/b", 20, finding("20 of 20 failed.", severity)),
            run("r/c", 5, finding("5 of 20 failed.", severity)),
            run("r/d", 20, finding("It is notable.", Severity::Notable)),
        ];
        let study = Study { runs, others: vec![] };
        let places = placed(&study);
        let told: Vec<Told<'_>> = {
            let each = study.runs.iter().enumerate();
            let mut told: Vec<_> =
                each.map(|(run, of)| told(run, &of.findings[0], &places)).collect();
            told.sort_by(Told::by_weight);
            told
        };
        let found = of_rule(&study, &places, &told);
        assert_eq!(&*found.what, "20 of 20 failed. (b)");
        let others: Vec<String> =
            found.others.iter().map(|(run, what)| format!("{}: {}", &**run, &**what)).collect();
        assert_eq!(others, ["c: 5 of 20 failed.", "a: 1 of 20 failed.", "d: It is notable."]);
        assert_eq!(found.at.len(), 4);
        assert_eq!(found.at[0].1, "point-2-1");
    }

    #[test]
    fn moments_of_evidence_count_from_the_load_and_failures_are_told_over_latencies() {
        let study = Study {
            runs: vec![run("r", 1, finding("1 of 20 failed.", Severity::Failing))],
            others: vec![],
        };
        let page = of(&study).written(super::super::Shown::default());
        assert!(
            page.contains("a fact (at 3.4 s)"),
            "the run's clock said 9.4 s, the load began at 6 s"
        );
        assert!(page.contains("Moments in brackets are seconds since the load"));
        let note = names::not_in_latencies(&study.runs[0].points[0].summary);
        assert_eq!(note.as_deref(), Some("1 of 20 requests failed, and are in no latency."));
    }
}
