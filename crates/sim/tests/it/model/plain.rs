//! The rules of a step told a second time, in the plainest way: whole queues are sorted and searched at each step, and blocks are only
//! counted. For one engine without a prefix cache and without speculation.

use std::time::Duration;

use tokometer_sim::{Batch, Deployment, Event, Job, Policy};

/// An event that can be compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Line {
    First(Duration, u64),
    Lost(Duration, u64),
    Said(Duration, u64, u32, bool),
    Step(Duration, Duration, Batch),
}

pub(super) fn line(event: &Event) -> Line {
    match event {
        Event::Scheduled { ticket, at, .. } => Line::First(*at, ticket.0),
        Event::Preempted { ticket, at } => Line::Lost(*at, ticket.0),
        Event::Emitted { ticket, emission } => {
            Line::Said(emission.at, ticket.0, emission.tokens, emission.finish.is_some())
        }
        Event::Stepped { began, at, batch, .. } => Line::Step(*began, *at, *batch),
    }
}

#[derive(Clone, Copy, Default)]
struct One {
    prompt: u32,
    output: u32,
    said: u32,
    done: u32,
    blocks: u32,
    begun: bool,
    /// Whether it has said something since it last lost its blocks.
    flows: bool,
}

pub(super) fn run(deployment: &Deployment, load: &[(Duration, Job)]) -> Vec<Line> {
    let engine = &deployment.engine;
    let size = engine.block_size.get();
    let mut all: Vec<One> = load
        .iter()
        .map(|(_, job)| One {
            prompt: job.prompt_tokens,
            output: job.output_tokens,
            ..One::default()
        })
        .collect();
    let urgency = |index: usize| match engine.policy {
        Policy::Fcfs => (0, index),
        Policy::Priority => (load[index].1.priority, index),
    };
    let (mut now, mut came, mut lines) = (Duration::ZERO, 0, Vec::new());
    let (mut waiting, mut running): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
    loop {
        if waiting.is_empty() && running.is_empty() {
            let Some((at, _)) = load.get(came) else { return lines };
            now = now.max(*at);
        }
        while came < load.len() && load[came].0 <= now {
            waiting.push(came);
            came += 1;
        }
        if engine.policy == Policy::Priority {
            waiting.sort_by_key(|index| urgency(*index));
        }
        let mut parts: Vec<(usize, u32)> = Vec::new();
        let mut lost = false;
        let free =
            |all: &[One]| engine.usable_blocks() - all.iter().map(|one| one.blocks).sum::<u32>();
        let left = |parts: &[(usize, u32)]| {
            engine.max_num_batched_tokens.get()
                - parts.iter().map(|(_, tokens)| tokens).sum::<u32>()
        };
        for index in running.clone() {
            if !running.contains(&index) || left(&parts) == 0 {
                continue;
            }
            let one = all[index];
            let tokens = (one.prompt + one.said - one.done).min(left(&parts));
            let needed = (one.done + tokens).div_ceil(size);
            while needed - all[index].blocks > free(&all) {
                let victim = match engine.policy {
                    Policy::Fcfs => *running.last().unwrap(),
                    Policy::Priority => {
                        *running.iter().max_by_key(|index| urgency(**index)).unwrap()
                    }
                };
                running.retain(|index| *index != victim);
                parts.retain(|(index, _)| *index != victim);
                all[victim] = One { done: 0, blocks: 0, flows: false, ..all[victim] };
                lost = true;
                waiting.insert(0, victim);
                lines.push(Line::Lost(now, victim as u64));
                if victim == index {
                    break;
                }
            }
            if !running.contains(&index) {
                break;
            }
            all[index].blocks = needed;
            parts.push((index, tokens));
        }
        if engine.policy == Policy::Priority {
            waiting.sort_by_key(|index| urgency(*index));
        }
        while !lost && !waiting.is_empty() && running.len() < engine.max_num_seqs.get() as usize {
            let index = waiting[0];
            let known = all[index].prompt + all[index].said;
            let tokens = known.min(left(&parts));
            let whole = engine.chunked_prefill || tokens == known;
            if tokens == 0 || !whole || known.div_ceil(size) > free(&all) {
                break;
            }
            all[index].blocks = tokens.div_ceil(size);
            if !std::mem::replace(&mut all[index].begun, true) {
                lines.push(Line::First(now, index as u64));
            }
            running.push(waiting.remove(0));
            parts.push((index, tokens));
        }
        if parts.is_empty() {
            continue;
        }
        let batch =
            parts.iter().fold(Batch::default(), |batch, part| sum(batch, all[part.0], part.1));
        let began = now;
        now += deployment.step.of(&batch);
        for (index, tokens) in parts {
            let one = &mut all[index];
            one.done += tokens;
            if one.done < one.prompt + one.said {
                continue;
            }
            let said = one.output.min(1);
            one.said += said;
            one.flows = true;
            let ended = one.said == one.output;
            lines.push(Line::Said(now, index as u64, said, ended));
            if ended {
                one.blocks = 0;
                running.retain(|running| *running != index);
            }
        }
        lines.push(Line::Step(began, now, batch));
    }
}

/// One that flows lacks only the token that it said last. One that is computed anew is a prompt to its end.
fn sum(mut batch: Batch, one: One, tokens: u32) -> Batch {
    batch.requests += 1;
    if one.flows {
        batch.decode_tokens += tokens;
        batch.decode_context += u64::from(one.done + tokens);
    } else {
        batch.prefill_tokens += tokens;
        batch.prefill_attention += (one.done + 1..=one.done + tokens).map(u64::from).sum::<u64>();
    }
    batch
}
