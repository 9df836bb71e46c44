//! Small runs, reckoned by hand.

use super::*;
use tokometer_sim::{Batch, Speculation};

const ZERO: Duration = Duration::ZERO;

fn at(micros: u64, job: Job) -> (Duration, Job) {
    (Duration::from_micros(micros), job)
}

fn batches(events: &[Event]) -> Vec<Batch> {
    let told = |event: &Event| match event {
        Event::Stepped { batch, .. } => Some(*batch),
        _ => None,
    };
    events.iter().filter_map(told).collect()
}

fn preempted(events: &[Event]) -> Vec<u64> {
    let told = |event: &Event| match event {
        Event::Preempted { ticket, .. } => Some(ticket.0),
        _ => None,
    };
    events.iter().filter_map(told).collect()
}

#[test]
fn all_tokens_of_a_step_leave_at_its_end() {
    let events = run(roomy(), &[at(0, job(0, 100, 3)), at(0, job(1, 50, 2))]);
    assert_eq!(
        emitted(&events),
        [(2500, 0, 1), (2500, 1, 1), (3700, 0, 1), (3700, 1, 1), (4800, 0, 1)]
    );
}

#[test]
fn a_request_joins_the_first_step_that_begins_when_it_is_there() {
    let load = [at(0, job(0, 100, 3)), at(1999, job(1, 10, 1)), at(2001, job(2, 10, 1))];
    let events = run(roomy(), &load);
    // Steps: 0 to 2000, to 3200 (one output, ten of a prompt), to 4400.
    assert_eq!(scheduled(&events).iter().map(|(at, ..)| *at).collect::<Vec<_>>(), [0, 2000, 3200]);
    assert_eq!(emitted(&events)[1..], [(3200, 0, 1), (3200, 1, 1), (4400, 0, 1), (4400, 2, 1)]);
}

#[test]
fn an_idle_engine_begins_at_once() {
    let events = run(roomy(), &[at(0, job(0, 10, 1)), at(5000, job(1, 10, 1))]);
    assert_eq!(emitted(&events), [(1100, 0, 1), (6100, 1, 1)]);
}

#[test]
fn a_prompt_in_parts_delays_outputs_by_what_its_parts_cost_and_no_more() {
    let mut deployment = roomy();
    deployment.engine.max_num_batched_tokens = count(33);
    let events = run(deployment, &[at(0, job(0, 4, 7)), at(500, job(1, 100, 2))]);
    // One output and 32 of the prompt three times: 1420 each. Then one and four: 1140. Then two outputs: 1200.
    let first: Vec<u64> = emitted(&events).iter().filter(|e| e.1 == 0).map(|e| e.0).collect();
    assert_eq!(first, [1040, 2460, 3880, 5300, 6440, 7640, 8740]);
    let second: Vec<u64> = emitted(&events).iter().filter(|e| e.1 == 1).map(|e| e.0).collect();
    assert_eq!(second, [6440, 7640]);
    let chunk = batches(&events)[2];
    let expected = Batch {
        requests: 2,
        prefill_tokens: 32,
        // Tokens 33 to 64 attend to as many as their number.
        prefill_attention: (33..=64).sum(),
        decode_tokens: 1,
        // Four of the prompt, and the two that left.
        decode_context: 6,
    };
    assert_eq!(chunk, expected);
}

#[test]
fn without_parts_a_prompt_waits_for_a_step_that_holds_it_and_everyone_behind_it_waits_too() {
    let mut deployment = roomy();
    deployment.engine.chunked_prefill = false;
    deployment.engine.max_num_batched_tokens = count(100);
    let load = [at(0, job(0, 60, 1)), at(0, job(1, 50, 1)), at(0, job(2, 10, 1))];
    assert_eq!(emitted(&run(deployment, &load)), [(1600, 0, 1), (3200, 1, 1), (3200, 2, 1)]);
}

#[test]
fn there_are_never_more_than_max_num_seqs_and_they_begin_in_the_order_they_came() {
    let mut deployment = roomy();
    deployment.engine.max_num_seqs = count(2);
    let load: Vec<_> = (0..6).map(|index| at(index, job(index, 10, 3))).collect();
    let events = run(deployment, &load);
    assert!(batches(&events).iter().all(|batch| batch.requests <= 2));
    let order: Vec<u64> = scheduled(&events).iter().map(|(_, ticket, ..)| *ticket).collect();
    assert_eq!(order, [0, 1, 2, 3, 4, 5]);
}

