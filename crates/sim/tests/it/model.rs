//! The model by its public face: what must hold in every run, and what must happen in small ones, reckoned by hand.

mod cache;
mod plain;
mod rules;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tokometer_sim::{
    Deployment, Emission, Engine, Event, Finish, Fleet, Frontend, Job, Linear, Policy, Routing,
    StepTime, Ticket,
};

const MICRO: Duration = Duration::from_micros(1);

/// One engine with room for everything, whose steps take 1 ms, 10 µs for each token of a prompt and 100 µs for each of an output.
fn roomy() -> Deployment {
    Deployment {
        name: "test".to_owned(),
        engine: Engine {
            max_num_seqs: count(256),
            max_num_batched_tokens: count(1 << 20),
            chunked_prefill: true,
            policy: Policy::Fcfs,
            blocks: count(10_001),
            block_size: count(16),
            prefix_caching: true,
            speculation: None,
        },
        step: StepTime::Linear(Linear {
            base: 1e-3,
            per_prefill_token: 10e-6,
            per_decode_token: 100e-6,
            ..Linear::default()
        }),
        frontend: Frontend::default(),
        replicas: NonZeroU32::MIN,
        routing: Routing::RoundRobin,
        noise: 0.0,
    }
}

fn count(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

fn job(request: u64, prompt_tokens: u32, output_tokens: u32) -> Job {
    Job {
        request,
        choice: 0,
        prompt_tokens,
        output_tokens,
        finish: Finish::Stop,
        priority: 0,
        chain: Arc::default(),
    }
}

/// What is seen after something happened.
struct Seen<'e> {
    at: Duration,
    /// What was told of it.
    events: &'e [Event],
    /// Jobs that have been submitted.
    submitted: usize,
}

