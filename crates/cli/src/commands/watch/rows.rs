//! What stands in the panel, row by row: figures, what to make of them, and how they went.
//!
//! A row says how readily it is left out where there is no room. Deliberately nothing is drawn here, and no figure is made here.

use tokometer_record::{GpuSignal, Signal, Timing};

use super::advice::{self, Advice, Tone};
use super::amounts::{cut, gibibytes, number, rounded, seconds, share, span};
use super::figures::{GpuSeen, LogSaid, Seen, Tick, View, Whose};

/// A row of the panel.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    /// Of rows that do not all fit, those with the highest are left out first.
    pub(super) weight: u8,
    /// What it shows.
    pub(super) shows: Shows,
}

/// What a row shows.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shows {
    /// Nothing.
    Blank,
    /// Words over the whole width.
    Words(String, Tone),
    /// A figure.
    Figure {
        label: String,
        value: String,
        /// A share that is drawn as a bar.
        bar: Option<f64>,
        advice: Option<Advice>,
    },
    /// How a figure went.
    Trace {
        label: &'static str,
        value: String,
        /// Oldest first; the last is now. `None` where nothing was heard.
        columns: Vec<Option<f64>>,
        /// What a column of full height means.
        top: f64,
    },
}

/// Where things stand in a row of that width.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measures {
    /// The whole width.
    pub(super) width: usize,
    /// A bar's.
    pub(super) bar: usize,
}

impl Measures {
    pub(super) const fn of(width: usize) -> Self {
        Self { width, bar: if width >= WIDE { 20 } else { 10 } }
    }

    /// Where advice begins.
    pub(super) const fn advice_at(self) -> usize {
        LABEL + VALUE + self.bar + 2
    }

    /// How many columns a trace has.
    const fn trace(self) -> usize {
        self.width.saturating_sub(LABEL + TRACED + 1)
    }

    const fn is_wide(self) -> bool {
        self.width >= WIDE
    }
}

/// Every row for a panel of that width.
pub(super) fn rows(view: &View, width: usize) -> Vec<Row> {
    let measures = Measures::of(width);
    let mut rows = servers(view, measures);
    rows.push(BLANK);
    rows.extend(levels(view));
    rows.push(BLANK);
    rows.extend(lately(view, measures));
    rows.push(BLANK);
    rows.extend(traces(view, measures));
    rows.push(BLANK);
    rows.extend(view.gpus.iter().flat_map(|seen| gpu(seen, view, measures)));
    rows.extend(view.logs.iter().flat_map(|said| log(said, view, measures)));
    rows.extend(remarks(view));
    if view.is_old() {
        // What to make of figures is of no use where they are not of now.
        rows.iter_mut().for_each(Row::without_advice);
    }
    rows
}

impl Row {
    fn without_advice(&mut self) {
        if let Shows::Figure { advice, .. } = &mut self.shows {
            *advice = None;
        }
    }
}

/// The rows, without those for which there is no room in that many lines.
pub(super) fn that_fit(mut rows: Vec<Row>, lines: usize) -> Vec<Row> {
    let is_blank = |row: &Row| row.shows == Shows::Blank;
    while rows.len() > lines {
        let heaviest = rows.iter().map(|row| row.weight).max();
        let Some(last) = rows.iter().rposition(|row| Some(row.weight) == heaviest) else { break };
        rows.remove(last);
    }
    // Blanks between rows that were left out are themselves left out.
    rows.dedup_by(|one, other| is_blank(one) && is_blank(other));
    while rows.last().is_some_and(is_blank) {
        rows.pop();
    }
    rows
}

fn servers(view: &View, measures: Measures) -> Vec<Row> {
    let nobody = view.servers.iter().all(|seen| seen.stale);
    let row = |(index, seen): (usize, &Seen)| {
        let (state, tone) = state(seen, nobody);
        let name = match &seen.whose {
            Whose::Known(server) => format!("{}  ", spoken(server)),
            Whose::Unknown(_) | Whose::Unread => String::new(),
        };
        // The address gives way to what is said of it, but not altogether.
        let room = measures.width.saturating_sub(name.chars().count() + state.chars().count() + 3);
        let shown = cut(&seen.shown, room.max(20));
        let weight = if index == 0 || tone == Tone::Bad { 0 } else { 3 };
        Row { weight, shows: Shows::Words(format!("{name}{shown}  {state}"), tone) }
    };
    view.servers.iter().enumerate().map(row).collect()
}

