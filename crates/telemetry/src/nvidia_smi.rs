//! What `nvidia-smi` says of the GPUs of this machine, where it is there.
//!
//! Deliberately without patience: a driver in trouble lets it hang. How often it is asked is for whoever asks.

use std::io::{self, Read as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use tokometer_record::{Gpu, GpuReading, GpuSignal, Offset};

use crate::gpu::Unit;

/// What the program's table says, in the form that [`ARGUMENTS`] ask for. `None` if it says nothing of any GPU.
pub fn reading(table: &str, at: Offset) -> Option<GpuReading> {
    let gpus: Vec<_> = table.lines().filter_map(gpu).collect();
    (!gpus.is_empty()).then(|| GpuReading { at, source: PROGRAM.to_owned(), gpus })
}

/// Runs the program once, and gives its table. Where programs are found, it goes by [`PROGRAM`].
///
/// # Errors
///
/// If there is no such program, if it cannot be run, if it says that it failed, or if it has not ended after three seconds.
pub fn ask(program: &Path) -> Result<String, AskError> {
    let name = program.display().to_string();
    let mut command = Command::new(program);
    command.args(ARGUMENTS).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (status, [table, complaint]) = match command.spawn().and_then(outcome) {
        Ok(Asked::Answered(status, said)) => (status, said),
        Ok(Asked::Ended) => return Err(AskError::Hangs { name }),
        Ok(Asked::Wedged) => return Err(AskError::Wedged { name }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(AskError::Missing { name });
        }
        Err(source) => return Err(AskError::NotRun { name, source }),
    };
    if status.success() {
        return Ok(table);
    }
    // It complains in either place.
    let words = first_words(&complaint).or_else(|| first_words(&table));
    Err(AskError::Failed { name, words: words.unwrap_or_else(|| status.to_string()) })
}

/// Why the program gave no table.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// There is no such program: most machines have no such GPUs.
    #[error("there is no {name} on this machine")]
    Missing {
        /// The program.
        name: String,
    },
    /// It could not be run.
    #[error("cannot run {name}: {source}")]
    NotRun {
        /// The program.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// It did not end, and was ended.
    #[error("{name} does not end")]
    Hangs {
        /// The program.
        name: String,
    },
    /// It did not end, and cannot be ended: it hangs in the driver. It is left as it is, and not to be asked again.
    #[error(
        "{name} does not end, and cannot be ended: is the driver in trouble? it is not asked again"
    )]
    Wedged {
        /// The program.
        name: String,
    },
    /// It ended in a failure.
    #[error("{name} failed: {words}")]
    Failed {
        /// The program.
        name: String,
        /// The first line of what it said, or how it ended where it said nothing.
        words: String,
    },
}

impl AskError {
    /// Whether there is none, for this user at least: it is missing, or may not be run.
    pub fn is_absence(&self) -> bool {
        match self {
            Self::Missing { .. } => true,
            Self::NotRun { source, .. } => source.kind() == io::ErrorKind::PermissionDenied,
            Self::Hangs { .. } | Self::Wedged { .. } | Self::Failed { .. } => false,
        }
    }
}

/// What became of the program.
enum Asked {
    /// It ended so, having said this in both places.
    Answered(ExitStatus, [String; 2]),
    /// It had to be ended.
    Ended,
    /// It could not be.
    Wedged,
}

/// All that the program says has room in the pipes, so that it does not wait for its reader.
fn outcome(mut child: Child) -> io::Result<Asked> {
    let Some(status) = ended(&mut child, MOST_GLANCES)? else {
        child.kill()?;
        // Not waited for without end: what hangs in a driver cannot be killed.
        return Ok(match ended(&mut child, LAST_GLANCES)? {
            Some(_) => Asked::Ended,
            None => Asked::Wedged,
        });
    };
    let (mut table, mut complaint) = (Vec::new(), Vec::new());
    if let (Some(mut stdout), Some(mut stderr)) = (child.stdout.take(), child.stderr.take()) {
        stdout.read_to_end(&mut table)?;
        stderr.read_to_end(&mut complaint)?;
    }
    let text = |said: Vec<u8>| String::from_utf8_lossy(&said).into_owned();
    Ok(Asked::Answered(status, [text(table), text(complaint)]))
}

fn ended(child: &mut Child, glances: u32) -> io::Result<Option<ExitStatus>> {
    for _ in 0..glances {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        thread::park_timeout(GLANCE);
    }
    Ok(None)
}

fn first_words(said: &str) -> Option<String> {
    let line = said.lines().map(str::trim).find(|line| !line.is_empty())?;
    Some(line.chars().take(200).collect::<String>().trim_end_matches('.').to_owned())
}

/// A line: index, UUID, name, and the figures in the order of [`FIGURES`]. One that cannot be told (`[N/A]`, `[Not Supported]`) is
/// left out.
fn gpu(line: &str) -> Option<Gpu> {
    let (index, rest) = line.split_once(',')?;
    let index: u32 = index.trim().parse().ok()?;
    let (uuid, rest) = rest.split_once(',')?;
    let uuid = uuid.trim();
    let uuid = if uuid.starts_with('[') { String::new() } else { uuid.to_owned() };
    // Figures hold no comma; a name might.
    let mut fields = rest.rsplitn(FIGURES.len() + 1, ',').map(str::trim);
    let mut values: Vec<_> = fields.by_ref().take(FIGURES.len()).collect();
    values.reverse();
    let name = fields.next()?.to_owned();
    let told = |((signal, unit), value): (&(GpuSignal, Unit), &str)| {
        let value: f64 = value.parse().ok()?;
        (value.is_finite() && 0.0 <= value).then(|| (*signal, unit.in_ours(value)))
    };
    let values = FIGURES.iter().zip(values).filter_map(told).collect();
    Some(Gpu { id: index.to_string(), uuid, name, values })
}

