//! `tokometer visualize`: draw the charts of a table of results.
//!
//! Files that were written are data and go to stdout, one a line; what was left out, and why, is said on stderr. Deliberately measures
//! and gathers nothing: the table is `tokometer aggregate`'s, or that of the tool whose form it has.

mod folder;
mod newest;
mod table;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use tokometer_report::cases::Case;
use tokometer_report::charts::{SIMPLE_CHARTS, SWEEP_CHARTS, SweepChart, words};
use tokometer_report::figure::{self, Figure};
use tokometer_report::gathered::report;
use tokometer_report::html::{Shelved, Shown, figures_page};
use tokometer_report::words::{Language, Words};

use self::folder::Folder;
use self::table::Rows;
use super::counted;
use crate::exit::Exit;
use crate::screen::Screen;
use crate::trouble::Trouble;

/// What `visualize` takes.
#[derive(Debug, Args)]
#[command(after_help = crate::exit::TABLE)]
pub(crate) struct Arguments {
    /// A table of results as aggregate writes it, several times for several; without it the newest
    /// results/*/aggregate_results_*.csv
    #[arg(long, value_name = "FILE")]
    csv: Vec<PathBuf>,
    /// Which charts: the three simple ones, all of them with a report as text, or both in folders of their own
    #[arg(long, value_enum, default_value_t = Mode::Advanced)]
    mode: Mode,
    /// The folder for the charts
    #[arg(long, value_name = "DIR", default_value = "charts")]
    output: PathBuf,
    /// What charts are written as; html is one page with all of them, to be looked at in a browser
    #[arg(long, value_enum, default_value_t = Format::Png)]
    format: Format,
    /// The language of the charts: en or zh
    #[arg(long, value_name = "LANGUAGE", default_value_t = Language::English)]
    lang: Language,
}

/// Which charts are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// Throughput, latency, heat map
    Simple,
    /// Every chart that has something to show, and the report as text
    Advanced,
    /// Both, in the folders simple and advanced
    Both,
}

/// What charts are written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Png,
    Svg,
    Html,
}

/// Draws the charts.
///
/// # Errors
/// If there is no table, it is none of results, or the folder cannot be written.
pub(crate) fn visualize(arguments: &Arguments) -> Result<Exit, Trouble> {
    visualize_with(arguments, figure::missing_script)
}

/// As [`visualize`], on a machine that lacks the fonts that it is told: why a PNG cannot be in a language, if it cannot.
fn visualize_with(
    arguments: &Arguments,
    missing: impl Fn(Language) -> Option<&'static str>,
) -> Result<Exit, Trouble> {
    // Before anything is drawn: charts without their texts would overwrite good ones.
    if arguments.format == Format::Png && missing(arguments.lang).is_some() {
        return Err(Trouble::input(format!(
            "cannot draw PNGs with --lang {}: no font on this machine has its characters",
            arguments.lang
        ))
        .with_hint(
            "install one (on Debian and Ubuntu: apt install fonts-noto-cjk), or choose --lang en, or --format svg or html, which take \
             the reader's fonts",
        ));
    }
    let screen = Screen::new();
    let files = match arguments.csv.is_empty() {
        false => arguments.csv.clone(),
        true => {
            let newest = newest::table(Path::new("results"))?;
            screen.say(format!("drawing {}, the newest table of results", newest.display()));
            vec![newest]
        }
    };
    let rows = Rows::read(&files)?;
    for damaged in &rows.damaged {
        screen.say(format!("warning: {damaged}; left out"));
    }
    if rows.cases.is_empty() {
        return Err(Trouble::input("none of the rows holds a result"));
    }
    // Every folder is made before the first chart is drawn.
    let mut sets = Vec::new();
    for (chosen, folder) in arguments.sets() {
        sets.push((chosen, Folder::ready(&folder)?));
    }
    for (chosen, folder) in &sets {
        draw(arguments, chosen, folder, &rows, &screen)?;
    }
    screen.check()?;
    Ok(if rows.damaged.is_empty() { Exit::Done } else { Exit::Incomplete })
}

/// Draws the simple charts of a table into a folder, as `aggregate` does after it wrote the table.
///
/// # Errors
/// As [`visualize`].
pub(crate) fn simple(table: PathBuf, folder: PathBuf) -> Result<Exit, Trouble> {
    visualize(&Arguments {
        csv: vec![table],
        mode: Mode::Simple,
        output: folder,
        format: Format::Png,
        lang: Language::English,
    })
}