/// What is to be said of a page of metrics, and how pressing it is.
fn state(seen: &Seen, nobody: bool) -> (String, Tone) {
    let because = seen.trouble.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    let age = span(seen.age.unwrap_or_default());
    match (&seen.whose, seen.stale) {
        (Whose::Unread, _) => (format!("no reading yet, still trying{because}"), Tone::Bad),
        (_, true) => {
            let so = if nobody { "the figures are old" } else { "not counted below" };
            (format!("NO READING for {age}, {so}{because}"), Tone::Bad)
        }
        (Whose::Unknown(samples), false) => {
            (format!("{samples} samples, of no server that is known"), Tone::Look)
        }
        (Whose::Known(_), false) if seen.in_turn => {
            (format!("read {age} ago: several servers answer here in turn"), Tone::Look)
        }
        (Whose::Known(_), false) => (format!("read {age} ago"), Tone::Plain),
    }
}

/// A server's name as people write it.
fn spoken(server: &str) -> &str {
    match server {
        "vllm" => "vLLM",
        "sglang" => "SGLang",
        "tgi" => "TGI",
        "trtllm" => "TensorRT-LLM",
        "triton" => "Triton",
        other => other,
    }
}

fn levels(view: &View) -> Vec<Row> {
    let (running, waiting) = (view.level(Signal::Running), view.level(Signal::Waiting));
    let most = view.level(Signal::MaxRunning).filter(|most| *most > 0.0);
    let there = running.unwrap_or_default() + waiting.unwrap_or_default();
    let of_all = |part: f64| if there > 0.0 { part / there } else { 0.0 };
    let of_most = |running: f64| most.map_or_else(|| of_all(running), |most| running / most);
    let counted = |value: f64| match most {
        Some(most) => format!("{} of {}", number(value), number(most)),
        None => number(value),
    };
    let figure = |label: &str, value: Option<String>, bar: Option<f64>, advice: Advice| {
        let advice = value.is_some().then_some(advice);
        let value = value.unwrap_or_else(|| UNKNOWN.into());
        Row { weight: 0, shows: Shows::Figure { label: label.into(), value, bar, advice } }
    };
    let kv = view.level(Signal::KvUsage);
    vec![
        figure("Running", running.map(counted), running.map(of_most), advice::running(view)),
        figure("Waiting", waiting.map(number), waiting.map(of_all), advice::waiting(view)),
        figure("KV cache", kv.map(share), kv, advice::kv_usage(kv.unwrap_or_default())),
    ]
}

