//! The prefix cache: what is found again is what the trace implies.

use super::*;
use tokometer_sim::forecast::{self, Arrivals, Request};
use tokometer_sim::{Lookups, chain};

/// A request as its tokens.
#[derive(Clone, Debug)]
struct Told {
    prompt: Vec<u32>,
    output: Vec<u32>,
}

impl Told {
    fn all(&self) -> impl Iterator<Item = u32> + '_ {
        self.prompt.iter().chain(&self.output).copied()
    }

    fn job(&self, request: u64, block_size: u32) -> Job {
        let chain = chain(self.all(), block_size).into();
        Job { chain, ..job(request, self.prompt.len() as u32, self.output.len() as u32) }
    }
}

/// How many tokens of `prompt` are the beginning of one of `computed`, in whole blocks, the last token not among them.
fn implied(prompt: &[u32], computed: &[Vec<u32>], block_size: usize) -> u32 {
    let common = |other: &Vec<u32>| prompt.iter().zip(other).take_while(|(a, b)| a == b).count();
    let longest = computed.iter().map(common).max().unwrap_or(0);
    (longest.min(prompt.len() - 1) / block_size * block_size) as u32
}

/// Conversations: each request goes on from what an earlier one of its family had said, for a while.
fn conversations() -> impl Strategy<Value = Vec<Told>> {
    let turn = (any::<prop::sample::Index>(), 0_usize..60, 1_usize..30, 1_usize..20);
    prop::collection::vec(turn, 1..25).prop_map(|turns| {
        let mut told: Vec<Told> = Vec::new();
        for (number, (from, kept, added, said)) in turns.into_iter().enumerate() {
            let number = 1000 * (number as u32 + 1);
            let mut prompt: Vec<u32> = match told.is_empty() {
                true => Vec::new(),
                false => told[from.index(told.len())].all().take(kept).collect(),
            };
            prompt.extend((0..added as u32).map(|token| number + token));
            let output = (0..said as u32).map(|token| number + 500 + token).collect();
            told.push(Told { prompt, output });
        }
        told
    })
}

proptest! {
    #[test]
    fn a_large_cache_finds_all_that_the_trace_implies(told in conversations(), block_size in 1_u32..8) {
        let mut deployment = roomy();
        deployment.engine.block_size = count(block_size);
        let requests: Vec<Request> = told
            .iter()
            .map(|told| Request {
                prompt_tokens: told.prompt.len() as u32,
                output_tokens: told.output.len() as u32,
                chain: chain(told.all(), block_size).into(),
            })
            .collect();
        let forecast = forecast::run(&deployment, &requests, &Arrivals::InFlight(1), 1);
        let mut computed: Vec<Vec<u32>> = Vec::new();
        for (told, outcome) in told.iter().zip(&forecast.outcomes) {
            prop_assert_eq!(outcome.cached, implied(&told.prompt, &computed, block_size as usize));
            // The last token is said, and never computed.
            let mut all: Vec<u32> = told.all().collect();
            all.pop();
            computed.push(all);
        }
    }

    #[test]
    fn requests_that_begin_together_share_what_they_have_in_common(
        told in conversations(), block_size in 1_u32..8
    ) {
        let mut deployment = roomy();
        deployment.engine.block_size = count(block_size);
        let load: Vec<_> = told
            .iter()
            .enumerate()
            .map(|(index, told)| (Duration::ZERO, told.job(index as u64, block_size)))
            .collect();
        let mut fleet = Fleet::new(deployment, 1);
        let events = drive(&mut fleet, &load, |_, _| {});
        let mut prompts: Vec<Vec<u32>> = Vec::new();
        let mut expected = Lookups::default();
        for (told, (_, _, _, cached)) in told.iter().zip(scheduled(&events)) {
            let hit = implied(&told.prompt, &prompts, block_size as usize);
            prop_assert_eq!(cached, hit);
            prompts.push(told.prompt.clone());
            expected.requests += 1;
            expected.queried += told.prompt.len() as u64;
            expected.hit += u64::from(hit);
        }
        prop_assert_eq!(fleet.lookups(), vec![expected]);
    }

    #[test]
    fn a_cache_that_is_short_of_blocks_loses_no_token_and_no_block(
        told in conversations(), blocks in 12_u32..40, gap in 0_u32..5000
    ) {
        let mut deployment = roomy();
        (deployment.engine.block_size, deployment.engine.blocks) = (count(8), count(blocks));
        deployment.engine.max_num_batched_tokens = count(32);
        let fits = Fleet::new(deployment.clone(), 1);
        let told: Vec<&Told> =
            told.iter().filter(|told| fits.fits(told.prompt.len() as u32, told.output.len() as u32)).collect();
        let load: Vec<_> = told
            .iter()
            .enumerate()
            .map(|(index, told)| (MICRO * gap * index as u32, told.job(index as u64, 8)))
            .collect();
        let mut fleet = Fleet::new(deployment, 1);
        let events = drive(&mut fleet, &load, |fleet, _| {
            let held = fleet.occupancy()[0];
            assert_eq!(held.blocks + held.free, blocks - 1);
        });
        prop_assert_eq!(fleet.occupancy()[0].free, blocks - 1);
        for (told, (tokens, finishes)) in told.iter().zip(super::told(&events, load.len())) {
            prop_assert_eq!((tokens as usize, finishes.len()), (told.output.len(), 1));
        }
        // Nothing is found that was never there.
        let all: Vec<Vec<u32>> = told.iter().map(|told| told.all().collect()).collect();
        for (_, ticket, _, cached) in scheduled(&events) {
            let others: Vec<Vec<u32>> =
                all.iter().enumerate().filter(|(index, _)| *index as u64 != ticket).map(|(_, all)| all.clone()).collect();
            prop_assert!(cached <= implied(&told[ticket as usize].prompt, &others, 8));
        }
    }
}

