//! What the server's own counters tell of a load: the growth of each from before it to after it, summed over all labels, and
//! over all pages that were read.
//!
//! Only vLLM's names are known. A counter that went down tells that the server began anew in between: then nothing is said
//! of any. A server that is read under two names counts once.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use tokometer_record::Scrape;

/// What the server's counters told of a load.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServerCounters {
    /// Whether a counter went down during the load: the server was restarted, and the rest is `None`.
    pub restarted: bool,
    /// Drafts that a small model wrote and the large one judged. `None` where there were none.
    pub speculation: Option<Speculation>,
    /// Denoising of a model that works by diffusion. `None` where there was none.
    pub diffusion: Option<Diffusion>,
    /// What the prefix cache knew. `None` where the server does not count it, or was asked nothing.
    pub prefix_cache: Option<PrefixCache>,
}

/// Speculative decoding during a load.
#[derive(Clone, Debug, PartialEq)]
pub struct Speculation {
    /// How many drafts were written.
    pub drafts: u64,
    /// How many tokens they held.
    pub draft_tokens: u64,
    /// How many of those were accepted.
    pub accepted_tokens: u64,
    /// For each position of a draft, from 0 on, the share of drafts whose token there was accepted.
    pub accepted_by_position: Vec<f64>,
}

impl Speculation {
    /// Accepted tokens ÷ draft tokens, in per cent.
    pub fn acceptance_rate(&self) -> f64 {
        100.0 * self.accepted_tokens as f64 / self.draft_tokens as f64
    }

    /// 1 + accepted tokens ÷ drafts: tokens that one step of the large model brings. 0 without drafts.
    pub fn acceptance_length(&self) -> f64 {
        match self.drafts {
            0 => 0.0,
            drafts => 1.0 + self.accepted_tokens as f64 / drafts as f64,
        }
    }
}

/// Decoding by diffusion during a load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Diffusion {
    /// Steps that denoised, without those that committed.
    pub denoising_steps: f64,
    /// Positions of canvases that were worked on.
    pub canvas_positions: u64,
    /// Tokens that were committed.
    pub committed_tokens: u64,
    /// Denoising steps ÷ canvases.
    pub steps_per_canvas: f64,
    /// Committed tokens ÷ denoising steps.
    pub committed_per_step: f64,
}

/// What the prefix cache knew during a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrefixCache {
    /// Prompt tokens that were looked up.
    pub queries: u64,
    /// Prompt tokens that were found.
    pub hits: u64,
}

impl PrefixCache {
    /// Hits ÷ queries, in per cent.
    pub fn hit_rate(&self) -> f64 {
        100.0 * self.hits as f64 / self.queries as f64
    }
}

impl ServerCounters {
    /// What the counters told between the first scrape of each source and its last. Nothing of a source of fewer than two,
    /// or whose last came to nothing.
    pub fn between(scrapes: &[Scrape]) -> Self {
        let mut pages: BTreeMap<&str, Page<'_>> = BTreeMap::new();
        for scrape in scrapes {
            let page = || Page { before: &scrape.samples, after: None };
            match pages.entry(&scrape.source) {
                Entry::Occupied(mut known) => known.get_mut().after = Some(&scrape.samples),
                Entry::Vacant(first) => drop(first.insert(page())),
            }
        }
        let mut growth = Growth::default();
        let mut counted: Vec<&Page<'_>> = Vec::new();
        for page in pages.values() {
            let Some(after) = page.after.filter(|after| known(after)) else { continue };
            if counted.iter().any(|other| other.is_also(page)) {
                continue;
            }
            counted.push(page);
            if page.went_down(after) {
                return Self { restarted: true, ..Self::default() };
            }
            growth.add(page.before, after);
        }
        Self {
            restarted: false,
            speculation: growth.speculation(),
            diffusion: growth.diffusion(),
            prefix_cache: growth.prefix_cache(),
        }
    }
}

/// A source before a load and after it.
struct Page<'a> {
    before: &'a BTreeMap<String, f64>,
    after: Option<&'a BTreeMap<String, f64>>,
}

