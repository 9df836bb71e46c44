//! Requests that wait on the server for their turn, and for what: for a place, for room in the KV cache, or for a step that is not full.
//!
//! Deliberately does not reckon with latencies of the client where the server is silent: a TTFT that grows with the load may be waiting
//! as well as a busy processor.

mod readings;
mod room;
mod steps;
mod whose;

use tokometer_record::{Signal, Timing};

use self::readings::{NEARLY, Queue, by_log, by_moments};
use self::room::Room;
use self::steps::{Parts, Steps, ending_in_a_step, prompts_share, seem_to_use_up_a_budget};
pub(super) use self::whose::Others;
use self::whose::engines;
use super::attribution::{Cause, Failed};
use super::figures::{figure, percent, setting, time};
use super::preemption;
use super::timeouts::FAILING;
use super::{Evidence, Facts, Finding, Severity, Sureness};
use crate::ServerSide;
use crate::server::Level;

/// Requests wait although the cache has room, with as many running as ever do.
pub(super) fn queueing_by_max_num_seqs(facts: &Facts<'_>) -> Option<Finding> {
    by_places(facts).filter(|_| !is_told_elsewhere(facts)).map(|found| shared(facts, found))
}

fn by_places(facts: &Facts<'_>) -> Option<Finding> {
    let (queue, For::Places(sureness)) = waiting(facts)? else { return None };
    let most = figure(queue.running_max);
    let room = Room::of(facts, &queue);
    let roomy = !queue.is_nearly_out_of_room() && room.is_some_and(|room| room.holds_another());
    let side = &facts.summary.side;
    let over = match engines(facts) {
        1 => String::new(),
        several => format!(" over all {several} engines"),
    };
    Some(Finding {
        rule: "queueing_by_max_num_seqs",
        severity: Severity::Limiting,
        sureness,
        what: format!(
            "Requests wait for one of {most} places{over}: {} were waiting on average{}.",
            figure(queue.waiting_mean),
            queue
                .kv
                .map(|kv| format!(", with {} of the KV cache in use", percent(kv)))
                .unwrap_or_default()
        ),
        evidence: queue.evidence(facts),
        next: format!(
            "Raise {}{}{}; if steps become too slow by that, add replicas or send fewer requests at once.",
            setting(side, "--max-num-seqs", "--max-running-requests"),
            if over.is_empty() { "" } else { " (it counts for each engine)" },
            if roomy { ", as the KV cache has room" } else { " if the KV cache has room" }
        ),
        points: vec![facts.summary.point.index],
    })
}

/// Requests wait because the KV cache is full. Where others lose their place for it, that is told instead.
pub(super) fn queueing_by_kv_space(facts: &Facts<'_>) -> Option<Finding> {
    let told = is_told_elsewhere(facts) || preemption::preemption_thrash(facts).is_some();
    by_room(facts).filter(|_| !told).map(|found| shared(facts, found))
}

fn by_room(facts: &Facts<'_>) -> Option<Finding> {
    let (queue, For::Room) = waiting(facts)? else { return None };
    let side = &facts.summary.side;
    let mut evidence = queue.evidence(facts);
    evidence.extend(Room::of(facts, &queue).filter(Room::is_short).map(|room| {
        Evidence::new(format!(
            "of the cache, {} tokens were free meanwhile on average, and a prompt takes {}",
            figure(room.free),
            figure(room.prompt)
        ))
    }));
    Some(Finding {
        rule: "queueing_by_kv_space",
        severity: Severity::Limiting,
        sureness: Sureness::Likely,
        what: format!(
            "Requests wait for room in the KV cache: {} were waiting on average, with {} of it in use.",
            figure(queue.waiting_mean),
            percent(queue.kv.unwrap_or_default())
        ),
        evidence,
        next: format!(
            "Give the cache more room ({}), or send shorter prompts or fewer requests at once.",
            setting(
                side,
                "a larger --gpu-memory-utilization, --kv-cache-dtype fp8, a shorter --max-model-len, more GPUs",
                "a larger --mem-fraction-static, --kv-cache-dtype fp8_e5m2, more GPUs"
            )
        ),
        points: vec![facts.summary.point.index],
    })
}

/// Requests wait because each step has as many tokens as it may have.
pub(super) fn queueing_by_token_budget(facts: &Facts<'_>) -> Option<Finding> {
    by_tokens(facts).filter(|_| !is_told_elsewhere(facts)).map(|found| shared(facts, found))
}

