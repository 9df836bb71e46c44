//! Which LoRA adapters have requests that wait or run: vLLM's `lora_requests_info`.
//!
//! Its samples are odd: names are in the labels, and the value is the moment at which things last stood so. As in vLLM, what once was
//! stays on the page.

use std::sync::Arc;
use std::time::Duration;

use crate::counts::text::Page;

/// The adapters that requests ask for.
#[derive(Debug, Default)]
pub(super) struct Loras {
    /// In the order in which requests came for them.
    busy: Vec<Adapter>,
    /// What was told: who ran, who waited, and when that was so last.
    told: Vec<(String, String, Duration)>,
}

#[derive(Debug)]
struct Adapter {
    name: Arc<str>,
    waiting: u32,
    running: u32,
}

impl Loras {
    /// A request for `name` came, and waits.
    pub(super) fn begun(&mut self, name: &Arc<str>) {
        match self.busy.iter_mut().find(|adapter| adapter.name == *name) {
            Some(adapter) => adapter.waiting += 1,
            None => self.busy.push(Adapter { name: Arc::clone(name), waiting: 1, running: 0 }),
        }
    }

    /// One of those that wait runs.
    pub(super) fn scheduled(&mut self, name: &str) {
        if let Some(adapter) = self.busy.iter_mut().find(|adapter| &*adapter.name == name) {
            adapter.waiting = adapter.waiting.saturating_sub(1);
            adapter.running += 1;
        }
    }

    /// One of those that wait or run ended.
    pub(super) fn ended(&mut self, name: &str, ran: bool) {
        if let Some(adapter) = self.busy.iter_mut().find(|adapter| &*adapter.name == name) {
            let count = if ran { &mut adapter.running } else { &mut adapter.waiting };
            *count = count.saturating_sub(1);
        }
        self.busy.retain(|adapter| adapter.waiting + adapter.running > 0);
    }

    /// Notes how things stand.
    pub(super) fn note(&mut self, now: Duration) {
        let names = |count: fn(&Adapter) -> u32| {
            let busy = self.busy.iter().filter(|adapter| count(adapter) > 0);
            busy.map(|adapter| &*adapter.name).collect::<Vec<_>>().join(",")
        };
        let (running, waiting) =
            (names(|adapter| adapter.running), names(|adapter| adapter.waiting));
        let known = self.told.iter_mut().find(|told| (&told.0, &told.1) == (&running, &waiting));
        match known {
            Some(known) => known.2 = now,
            None => self.told.push((running, waiting, now)),
        }
    }

    /// Writes the family. `started` is when the server did, since 1970.
    pub(super) fn write(&self, most: u32, started: Duration, page: &mut Page) {
        let name = "vllm:lora_requests_info";
        page.family(name, "gauge", "Running stats on lora requests.");
        let most = most.to_string();
        for (running, waiting, at) in &self.told {
            let labels = [
                ("max_lora", most.as_str()),
                ("running_lora_adapters", running),
                ("waiting_lora_adapters", waiting),
            ];
            page.sample(name, &labels, (started + *at).as_secs_f64());
        }
    }
}
