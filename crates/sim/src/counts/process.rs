//! What the process takes of the machine, as the system tells it: the families of Python's client, of this process instead.
//!
//! Only on Linux, as there; elsewhere the families are missing.

use crate::counts::text::Page;

/// Writes the families. What cannot be read is left out.
#[cfg(not(target_os = "linux"))]
pub(super) fn write(_: &mut Page) {}

/// Writes the families. What cannot be read is left out.
#[cfg(target_os = "linux")]
pub(super) fn write(page: &mut Page) {
    let Ok(usage) = linux::read() else { return };
    let families = [
        (
            "process_virtual_memory_bytes",
            "gauge",
            "Virtual memory size in bytes.",
            Some(usage.virtual_bytes as f64),
        ),
        (
            "process_resident_memory_bytes",
            "gauge",
            "Resident memory size in bytes.",
            Some(usage.resident_bytes as f64),
        ),
        (
            "process_start_time_seconds",
            "gauge",
            "Start time of the process since unix epoch in seconds.",
            Some(usage.started),
        ),
        (
            "process_cpu_seconds_total",
            "counter",
            "Total user and system CPU time spent in seconds.",
            Some(usage.cpu_seconds),
        ),
        (
            "process_open_fds",
            "gauge",
            "Number of open file descriptors.",
            usage.open_descriptors.map(|open| open as f64),
        ),
        (
            "process_max_fds",
            "gauge",
            "Maximum number of open file descriptors.",
            usage.most_descriptors.map(|most| most as f64),
        ),
    ];
    for (name, kind, help, value) in families {
        if let Some(value) = value {
            page.family(name, kind, help);
            page.sample(name, &[], value);
        }
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use procfs::process::{LimitValue, Process};
    use procfs::{ProcResult, WithCurrentSystemInfo};

    /// What the process takes.
    pub(super) struct Usage {
        pub(super) virtual_bytes: u64,
        pub(super) resident_bytes: u64,
        /// Seconds since 1970.
        pub(super) started: f64,
        pub(super) cpu_seconds: f64,
        pub(super) open_descriptors: Option<usize>,
        /// `None` if there is no limit.
        pub(super) most_descriptors: Option<u64>,
    }

    pub(super) fn read() -> ProcResult<Usage> {
        let process = Process::myself()?;
        let stat = process.stat()?;
        let ticks = procfs::ticks_per_second() as f64;
        let limit = process.limits().map(|limits| limits.max_open_files.soft_limit);
        Ok(Usage {
            virtual_bytes: stat.vsize,
            resident_bytes: stat.rss_bytes().get(),
            started: procfs::boot_time_secs()? as f64 + stat.starttime as f64 / ticks,
            cpu_seconds: (stat.utime + stat.stime) as f64 / ticks,
            open_descriptors: process.fd_count().ok(),
            most_descriptors: match limit {
                Ok(LimitValue::Value(most)) => Some(most),
                Ok(LimitValue::Unlimited) | Err(_) => None,
            },
        })
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_knows_what_it_takes() {
        let usage = linux::read().unwrap();
        assert!(0 < usage.resident_bytes && usage.resident_bytes <= usage.virtual_bytes);
        // Later than 2020, and a process has its standard streams.
        assert!(usage.started > 1.577e9 && usage.open_descriptors.unwrap() >= 3);
        let held: Vec<_> =
            (0..5).map(|_| std::fs::File::open("/proc/self/stat").unwrap()).collect();
        assert!(linux::read().unwrap().open_descriptors.unwrap() >= held.len() + 3);
        let mut page = Page::default();
        write(&mut page);
        assert!(page.into_text().starts_with(
            "# HELP process_virtual_memory_bytes Virtual memory size in bytes.\n\
             # TYPE process_virtual_memory_bytes gauge\nprocess_virtual_memory_bytes "
        ));
    }
}
