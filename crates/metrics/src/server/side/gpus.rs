//! Each GPU over a point.

use std::collections::BTreeMap;

use tokometer_record::{GpuReading, GpuSignal, Offset};

use super::heard::Load;
use super::{GpuUse, Level};

/// What a GPU said of each figure, over time.
type Values = BTreeMap<GpuSignal, Vec<(Offset, f64)>>;

/// In the order in which they were first heard of.
pub(super) fn gpus(readings: &[GpuReading], load: Load) -> Vec<GpuUse> {
    let mut places: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut told: Vec<(GpuUse, Values)> = Vec::new();
    for reading in readings {
        for gpu in &reading.gpus {
            let place = *places.entry((&reading.source, &gpu.id)).or_insert_with(|| {
                let (source, id) = (reading.source.clone(), gpu.id.clone());
                told.push((GpuUse { source, id, ..GpuUse::default() }, Values::new()));
                told.len() - 1
            });
            let (known, values) = &mut told[place];
            if !gpu.name.is_empty() {
                known.name.clone_from(&gpu.name);
            }
            for (&signal, &value) in gpu.values.iter().filter(|(_, value)| value.is_finite()) {
                values.entry(signal).or_default().push((reading.at, value));
            }
        }
    }
    let summed = told.into_iter().map(|(known, values)| {
        let level = |(signal, values): (GpuSignal, Vec<_>)| {
            let stays = signal == GpuSignal::MemoryTotal;
            let level =
                if stays { Level::staying(&values, load) } else { Level::over(&values, load) };
            Some((signal, level?))
        };
        GpuUse { levels: values.into_iter().filter_map(level).collect(), ..known }
    });
    summed.collect()
}

#[cfg(test)]
mod tests {
    use tokometer_record::Gpu;

    use super::*;
    use crate::summary::testing::ms;

    fn reading(at: u64, gpus: &[(&str, f64)]) -> GpuReading {
        let gpu = |&(id, share): &(&str, f64)| Gpu {
            id: id.to_owned(),
            name: "H100".to_owned(),
            values: BTreeMap::from([
                (GpuSignal::Utilization, share),
                (GpuSignal::MemoryTotal, 8e10),
            ]),
        };
        GpuReading {
            at: ms(at),
            source: "nvidia-smi".to_owned(),
            gpus: gpus.iter().map(gpu).collect(),
        }
    }

    #[test]
    fn each_gpu_has_levels_of_its_own() {
        let readings = [
            reading(0, &[("0", 0.0), ("1", 0.0)]),
            reading(1_000, &[("0", 0.5), ("1", 0.2)]),
            reading(2_000, &[("0", 1.0)]),
        ];
        let told = gpus(&readings, Load { begin: ms(500), end: ms(2_000) });
        let levels: Vec<_> = told
            .iter()
            .map(|gpu| {
                (gpu.id.as_str(), gpu.name.as_str(), gpu.levels[&GpuSignal::Utilization].mean)
            })
            .collect();
        assert_eq!(levels, [("0", "H100", 0.75), ("1", "H100", 0.2)]);
    }

    #[test]
    fn memory_stays_and_use_does_not() {
        let told = gpus(&[reading(0, &[("0", 0.9)])], Load { begin: ms(500), end: ms(600) });
        assert_eq!(told[0].levels.keys().collect::<Vec<_>>(), [&GpuSignal::MemoryTotal]);
        assert_eq!(told[0].levels[&GpuSignal::MemoryTotal].readings, 0);
    }
}
