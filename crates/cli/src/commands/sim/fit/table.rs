//! How well a fit tells the runs: each point's figures, measured and forecast, and how far they are apart.
//!
//! Deliberately computes no figure but the difference of two.

use tokometer_sim::fit::Figures;
use tokometer_sim::hardware::FitPoint;

/// A point, as it was measured and as the fitted preset has it.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) name: String,
    /// Whether it was fitted to.
    pub(super) fitted: bool,
    /// Requests that were measured.
    pub(super) requests: usize,
    pub(super) measured: Figures,
    pub(super) forecast: Figures,
}

impl Shown {
    /// For the preset's file, to a tenth of a percent.
    pub(super) fn written(&self) -> FitPoint {
        let of = |figure: fn(&Figures) -> Option<f64>| {
            error(figure(&self.measured), figure(&self.forecast))
                .map(|error| (error * 1e3).round() / 10.0)
        };
        FitPoint {
            point: self.name.clone(),
            fitted: self.fitted,
            throughput_error_percent: of(|figures| figures.throughput),
            tpot_error_percent: of(|figures| figures.tpot),
            ttft_error_percent: of(|figures| figures.ttft),
        }
    }

    fn cells(&self) -> Vec<String> {
        let mut cells = vec![self.name.clone(), self.requests.to_string()];
        cells.extend(COLUMNS.iter().map(|(_, unit, figure)| {
            let (measured, forecast) = (figure(&self.measured), figure(&self.forecast));
            let number = |figure: Option<f64>| {
                figure.map_or_else(|| "–".to_owned(), |figure| short(figure * unit))
            };
            let error = error(measured, forecast)
                .map_or_else(String::new, |error| format!(" {:+.1} %", 100.0 * error));
            format!("{} → {}{error}", number(measured), number(forecast))
        }));
        cells
    }
}

/// The tables of what was fitted to and of what was held out.
pub(super) fn text(points: &[Shown]) -> String {
    let mut text = String::new();
    let parts =
        [(true, "fitted to"), (false, "held out: forecast with what was fitted to the others")];
    for (fitted, title) in parts {
        let rows: Vec<Vec<String>> =
            points.iter().filter(|point| point.fitted == fitted).map(Shown::cells).collect();
        if !rows.is_empty() {
            text.push_str(&format!("{title} (measured → forecast)\n{}", set(rows)));
        }
    }
    text
}

/// The rows below a heading, in columns.
fn set(mut rows: Vec<Vec<String>>) -> String {
    let mut heading = vec!["point".to_owned(), "requests".to_owned()];
    heading.extend(COLUMNS.iter().map(|(name, ..)| (*name).to_owned()));
    rows.insert(0, heading);
    let columns = rows[0].len();
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default())
        .collect();
    let mut text = String::new();
    for row in &rows {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.chars().count())))
            .collect();
        text.push_str(&format!("  {}\n", cells.join("   ").trim_end()));
    }
    text
}

/// By which share the forecast is above the measurement, or below it.
fn error(measured: Option<f64>, forecast: Option<f64>) -> Option<f64> {
    let measured = measured.filter(|measured| *measured > 0.0)?;
    Some(forecast? / measured - 1.0)
}

/// A number with four digits at most after its first.
fn short(number: f64) -> String {
    match number.abs() {
        0.0..10.0 => format!("{number:.3}"),
        10.0..100.0 => format!("{number:.2}"),
        _ => format!("{number:.1}"),
    }
}

/// What is shown: its name, its unit's part of a second, and where it is found.
type Column = (&'static str, f64, fn(&Figures) -> Option<f64>);

const COLUMNS: [Column; 5] = [
    ("output tok/s", 1.0, |figures| figures.throughput),
    ("mean TPOT ms", 1e3, |figures| figures.tpot),
    ("mean TTFT ms", 1e3, |figures| figures.ttft),
    ("p50 TTFT ms", 1e3, |figures| figures.ttft_p50),
    ("p99 TTFT ms", 1e3, |figures| figures.ttft_p99),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(name: &str, fitted: bool, forecast: Option<f64>) -> Shown {
        let figures = |tpot| Figures { throughput: Some(800.0), tpot, ..Figures::default() };
        Shown {
            name: name.into(),
            fitted,
            requests: 60,
            measured: figures(Some(0.005)),
            forecast: figures(forecast),
        }
    }

    #[test]
    fn the_tables_tell_fitted_and_held_out_apart() {
        let text = text(&[shown("1", true, Some(0.0055)), shown("8", false, None)]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 6, "{text}");
        assert_eq!(lines[0], "fitted to (measured → forecast)");
        assert!(
            lines[2].contains("800.0 → 800.0 +0.0 %   5.000 → 5.500 +10.0 %   – → –"),
            "{text}"
        );
        assert!(lines[5].contains("5.000 → –"), "{text}");
    }

    #[test]
    fn errors_are_written_to_a_tenth_of_a_percent() {
        let written = shown("1", true, Some(0.005_104)).written();
        assert_eq!(written.tpot_error_percent, Some(2.1));
        assert_eq!(
            (written.throughput_error_percent, written.ttft_error_percent),
            (Some(0.0), None)
        );
    }
}