/// What follows from counters and histograms over the last seconds, in brackets over the whole.
fn lately(view: &View, measures: Measures) -> Vec<Row> {
    let (recent, whole) = (&view.recent, &view.whole);
    let both = |recent: Option<String>, whole: Option<String>| match (recent, whole) {
        (None, None) => UNKNOWN.to_owned(),
        (recent, whole) => format!(
            "{} ({})",
            recent.unwrap_or_else(|| UNKNOWN.into()),
            whole.unwrap_or_else(|| UNKNOWN.into())
        ),
    };
    let (last, all) = (number(recent.seconds.round()), span(view.whole_for));
    let head = match measures.is_wide() {
        true if view.in_turn => {
            "No rates and means: several servers answer in turn at one address; watch each at its own".to_owned()
        }
        false if view.in_turn => "No rates: several servers answer in turn".to_owned(),
        _ if recent.seconds <= 0.0 => "Rates and means need two readings".to_owned(),
        true => format!(
            "Over the last {last} s, in brackets over the {all} since the watch began or r was pressed"
        ),
        false => format!("Last {last} s (in brackets: last {all})"),
    };
    let speed = |value: Option<f64>| value.map(|value| format!("{} tok/s", number(value)));
    let mut rows = vec![
        Row { weight: 2, shows: Shows::Words(head, Tone::Plain) },
        figure(
            1,
            "Generation",
            both(speed(view.generation(recent)), view.generation(whole).map(number)),
            advice::GENERATION,
        ),
        figure(
            2,
            "Prompts",
            both(speed(view.prompt(recent)), view.prompt(whole).map(number)),
            advice::PROMPT,
        ),
        figure(
            5,
            "Computed",
            both(speed(view.computed(recent)), view.computed(whole).map(number)),
            advice::COMPUTED,
        ),
        figure(
            2,
            "Preemptions",
            both(
                recent.grown(Signal::Preemptions).map(number),
                whole.grown(Signal::Preemptions).map(number),
            ),
            advice::preemptions(recent.grown(Signal::Preemptions).unwrap_or_default()),
        ),
    ];
    rows.extend(caches(view, &both));
    rows.extend(speculation(view, &both));
    if recent.seconds <= 0.0 {
        // Without rates there is only what servers reckon themselves.
        let is_known =
            |shows: &Shows| !matches!(shows, Shows::Figure { value, .. } if value == UNKNOWN);
        rows.retain(|row| is_known(&row.shows));
        return rows;
    }
    rows.extend(latencies(view, measures));
    rows
}

fn caches(view: &View, both: &impl Fn(Option<String>, Option<String>) -> String) -> Vec<Row> {
    let (recent, whole) = (&view.recent, &view.whole);
    let prefix = recent
        .prefix_hits()
        .or_else(|| view.own(recent, Signal::PrefixQueries, Signal::PrefixHitRate));
    let mut rows = vec![figure(
        3,
        "Prefix hits",
        both(prefix.map(share), whole.prefix_hits().map(share)),
        advice::PREFIX,
    )];
    let others = [
        ("Ext. hits", Signal::ExternalHits, Signal::ExternalQueries, advice::EXTERNAL),
        ("MM hits", Signal::MultimodalHits, Signal::MultimodalQueries, advice::MULTIMODAL),
    ];
    for (label, hits, queries, advice) in others {
        // A cache in which nothing is ever looked up is not in use.
        if whole.grown(queries).is_some_and(|queries| queries > 0.0) {
            let shares = [recent, whole].map(|window| window.share(hits, queries).map(share));
            let [recent, whole] = shares;
            rows.push(figure(4, label, both(recent, whole), advice));
        }
    }
    rows
}

fn speculation(view: &View, both: &impl Fn(Option<String>, Option<String>) -> String) -> Vec<Row> {
    let (recent, whole) = (view.recent.speculation(), view.whole.speculation());
    let length = |value: f64| format!("{value:.2}");
    if let Some(told) = view.own(&view.recent, Signal::Drafts, Signal::AcceptanceLength) {
        let rate = view.level(Signal::AcceptanceRate);
        let row = figure(4, "Acc. length", format!("{} a step", length(told)), advice::LENGTH);
        let rate = rate.map(|rate| figure(4, "Acceptance", share(rate), advice::acceptance(rate)));
        return [row].into_iter().chain(rate).collect();
    }
    let Some(over_all) = whole else { return Vec::new() };
    let now = recent.as_ref();
    let most = now.unwrap_or(&over_all).at_most.map(|most| format!(" of {}", number(most)));
    let lengths = both(now.map(|now| length(now.length)), Some(length(over_all.length)));
    let mut rows = vec![figure(
        4,
        "Acc. length",
        format!("{lengths}{}", most.unwrap_or_default()),
        advice::LENGTH,
    )];
    let Some(now) = now else { return rows };
    if let Some(rate) = now.rate {
        let rates = both(Some(share(rate)), over_all.rate.map(share));
        rows.push(figure(4, "Acceptance", rates, advice::acceptance(rate)));
    }
    if !now.by_position.is_empty() {
        let shares: Vec<_> = now.by_position.iter().map(|share| format!("{share:.2}")).collect();
        rows.push(figure(6, "by position", shares.join(" "), advice::POSITIONS));
    }
    if let (Some(accepted), Some(drafted)) = (now.accepted, now.drafted) {
        let tokens = format!("{} of {} tok/s", number(accepted), number(drafted));
        rows.push(figure(6, "Drafts", tokens, advice::drafts(now)));
    }
    rows
}

