//! How far the figures can be trusted: the verdict on the client itself, in words, of a point and of a run.
//!
//! Deliberately judges nothing: the verdict is made in `tokometer-metrics`, and is told here with what it rests on.

use tokometer_metrics::catalog::{CLIENT_CPU, LATENESS_P99, LOOP_LAG_MAX, LOOP_LAG_P99};
use tokometer_metrics::summary::PointSummary;
use tokometer_metrics::verdict::{Reason, Verdict};

use crate::grid::{Tone, toned};
use crate::number::{fixed, plural, shortest};
use crate::prose::paragraph;
use crate::{Style, label};

/// The verdict on a point, with what it rests on.
pub(crate) fn of_point(summary: &PointSummary, style: Style) -> String {
    match &summary.verdict {
        Verdict::Valid => {
            let valid = toned("valid.", Tone::Good, style);
            paragraph("Verdict: ", &format!("{valid} {}", kept_up(summary)))
        }
        Verdict::NotJudged { doubt } => {
            let heading = toned(NOT_JUDGED, Tone::Fair, style);
            paragraph("Verdict: ", &format!("{heading}, for {doubt}."))
        }
        Verdict::ClientLimited { reasons } => {
            let heading = toned(LIMITED, Tone::Poor, style);
            let mut text = format!(
                "Verdict: {heading}: these figures are partly the client's own, not the server's.\n"
            );
            for reason in reasons {
                text.push_str(&paragraph("  • ", &with_advice(reason)));
            }
            text
        }
    }
}

/// The verdict on a run, over all points in which a request ended.
pub(crate) fn of_points(points: &[&PointSummary], style: Style) -> String {
    let measured: Vec<&PointSummary> =
        points.iter().copied().filter(|summary| summary.counts.measured > 0).collect();
    if measured.is_empty() {
        let heading = toned(NOT_JUDGED, Tone::Fair, style);
        return format!("Verdict: {heading}, for no request ended.\n");
    }
    if let [only] = measured.as_slice() {
        return of_point(only, style);
    }
    let all = match measured.len() {
        2 => "both points".to_owned(),
        several => format!("all {several} points"),
    };
    let limited = measured.iter().filter(|summary| summary.verdict.is_client_limited()).count();
    let judged = measured.iter().filter(|summary| summary.verdict.doubt().is_none()).count();
    let at = |points: usize| match points == measured.len() {
        true => all.clone(),
        false => format!("{points} of {}", plural(measured.len() as u64, "point", "points")),
    };
    let opening = if limited > 0 {
        let heading = toned(LIMITED, Tone::Poor, style);
        format!(
            "{heading} at {}: figures there are partly the client's own, not the server's.",
            at(limited)
        )
    } else if judged < measured.len() {
        let heading = toned(NOT_JUDGED, Tone::Fair, style);
        let rest = if judged > 0 { " Elsewhere the client kept up." } else { "" };
        format!("{heading} at {}.{rest}", at(measured.len() - judged))
    } else {
        format!("{} The client kept up at {all}.", toned("valid.", Tone::Good, style))
    };
    paragraph("Verdict: ", &opening) + &measured.into_iter().map(told).collect::<String>()
}

/// What speaks against a point, a line each. Empty if nothing does.
fn told(summary: &PointSummary) -> String {
    let at = label::capital(&summary.point);
    let line = |text: String| paragraph("  • ", &format!("{at}: {text}"));
    match &summary.verdict {
        Verdict::Valid => String::new(),
        Verdict::NotJudged { doubt } => line(format!("not judged, for {doubt}.")),
        Verdict::ClientLimited { reasons } => reasons.iter().map(with_advice).map(line).collect(),
    }
}

fn with_advice(reason: &Reason) -> String {
    format!("{reason}: {}.", reason.advice())
}

fn kept_up(summary: &PointSummary) -> String {
    let ms = |seconds: f64| format!("{} ms", shortest(seconds * 1e3, 2));
    let late = summary
        .figure(&LATENESS_P99)
        .map(|late| format!("requests started {} late at p99", ms(late)));
    let p99 = summary.figure(&LOOP_LAG_P99).map(|lag| format!("{} late at p99", ms(lag)));
    let worst = || summary.figure(&LOOP_LAG_MAX).map(|lag| format!("{} late at worst", ms(lag)));
    let lag = p99.or_else(worst).map(|late| format!("its event loop was {late}"));
    let cpu =
        summary.figure(&CLIENT_CPU).map(|cpu| format!("it used {} % of one core", fixed(cpu, 0)));
    let facts: Vec<String> = [late, lag, cpu].into_iter().flatten().collect();
    let rests = match summary.client {
        None => " The log has no end, so this rests on the client's state once a second.",
        Some(_) => "",
    };
    format!("The client kept up: {}.{rests}", facts.join(", "))
}

const LIMITED: &str = "CLIENT-LIMITED";
const NOT_JUDGED: &str = "NOT JUDGED";
