//! A point of a measured run, as something to fit: what was offered, what it showed, and what is to be said of it.
//!
//! Deliberately reads no file: a log that was read is given.

use std::time::Duration;

use tokometer_metrics::Run;
use tokometer_metrics::summary::summarize;
use tokometer_record::{Phase, Point, PointLog, Record, Scrape};

use super::load::{Figures, Load};
use crate::forecast::{Arrivals, Request};

/// A point of a measured run.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// What it is chosen by: requests in flight, or requests a second.
    pub place: Place,
    /// What was offered.
    pub load: Load,
    /// What it showed.
    pub figures: Figures,
    /// What is to be said of it, beginning with a small letter.
    pub remarks: Vec<String>,
    /// Tokens in a block of the server's KV cache, and how many blocks it has, where the server told.
    pub cache: Option<(u32, u32)>,
}

/// What a point is chosen by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Place {
    /// So many requests in flight.
    InFlight(usize),
    /// So many requests a second, by schedule.
    Rate(f64),
    /// Everything at once, or at recorded moments.
    Scheduled,
}

/// Why a point cannot be fitted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// No request of it can be used.
    #[error("has no request that succeeded and whose tokens are known{}", told(*failed, *uncounted))]
    Empty {
        /// How many requests failed.
        failed: usize,
        /// How many succeeded, but nobody knows the tokens of their prompt or output.
        uncounted: usize,
    },
    /// Its requests ask for no output.
    #[error(
        "asked for results, and not for output: steps that only compute prompts cannot be fitted"
    )]
    Results,
}

impl Observed {
    /// What `log` shows.
    ///
    /// # Errors
    /// If nothing can be made of it.
    pub fn of(log: &PointLog) -> Result<Self, Unusable> {
        let run = Run::of(log);
        let failed = run.measured.iter().filter(|record| !record.succeeded()).count();
        let usable: Vec<&Record> =
            run.all.iter().copied().filter(|record| tokens(record).is_some()).collect();
        let counted = usable.iter().filter(|record| record.phase == Phase::Measured).count();
        let uncounted = run.measured.len() - failed - counted;
        if counted == 0 {
            let results = run.successes().any(|record| record.inputs.is_some());
            return Err(match results {
                true => Unusable::Results,
                false => Unusable::Empty { failed, uncounted },
            });
        }
        let place = Place::of(&log.point);
        let load = offered(&usable, place);
        let kept = PointLog {
            records: usable.iter().map(|record| (*record).clone()).collect(),
            ..PointLog::begun(log.point.clone())
        };
        let figures = Figures::of(&kept);
        let mut remarks = Vec::new();
        remarks.extend(left_out(failed, uncounted));
        if summarize(log).verdict.is_client_limited() {
            remarks.push("the client was too slow for it: the figures are partly its own".into());
        }
        if figures.ttft.is_none() {
            remarks.push("nothing was streamed: of time only the throughput tells".into());
        }
        remarks.extend(cached(&usable));
        remarks.extend(idle(&usable, place));
        Ok(Self { place, load, figures, remarks, cache: cache(log.scrapes.first()) })
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::InFlight(most) => write!(f, "{most}"),
            Self::Rate(rate) => write!(f, "{rate}/s"),
            Self::Scheduled => f.write_str("scheduled"),
        }
    }
}

impl Place {
    /// What a point is chosen by.
    pub fn of(point: &Point) -> Self {
        match (point.rate, point.concurrency) {
            (Some(rate), _) if rate.is_finite() && rate > 0.0 => Self::Rate(rate),
            (None, Some(most)) if !point.open_loop => Self::InFlight(most),
            _ => Self::Scheduled,
        }
    }

    /// Whether it is what `number` chooses.
    pub fn is(self, number: f64) -> bool {
        match self {
            Self::InFlight(most) => most as f64 == number,
            Self::Rate(rate) => (rate - number).abs() < 1e-9 * number.abs().max(1.0),
            Self::Scheduled => false,
        }
    }
}