/// Means of the server's own histograms, over what was observed in the last seconds.
fn latencies(view: &View, measures: Measures) -> Vec<Row> {
    let told = TIMINGS.iter().map(|(name, timing)| (name, view.recent.mean(*timing)));
    let words: Vec<String> = told
        .map(|(name, mean)| format!("{name} {}", mean.map_or_else(|| UNKNOWN.into(), seconds)))
        .collect();
    flowing(2, "Server means", &words, measures, Tone::Plain)
}

fn traces(view: &View, measures: Measures) -> Vec<Row> {
    let highest = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let trace = |weight, label, of: fn(&Tick) -> Option<f64>, scale: Scale| {
        let columns = match scale {
            Scale::Mean => view.columns(measures.trace(), of, mean),
            Scale::Highest | Scale::Share => view.columns(measures.trace(), of, highest),
        };
        let told = view.history.iter().filter_map(of);
        let highest = told.reduce(f64::max)?;
        let last = view.history.last().and_then(of);
        let (value, top) = match scale {
            Scale::Share => (last.map_or_else(|| UNKNOWN.into(), share), 1.0),
            Scale::Highest | Scale::Mean => {
                let last = last.map_or_else(|| UNKNOWN.into(), number);
                (format!("{last} max {}", number(highest)), highest)
            }
        };
        Some(Row { weight, shows: Shows::Trace { label, value, columns, top } })
    };
    let traces: Vec<Row> = [
        trace(4, "Running", |tick| tick.running, Scale::Highest),
        trace(3, "Waiting", |tick| tick.waiting, Scale::Highest),
        trace(5, "KV cache", |tick| tick.kv_usage, Scale::Share),
        trace(3, "Generation", |tick| tick.generation, Scale::Mean),
        trace(6, "GPU", |tick| tick.gpu, Scale::Share),
    ]
    .into_iter()
    .flatten()
    .collect();
    if traces.is_empty() {
        return traces;
    }
    let length = view.every * u32::try_from(view.history.len()).unwrap_or(u32::MAX);
    let head = format!("The last {}, now at the right", span(length));
    let head = Row { weight: 7, shows: Shows::Words(head, Tone::Plain) };
    [head].into_iter().chain(traces).collect()
}

/// What a trace's columns are, and what their full height is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scale {
    /// The highest of their time, by the highest of all.
    Highest,
    /// The mean of their time, by the highest of all.
    Mean,
    /// The highest of their time, by 100 %.
    Share,
}

fn gpu(seen: &GpuSeen, view: &View, measures: Measures) -> Vec<Row> {
    let value = |signal| seen.gpu.values.get(&signal).copied();
    let mut words = Vec::new();
    if (view.at - seen.at).as_secs() >= OLD {
        words.push(format!("NO READING for {}", span(view.at - seen.at)));
    }
    words.extend(value(GpuSignal::Utilization).map(|busy| format!("{} busy", share(busy))));
    words.extend(value(GpuSignal::SmActive).map(|active| format!("SMs {}", share(active))));
    words.extend(value(GpuSignal::TensorActive).map(|active| format!("tensor {}", share(active))));
    words.extend(value(GpuSignal::MemoryUsed).map(|used| match value(GpuSignal::MemoryTotal) {
        Some(total) => format!("{} of {} GiB", gibibytes(used), gibibytes(total)),
        None => format!("{} GiB", gibibytes(used)),
    }));
    words.extend(value(GpuSignal::Power).map(|watts| format!("{} W", rounded(watts, 0))));
    words
        .extend(value(GpuSignal::Temperature).map(|degrees| format!("{} °C", rounded(degrees, 0))));
    let error = value(GpuSignal::Xid).filter(|code| *code != 0.0);
    words.extend(error.map(|code| format!("XID {}: it reported an error", rounded(code, 0))));
    words.extend((!seen.gpu.name.is_empty()).then(|| seen.gpu.name.clone()));
    let tone = if error.is_some() { Tone::Bad } else { Tone::Plain };
    flowing(5, &format!("GPU {}", seen.gpu.id), &words, measures, tone)
}

