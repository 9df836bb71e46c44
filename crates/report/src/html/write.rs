//! A page as markup: the file around the sections, and each kind of block.
//!
//! Headings go down one level at a time, every table has a caption and named rows, and what can be pointed at can be reached by
//! keyboard. Deliberately knows nothing of runs.

mod finding;

use std::fmt::Write as _;

use super::body::{Block, Body, Pictured};
use super::markup::{attribute, both, data, english, escaped};
use super::shell::{Page, Section, State};
use super::table::{Cell, Column, Definition, Table};
use super::{Shown, echarts};
use crate::figure::{Figure, Marks, Panel};
use crate::grid::Tone;
use crate::words::{Language, Words};
use finding::findings_list;

/// The whole file.
pub(super) fn page(page: &Page, shown: Shown) -> String {
    let mut writer = Writer::default();
    let sections: String = page.sections.iter().map(|section| writer.section(section)).collect();
    let definitions = writer.definitions();
    let code = shown.language.code();
    let library = if writer.charts > 0 { element("script", LIBRARY) } else { String::new() };
    format!(
        "<!doctype html>\n<html lang=\"{code}\" data-lang=\"{code}\" data-theme=\"light\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
         <meta name=\"generator\" content=\"tokometer {version}\">\n<link rel=\"icon\" href=\"data:,\">\n\
         <title{title_both}>{title}</title>\n{style}{settings}</head>\n<body>\n\
         <a class=\"skip\" href=\"#content\">{skip}</a>\n{header}<div class=\"sheet\">\n{contents}\
         <main id=\"content\" tabindex=\"-1\">\n{sections}{definitions}</main>\n</div>\n\
         <div id=\"tip\" role=\"tooltip\" hidden></div>\n{library}{script}</body>\n</html>\n",
        version = env!("CARGO_PKG_VERSION"),
        title = escaped(page.title.told(shown.language)),
        title_both = attribute("title", &page.title).replacen(
            &format!(" title=\"{}\"", escaped(&page.title)),
            "",
            1
        ),
        style = element("style", STYLE),
        settings = element("script", SETTINGS),
        skip = both(&SKIP),
        header = header(page),
        contents = contents(page, !definitions.is_empty()),
        script = element("script", SCRIPT),
    )
}

fn element(name: &str, content: &str) -> String {
    format!("<{name}>\n{content}</{name}>\n")
}

fn header(page: &Page) -> String {
    let about: String =
        page.about.iter().map(|line| format!("<p class=\"about\">{}</p>\n", parts(line))).collect();
    let verdict = page.verdict.as_ref().map_or_else(String::new, |(tone, words)| {
        format!("<p class=\"verdict {}\">{}</p>\n", class(*tone), prose(words))
    });
    format!(
        "<header class=\"top\">\n<div class=\"titles\">\n<h1>{}</h1>\n{about}{verdict}</div>\n<div class=\"settings\">\n{}{}</div>\n</header>\n",
        both(&page.title),
        choice(
            "lang",
            &LANGUAGE,
            &[("en", "English".into(), Some("en")), ("zh", "中文".into(), Some("zh"))]
        ),
        choice(
            "theme",
            &THEME,
            &[
                ("auto", Words::fixed("Auto", "自动"), None),
                ("light", Words::fixed("Light", "浅色"), None),
                ("dark", Words::fixed("Dark", "深色"), None)
            ]
        ),
    )
}

/// A line of parts, each of which is broken only where it is longer than the line: a moment, an address.
fn parts(line: &Words) -> String {
    if !line.is_the_same() || !line.contains(PART) {
        return both(line);
    }
    let parts =
        line.split(PART).map(|part| format!("<span class=\"part\">{}</span>", escaped(part)));
    parts.collect::<Vec<_>>().join(PART)
}

/// A setting of the page, one of a few.
fn choice(name: &str, legend: &Words, options: &[(&str, Words, Option<&str>)]) -> String {
    let options: String = options
        .iter()
        .map(|(value, words, lang)| {
            let lang = lang.map_or_else(String::new, |lang| format!(" lang=\"{lang}\""));
            format!("<label{lang}><input type=\"radio\" name=\"{name}\" value=\"{value}\"><span>{}</span></label>", both(words))
        })
        .collect();
    format!("<fieldset class=\"choice\"><legend>{}</legend>{options}</fieldset>\n", both(legend))
}

fn contents(page: &Page, has_definitions: bool) -> String {
    let link = |id: &str, heading: &Words| {
        format!("<li><a href=\"#{}\">{}</a></li>\n", escaped(id), both(heading))
    };
    let mut links: String =
        page.sections.iter().map(|section| link(&section.id, &section.heading)).collect();
    if has_definitions {
        links.push_str(&link("definitions", &DEFINITIONS));
    }
    format!(
        "<nav class=\"contents\"{}>\n<details open><summary>{}</summary>\n<ul>\n{links}</ul>\n</details>\n</nav>\n",
        attribute("aria-label", &CONTENTS),
        both(&CONTENTS)
    )
}

