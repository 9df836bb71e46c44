//! Whether a sweep went far enough, found the knee of throughput, or went past it: one of the three, and not two.
//!
//! Points at which requests failed, the client was the limit or the run was cut short are left out, and said to be: their throughput
//! is not the service's. Deliberately no advice which load to run at: that is a matter of latency objectives, and the knee only bounds
//! it. Where loads are offered however many are answered, another question is asked, in `offered`.

mod offered;

use self::offered::Offered;
use super::figures::{figure, percent, rise, time};
use super::{Evidence, Finding, Severity, Sureness};
use crate::catalog::{E2E, Metric, OUTPUT_THROUGHPUT, REQUEST_THROUGHPUT};
use crate::knee::{self, Knee, Sample};
use crate::summary::{Ending, PointSummary};

/// Throughput still grows with the load at the highest one.
pub(super) fn not_saturated(points: &[PointSummary]) -> Option<Finding> {
    if Offered::asks(points) {
        return Offered::of(points)?.not_saturated();
    }
    let sweep = Sweep::of(points)?;
    let State::Grows { before, top } = sweep.state()? else { return None };
    Some(Finding {
        rule: "not_saturated",
        severity: Severity::Notable,
        sureness: Sureness::Likely,
        what: format!(
            "Throughput still grows at the highest load: from {} to {} {} it {}, to {} {}.",
            figure(before.load),
            figure(top.load),
            sweep.axis,
            rise(top.throughput / before.throughput),
            figure(top.throughput),
            sweep.unit
        ),
        evidence: sweep.told(&[before, top]),
        next: format!(
            "Measure higher loads, {} {} and more, to find where it stops growing.",
            figure(2.0 * top.load),
            sweep.axis
        ),
        points: top.points.clone(),
    })
}

/// Throughput stops growing at a load within the sweep.
pub(super) fn knee(points: &[PointSummary]) -> Option<Finding> {
    if Offered::asks(points) {
        return Offered::of(points)?.knee();
    }
    let sweep = Sweep::of(points)?;
    let State::Bends(knee) = sweep.state()? else { return None };
    let (low, high) = knee.between;
    let (up_to, beyond): (Vec<&Load>, Vec<&Load>) =
        sweep.loads.iter().partition(|load| load.load <= knee.at);
    let around: Vec<&Load> = up_to.last().into_iter().chain(beyond.first()).copied().collect();
    let mut evidence = sweep.told(&around);
    evidence.push(Evidence::new(format!(
        "fit of throughput = a · min(load, K) to {} loads: K = {}, at {} % between {} and {}; deviation {}",
        sweep.loads.len(),
        figure(knee.at),
        100.0 * knee::LEVEL,
        figure(low),
        figure(high),
        percent(knee.residual)
    )));
    let shown = |load: f64| match sweep.axis {
        IN_FLIGHT => figure(load.round().max(1.0)),
        _ => figure(load),
    };
    let between = match (shown(low), shown(high)) {
        (low, high) if low == high => String::new(),
        (low, high) => format!(" (between {low} and {high})"),
    };
    Some(Finding {
        rule: "knee",
        severity: Severity::Notable,
        sureness: if high <= low * NARROW { Sureness::Likely } else { Sureness::Possible },
        what: format!(
            "Throughput stops growing at about {} {}{between}, at about {} {}.",
            shown(knee.at),
            sweep.axis,
            figure(knee.ceiling),
            sweep.unit
        ),
        evidence,
        next: "Stay at or below this load: beyond it requests only wait longer. For more throughput add replicas, or lift what limits the \
               service beyond the knee, where other findings name it."
            .to_owned(),
        points: beyond.iter().flat_map(|load| load.points.iter().copied()).collect(),
    })
}