/// What was offered: the requests in the order of their starts.
fn offered(usable: &[&Record], place: Place) -> Load {
    // A warm-up that had ended before anything was measured is no part of what was offered.
    let first = usable.iter().find(|record| record.phase == Phase::Measured);
    let overlaps = |record: &&Record| first.is_none_or(|first| record.end > first.started);
    let warm: Vec<&Record> =
        usable.iter().copied().filter(|record| record.phase == Phase::Warmup).collect();
    let warm = if warm.iter().any(overlaps) { warm } else { Vec::new() };
    let measured = usable.iter().copied().filter(|record| record.phase == Phase::Measured);
    let warmup = warm.len();
    let requests: Vec<&Record> = warm.into_iter().chain(measured).collect();
    let began = requests.first().map(|record| record.started).unwrap_or_default();
    let arrivals = match place {
        Place::InFlight(most) => Arrivals::InFlight(most),
        Place::Rate(_) | Place::Scheduled => {
            let mut moments: Vec<Duration> =
                requests.iter().map(|record| record.started - began).collect();
            moments.sort_unstable();
            Arrivals::At(moments)
        }
    };
    let request = |record: &&Record| {
        let (prompt_tokens, output_tokens) = tokens(record).unwrap_or((1, 1));
        Request { prompt_tokens, output_tokens, chain: [].into() }
    };
    Load { requests: requests.iter().map(request).collect(), arrivals, warmup }
}

/// Tokens of a prompt that had to be computed, and of its output. `None` for a request that failed, or where they are not known.
fn tokens(record: &Record) -> Option<(u32, u32)> {
    let output = record.succeeded().then_some(record.output_tokens)??.count;
    let prompt = record.prompt_tokens.count()?;
    let computed = prompt.saturating_sub(record.prompt_tokens.cached.unwrap_or(0)).max(1);
    (output > 0).then_some((computed, output))
}

fn left_out(failed: usize, uncounted: usize) -> Option<String> {
    (failed + uncounted > 0).then(|| format!("left out{}", told(failed, uncounted)))
}

fn told(failed: usize, uncounted: usize) -> String {
    let parts = [(failed, "failed"), (uncounted, "without token counts")];
    let parts: Vec<String> =
        parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) }
}

/// What is to be said of prompts that the server had in part.
fn cached(usable: &[&Record]) -> Option<String> {
    let sum = |tokens: fn(&Record) -> Option<u32>| {
        usable.iter().filter_map(|record| tokens(record)).map(u64::from).sum::<u64>()
    };
    let cached = sum(|record| record.prompt_tokens.cached);
    let all = sum(|record| record.prompt_tokens.count());
    (cached > 0).then(|| {
        let share = 100.0 * cached as f64 / all.max(1) as f64;
        format!("the server had {share:.0} % of the prompts' tokens cached: they are taken not to be there at all")
    })
}

/// What is to be said of places that stood empty between two requests: a forecast fills them at once.
fn idle(usable: &[&Record], place: Place) -> Option<String> {
    let Place::InFlight(most) = place else { return None };
    let mut ends: Vec<_> = usable.iter().filter_map(|record| record.last()).collect();
    ends.sort_unstable();
    let gaps = usable.iter().skip(most).zip(&ends);
    let mut gaps: Vec<Duration> = gaps.map(|(next, ended)| next.started - *ended).collect();
    gaps.sort_unstable();
    let gap = *gaps.get(gaps.len() / 2)?;
    let stay: Duration = usable.iter().map(|record| record.end - record.started).sum();
    let stay = stay / u32::try_from(usable.len()).ok()?;
    (gap > stay.mul_f64(IDLE)).then(|| {
        format!(
            "a place stood empty for {:.1} ms between two requests, beside {:.1} ms of each: the forecast fills it at once",
            gap.as_secs_f64() * 1e3,
            stay.as_secs_f64() * 1e3
        )
    })
}

/// What vLLM says of its KV cache: `vllm:cache_config_info{block_size="16",num_gpu_blocks="29205",…} 1`.
fn cache(scrape: Option<&Scrape>) -> Option<(u32, u32)> {
    let name = scrape?.samples.keys().find(|name| name.starts_with("vllm:cache_config_info{"))?;
    let label = |label: &str| {
        let pair = format!("{label}=\"");
        // Labels may end like one another: this one begins after a brace or a comma.
        let (at, _) = name
            .match_indices(&pair)
            .find(|(at, _)| matches!(name.as_bytes().get(at.wrapping_sub(1)), Some(b'{' | b',')))?;
        let rest = &name[at + pair.len()..];
        rest.split('"').next()?.parse::<u32>().ok().filter(|n| *n > 0)
    };
    Some((label("block_size")?, label("num_gpu_blocks")?))
}

