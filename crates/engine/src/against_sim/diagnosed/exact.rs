//! What is heard of the server is what happened: in virtual time its page of metrics and its log agree with the truth at every moment
//! at which they were looked at.
//!
//! Deliberately no findings: they rest on this.

use super::*;

/// Runs out of places, of the cache and of patience: everything that the page tells of happens.
fn crowded() -> Case {
    let query = "base_us=20000&max_num_seqs=48&num_gpu_blocks=250&max_num_batched_tokens=2048";
    let load = Load { in_flight: NonZeroUsize::new(120), ..open(90.0, 500) };
    // Neither a multiple of a step nor of the arrivals' milliseconds for long.
    case(query, load)
        .prompts(&[40, 90, 200])
        .outputs(&[20, 45])
        .sharing(32)
        .scraped(Duration::from_millis(487))
        .logged(Duration::from_millis(1013))
}

#[tokio::test(start_paused = true)]
async fn running_and_waiting_are_those_of_the_truth_at_every_look() {
    // Enough blocks for all: whoever lost its blocks waits again, and the truth does not tell from when to when.
    let query = "base_us=20000&max_num_seqs=48&max_num_batched_tokens=2048";
    let observed = Case { query: query.into(), ..crowded() }.run().await;
    let mut compared = [0; 2];
    let mut longest = 0;
    for reading in readings(&observed.log) {
        let Some((running, waiting)) = observed.at(reading.at) else { continue };
        let told = [Signal::Running, Signal::Waiting].map(|signal| reading.values[&signal]);
        assert_eq!(told, [running, waiting].map(|n| n as f64), "{:?}", reading.at);
        compared[usize::from(reading.origin == Origin::Log)] += 1;
        longest = longest.max(waiting);
    }
    assert!(compared[0] >= 10 && compared[1] >= 4, "{compared:?}");
    assert!(longest > 20, "{longest}");
}

#[tokio::test(start_paused = true)]
async fn tokens_grow_as_they_are_emitted() {
    let observed = crowded().run().await;
    let before = observed.log.telemetry.readings[0].values[&Signal::GenerationTokens];
    let mut compared = 0;
    for reading in readings(&observed.log).filter(|reading| reading.origin == Origin::Metrics) {
        let emissions = observed.truth.values().flat_map(|served| &served.emissions);
        let at = reading.at.as_nanos();
        if emissions.clone().any(|emitted| emitted.at == at) {
            continue;
        }
        let emitted: u32 =
            emissions.filter(|emitted| emitted.at < at).map(|emitted| emitted.tokens).sum();
        assert_eq!(reading.values[&Signal::GenerationTokens] - before, f64::from(emitted));
        compared += 1;
    }
    assert!(compared >= 10, "{compared}");
}

#[tokio::test(start_paused = true)]
async fn what_grew_over_the_load_is_what_the_records_and_the_truth_add_up_to() {
    let observed = crowded().run().await;
    let log = &observed.log;
    assert!(log.records.iter().all(Record::succeeded));
    let records =
        |count: fn(&Record) -> u32| log.records.iter().map(count).map(f64::from).sum::<f64>();
    let truth =
        |count: fn(&Served) -> u32| observed.truth.values().map(count).map(f64::from).sum::<f64>();
    let told = |signal| growth(log, signal);
    let generated = records(|record| record.output_tokens.unwrap().count);
    assert_eq!(told(Signal::GenerationTokens), generated);
    assert_eq!(told(Signal::PromptTokens), records(|record| record.prompt_tokens.server.unwrap()));
    assert_eq!(told(Signal::Finished), 500.0);
    let (cached, preempted) = (truth(|served| served.cached), truth(|served| served.preemptions));
    assert!(cached > 0.0 && preempted > 0.0, "{cached} {preempted}");
    assert_eq!(told(Signal::PrefixHits), cached);
    assert_eq!(told(Signal::Preemptions), preempted);
}

#[tokio::test(start_paused = true)]
async fn the_servers_times_are_the_truths() {
    let observed = crowded().run().await;
    let log = &observed.log;
    let first = |served: &Served| served.emissions.first().unwrap().at;
    let last = |served: &Served| served.emissions.last().unwrap().at;
    let scheduled = |served: &Served| served.scheduled.unwrap();
    let sum = |length: &dyn Fn(&Served) -> u64| {
        observed.truth.values().map(length).sum::<u64>() as f64 / 1e9
    };
    let pairs = [
        (Timing::Ttft, sum(&|served| first(served) - served.arrival)),
        (Timing::Queue, sum(&|served| scheduled(served) - served.arrival)),
        (Timing::Prefill, sum(&|served| first(served) - scheduled(served))),
        (Timing::Decode, sum(&|served| last(served) - first(served))),
        (Timing::E2e, sum(&|served| last(served) - served.arrival)),
        (Timing::Itl, sum(&|served| last(served) - first(served))),
    ];
    for (timing, expected) in pairs {
        let (told, count) = growth_of(log, timing);
        assert!((told - expected).abs() < 1e-6, "{timing:?}: {told} is not {expected}");
        assert!(count >= 500.0, "{timing:?}: {count}");
    }
    // The client felt the same: there is no network between the two.
    let felt: Duration = log.records.iter().map(|r| r.first().unwrap() - r.sent.unwrap()).sum();
    assert!((felt.as_secs_f64() - growth_of(log, Timing::Ttft).0).abs() < 1e-6);
}

#[tokio::test(start_paused = true)]
async fn who_was_turned_away_and_who_went_away_is_counted() {
    let cap = "base_us=20000&max_num_queued_reqs=60";
    let log = observe(&Case { query: cap.into(), ..crowded() }).await;
    let refused = log.records.iter().filter(|record| !record.succeeded()).count();
    assert!(refused > 0);
    assert_eq!(growth(&log, Signal::Rejected), refused as f64);
    let hasty = Timeouts { total: Some(Duration::from_millis(1000)), ..Timeouts::default() };
    let log = observe(&crowded().timeouts(hasty)).await;
    let gone = log.records.iter().filter(|record| !record.succeeded()).count();
    assert!(gone > 0);
    assert_eq!(growth(&log, Signal::Aborted), gone as f64);
}

impl Observed {
    /// Requests that ran at a moment, and that waited when the step of that moment began: who came since is not told of, as by vLLM.
    /// `None` where something happened at one of these very moments: who was first is not told.
    fn at(&self, moment: Offset) -> Option<(usize, usize)> {
        let at = moment.as_nanos();
        let moments = |served: &Served| {
            let last = served.emissions.last().unwrap().at;
            [served.arrival, served.scheduled.unwrap(), last]
        };
        let of_all: Vec<_> = self.truth.values().map(moments).collect();
        // Every step emits something, and the next begins where it ends, or with the first request after that.
        let emitted = self.truth.values().flat_map(|served| &served.emissions).map(|it| it.at);
        let steps = emitted.chain(of_all.iter().map(|[_, begun, _]| *begun));
        let step = steps.filter(|step| *step <= at).max()?;
        if step == at || of_all.iter().any(|[arrival, ..]| *arrival == step) {
            return None;
        }
        let running = of_all.iter().filter(|[_, begun, last]| *begun < at && at < *last);
        let waiting = of_all.iter().filter(|[arrival, begun, _]| *arrival < step && at < *begun);
        Some((running.count(), waiting.count()))
    }
}
