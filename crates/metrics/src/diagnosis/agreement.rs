//! Whether the server's own account and the client's can be of the same load: a restart in between, and figures that differ.
//!
//! Deliberately takes no side: a difference is told with what usually makes it.

use tokometer_record::{Signal, Timing};

use super::attribution::{Cause, Failed};
use super::figures::{figure, of_it, time};
use super::queueing::{Others, of_others};
use super::telling::{first_to_end, of_requests};
use super::{Evidence, Facts, Finding, Severity, Sureness};
use crate::server::{Beside, Counted};
use crate::summary::Ending;

/// The server, or its metrics, began anew during the load.
pub(super) fn server_restarted(facts: &Facts<'_>) -> Option<Finding> {
    let side = &facts.summary.side;
    let first = side.resets.iter().min().copied();
    if first.is_none() && !facts.summary.server.restarted {
        return None;
    }
    let fact = "a counter of the server's went down";
    let mut evidence = match first {
        Some(at) => vec![Evidence::at(fact, at)],
        None => {
            vec![Evidence::new(format!("{fact} between the beginning of the load and its end"))]
        }
    };
    let lost = Failed::of(facts).and_then(|failed| failed.by(Cause::Restart));
    if let Some(lost) = &lost
        && let Some(first) = first_to_end(lost)
    {
        let told = of_requests(lost.len(), facts.summary.counts.tried());
        evidence.push(Evidence::at(format!("{told} lost their connection before that"), first.end));
    }
    Some(Finding {
        rule: "server_restarted",
        severity: Severity::Invalid,
        sureness: if lost.is_some() { Sureness::Certain } else { Sureness::Likely },
        what: "The server, or what counts for it, began anew during the load: figures are of two servers, one of them cold.".into(),
        evidence,
        next: "Look into the server's log for why it went down, and run the load again.".into(),
        points: vec![facts.summary.point.index],
    })
}

/// The server's account of the load is not the client's.
pub(super) fn server_disagrees(facts: &Facts<'_>) -> Option<Finding> {
    // Of a load that broke off, or failed in part, the two see different requests.
    let counts = &facts.summary.counts;
    let whole = facts.summary.ending == Ending::Complete
        && counts.broken() as f64 <= MOST_FAILED * counts.tried() as f64;
    if !whole || server_restarted(facts).is_some() {
        return None;
    }
    let found: Vec<Difference> =
        [requests(facts), at_once(facts), tokens(facts), first_tokens(facts)]
            .into_iter()
            .flatten()
            .collect();
    let leading = found.first()?;
    // Others that make this client's requests wait: its latencies are not those of its load.
    let severity = match Others::of(facts) {
        Some(_) => Severity::Invalid,
        None => Severity::Misleading,
    };
    Some(Finding {
        rule: "server_disagrees",
        severity,
        sureness: leading.sureness,
        what: leading.what.clone(),
        evidence: found.iter().flat_map(|difference| difference.evidence.clone()).collect(),
        next: leading.next.into(),
        points: vec![facts.summary.point.index],
    })
}

/// One thing in which the two accounts differ.
struct Difference {
    what: String,
    sureness: Sureness,
    evidence: Vec<Evidence>,
    next: &'static str,
}

fn requests(facts: &Facts<'_>) -> Option<Difference> {
    let counted = facts.summary.side.counted.iter();
    let differing = counted.filter(|counted| !counted.agrees());
    let of = differing.max_by(|a, b| apart(a).total_cmp(&apart(b)))?;
    let evidence = vec![Evidence::new(format!(
        "requests with {}: {} by the server, {} by the client, between the same two readings",
        if of.timing == Timing::Ttft { "a first token" } else { "a whole output" },
        figure(of.server),
        figure(of.client)
    ))];
    Some(if of.server <= 0.0 {
        Difference {
            what: format!(
                "The metrics that were read are of a server that got none of this load: they count 0 of its {} requests.",
                figure(of.client)
            ),
            sureness: Sureness::Likely,
            evidence,
            next: "The address of the metrics is likely wrong: name that of the server that answers with --server-metrics, or that of every \
                   replica; what is told of the server's side is not of this load.",
        }
    } else if of.server > of.client {
        Difference {
            what: format!(
                "The server worked for others too: it counted {} requests where this client made {}.",
                figure(of.server),
                figure(of.client)
            ),
            sureness: Sureness::Likely,
            evidence,
            next: "Keep other users and health checks away while you measure; if requests ask for several choices each, the server counts \
                   each choice and there is nothing to do.",
        }
    } else {
        Difference {
            what: format!(
                "The server's metrics are not of all that served this load: they count {} of its {} requests.",
                figure(of.server),
                figure(of.client)
            ),
            sureness: Sureness::Likely,
            evidence,
            next: "Name the metrics of every replica with --server-metrics; figures of the server's side are of a part of the load.",
        }
    })
}