fn by_tokens(facts: &Facts<'_>) -> Option<Finding> {
    let (queue, For::Tokens(sureness)) = waiting(facts)? else { return None };
    let side = &facts.summary.side;
    let mut evidence = queue.evidence(facts);
    evidence.extend(step_tokens(facts));
    evidence.extend(Parts::of(facts).map(|parts| {
        Evidence::new(format!(
            "a prompt took {} steps: {} from its turn to its first token, with {} a step",
            figure(parts.steps),
            time(parts.prefill),
            time(parts.step)
        ))
    }));
    evidence.extend(prompts_share(facts).map(|share| {
        Evidence::new(format!("{} of the tokens computed were those of prompts", percent(share)))
    }));
    Some(Finding {
        rule: "queueing_by_token_budget",
        severity: Severity::Limiting,
        sureness,
        what: format!(
            "Requests wait for their prompts to be computed: {} were waiting on average{}.",
            figure(queue.waiting_mean),
            match (side.timing(Timing::StepTokens), queue.kv) {
                (Some(tokens), _) => {
                    format!(", with steps of {} tokens on average", figure(tokens.mean))
                }
                (None, Some(kv)) => format!(", with {} of the KV cache in use", percent(kv)),
                (None, None) => String::new(),
            }
        ),
        evidence,
        next: format!(
            "Prompts are the bottleneck: try a larger {} (gaps between tokens become longer by it), send shorter or cached prompts, or \
             add replicas.",
            setting(side, "--max-num-batched-tokens", "--chunked-prefill-size")
        ),
        points: vec![facts.summary.point.index],
    })
}

/// Requests wait, and what the server says leaves open for what.
pub(super) fn queueing(facts: &Facts<'_>) -> Option<Finding> {
    by_anything(facts).filter(|_| !is_told_elsewhere(facts)).map(|found| shared(facts, found))
}

fn by_anything(facts: &Facts<'_>) -> Option<Finding> {
    let side = &facts.summary.side;
    let (what, evidence) = match waiting(facts) {
        Some((queue, For::Unknown)) => {
            let what = format!(
                "Requests wait on the server: {} on average, in {} of the readings.",
                figure(queue.waiting_mean),
                percent(queue.share)
            );
            let mut evidence = queue.evidence(facts);
            evidence.extend(step_tokens(facts));
            (what, evidence)
        }
        Some(_) => return None,
        None => by_queue_time(facts)?,
    };
    Some(Finding {
        rule: "queueing",
        severity: Severity::Limiting,
        sureness: Sureness::Certain,
        what,
        evidence,
        next: format!(
            "See for what: as many running as allowed ({}), a full KV cache, or steps full of prompts ({}); the server's own settings tell. \
             Or add replicas, or lower the load.",
            setting(side, "--max-num-seqs", "--max-running-requests"),
            setting(side, "--max-num-batched-tokens", "--chunked-prefill-size")
        ),
        points: vec![facts.summary.point.index],
    })
}

/// What any of these rules finds, whether or not it is told with another finding.
pub(super) fn any(facts: &Facts<'_>) -> Option<Finding> {
    [by_places, by_room, by_tokens, by_anything].into_iter().find_map(|rule| rule(facts))
}

/// The same of a queue in which others' requests wait as well.
fn shared(facts: &Facts<'_>, mut finding: Finding) -> Finding {
    if let Some(others) = Others::of(facts) {
        finding.evidence.insert(0, of_others(others));
        finding.next = format!(
            "This queue is not this client's alone: keep others away and measure again. If they belong to the load: {}",
            finding.next
        );
    }
    finding
}

/// That the server has more requests than this client sent.
pub(super) fn of_others(others: Others) -> Evidence {
    Evidence::new(format!(
        "running and waiting on the server: {} requests on average while any waited, of which this client had {} in flight",
        figure(others.there),
        figure(others.own)
    ))
}

/// Whether users feel the queue as something worse: they lose patience, and the queue is told with that.
fn is_told_elsewhere(facts: &Facts<'_>) -> bool {
    let late = Failed::of(facts).and_then(|failed| failed.by(Cause::Timeout));
    late.is_some_and(|late| late.len() as f64 >= FAILING * facts.summary.counts.tried() as f64)
}

/// For what requests wait.
#[derive(Clone, Copy, Debug, PartialEq)]
enum For {
    Places(Sureness),
    Room,
    Tokens(Sureness),
    Unknown,
}