impl Arguments {
    /// Which charts go where.
    fn sets(&self) -> Vec<(Chosen, PathBuf)> {
        match self.mode {
            Mode::Simple => vec![(Chosen::Simple, self.output.clone())],
            Mode::Advanced => vec![(Chosen::All, self.output.clone())],
            Mode::Both => vec![
                (Chosen::Simple, self.output.join("simple")),
                (Chosen::All, self.output.join("advanced")),
            ],
        }
    }
}

/// A set of charts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chosen {
    Simple,
    All,
}

impl Chosen {
    fn charts(self) -> impl Iterator<Item = &'static SweepChart> {
        SWEEP_CHARTS
            .iter()
            .filter(move |chart| self == Self::All || SIMPLE_CHARTS.contains(&chart.key))
    }
}

/// Draws one set into its folder.
fn draw(
    arguments: &Arguments,
    chosen: &Chosen,
    folder: &Folder,
    rows: &Rows,
    screen: &Screen,
) -> Result<(), Trouble> {
    let mut drawn: Vec<(&SweepChart, Figure)> = Vec::new();
    let mut empty: Vec<&str> = Vec::new();
    for chart in chosen.charts() {
        match (chart.draw)(&rows.cases) {
            Some(figure) => drawn.push((chart, figure)),
            None => empty.push(chart.key),
        }
    }
    let mut written = Vec::new();
    if arguments.format == Format::Html {
        written.push(folder.write("charts.html", page(arguments, rows, &drawn))?);
    } else {
        for (chart, figure) in &drawn {
            written.push(image(arguments, folder, chart, figure, screen)?);
        }
    }
    if *chosen == Chosen::All {
        let made = jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S").to_string();
        let report = report::text(&rows.cases, &made);
        written.push(folder.write("performance_report.txt", report)?);
    }
    for path in &written {
        screen.print(format!("{}\n", path.display()));
    }
    if !empty.is_empty() {
        screen.say(format!(
            "not drawn, since the results tell nothing of it: {}",
            empty.iter().map(|key| format!("{key} ({})", why(key))).collect::<Vec<_>>().join(", ")
        ));
    }
    if drawn.is_empty() {
        return Err(Trouble::input(format!(
            "none of {} has anything to draw",
            counted(rows.cases.len(), "result")
        )));
    }
    Ok(())
}

/// Writes one chart as an image.
fn image(
    arguments: &Arguments,
    folder: &Folder,
    chart: &SweepChart,
    figure: &Figure,
    screen: &Screen,
) -> Result<PathBuf, Trouble> {
    match figure.labels_left_out() {
        0 => {}
        left_out => screen.say(format!(
            "note: {}: no place for {}, whose points stand there without",
            chart.key,
            counted(left_out, "label")
        )),
    }
    match figure.left_out() {
        0 => {}
        left_out => screen.say(format!(
            "note: {}: not drawn, for they cannot stand on its axes: {}",
            chart.key,
            counted(left_out, "point")
        )),
    }
    if arguments.format == Format::Svg {
        return folder.write(&format!("{}.svg", chart.key), figure.svg_in(arguments.lang));
    }
    let name = format!("{}.png", chart.key);
    let png = figure.png_in(arguments.lang).map_err(|error| {
        Trouble::caused(format!("cannot draw {}", folder.path(&name).display()), &error)
            .with_hint("--format svg has no limit of size, and html shows every chart on one page")
    })?;
    folder.write(&name, png)
}

/// All charts on one page.
fn page(arguments: &Arguments, rows: &Rows, drawn: &[(&SweepChart, Figure)]) -> String {
    let figures: Vec<Shelved> = drawn
        .iter()
        .map(|(chart, figure)| Shelved {
            title: words(chart.title),
            about: words(chart.about),
            figure: figure.clone(),
        })
        .collect();
    figures_page(title(&rows.cases), &figures, Shown { language: arguments.lang })
}

/// The model, where all results are of one.
fn title(cases: &[Case]) -> Words {
    let first = cases.first().map_or("", |case| case.group.as_str());
    let one = !first.is_empty() && cases.iter().all(|case| case.group == first);
    let results = counted(cases.len(), "result");
    match one {
        true => {
            Words::both(format!("{first}: {results}"), format!("{first}：{} 个结果", cases.len()))
        }
        false => Words::both(results, format!("{} 个结果", cases.len())),
    }
}

/// What a chart needs that was not there.
fn why(key: &str) -> &'static str {
    match key {
        "slo_attainment" => "no objectives were set",
        "cost" => "no price_per_hour, or no load",
        "failures" => "nothing failed",
        "latency_throughput" | "percentiles_load" => "fewer than two loads",
        "pareto" => "fewer than two results with a number of users",
        _ => "no such figures",
    }
}

#[cfg(test)]
mod tests;