/// More requests on the server than this client had in flight.
fn at_once(facts: &Facts<'_>) -> Option<Difference> {
    let others = Others::of(facts)?;
    Some(Difference {
        what: format!(
            "The server worked for others too: {} requests were there on average while any waited, and this client had {} in flight.",
            figure(others.there),
            figure(others.own)
        ),
        sureness: Sureness::Likely,
        evidence: vec![of_others(others)],
        next: "Keep other users away while you measure: latencies are those of their load and yours together. If requests ask for several \
               choices each, the server counts each choice, and there is nothing to do.",
    })
}

fn apart(counted: &Counted) -> f64 {
    (counted.server - counted.client).abs()
}

/// Tokens of outputs, where both counted the same requests.
fn tokens(facts: &Facts<'_>) -> Option<Difference> {
    let side = &facts.summary.side;
    if side.counted.is_empty() || !side.counted.iter().all(Counted::agrees) {
        return None;
    }
    let server = side.growth(Signal::GenerationTokens)?;
    let (from, to) = side.between?;
    let sent = || facts.run.all.iter().chain(&facts.run.probes);
    if sent().any(|record| !record.succeeded() || record.started < from || to < record.end) {
        return None;
    }
    let each: Option<Vec<f64>> =
        sent().map(|record| Some(f64::from(record.output_tokens?.count))).collect();
    let client: f64 = each?.iter().sum();
    if (server - client).abs() <= TOKENS_APART * client {
        return None;
    }
    let estimated = facts.summary.tokens.estimated();
    let counts = format!("{} by the server, {} by the client", figure(server), figure(client));
    Some(Difference {
        what: format!("Server and client count output tokens differently: {counts}."),
        sureness: Sureness::Certain,
        evidence: vec![Evidence::new(format!(
            "output tokens: {counts}{}",
            if estimated { ", who had to estimate them" } else { "" }
        ))],
        next: if estimated {
            "Have the server tell its usage, or name a tokenizer: throughput and times per token rest on the client's estimate."
        } else {
            "See whose usage the answers tell: a gateway may count in its own way, and the server tokens that it never sends."
        },
    })
}

fn first_tokens(facts: &Facts<'_>) -> Option<Difference> {
    if facts.summary.verdict.is_client_limited() {
        return None;
    }
    let beside = facts.summary.side.beside.iter();
    let ttft = beside.clone().find(|beside| beside.timing == Timing::Ttft)?;
    let apart = ttft.difference();
    if apart.abs() < TTFT_APART || apart.abs() < TTFT_APART_OF_IT * ttft.server {
        return None;
    }
    let evidence = beside.map(side_by_side).collect();
    Some(if apart > 0.0 {
        Difference {
            what: format!(
                "First tokens reach the client {} later than the server counts: TTFT is {} here and {} there.",
                time(apart),
                time(ttft.client),
                time(ttft.server)
            ),
            sureness: Sureness::Certain,
            evidence,
            next: "The difference is the network, what stands before the server (a proxy that buffers, TLS), or the server's own front end \
                   before it begins to count: measure beside the server to tell which.",
        }
    } else {
        Difference {
            what: format!(
                "First tokens reach the client sooner than the server counts: TTFT is {} here and {} there.",
                time(ttft.client),
                time(ttft.server)
            ),
            sureness: Sureness::Possible,
            evidence,
            next: "The server counts something else: other users' requests, or a first token that the client hears of before it is computed.",
        }
    })
}

fn side_by_side(beside: &Beside) -> Evidence {
    let name = match beside.timing {
        Timing::Ttft => "TTFT",
        Timing::Itl => "time from one output to the next",
        _ => "end-to-end latency",
    };
    Evidence::new(format!(
        "{name}: {} by the client, {} by the server ({})",
        time(beside.client),
        time(beside.server),
        of_it(beside.client / beside.server)
    ))
}

/// Where one request in a hundred failed, the server may have counted it or not.
const MOST_FAILED: f64 = 0.01;

/// Counts of the same tokens differ by none; tokens that end an output may be counted by one of the two.
const TOKENS_APART: f64 = 0.02;

/// Seconds: networks and front ends take some milliseconds …
const TTFT_APART: f64 = 0.01;

