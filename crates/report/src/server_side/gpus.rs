//! What GPUs said: in short one row for all of them, in full a row each.
//!
//! Deliberately no judgement of a utilisation: it says that some kernel ran, and not how much of the GPU it used.

use tokometer_metrics::ServerSide;
use tokometer_metrics::server::GpuUse;
use tokometer_record::GpuSignal;

use super::{Depth, LONGEST_NAME, Row};
use crate::number::{count, fixed, plural, shortest};
use crate::prose::quoted;

/// The rows of a point.
pub(super) fn rows(side: &ServerSide, depth: Depth) -> Vec<Row> {
    match (depth, side.gpus.as_slice()) {
        (_, []) => Vec::new(),
        (Depth::Brief, [only]) => vec![Row { figure: "1 GPU".to_owned(), ..each(only) }],
        (Depth::Brief, several) => vec![together(several)],
        (Depth::Full, _) => side.gpus.iter().map(each).collect(),
    }
}

fn together(gpus: &[GpuUse]) -> Row {
    let means = |signal| -> Vec<f64> {
        gpus.iter().filter_map(|gpu| Some(gpu.levels.get(&signal)?.mean)).collect()
    };
    let busy = means(GpuSignal::Utilization);
    let value = match busy.is_empty() {
        true => "–".to_owned(),
        false => {
            let mean = busy.iter().sum::<f64>() / busy.len() as f64;
            format!("{} % busy", fixed(100.0 * mean, 0))
        }
    };
    let fullest = gpus
        .iter()
        .filter_map(memory)
        .max_by(|(a, whole_a), (b, whole_b)| (a / whole_a).total_cmp(&(b / whole_b)))
        .map(|(used, total)| format!("memory {} at the fullest", of_memory(used, total)));
    let power = means(GpuSignal::Power);
    let power = (!power.is_empty())
        .then(|| format!("{} W together", count(power.iter().sum::<f64>().round() as u64)));
    let errors = gpus.iter().filter(|gpu| xid(gpu).is_some()).count();
    let errors = (errors > 0)
        .then(|| format!("! {} had an XID error", plural(errors as u64, "GPU", "GPUs")));
    let says: Vec<String> = errors.into_iter().chain(fullest).chain(power).collect();
    Row::new(plural(gpus.len() as u64, "GPU", "GPUs"), value, says.join(", "))
}

fn each(gpu: &GpuUse) -> Row {
    let level = |signal| gpu.levels.get(&signal);
    let share = |signal, what: &str| {
        level(signal).map(|level| format!("{what} {} %", fixed(100.0 * level.mean, 0)))
    };
    let busy = level(GpuSignal::Utilization)
        .map_or_else(|| "–".to_owned(), |level| format!("{} % busy", fixed(100.0 * level.mean, 0)));
    let says: Vec<String> = [
        xid(gpu).map(|code| format!("! XID error {}", shortest(code, 0))),
        memory(gpu).map(|(used, total)| format!("memory {} at most", of_memory(used, total))),
        share(GpuSignal::SmActive, "multiprocessors"),
        share(GpuSignal::TensorActive, "tensor cores"),
        share(GpuSignal::MemoryActive, "memory's interface"),
        level(GpuSignal::Power).map(|level| format!("{} W", fixed(level.mean, 0))),
        level(GpuSignal::Temperature).map(|level| format!("{} °C at most", fixed(level.max, 0))),
        level(GpuSignal::Clock).map(|level| format!("{} MHz", fixed(level.mean / 1e6, 0))),
    ]
    .into_iter()
    .flatten()
    .collect();
    let name = match gpu.name.is_empty() {
        true => String::new(),
        false => format!(" ({})", quoted(&gpu.name, LONGEST_NAME)),
    };
    Row::new(format!("GPU {}{name}", quoted(&gpu.id, LONGEST_NAME)), busy, says.join(", "))
}

/// Bytes used at most, and how many there are.
fn memory(gpu: &GpuUse) -> Option<(f64, f64)> {
    let used = gpu.levels.get(&GpuSignal::MemoryUsed)?.max;
    let total = gpu.levels.get(&GpuSignal::MemoryTotal)?.max;
    (total > 0.0).then_some((used, total))
}

fn of_memory(used: f64, total: f64) -> String {
    format!("{} of {} GiB", fixed(used / GIBIBYTE, 1), fixed(total / GIBIBYTE, 1))
}

/// The code of an error, if there was one.
fn xid(gpu: &GpuUse) -> Option<f64> {
    gpu.levels.get(&GpuSignal::Xid).map(|level| level.max).filter(|&code| code > 0.0)
}

const GIBIBYTE: f64 = 1_073_741_824.0;