/// The highest loads bring hardly more throughput, or less, and cost latency.
pub(super) fn past_knee(points: &[PointSummary]) -> Option<Finding> {
    if Offered::asks(points) {
        return Offered::of(points)?.past_knee();
    }
    let sweep = Sweep::of(points)?;
    let State::Past { from, top, flat } = sweep.state()? else { return None };
    let growth = (top.throughput - from.throughput) / from.throughput;
    let change = match growth {
        growth if growth < 0.0 => format!("fell by {}", percent(-growth)),
        _ if flat => format!("rose by only {}", percent(growth)),
        growth => {
            let times = figure(top.load / from.load);
            format!("{} for {times} times the load", rise(1.0 + growth))
        }
    };
    let latency = from.e2e.zip(top.e2e).filter(|&(before, _)| before > 0.0);
    let cost = latency
        .map(|(before, after)| {
            format!(
                ", while requests took {} times as long ({} instead of {})",
                figure(after / before),
                time(after),
                time(before)
            )
        })
        .unwrap_or_default();
    let beyond = sweep.loads.iter().filter(|load| load.load > from.load);
    Some(Finding {
        rule: "past_knee",
        severity: if flat { Severity::Limiting } else { Severity::Notable },
        sureness: if flat { Sureness::Likely } else { Sureness::Possible },
        what: format!(
            "From {} to {} {} throughput {change}{cost}.",
            figure(from.load),
            figure(top.load),
            sweep.axis
        ),
        evidence: sweep.told(&[from, top]),
        next: format!(
            "Keep the load below {} {}; measure at least {} loads on both sides of where throughput stops growing, to have the knee itself.",
            figure(if flat { from.load } else { top.load }),
            sweep.axis,
            knee::FEWEST_LOADS
        ),
        points: beyond.flat_map(|load| load.points.iter().copied()).collect(),
    })
}

/// The points of a sweep that tell of the service, by their load.
struct Sweep {
    /// What loads are counted in.
    axis: &'static str,
    /// What throughput is counted in.
    unit: &'static str,
    /// Ascending, each once.
    loads: Vec<Load>,
    /// Whether the highest load of all is among them.
    to_the_top: bool,
    /// Which loads are not, and why.
    left_out: Option<Evidence>,
}

/// One load, the mean of its points.
#[derive(Clone, Debug)]
struct Load {
    load: f64,
    throughput: f64,
    /// Mean E2E in seconds.
    e2e: Option<f64>,
    points: Vec<usize>,
}

/// Where a sweep stands.
enum State<'a> {
    /// Still below the knee.
    Grows { before: &'a Load, top: &'a Load },
    /// On both sides of it.
    Bends(Knee),
    /// Beyond it, from one load to the highest; or near it, where it still grows a little (`flat` is false).
    Past { from: &'a Load, top: &'a Load, flat: bool },
}

impl Sweep {
    /// `None` if points have no load of one kind, or fewer than two loads are left.
    fn of(points: &[PointSummary]) -> Option<Self> {
        let (axis, load) = axis(points)?;
        let clean: Vec<&PointSummary> =
            points.iter().filter(|point| unfit(point).is_none()).collect();
        let by_rate = axis == RATE;
        let (unit, throughput) = throughput(&clean, by_rate);
        let mut loads: Vec<Load> = Vec::new();
        for point in &clean {
            let (load, throughput) = (load(point)?, throughput(point).filter(|&x| x > 0.0)?);
            let e2e = point.mean(&E2E);
            loads.push(Load { load, throughput, e2e, points: vec![point.point.index] });
        }
        loads.sort_by(|a, b| a.load.total_cmp(&b.load));
        let loads: Vec<Load> =
            loads.chunk_by(|a, b| a.load == b.load).map(Load::together).collect();
        let highest = points.iter().filter_map(load).max_by(f64::total_cmp)?;
        let to_the_top = loads.last()?.load == highest;
        let unfit = points.iter().filter_map(|point| Some((load(point)?, unfit(point)?)));
        let left_out = left_out(unfit.collect(), axis);
        (loads.len() > 1).then_some(Self { axis, unit, loads, to_the_top, left_out })
    }

