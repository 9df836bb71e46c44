//! What GPUs said: in short one row for all of them, in full a row each.
//!
//! Deliberately no judgement of a utilisation: it says that some kernel ran, and not how much of the GPU it used.

use tokometer_metrics::ServerSide;
use tokometer_metrics::server::{GpuUse, Xid};
use tokometer_record::GpuSignal;

use super::{Depth, LONGEST_NAME, NO_READING, Row};
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
    let errors = gpus.iter().filter(|gpu| gpu.xid.is_some_and(|xid| xid.during)).count();
    let errors = (errors > 0)
        .then(|| format!("! {} had an XID error", plural(errors as u64, "GPU", "GPUs")));
    let unheard = gpus.iter().all(|gpu| gpu.readings == 0).then(|| NO_READING.to_owned());
    let says: Vec<String> = errors.into_iter().chain(fullest).chain(power).chain(unheard).collect();
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
        gpu.xid.map(xid),
        memory(gpu).map(|(used, total)| format!("memory {} at most", of_memory(used, total))),
        share(GpuSignal::SmActive, "multiprocessors"),
        share(GpuSignal::TensorActive, "tensor cores"),
        share(GpuSignal::MemoryActive, "memory's interface"),
        level(GpuSignal::Power).map(|level| format!("{} W", fixed(level.mean, 0))),
        level(GpuSignal::Temperature).map(|level| format!("{} °C at most", fixed(level.max, 0))),
        level(GpuSignal::Clock).map(|level| format!("{} MHz", fixed(level.mean / 1e6, 0))),
        (gpu.readings == 0).then(|| NO_READING.to_owned()),
        (gpu.readings > 0 && gpu.levels.is_empty()).then(|| "it told no figure".to_owned()),
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

/// An error of the point, or the last one from before.
fn xid(xid: Xid) -> String {
    let code = shortest(xid.code, 0);
    match xid.during {
        true => format!("! XID error {code}"),
        false => format!("last XID {code}, from before the load"),
    }
}

const GIBIBYTE: f64 = 1_073_741_824.0;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tokometer_metrics::server::Level;

    use super::*;

    fn gpu(xid: Option<Xid>, readings: usize) -> GpuUse {
        let busy = Level { mean: 0.97, max: 1.0, ..Level::default() };
        let levels = BTreeMap::from([(GpuSignal::Utilization, busy)]);
        let levels = if readings > 0 { levels } else { BTreeMap::new() };
        GpuUse { id: "0".to_owned(), xid, readings, levels, ..GpuUse::default() }
    }

    fn told(gpus: Vec<GpuUse>, depth: Depth) -> String {
        rows(&ServerSide { gpus, ..ServerSide::default() }, depth)[0].says.clone()
    }

    #[test]
    fn an_old_error_alarms_nobody() {
        let xid = |during| Some(Xid { code: 31.0, during });
        let [new, old] = [true, false].map(|during| told(vec![gpu(xid(during), 9)], Depth::Full));
        assert_eq!([new.as_str(), &old], ["! XID error 31", "last XID 31, from before the load"]);
        let two = |during| told(vec![gpu(xid(during), 9), gpu(None, 9)], Depth::Brief);
        assert_eq!([two(true), two(false)], ["! 1 GPU had an XID error".to_owned(), String::new()]);
    }

    #[test]
    fn a_gpu_without_a_reading_in_the_load_says_so() {
        assert_eq!(told(vec![gpu(None, 0)], Depth::Brief), NO_READING);
        assert_eq!(told(vec![gpu(None, 0), gpu(None, 0)], Depth::Brief), NO_READING);
        let mute = GpuUse { readings: 3, ..GpuUse::default() };
        assert_eq!(told(vec![mute], Depth::Full), "it told no figure");
    }
}
