//! Sweeps of rates in open loop: requests come however many are answered, so what tells of the service is whether it keeps up with what
//! is offered, and what it carries where it does not.
//!
//! Deliberately not by throughput over load, as in a closed loop: it grows in proportion until it is all that there is, and beyond that
//! nothing but the queue does. A point whose latencies settle is kept up with, whatever its short run's throughput comes to.

use super::{RATE, left_out, of_load, unfit};
use crate::Unsteady;
use crate::catalog::{DURATION, E2E, SCHEDULED_RATE};
use crate::diagnosis::figures::{figure, time};
use crate::diagnosis::{Evidence, Finding, Severity, Sureness};
use crate::summary::PointSummary;

/// The points of an open-loop sweep that tell of the service.
pub(super) struct Offered {
    /// Ascending; several points at one rate stand one after the other.
    loads: Vec<Load>,
    /// Which rates are not among them, and why.
    left_out: Option<Evidence>,
    /// Whether the highest rate of all is among them.
    to_the_top: bool,
}

/// One point.
#[derive(Clone, Copy, Debug)]
struct Load {
    rate: f64,
    /// Completions per second, from the first moment at which there could be one.
    carried: f64,
    keeps_up: bool,
    /// Mean E2E in seconds.
    e2e: Option<f64>,
    index: usize,
}

impl Offered {
    /// Whether this is a sweep of rates in open loop.
    pub(super) fn asks(points: &[PointSummary]) -> bool {
        let rates: Option<Vec<f64>> =
            points.iter().map(|point| point.point.rate.filter(|_| point.point.open_loop)).collect();
        rates.is_some_and(|rates| rates.iter().any(|&rate| rate != rates[0]))
    }

    /// `None` if fewer than two rates are left.
    pub(super) fn of(points: &[PointSummary]) -> Option<Self> {
        let (mut loads, mut without) = (Vec::new(), Vec::new());
        for point in points {
            let rate = point.point.rate?;
            match unfit(point).map_or_else(|| judged(point, rate), Err) {
                Ok(load) => loads.push(load),
                Err(why) => without.push((rate, why)),
            }
        }
        loads.sort_by(|a, b| a.rate.total_cmp(&b.rate));
        let highest = points.iter().filter_map(|point| point.point.rate).max_by(f64::total_cmp)?;
        let (first, last) = (loads.first()?, loads.last()?);
        let to_the_top = last.rate == highest;
        (first.rate < last.rate).then(|| Self {
            left_out: left_out(without, RATE),
            to_the_top,
            loads,
        })
    }

    /// All that was offered is carried, the highest rate included.
    pub(super) fn not_saturated(&self) -> Option<Finding> {
        let top = self.loads.last().filter(|_| self.to_the_top && self.fails_at().is_none())?;
        Some(Finding {
            rule: "not_saturated",
            severity: Severity::Notable,
            sureness: Sureness::Likely,
            what: format!(
                "The service keeps up with every rate that was offered, up to {} requests per second.",
                figure(top.rate)
            ),
            evidence: self.told(&[top]),
            next: format!(
                "Measure higher rates, {} requests per second and more, to find what it carries at most.",
                figure(2.0 * top.rate)
            ),
            points: self.loads.iter().filter(|at| at.rate == top.rate).map(|at| at.index).collect(),
        })
    }

    /// From a rate within the sweep on the service does not keep up.
    pub(super) fn knee(&self) -> Option<Finding> {
        let first = self.fails_at()?;
        let last = self.loads.iter().rfind(|load| load.rate < first.rate)?;
        Some(self.beyond("knee", first, Some(last)))
    }

    /// It does not keep up with any.
    pub(super) fn past_knee(&self) -> Option<Finding> {
        let first = self.fails_at()?;
        (first.rate == self.loads.first()?.rate).then(|| self.beyond("past_knee", first, None))
    }

