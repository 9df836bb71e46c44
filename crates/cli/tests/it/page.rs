//! The HTML page: what `report --html` makes of folders, and the page in a real browser, in both languages and both themes.
//!
//! The browser is Chromium, and the page is loaded from disk without a window. It must draw every figure, say nothing on the console (a violation of its content
//! policy would be said there), ask the network for nothing, and answer to its switches. Where there is no Chromium the tests say so
//! and are passed over.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::{QUICK, Workplace, json, tokenizer};

#[test]
fn every_figure_is_drawn_in_both_languages_and_themes_without_console_or_network() {
    let Some(chromium) = chromium() else { return };
    let place = with_page();
    for language in ["en", "zh"] {
        for theme in ["light", "dark"] {
            let seen =
                Seen::of(&chromium, &place, &format!("#lang={language}&theme={theme}&draw=all"));
            assert_eq!(seen.console, Vec::<String>::new(), "{language} {theme}");
            assert_eq!(seen.requests, Vec::<String>::new(), "{language} {theme}");
            assert_eq!(seen.attribute("lang"), language);
            assert_eq!(seen.attribute("theme"), theme);
            assert_eq!(seen.attribute("ready"), "true", "the script came to its end");
            let figures: usize = seen.attribute("figures").parse().unwrap();
            assert!(figures > 4, "{figures} figures");
            assert_eq!(seen.attribute("drawn"), figures.to_string());
            let charts = seen.dom.matches("class=\"chart\"").count();
            let pictures = pictures(&seen.dom);
            assert_eq!(pictures.len(), charts, "{language} {theme}");
            for picture in pictures {
                assert!(picture.matches("<path").count() > 3, "an empty picture: {picture}");
            }
        }
    }
}

#[test]
fn switches_legends_tables_and_definitions_answer() {
    let Some(chromium) = chromium() else { return };
    let place = with_page();
    let page = fs::read_to_string(place.path().join(PAGE)).unwrap();
    place.write(PAGE, &page.replacen("</body>", &format!("<script>{TRIAL}</script></body>"), 1));
    let seen = Seen::of(&chromium, &place, "#lang=en&theme=light");
    assert_eq!(seen.console, Vec::<String>::new());
    for (what, told) in [
        ("hidden", "false"),
        ("shown", "true"),
        ("tip", "true"),
        ("silent", "true"),
        ("tables", "true"),
        ("lang", "zh"),
        ("theme", "dark"),
        ("title", "true"),
        ("printed", "true"),
        ("told", "true"),
    ] {
        assert_eq!(seen.attribute(&format!("trial-{what}")), told, "{what}");
    }
}