/// What the program is called.
pub const PROGRAM: &str = "nvidia-smi";

const GLANCE: Duration = Duration::from_millis(10);
const MOST_GLANCES: u32 = 300;

/// A program that can be killed at all is gone after the first of these.
const LAST_GLANCES: u32 = 50;

/// How the program is asked.
pub const ARGUMENTS: [&str; 2] = [
    "--query-gpu=index,uuid,name,utilization.gpu,memory.used,memory.total,power.draw,temperature.gpu,clocks.sm",
    "--format=csv,noheader,nounits",
];

/// The figures that [`ARGUMENTS`] ask for, after the index, the UUID and the name.
const FIGURES: [(GpuSignal, Unit); 6] = [
    (GpuSignal::Utilization, Unit::PerCent),
    (GpuSignal::MemoryUsed, Unit::Mebibytes),
    (GpuSignal::MemoryTotal, Unit::Mebibytes),
    (GpuSignal::Power, Unit::Ours),
    (GpuSignal::Temperature, Unit::Ours),
    (GpuSignal::Clock, Unit::Megahertz),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn gpus(table: &str) -> Vec<Gpu> {
        reading(table, Offset::ZERO).map(|reading| reading.gpus).unwrap_or_default()
    }

    #[test]
    fn a_line_is_a_gpu_in_shares_bytes_and_hertz() {
        let gpus = gpus(
            "0, GPU-1b2c, NVIDIA H100 80GB HBM3, 97, 70123, 81559, 523.45, 61, 1755\n\
             1, [N/A], NVIDIA H100 80GB HBM3, 0, 4, 81559, 69.91, 33, 345\n",
        );
        assert_eq!(gpus.len(), 2);
        assert_eq!((gpus[0].id.as_str(), gpus[0].name.as_str()), ("0", "NVIDIA H100 80GB HBM3"));
        let expected = [
            (GpuSignal::Utilization, 0.97),
            (GpuSignal::MemoryUsed, 70_123.0 * 1_048_576.0),
            (GpuSignal::MemoryTotal, 81_559.0 * 1_048_576.0),
            (GpuSignal::Power, 523.45),
            (GpuSignal::Temperature, 61.0),
            (GpuSignal::Clock, 1.755e9),
        ];
        assert_eq!(gpus[0].values.clone().into_iter().collect::<Vec<_>>(), expected);
        assert_eq!(gpus[1].id, "1");
        assert_eq!([gpus[0].uuid.as_str(), gpus[1].uuid.as_str()], ["GPU-1b2c", ""]);
    }

    #[test]
    fn what_cannot_be_told_is_left_out_and_the_rest_keeps_its_place() {
        let gpus = gpus("0, GPU-a, Orin, [N/A], 5, [Not Supported], [Unknown Error], 40, 1000\n");
        let expected = [
            (GpuSignal::MemoryUsed, 5.0 * 1_048_576.0),
            (GpuSignal::Temperature, 40.0),
            (GpuSignal::Clock, 1e9),
        ];
        assert_eq!(gpus[0].values.clone().into_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_name_may_hold_a_comma() {
        let gpus = gpus("3, GPU-a, Card, special edition, 1, 2, 3, 4, 5, 6\n");
        assert_eq!(gpus[0].name, "Card, special edition");
        assert_eq!(gpus[0].values[&GpuSignal::Power], 4.0);
    }

    #[test]
    fn what_is_no_table_is_none() {
        assert_eq!(reading("", Offset::ZERO), None);
        assert_eq!(reading("No devices were found\n", Offset::ZERO), None);
        assert_eq!(
            reading("index, uuid, name, utilization.gpu [%]\n0, GPU-a, cut\n", Offset::ZERO),
            None
        );
    }

    #[test]
    fn the_arguments_ask_for_the_figures_that_are_read() {
        let asked = ARGUMENTS[0].split_once('=').unwrap().1.split(',').count();
        assert_eq!(asked, 3 + FIGURES.len());
    }

    #[test]
    #[cfg(unix)]
    fn it_is_asked_by_its_arguments_and_its_failures_are_told() {
        let table = ask(Path::new("echo")).unwrap();
        assert_eq!(table.trim_end(), ARGUMENTS.join(" "));
        let failed = ask(Path::new("false")).unwrap_err();
        assert_eq!(failed.to_string(), "false failed: exit status: 1");
        let complaint = ask(Path::new("ls")).unwrap_err();
        assert!(
            matches!(&complaint, AskError::Failed { words, .. } if words.contains("query-gpu")),
            "{complaint}"
        );
        let missing = ask(Path::new("no-such-program-anywhere")).unwrap_err();
        assert!(matches!(missing, AskError::Missing { .. }), "{missing}");
    }

    #[test]
    #[cfg(unix)]
    fn what_hangs_is_ended_and_not_waited_for_without_end() {
        let mut hangs = Command::new("sleep").arg("600").spawn().unwrap();
        assert!(ended(&mut hangs, 1).unwrap().is_none());
        hangs.kill().unwrap();
        assert!(ended(&mut hangs, LAST_GLANCES).unwrap().is_some());
    }

    proptest! {
        #[test]
        fn no_table_makes_it_panic(table in r"([0-9]{1,3}, |[a-z\[\]/A-Z]{1,6}, |, |.|\n){0,40}") {
            for gpu in gpus(&table) {
                prop_assert!(gpu.values.values().all(|value| value.is_finite()));
            }
        }
    }
}