impl Page<'_> {
    /// Whether a counter that is looked at is less than it was, or is gone.
    fn went_down(&self, after: &BTreeMap<String, f64>) -> bool {
        let mut counts = self.before.iter().filter(|(key, _)| COUNTERS.contains(&name(key)));
        counts.any(|(key, &was)| after.get(key).is_none_or(|&is| is < was))
    }

    /// Whether another source is the same server under another name: what counts is the same before and after, and so is a
    /// sum of seconds that had grown, which no two servers share to the last bit.
    fn is_also(&self, other: &Self) -> bool {
        let (Some(own), Some(others)) = (self.after, other.after) else { return false };
        let counts = |samples: &BTreeMap<String, f64>| -> Vec<(String, u64)> {
            let counts = samples.iter().filter(|(key, _)| COUNTERS.contains(&name(key)));
            counts.map(|(key, value)| (key.clone(), value.to_bits())).collect()
        };
        let mut seconds = own.iter().filter(|(key, _)| name(key).ends_with("_seconds_sum"));
        counts(self.before) == counts(other.before)
            && counts(own) == counts(others)
            && seconds
                .any(|(key, sum)| others.get(key) == Some(sum) && self.before.get(key) != Some(sum))
    }
}

/// Samples before and after, those of all sources added up by name and labels.
#[derive(Default)]
struct Growth {
    before: BTreeMap<String, f64>,
    after: BTreeMap<String, f64>,
}

impl Growth {
    fn add(&mut self, before: &BTreeMap<String, f64>, after: &BTreeMap<String, f64>) {
        for (sums, samples) in [(&mut self.before, before), (&mut self.after, after)] {
            let counts = samples.iter().filter(|(key, _)| COUNTERS.contains(&name(key)));
            for (key, value) in counts.filter(|(_, value)| value.is_finite()) {
                *sums.entry(key.clone()).or_default() += value;
            }
        }
    }

    /// By how much a counter grew. `None` if no server has it. One that is there only afterwards began at 0.
    fn of(&self, counter: &str) -> Option<u64> {
        let after = total(&self.after, counter)?;
        Some(whole(after - total(&self.before, counter).unwrap_or(0.0)))
    }

    fn speculation(&self) -> Option<Speculation> {
        let drafts = self.of(DRAFTS)?;
        let draft_tokens = self.of(DRAFT_TOKENS).filter(|&tokens| tokens > 0)?;
        let accepted_tokens = self.of(ACCEPTED)?;
        let [before, after] = [&self.before, &self.after].map(by_position);
        let rates = after.iter().map(|(position, is)| {
            let was = before.get(position).copied().unwrap_or(0.0);
            (is - was) / drafts as f64
        });
        let accepted_by_position = if drafts > 0 { rates.collect() } else { Vec::new() };
        Some(Speculation { drafts, draft_tokens, accepted_tokens, accepted_by_position })
    }

    fn diffusion(&self) -> Option<Diffusion> {
        let steps = self.of(STEPS).filter(|&steps| steps > 0)? as f64;
        let canvas_positions = self.of(POSITIONS).filter(|&positions| positions > 0)?;
        let committed_tokens = self.of(COMMITTED).filter(|&tokens| tokens > 0)?;
        // A canvas is worked on whole in each step, and committed whole in its last one.
        let canvas = canvas_positions as f64 / steps;
        let canvases = committed_tokens as f64 / canvas;
        let denoising_steps = Some(steps - canvases).filter(|&steps| steps > 0.0)?;
        Some(Diffusion {
            denoising_steps,
            canvas_positions,
            committed_tokens,
            steps_per_canvas: denoising_steps / canvases,
            committed_per_step: committed_tokens as f64 / denoising_steps,
        })
    }

    fn prefix_cache(&self) -> Option<PrefixCache> {
        let queries = self.of(QUERIES).filter(|&queries| queries > 0)?;
        Some(PrefixCache { queries, hits: self.of(HITS)? })
    }
}

/// Whether these samples have any counter that is looked at: a page that came to nothing tells of no restart.
fn known(samples: &BTreeMap<String, f64>) -> bool {
    samples.keys().any(|key| COUNTERS.contains(&name(key)))
}

/// The name of a sample, without its labels.
fn name(key: &str) -> &str {
    key.split_once('{').map_or(key, |(name, _)| name).trim_end()
}

/// A counter's samples added up. `None` if there are none.
fn total(samples: &BTreeMap<String, f64>, counter: &str) -> Option<f64> {
    let values = samples.iter().filter(|(key, _)| name(key) == counter).map(|(_, value)| *value);
    values.filter(|value| value.is_finite()).reduce(|sum, value| sum + value)
}

