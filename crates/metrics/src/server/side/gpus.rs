//! Each GPU over a point, once: by its UUID where that is told, however many sources tell of it. What its first source does
//! not tell is taken from the others.

use std::collections::BTreeMap;

use tokometer_record::{Gpu, GpuReading, GpuSignal, Offset};

use super::heard::Load;
use super::{GpuUse, Level, Xid};

/// What a GPU said of each figure, over time.
type Values = BTreeMap<GpuSignal, Vec<(Offset, f64)>>;

/// A GPU as it is heard.
#[derive(Default)]
struct Told {
    known: GpuUse,
    values: Values,
    /// By sources other than the first, each by its name.
    elsewhere: BTreeMap<String, Values>,
    /// When it was heard first.
    since: Offset,
}

/// In the order in which they were first heard of.
pub(super) fn gpus(readings: &[GpuReading], load: Load) -> Vec<GpuUse> {
    let mut places: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut told: Vec<Told> = Vec::new();
    for reading in readings {
        for gpu in &reading.gpus {
            let place = *places.entry(key(reading, gpu)).or_insert_with(|| {
                let (source, id) = (reading.source.clone(), gpu.id.clone());
                let known = GpuUse { source, id, ..GpuUse::default() };
                told.push(Told { known, since: reading.at, ..Told::default() });
                told.len() - 1
            });
            told[place].hear(reading, gpu, load);
        }
    }
    told.into_iter().map(|told| told.summed(load)).collect()
}

/// What tells a GPU from the others: its UUID, or else its number at its source.
fn key<'a>(reading: &'a GpuReading, gpu: &'a Gpu) -> (&'a str, &'a str) {
    match gpu.uuid.as_str() {
        "" => (&reading.source, &gpu.id),
        uuid => ("", uuid),
    }
}

impl Told {
    fn hear(&mut self, reading: &GpuReading, gpu: &Gpu, load: Load) {
        let own = reading.source == self.known.source;
        if !gpu.name.is_empty() && (own || self.known.name.is_empty()) {
            self.known.name.clone_from(&gpu.name);
        }
        self.known.readings += usize::from(own && load.holds(reading.at));
        let values = match own {
            true => &mut self.values,
            false => self.elsewhere.entry(reading.source.clone()).or_default(),
        };
        for (&signal, &value) in gpu.values.iter().filter(|(_, value)| value.is_finite()) {
            values.entry(signal).or_default().push((reading.at, value));
        }
    }

    fn summed(mut self, load: Load) -> GpuUse {
        for (signal, values) in self.elsewhere.into_values().flatten() {
            self.values.entry(signal).or_insert(values);
        }
        let xid = self.values.get(&GpuSignal::Xid).and_then(|codes| xid(codes, self.since, load));
        let level = |(signal, values): (GpuSignal, Vec<_>)| {
            let stays = signal == GpuSignal::MemoryTotal;
            let level =
                if stays { Level::staying(&values, load) } else { Level::over(&values, load) };
            Some((signal, level?))
        };
        GpuUse { levels: self.values.into_iter().filter_map(level).collect(), xid, ..self.known }
    }
}

/// The last XID error of a GPU that was heard since then. It came during the point if the code is not the one from before
/// the load, or there was none.
fn xid(codes: &[(Offset, f64)], since: Offset, load: Load) -> Option<Xid> {
    let from = codes.partition_point(|&(at, _)| at <= load.begin);
    let before = match from.checked_sub(1) {
        Some(before) => codes[before].1,
        None => codes.first().filter(|&&(at, _)| at <= since).map_or(0.0, |&(_, code)| code),
    };
    let mut came = codes[from..].iter().rev().map(|&(_, code)| code);
    let came = came.find(|&code| code > 0.0 && code != before);
    match came {
        Some(code) => Some(Xid { code, during: true }),
        None => (before > 0.0).then_some(Xid { code: before, during: false }),
    }
}

#[cfg(test)]
mod tests {
    use tokometer_record::Gpu;

    use super::*;
    use crate::summary::testing::ms;

    fn reading(at: u64, gpus: &[(&str, f64)]) -> GpuReading {
        let gpu = |&(id, share): &(&str, f64)| Gpu {
            id: id.to_owned(),
            uuid: String::new(),
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

    /// The codes of one GPU, read each half second, and what they come to in a load from 500 ms on.
    fn xid_of(codes: &[Option<f64>]) -> Option<(f64, bool)> {
        let readings: Vec<GpuReading> = (0..)
            .zip(codes)
            .map(|(i, code)| {
                let mut reading = reading(i * 500, &[("0", 0.5)]);
                let values = &mut reading.gpus[0].values;
                code.map(|code| values.insert(GpuSignal::Xid, code));
                reading
            })
            .collect();
        let load = Load { begin: ms(500), end: ms(9_000) };
        gpus(&readings, load)[0].xid.map(|xid| (xid.code, xid.during))
    }

    #[test]
    fn an_old_error_is_none_of_the_point() {
        assert_eq!(xid_of(&[Some(31.0), Some(31.0), Some(31.0)]), Some((31.0, false)));
        assert_eq!(xid_of(&[Some(0.0), Some(0.0)]), None);
    }

    #[test]
    fn an_error_that_appears_or_changes_is_the_point_s() {
        assert_eq!(xid_of(&[Some(0.0), Some(0.0), Some(79.0)]), Some((79.0, true)));
        assert_eq!(xid_of(&[Some(31.0), Some(31.0), Some(79.0)]), Some((79.0, true)));
        assert_eq!(xid_of(&[None, None, Some(79.0)]), Some((79.0, true)));
    }

    #[test]
    fn a_gpu_that_two_sources_tell_of_counts_once() {
        let known = |at, source: &str, signal| GpuReading {
            at: ms(at),
            source: source.to_owned(),
            gpus: vec![Gpu {
                id: "0".to_owned(),
                uuid: "GPU-1".to_owned(),
                name: "H100".to_owned(),
                values: BTreeMap::from([(GpuSignal::Utilization, 0.5), (signal, 8.0)]),
            }],
        };
        let readings = [
            known(600, "nvidia-smi", GpuSignal::Power),
            known(610, "http://here:9400/metrics", GpuSignal::Xid),
            known(620, "http://localhost:9400/metrics", GpuSignal::Xid),
        ];
        let told = gpus(&readings, Load { begin: ms(500), end: ms(2_000) });
        assert_eq!((told.len(), told[0].source.as_str(), told[0].readings), (1, "nvidia-smi", 1));
        assert_eq!(told[0].levels[&GpuSignal::Utilization].readings, 1);
        assert!(told[0].levels.contains_key(&GpuSignal::Power) && told[0].xid.is_some());
    }
}
