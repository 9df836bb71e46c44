//! To which cause each failure is put down, so that one cause is found once.
//!
//! Deliberately tells nothing: each cause has a rule of its own, which does. What none of the particular causes explains is left
//! over as [`Cause::Other`].

use tokometer_record::{FailureKind, Offset, Record, TimeoutPhase};

use super::Facts;
use super::cap::{Cap, levels};
use crate::Run;

/// What a failure is put down to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// This process had no file descriptor left.
    Descriptors,
    /// The server went away and came back.
    Restart,
    /// A time limit of the client's.
    Timeout,
    /// A time limit of something before the server.
    Gateway,
    /// The server, or a gateway in its name, refuses load.
    Refusal,
    /// Something lets only so many connections through.
    Connection,
    /// Anything else.
    Other,
}

/// The failures of a point, each with its cause.
#[derive(Debug)]
pub(super) struct Failed<'a> {
    causes: Vec<(&'a Record, Cause)>,
    /// How many requests were let in at once by what refuses load, where that shows.
    pub(super) refusing: Option<Cap>,
    /// How many requests were let in at once by what limits connections, where that shows.
    pub(super) connecting: Option<Cap>,
}

impl<'a> Failed<'a> {
    /// The measured requests that failed, without those that the user cancelled. `None` if there are none.
    pub(super) fn of(facts: &Facts<'a>) -> Option<Self> {
        if facts.summary.counts.broken() == 0 {
            return None;
        }
        let run = facts.run;
        let refusing = cap(run, is_refusal);
        let connecting = cap(run, is_knock);
        let last_reset = facts.summary.side.resets.iter().max().copied();
        let counted = facts.summary.side.growth(tokometer_record::Signal::Rejected);
        let by_its_words =
            run.measured.iter().any(|record| is_refusal(record) && says_busy(record));
        let judge = Judge {
            last_reset,
            refuses: refusing.is_some() || counted.is_some_and(|n| n > 0.0) || by_its_words,
            turns_away: connecting.is_some(),
            beside_others: among_served(run),
            cut_off: cut_off_at_one_age(run, last_reset),
        };
        let failed = run.measured.iter().copied();
        let causes = failed.filter_map(|record| Some((record, judge.cause(record)?))).collect();
        Some(Self { causes, refusing, connecting })
    }

    /// Those of one cause, in the order in which they started. `None` if there are none.
    pub(super) fn by(&self, cause: Cause) -> Option<Vec<&'a Record>> {
        let of_it = self.causes.iter().filter(|(_, its)| *its == cause);
        let records: Vec<_> = of_it.map(|(record, _)| *record).collect();
        (!records.is_empty()).then_some(records)
    }
}

/// What of the run as a whole tells the cause of one failure.
struct Judge {
    last_reset: Option<Offset>,
    refuses: bool,
    turns_away: bool,
    beside_others: bool,
    cut_off: bool,
}

impl Judge {
    fn cause(&self, record: &Record) -> Option<Cause> {
        let kind = record.failure()?.kind;
        Some(match kind {
            FailureKind::Cancelled => return None,
            FailureKind::OutOfDescriptors => Cause::Descriptors,
            _ if is_breach(record) && Some(record.end) <= self.last_reset => Cause::Restart,
            _ if self.turns_away && is_knock(record) => Cause::Connection,
            FailureKind::Timeout(_) => Cause::Timeout,
            FailureKind::Status(504 | 408 | 524) => Cause::Gateway,
            FailureKind::Status(429) => Cause::Refusal,
            _ if self.refuses && is_refusal(record) => Cause::Refusal,
            FailureKind::Status(503) if self.beside_others && is_of_a_proxy(record) => {
                Cause::Connection
            }
            _ if self.cut_off && is_breach(record) => Cause::Gateway,
            _ => Cause::Other,
        })
    }
}

/// The failures that could be a cap's doing are held against all other requests: those were let in.
fn cap(run: &Run<'_>, turned_away: fn(&Record) -> bool) -> Option<Cap> {
    if !run.measured.iter().any(|record| turned_away(record)) {
        return None;
    }
    let found = levels(&run.all, |record| !turned_away(record));
    let (refused, accepted): (Vec<_>, Vec<_>) =
        run.all.iter().zip(found).partition(|(record, _)| turned_away(record));
    let levels = |side: Vec<(&&Record, usize)>| side.into_iter().map(|(_, level)| level).collect();
    let cap = Cap::between(levels(refused), levels(accepted))?;
    // As a closed loop begins, its requests find fewer others than later: what fails later alone looks like a cap at its own concurrency.
    let concurrency = run.point.concurrency.map_or(f64::INFINITY, |places| places as f64);
    (cap.places as f64 <= BELOW_THE_LOAD * concurrency).then_some(cap)
}

