//! Objectives: how they are written, and what a trial's requests make of them.
//!
//! Every figure is one of the catalog's, over a log: a forecast has no definitions of its own.

use tokometer_metrics::catalog::{E2E, ICL, ITL, Metric, TPOT, TTFT};
use tokometer_metrics::quantile::{self, Percentile};
use tokometer_metrics::slo::{self, Attainment, Target};
use tokometer_metrics::{Distribution, Run};
use tokometer_report::capacity::{Objective, Side, Unit};

/// What is to be kept to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Slo {
    /// A figure of a latency that must not be above so many seconds.
    Latency {
        /// Which.
        latency: Latency,
        /// What of it.
        statistic: Statistic,
        /// Seconds.
        at_most: f64,
    },
    /// The share of requests, from 0 to 1, that must each keep to the limits of the other objectives.
    Attainment {
        /// The least share.
        at_least: f64,
    },
}

/// A latency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Latency {
    Ttft,
    Tpot,
    Itl,
    Icl,
    E2el,
}

/// What is looked at of many values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Statistic {
    Mean,
    Percentile(Percentile),
}

/// Reads `ttft:p99:500ms`, `tpot:50` (p99, in milliseconds) and `attainment:99%`.
pub(super) fn slo(text: &str) -> Result<Slo, String> {
    let parts: Vec<&str> = text.trim().split(':').map(str::trim).collect();
    match parts.as_slice() {
        ["attainment", share] => {
            let percent = share.strip_suffix('%').and_then(|percent| percent.parse::<f64>().ok());
            let share = percent.map(|percent| percent / 100.0);
            let share = share.filter(|share| 0.0 < *share && *share <= 1.0);
            let at_least = share.ok_or("attainment takes a share: attainment:99%")?;
            Ok(Slo::Attainment { at_least })
        }
        [name, limit] => latency(name, DEFAULT_STATISTIC, limit),
        [name, which, limit] => latency(name, statistic(which)?, limit),
        _ => Err(format!("takes {FORM}")),
    }
}

fn latency(name: &str, statistic: Statistic, limit: &str) -> Result<Slo, String> {
    let known = Latency::ALL.into_iter().find(|latency| latency.name() == name);
    let latency = known.ok_or_else(|| {
        let names: Vec<_> = Latency::ALL.iter().map(|latency| latency.name()).collect();
        format!("no latency is called {name:?}; there are {}, and attainment", names.join(", "))
    })?;
    Ok(Slo::Latency { latency, statistic, at_most: seconds(limit)? })
}

fn statistic(text: &str) -> Result<Statistic, String> {
    let refuse = || {
        format!(
            "no statistic is called {text:?}; there are mean, p50, p99, p99.9 and the like, and max"
        )
    };
    match text {
        "mean" => Ok(Statistic::Mean),
        "median" => Ok(Statistic::Percentile(Percentile::P50)),
        "max" => Percentile::from_hundredths(10_000).map(Statistic::Percentile).ok_or_else(refuse),
        _ => {
            let percent: f64 =
                text.strip_prefix('p').and_then(|p| p.parse().ok()).ok_or_else(refuse)?;
            let hundredths = (percent * 100.0).round();
            let whole =
                (0.0 < percent && percent <= 100.0 && (hundredths - percent * 100.0).abs() < 1e-6)
                    .then_some(hundredths as u16);
            whole
                .and_then(Percentile::from_hundredths)
                .map(Statistic::Percentile)
                .ok_or_else(refuse)
        }
    }
}

/// `500ms`, `0.5s`, and `500`, which are milliseconds as in vLLM's `--goodput`.
fn seconds(text: &str) -> Result<f64, String> {
    let (number, unit) = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(number), _) => (number, 1e-3),
        (None, Some(number)) => (number, 1.0),
        (None, None) => (text, 1e-3),
    };
    let value: Option<f64> = number.trim().parse().ok();
    let value = value.map(|value| value * unit).filter(|value| value.is_finite() && *value > 0.0);
    value.ok_or_else(|| {
        format!(
            "{text:?} is no limit: give milliseconds (500ms, or 500) or seconds (0.5s), above 0"
        )
    })
}

impl Latency {
    const ALL: [Self; 5] = [Self::Ttft, Self::Tpot, Self::Itl, Self::Icl, Self::E2el];

    /// As vLLM writes it, where it does.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ttft => "ttft",
            Self::Tpot => "tpot",
            Self::Itl => "itl",
            Self::Icl => "icl",
            Self::E2el => "e2el",
        }
    }

    const fn metric(self) -> &'static Metric {
        match self {
            Self::Ttft => &TTFT,
            Self::Tpot => &TPOT,
            Self::Itl => &ITL,
            Self::Icl => &ICL,
            Self::E2el => &E2E,
        }
    }

    /// A latency that a single request has one of.
    const fn target(self) -> Option<Target> {
        match self {
            Self::Ttft => Some(Target::Ttft),
            Self::Tpot => Some(Target::Tpot),
            Self::E2el => Some(Target::E2el),
            Self::Itl | Self::Icl => None,
        }
    }
}

impl Statistic {
    fn name(self) -> String {
        match self {
            Self::Mean => "mean".to_owned(),
            Self::Percentile(whole) if whole.percent() == 100.0 => "max".to_owned(),
            Self::Percentile(percentile) => format!("p{}", percentile.percent()),
        }
    }
}

