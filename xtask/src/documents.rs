//! `cargo xtask documents`: the tables that public documents print, beside what the simulator's presets show under the same loads.
//!
//! In virtual time, or with `--live` through the whole product: `tokometer perf` against `sim://` over loopback, refusals as faults, which
//! takes as long as it took the documents' authors. `--calibrate` seeks the presets' coefficients anew, and prints the presets.
//!
//! Deliberately holds no coefficient: those stand in the presets. The documents' figures stand in [`tables`].

mod live;
mod tables;

use tokometer_metrics::catalog::{ICL, OUTPUT_THROUGHPUT, SUCCESS_RATE, TPOT, TTFT};
use tokometer_metrics::quantile::Percentile;
use tokometer_metrics::{Distribution, Run};
use tokometer_record::PointLog;
use tokometer_sim::Deployment;
use tokometer_sim::fit::{self, Coefficient, Figures, Load, Target};
use tokometer_sim::forecast::{self, Arrivals, Request};
use tokometer_sim::hardware;

use crate::Failed;
use tables::{DOCUMENTS, Document, Row};

/// Prints the tables, or seeks coefficients: of every preset that documents measured, or of the one that is named.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failed> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (how, named) = match arguments[..] {
        [] => ("", None),
        [how @ ("--live" | "--calibrate")] => (how, None),
        [how @ ("--live" | "--calibrate"), preset] => (how, Some(preset)),
        [preset] => ("", Some(preset)),
        _ => return Err(USAGE.into()),
    };
    let documents: Vec<&Document> = DOCUMENTS
        .iter()
        .filter(|document| named.is_none_or(|name| name == document.preset))
        .collect();
    if documents.is_empty() {
        return Err(USAGE.into());
    }
    match how {
        "--calibrate" => calibrate(&documents),
        "--live" => {
            let live = live::Live::begin()?;
            compare(&documents, &|document, row| live.run(document, row))
        }
        _ => {
            compare(&documents, &|document, row| forecast(&hardware::preset(document.preset)?, row))
        }
    }
}

/// A figure that documents print.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Figure {
    /// Output tokens a second.
    Throughput,
    /// Mean time to first token, seconds.
    MeanTtft,
    /// Its median.
    MedianTtft,
    /// Its 99th percentile.
    P99Ttft,
    /// Mean time per output token, seconds.
    MeanTpot,
    /// Median of the gaps between chunks, seconds.
    MedianItl,
    /// Their 99th percentile.
    P99Itl,
}

impl Figure {
    /// Its name, and by how much its unit is less than a second.
    const fn shown(self) -> (&'static str, f64) {
        match self {
            Self::Throughput => ("output, tok/s", 1.0),
            Self::MeanTtft => ("mean TTFT, ms", 1e3),
            Self::MedianTtft => ("median TTFT, ms", 1e3),
            Self::P99Ttft => ("p99 TTFT, ms", 1e3),
            Self::MeanTpot => ("mean TPOT, ms", 1e3),
            Self::MedianItl => ("median ITL, ms", 1e3),
            Self::P99Itl => ("p99 ITL, ms", 1e3),
        }
    }

    /// How far the simulator may be from the document, as a share. `None` for what is only shown.
    const fn allowed(self) -> Option<f64> {
        match self {
            Self::Throughput | Self::MeanTpot => Some(0.10),
            Self::MeanTtft => Some(0.25),
            Self::MedianTtft | Self::P99Ttft | Self::MedianItl | Self::P99Itl => None,
        }
    }

    fn of(self, run: &Run<'_>) -> Option<f64> {
        let mean = |values: Distribution| values.mean;
        let at = |which| move |values: Distribution| values.linear(which);
        match self {
            Self::Throughput => OUTPUT_THROUGHPUT.figure(run),
            Self::MeanTtft => TTFT.distribution(run).map(mean),
            Self::MedianTtft => TTFT.distribution(run).and_then(at(Percentile::P50)),
            Self::P99Ttft => TTFT.distribution(run).and_then(at(Percentile::P99)),
            Self::MeanTpot => TPOT.distribution(run).map(mean),
            Self::MedianItl => ICL.distribution(run).and_then(at(Percentile::P50)),
            Self::P99Itl => ICL.distribution(run).and_then(at(Percentile::P99)),
        }
    }
}