/// The share of a request's stay from which on it is told that places stood empty.
const IDLE: f64 = 0.05;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tokometer_record::{Failure, FailureKind, Offset, Outcome};

    use super::*;
    use crate::fit::testing::{closed, deployment};
    use crate::forecast;

    /// What a client writes down of six requests, two at a time, of which the first warms up.
    fn log() -> PointLog {
        let Load { requests, arrivals, .. } = closed(2, 3, 40, 8);
        let forecast = forecast::run(&deployment(10e-3, 1e-4, 1e-3), &requests, &arrivals, 1);
        forecast.log(&requests, &arrivals, 1..requests.len())
    }

    #[test]
    fn what_a_client_wrote_down_is_what_was_offered() {
        let observed = Observed::of(&log()).unwrap();
        assert_eq!(observed.place, Place::InFlight(2));
        assert_eq!(observed.load, Load { warmup: 1, ..closed(2, 3, 40, 8) });
        assert_eq!(observed.remarks, Vec::<String>::new());
        let again = observed.load.forecast(&deployment(10e-3, 1e-4, 1e-3));
        assert_eq!(observed.figures, again);
    }

    #[test]
    fn a_warm_up_that_had_ended_is_no_part_of_the_load() {
        let mut log = log();
        let first = log.records[0].end;
        for record in &mut log.records[1..] {
            record.started = record.started.max(first);
        }
        assert_eq!(Observed::of(&log).unwrap().load.warmup, 0);
    }

    #[test]
    fn failed_requests_are_left_out_and_counted() {
        let mut log = log();
        let whole = Observed::of(&log).unwrap();
        log.records[4].outcome =
            Outcome::Failed(Failure::new(FailureKind::EmptyStream, "nothing came"));
        log.records[5].output_tokens = None;
        let observed = Observed::of(&log).unwrap();
        assert_eq!(observed.load.requests.len(), whole.load.requests.len() - 2);
        assert_eq!(observed.remarks, ["left out: 1 failed, 1 without token counts"]);
        for record in &mut log.records {
            record.output_tokens = None;
        }
        assert_eq!(
            Observed::of(&log).unwrap_err().to_string(),
            "has no request that succeeded and whose tokens are known: 1 failed, 4 without token counts"
        );
    }

    #[test]
    fn a_schedule_is_offered_as_it_came_about() {
        let mut log = log();
        log.point.rate = Some(2.5);
        let observed = Observed::of(&log).unwrap();
        assert_eq!(observed.place, Place::Rate(2.5));
        assert!(observed.place.is(2.5) && !observed.place.is(2.0));
        let Arrivals::At(moments) = observed.load.arrivals else { panic!("not by schedule") };
        assert_eq!((moments.len(), moments[0]), (6, Duration::ZERO));
        assert!(moments.is_sorted());
    }

    #[test]
    fn tokens_that_the_server_had_are_not_computed() {
        let mut log = log();
        for record in &mut log.records {
            record.prompt_tokens.cached = Some(30);
        }
        let observed = Observed::of(&log).unwrap();
        assert!(observed.load.requests.iter().all(|request| request.prompt_tokens == 10));
        assert!(
            observed.remarks[0].starts_with("the server had 75 % of"),
            "{:?}",
            observed.remarks
        );
    }

    #[test]
    fn places_that_stand_empty_for_long_are_told() {
        let mut log = log();
        for (turn, record) in log.records.iter_mut().enumerate() {
            // Each turn of the two places begins 30 ms later than it could.
            let later = |at: Offset| at + Duration::from_millis(30 * (turn as u64 / 2));
            (record.started, record.end) = (later(record.started), later(record.end));
            record.chunks.edit(|chunks| {
                chunks.iter_mut().for_each(|chunk| chunk.at = later(chunk.at));
            });
        }
        let observed = Observed::of(&log).unwrap();
        assert!(
            observed.remarks[0].starts_with("a place stood empty for 30.0 ms between two requests"),
            "{:?}",
            observed.remarks
        );
    }

    #[test]
    fn vllm_says_how_its_cache_is_cut() {
        let name = "vllm:cache_config_info{_block_size_resolved=\"True\",block_size=\"128\",effective_attention_block_size=\"64\",\
                    num_gpu_blocks=\"65536\",num_gpu_blocks_override=\"None\"}";
        let scrape = |name: &str| Scrape {
            source: String::new(),
            at: Offset::ZERO,
            samples: BTreeMap::from([(name.to_owned(), 1.0)]),
        };
        assert_eq!(cache(Some(&scrape(name))), Some((128, 65_536)));
        assert_eq!(cache(Some(&scrape(&name.replace("128", "None")))), None);
        assert_eq!(cache(Some(&scrape("vllm:num_requests_running{}"))), None);
        assert_eq!(cache(None), None);
    }
}
