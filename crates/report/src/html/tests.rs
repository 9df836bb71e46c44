//! Whole pages.

use std::path::PathBuf;

use proptest::prelude::*;
use tokometer_metrics::diagnosis::{Severity, Sureness};
use tokometer_record::{Header, Point, PointLog, RunLog};

use super::body::Found;
use super::*;
use crate::figure::{Axes, Axis, Errors, Look, Marks, Panel, Point as Mark, Series, Size};
use crate::study::Studied;

fn study(model: &str, said: &str) -> Study {
    let header = Header {
        model: model.to_owned(),
        url: "http://127.0.0.1:8000/v1".to_owned(),
        arguments: serde_json::json!({ "prompt": said }),
        plan: said.to_owned(),
        ..Header::default()
    };
    let point = |index, places| {
        PointLog::begun(Point { index, concurrency: Some(places), ..Point::default() })
    };
    let log = RunLog { header, points: vec![point(0, 1), point(1, 8)], end: None, damaged: vec![] };
    Study { runs: vec![Studied::of(PathBuf::from("outputs/run"), &log)], others: vec![] }
}

/// The page without what is the same in every page.
fn own(page: &str) -> &str {
    let (_, body) = page.split_once("<body>").unwrap();
    body.split_once("<div id=\"tip\"").unwrap().0
}

fn figure(name: &str) -> Figure {
    let series = Series {
        name: Some(name.into()),
        look: Look::kind(0),
        points: vec![Mark { label: Some(name.to_owned()), ..Mark::at(1.0, 2.0) }],
        errors: Errors::Bars,
    };
    let panel = Panel {
        title: name.into(),
        x: Axis::linear(name),
        y: Axis::linear(name),
        marks: Marks::Series(vec![series]),
        rules: vec![],
    };
    Figure {
        title: Words::default(),
        panels: vec![panel],
        columns: 1,
        panel: Size { width: 4.0, height: 3.0 },
        dpi: 100,
        axes: Axes::Own,
        legend: None,
    }
}

fn shelved(name: &str) -> Vec<Shelved> {
    vec![Shelved { title: name.into(), about: name.into(), figure: figure(name) }]
}

#[test]
fn the_page_asks_the_network_for_nothing() {
    let page = page(&study("m", "x"), Shown::default());
    assert!(page.contains("http-equiv=\"Content-Security-Policy\" content=\"default-src 'none';"));
    for fetched in ["<link rel=\"stylesheet", " src=\"", "@import", "url(", "<img", "<iframe"] {
        assert!(!own(&page).contains(fetched), "{fetched}");
    }
}

#[test]
fn the_sections_stand_in_their_order_findings_first() {
    let page = page(&study("m", "x"), Shown::default());
    let at =
        |id: &str| page.find(&format!("<section id=\"{id}\"")).unwrap_or_else(|| panic!("{id}"));
    let order = [
        "findings",
        "sweep",
        "point-1-1",
        "point-1-2",
        "configuration",
        "environment",
        "definitions",
    ]
    .map(at);
    assert!(order.is_sorted(), "{order:?}");
}

#[test]
fn the_page_opens_in_the_language_that_was_asked_for_and_holds_both() {
    let chinese = page(&study("m", "x"), Shown { language: Language::Chinese });
    assert!(chinese.starts_with("<!doctype html>\n<html lang=\"zh\" data-lang=\"zh\""));
    assert!(chinese.contains(
        "<span class=\"en\" lang=\"en\">Findings</span><span class=\"zh\" lang=\"zh\">发现</span>"
    ));
}

#[test]
fn what_must_be_known_of_a_figure_stands_under_its_heading_in_both_languages() {
    let mut figures = shelved("f");
    figures[0].figure.title =
        Words::both("F\n× client-limited: mc8,\nmc16\nFewer than 100", "图\n× 受限\n少于 100");
    let page = figures_page("t".into(), &figures, Shown::default());
    let known = "<p class=\"known\"><span class=\"en\" lang=\"en\">× client-limited: mc8, mc16\nFewer than 100</span>\
                 <span class=\"zh\" lang=\"zh\">× 受限\n少于 100</span></p></figcaption>";
    assert!(page.contains(known), "{page}");
    assert!(!figures_page("t".into(), &shelved("f"), Shown::default()).contains("class=\"known\""));
}

#[test]
fn headings_go_down_one_level_at_a_time() {
    let page = figures_page("t".into(), &shelved("f"), Shown::default());
    let page = own(&page).to_owned() + own(&super::page(&study("m", "x"), Shown::default()));
    let levels: Vec<u32> = page
        .match_indices("<h")
        .filter_map(|(at, _)| page[at + 2..].chars().next()?.to_digit(10))
        .collect();
    assert!(!levels.is_empty());
    assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{levels:?}");
}