impl Slo {
    /// As it is shown and judged.
    pub(super) fn told(&self) -> Objective {
        match self {
            Self::Latency { latency, statistic, at_most } => Objective {
                key: format!("{}:{}", latency.name(), statistic.name()),
                name: format!("{} {}", latency.name().to_uppercase(), statistic.name()),
                side: Side::AtMost,
                limit: *at_most,
                unit: Unit::Seconds,
            },
            Self::Attainment { at_least } => Objective {
                key: "attainment".to_owned(),
                name: "Attainment".to_owned(),
                side: Side::AtLeast,
                limit: *at_least,
                unit: Unit::Share,
            },
        }
    }

    /// Whether single gaps between tokens matter to it, which not every record of a request keeps.
    pub(super) const fn needs_gaps(&self) -> bool {
        matches!(self, Self::Latency { latency: Latency::Itl | Latency::Icl, .. })
    }

    /// The fewest values of which its statistic is more than the greatest.
    pub(super) const fn needs(&self) -> u64 {
        match self {
            Self::Latency { statistic: Statistic::Percentile(percentile), .. } => {
                percentile.needs()
            }
            Self::Latency { statistic: Statistic::Mean, .. } | Self::Attainment { .. } => 0,
        }
    }
}

/// The figure of each objective over a run. `None` where there is none: no output of more than one token has a TPOT.
pub(super) fn figures(objectives: &[Slo], run: &Run<'_>) -> Vec<Option<f64>> {
    let figure = |slo: &Slo| match slo {
        Slo::Latency { latency, statistic: Statistic::Mean, .. } => {
            Distribution::of(latency.metric().values(run)).map(|values| values.mean)
        }
        Slo::Latency { latency, statistic: Statistic::Percentile(percentile), .. } => {
            quantile::linear(&latency.metric().values(run), *percentile)
        }
        Slo::Attainment { .. } => Attainment::of(run, &limits(objectives)).share(),
    };
    objectives.iter().map(figure).collect()
}

/// What a single request must keep to: of each latency that it has one of, the laxest limit given, for a median's is not meant for all.
pub(super) fn limits(objectives: &[Slo]) -> Vec<slo::Objective> {
    let mut limits: Vec<slo::Objective> = Vec::new();
    for objective in objectives {
        let Slo::Latency { latency, at_most, .. } = objective else { continue };
        let Some(target) = latency.target() else { continue };
        match limits.iter_mut().find(|limit| limit.target == target) {
            Some(limit) => limit.at_most = limit.at_most.max(*at_most),
            None => limits.push(slo::Objective { target, at_most: *at_most }),
        }
    }
    limits
}

const DEFAULT_STATISTIC: Statistic = Statistic::Percentile(Percentile::P99);

/// How an objective is written.
pub(super) const FORM: &str = "LATENCY:STATISTIC:LIMIT, such as ttft:p99:500ms, or attainment:99%";

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> (String, f64) {
        let told = slo(text).unwrap().told();
        (told.key, told.limit)
    }

    #[test]
    fn an_objective_is_a_latency_a_statistic_and_a_limit() {
        assert_eq!(told("ttft:p99:500ms"), ("ttft:p99".to_owned(), 0.5));
        assert_eq!(told("tpot:mean:0.05s"), ("tpot:mean".to_owned(), 0.05));
        assert_eq!(told("itl:p99.9:200"), ("itl:p99.9".to_owned(), 0.2));
        assert_eq!(told("e2el:max:30s"), ("e2el:max".to_owned(), 30.0));
        assert_eq!(told("icl:median:1s"), ("icl:p50".to_owned(), 1.0));
        assert_eq!(told("ttft:500"), ("ttft:p99".to_owned(), 0.5));
        assert_eq!(told("attainment:99.5%"), ("attainment".to_owned(), 0.995));
        assert_eq!(slo("ttft:p99:500ms").unwrap().told().name, "TTFT p99");
    }

    #[test]
    fn what_is_no_objective_is_refused_in_words() {
        for (text, why) in [
            ("ttft", "takes LATENCY:STATISTIC:LIMIT"),
            (
                "tft:p99:5ms",
                "no latency is called \"tft\"; there are ttft, tpot, itl, icl, e2el, and attainment",
            ),
            ("ttft:p0:5ms", "no statistic is called \"p0\""),
            ("ttft:p101:5ms", "no statistic is called \"p101\""),
            ("ttft:p99.123:5ms", "no statistic is called"),
            ("ttft:pnan:5ms", "no statistic is called"),
            ("ttft:p99:-5ms", "\"-5ms\" is no limit"),
            ("ttft:p99:inf", "\"inf\" is no limit"),
            ("ttft:p99:5m", "\"5m\" is no limit"),
            ("attainment:0%", "attainment takes a share"),
            ("attainment:99", "attainment takes a share"),
        ] {
            let error = slo(text).unwrap_err();
            assert!(error.starts_with(why), "{text}: {error}");
        }
    }

    #[test]
    fn a_single_request_must_keep_to_the_laxest_limit_of_each_latency_that_it_has_one_of() {
        let all: Vec<Slo> =
            ["ttft:p50:100", "ttft:p99:500", "itl:p99:50", "tpot:40", "attainment:99%"]
                .map(|text| slo(text).unwrap())
                .to_vec();
        let limits: Vec<_> =
            limits(&all).iter().map(|limit| (limit.target, limit.at_most)).collect();
        assert_eq!(limits, [(Target::Ttft, 0.5), (Target::Tpot, 0.04)]);
    }
}