    fn beyond(&self, rule: &'static str, first: &Load, last: Option<&Load>) -> Finding {
        let saturated = || self.loads.iter().filter(|load| !load.keeps_up);
        let most = saturated().max_by(|a, b| a.carried.total_cmp(&b.carried)).unwrap_or(first);
        let carried = figure(most.carried);
        let told: Vec<&Load> = match last {
            Some(last) if most.index == first.index => vec![first, last],
            Some(last) => vec![first, most, last],
            None if most.index == first.index => vec![first],
            None => vec![first, most],
        };
        let lower = match last {
            Some(_) => "",
            None => " Measure lower rates to see how latencies rise towards it.",
        };
        Finding {
            rule,
            severity: Severity::Limiting,
            sureness: Sureness::Likely,
            what: format!(
                "From {} requests per second on, more is offered than the service carries, which is at most about {carried} requests/s.",
                figure(first.rate)
            ),
            evidence: self.told(&told),
            next: format!(
                "Stay below {carried} requests per second: above it the queue grows for as long as the load lasts, and latencies tell how \
                 long that was. For more add replicas, or lift what limits the service, where other findings name it.{lower}"
            ),
            points: saturated().map(|load| load.index).collect(),
        }
    }

    /// The least rate that the service does not keep up with.
    fn fails_at(&self) -> Option<&Load> {
        self.loads.iter().find(|load| !load.keeps_up)
    }

    /// Each rate with what came of it: first those that tell the most, then what was left out.
    fn told(&self, most: &[&Load]) -> Vec<Evidence> {
        let others = self.loads.iter().filter(|load| !most.iter().any(|m| m.index == load.index));
        let mut evidence: Vec<Evidence> = most.iter().map(|load| load.told()).collect();
        evidence.extend(self.left_out.clone());
        evidence.extend(others.rev().take(super::MOST_TOLD).map(Load::told));
        evidence
    }
}

impl Load {
    fn told(&self) -> Evidence {
        let offered = of_load(self.rate, RATE);
        let latency = self.e2e.map(|e2e| format!(", requests took {}", time(e2e)));
        let came = match self.keeps_up {
            true => format!("all carried ({} requests/s)", figure(self.carried)),
            false => format!("{} requests/s carried", figure(self.carried)),
        };
        let longer = if self.keeps_up { "" } else { " and ever longer" };
        Evidence::new(format!(
            "{offered} offered: {came}{}",
            latency.map(|told| told + longer).unwrap_or_default()
        ))
    }
}

/// What came of a rate, or why that is not known.
///
/// What was carried is counted from the first moment at which there could be a completion, the shortest latency after the beginning: to
/// keep up for a while of S seconds then takes S seconds, for a short run as for a long one.
fn judged(point: &PointSummary, rate: f64) -> Result<Load, &'static str> {
    let carried = || {
        let seconds = point.figure(&DURATION)? - point.distribution(&E2E)?.min;
        let gaps = |requests: u64| requests.saturating_sub(1) as f64;
        let schedule = gaps(point.counts.measured) / point.figure(&SCHEDULED_RATE)?;
        (seconds > 0.0).then(|| (gaps(point.counts.succeeded) / seconds, schedule / seconds))
    };
    let (carried, share) = carried().ok_or(UNKNOWN)?;
    let keeps_up = match point.steady {
        Ok(_) => true,
        Err(_) if share >= KEPT_UP => true,
        Err(Unsteady::Drifting) => false,
        // It may be that the last few happened to be long.
        Err(_) => return Err(UNKNOWN),
    };
    Ok(Load { rate, carried, keeps_up, e2e: point.mean(&E2E), index: point.point.index })
}

const UNKNOWN: &str = "too few requests to tell";