/// Accepted tokens by the position in their draft.
fn by_position(samples: &BTreeMap<String, f64>) -> BTreeMap<u64, f64> {
    let mut positions = BTreeMap::new();
    for (key, value) in samples.iter().filter(|(key, _)| name(key) == ACCEPTED_BY_POSITION) {
        let label = key.split_once("position=\"").and_then(|(_, rest)| rest.split_once('"'));
        if let Some(position) = label.and_then(|(position, _)| position.parse().ok()) {
            *positions.entry(position).or_default() += value;
        }
    }
    positions
}

fn whole(count: f64) -> u64 {
    // A cast of floats saturates: what is negative is 0.
    count.round() as u64
}

const DRAFTS: &str = "vllm:spec_decode_num_drafts_total";
const DRAFT_TOKENS: &str = "vllm:spec_decode_num_draft_tokens_total";
const ACCEPTED: &str = "vllm:spec_decode_num_accepted_tokens_total";
const ACCEPTED_BY_POSITION: &str = "vllm:spec_decode_num_accepted_tokens_per_pos_total";
const STEPS: &str = "vllm:diffusion_num_denoising_steps_total";
const POSITIONS: &str = "vllm:diffusion_num_canvas_positions_total";
const COMMITTED: &str = "vllm:diffusion_num_committed_tokens_total";
const QUERIES: &str = "vllm:prefix_cache_queries_total";
const HITS: &str = "vllm:prefix_cache_hits_total";