/// Whether a proxy's refusals came while others were served, and not from a service that was away.
fn among_served(run: &Run<'_>) -> bool {
    let found = levels(&run.all, Record::succeeded);
    let told: Vec<usize> = run
        .all
        .iter()
        .zip(found)
        .filter(|(record, _)| is_knock(record) && is_of_a_proxy(record))
        .map(|(_, level)| level)
        .collect();
    let beside = told.iter().filter(|&&level| level > 0).count();
    !told.is_empty() && beside as f64 >= BESIDE_OTHERS * told.len() as f64
}

/// Whether connections broke at one and the same age, as by a limit of something in between.
fn cut_off_at_one_age(run: &Run<'_>, last_reset: Option<Offset>) -> bool {
    let broken = run.measured.iter().filter(|r| is_breach(r) && Some(r.end) > last_reset);
    let mut ages: Vec<f64> =
        broken.map(|record| (record.end - record.started).as_secs_f64()).collect();
    if ages.len() < LEAST_CUT_OFF {
        return false;
    }
    ages.sort_by(f64::total_cmp);
    let at = |tenths: usize| ages[(ages.len() - 1) * tenths / 10];
    at(5) >= SHORTEST_LIMIT && at(9) - at(1) <= SAME_AGE * at(5)
}

/// Whether it ended as a request does that is refused for want of room, by words that are not a proxy's.
fn is_refusal(record: &Record) -> bool {
    let refused =
        kind(record).is_some_and(|kind| matches!(kind, FailureKind::Status(429 | 503 | 529)));
    refused && !is_of_a_proxy(record)
}

/// Whether it ended as a request does that never came through: before any output, at the connection or at a proxy.
fn is_knock(record: &Record) -> bool {
    match kind(record) {
        Some(
            FailureKind::ConnectRefused
            | FailureKind::Connect
            | FailureKind::Timeout(TimeoutPhase::Connect)
            | FailureKind::Status(502),
        ) => true,
        Some(FailureKind::Reset) => record.chunks.is_empty(),
        Some(FailureKind::Status(503)) => is_of_a_proxy(record),
        _ => false,
    }
}

/// Whether it ended as a request does whose server goes away.
fn is_breach(record: &Record) -> bool {
    let torn = matches!(
        kind(record),
        Some(FailureKind::Reset | FailureKind::TruncatedStream | FailureKind::Status(503))
    );
    torn || is_knock(record)
}

/// Whether its words are those of a proxy and not of an inference server.
pub(super) fn is_of_a_proxy(record: &Record) -> bool {
    says(record, &PROXIES)
}

/// Whether its words tell of too much load.
fn says_busy(record: &Record) -> bool {
    says(record, &BUSY)
}

fn says(record: &Record, words: &[&str]) -> bool {
    record.failure().is_some_and(|failure| {
        let message = failure.message.to_lowercase();
        words.iter().any(|word| message.contains(word))
    })
}

fn kind(record: &Record) -> Option<FailureKind> {
    record.failure().map(|failure| failure.kind)
}

/// What proxies and gateways say of themselves, of their upstream, or with their own error pages: nginx, Envoy, HAProxy, Cloudflare,
/// AWS and Google load balancers. Small letters.
const PROXIES: [&str; 11] = [
    "nginx",
    "envoy",
    "haproxy",
    "cloudflare",
    "openresty",
    "upstream",
    "gateway",
    "no server is available to handle",
    "service temporarily unavailable",
    "no healthy",
    "backend",
];

/// What servers say when there is too much to do. Small letters. The third is vLLM's, when its queue is as long as it may be.
const BUSY: [&str; 9] = [
    "overload",
    "too many",
    "busy",
    "backlog limit",
    "queue",
    "at capacity",
    "rate limit",
    "throttl",
    "concurrency",
];

/// A cap shows in a closed loop only if it is below the concurrency asked for by a tenth of that.
const BELOW_THE_LOAD: f64 = 0.9;

/// A service that is away serves nobody: at nine of ten refusals others must have been in service.
const BESIDE_OTHERS: f64 = 0.9;

/// Fewer broken connections tell nothing of a common age.
const LEAST_CUT_OFF: usize = 5;

/// Seconds: limits of proxies are ten seconds and more in practice, and what breaks sooner may do so for many reasons.
const SHORTEST_LIMIT: f64 = 5.0;

/// Ages that differ by less than 2 % between the first decile and the last are one age.
const SAME_AGE: f64 = 0.02;