/// Submits each job at its moment, in order of time, and lets everything happen. `watch` sees the fleet after each happening.
fn drive(
    fleet: &mut Fleet,
    load: &[(Duration, Job)],
    mut watch: impl FnMut(&mut Fleet, Seen<'_>),
) -> Vec<Event> {
    let mut events = Vec::new();
    let mut happen = |fleet: &mut Fleet, at, submitted| {
        let before = events.len();
        fleet.advance(at, &mut |event| events.push(event));
        watch(fleet, Seen { at, events: &events[before..], submitted });
    };
    for (submitted, (at, job)) in load.iter().enumerate() {
        while let Some(next) = fleet.next().filter(|next| next < at) {
            happen(fleet, next, submitted);
        }
        fleet.submit(*at, job.clone());
    }
    while let Some(next) = fleet.next() {
        happen(fleet, next, load.len());
    }
    events
}

fn run(deployment: Deployment, load: &[(Duration, Job)]) -> Vec<Event> {
    drive(&mut Fleet::new(deployment, 1), load, |_, _| {})
}

/// What left, in microseconds: when, of which ticket, how many tokens.
fn emitted(events: &[Event]) -> Vec<(u64, u64, u32)> {
    let told = |event: &Event| match event {
        Event::Emitted { ticket, emission } => {
            Some((micros(emission.at), ticket.0, emission.tokens))
        }
        _ => None,
    };
    events.iter().filter_map(told).collect()
}

/// First steps, in microseconds: when, of which ticket, on which replica, how much was cached.
fn scheduled(events: &[Event]) -> Vec<(u64, u64, u32, u32)> {
    let told = |event: &Event| match event {
        Event::Scheduled { ticket, at, replica, cached } => {
            Some((micros(*at), ticket.0, *replica, *cached))
        }
        _ => None,
    };
    events.iter().filter_map(told).collect()
}

fn micros(at: Duration) -> u64 {
    (at.as_nanos() as f64 / 1e3).round() as u64
}

/// Small engines that are always short of something, with a load for them.
fn short_of_everything() -> impl Strategy<Value = (Deployment, Vec<(Duration, Job)>)> {
    let engine = (1_u32..5, 7_u32..40, 4_u32..40, 1_u32..6, any::<bool>(), any::<bool>());
    let load = prop::collection::vec((0_u64..2000, 1_u32..20, 0_u32..12, 0_i64..3), 1..25);
    (engine, load).prop_map(|((block_size, blocks, budget, seqs, priority, chunked), load)| {
        let mut deployment = roomy();
        deployment.engine.block_size = count(block_size);
        deployment.engine.blocks = count(blocks);
        deployment.engine.max_num_batched_tokens = count(budget);
        deployment.engine.max_num_seqs = count(seqs);
        deployment.engine.chunked_prefill = chunked;
        deployment.engine.policy = if priority { Policy::Priority } else { Policy::Fcfs };
        let fleet = Fleet::new(deployment.clone(), 0);
        let mut at = Duration::ZERO;
        let mut jobs = Vec::new();
        for (index, (gap, prompt, output, priority)) in load.into_iter().enumerate() {
            at += MICRO * gap as u32;
            if fleet.fits(prompt, output) {
                jobs.push((at, Job { priority, ..job(index as u64, prompt, output) }));
            }
        }
        (deployment, jobs)
    })
}

/// Tokens and ends of each ticket.
fn told(events: &[Event], tickets: usize) -> Vec<(u32, Vec<Finish>)> {
    let mut told = vec![(0, Vec::new()); tickets];
    for event in events {
        if let Event::Emitted { ticket: Ticket(ticket), emission } = event {
            let Emission { tokens, finish, .. } = *emission;
            let (all, finishes) = &mut told[*ticket as usize];
            assert!(finishes.is_empty(), "ticket {ticket} has something after its end");
            *all += tokens;
            finishes.extend(finish);
        }
    }
    told
}

proptest! {
    #[test]
    fn no_token_is_lost_or_doubled_under_preemption((deployment, load) in short_of_everything()) {
        let events = run(deployment, &load);
        for ((_, job), (tokens, finishes)) in load.iter().zip(told(&events, load.len())) {
            prop_assert_eq!(tokens, job.output_tokens);
            prop_assert_eq!(finishes, vec![job.finish]);
        }
    }

    #[test]
    fn a_fleet_does_what_the_plain_rules_say((deployment, load) in short_of_everything()) {
        let events = run(deployment.clone(), &load);
        let expected = plain::run(&deployment, &load);
        let happened: Vec<plain::Line> = events.iter().map(plain::line).collect();
        prop_assert_eq!(happened, expected);
    }

    #[test]
    fn blocks_are_conserved_and_all_free_in_the_end((deployment, load) in short_of_everything()) {
        let usable = deployment.engine.usable_blocks();
        let mut fleet = Fleet::new(deployment, 1);
        drive(&mut fleet, &load, |fleet, _| {
            for held in fleet.occupancy() {
                assert_eq!(held.blocks + held.free, usable);
            }
        });
        prop_assert_eq!(fleet.occupancy()[0].free, usable);
    }

    /// The area under the number of requests in the system is the sum of the times that they spend in it: L = λW over any run that
    /// begins and ends empty. The number is what the engines say they hold, at each moment; the times are from arrivals to ends.
    #[test]
    fn littles_law_holds(
        (mut deployment, load) in short_of_everything(), replicas in 1_u32..4, noise in 0.0_f64..0.5
    ) {
        (deployment.replicas, deployment.noise) = (count(replicas), noise);
        let mut fleet = Fleet::new(deployment, 1);
        let (mut area, mut since, mut inside) = (0, Duration::ZERO, 0);
        let events = drive(&mut fleet, &load, |fleet, Seen { at, .. }| {
            area += (at - since).as_nanos() * inside;
            since = at;
            inside = fleet.occupancy().iter().map(|held| u128::from(held.running + held.waiting)).sum();
        });
        let mut stays = 0;
        for event in events {
            if let Event::Emitted { ticket, emission: Emission { at, finish: Some(_), .. } } = event {
                stays += (at - load[ticket.0 as usize].0).as_nanos();
            }
        }
        prop_assert_eq!((area, inside), (stays, 0));
    }

    #[test]
    fn no_step_has_more_than_it_may((deployment, load) in short_of_everything()) {
        let engine = &deployment.engine;
        for event in run(deployment.clone(), &load) {
            if let Event::Stepped { batch, .. } = event {
                let tokens = batch.prefill_tokens + batch.decode_tokens;
                prop_assert!((1..=engine.max_num_batched_tokens.get()).contains(&tokens));
                prop_assert!((1..=engine.max_num_seqs.get()).contains(&batch.requests));
            }
        }
    }

    #[test]
    fn each_request_is_on_one_replica_and_in_turn(
        (mut deployment, load) in short_of_everything(), replicas in 1_u32..5
    ) {
        deployment.replicas = count(replicas);
        let mut chosen: Vec<(u64, u32)> = scheduled(&run(deployment, &load))
            .into_iter()
            .map(|(_, ticket, replica, _)| (ticket, replica))
            .collect();
        chosen.sort_unstable();
        let in_turn: Vec<(u64, u32)> =
            (0..load.len() as u64).map(|ticket| (ticket, ticket as u32 % replicas)).collect();
        prop_assert_eq!(chosen, in_turn);
    }

    #[test]
    fn the_same_again_is_the_same(
        (mut deployment, load) in short_of_everything(), replicas in 1_u32..4, noise in 0.0_f64..0.5
    ) {
        (deployment.replicas, deployment.noise) = (count(replicas), noise);
        deployment.routing = Routing::LeastRequests;
        prop_assert_eq!(run(deployment.clone(), &load), run(deployment, &load));
    }

    #[test]
    fn looking_more_often_changes_nothing((deployment, load) in short_of_everything(), gap in 1_u32..3000) {
        let expected = run(deployment.clone(), &load);
        let (mut fleet, mut events) = (Fleet::new(deployment, 1), Vec::new());
        let mut tell = |event| events.push(event);
        let mut waiting = load.iter().peekable();
        let mut now = Duration::ZERO;
        while waiting.peek().is_some() || fleet.next().is_some() {
            // Told late of arrivals, but never of one that is past something already told.
            while let Some((at, job)) = waiting.next_if(|(at, _)| *at <= now) {
                fleet.submit(*at, job.clone());
            }
            let known = waiting.peek().map_or(now, |(at, _)| now.min(*at));
            fleet.advance(known, &mut tell);
            now += MICRO * gap;
        }
        prop_assert_eq!(events, expected);
    }

    #[test]
    fn an_abort_at_any_moment_frees_its_blocks_and_leaves_the_others(
        (mut deployment, load) in short_of_everything(),
        aborts in prop::collection::vec((0_usize..25, 0_u32..60), 1..20),
    ) {
        deployment.frontend = Frontend { per_request: 300 * MICRO, per_prompt_token: 5 * MICRO };
        let usable = deployment.engine.usable_blocks();
        let mut fleet = Fleet::new(deployment, 1);
        let (mut happenings, mut aborted) = (0, vec![false; 25]);
        let events = drive(&mut fleet, &load, |fleet, seen| {
            for event in seen.events {
                if let Event::Emitted { ticket, .. }
                | Event::Scheduled { ticket, .. }
                | Event::Preempted { ticket, .. } = event
                {
                    assert!(!aborted[ticket.0 as usize], "{ticket:?} was aborted");
                }
            }
            for (ticket, _) in aborts.iter().filter(|(_, at)| *at == happenings) {
                fleet.abort(Ticket(*ticket as u64));
                aborted[*ticket] |= *ticket < seen.submitted;
            }
            happenings += 1;
            let held = fleet.occupancy()[0];
            assert_eq!(held.blocks + held.free, usable);
        });
        prop_assert_eq!(fleet.occupancy()[0].free, usable);
        for (ticket, (tokens, finishes)) in told(&events, load.len()).into_iter().enumerate() {
            if !aborted[ticket] {
                prop_assert_eq!((tokens, finishes.len()), (load[ticket].1.output_tokens, 1));
            }
        }
    }
}