#[test]
fn by_priority_the_urgent_begin_first_and_among_equals_who_came_first() {
    let mut deployment = roomy();
    deployment.engine.max_num_seqs = count(1);
    deployment.engine.policy = Policy::Priority;
    let urgency = [5, 1, 5, -3, 1];
    let load: Vec<_> = (0..5)
        .map(|index| at(0, Job { priority: urgency[index], ..job(index as u64, 10, 1) }))
        .collect();
    let order: Vec<u64> =
        scheduled(&run(deployment, &load)).iter().map(|(_, ticket, ..)| *ticket).collect();
    assert_eq!(order, [3, 1, 4, 0, 2]);
}

/// Eight blocks of four tokens, of which two requests with prompts of twelve leave two free.
fn tight() -> Deployment {
    let mut deployment = roomy();
    deployment.engine.blocks = count(9);
    deployment.engine.block_size = count(4);
    deployment
}

#[test]
fn the_last_one_loses_its_blocks_and_says_nothing_twice() {
    let events = run(tight(), &[at(0, job(0, 12, 10)), at(0, job(1, 12, 10))]);
    assert_eq!(preempted(&events), [1]);
    let all = told(&events, 2);
    assert_eq!(all, [(10, vec![Finish::Stop]), (10, vec![Finish::Stop])]);
    // The second had said five when the first needed a fifth block. When it came back, those were computed with its prompt.
    let again = batches(&events)[10];
    assert_eq!((again.requests, again.prefill_tokens, again.decode_tokens), (1, 17, 0));
}

#[test]
fn by_priority_the_least_urgent_loses_its_blocks_wherever_it_stands() {
    let mut deployment = tight();
    deployment.engine.policy = Policy::Priority;
    let load = [
        at(0, Job { priority: 9, ..job(0, 12, 10) }),
        at(500, Job { priority: 1, ..job(1, 12, 10) }),
    ];
    assert_eq!(preempted(&run(deployment, &load)), [0]);
}

#[test]
fn what_the_loser_had_of_the_step_is_had_by_those_behind_it() {
    let mut deployment = tight();
    deployment.engine.policy = Policy::Priority;
    deployment.engine.max_num_batched_tokens = count(3);
    // Steps 1 to 7 compute the first's prompt, 7 to 9 the second's, and 9 a token of the third's: all eight blocks are in use. In the
    // tenth the second wants another one, and has it from the first, whose token of three goes to the third.
    let load = [
        at(0, Job { priority: 9, ..job(0, 20, 5) }),
        at(1, Job { priority: 5, ..job(1, 4, 5) }),
        at(7000, Job { priority: 1, ..job(2, 4, 1) }),
    ];
    let events = run(deployment, &load);
    assert_eq!(preempted(&events), [0]);
    let tenth = batches(&events)[9];
    assert_eq!((tenth.requests, tenth.decode_tokens, tenth.prefill_tokens), (2, 1, 2));
}

#[test]
fn who_waits_is_not_admitted_in_a_step_in_which_somebody_lost_its_blocks() {
    let mut deployment = tight();
    deployment.engine.max_num_seqs = count(2);
    // The third would fit into what the second loses, but the second goes first, and not in the same step.
    let load = [at(0, job(0, 12, 10)), at(0, job(1, 12, 10)), at(0, job(2, 4, 1))];
    let events = run(deployment, &load);
    let order: Vec<u64> = scheduled(&events).iter().map(|(_, ticket, ..)| *ticket).collect();
    assert_eq!((preempted(&events), order), (vec![1], vec![0, 1, 2]));
    let ends = emitted(&events);
    let end = |ticket| ends.iter().rfind(|(_, of, _)| *of == ticket).unwrap().0;
    assert!(end(0) <= scheduled(&events)[2].0, "the third had to wait for the first's place");
}

#[test]
fn a_request_is_admitted_only_if_there_are_blocks_for_all_of_its_prompt() {
    let mut deployment = tight();
    deployment.engine.max_num_batched_tokens = count(8);
    // The first has three of eight blocks and will want a fourth. The second's prompt needs six, its first part only two.
    let events = run(deployment, &[at(0, job(0, 12, 3)), at(1, job(1, 24, 1))]);
    assert!(preempted(&events).is_empty());
    assert_eq!(scheduled(&events)[1].0, emitted(&events)[2].0);
}