/// Prints each document's rows beside what `show` has of them.
fn compare(
    documents: &[&Document],
    show: &dyn Fn(&Document, &Row) -> Result<PointLog, Failed>,
) -> Result<(), Failed> {
    let mut off = 0;
    for document in documents {
        println!("### {}\n\nPreset `{}`. {}\n", document.title, document.preset, document.note);
        println!("| load | figure | document | simulator | difference | allowed | |");
        println!("|---|---|---:|---:|---:|---:|---|");
        for row in document.rows {
            let log = show(document, row)?;
            let run = Run::of(&log);
            for line in lines(row, &run) {
                println!("{line}");
                off += u32::from(line.verdict() == Verdict::Off);
            }
        }
        println!();
    }
    match off {
        0 => Ok(()),
        1 => Err("1 figure is farther from its document than is allowed".into()),
        n => Err(format!("{n} figures are farther from their documents than is allowed").into()),
    }
}

fn lines<'a>(row: &'a Row, run: &Run<'_>) -> Vec<Line<'a>> {
    let mut lines: Vec<Line<'a>> = row
        .figures
        .iter()
        .map(|(figure, document)| {
            let (name, unit) = figure.shown();
            let allowed = figure.allowed().filter(|_| !row.shown_only);
            let (document, simulator) = (document * unit, figure.of(run).map(|value| value * unit));
            Line { load: row.load, name, document, simulator, allowed }
        })
        .collect();
    // In virtual time only those that were served are offered, and the share says nothing.
    if let Some(share) = SUCCESS_RATE
        .figure(run)
        .filter(|_| row.served < row.number && run.measured.len() == row.number)
    {
        lines.push(Line {
            load: row.load,
            name: "success, %",
            document: 100.0 * row.served as f64 / row.number as f64,
            simulator: Some(share),
            allowed: Some(0.0),
        });
    }
    lines
}

/// One line of a table.
struct Line<'a> {
    load: &'a str,
    name: &'a str,
    document: f64,
    simulator: Option<f64>,
    allowed: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Ok,
    Off,
    ShownOnly,
}

impl Line<'_> {
    fn difference(&self) -> Option<f64> {
        self.simulator.map(|simulator| simulator / self.document - 1.0)
    }

    /// What is not there is off, if it should be there.
    fn verdict(&self) -> Verdict {
        match (self.allowed, self.difference()) {
            (None, _) => Verdict::ShownOnly,
            (Some(allowed), Some(difference)) if difference.abs() <= allowed + ROUNDING => {
                Verdict::Ok
            }
            _ => Verdict::Off,
        }
    }
}

impl std::fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let simulator =
            self.simulator.map_or_else(|| "–".to_owned(), |value| format!("{value:.2}"));
        let difference = self
            .difference()
            .map_or_else(|| "–".to_owned(), |share| format!("{:+.1} %", 100.0 * share));
        let allowed =
            self.allowed.map_or_else(|| "–".to_owned(), |share| format!("±{:.0} %", 100.0 * share));
        let verdict = match self.verdict() {
            Verdict::Ok => "ok",
            Verdict::Off => "**off**",
            Verdict::ShownOnly => "",
        };
        write!(
            f,
            "| {} | {} | {:.2} | {simulator} | {difference} | {allowed} | {verdict} |",
            self.load, self.name, self.document
        )
    }
}

/// The row in virtual time. Requests that were refused were in nobody's way, and are not offered.
fn forecast(deployment: &Deployment, row: &Row) -> Result<PointLog, Failed> {
    let Load { requests, arrivals, .. } = load(row);
    let forecast = forecast::run(deployment, &requests, &arrivals, SEED);
    Ok(forecast.log(&requests, &arrivals, 0..requests.len()))
}

fn load(row: &Row) -> Load {
    let request = Request {
        prompt_tokens: row.prompt_tokens,
        output_tokens: row.output_tokens,
        chain: [].into(),
    };
    Load {
        requests: vec![request; row.served],
        arrivals: Arrivals::InFlight(row.parallel.min(row.served)),
        warmup: 0,
    }
}

/// Seeks the coefficients of each document's preset, and prints the preset with them.
fn calibrate(documents: &[&Document]) -> Result<(), Failed> {
    for document in documents {
        let preset = hardware::named(document.preset)?;
        let mut begin = preset.deployed(document.preset)?.deployment;
        for coefficient in Coefficient::ALL {
            let held = document.held.iter().find(|(held, _)| *held == coefficient);
            coefficient.set(&mut begin, held.map_or(0.0, |(_, seconds)| *seconds));
        }
        let rows = document.rows.iter().filter(|row| !row.shown_only);
        let targets: Vec<Target> = rows.map(target).collect();
        let fitted = fit::fit(&begin, document.free, &targets);
        let (step, frontend) = fit::written(&fitted.deployment);
        println!(
            "# {}: root of the weighted mean square of what is left: {:.1} %",
            document.preset,
            100.0 * fitted.error
        );
        println!("{}", hardware::Preset { step, frontend, ..preset }.to_yaml());
    }
    Ok(())
}