#[test]
fn a_finding_tells_what_how_sure_by_what_and_what_next_and_where() {
    let found = Found {
        severity: Severity::Limiting,
        sureness: Sureness::Likely,
        title: Some(Words::fixed("Requests wait", "请求排队")),
        what: "Requests wait for a place.".into(),
        evidence: vec!["running: 24 at most".into()],
        next: "Raise --max-num-seqs.".into(),
        general: Some(Words::both("", "提高上限。")),
        at: vec![("Concurrency 8".into(), "point-1-2".into())],
        others: vec![("b".into(), "Fewer wait.".into())],
    };
    let page = Page::new("t").section("findings", "Findings", Body::new().findings(vec![found]));
    let text = page.written(Shown::default());
    for part in [
        "<li class=\"finding fair\">",
        ">limiting</span>",
        ">likely</span>",
        ">请求排队</span></h3>",
        "<p class=\"what\"><span lang=\"en\">Requests wait for a place.</span></p>",
        "<a href=\"#point-1-2\">Concurrency 8</a>",
        "<li><span lang=\"en\">running: 24 at most</span></li>",
        "<p class=\"zh\" lang=\"zh\">提高上限。</p>",
        "<p><span lang=\"en\">Raise --max-num-seqs.</span></p>",
        "<li><b>b</b>: <span lang=\"en\">Fewer wait.</span></li>",
    ] {
        assert!(text.contains(part), "{part} is missing");
    }
}

#[test]
fn a_definition_stands_once_and_every_term_leads_to_it() {
    let column = || {
        Column::right("TTFT")
            .about((Words::from("Time to first token"), "first − `started`".into()))
    };
    let table = || {
        Table::new("", vec![Column::left("a"), column()]).row(vec![Cell::new("x"), Cell::new("1")])
    };
    let page = Page::new("t").section("s", "s", Body::new().table(table()).table(table()));
    let text = page.written(Shown::default());
    assert_eq!(text.matches("aria-describedby=\"d0\"").count(), 2);
    assert_eq!(text.matches("id=\"d0\"").count(), 1);
    assert!(text.contains("<dt id=\"t0\">Time to first token</dt>"));
    assert!(text.contains("first − <code>started</code>"));
}

#[test]
fn the_heading_of_a_table_is_plain_text_on_paper() {
    let column = Column::right("TTFT").about(Words::from("first − started"));
    let table = Table::new("", vec![Column::left("a"), column]).row(vec![Cell::new("x")]);
    let text = Page::new("t").section("s", "s", Body::new().table(table)).written(Shown::default());
    assert!(
        text.contains(
            "aria-describedby=\"d0\">TTFT</button><span class=\"printed\">TTFT</span></th>"
        )
    );
}

#[test]
fn figures_in_a_row_are_one_group_and_parts_that_are_raw_are_marked() {
    let figure = |body: Body| body.figure("f", "", figure("f"));
    let body = figure(figure(Body::new())).raw("raw", Body::new().paragraph("p"));
    let text = Page::new("t").section("s", "s", figure(body)).written(Shown::default());
    assert_eq!(text.matches("<div class=\"figures\">").count(), 2);
    assert_eq!(text.matches("<details class=\"part raw\">").count(), 1);
}

#[test]
fn a_line_under_the_title_breaks_between_its_parts() {
    let text = Page::new("t").about("http://a/v1 · 2026-01-02T11:04:37").written(Shown::default());
    assert!(text.contains(
        "<span class=\"part\">http://a/v1</span> · <span class=\"part\">2026-01-02T11:04:37</span>"
    ));
}

#[test]
fn a_page_without_charts_does_without_the_library() {
    let text =
        Page::new("t").section("s", "s", Body::new().paragraph("p")).written(Shown::default());
    assert!(text.len() < 100_000, "{}", text.len());
}

proptest! {
    #[test]
    fn no_text_of_a_run_becomes_markup(
        model in ".{0,24}",
        said in prop::sample::select(vec!["</script><script>alert(1)</script>", "<!--<script>", "\" onload=\"x", "]]>", "</pre><b>", "&lt;"]),
    ) {
        let plain = page(&study("m", "x"), Shown::default());
        let hostile = page(&study(&format!("{said}{model}"), said), Shown::default());
        for tag in ["<script", "</script", "<b>", "<pre", "<!--", " onload=\""] {
            prop_assert_eq!(plain.matches(tag).count(), hostile.matches(tag).count(), "{}", tag);
        }
    }

    #[test]
    fn no_text_of_a_figure_ends_its_script(name in "[</!>&a-z\" -]{0,24}") {
        let text = figures_page("t".into(), &shelved(&format!("</script>{name}")), Shown::default());
        let (_, data) = text.split_once("<script type=\"application/json\">").unwrap();
        let (data, _) = data.split_once("</script>").unwrap();
        prop_assert!(!data.contains("</") && !data.contains('<'));
        let read: serde_json::Value = serde_json::from_str(data).unwrap();
        prop_assert_eq!(read["panels"][0]["option"]["series"][0]["data"][0]["name"].as_str(), Some(&*format!("</script>{name}")));
    }
}