/// A service keeps up that carries all but this share of what is offered: the last few requests may be long ones.
const KEPT_UP: f64 = 0.95;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::saturation::{knee, not_saturated, past_knee};
    use crate::summary::summarize;
    use crate::summary::testing::{ok, point_log, probed};

    /// So many requests at a rate, to a server that answers one after the other, each in 100 ms.
    fn point(index: usize, rate: f64, requests: u64) -> PointSummary {
        let mut free = 0;
        let records = (0..requests).map(|i| {
            let start = (i as f64 * 1e3 / rate) as u64;
            free = free.max(start) + 100;
            ok(i, start, &[free])
        });
        let mut log = point_log(records);
        (log.point.index, log.point.rate, log.point.open_loop) = (index, Some(rate), true);
        let mut summary = summarize(&probed(log, 100_000, 200_000));
        summary.findings.clear();
        summary
    }

    fn sweep(rates: &[f64]) -> Vec<PointSummary> {
        rates.iter().enumerate().map(|(index, &rate)| point(index, rate, 100)).collect()
    }

    fn found(points: &[PointSummary]) -> Vec<Finding> {
        [not_saturated, knee, past_knee].iter().filter_map(|rule| rule(points)).collect()
    }

    fn facts(finding: &Finding) -> Vec<&str> {
        finding.evidence.iter().map(|evidence| evidence.fact.as_str()).collect()
    }

    #[test]
    fn rates_that_are_all_carried_do_not_saturate() {
        let findings = found(&sweep(&[2.0, 5.0, 8.0]));
        let [finding] = findings.as_slice() else { panic!("{findings:?}") };
        assert_eq!((finding.rule, &finding.points[..]), ("not_saturated", &[2][..]));
        assert_eq!(
            finding.what,
            "The service keeps up with every rate that was offered, up to 8 requests per second."
        );
        assert_eq!(
            facts(finding)[0],
            "8 requests per second offered: all carried (8 requests/s), requests took 100 ms"
        );
    }

    #[test]
    fn a_rate_that_is_not_carried_tells_what_is() {
        let findings = found(&sweep(&[5.0, 12.5, 20.0, 1.0]));
        let [finding] = findings.as_slice() else { panic!("{findings:?}") };
        assert_eq!((finding.rule, finding.severity), ("knee", Severity::Limiting));
        assert_eq!(
            finding.what,
            "From 12.5 requests per second on, more is offered than the service carries, which is at most about 10 requests/s."
        );
        assert!(finding.next.starts_with("Stay below 10 requests per second"), "{}", finding.next);
        assert_eq!(finding.points, [1, 2]);
        let loads: Vec<_> =
            facts(finding).iter().filter_map(|fact| fact.split(' ').next()).collect();
        assert_eq!(loads[0], "12.5");
        assert!(loads[1..3].contains(&"5"), "{loads:?}");
        assert!(
            facts(finding)[0].contains("offered: 10 requests/s carried, requests took")
                && facts(finding)[0].ends_with("and ever longer"),
            "{:?}",
            facts(finding)
        );
    }

    #[test]
    fn a_sweep_whose_every_rate_is_too_much_is_past_the_knee() {
        let findings = found(&sweep(&[16.0, 40.0]));
        let [finding] = findings.as_slice() else { panic!("{findings:?}") };
        assert_eq!((finding.rule, &finding.points[..]), ("past_knee", &[0, 1][..]));
        assert!(
            finding.next.ends_with("Measure lower rates to see how latencies rise towards it.")
        );
    }

    #[test]
    fn a_short_run_that_is_kept_up_with_is_no_ceiling() {
        // Four seconds of load and one of latency: by its throughput it carries 16 of 20 requests per second.
        let slow = |index, rate: f64| {
            let records = (0..80).map(|i| {
                let start = (i as f64 * 1e3 / rate) as u64;
                ok(i, start, &[start + 1_000])
            });
            let mut log = point_log(records);
            (log.point.index, log.point.rate, log.point.open_loop) = (index, Some(rate), true);
            summarize(&probed(log, 100_000, 200_000))
        };
        let findings = found(&[slow(0, 10.0), slow(1, 20.0)]);
        assert_eq!(findings.iter().map(|f| f.rule).collect::<Vec<_>>(), ["not_saturated"]);
    }

    #[test]
    fn too_few_requests_tell_nothing_of_a_ceiling() {
        let points = [point(0, 2.0, 100), point(1, 5.0, 100), point(2, 20.0, 15)];
        assert_eq!(found(&points), []);
        let points = [point(0, 2.0, 100), point(1, 40.0, 100), point(2, 20.0, 15)];
        let findings = found(&points);
        assert_eq!(findings[0].rule, "knee");
        let left_out = "left out: 20 requests per second (too few requests to tell)";
        assert_eq!(facts(&findings[0])[2], left_out);
    }
}