fn waiting(facts: &Facts<'_>) -> Option<(Queue, For)> {
    let queue = by_moments(facts).or_else(|| by_log(facts))?;
    let told = queue.share >= MOSTLY && queue.readings >= LEAST_READINGS && lasts(facts, &queue);
    told.then(|| (queue, what_for(facts, &queue)))
}

/// Whether requests wait for more than the next step to begin, as each request does that arrives during one.
fn lasts(facts: &Facts<'_>, queue: &Queue) -> bool {
    let side = &facts.summary.side;
    match (side.timing(Timing::Queue), side.timing(Timing::Itl)) {
        (Some(waited), Some(step)) if waited.count > 0.0 && step.count > 0.0 => {
            waited.mean >= WAITED_STEPS * step.mean
        }
        _ => queue.waiting_mean >= OF_RUNNING * queue.running_mean,
    }
}

fn what_for(facts: &Facts<'_>, queue: &Queue) -> For {
    let side = &facts.summary.side;
    let mean = |signal| side.level(signal).map_or(0.0, |level| level.mean);
    let deferred = mean(Signal::WaitingDeferred);
    if deferred > 0.5 * queue.waiting_mean || queue.running_max == 0.0 {
        return For::Unknown;
    }
    if queue.kv_full >= MOSTLY {
        return For::Room;
    }
    let steps = Steps::of(facts);
    let nearly_full = queue.is_nearly_out_of_room();
    let too_short = Room::of(facts, queue).is_some_and(|room| room.is_short());
    if let Some(allowed) = side.level(Signal::MaxRunning).map(|level| level.max) {
        return match steps {
            _ if queue.running_mean >= NEARLY * allowed => For::Places(Sureness::Certain),
            _ if nearly_full || too_short => For::Room,
            Steps::Full | Steps::FullAndSmall | Steps::InParts => For::Tokens(Sureness::Likely),
            Steps::Uneven if queue.kv.is_some() => For::Tokens(Sureness::Possible),
            _ => For::Unknown,
        };
    }
    if too_short {
        return For::Room;
    }
    let likely = if queue.kv.is_some() { Sureness::Likely } else { Sureness::Possible };
    match (queue.is_at_most(ending_in_a_step(facts)), steps) {
        (false, _) if nearly_full => For::Room,
        (true, _) if nearly_full => For::Unknown,
        (_, Steps::InParts) => For::Tokens(Sureness::Likely),
        (true, Steps::OfOutputs | Steps::Uneven | Steps::FullAndSmall) => For::Places(likely),
        (true, Steps::Untold) => For::Places(Sureness::Possible),
        // So few that compute prompts for the most part may as well be what a step has tokens for.
        (true, Steps::OfPrompts) if queue.is_constant() && queue.running_max >= MANY => {
            For::Places(Sureness::Possible)
        }
        (true, Steps::Full) if seem_to_use_up_a_budget(facts) => For::Tokens(Sureness::Possible),
        (false, Steps::Full | Steps::FullAndSmall) => For::Tokens(Sureness::Likely),
        // There are places, and there is room: what is left are tokens, however many the steps have.
        (false, Steps::Uneven) if queue.kv.is_some() => For::Tokens(Sureness::Possible),
        _ => For::Unknown,
    }
}

impl Queue {
    fn evidence(&self, facts: &Facts<'_>) -> Vec<Evidence> {
        let mut evidence = vec![
            Evidence::at(
                format!(
                    "waiting: {} on average while any did, {} at most, some in {} of {} readings",
                    figure(self.waiting_mean),
                    figure(self.waiting_max),
                    percent(self.share),
                    self.readings
                ),
                self.waiting_max_at,
            ),
            Evidence::new(format!(
                "running meanwhile: {} on average; {} at most at any time{}",
                figure(self.running_mean),
                figure(self.running_max),
                self.at_most
                    .map(|share| format!(", which it was in {} of these readings", percent(share)))
                    .unwrap_or_default()
            )),
        ];
        evidence.extend(self.kv.map(|kv| {
            Evidence::new(format!("KV cache meanwhile: {} in use on average", percent(kv)))
        }));
        evidence.extend(queue_time(facts));
        evidence
    }
}

/// The server's mean TTFT, if it is of the requests whose time in the queue is told: vLLM tells that of those that ended, and a TTFT at
/// once.
fn ttft_of_the_same(side: &ServerSide) -> Option<f64> {
    let (queue, ttft) = (side.timing(Timing::Queue)?, side.timing(Timing::Ttft)?);
    queue.is_of_as_many_as(ttft).then_some(ttft.mean)
}