/// What is numbered over the whole page.
#[derive(Debug, Default)]
struct Writer {
    /// Terms with their definitions, each once.
    terms: Vec<(Words, Words)>,
    charts: usize,
}

impl Writer {
    fn section(&mut self, section: &Section) -> String {
        let (id, heading) = (escaped(&section.id), both(&section.heading));
        let body = self.body(&section.body, 3);
        match section.state {
            State::Fixed => {
                format!(
                    "<section id=\"{id}\" aria-labelledby=\"{id}-h\">\n<h2 id=\"{id}-h\">{heading}</h2>\n{body}</section>\n"
                )
            }
            State::Open | State::Folded => {
                let open = if section.state == State::Open { " open" } else { "" };
                format!(
                    "<section id=\"{id}\" class=\"foldable\" aria-labelledby=\"{id}-h\">\n<details{open}>\n<summary><h2 id=\"{id}-h\">{heading}</h2></summary>\n{body}</details>\n</section>\n"
                )
            }
        }
    }

    fn body(&mut self, body: &Body, level: u8) -> String {
        let is_figure = |block: &Block| matches!(block, Block::Figure(_));
        // Figures that follow each other are one group, so that they can stand side by side on paper.
        let groups = body.0.chunk_by(|a, b| is_figure(a) && is_figure(b));
        groups
            .map(|blocks| {
                let inside: String = blocks.iter().map(|block| self.block(block, level)).collect();
                match blocks.first().is_some_and(is_figure) {
                    true => format!("<div class=\"figures\">\n{inside}</div>\n"),
                    false => inside,
                }
            })
            .collect()
    }

    fn block(&mut self, block: &Block, level: u8) -> String {
        match block {
            Block::Paragraph(words) => format!("<p>{}</p>\n", prose(words)),
            Block::Note(tone, words) => {
                format!("<p class=\"note {}\">{}</p>\n", class(*tone), prose(words))
            }
            Block::List(items) => {
                let items: String =
                    items.iter().map(|item| format!("<li>{}</li>\n", prose(item))).collect();
                format!("<ul class=\"sentences\">\n{items}</ul>\n")
            }
            Block::Facts(facts) => self.facts(facts),
            Block::Table(table) => self.table(table),
            Block::Figure(pictured) => self.figure(pictured, level),
            Block::Findings(findings) => findings_list(findings, level),
            Block::Code(text) => {
                format!("<pre class=\"code\" tabindex=\"0\"><code>{}</code></pre>\n", escaped(text))
            }
            Block::Part { heading, body } => {
                let inside = self.body(body, deeper(level));
                format!("<h{level}>{}</h{level}>\n{inside}", both(heading))
            }
            Block::Folded { heading, body, printed } => {
                let inside = self.body(body, deeper(level));
                let kind = if *printed { "part" } else { "part raw" };
                format!(
                    "<details class=\"{kind}\"><summary><h{level}>{}</h{level}></summary>\n{inside}</details>\n",
                    both(heading)
                )
            }
        }
    }

    fn facts(&mut self, facts: &[(Cell, Cell)]) -> String {
        let mut out = String::from("<dl class=\"facts\">\n");
        for (name, value) in facts {
            let _ = writeln!(
                out,
                "<div><dt>{}</dt><dd class=\"{}\">{}</dd></div>",
                self.inside(name),
                class(value.tone),
                self.inside(value)
            );
        }
        out + "</dl>\n"
    }

    fn table(&mut self, table: &Table) -> String {
        let head: String = table.columns.iter().map(|column| self.heading(column)).collect();
        let rows: String = table
            .rows
            .iter()
            .map(|row| {
                let cells: String = row
                    .iter()
                    .enumerate()
                    .map(|(at, cell)| self.cell(cell, table.columns.get(at), at))
                    .collect();
                format!("<tr>{cells}</tr>\n")
            })
            .collect();
        let caption = match table.caption.is_empty() {
            true => String::new(),
            false => format!("<caption>{}</caption>\n", both(&table.caption)),
        };
        let label = match table.caption.is_empty() {
            true => attribute("aria-label", &Words::fixed("Table", "表格")),
            false => attribute("aria-label", &table.caption),
        };
        format!(
            "<div class=\"scroll\" role=\"region\" tabindex=\"0\"{label}>\n<table>\n{caption}<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</div>\n"
        )
    }

    fn heading(&mut self, column: &Column) -> String {
        let side = if column.right { " class=\"right\"" } else { "" };
        let words = match &column.about {
            Some(definition) => self.term(&column.heading, definition),
            None => both(&column.heading),
        };
        format!("<th scope=\"col\"{side}>{words}</th>")
    }