/// Prompts of so many tokens, all different, one after the other, in blocks of four. What each finds.
fn found(blocks: u32, prompts: &[(u32, u32)]) -> Vec<u32> {
    let mut deployment = roomy();
    (deployment.engine.block_size, deployment.engine.blocks) = (count(4), count(blocks));
    let load: Vec<_> = prompts
        .iter()
        .enumerate()
        .map(|(index, (family, tokens))| {
            let told = Told {
                prompt: (0..*tokens).map(|token| family * 1000 + token).collect(),
                output: vec![9999],
            };
            (10_000 * MICRO * index as u32, told.job(index as u64, 4))
        })
        .collect();
    scheduled(&run(deployment, &load)).iter().map(|(.., cached)| *cached).collect()
}

#[test]
fn what_was_evicted_is_not_found() {
    assert_eq!(found(100, &[(1, 17), (2, 17), (1, 17)]), [0, 0, 16]);
    // Five usable blocks: the second prompt takes all that the first had.
    assert_eq!(found(6, &[(1, 17), (2, 17), (1, 17)]), [0, 0, 0]);
}

#[test]
fn the_end_of_a_prompt_is_evicted_before_its_beginning_and_the_oldest_prompt_first() {
    // Eight usable blocks. The first leaves four with a name, and the second takes all four others and one of those: the last.
    assert_eq!(found(9, &[(1, 17), (2, 17), (1, 17)]), [0, 0, 12]);
    // Nine hold both, and a third takes its five from the one without a name and the first's four; the second's are still there.
    assert_eq!(found(10, &[(1, 17), (2, 17), (3, 17), (2, 17), (1, 17)]), [0, 0, 0, 16, 0]);
}

#[test]
fn at_least_one_token_of_a_prompt_is_computed() {
    assert_eq!(found(100, &[(1, 16), (1, 16), (1, 17)]), [0, 12, 16]);
}

#[test]
fn without_prefix_caching_nothing_is_found_nor_asked() {
    let mut deployment = roomy();
    deployment.engine.prefix_caching = false;
    let told = Told { prompt: (0..100).collect(), output: vec![7] };
    let load = [(Duration::ZERO, told.job(0, 16)), (10_000 * MICRO, told.job(1, 16))];
    let mut fleet = Fleet::new(deployment, 1);
    let events = drive(&mut fleet, &load, |_, _| {});
    assert_eq!(scheduled(&events)[1].3, 0);
    assert_eq!(fleet.lookups(), [Lookups::default()]);
}

#[test]
fn caches_are_emptied_only_while_nothing_uses_them() {
    let told = Told { prompt: (0..100).collect(), output: vec![7, 8] };
    let mut fleet = Fleet::new(roomy(), 1);
    let load = [(Duration::ZERO, told.job(0, 16))];
    let mut refused = 0;
    drive(&mut fleet, &load, |fleet, _| refused += u32::from(!fleet.reset_prefix_cache()));
    // When its first step began and when that ended. Then it had left.
    assert_eq!(refused, 2);
    let again = [(Duration::from_secs(1), told.job(1, 16))];
    assert_eq!(scheduled(&drive(&mut fleet, &again, |_, _| {}))[0].3, 0);
}

#[test]
fn a_request_that_lost_its_blocks_finds_what_is_left_of_them() {
    // Eight blocks of four. Both have four full ones when the first needs a fifth, and takes the end of what the second gave back.
    let mut deployment = roomy();
    (deployment.engine.block_size, deployment.engine.blocks) = (count(4), count(9));
    let told = |family: u32| Told {
        prompt: (0..12).map(|token| family + token).collect(),
        output: (0..8).map(|token| family + 500 + token).collect(),
    };
    let load = [(Duration::ZERO, told(1000).job(0, 4)), (Duration::ZERO, told(2000).job(1, 4))];
    let events = run(deployment, &load);
    let lost = events.iter().position(|event| matches!(event, Event::Preempted { .. })).unwrap();
    let computed_anew = events[lost..].iter().find_map(|event| match event {
        Event::Stepped { batch, .. } if batch.prefill_tokens > 0 => Some(batch.prefill_tokens),
        _ => None,
    });
    // Twelve of its prompt and five said are seventeen, of which three blocks are found.
    assert_eq!(computed_anew, Some(5));
}

#[test]
fn prefix_aware_routing_sends_a_conversation_where_it_was() {
    let mut deployment = roomy();
    (deployment.replicas, deployment.routing) = (count(3), Routing::Prefix);
    let told = |family: u32, tokens: u32| Told {
        prompt: (0..tokens).map(|token| family * 10_000 + token).collect(),
        output: vec![1],
    };
    let load: Vec<_> = (0..12_u32)
        .map(|turn| {
            let told = told(turn % 3, 100 + 40 * (turn / 3));
            (20_000 * MICRO * turn, told.job(u64::from(turn), 16))
        })
        .collect();
    let events = scheduled(&run(deployment, &load));
    for (_, ticket, replica, cached) in events {
        assert_eq!(replica, ticket as u32 % 3);
        // All full blocks of the turn before.
        let before = if ticket < 3 { 0 } else { (100 + 40 * (ticket as u32 / 3 - 1)) / 16 * 16 };
        assert_eq!(cached, before);
    }
}