#[test]
fn embeddings_end_with_their_prompt() {
    let events = run(roomy(), &[at(0, job(0, 100, 0))]);
    let expected = Emission { at: 2 * 1000 * MICRO, tokens: 0, finish: Some(Finish::Stop) };
    assert!(events.contains(&Event::Emitted { ticket: Ticket(0), emission: expected }));
    assert_eq!(emitted(&events).len(), 1);
}

#[test]
fn what_can_never_fit_is_cut_to_what_does_and_ends_by_its_length() {
    let fleet = Fleet::new(tight(), 1);
    // 32 tokens have their keys and values in the cache, and one more is said.
    assert!(fleet.fits(12, 21) && !fleet.fits(12, 22) && fleet.fits(32, 1) && !fleet.fits(33, 1));
    let load = [at(0, job(0, 12, 40)), at(0, job(1, 33, 5)), at(0, job(2, 4, 2))];
    let all = told(&run(tight(), &load), 3);
    assert_eq!(
        all,
        [(21, vec![Finish::Length]), (0, vec![Finish::Length]), (2, vec![Finish::Stop])]
    );
}

#[test]
fn an_engine_without_usable_blocks_does_not_hang() {
    let mut deployment = roomy();
    deployment.engine.blocks = count(1);
    let events = run(deployment, &[at(0, job(0, 1, 1))]);
    assert_eq!(told(&events, 1), [(0, vec![Finish::Length])]);
}

#[test]
fn the_frontend_takes_one_request_after_the_other() {
    let mut deployment = roomy();
    deployment.frontend = Frontend { per_request: 400 * MICRO, per_prompt_token: 2 * MICRO };
    let events = run(deployment, &[at(0, job(0, 100, 1)), at(0, job(1, 100, 1))]);
    // Ready at 600 and 1200. Steps from 600 to 2600 and from there.
    assert_eq!(emitted(&events), [(2600, 0, 1), (4600, 1, 1)]);
}

#[test]
fn a_request_that_came_before_what_was_told_takes_part_in_the_next_step() {
    let mut fleet = Fleet::new(roomy(), 1);
    let mut events = Vec::new();
    fleet.submit(ZERO, job(0, 100, 2));
    fleet.advance(2500 * MICRO, &mut |event| events.push(event));
    fleet.submit(1000 * MICRO, job(1, 10, 1));
    while let Some(next) = fleet.next() {
        fleet.advance(next, &mut |event| events.push(event));
    }
    assert_eq!(scheduled(&events)[1].0, 3100);
}

#[test]
fn the_least_loaded_replica_is_chosen() {
    let mut deployment = roomy();
    (deployment.replicas, deployment.routing) = (count(3), Routing::LeastRequests);
    // The second replica is done first, and has the next two; the others are still at their long outputs.
    let load = [
        at(0, job(0, 10, 50)),
        at(0, job(1, 10, 1)),
        at(0, job(2, 10, 50)),
        at(5000, job(3, 10, 50)),
        at(5001, job(4, 10, 50)),
    ];
    let replicas: Vec<u32> = scheduled(&run(deployment, &load)).iter().map(|e| e.2).collect();
    assert_eq!(replicas[..4], [0, 1, 2, 1]);
}

#[test]
fn noise_leaves_the_mean_and_has_the_deviation_asked_for() {
    let mut deployment = roomy();
    deployment.noise = 0.2;
    let events = run(deployment, &[at(0, job(0, 1, 20_001))]);
    let lengths: Vec<f64> = events
        .iter()
        .filter_map(|event| match event {
            Event::Stepped { began, at, batch, .. } if batch.decode_tokens == 1 => {
                Some((*at - *began).as_secs_f64() / 1.1e-3)
            }
            _ => None,
        })
        .collect();
    let mean = lengths.iter().sum::<f64>() / lengths.len() as f64;
    let variance = lengths.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / lengths.len() as f64;
    // Three standard errors of a mean of 20,000 with a deviation of 0.2.
    assert!((mean - 1.0).abs() < 0.0043, "{mean}");
    assert!((variance.sqrt() - 0.2).abs() < 0.005, "{}", variance.sqrt());
}

fn speculative(acceptance: &[f64]) -> Deployment {
    let mut deployment = roomy();
    deployment.engine.speculation = Some(Speculation {
        method: "mtp".to_owned(),
        tokens: count(acceptance.len() as u32),
        acceptance: acceptance.to_vec(),
    });
    deployment
}