    fn cell(&mut self, cell: &Cell, column: Option<&Column>, at: usize) -> String {
        let right = column.is_some_and(|column| column.right);
        let mut classes: Vec<&str> = Vec::new();
        if right {
            classes.push("right");
        }
        if cell.tone != Tone::Neutral {
            classes.push(class(cell.tone));
        }
        let classes = match classes.is_empty() {
            true => String::new(),
            false => format!(" class=\"{}\"", classes.join(" ")),
        };
        let inside = self.inside(cell);
        match at {
            0 => format!("<th scope=\"row\"{classes}>{inside}</th>"),
            _ => format!("<td{classes}>{inside}</td>"),
        }
    }

    fn inside(&mut self, cell: &Cell) -> String {
        let mut text = match (&cell.about, &cell.link) {
            (Some(definition), _) => self.term(&cell.text, definition),
            (None, Some(section)) => {
                format!("<a href=\"#{}\">{}</a>", escaped(section), both(&cell.text))
            }
            (None, None) => both(&cell.text),
        };
        if let Some(below) = &cell.below {
            let _ = write!(text, "<small>{}</small>", both(below));
        }
        text
    }

    /// A term that shows its definition where it is pointed at or has the focus. On paper it is plain text: browsers leave buttons out
    /// where the heading of a table is repeated.
    fn term(&mut self, name: &Words, definition: &Definition) -> String {
        let known = self.terms.iter().position(|(_, text)| *text == definition.text);
        let at = known.unwrap_or_else(|| {
            let full = definition.name.as_ref().unwrap_or(name);
            self.terms.push((full.clone(), definition.text.clone()));
            self.terms.len() - 1
        });
        format!(
            "<button type=\"button\" class=\"term\" aria-describedby=\"d{at}\">{name}</button><span class=\"printed\">{name}</span>",
            name = both(name)
        )
    }

    /// Every term with its definition.
    fn definitions(&self) -> String {
        if self.terms.is_empty() {
            return String::new();
        }
        let each: String = self
            .terms
            .iter()
            .enumerate()
            .map(|(at, (name, definition))| {
                let definition = with_code(&prose(definition));
                format!(
                    "<div><dt id=\"t{at}\">{}</dt><dd id=\"d{at}\">{definition}</dd></div>\n",
                    both(name)
                )
            })
            .collect();
        format!(
            "<section id=\"definitions\" class=\"foldable\" aria-labelledby=\"definitions-h\">\n<details>\n<summary><h2 id=\"definitions-h\">{}</h2></summary>\n\
             <dl class=\"definitions\">\n{each}</dl>\n</details>\n</section>\n",
            both(&DEFINITIONS)
        )
    }

    fn figure(&mut self, pictured: &Pictured, level: u8) -> String {
        let figure = &pictured.figure;
        let mut panels = String::new();
        for panel in &figure.panels {
            let title = match panel.title.is_empty() {
                true => String::new(),
                false => format!("<p class=\"panel-title\">{}</p>", both(&panel.title)),
            };
            let inside = match &panel.marks {
                Marks::Table(table) => self.table(&as_table(table)),
                marks => {
                    self.charts += 1;
                    let height =
                        height(marks, figure.panel.height / figure.panel.width, figure.columns);
                    format!("<div class=\"chart\" style=\"{height}\"></div>")
                }
            };
            let _ = writeln!(panels, "<div class=\"panel\">{title}{inside}</div>");
        }
        let about = match pictured.about.is_empty() {
            true => String::new(),
            false => format!("<p>{}</p>", prose(&pictured.about)),
        };
        let known = match under_title(&figure.title) {
            None => String::new(),
            Some(notes) => format!("<p class=\"known\">{}</p>", both(&notes)),
        };
        let drawn = figure.panels.iter().any(|panel| !matches!(panel.marks, Marks::Table(_)));
        let behind = match drawn {
            true => format!(
                "<details class=\"behind\"><summary>{}</summary></details>\n<script type=\"application/json\">{}</script>\n",
                both(&BEHIND),
                data(&echarts::figure(figure))
            ),
            false => String::new(),
        };
        let left_out = match figure.left_out() {
            0 => String::new(),
            points => format!(
                "<p class=\"left-out\">{}</p>\n",
                both(&Words::both(
                    format!("{points} points cannot stand on these axes and are not drawn."),
                    format!("{points} 个点无法在这些坐标轴上表示，未绘出。")
                ))
            ),
        };
        format!(
            "<figure class=\"figure{wide}\">\n<figcaption><h{level}>{}</h{level}>{about}{known}</figcaption>\n<div class=\"legend\" role=\"group\"{} hidden></div>\n\
             <div class=\"panels columns-{}\">\n{panels}</div>\n{left_out}{behind}</figure>\n",
            both(&pictured.title),
            attribute("aria-label", &LEGEND),
            columns(figure),
            wide = if is_wide(figure) { " wide" } else { "" },
        )
    }
}

