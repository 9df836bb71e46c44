//! What an exporter of GPU metrics says: DCGM-exporter's names.
//!
//! Which GPUs a server uses is not told there, and not decided here: all that the exporter speaks of are kept.

use std::collections::BTreeMap;

use tokometer_record::{Gpu, GpuReading, GpuSignal, Offset};

use crate::prometheus::{Sample, samples};

/// What a page of metrics says of GPUs. `None` if it says nothing of any.
pub fn reading(page: &str, source: &str, at: Offset) -> Option<GpuReading> {
    let mut all: BTreeMap<Place, Told<'_>> = BTreeMap::new();
    for sample in
        samples(page).filter(|sample| sample.name.starts_with("DCGM_FI_") && is_told(sample.value))
    {
        let told = all.entry(Place::of(&sample)).or_default();
        // A GPU that several containers share is spoken of several times.
        told.fields.entry(sample.name).or_insert(sample.value);
        if told.name.is_empty() {
            told.name = sample.label("modelName").unwrap_or_default().into_owned();
        }
        if told.uuid.is_empty() {
            told.uuid = sample.label("UUID").unwrap_or_default().into_owned();
        }
    }
    let first_host = all.keys().next()?.host.clone();
    let several_hosts = all.keys().any(|place| place.host != first_host);
    let gpu = |(place, told): (Place, Told<'_>)| Gpu {
        id: place.id(several_hosts),
        uuid: place.uuid(&told.uuid),
        values: told.values(),
        name: told.name,
    };
    let gpus: Vec<_> = all.into_iter().map(gpu).filter(|gpu| !gpu.values.is_empty()).collect();
    (!gpus.is_empty()).then(|| GpuReading { at, source: source.to_owned(), gpus })
}

/// A unit in which GPUs are spoken of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unit {
    /// As a [`GpuSignal`] has it.
    Ours,
    PerCent,
    Mebibytes,
    Megahertz,
}

impl Unit {
    /// The same in the unit of a [`GpuSignal`]: a share, bytes, hertz.
    pub(crate) fn in_ours(self, value: f64) -> f64 {
        match self {
            Self::Ours => value,
            Self::PerCent => value / 100.0,
            Self::Mebibytes => value * 1_048_576.0,
            Self::Megahertz => value * 1e6,
        }
    }
}

/// A GPU, or a part of one that is used as if it were one (MIG). In order of hosts, then of numbers.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    host: String,
    number: Option<u32>,
    gpu: String,
    instance: String,
}

impl Place {
    fn of(sample: &Sample<'_>) -> Self {
        let first = |names: &[&str]| {
            let mut labels = names
                .iter()
                .filter_map(|name| sample.label(name))
                .filter(|label| !label.is_empty());
            labels.next().unwrap_or_default().into_owned()
        };
        let gpu = first(&["gpu", "device", "UUID"]);
        Self {
            host: first(&["Hostname", "hostname"]),
            number: gpu.parse().ok(),
            gpu,
            instance: first(&["GPU_I_ID"]),
        }
    }

    /// `0`; `node-a 0` where there are several hosts; `0 mig 13` of a part.
    fn id(&self, several_hosts: bool) -> String {
        let host = if several_hosts { self.host.as_str() } else { "" };
        let instance = self.part();
        let words = [host, &self.gpu, &instance].into_iter().filter(|word| !word.is_empty());
        words.collect::<Vec<_>>().join(" ")
    }

    /// DCGM tells of a part the UUID of the whole.
    fn uuid(&self, whole: &str) -> String {
        match whole.is_empty() || self.instance.is_empty() {
            true => whole.to_owned(),
            false => format!("{whole} {}", self.part()),
        }
    }

    fn part(&self) -> String {
        if self.instance.is_empty() { String::new() } else { format!("mig {}", self.instance) }
    }
}

/// What was said of one GPU, in DCGM's words.
#[derive(Default)]
struct Told<'p> {
    name: String,
    uuid: String,
    fields: BTreeMap<&'p str, f64>,
}