#[test]
fn several_folders_make_one_page_and_what_cannot_be_read_is_named_and_passed_over() {
    let place = with_page();
    fs::create_dir_all(place.path().join("more/broken")).unwrap();
    place.write("more/broken/run.jsonl", "{\"kind\": \n");
    let ended = place.run_to(5, "report outputs more --html both.html --lang zh");
    assert!(ended.stderr.contains("note: passed over: "), "{}", ended.stderr);
    assert!(ended.stderr.contains("more/broken/run.jsonl"), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
    let page = fs::read_to_string(place.path().join("both.html")).unwrap();
    assert!(page.starts_with("<!doctype html>\n<html lang=\"zh\""));
    assert!(page.contains("<section id=\"point-1-2\""));
}

#[test]
fn a_folder_that_is_given_twice_is_told_once() {
    let place = with_page();
    let ended = place.run("report outputs outputs --html twice.html");
    assert!(ended.stderr.contains("runs 1, points 2, results without a log 0"), "{}", ended.stderr);
}

#[test]
fn a_page_that_cannot_be_written_and_folders_without_one_are_refused() {
    let place = Workplace::new();
    fs::create_dir(place.path().join("empty")).unwrap();
    let ended = place.run_to(2, "report empty --html page.html");
    assert!(ended.stderr.contains("there is no run in empty"), "{}", ended.stderr);
    let ended = place.run_to(2, "report empty empty");
    assert!(ended.stderr.contains("hint: add --html FILE"), "{}", ended.stderr);
    let ended = place.run_to(2, "report empty --html page.html --lang de");
    assert!(ended.stderr.contains("takes en or zh"), "{}", ended.stderr);
    let place = with_page();
    let ended = place.run_to(1, "report outputs --html nowhere/page.html");
    assert!(ended.stderr.contains("cannot write nowhere/page.html: "), "{}", ended.stderr);
}

#[test]
fn the_page_goes_to_stdout_where_the_file_is_a_dash_and_no_file_is_called_that() {
    let place = with_page();
    let ended = place.run("report outputs --html -");
    assert!(ended.stdout.starts_with("<!doctype html>\n"), "{}", ended.stderr);
    assert!(ended.stdout.ends_with("</html>\n"));
    assert!(!place.path().join("-").exists());
}

#[test]
fn a_language_without_a_page_is_refused_with_what_to_do() {
    let place = Workplace::new();
    let ended = place.run_to(2, "report empty --lang zh");
    assert!(ended.stderr.contains("--lang belongs to --html"), "{}", ended.stderr);
    assert!(ended.stderr.contains("hint: add --html FILE"), "{}", ended.stderr);
}

/// The pictures that charts were drawn as.
fn pictures(dom: &str) -> Vec<&str> {
    let begun = dom.split("<svg xmlns=").skip(1);
    begun.filter_map(|rest| Some(rest.split_once("</svg>")?.0)).collect()
}

/// What a reader does, in the page: hides a series, has a term and a mark of every chart explained, opens the tables, changes language and theme, and prints.
const TRIAL: &str = r#"
addEventListener("load", () => {
  const root = document.documentElement, told = (name, value) => root.setAttribute(`data-trial-${name}`, value);
  const figure = [...document.querySelectorAll("figure.figure")].find((each) => each.querySelector(".legend"));
  dispatchEvent(new Event("beforeprint"));
  told("printed", root.dataset.theme === "light" && root.dataset.drawn === root.dataset.figures);
  dispatchEvent(new Event("afterprint"));
  const key = [...document.querySelectorAll(".legend button")][0];
  key.click();
  told("hidden", key.getAttribute("aria-pressed"));
  key.click();
  told("shown", key.getAttribute("aria-pressed"));
  const term = document.querySelector("button.term"), tip = document.getElementById("tip");
  term.focus();
  told("tip", !tip.hidden && tip.textContent.length > 20);
  document.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
  told("silent", tip.hidden);
  const charts = [...document.querySelectorAll(".chart")].map((each) => each.chart);
  const silent = charts.filter((chart) => {
    const series = chart.getOption().series.findIndex((each) => !each.silent && each.data.length > 0);
    chart.dispatchAction({ type: "showTip", seriesIndex: series, dataIndex: 0 });
    const tip = chart.getDom().lastElementChild;
    return !tip.innerText;
  });
  told("told", charts.length > 0 && silent.length === 0);
  document.querySelectorAll("details.behind").forEach((each) => { each.open = true; });
  setTimeout(() => {
    const tables = [...document.querySelectorAll("details.behind")];
    told("tables", tables.length > 0 && tables.every((each) => each.querySelectorAll("tbody tr").length > 0));
    document.querySelector('input[name="lang"][value="zh"]').click();
    document.querySelector('input[name="theme"][value="dark"]').click();
    told("lang", root.dataset.lang);
    told("theme", root.dataset.theme);
    told("title", /[\u4e00-\u9fff]/.test(document.title));
  }, 0);
});
"#;

/// A page of a sweep of two points.
fn with_page() -> Workplace {
    let place = Workplace::new();
    let line = format!(
        "perf --parallel 2 8 --number 20 60 --model qwen3-32b --url {QUICK} --api openai --dataset random \
         --max-tokens 8 --min-tokens 8 --prefix-length 0 --min-prompt-length 32 --max-prompt-length 32 \
         --tokenizer-path {} --sleep-interval 0",
        tokenizer()
    );
    let ended = place.run(&line);
    assert!(matches!(ended.code, 0 | 4), "{}{}", ended.stdout, ended.stderr);
    let ended = place.run(&format!("report outputs --html {PAGE}"));
    assert!(matches!(ended.code, 0 | 4), "{}{}", ended.stdout, ended.stderr);
    assert!(place.path().join(PAGE).is_file());
    place
}

const PAGE: &str = "report.html";

/// Chromium under one of its names. Says so where there is none.
#[expect(clippy::print_stdout, reason = "a test that is passed over must say so")]
fn chromium() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found = names.iter().find_map(|name| {
        std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
    });
    if found.is_none() {
        println!("passed over: no Chromium is installed (looked for {})", names.join(", "));
    }
    found
}

/// What became of a page in the browser.
struct Seen {
    dom: String,
    console: Vec<String>,
    /// What the page asked the network for. What the browser asks for itself has no page as its origin.
    requests: Vec<String>,
}

impl Seen {
    fn of(chromium: &Path, place: &Workplace, hash: &str) -> Self {
        let network = place.path().join("network.json");
        let output = Command::new(chromium)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
                "--disable-background-networking",
                "--enable-logging=stderr",
                "--window-size=1300,2000",
                "--virtual-time-budget=20000",
                "--host-resolver-rules=MAP * ~NOTFOUND",
                "--dump-dom",
            ])
            .arg(format!("--user-data-dir={}", place.path().join("browser").display()))
            .arg(format!("--log-net-log={}", network.display()))
            .arg(format!("file://{}{hash}", place.path().join(PAGE).display()))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let console = said.lines().filter(|line| line.contains(":CONSOLE")).map(str::to_owned);
        Self {
            dom: String::from_utf8_lossy(&output.stdout).into_owned(),
            console: console.collect(),
            requests: requests(&json(&network)),
        }
    }

    /// An attribute of the page's root: `data-<name>`.
    fn attribute(&self, name: &str) -> &str {
        let (_, root) = self.dom.split_once("<html").expect("the page has a root");
        let (root, _) = root.split_once('>').unwrap();
        let before = format!(" data-{name}=\"");
        let (_, value) = root.split_once(&before).unwrap_or_else(|| panic!("{name} in {root}"));
        value.split_once('"').unwrap().0
    }
}

fn requests(network: &Value) -> Vec<String> {
    let of_page = |event: &&Value| {
        event["params"]["initiator"].as_str().is_some_and(|origin| origin != "not an origin")
    };
    let events = network["events"].as_array().unwrap().iter().filter(of_page);
    let urls = events.filter_map(|event| event["params"]["url"].as_str());
    urls.filter(|url| url.starts_with("http") || url.starts_with("ws")).map(str::to_owned).collect()
}