/// What stands under a figure's title: what must be known before it is believed. The first line is what it is called.
fn under_title(title: &Words) -> Option<Words> {
    let of = |language| {
        let lines = title.told(language).lines().skip(1);
        // Broken for paper: a line that begins small goes on with the one before.
        lines.fold(String::new(), |notes, line| {
            let goes_on = line.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
            match (notes.is_empty(), goes_on) {
                (true, _) => line.to_owned(),
                (false, true) => format!("{notes} {line}"),
                (false, false) => format!("{notes}\n{line}"),
            }
        })
    };
    let notes = Words::both(of(Language::English), of(Language::Chinese));
    (!notes.is_empty()).then_some(notes)
}

/// How many panels stand in a row where there is room. Three stand in one rather than leave a place empty, but for cells with values
/// written into them.
fn columns(figure: &Figure) -> usize {
    let written = |panel: &Panel| matches!(&panel.marks, Marks::Heat(heat) if heat.written);
    match (figure.columns, figure.panels.len()) {
        (2, 3) if !figure.panels.iter().any(written) => 3,
        (asked, panels) => asked.clamp(1, 4).min(panels.max(1)),
    }
}

/// Whether a figure takes the whole width of paper, and not half of it.
fn is_wide(figure: &Figure) -> bool {
    let needs_room = |panel: &Panel| match &panel.marks {
        Marks::Spans(_) | Marks::Table(_) => true,
        Marks::Heat(heat) => heat.written,
        _ => false,
    };
    figure.panels.len() > 1 || figure.panels.iter().any(needs_room)
}

/// How high a chart is: in the proportion of the paper's, and a row of spans needs its pixels.
fn height(marks: &Marks, ratio: f64, columns: usize) -> String {
    match marks {
        Marks::Spans(spans) => {
            format!("height:{}px", (90 + 6 * spans.rows.len()).clamp(220, 760))
        }
        Marks::Heat(heat) if heat.written => {
            format!("height:{}px", (110 + 34 * heat.rows.len()).clamp(220, 760))
        }
        _ => {
            let ratio = if ratio.is_finite() { ratio.clamp(0.25, 1.2) } else { 0.6 };
            let least = if columns > 1 { 240 } else { 280 };
            format!("aspect-ratio:{:.3};min-height:{least}px;max-height:460px", 1.0 / ratio)
        }
    }
}

fn as_table(table: &crate::figure::Table) -> Table {
    let columns = table.head.iter().enumerate().map(|(at, head)| match at {
        0 => Column::left(head),
        _ => Column::right(head),
    });
    let rows = table.rows.iter().map(|row| row.iter().map(Cell::new).collect());
    Table::new("", columns.collect()).rows(rows)
}

/// A sentence. One without a Chinese form is English, and read out as such.
fn prose(words: &Words) -> String {
    if words.is_the_same() && words.contains(' ') { english(words) } else { both(words) }
}

/// What stands between backticks as code.
fn with_code(markup: &str) -> String {
    let mut parts = markup.split('`');
    let mut out = parts.next().unwrap_or_default().to_owned();
    while let Some(code) = parts.next() {
        match parts.next() {
            Some(rest) => {
                let _ = write!(out, "<code>{code}</code>{rest}");
            }
            None => {
                let _ = write!(out, "`{code}");
            }
        }
    }
    out
}

const fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Neutral => "neutral",
        Tone::Good => "good",
        Tone::Fair => "fair",
        Tone::Poor => "poor",
    }
}

/// HTML has six levels of headings.
const fn deeper(level: u8) -> u8 {
    if level < 6 { level + 1 } else { 6 }
}

/// What stands between the parts of a line under the title.
const PART: &str = " · ";

const SKIP: Words = Words::fixed("Skip to the content", "跳到正文");
const LANGUAGE: Words = Words::fixed("Language", "语言");
const THEME: Words = Words::fixed("Theme", "主题");
const CONTENTS: Words = Words::fixed("Contents", "目录");
const DEFINITIONS: Words = Words::fixed("How the figures are defined", "指标定义");
const BEHIND: Words = Words::fixed("The data as a table", "以表格查看数据");
const LEGEND: Words = Words::fixed("Show or hide series", "显示或隐藏系列");

/// Nothing is fetched: style, script and data stand in the file.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

const STYLE: &str = include_str!("../../assets/report.css");
const SETTINGS: &str = include_str!("../../assets/settings.js");
const SCRIPT: &str = include_str!("../../assets/report.js");
const LIBRARY: &str = include_str!("../../assets/echarts/echarts.min.js");