/// Every counter that is looked at.
const COUNTERS: [&str; 9] = [
    DRAFTS,
    DRAFT_TOKENS,
    ACCEPTED,
    ACCEPTED_BY_POSITION,
    STEPS,
    POSITIONS,
    COMMITTED,
    QUERIES,
    HITS,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::testing::ms;

    /// Scrapes of these samples, written as a server writes them.
    fn scrapes(texts: &[&str]) -> Vec<Scrape> {
        let sample = |line: &str| {
            let (key, value) = line.trim().rsplit_once(' ').unwrap();
            (key.to_owned(), value.parse().unwrap())
        };
        let scrape = |(at, text): (u64, &&str)| Scrape {
            at: ms(at),
            source: String::new(),
            samples: text.lines().filter(|line| !line.trim().is_empty()).map(sample).collect(),
        };
        (0..).zip(texts).map(scrape).collect()
    }

    // What vLLM 0.32 says, of two engines.
    const BEFORE: &str = r#"
        vllm:spec_decode_num_drafts_total{engine="0",model_name="m"} 75.0
        vllm:spec_decode_num_drafts_total{engine="1",model_name="m"} 5.0
        vllm:spec_decode_num_drafts_created{engine="0",model_name="m"} 1.7953432178776212e+09
        vllm:spec_decode_num_draft_tokens_total{engine="0",model_name="m"} 288.0
        vllm:spec_decode_num_accepted_tokens_total{engine="0",model_name="m"} 200.0
        vllm:spec_decode_num_accepted_tokens_per_pos_total{engine="0",model_name="m",position="0"} 75.0
        vllm:prefix_cache_queries_total{engine="0",model_name="m"} 60.0
        vllm:prefix_cache_hits_total{engine="0",model_name="m"} 0.0"#;
    const AFTER: &str = r#"
        vllm:spec_decode_num_drafts_total{engine="0",model_name="m"} 165.0
        vllm:spec_decode_num_drafts_total{engine="1",model_name="m"} 15.0
        vllm:spec_decode_num_drafts_created{engine="0",model_name="m"} 1.7953432178776212e+09
        vllm:spec_decode_num_draft_tokens_total{engine="0",model_name="m"} 688.0
        vllm:spec_decode_num_accepted_tokens_total{engine="0",model_name="m"} 300.0
        vllm:spec_decode_num_accepted_tokens_per_pos_total{engine="0",model_name="m",position="0"} 155.0
        vllm:spec_decode_num_accepted_tokens_per_pos_total{engine="0",model_name="m",position="1"} 20.0
        vllm:prefix_cache_queries_total{engine="0",model_name="m"} 160.0
        vllm:prefix_cache_hits_total{engine="0",model_name="m"} 3.0"#;

    #[test]
    fn growth_is_summed_over_labels() {
        let told = ServerCounters::between(&scrapes(&[BEFORE, AFTER]));
        let speculation = told.speculation.unwrap();
        assert_eq!((speculation.drafts, speculation.draft_tokens), (100, 400));
        assert_eq!(speculation.accepted_tokens, 100);
        assert_eq!(speculation.accepted_by_position, [0.8, 0.2]);
        assert_eq!((speculation.acceptance_rate(), speculation.acceptance_length()), (25.0, 2.0));
        assert_eq!(told.prefix_cache, Some(PrefixCache { queries: 100, hits: 3 }));
        assert_eq!(told.prefix_cache.map(|cache| cache.hit_rate()), Some(3.0));
        assert_eq!((told.diffusion, told.restarted), (None, false));
    }

    #[test]
    fn only_the_first_scrape_and_the_last_count() {
        let three = scrapes(&[BEFORE, "vllm:prefix_cache_hits_total 1", AFTER]);
        let two = scrapes(&[BEFORE, AFTER]);
        assert_eq!(ServerCounters::between(&three), ServerCounters::between(&two));
        assert_eq!(ServerCounters::between(&two[..1]), ServerCounters::default());
    }

    #[test]
    fn a_counter_that_went_down_or_away_ends_all_of_it() {
        let restarted = ServerCounters { restarted: true, ..ServerCounters::default() };
        assert_eq!(ServerCounters::between(&scrapes(&[AFTER, BEFORE])), restarted);
        let one = "vllm:prefix_cache_queries_total{engine=\"0\",model_name=\"m\"} 60";
        assert_eq!(ServerCounters::between(&scrapes(&[BEFORE, one])), restarted);
    }

    #[test]
    fn a_scrape_that_came_to_nothing_tells_of_no_restart() {
        assert_eq!(ServerCounters::between(&scrapes(&[BEFORE, ""])), ServerCounters::default());
    }

    /// These scrapes, of another source.
    fn of(source: &str, mut scrapes: Vec<Scrape>) -> Vec<Scrape> {
        scrapes.iter_mut().for_each(|scrape| source.clone_into(&mut scrape.source));
        scrapes
    }

    #[test]
    fn pages_of_several_servers_add_up() {
        let one = scrapes(&[BEFORE, AFTER]);
        let two = [of("a", one.clone()), of("b", one)].concat();
        let told = ServerCounters::between(&two);
        let speculation = told.speculation.unwrap();
        assert_eq!((speculation.drafts, speculation.draft_tokens), (200, 800));
        assert_eq!(speculation.accepted_by_position, [0.8, 0.2]);
        assert_eq!(told.prefix_cache, Some(PrefixCache { queries: 200, hits: 6 }));
    }

    #[test]
    fn one_server_under_two_names_counts_once() {
        let [before, after] = [(BEFORE, 1.25), (AFTER, 7.75)].map(|(page, seconds)| {
            format!("{page}\nvllm:e2e_request_latency_seconds_sum{{engine=\"0\"}} {seconds}")
        });
        let one = of("127.0.0.1", scrapes(&[&before, &after]));
        let alone = ServerCounters::between(&one);
        let both = [one.clone(), of("localhost", one.clone())].concat();
        assert_eq!(ServerCounters::between(&both), alone);
        // Another one that counted the same took another time.
        let twin = of("localhost", scrapes(&[&before, &after.replace("7.75", "7.5")]));
        assert_ne!(ServerCounters::between(&[one, twin].concat()), alone);
    }

    #[test]
    fn a_page_that_was_read_once_says_nothing_and_one_that_fell_ends_all() {
        let whole = of("a", scrapes(&[BEFORE, AFTER]));
        let once = of("b", scrapes(&[AFTER]));
        let told = ServerCounters::between(&[whole.clone(), once].concat());
        assert_eq!(told, ServerCounters::between(&whole));
        let fallen = of("b", scrapes(&[AFTER, BEFORE]));
        assert!(ServerCounters::between(&[whole, fallen].concat()).restarted);
    }

    #[test]
    fn what_did_not_grow_says_nothing() {
        let same = ServerCounters::between(&scrapes(&[BEFORE, BEFORE]));
        assert_eq!(same, ServerCounters::default());
    }

    #[test]
    fn diffusion_leaves_the_committing_steps_out() {
        let before = "vllm:diffusion_num_denoising_steps_total 0\nvllm:diffusion_num_canvas_positions_total 0\n\
                      vllm:diffusion_num_committed_tokens_total 0";
        // Two canvases of 32 positions, each of eight steps of which the last one commits.
        let after = "vllm:diffusion_num_denoising_steps_total 16\nvllm:diffusion_num_canvas_positions_total 512\n\
                     vllm:diffusion_num_committed_tokens_total 64";
        let diffusion = ServerCounters::between(&scrapes(&[before, after])).diffusion.unwrap();
        assert_eq!((diffusion.denoising_steps, diffusion.steps_per_canvas), (14.0, 7.0));
        assert_eq!(diffusion.committed_per_step, 64.0 / 14.0);
    }
}