fn queue_time(facts: &Facts<'_>) -> Option<Evidence> {
    let side = &facts.summary.side;
    let queue = side.timing(Timing::Queue)?;
    let of = ttft_of_the_same(side).map(|ttft| format!(", of {} to the first token", time(ttft)));
    Some(Evidence::new(format!(
        "time in the queue, by the server: {} on average{}",
        time(queue.mean),
        of.unwrap_or_default()
    )))
}

/// Where no reading tells of those waiting: by how long the server says that they did.
fn by_queue_time(facts: &Facts<'_>) -> Option<(String, Vec<Evidence>)> {
    let side = &facts.summary.side;
    // Whoever tells how many wait, and that mostly none do, has not to be asked for how long.
    if by_moments_at_all(facts) {
        return None;
    }
    let (queue, ttft) = (side.timing(Timing::Queue)?, ttft_of_the_same(side)?);
    let step = side.timing(Timing::Itl).map_or(0.0, |itl| itl.mean);
    let long = queue.mean >= WAITED_OF_TTFT * ttft && queue.mean >= WAITED_STEPS * step;
    (long && queue.count >= LEAST_WAITED).then(|| {
        let what = format!(
            "Requests wait on the server: {} of the {} to a first token is spent in its queue.",
            time(queue.mean),
            time(ttft)
        );
        (what, queue_time(facts).into_iter().collect())
    })
}

fn by_moments_at_all(facts: &Facts<'_>) -> bool {
    let side = &facts.summary.side;
    let told =
        |levels: Option<&Level>| levels.is_some_and(|level| level.readings >= LEAST_READINGS);
    told(side.level(Signal::Waiting))
        || side.log.as_ref().is_some_and(|log| told(log.levels.get(&Signal::Waiting)))
}

fn step_tokens(facts: &Facts<'_>) -> Option<Evidence> {
    let tokens = facts.summary.side.timing(Timing::StepTokens)?;
    let most = tokens.p99.map(|(low, high)| match high.is_finite() {
        true => format!(", {} to {} in the fullest (p99)", figure(low), figure(high)),
        false => format!(", more than {} in the fullest (p99)", figure(low)),
    });
    Some(Evidence::new(format!(
        "tokens of a step: {} on average{}",
        figure(tokens.mean),
        most.unwrap_or_default()
    )))
}

/// A queue that is there in less than half of the readings comes and goes: bursts, or the beginning of a closed loop.
const MOSTLY: f64 = 0.5;

/// Fewer readings than this tell nothing of most of the time.
const LEAST_READINGS: usize = 5;

/// From so many on, a constant number of prompts at once is hardly what a step happens to have tokens for.
const MANY: f64 = 16.0;

/// A queue that takes half of the time to a first token is what users wait for …
const WAITED_OF_TTFT: f64 = 0.5;

/// … unless it is but the wait for the next step to begin, which takes up to one, or two with asynchronous scheduling. Outputs come a
/// step apart.
const WAITED_STEPS: f64 = 3.0;

/// Where the time is not told, a queue is one if it is a tenth of what runs: who only waits for the next step is one in twice as many as
/// an output has tokens (Little's law, half a step against all of them).
const OF_RUNNING: f64 = 0.1;

