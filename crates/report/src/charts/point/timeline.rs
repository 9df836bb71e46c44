//! Requests one below the other in their phases. What lies before the first token is one phase: from outside, waiting in the service's
//! queue and reading the prompt look the same.

use tokometer_metrics::course::{Course, Flown};
use tokometer_metrics::summary::PointSummary;

use super::super::{PointChart, sheet, words};
use super::time;
use crate::figure::{Axis, Colour, Dash, Figure, Layer, Look, Marker, Marks, Spanned, Spans};
use crate::number::count;
use crate::words::Words;

pub(in super::super) const TIMELINE: PointChart = PointChart {
    key: "request_timeline",
    title: ("Requests in their phases", "请求时间线"),
    about: (
        "Each row is a request: waiting in the client for its turn, then in the service until its first token (queue and prefill, which the \
         client cannot tell apart), then decoding.",
        "每行是一个请求：先在客户端等待，然后在服务端等待首令牌（排队与预填充，客户端无法区分），最后是解码。",
    ),
    draw,
};

fn draw(_summary: &PointSummary, course: &Course) -> Option<Figure> {
    let flights = &course.flights;
    if flights.is_empty() {
        return None;
    }
    let rows = flights.iter().map(row).collect();
    let waited = flights.iter().any(|flown| flown.started - flown.scheduled > SEEN * course.length);
    let kinds = [
        (("waiting in the client", "在客户端等待"), Colour::Muted),
        (("until the first token: queue and prefill", "首令牌前：排队与预填充"), Colour::Kind(4)),
        (("decode", "解码"), Colour::Kind(0)),
    ];
    let layer = |(name, colour): ((&'static str, &'static str), Colour)| Layer {
        name: words(name),
        look: Look { colour, dash: Dash::Kind(0), width: 1.0, marker: Marker::None },
        heights: Vec::new(),
    };
    let mut spans = Spans { kinds: kinds.into_iter().map(layer).collect(), rows };
    if !waited {
        spans.kinds.remove(0);
        for row in &mut spans.rows {
            row.parts.remove(0);
        }
    }
    let (shown, all) = (flights.len(), course.requests);
    let title = match shown < all {
        false => Words::default(),
        true => Words::both(
            format!(
                "{} of {} requests, the slowest and the failed among them",
                count(shown as u64),
                count(all as u64)
            ),
            format!(
                "显示 {} 个请求中的 {} 个，最慢和失败的请求均保留",
                count(all as u64),
                count(shown as u64)
            ),
        ),
    };
    let height = (1.4 + 0.05 * shown as f64).clamp(3.0, 6.0);
    let y = Axis::linear(words(("Requests, as they started", "请求（按开始顺序）")));
    let panel = sheet::panel(title, time(), y, Marks::Spans(spans));
    Some(sheet::figure(words(TIMELINE.title), vec![panel], 1, sheet::size(11.0, height)))
}

fn row(flown: &Flown) -> Spanned {
    let span = |from: f64, to: f64| (to > from).then_some((from, to));
    let parts = vec![
        span(flown.scheduled, flown.started),
        span(flown.started, flown.first.unwrap_or(flown.end)),
        flown.first.and_then(|first| span(first, flown.end)),
    ];
    let what = match (&flown.failure, flown.tokens) {
        (Some(kind), _) => format!(": {kind}"),
        (None, Some(tokens)) => format!(": {} tokens", count(u64::from(tokens))),
        (None, None) => String::new(),
    };
    Spanned { label: format!("{}{what}", flown.index), parts, failed: flown.failure.is_some() }
}

/// What takes this share of the whole time can be seen.
const SEEN: f64 = 0.002;
