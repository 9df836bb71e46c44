//! Draws the panel: rows on a terminal, of whatever size it is.
//!
//! Everything that is said by a colour is said in words as well. Deliberately no figure is made here.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::bar;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Sparkline, SparklineBar};
use tokometer_report::Style as Dress;

use super::advice::{Advice, Tone};
use super::amounts::{cut, span};
use super::figures::View;
use super::rows::{LABEL, Measures, Row, Shows, TRACED, VALUE, rows, that_fit};

/// What the panel shows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Panel<'v> {
    /// What is known.
    pub(super) view: &'v View,
    /// How long it has been standing still, where it does.
    pub(super) paused: Option<Duration>,
    /// Whether there are colours.
    pub(super) dress: Dress,
}

/// Draws it over the whole terminal.
pub(super) fn draw(frame: &mut Frame<'_>, panel: &Panel<'_>) {
    let area = frame.area();
    let Some(lines) = area.height.checked_sub(1) else { return };
    let width = usize::from(area.width);
    let rows = that_fit(rows(panel.view, width), usize::from(lines));
    let spare = usize::from(lines) - rows.len();
    let traces = rows.iter().filter(|row| matches!(row.shows, Shows::Trace { .. })).count();
    // Lines that are left over make traces higher, all of them alike.
    let higher = spare.checked_div(traces).unwrap_or_default().min(HIGHER);
    let mut y = area.top();
    for row in &rows {
        let height = match row.shows {
            Shows::Trace { .. } => 1 + u16::try_from(higher).unwrap_or_default(),
            _ => 1,
        };
        show(frame, row, Rect { y, height, ..area }, panel.dress);
        y += height;
    }
    let keys = Rect { y: area.bottom() - 1, height: 1, ..area };
    frame.render_widget(keys_line(panel, width), keys);
}

fn keys_line(panel: &Panel<'_>, width: usize) -> Line<'static> {
    let (words, tone) = match panel.paused {
        Some(length) => (
            format!("PAUSED for {}, and still listening   p goes on   q quits", span(length)),
            Tone::Look,
        ),
        None => ("q quits   p pauses   r begins the averages anew".to_owned(), Tone::Plain),
    };
    Line::styled(format!(" {}", cut(&words, width.saturating_sub(1))), of(tone, panel.dress))
}

fn show(frame: &mut Frame<'_>, row: &Row, area: Rect, dress: Dress) {
    let width = usize::from(area.width);
    match &row.shows {
        Shows::Trace { label, value, columns, top } => {
            let left = u16::try_from(LABEL + TRACED + 1).unwrap_or(u16::MAX).min(area.width);
            frame.render_widget(Line::raw(format!(" {label:LABEL$}{value}")), area);
            let drawn = u16::try_from(columns.len()).unwrap_or(u16::MAX).min(area.width - left);
            let area = Rect { x: area.right() - drawn, width: drawn, ..area };
            let line = Sparkline::default()
                .data(columns.iter().map(|value| column(*value, *top, area.height)))
                .max(FULL)
                .absent_value_symbol("·");
            frame.render_widget(line, area);
        }
        _ => frame.render_widget(line(row, width, dress), area),
    }
}

/// A column's height. What is there at all is seen, however little it is.
fn column(value: Option<f64>, top: f64, height: u16) -> SparklineBar {
    let least = FULL.div_ceil(u64::from(height.max(1)) * 8);
    let height = value.map(|value| match value > 0.0 && top > 0.0 {
        true => ((value / top * FULL as f64) as u64).clamp(least, FULL),
        false => 0,
    });
    SparklineBar::from(height)
}

/// A row of words in that width.
pub(super) fn line(row: &Row, width: usize, dress: Dress) -> Line<'static> {
    let measures = Measures::of(width);
    match &row.shows {
        Shows::Blank => Line::default(),
        Shows::Words(words, tone) => {
            Line::styled(format!(" {}", cut(words, width.saturating_sub(1))), of(*tone, dress))
        }
        Shows::Trace { label, value, .. } => Line::raw(format!(" {label:LABEL$}{value}")),
        Shows::Figure { label, value, bar, advice } => {
            let figure = match bar {
                Some(share) => {
                    format!("{label:LABEL$}{value:VALUE$}{}", filled(*share, measures.bar))
                }
                None => format!("{label:LABEL$}{value}"),
            };
            let at = measures.advice_at() - 1;
            let figure = format!(" {figure:at$}");
            let room = width.saturating_sub(figure.chars().count() + 1);
            let words = advice.map(|advice| words(advice, room)).unwrap_or_default();
            let tone = advice.map_or(Tone::Plain, |advice| advice.tone);
            Line::from(vec![
                Span::raw(figure),
                Span::raw(" "),
                Span::styled(words, of(tone, dress)),
            ])
        }
    }
}

fn words(advice: Advice, room: usize) -> String {
    match advice.long.chars().count() <= room {
        true => advice.long.to_owned(),
        false => cut(advice.short, room),
    }
}

/// A bar of that width, filled so far, to an eighth of a cell.
fn filled(share: f64, width: usize) -> String {
    let eighths = (share.clamp(0.0, 1.0) * width as f64 * 8.0).round() as usize;
    let rest = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
    let full = eighths / 8;
    let empty = width - full - usize::from(!rest.is_empty());
    format!("{}{rest}{}", bar::FULL.repeat(full), "·".repeat(empty))
}

/// How words are dressed.
fn of(tone: Tone, dress: Dress) -> Style {
    let coloured = |colour: Color| match dress {
        Dress::Colour => Style::new().fg(colour),
        Dress::Plain => Style::new(),
    };
    match tone {
        Tone::Plain => Style::new(),
        Tone::Good => coloured(Color::Green),
        Tone::Look => coloured(Color::Yellow),
        Tone::Bad => coloured(Color::Red).add_modifier(Modifier::BOLD),
    }
}

/// What a column of full height is to the terminal's library, which takes whole numbers.
const FULL: u64 = 8_000;

/// By how many lines a trace becomes higher where there is room.
const HIGHER: usize = 2;

#[cfg(test)]
mod tests;