/// Requests that waited: of fewer the mean is that of a burst.
const LEAST_WAITED: f64 = 20.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::testing::{finding, second, silent};
    use crate::server::{LogSide, Moment, Spread, Through};
    use crate::summary::testing::{ok, point_log};
    use tokometer_record::PointLog;

    /// As many in flight all the time as any of these servers has.
    fn ten_seconds() -> PointLog {
        point_log((0..250).map(|i| ok(i, 0, &[9_950, 10_000])))
    }

    /// One in flight all the time.
    fn one_by_one() -> PointLog {
        point_log((0..100).map(|i| ok(i, i * 100, &[i * 100 + 50, i * 100 + 100])))
    }

    /// Twenty readings, half a second apart: running, waiting, KV cache.
    fn readings(figures: impl Fn(usize) -> (f64, f64, f64)) -> ServerSide {
        let moments = (0..20).map(|n| {
            let (running, waiting, kv) = figures(n);
            Moment {
                at: n as f64 * 0.5,
                running: Some(running),
                waiting: Some(waiting),
                kv_usage: Some(kv),
                ..Moment::default()
            }
        });
        let mut side = ServerSide { moments: moments.collect(), ..ServerSide::default() };
        side.servers = vec!["vllm".into()];
        side.levels.insert(Signal::Waiting, Level { readings: 20, ..Level::default() });
        side
    }

    fn steps(mut side: ServerSide, mean: f64, p99: (f64, f64), prompts: f64) -> ServerSide {
        let spread = Spread { count: 1_000.0, mean, p50: None, p99: Some(p99) };
        side.timings.insert(Timing::StepTokens, spread);
        side.grown.insert(Signal::PromptTokens, prompts);
        side.grown.insert(Signal::GenerationTokens, 1_000.0);
        side
    }

    /// The rules that find something.
    fn rules(side: &ServerSide) -> Vec<&'static str> {
        let rules =
            [queueing_by_max_num_seqs, queueing_by_kv_space, queueing_by_token_budget, queueing];
        let log = ten_seconds();
        rules
            .into_iter()
            .filter_map(|rule| crate::diagnosis::testing::found(rule, &log, side.clone()))
            .map(|finding| finding.rule)
            .collect()
    }

    #[test]
    fn a_constant_number_running_is_a_cap_on_them() {
        let side = readings(|n| (if n == 7 { 40.0 } else { 64.0 }, 136.0, 0.3));
        let found = finding(queueing_by_max_num_seqs, &ten_seconds(), side.clone());
        assert_eq!(
            found.what,
            "Requests wait for one of 64 places: 136 were waiting on average, with 30 % of the KV cache in use."
        );
        assert!(
            found.next.starts_with("Raise --max-num-seqs if the KV cache has room;"),
            "{}",
            found.next
        );
        assert_eq!(found.evidence[0].at, Some(second(0.0)));
        assert_eq!(found.sureness, Sureness::Possible);
        let of_outputs = steps(side.clone(), 70.0, (64.0, 128.0), 900.0);
        let found = finding(queueing_by_max_num_seqs, &ten_seconds(), of_outputs);
        assert_eq!(found.sureness, Sureness::Likely);
        assert_eq!(rules(&side), ["queueing_by_max_num_seqs"]);
    }

    #[test]
    fn a_server_that_tells_its_cap_makes_it_certain() {
        let told = |running: f64| {
            let mut side = readings(|_| (running, 136.0, 0.3));
            side.levels.insert(Signal::MaxRunning, Level { max: 64.0, ..Level::default() });
            side
        };
        let found = finding(queueing_by_max_num_seqs, &ten_seconds(), told(64.0));
        assert_eq!(found.sureness, Sureness::Certain);
        assert_eq!(rules(&told(30.0)), ["queueing"]);
    }

    #[test]
    fn a_full_cache_is_what_is_waited_for() {
        let side = readings(|n| (20.0 + (n % 5) as f64, 100.0, 0.93));
        let found = finding(queueing_by_kv_space, &ten_seconds(), side.clone());
        assert!(found.what.contains("93 % of it in use"), "{}", found.what);
        assert_eq!(rules(&side), ["queueing_by_kv_space"]);
        let nearly = readings(|n| (20.0 + (n % 5) as f64, 100.0, if n == 3 { 0.92 } else { 0.75 }));
        assert_eq!(rules(&nearly), ["queueing_by_kv_space"]);
        let roomy = readings(|n| (20.0 + (n % 5) as f64, 100.0, 0.89));
        assert_eq!(rules(&roomy), ["queueing"]);
    }

    #[test]
    fn where_places_are_lost_for_the_cache_that_is_told_instead() {
        let mut side = readings(|n| (20.0 + (n % 5) as f64, 100.0, 0.97));
        side.grown.insert(Signal::Preemptions, 30.0);
        side.grown.insert(Signal::Finished, 100.0);
        assert_eq!(rules(&side), [""; 0]);
    }

    #[test]
    fn full_steps_of_prompts_are_a_budget() {
        let side = readings(|n| (20.0 + (n % 7) as f64, 100.0, 0.3));
        let full = steps(side.clone(), 250.0, (256.0, 512.0), 10_000.0);
        let found = finding(queueing_by_token_budget, &ten_seconds(), full.clone());
        assert!(found.next.contains("--max-num-batched-tokens"), "{}", found.next);
        assert_eq!(rules(&full), ["queueing_by_token_budget"]);
        let at_times = steps(side.clone(), 120.0, (256.0, 512.0), 10_000.0);
        let found = finding(queueing_by_token_budget, &ten_seconds(), at_times);
        assert_eq!(found.sureness, Sureness::Possible);
        let of_outputs = steps(side, 250.0, (256.0, 512.0), 900.0);
        assert_eq!(rules(&of_outputs), ["queueing"]);
    }

    #[test]
    fn a_constant_number_with_full_steps_leaves_both_open() {
        let constant = |mean: f64, p99| steps(readings(|_| (11.0, 50.0, 0.3)), mean, p99, 10_000.0);
        assert_eq!(rules(&constant(1_500.0, (2_048.0, 4_096.0))), ["queueing"]);
        assert_eq!(rules(&constant(500.0, (2_048.0, 4_096.0))), ["queueing_by_max_num_seqs"]);
        // Steps as small as these are full only where somebody made them so.
        assert_eq!(rules(&constant(250.0, (256.0, 512.0))), ["queueing_by_max_num_seqs"]);
        // Prompts that are longer than a step count as a whole in their last one.
        let mut in_parts = constant(3_000.0, (8_192.0, 16_384.0));
        let spread = Spread { count: 100.0, mean: 9_000.0, p50: None, p99: None };
        in_parts.timings.insert(Timing::PromptLength, spread);
        assert_eq!(rules(&in_parts), ["queueing"]);
    }

    #[test]
    fn steps_of_a_usual_budget_that_take_as_long_each_are_full_of_it() {
        let side = steps(readings(|_| (11.0, 50.0, 0.3)), 2_000.0, (2_048.0, 4_096.0), 10_000.0);
        let found = finding(queueing_by_token_budget, &ten_seconds(), side.clone());
        assert_eq!(found.sureness, Sureness::Possible);
        assert_eq!(rules(&side), ["queueing_by_token_budget"]);
    }

    /// Prompts that take so many steps of 50 ms, as long as the gaps of [`ten_seconds`], each of 500 tokens.
    fn in_parts(taken: f64, itl: f64) -> ServerSide {
        let mut side = steps(readings(|_| (5.0, 50.0, 0.3)), 500.0, (1_024.0, 2_048.0), 10_000.0);
        let spread = |mean| Spread { count: 100.0, mean, p50: None, p99: None };
        side.timings.insert(Timing::Prefill, spread(taken * 0.05));
        side.timings.insert(Timing::Itl, spread(itl));
        side.timings.insert(Timing::Queue, spread(1.0));
        side.throughput = Some(Through { prompt: 9_900.0, computed: None, generation: 100.0 });
        side
    }

    #[test]
    fn prompts_that_take_several_steps_say_that_steps_are_full() {
        let found = finding(queueing_by_token_budget, &ten_seconds(), in_parts(8.8, 0.05));
        assert_eq!(
            found.what,
            "Requests wait for their prompts to be computed: 50 were waiting on average, with steps of 500 tokens on average."
        );
        let fact =
            "a prompt took 8.8 steps: 440 ms from its turn to its first token, with 50 ms a step";
        assert!(found.evidence.iter().any(|evidence| evidence.fact == fact), "{found:?}");
        assert_eq!(found.sureness, Sureness::Likely);
        assert_eq!(rules(&in_parts(8.8, 0.05)), ["queueing_by_token_budget"]);
        // A prompt within one step, and outputs that never wait for the steps of prompts.
        assert_eq!(rules(&in_parts(1.2, 0.05)), ["queueing_by_max_num_seqs"]);
        assert_eq!(rules(&in_parts(8.8, 0.04)), ["queueing_by_max_num_seqs"]);
    }

    #[test]
    fn one_less_than_the_most_is_not_the_most() {
        let side = readings(|n| (if n == 7 { 3.0 } else { 2.0 }, 14.0, 0.01));
        let side = steps(side, 256.0, (1_024.0, 2_048.0), 100_000.0);
        let found = finding(queueing_by_token_budget, &ten_seconds(), side.clone());
        let fact = "running meanwhile: 2.05 on average; 3 at most at any time, which it was in 5 % of these readings";
        assert_eq!(found.evidence[1].fact, fact);
        assert_eq!(rules(&side), ["queueing_by_token_budget"]);
    }

    #[test]
    fn places_of_those_that_end_in_a_step_are_taken_all_the_same() {
        // One of eight ends in each step, and the reading is taken before another has its place.
        let mut side = readings(|n| (if n % 3 == 0 { 8.0 } else { 6.5 }, 14.0, 0.01));
        side = steps(side, 70.0, (512.0, 1_024.0), 900.0);
        assert_eq!(rules(&side), ["queueing"]);
        side.grown.insert(Signal::Finished, 1_000.0);
        assert_eq!(rules(&side), ["queueing_by_max_num_seqs"]);
    }

    #[test]
    fn a_cache_without_room_for_a_prompt_is_what_is_waited_for() {
        let cache = |tokens: f64, prompt: f64| {
            let mut side = readings(|_| (4.0, 11.0, 0.843));
            let size = Level { mean: tokens, max: tokens, ..Level::default() };
            side.levels.insert(Signal::KvTokens, size);
            let spread = Spread { count: 100.0, mean: prompt, p50: None, p99: None };
            side.timings.insert(Timing::PromptLength, spread);
            side
        };
        let found = finding(queueing_by_kv_space, &ten_seconds(), cache(4_800.0, 1_000.0));
        let fact =
            "of the cache, 754 tokens were free meanwhile on average, and a prompt takes 1,000";
        assert!(found.evidence.iter().any(|evidence| evidence.fact == fact), "{found:?}");
        assert_eq!(rules(&cache(4_800.0, 1_000.0)), ["queueing_by_kv_space"]);
        let found = finding(queueing_by_max_num_seqs, &ten_seconds(), cache(48_000.0, 1_000.0));
        assert!(found.next.contains("as the KV cache has room"), "{}", found.next);
        // Two tokens of output: 754 + 2 do not fit, though 752 do.
        let found = finding(queueing_by_max_num_seqs, &ten_seconds(), cache(4_800.0, 752.0));
        assert!(found.next.contains("if the KV cache has room"), "{}", found.next);
        let unknown =
            finding(queueing_by_max_num_seqs, &ten_seconds(), readings(|_| (4.0, 9.0, 0.3)));
        assert!(unknown.next.contains("if the KV cache has room"), "{}", unknown.next);
    }

    #[test]
    fn a_queue_of_others_is_told_as_theirs() {
        let side = readings(|_| (2.0, 13.0, 0.3));
        let found = finding(queueing_by_max_num_seqs, &one_by_one(), side.clone());
        assert!(found.next.starts_with("This queue is not this client's alone"), "{}", found.next);
        assert_eq!(
            found.evidence[0].fact,
            "running and waiting on the server: 15 requests on average while any waited, of which this client had 1 in flight"
        );
        let found = finding(queueing_by_max_num_seqs, &ten_seconds(), side);
        assert!(found.next.starts_with("Raise"), "{}", found.next);
    }

    #[test]
    fn places_of_several_engines_are_told_as_their_sum() {
        let mut log = ten_seconds();
        let samples = ["0", "1"].map(|engine| {
            (format!("vllm:num_requests_running{{engine=\"{engine}\",model_name=\"m\"}}"), 0.0)
        });
        log.scrapes = vec![tokometer_record::Scrape {
            samples: samples.into(),
            ..tokometer_record::Scrape::default()
        }];
        let found = finding(queueing_by_max_num_seqs, &log, readings(|_| (64.0, 136.0, 0.3)));
        assert!(found.what.contains("one of 64 places over all 2 engines"), "{}", found.what);
        assert!(
            found.next.contains("--max-num-seqs (it counts for each engine)"),
            "{}",
            found.next
        );
    }

    #[test]
    fn a_time_in_the_queue_of_other_requests_is_no_part_of_a_first_token() {
        let mut side = readings(|_| (64.0, 136.0, 0.3));
        let spread = |count, mean| Spread { count, mean, p50: None, p99: None };
        side.timings.insert(Timing::Queue, spread(72.0, 1.5));
        side.timings.insert(Timing::Ttft, spread(160.0, 1.6));
        let fact = |side: ServerSide| {
            let found = finding(queueing_by_max_num_seqs, &ten_seconds(), side);
            let told = found.evidence.into_iter().map(|evidence| evidence.fact);
            told.filter(|fact| fact.starts_with("time in the queue")).collect::<String>()
        };
        assert_eq!(fact(side.clone()), "time in the queue, by the server: 1.5 s on average");
        side.timings.insert(Timing::Ttft, spread(73.0, 1.6));
        assert!(fact(side).ends_with(", of 1.6 s to the first token"));
    }

    #[test]
    fn a_constant_number_with_a_cache_that_is_full_at_times_leaves_both_open() {
        let side = readings(|n| (11.0, 50.0, if n == 3 { 0.95 } else { 0.8 }));
        assert_eq!(rules(&side), ["queueing"]);
    }

    #[test]
    fn those_that_were_deferred_wait_for_something_else() {
        let mut side = readings(|_| (64.0, 100.0, 0.3));
        let deferred = Level { mean: 80.0, max: 100.0, ..Level::default() };
        side.levels.insert(Signal::WaitingDeferred, deferred);
        assert_eq!(rules(&side), ["queueing"]);
    }

    #[test]
    fn a_queue_that_comes_and_goes_is_none() {
        let queued =
            |upto: usize| readings(move |n| (64.0, if n < upto { 50.0 } else { 0.0 }, 0.3));
        assert_eq!(rules(&queued(9)), [""; 0]);
        assert_eq!(rules(&queued(10)), ["queueing_by_max_num_seqs"]);
        assert_eq!(rules(&queued(0)), [""; 0]);
    }

    #[test]
    fn who_waits_for_the_next_step_is_in_no_queue() {
        assert_eq!(rules(&readings(|_| (64.0, 6.3, 0.3))), [""; 0]);
        assert_eq!(rules(&readings(|_| (64.0, 6.4, 0.3))), ["queueing_by_max_num_seqs"]);
        let timed = |queue: f64| {
            let mut side = readings(|_| (64.0, 6.3, 0.3));
            let spread = |mean| Spread { count: 100.0, mean, p50: None, p99: None };
            side.timings.insert(Timing::Queue, spread(queue));
            side.timings.insert(Timing::Itl, spread(0.02));
            side
        };
        assert_eq!(rules(&timed(0.059)), [""; 0]);
        assert_eq!(rules(&timed(0.061)), ["queueing_by_max_num_seqs"]);
    }

    #[test]
    fn four_readings_are_too_few() {
        let mut side = readings(|_| (64.0, 50.0, 0.3));
        side.moments.truncate(4);
        assert_eq!(rules(&side), [""; 0]);
        assert_eq!(rules(&ServerSide::default()), [""; 0]);
    }

    #[test]
    fn readings_beside_the_load_do_not_count() {
        let mut side = readings(|_| (64.0, 50.0, 0.3));
        side.moments.iter_mut().for_each(|moment| moment.at += 60.0);
        assert_eq!(rules(&side), [""; 0]);
    }

    #[test]
    fn a_log_tells_of_a_queue_too() {
        let mut log = LogSide::default();
        let level = |mean: f64, max: f64| Level {
            mean,
            max,
            max_at: second(3.0),
            above_zero: 1.0,
            readings: 6,
        };
        log.levels.insert(Signal::Waiting, level(100.0, 136.0));
        log.levels.insert(Signal::Running, level(63.0, 64.0));
        log.levels.insert(Signal::KvUsage, level(0.4, 0.5));
        let side = ServerSide { log: Some(log), ..ServerSide::default() };
        let found = finding(queueing_by_max_num_seqs, &ten_seconds(), side.clone());
        assert_eq!(found.evidence[0].at, Some(second(3.0)));
        assert_eq!(rules(&side), ["queueing_by_max_num_seqs"]);
    }

    #[test]
    fn where_users_lose_patience_the_queue_is_told_with_that() {
        let mut log = ten_seconds();
        let late = tokometer_record::FailureKind::Timeout(tokometer_record::TimeoutPhase::Total);
        let side = readings(|_| (64.0, 136.0, 0.3));
        for index in 97..100 {
            log.records[index] = crate::summary::testing::failed(index as u64, late, "late");
        }
        silent(queueing_by_max_num_seqs, &log, side.clone());
        let found = finding(crate::diagnosis::timeouts::client_timeouts, &log, side);
        assert!(found.next.contains("Raise --max-num-seqs"), "{}", found.next);
        assert!(found.evidence.iter().any(|e| e.fact.starts_with("waiting: 136")), "{found:?}");
    }

    #[test]
    fn where_nobody_counts_those_waiting_their_time_tells() {
        let timed = |queue: f64, ttft: f64, itl: f64| {
            let mut side = ServerSide::default();
            let spread = |mean| Spread { count: 100.0, mean, p50: None, p99: None };
            side.timings.insert(Timing::Queue, spread(queue));
            side.timings.insert(Timing::Ttft, spread(ttft));
            side.timings.insert(Timing::Itl, spread(itl));
            side
        };
        let found = finding(queueing, &ten_seconds(), timed(1.2, 1.5, 0.02));
        assert_eq!(
            found.what,
            "Requests wait on the server: 1.2 s of the 1.5 s to a first token is spent in its queue."
        );
        assert_eq!(rules(&timed(0.6, 1.5, 0.02)), [""; 0]);
        assert_eq!(rules(&timed(0.05, 0.08, 0.02)), [""; 0]);
        let mut told = timed(1.2, 1.5, 0.02);
        told.levels.insert(Signal::Waiting, Level { readings: 20, ..Level::default() });
        silent(queueing, &ten_seconds(), told);
    }
}
