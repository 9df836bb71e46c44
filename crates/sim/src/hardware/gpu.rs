//! GPUs: what their makers say that they can do.
//!
//! Peaks only: what of them is reached is for [`roofline`](super::roofline). Deliberately knows no interconnect: it is told by the
//! preset's coefficients, or estimated there.

/// A GPU, as its data sheet describes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gpu {
    /// What it is called here.
    pub name: &'static str,
    /// FLOP in a second with dense matrices of 16-bit floats, accumulated in 32 bits.
    pub flops: f64,
    /// Memory, in bytes. Makers' gigabytes are gibibytes here, as their cards have them.
    pub memory: f64,
    /// Bytes in a second from memory.
    pub bandwidth: f64,
    /// Where the numbers come from.
    pub source: &'static str,
}

/// The GPU of that name, capitals or not.
pub fn gpu(name: &str) -> Option<&'static Gpu> {
    GPUS.iter().find(|gpu| gpu.name.eq_ignore_ascii_case(name))
}

/// Every GPU that is known.
pub const GPUS: &[Gpu] = &[
    sheet("a100-40", 312.0, 40.0, 1555.0, "NVIDIA A100 data sheet, 40 GB"),
    sheet("a100-80", 312.0, 80.0, 2039.0, "NVIDIA A100 data sheet, 80 GB SXM"),
    sheet(
        "h100",
        989.4,
        80.0,
        3350.0,
        "NVIDIA H100 data sheet, SXM, half of the figure with sparsity",
    ),
    sheet(
        "h100-pcie",
        756.0,
        80.0,
        2000.0,
        "NVIDIA H100 data sheet, PCIe, half of the figure with sparsity",
    ),
    sheet(
        "h200",
        989.4,
        141.0,
        4800.0,
        "NVIDIA H200 data sheet, SXM, half of the figure with sparsity",
    ),
    sheet("h20", 148.0, 96.0, 4000.0, "NVIDIA H20, as resellers' data sheets have it"),
    sheet("b200", 2250.0, 180.0, 7700.0, "NVIDIA HGX B200 data sheet, an eighth of eight, dense"),
    sheet("l40s", 362.05, 48.0, 864.0, "NVIDIA L40S data sheet, without sparsity"),
    sheet("l4", 121.0, 24.0, 300.0, "NVIDIA L4 data sheet, half of the figure with sparsity"),
    sheet("a10", 125.0, 24.0, 600.0, "NVIDIA A10 data sheet"),
    sheet(
        "t4",
        65.0,
        16.0,
        320.0,
        "NVIDIA T4 data sheet; 16-bit floats, not bfloat16, which it lacks",
    ),
    sheet(
        "rtx-3090",
        71.0,
        24.0,
        936.0,
        "NVIDIA Ampere GA102 architecture paper, accumulating in 32 bits",
    ),
    sheet(
        "rtx-4090",
        165.2,
        24.0,
        1008.0,
        "NVIDIA Ada architecture paper, accumulating in 32 bits",
    ),
    sheet(
        "rtx-5090",
        209.5,
        32.0,
        1792.0,
        "NVIDIA RTX Blackwell architecture paper, accumulating in 32 bits",
    ),
    sheet("mi300x", 1307.4, 192.0, 5300.0, "AMD Instinct MI300X data sheet"),
    sheet("mi325x", 1307.4, 256.0, 6000.0, "AMD Instinct MI325X data sheet"),
];

/// A GPU from teraFLOP/s, GB and GB/s, as data sheets have them.
const fn sheet(
    name: &'static str,
    teraflops: f64,
    gigabytes: f64,
    gigabytes_per_second: f64,
    source: &'static str,
) -> Gpu {
    Gpu {
        name,
        flops: teraflops * 1e12,
        memory: gigabytes * (1_u64 << 30) as f64,
        bandwidth: gigabytes_per_second * 1e9,
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_is_found_by_its_name_with_capitals_or_without() {
        assert_eq!(gpu("H100").unwrap().bandwidth, 3.35e12);
        assert!(gpu("h1000").is_none());
    }

    #[test]
    fn no_two_gpus_have_one_name() {
        let mut names: Vec<_> = GPUS.iter().map(|gpu| gpu.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), GPUS.len());
    }

    #[test]
    fn every_gpu_does_between_30_and_1000_flop_in_the_time_of_a_byte() {
        // Outside of that some unit is wrong.
        for gpu in GPUS {
            let intensity = gpu.flops / gpu.bandwidth;
            assert!((30.0..1000.0).contains(&intensity), "{} {intensity}", gpu.name);
        }
    }
}
