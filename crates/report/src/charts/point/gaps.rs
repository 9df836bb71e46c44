//! How long the gaps between tokens were, over the time of the run.

use tokometer_metrics::course::{Course, Gaps};
use tokometer_metrics::summary::PointSummary;

use super::super::{PointChart, sheet, words};
use super::{time, titled};
use crate::figure::{Axis, Figure, Heat, Marks, Scale};
use crate::number::shortest;
use crate::words::Words;

pub(in super::super) const GAPS: PointChart = PointChart {
    key: "itl_heatmap",
    title: ("Gaps between tokens over time", "令牌间延迟热力图"),
    about: (
        "The stronger a cell's colour, the more gaps of that length ended then. A second band above the first is decoding that prefills held up; a band \
         that climbs, a batch that grows.",
        "颜色越强，表示该时段内该长度的间隔越多。主带之上的第二条带表示解码被预填充打断；带的上升表示批次变大。",
    ),
    draw,
};

fn draw(summary: &PointSummary, course: &Course) -> Option<Figure> {
    let gaps = course.gaps.as_ref()?;
    let (columns, rows) = (gaps.times.len().checked_sub(1)?, gaps.lengths.len().checked_sub(1)?);
    if columns == 0
        || gaps.counts.len() != columns * rows
        || gaps.counts.iter().all(|count| *count == 0)
    {
        return None;
    }
    let low = sparse(gaps, columns, rows);
    let heat = Heat {
        columns: gaps.times[..columns]
            .iter()
            .map(|at| shortest(*at, decimals(gaps)).into())
            .collect(),
        // The longest gaps stand at the top.
        rows: gaps.lengths[low..rows].iter().rev().map(|length| milliseconds(*length)).collect(),
        cells: (low..rows).rev().flat_map(|row| cells(gaps, row, columns, low)).collect(),
        label: words(("Gaps", "间隔数")),
        scale: Scale::Log,
        written: false,
        crossed: Vec::new(),
    };
    let y = match low {
        0 => words(("Gap of at least (ms)", "间隔不小于 (ms)")),
        low => {
            let below = milliseconds(gaps.lengths[low + 1]);
            Words::both(
                format!("Gap of at least (ms); lowest: all below {below}"),
                format!("间隔不小于 (ms)；最下行：小于 {below} 的全部"),
            )
        }
    };
    let panel = sheet::panel(Words::default(), time(), Axis::linear(y), Marks::Heat(heat));
    let size = sheet::size(11.0, 4.6);
    Some(sheet::figure(titled(GAPS.title, summary, size.width, None), vec![panel], 1, size))
}

/// The row that those below it are put into, where next to nothing is in them: a few pieces that came in one read would otherwise take
/// half of the picture.
fn sparse(gaps: &Gaps, columns: usize, rows: usize) -> usize {
    let all: u64 = gaps.counts.iter().sum();
    let mut below = 0;
    let mut row = 0;
    while row + 1 < rows {
        below += gaps.counts[row * columns..(row + 1) * columns].iter().sum::<u64>();
        if below as f64 > SPARSE * all as f64 {
            break;
        }
        row += 1;
    }
    // Of few rows none is put together, and the one before the first that counts stays empty.
    let row = row.saturating_sub(1);
    if row < FEW { 0 } else { row }
}

/// A cell without gaps is empty and not 0, which has no place on a logarithmic scale. The lowest holds those below it as well.
fn cells(
    gaps: &Gaps,
    row: usize,
    columns: usize,
    low: usize,
) -> impl Iterator<Item = Option<f64>> + '_ {
    let first = if row == low { 0 } else { row };
    (0..columns).map(move |column| {
        let count: u64 = (first..=row).map(|row| gaps.counts[row * columns + column]).sum();
        (count > 0).then_some(count as f64)
    })
}

fn decimals(gaps: &Gaps) -> usize {
    let each = gaps.times.get(1).zip(gaps.times.first()).map_or(1.0, |(next, first)| next - first);
    if each >= 1.0 { 0 } else { 2 }
}

fn milliseconds(seconds: f64) -> Words {
    let ms = seconds * 1e3;
    let decimals = if ms < 1.0 { 2 } else { usize::from(ms < 20.0) };
    shortest(ms, decimals).into()
}

/// Rows that hold no more than this share of all gaps together are put into one.
const SPARSE: f64 = 0.002;

/// So few rows are not worth it.
const FEW: usize = 4;