#[test]
fn accepted_tokens_leave_together_and_an_output_is_never_longer_than_asked() {
    let events = run(speculative(&[1.0, 1.0]), &[at(0, job(0, 10, 8))]);
    // The first token has no draft. Each draft costs two tokens more, the last one too, though only one of it is wanted.
    assert_eq!(emitted(&events), [(1100, 0, 1), (2400, 0, 3), (3700, 0, 3), (5000, 0, 1)]);
    let decode: Vec<(u32, u64)> =
        batches(&events).iter().map(|batch| (batch.decode_tokens, batch.decode_context)).collect();
    assert_eq!(decode, [(0, 0), (3, 13), (3, 16), (3, 19)]);
}

#[test]
fn rejected_tokens_cost_as_much_and_are_not_in_the_cache() {
    let events = run(speculative(&[0.0, 0.0]), &[at(0, job(0, 10, 3))]);
    assert_eq!(emitted(&events), [(1100, 0, 1), (2400, 0, 1), (3700, 0, 1)]);
    assert_eq!(batches(&events)[2].decode_context, 14);
}

#[test]
fn a_draft_is_cut_to_the_budget() {
    let mut deployment = speculative(&[1.0, 1.0, 1.0]);
    deployment.engine.max_num_batched_tokens = count(6);
    let events = run(deployment, &[at(0, job(0, 3, 9)), at(0, job(1, 3, 9))]);
    let said: Vec<(u64, u32)> =
        emitted(&events).iter().map(|(_, of, tokens)| (*of, *tokens)).collect();
    assert_eq!(said[..6], [(0, 1), (1, 1), (0, 4), (1, 2), (0, 4), (1, 2)]);
}

#[test]
fn speculation_gives_one_token_and_the_sum_of_the_products_of_chances() {
    let chances = [0.8, 0.6, 0.4];
    let mut deployment = speculative(&chances);
    deployment.engine.max_num_seqs = count(64);
    let load: Vec<_> = (0..64).map(|index| at(0, job(index, 10, 1000))).collect();
    let events = run(deployment, &load);
    let (mut drafts, mut drafted, mut accepted) = (0, 0, [0_u32; 3]);
    for event in &events {
        if let Event::Stepped { speculated, .. } = event {
            drafts += speculated.drafts;
            drafted += speculated.draft_tokens;
            accepted.iter_mut().zip(speculated.accepted).for_each(|(all, some)| *all += some);
        }
    }
    assert_eq!(drafted, 3 * drafts);
    // 0.8, 0.8·0.6, 0.8·0.6·0.4, each within four standard errors.
    for (accepted, chance) in accepted.iter().zip([0.8, 0.48, 0.192]) {
        let share = f64::from(*accepted) / f64::from(drafts);
        let error = (chance * (1.0 - chance) / f64::from(drafts)).sqrt();
        assert!((share - chance).abs() < 4.0 * error, "{share}, not {chance}");
    }
    let length = 1.0 + f64::from(accepted.iter().sum::<u32>()) / f64::from(drafts);
    assert!((length - 2.472).abs() < 0.03, "{length}");
    assert!(told(&events, 64).iter().all(|(tokens, _)| *tokens == 1000));
}

proptest! {
    #[test]
    fn speculation_says_exactly_what_was_asked_when_short_of_everything(
        (mut deployment, load) in short_of_everything(), chance in 0.0_f64..1.0, drafts in 1_usize..5
    ) {
        deployment.engine.speculation = speculative(&vec![chance; drafts]).engine.speculation;
        let usable = deployment.engine.usable_blocks();
        let budget = deployment.engine.max_num_batched_tokens.get();
        let mut fleet = Fleet::new(deployment, 1);
        let events = drive(&mut fleet, &load, |fleet, _| {
            let held = fleet.occupancy()[0];
            assert_eq!(held.blocks + held.free, usable);
        });
        for ((_, job), (tokens, finishes)) in load.iter().zip(told(&events, load.len())) {
            prop_assert_eq!((tokens, finishes), (job.output_tokens, vec![job.finish]));
        }
        for batch in batches(&events) {
            prop_assert!(batch.prefill_tokens + batch.decode_tokens <= budget);
        }
        prop_assert_eq!(fleet.occupancy()[0].free, usable);
    }
}