    fn state(&self) -> Option<State<'_>> {
        let [.., before, top] = self.loads.as_slice() else { return None };
        let each_before = before.throughput / before.load;
        let each_further = (top.throughput - before.throughput) / (top.load - before.load);
        if each_further >= GROWING * each_before {
            // What would have come of the loads above, had nothing failed there, is not known.
            return self.to_the_top.then_some(State::Grows { before, top });
        }
        let best = self.loads.iter().map(|load| load.throughput).max_by(f64::total_cmp)?;
        if let Some(knee) = self.knee().filter(|_| top.throughput >= HELD * best) {
            return Some(State::Bends(knee));
        }
        let from = self.loads.iter().find(|load| load.throughput >= (1.0 - FLAT) * best)?;
        Some(match from.load < top.load {
            true => State::Past { from, top, flat: true },
            false => State::Past { from: before, top, flat: false },
        })
    }

    fn knee(&self) -> Option<Knee> {
        let sample = |load: &Load| Sample { load: load.load, throughput: load.throughput };
        knee::knee(&self.loads.iter().map(sample).collect::<Vec<_>>())
    }

    /// Each load with what it brought: first those that tell the most, then what was left out, then the others, of many the highest.
    fn told(&self, most: &[&Load]) -> Vec<Evidence> {
        let is_told = |load: &&Load| !most.iter().any(|told| told.load == load.load);
        let others: Vec<&Load> = self.loads.iter().filter(is_told).collect();
        let kept = MOST_TOLD.saturating_sub(most.len());
        let others = others[others.len().saturating_sub(kept)..].iter();
        let mut evidence: Vec<Evidence> = most.iter().map(|load| self.line(load)).collect();
        evidence.extend(self.left_out.clone());
        evidence.extend(others.map(|load| self.line(load)));
        evidence
    }

    fn line(&self, load: &Load) -> Evidence {
        let latency = load.e2e.map(|e2e| format!(", requests took {}", time(e2e)));
        Evidence::new(format!(
            "{}: {} {}{}",
            of_load(load.load, self.axis),
            figure(load.throughput),
            self.unit,
            latency.unwrap_or_default()
        ))
    }
}

/// `1 request in flight`, `16 requests in flight`, `2.5 requests per second`.
fn of_load(load: f64, axis: &str) -> String {
    match load {
        1.0 => format!("1 {}", axis.replacen("requests", "request", 1)),
        _ => format!("{} {axis}", figure(load)),
    }
}

impl Load {
    /// The mean of several points at one load: at least one.
    fn together(points: &[Self]) -> Self {
        let n = points.len() as f64;
        let latencies: Option<Vec<f64>> = points.iter().map(|point| point.e2e).collect();
        Self {
            load: points[0].load,
            throughput: points.iter().map(|point| point.throughput).sum::<f64>() / n,
            e2e: latencies.map(|latencies| latencies.iter().sum::<f64>() / n),
            points: points.iter().flat_map(|point| point.points.iter().copied()).collect(),
        }
    }
}

type Figure = fn(&PointSummary) -> Option<f64>;

/// What the load of these points is: requests in flight where all have a cap of them and it varies, or else requests per second.
fn axis(points: &[PointSummary]) -> Option<(&'static str, Figure)> {
    let in_flight: Figure = |point| {
        let closed = !point.point.open_loop;
        point.point.concurrency.filter(|_| closed).map(|places| places as f64)
    };
    let rate: Figure = |point| point.point.rate;
    let varies = |load: Figure| {
        let loads: Option<Vec<f64>> = points.iter().map(load).collect();
        loads.is_some_and(|loads| loads.iter().any(|&load| load != loads[0]))
    };
    [(IN_FLIGHT, in_flight), (RATE, rate)].into_iter().find(|&(_, load)| varies(load))
}

/// Why a point's throughput is not the service's own. `None` if it is.
fn unfit(point: &PointSummary) -> Option<&'static str> {
    let counts = &point.counts;
    if point.ending != Ending::Complete {
        Some("cut short")
    } else if point.verdict.is_client_limited() {
        Some("the client was the limit")
    } else if counts.tried() == 0 || (counts.succeeded as f64) < SUCCEEDED * counts.tried() as f64 {
        Some("requests failed")
    } else {
        None
    }
}