fn target(row: &Row) -> Target {
    let of =
        |wanted| row.figures.iter().find(|(figure, _)| *figure == wanted).map(|(_, value)| *value);
    // Percentiles of few requests say little: they are shown, and not fitted to.
    let percentile = |wanted| of(wanted).filter(|_| row.served >= MANY);
    let figures = Figures {
        throughput: of(Figure::Throughput),
        tpot: of(Figure::MeanTpot),
        ttft: of(Figure::MeanTtft),
        ttft_p50: percentile(Figure::MedianTtft),
        ttft_p99: percentile(Figure::P99Ttft),
        duration: None,
    };
    Target { load: load(row), figures }
}

/// Of so many requests percentiles are fitted to.
const MANY: usize = 200;

/// Documents print their shares with one digit.
const ROUNDING: f64 = 5e-3;

/// Where noise comes from, if a preset has any.
const SEED: u64 = 42;

const USAGE: &str = "usage: cargo xtask documents [--live | --calibrate] [a100-qwen2.5-0.5b | c500x2-qwen3-32b]; --live takes ten minutes, \
                     --calibrate one or two";

#[cfg(test)]
mod tests {
    use super::*;

    fn line(document: f64, simulator: Option<f64>, allowed: Option<f64>) -> Line<'static> {
        Line { load: "1", name: "x", document, simulator, allowed }
    }

    #[test]
    fn a_figure_is_off_when_it_is_farther_than_allowed_or_not_there() {
        assert_eq!(line(100.0, Some(109.9), Some(0.1)).verdict(), Verdict::Ok);
        assert_eq!(line(100.0, Some(111.0), Some(0.1)).verdict(), Verdict::Off);
        assert_eq!(line(100.0, Some(f64::NAN), Some(0.1)).verdict(), Verdict::Off);
        assert_eq!(line(100.0, None, Some(0.1)).verdict(), Verdict::Off);
        assert_eq!(line(100.0, Some(300.0), None).verdict(), Verdict::ShownOnly);
    }

    #[test]
    fn the_share_of_refused_requests_is_told_where_they_were_offered() {
        let rows = DOCUMENTS.iter().flat_map(|document| document.rows);
        let row = rows.clone().find(|row| (row.served, row.number) == (6, 20)).unwrap();
        let deployment = hardware::preset("c500x2-qwen3-32b").unwrap();
        let mut log = forecast(&deployment, row).unwrap();
        let success = |log: &PointLog| {
            let lines = lines(row, &Run::of(log));
            lines
                .iter()
                .find(|line| line.name == "success, %")
                .map(|line| (line.simulator, line.verdict()))
        };
        assert_eq!(success(&log), None);
        let refused = tokometer_record::Failure::new(tokometer_record::FailureKind::Reset, "full");
        let mut other = log.records[0].clone();
        other.outcome = tokometer_record::Outcome::Failed(refused);
        log.records.resize(row.number, other);
        assert_eq!(success(&log), Some((Some(30.0), Verdict::Ok)));
    }

    #[test]
    fn every_document_has_what_the_aims_are_about() {
        for document in DOCUMENTS {
            for row in document.rows.iter().filter(|row| !row.shown_only) {
                for wanted in [Figure::Throughput, Figure::MeanTtft, Figure::MeanTpot] {
                    assert!(
                        row.figures.iter().any(|(figure, _)| *figure == wanted),
                        "{}",
                        row.load
                    );
                }
                assert!(row.served <= row.number && row.parallel <= row.number, "{}", row.load);
            }
        }
    }

    #[test]
    fn the_documents_tables_are_reproduced() {
        for document in DOCUMENTS {
            let deployment = hardware::preset(document.preset).unwrap();
            for row in document.rows {
                let log = forecast(&deployment, row).unwrap();
                for line in lines(row, &Run::of(&log)) {
                    assert_ne!(line.verdict(), Verdict::Off, "{}: {line}", document.preset);
                }
            }
        }
    }
}