/// … and a fifth of the TTFT changes what one would conclude of the server.
const TTFT_APART_OF_IT: f64 = 0.2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ServerSide;
    use crate::diagnosis::failures::failures;
    use crate::diagnosis::testing::{finding, second, silent};
    use crate::server::Moment;
    use crate::summary::testing::{Changed, ok, point_log, probed};
    use tokometer_record::PointLog;

    fn served() -> PointLog {
        let log = point_log((0..200).map(|i| ok(i, i * 100, &[i * 100 + 50, i * 100 + 100])));
        probed(log, 100_000, 300_000)
    }

    fn counting(server: f64, client: f64) -> ServerSide {
        let counted = Counted { timing: Timing::Ttft, server, client };
        ServerSide {
            counted: vec![counted],
            between: Some((second(0.0), second(60.0))),
            ..ServerSide::default()
        }
    }

    fn beside(server: f64, client: f64) -> ServerSide {
        let beside = Beside { timing: Timing::Ttft, server, client, metric: "ttft" };
        ServerSide { beside: vec![beside], ..ServerSide::default() }
    }

    #[test]
    fn a_counter_that_went_down_is_a_restart() {
        let side = ServerSide { resets: vec![second(7.0)], ..ServerSide::default() };
        let found = finding(server_restarted, &served(), side);
        assert_eq!((found.severity, found.sureness), (Severity::Invalid, Sureness::Likely));
        assert_eq!(found.evidence[0].at, Some(second(7.0)));
        silent(server_restarted, &served(), ServerSide::default());
    }

    #[test]
    fn connections_that_broke_before_it_are_put_down_to_the_restart() {
        let mut log = served();
        log.records[60] = ok(60, 6_000, &[]).failing_at(6_050);
        let side = ServerSide { resets: vec![second(7.0)], ..ServerSide::default() };
        let found = finding(server_restarted, &log, side.clone());
        assert_eq!(found.sureness, Sureness::Certain);
        assert_eq!(
            found.evidence[1].fact,
            "1 of 200 requests (0.5 %) lost their connection before that"
        );
        silent(failures, &log, side.clone());
        log.records[90] = ok(90, 9_000, &[]).failing_at(9_050);
        finding(failures, &log, side);
    }

    #[test]
    fn more_requests_on_the_server_are_those_of_others() {
        let found = finding(server_disagrees, &served(), counting(260.0, 200.0));
        assert_eq!(
            found.what,
            "The server worked for others too: it counted 260 requests where this client made 200."
        );
        silent(server_disagrees, &served(), counting(203.0, 200.0));
    }

    #[test]
    fn more_at_once_than_this_client_sent_make_its_figures_those_of_two_loads() {
        let queued = |waiting: f64| {
            let moment = |n: u32| Moment {
                at: f64::from(n),
                running: Some(1.0),
                waiting: Some(waiting),
                ..Moment::default()
            };
            ServerSide { moments: (0..20).map(moment).collect(), ..counting(202.0, 200.0) }
        };
        let found = finding(server_disagrees, &served(), queued(13.0));
        assert_eq!(
            found.what,
            "The server worked for others too: 14 requests were there on average while any waited, and this client had 1 in flight."
        );
        assert_eq!(found.severity, Severity::Invalid);
        silent(server_disagrees, &served(), queued(2.0));
    }

    #[test]
    fn a_server_that_got_nothing_is_likely_another_one() {
        let found = finding(server_disagrees, &served(), counting(0.0, 200.0));
        assert!(found.what.contains("got none of this load: they count 0 of its 200 requests"));
        assert!(found.next.starts_with("The address of the metrics is likely wrong"));
    }

    #[test]
    fn fewer_are_a_part_of_the_servers() {
        let found = finding(server_disagrees, &served(), counting(50.0, 200.0));
        assert!(found.next.contains("--server-metrics"), "{}", found.next);
    }

    #[test]
    fn tokens_are_compared_where_the_requests_are_the_same() {
        let counted = |tokens: f64, requests: f64| {
            let mut side = counting(requests, 200.0);
            side.grown.insert(Signal::GenerationTokens, tokens);
            side
        };
        let found = finding(server_disagrees, &served(), counted(800.0, 200.0));
        assert_eq!(
            found.what,
            "Server and client count output tokens differently: 800 by the server, 400 by the client."
        );
        silent(server_disagrees, &served(), counted(407.0, 200.0));
        silent(server_disagrees, &served(), counted(400.0, 200.0));
        let mut elsewhere = counted(800.0, 200.0);
        elsewhere.between = Some((second(1.0), second(60.0)));
        silent(server_disagrees, &served(), elsewhere);
        let mut unknown = counted(800.0, 200.0);
        unknown.counted.clear();
        silent(server_disagrees, &served(), unknown);
    }

    #[test]
    fn a_first_token_that_takes_long_on_its_way_is_told_both_ways() {
        let found = finding(server_disagrees, &served(), beside(0.1, 0.35));
        assert_eq!(
            found.what,
            "First tokens reach the client 250 ms later than the server counts: TTFT is 350 ms here and 100 ms there."
        );
        let found = finding(server_disagrees, &served(), beside(0.35, 0.1));
        assert_eq!(found.sureness, Sureness::Possible);
    }

    #[test]
    fn a_small_difference_is_the_network() {
        silent(server_disagrees, &served(), beside(0.1, 0.119));
        finding(server_disagrees, &served(), beside(0.1, 0.121));
        silent(server_disagrees, &served(), beside(0.01, 0.019));
    }

    #[test]
    fn a_slow_client_is_not_the_servers_doing() {
        let log = probed(served(), 30_000_000, 40_000_000);
        silent(server_disagrees, &log, beside(0.1, 0.35));
    }

    #[test]
    fn a_load_that_failed_in_part_is_not_compared() {
        let mut log = served();
        for index in 0..3 {
            log.records[index] = ok(index as u64, 0, &[]).failing_at(50);
        }
        silent(server_disagrees, &log, counting(260.0, 200.0));
        let mut broken_off = served();
        broken_off.end.as_mut().unwrap().complete = false;
        silent(server_disagrees, &broken_off, counting(260.0, 200.0));
    }
}