/// Which loads were left out, and why. `None` if none was.
fn left_out(mut loads: Vec<(f64, &'static str)>, axis: &str) -> Option<Evidence> {
    loads.sort_by(|a, b| a.1.cmp(b.1).then(a.0.total_cmp(&b.0)));
    loads.dedup();
    let each = loads.chunk_by(|a, b| a.1 == b.1).map(|alike| {
        let (last, others) = alike.split_last()?;
        let others: Vec<String> = others.iter().map(|(load, _)| figure(*load)).collect();
        let and = if others.is_empty() { "" } else { " and " };
        Some(format!("{}{and}{} ({})", others.join(", "), of_load(last.0, axis), last.1))
    });
    let told: Vec<String> = each.flatten().collect();
    (!told.is_empty()).then(|| Evidence::new(format!("left out: {}", told.join("; "))))
}

/// Of what throughput is taken: output tokens, or requests where the load is requests per second or outputs were not counted; of the
/// steady part if every point has one.
fn throughput(points: &[&PointSummary], by_rate: bool) -> (&'static str, Figure) {
    fn whole(point: &PointSummary, metric: &Metric) -> Option<f64> {
        point.figure(metric)
    }
    let steady = points.iter().all(|point| point.steady.is_ok());
    let counted =
        points.iter().all(|point| whole(point, &OUTPUT_THROUGHPUT).is_some_and(|x| x > 0.0));
    match (counted && !by_rate, steady) {
        (true, true) => {
            ("output tok/s", |point| Some(point.steady.as_ref().ok()?.output_throughput))
        }
        (true, false) => ("output tok/s", |point| whole(point, &OUTPUT_THROUGHPUT)),
        (false, true) => {
            ("requests/s", |point| Some(point.steady.as_ref().ok()?.request_throughput))
        }
        (false, false) => ("requests/s", |point| whole(point, &REQUEST_THROUGHPUT)),
    }
}

const IN_FLIGHT: &str = "requests in flight";

const RATE: &str = "requests per second";

/// Throughput grows as long as each further unit of load brings at least this share of what each before brought.
pub(super) const GROWING: f64 = 0.5;

/// A load brings as much as the best one if it brings all but this share of it: run-to-run noise is not greater.
pub(super) const FLAT: f64 = 0.1;

/// At the highest load there must be this share of the best throughput for it to be a ceiling and no collapse.
pub(super) const HELD: f64 = 0.9;

/// The least share of requests that must have succeeded for a point's throughput to be of the load that it had.
pub(super) const SUCCEEDED: f64 = 0.9;

/// A knee is told as likely if its upper bound is at most this many times the lower one.
pub(super) const NARROW: f64 = 4.0;

/// More loads than this are no evidence but a table.
const MOST_TOLD: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Unsteady;
    use crate::summary::summarize;
    use crate::summary::testing::{Changed, ok, point_log, probed};

    /// A point at which so many requests in flight bring so many tokens per second.
    fn point(index: usize, load: usize, throughput: u64) -> PointSummary {
        // As many tokens as that in a second, over and over until every place was taken once.
        let length = 1_000 * load as u64 / throughput.max(1);
        let records = (0..40 * load as u64).map(|i| {
            let from = i / load as u64 * length.max(1);
            ok(i, from, &[from + length.max(1)])
        });
        let mut log = probed(point_log(records), 100_000, 200_000);
        (log.point.index, log.point.concurrency) = (index, Some(load));
        let mut summary = summarize(&log);
        summary.steady = Err(Unsteady::TooFew);
        summary.findings.clear();
        summary
    }

    /// Points at these loads, each with its throughput; one token a request.
    fn sweep(of: &[(usize, u64)]) -> Vec<PointSummary> {
        of.iter().enumerate().map(|(index, &(load, x))| point(index, load, x)).collect()
    }

    fn found(points: &[PointSummary]) -> Vec<Finding> {
        [not_saturated, knee, past_knee].iter().filter_map(|rule| rule(points)).collect()
    }

    fn facts(finding: &Finding) -> Vec<&str> {
        finding.evidence.iter().map(|evidence| evidence.fact.as_str()).collect()
    }

    fn rules(of: &[(usize, u64)]) -> Vec<&'static str> {
        found(&sweep(of)).iter().map(|finding| finding.rule).collect()
    }

    #[test]
    fn a_sweep_that_still_grows_is_not_saturated() {
        let findings = found(&sweep(&[(1, 10), (2, 20), (4, 40)]));
        let [finding] = findings.as_slice() else { panic!("{findings:?}") };
        assert_eq!((finding.rule, &finding.points[..]), ("not_saturated", &[2][..]));
        assert_eq!(
            finding.what,
            "Throughput still grows at the highest load: from 2 to 4 requests in flight it rose by 100 %, to 40 output tok/s."
        );
        assert!(finding.next.contains("8 requests in flight"), "{}", finding.next);
        assert_eq!(
            facts(finding),
            [
                "2 requests in flight: 20 output tok/s, requests took 100 ms",
                "4 requests in flight: 40 output tok/s, requests took 100 ms",
                "1 request in flight: 10 output tok/s, requests took 100 ms",
            ]
        );
    }

    #[test]
    fn half_in_proportion_is_still_growth() {
        assert_eq!(rules(&[(4, 40), (8, 61)]), ["not_saturated"]);
        assert_eq!(rules(&[(4, 40), (8, 57)]), ["past_knee"]);
    }

    #[test]
    fn a_sweep_on_both_sides_has_its_knee() {
        let findings = found(&sweep(&[(1, 10), (2, 20), (4, 40), (8, 80), (16, 100), (32, 100)]));
        let [finding] = findings.as_slice() else { panic!("{findings:?}") };
        assert_eq!((finding.rule, finding.sureness), ("knee", Sureness::Likely));
        assert!(
            finding.what.starts_with("Throughput stops growing at about 10 requests in flight")
        );
        assert!(finding.what.ends_with("at about 100 output tok/s."), "{}", finding.what);
        assert_eq!(finding.points, [4, 5]);
    }

    #[test]
    fn the_loads_around_the_knee_are_told_first_and_the_fit_last() {
        let findings = found(&sweep(&[(1, 10), (2, 20), (4, 40), (8, 80), (16, 100), (32, 100)]));
        let facts = facts(&findings[0]);
        let loads: Vec<_> = facts.iter().filter_map(|fact| fact.split(' ').next()).collect();
        assert_eq!(loads, ["8", "16", "1", "2", "4", "32", "fit"]);
        assert!(facts[6].starts_with("fit of throughput = a · min(load, K) to 6 loads"));
    }

    #[test]
    fn two_loads_that_bring_the_same_are_past_the_knee() {
        let findings = found(&sweep(&[(10, 100), (50, 100)]));
        let [finding] = findings.as_slice() else { panic!("{findings:?}") };
        assert_eq!((finding.rule, finding.severity), ("past_knee", Severity::Limiting));
        assert_eq!(
            finding.what,
            "From 10 to 50 requests in flight throughput rose by only 0 %, while requests took 5 times as long (500 ms instead of 100 ms)."
        );
        assert_eq!(finding.points, [1]);
    }

    #[test]
    fn throughput_that_falls_is_past_the_knee_however_many_loads_there_are() {
        let falling = [(1, 10), (2, 20), (4, 40), (8, 80), (16, 100), (40, 50)];
        let findings = found(&sweep(&falling));
        let [finding] = findings.as_slice() else { panic!("{findings:?}") };
        assert_eq!(finding.rule, "past_knee");
        assert!(
            finding.what.starts_with("From 16 to 40 requests in flight throughput fell by 50 %")
        );
    }

    #[test]
    fn a_sweep_that_bends_without_being_flat_is_near_the_knee() {
        let findings = found(&sweep(&[(4, 40), (8, 50)]));
        let [finding] = findings.as_slice() else { panic!("{findings:?}") };
        assert_eq!((finding.severity, finding.sureness), (Severity::Notable, Sureness::Possible));
    }

    #[test]
    fn one_load_is_no_sweep() {
        assert_eq!(rules(&[(4, 40)]), [""; 0]);
        assert_eq!(rules(&[(4, 40), (4, 50)]), [""; 0]);
        assert_eq!(rules(&[]), [""; 0]);
    }

    #[test]
    fn points_at_which_requests_fail_are_left_out() {
        let mut points = sweep(&[(1, 10), (2, 20), (4, 40), (8, 80)]);
        points[3].counts.succeeded = points[3].counts.measured * 8 / 10;
        // Whether it would still have grown is not known.
        assert_eq!(found(&points), []);
        points[3].counts.succeeded = points[3].counts.measured * 9 / 10;
        assert_eq!(found(&points).len(), 1);
        let mut past = sweep(&[(4, 40), (8, 40), (16, 40)]);
        past[2].counts.succeeded = 1;
        let findings = found(&past);
        assert_eq!(findings[0].points, [1]);
        assert_eq!(facts(&findings[0])[2], "left out: 16 requests in flight (requests failed)");
    }

    #[test]
    fn what_is_left_out_is_told_by_reasons() {
        let loads = vec![(8.0, "cut short"), (1.0, "requests failed"), (2.0, "cut short")];
        assert_eq!(
            left_out(loads, IN_FLIGHT).unwrap().fact,
            "left out: 2 and 8 requests in flight (cut short); 1 request in flight (requests failed)"
        );
        assert_eq!(left_out(Vec::new(), IN_FLIGHT), None);
    }

    #[test]
    fn points_that_the_client_limited_or_that_were_cut_short_are_left_out() {
        let mut points = sweep(&[(1, 10), (2, 20), (4, 40)]);
        points[2].ending = Ending::Interrupted;
        assert_eq!(found(&points), []);
        let log =
            probed(point_log((0..9).map(|i| ok(i, i * 10, &[i * 10 + 5]))), 90_000_000, 90_000_000);
        let mut limited = summarize(&log);
        (limited.point.index, limited.point.concurrency) = (2, Some(4));
        points[2] = limited;
        assert_eq!(found(&points), []);
    }

    #[test]
    fn points_at_one_load_are_taken_together() {
        let findings = found(&sweep(&[(4, 38), (4, 42), (8, 40)]));
        assert_eq!(findings.iter().map(|f| f.rule).collect::<Vec<_>>(), ["past_knee"]);
        assert_eq!(findings[0].evidence.len(), 2);
    }

    #[test]
    fn rates_under_a_cap_are_loads_too_and_bring_requests() {
        let points: Vec<PointSummary> = [5.0, 10.0, 20.0]
            .iter()
            .enumerate()
            .map(|(index, &rate)| {
                let gap = (1_000.0 / rate) as u64;
                let mut log = point_log((0..100).map(|i| ok(i, i * gap, &[i * gap + 20])));
                (log.point.index, log.point.rate) = (index, Some(rate));
                log.point.concurrency = Some(8);
                let mut summary = summarize(&probed(log, 100_000, 200_000));
                summary.steady = Err(Unsteady::TooFew);
                summary
            })
            .collect();
        let findings = found(&points);
        let [finding] = findings.as_slice() else { panic!("{findings:?}") };
        assert_eq!(finding.rule, "not_saturated");
        assert!(finding.what.contains("from 10 to 20 requests per second"), "{}", finding.what);
        assert!(finding.what.ends_with(" requests/s."), "{}", finding.what);
    }

    #[test]
    fn loads_of_different_kinds_are_not_compared() {
        let mut points = sweep(&[(1, 10), (2, 20)]);
        points[1].point.concurrency = None;
        points[1].point.rate = Some(3.0);
        assert_eq!(found(&points), []);
        let failing = summarize(&point_log([ok(0, 0, &[]).failing_at(5)]));
        assert_eq!(found(&[failing.clone(), failing]), []);
    }
}