impl Told<'_> {
    fn values(&self) -> BTreeMap<GpuSignal, f64> {
        let told = |name: &str| self.fields.get(name).copied();
        let mut values = BTreeMap::new();
        for (signal, name, unit) in FIGURES {
            if let Some(value) = told(name) {
                values.entry(*signal).or_insert(unit.in_ours(value));
            }
        }
        if let (Some(used), Some(free)) = (told(USED), told(FREE)) {
            // What the driver keeps for itself is in neither. Older exporters do not tell it: the whole is a little larger
            // then.
            let whole = used + free + told(RESERVED).unwrap_or(0.0);
            values.entry(GpuSignal::MemoryTotal).or_insert(Unit::Mebibytes.in_ours(whole));
        }
        values
    }
}

/// Fields that DCGM has no value for hold numbers from here on, which none of those that are read here can reach.
fn is_told(value: f64) -> bool {
    const BLANK: f64 = 0x7fff_fff0_u32 as f64;
    (0.0..BLANK).contains(&value)
}

const USED: &str = "DCGM_FI_DEV_FB_USED";
const FREE: &str = "DCGM_FI_DEV_FB_FREE";
const RESERVED: &str = "DCGM_FI_DEV_FB_RESERVED";

/// Which of DCGM's fields is which figure, and in which unit. Of several that are one figure, the first that is told counts.
const FIGURES: &[(GpuSignal, &str, Unit)] = &[
    (GpuSignal::Utilization, "DCGM_FI_DEV_GPU_UTIL", Unit::PerCent),
    // Of a part of a GPU, DCGM tells no utilization; this is the same, measured more finely.
    (GpuSignal::Utilization, "DCGM_FI_PROF_GR_ENGINE_ACTIVE", Unit::Ours),
    (GpuSignal::MemoryUsed, USED, Unit::Mebibytes),
    (GpuSignal::MemoryTotal, "DCGM_FI_DEV_FB_TOTAL", Unit::Mebibytes),
    (GpuSignal::Power, "DCGM_FI_DEV_POWER_USAGE", Unit::Ours),
    (GpuSignal::Temperature, "DCGM_FI_DEV_GPU_TEMP", Unit::Ours),
    (GpuSignal::Clock, "DCGM_FI_DEV_SM_CLOCK", Unit::Megahertz),
    (GpuSignal::MemoryActive, "DCGM_FI_PROF_DRAM_ACTIVE", Unit::Ours),
    (GpuSignal::TensorActive, "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", Unit::Ours),
    (GpuSignal::SmActive, "DCGM_FI_PROF_SM_ACTIVE", Unit::Ours),
    (GpuSignal::Xid, "DCGM_FI_DEV_XID_ERRORS", Unit::Ours),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PAGE: &str = include_str!("testdata/dcgm.txt");

    fn gpus(page: &str) -> Vec<Gpu> {
        reading(page, "", Offset::ZERO).map(|reading| reading.gpus).unwrap_or_default()
    }

    fn values(gpu: &Gpu) -> Vec<(GpuSignal, f64)> {
        gpu.values.iter().map(|(signal, value)| (*signal, *value)).collect()
    }

    #[test]
    fn units_become_shares_bytes_and_hertz() {
        let gpus = gpus(PAGE);
        assert_eq!((gpus[0].id.as_str(), gpus[0].name.as_str()), ("0", "NVIDIA A100-SXM4-80GB"));
        let expected = [
            (GpuSignal::Utilization, 0.95),
            (GpuSignal::MemoryUsed, 70_000.0 * 1_048_576.0),
            (GpuSignal::MemoryTotal, 81_920.0 * 1_048_576.0),
            (GpuSignal::Power, 314.159),
            (GpuSignal::Temperature, 52.0),
            (GpuSignal::Clock, 1.41e9),
            (GpuSignal::MemoryActive, 0.690789),
            (GpuSignal::TensorActive, 0.25),
            (GpuSignal::SmActive, 0.75),
            (GpuSignal::Xid, 31.0),
        ];
        assert_eq!(values(&gpus[0]), expected);
    }

    #[test]
    fn gpus_come_by_their_numbers_and_parts_are_told_apart() {
        let ids: Vec<_> = gpus(PAGE).into_iter().map(|gpu| gpu.id).collect();
        assert_eq!(ids, ["0", "2", "2 mig 13", "10"]);
        let uuids: Vec<_> = gpus(PAGE).into_iter().map(|gpu| gpu.uuid).collect();
        assert_eq!(uuids, ["GPU-aaaa", "GPU-cccc", "GPU-cccc mig 13", "GPU-bbbb"]);
    }

    #[test]
    fn of_a_part_the_busy_engine_tells_the_utilization() {
        let part = gpus(PAGE).into_iter().find(|gpu| gpu.id == "2 mig 13").unwrap();
        assert_eq!(
            values(&part),
            [(GpuSignal::Utilization, 0.99563), (GpuSignal::TensorActive, 0.92926)]
        );
    }

    #[test]
    fn what_the_whole_memory_is_follows_from_its_parts_where_it_is_not_told() {
        let last = gpus(PAGE).pop().unwrap();
        assert_eq!(last.values[&GpuSignal::MemoryTotal], (100.0 + 900.0 + 24.0) * 1_048_576.0);
        let used_alone = gpus("DCGM_FI_DEV_FB_USED{gpu=\"0\"} 5\n");
        assert_eq!(values(&used_alone[0]), [(GpuSignal::MemoryUsed, 5.0 * 1_048_576.0)]);
    }

    #[test]
    fn a_field_without_a_value_is_left_out() {
        let last = gpus(PAGE).pop().unwrap();
        assert_eq!(last.values.get(&GpuSignal::Power), None);
        assert_eq!(last.values.get(&GpuSignal::SmActive), None);
    }

    #[test]
    fn hosts_are_told_apart_where_there_are_several() {
        let of = |host: &str, value: u32| {
            format!("DCGM_FI_DEV_GPU_TEMP{{gpu=\"0\",Hostname=\"{host}\"}} {value}\n")
        };
        let ids = |page: &str| gpus(page).into_iter().map(|gpu| gpu.id).collect::<Vec<_>>();
        assert_eq!(ids(&of("a", 40)), ["0"]);
        assert_eq!(ids(&(of("b", 40) + &of("a", 50))), ["a 0", "b 0"]);
    }

    #[test]
    fn a_gpu_that_several_containers_share_is_one() {
        let of = |pod: &str| format!("DCGM_FI_DEV_GPU_UTIL{{gpu=\"0\",pod=\"{pod}\"}} 60\n");
        let gpus = gpus(&(of("a") + &of("b")));
        assert_eq!(gpus.len(), 1);
        assert_eq!(values(&gpus[0]), [(GpuSignal::Utilization, 0.6)]);
    }

    #[test]
    fn a_page_of_something_else_is_none() {
        assert_eq!(reading(include_str!("testdata/vllm.txt"), "", Offset::ZERO), None);
        assert_eq!(reading("DCGM_FI_DEV_FAN_SPEED{gpu=\"0\"} 3\n", "", Offset::ZERO), None);
    }

    proptest! {
        #[test]
        fn whatever_is_written_every_value_is_a_number(
            lines in prop::collection::vec(("(FB_USED|FB_FREE|GPU_UTIL|SM_CLOCK)", "[0-9eE.+-]{1,9}|NaN|Inf"), 0..20)
        ) {
            let page: String = lines.iter().map(|(name, value)| format!("DCGM_FI_DEV_{name}{{gpu=\"0\"}} {value}\n")).collect();
            for gpu in gpus(&page) {
                prop_assert!(gpu.values.values().all(|value| value.is_finite()));
            }
        }
    }
}