fn log(said: &LogSaid, view: &View, measures: Measures) -> Vec<Row> {
    let file = said.source.rsplit('/').next().unwrap_or(&said.source);
    let mut words = vec![format!("{file} {} ago:", span(view.at - said.at))];
    let figures: [(&str, Signal, Shown); 11] = [
        ("running", Signal::Running, number),
        ("waiting", Signal::Waiting, number),
        ("KV", Signal::KvUsage, share),
        ("prompts tok/s", Signal::PromptThroughput, number),
        ("generation tok/s", Signal::GenerationThroughput, number),
        ("prefix hits", Signal::PrefixHitRate, share),
        ("external hits", Signal::ExternalHitRate, share),
        ("MM hits", Signal::MultimodalHitRate, share),
        ("preemptions", Signal::Preemptions, number),
        ("accepted a step", Signal::AcceptanceLength, number),
        ("acceptance", Signal::AcceptanceRate, share),
    ];
    let told = figures.into_iter().filter_map(|(name, signal, shown)| {
        said.value(signal).map(|value| format!("{name} {}", shown(value)))
    });
    words.extend(told);
    if !said.by_position().is_empty() {
        let shares: Vec<_> = said.by_position().iter().map(|share| format!("{share:.2}")).collect();
        words.push(format!("by position {}", shares.join(" ")));
    }
    let label = match &said.engine {
        Some(engine) => format!("Log {engine}"),
        None => "Log".to_owned(),
    };
    flowing(6, &label, &words, measures, Tone::Plain)
}

/// How a figure becomes text.
type Shown = fn(f64) -> String;

fn remarks(view: &View) -> Vec<Row> {
    let row = |(index, remark): (usize, &tokometer_record::Remark)| {
        let ago = span(view.at - remark.at);
        let words = format!("{ago} ago  {}: {}", remark.source, remark.detail);
        Row { weight: if index == 0 { 4 } else { 8 }, shows: Shows::Words(words, Tone::Look) }
    };
    view.remarks.iter().enumerate().map(row).collect()
}

fn figure(weight: u8, label: &str, value: String, advice: Advice) -> Row {
    let advice = (value != UNKNOWN).then_some(advice);
    Row { weight, shows: Shows::Figure { label: label.to_owned(), value, bar: None, advice } }
}

/// Words that belong to one label, in as many rows as they need.
fn flowing(weight: u8, label: &str, words: &[String], measures: Measures, tone: Tone) -> Vec<Row> {
    let room = measures.width.saturating_sub(LABEL + 1);
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 2 + word.chars().count() <= room => {
                line.push_str("  ");
                line.push_str(word);
            }
            _ => lines.push(word.clone()),
        }
    }
    let row = |(index, line): (usize, String)| {
        let label = if index == 0 { label } else { "" };
        Row { weight, shows: Shows::Words(format!("{label:LABEL$}{line}"), tone) }
    };
    lines.into_iter().enumerate().map(row).collect()
}

const BLANK: Row = Row { weight: 9, shows: Shows::Blank };

/// In place of a figure that is not known.
const UNKNOWN: &str = "–";

/// The width of a label.
pub(super) const LABEL: usize = 13;

/// The width of a figure that has a bar behind it.
pub(super) const VALUE: usize = 10;

/// The width of a trace's figure.
pub(super) const TRACED: usize = 20;

/// From here on there is room for long words.
const WIDE: usize = 100;

/// After so many seconds a GPU's figures are told to be old.
const OLD: u64 = 5;

/// The server's own times, in the order of a request's life.
pub(super) const TIMINGS: [(&str, Timing); 5] = [
    ("TTFT", Timing::Ttft),
    ("ITL", Timing::Itl),
    ("queue", Timing::Queue),
    ("prefill", Timing::Prefill),
    ("decode", Timing::Decode),
];
