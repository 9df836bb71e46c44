//! What tokens are counted with: the tokenizer that was given, the server's own, or the embedded one, whose counts are estimates.
//!
//! A text dataset needs none, and gets none unless one was given: EvalScope then measures its prompts in characters.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use serde_json::Map;
use tokometer_engine::Probe;
use tokometer_plan::{Plan, Rate, Reporting, Scheme, Source};
use tokometer_record::{Count, OutputTokens, TokenSource};
use tokometer_workload::Ask;
use tokometer_workload::dataset::{self, DATASETS, Dataset, DatasetError, Spec};
use tokometer_workload::prepare::{Body, PrepareError, asks};
use tokometer_workload::seed::Seed;
use tokometer_workload::tokenizer::{self, Hub, Tokenizer};

use super::explain;
use super::recorder::Recorded;
use super::service::{Service, Tokenizing};
use crate::screen::Screen;
use crate::trouble::Trouble;

/// What tokens are counted with.
pub(crate) struct Measure {
    tokenizer: Arc<dyn Tokenizer>,
    kind: Kind,
    /// Whether prompts cannot be made without a tokenizer.
    needed: bool,
    /// Whether the dataset was found to have every prompt that will be asked for.
    checked: bool,
    /// Where what is not here is fetched from.
    hub: Hub,
    /// The dataset that was opened last, and where in it prompts begin: several looks at it precede a load, and large files are slow
    /// to open.
    opened: Mutex<Option<(u64, Arc<dyn Dataset>)>>,
}

/// What came of counting outputs.
#[derive(Debug)]
pub(crate) struct Counted {
    /// The counts.
    pub(crate) lines: Vec<Count>,
    /// Outputs that were left when it was stopped.
    pub(crate) left: usize,
}

/// What came of counting one output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attempt {
    Counted(u32),
    Failed,
    Left,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Given by the user.
    Given,
    /// The simulator's, which is the embedded one: right, for once.
    Simulator,
    /// The server is still to be asked.
    Open,
    /// The server's own.
    Server,
    /// The embedded one, for want of another.
    Estimate,
}

/// The first request of a dataset.
fn one(
    dataset: &dyn Dataset,
    body: &Body,
    tokenizer: Option<&dyn Tokenizer>,
    seed: Seed,
) -> Result<Ask, PrepareError> {
    let made = asks(dataset, body, tokenizer, seed, 1, &|_| ControlFlow::Continue(()))?;
    Ok(made.into_iter().next().expect("one was asked for"))
}

/// The same, answered by one token.
fn of_one_token(mut body: Body) -> Body {
    body.options.max_tokens = Some(1);
    body.options.min_tokens = None;
    body.max_tokens = None;
    body
}

impl Measure {
    /// Opens the tokenizer that the plan names.
    pub(crate) fn open(plan: &Plan, screen: &Screen) -> Result<Self, Trouble> {
        let needed = plan.prompts.tokenize
            || match &plan.prompts.source {
                Source::Text(_) => false,
                Source::Dataset(dataset) => {
                    let entry = DATASETS.iter().find(|entry| entry.name == dataset.name);
                    dataset.fit.is_some() || entry.is_some_and(|entry| entry.needs_tokenizer)
                }
            };
        let (tokenizer, kind) = match &plan.tokenizer {
            Some(spec) => {
                if !spec.starts_with(['/', '.', '~']) && !Path::new(spec).exists() {
                    screen
                        .say(format!("tokenizer: looking for {spec} on the hub and in its cache"));
                }
                let opened = tokenizer::open(spec, &Hub::from_env());
                (opened.map_err(|error| explain::tokenizer(&error))?, Kind::Given)
            }
            None if plan.target.url.scheme == Scheme::Sim => {
                (tokenizer::embedded(), Kind::Simulator)
            }
            None => (tokenizer::embedded(), Kind::Open),
        };
        let said = screen.clone();
        let hub = Hub::from_env().telling(Arc::new(move |words: &str| said.say(words)));
        Ok(Self { tokenizer, kind, needed, checked: false, hub, opened: Mutex::default() })
    }

    /// The tokenizer that a simulator counts with.
    pub(crate) fn for_simulator(&self) -> Arc<dyn Tokenizer> {
        Arc::clone(&self.tokenizer)
    }

    /// Asks the server for its own tokenizer, if none was given.
    pub(crate) fn meet(&mut self, service: &Service, plan: &Plan, model: &str, screen: &Screen) {
        if self.kind != Kind::Open {
            return;
        }
        if self.needed {
            screen.say("no tokenizer was given: asking the server for its own");
        }
        self.close_dataset();
        let tokenizing =
            Tokenizing { engine: Arc::clone(&service.engine), secrets: plan.target.secrets() };
        (self.tokenizer, self.kind) = match tokenizer::server(Arc::new(tokenizing), model) {
            Ok(server) => (server, Kind::Server),
            Err(_) => (tokenizer::embedded(), Kind::Estimate),
        };
        if self.kind == Kind::Estimate && self.needed {
            let flag = match plan.report {
                Reporting::Evalscope => "--tokenizer-path",
                Reporting::Vllm(_) => "--tokenizer",
            };
            screen.say(format!(
                "note: no tokenizer was given, and the server offers none: prompt lengths are estimates; {flag} makes them exact",
            ));
        }
    }

    /// Opens the dataset, draws its last prompt, so that a file is read as far as it will be read, and writes its first request. Does nothing while the
    /// tokenizer that it needs is still to be asked for, nor a second time.
    pub(crate) fn check_prompts(&mut self, plan: &Plan) -> Result<(), Trouble> {
        if self.checked || (self.needed && self.kind == Kind::Open) {
            return Ok(());
        }
        if let Some(last) = plan.points.last() {
            let index = last.requests().saturating_sub(1);
            let unfit = |error| explain::dataset(&error, plan);
            let dataset = self.prompts(plan, last.offset).map_err(unfit)?;
            dataset.draw(index, last.seed).map_err(unfit)?;
            // Whether the API can carry such a prompt is seen by writing one.
            let body = plan.body(plan.model.as_deref().unwrap_or_default());
            one(&*dataset, &body, self.counter(), last.seed)
                .map_err(|error| explain::prepare(&error, plan))?;
        }
        self.checked = true;
        Ok(())
    }

    /// As [`Measure::check_prompts`], for another plan with the same tokenizer.
    pub(crate) fn check_others(&mut self, plan: &Plan) -> Result<(), Trouble> {
        self.checked = false;
        self.close_dataset();
        self.check_prompts(plan)
    }

    /// The prompts of a point that begins at `offset`.
    pub(crate) fn prompts(
        &self,
        plan: &Plan,
        offset: u64,
    ) -> Result<Arc<dyn Dataset>, DatasetError> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, dataset)) = &*opened
            && *at == offset
        {
            return Ok(Arc::clone(dataset));
        }
        let tokenizer = self.for_prompts().then(|| Arc::clone(&self.tokenizer));
        let dataset = dataset::open_from(&plan.spec(offset), tokenizer, &self.hub)?;
        let dataset = Arc::<dyn Dataset>::from(dataset);
        *opened = Some((offset, Arc::clone(&dataset)));
        Ok(dataset)
    }

    /// Lets go of the dataset: the requests that it was open for are made.
    pub(crate) fn close_dataset(&self) {
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whether prompts are measured in tokens.
    const fn for_prompts(&self) -> bool {
        self.needed || matches!(self.kind, Kind::Given | Kind::Simulator)
    }

    /// What the tokens of prompts are counted with, where they are.
    pub(crate) fn counter(&self) -> Option<&dyn Tokenizer> {
        self.for_prompts().then_some(&*self.tokenizer)
    }

    /// The request that tries the connection: a greeting, generated as the load's outputs will be; but of one token only where each
    /// prompt of the load brings a limit of its own. An API that takes no text is tried with the load's first request.
    ///
    /// # Errors
    /// If no request can be made.
    pub(crate) fn hello(&self, plan: &Plan, model: &str) -> Result<Ask, Trouble> {
        let body = match plan.report {
            Reporting::Evalscope => plan.body(model),
            Reporting::Vllm(_) => of_one_token(plan.body(model)),
        };
        match self.text("hello", &body, plan) {
            Err(PrepareError::Encode { .. }) => self.first(plan, model),
            made => made.map_err(|error| explain::prepare(&error, plan)),
        }
    }

    /// The request of side probes: two letters, answered by one token, as vLLM's are.
    ///
    /// # Errors
    /// If the API does not take a text.
    pub(crate) fn probe(&self, plan: &Plan, model: &str, rate: Rate) -> Result<Probe, Trouble> {
        let made = self.text("Hi", &of_one_token(plan.body(model)), plan);
        let ask = made.map_err(|error| explain::prepare(&error, plan))?;
        Ok(Probe { rate: rate.per_second(), ask })
    }

    /// A request with this prompt.
    fn text(&self, text: &str, body: &Body, plan: &Plan) -> Result<Ask, PrepareError> {
        let spec = Spec { prompt: Some(text.into()), args: Map::new(), ..plan.spec(0) };
        let tokenizer = self.for_prompts().then(|| Arc::clone(&self.tokenizer));
        one(&*dataset::open(&spec, tokenizer)?, body, self.counter(), plan.seed)
    }

    /// The first request of the load.
    fn first(&self, plan: &Plan, model: &str) -> Result<Ask, Trouble> {
        let point = plan.points.first().expect("a plan has a point: checked in resolve");
        let made = self
            .prompts(plan, point.offset)
            .map_err(PrepareError::from)
            .and_then(|dataset| one(&*dataset, &plan.body(model), self.counter(), point.seed));
        made.map_err(|error| explain::prepare(&error, plan))
    }

    /// Counts the outputs that the server did not count, in the records and as lines for the log, unless it is to `stop`.
    pub(crate) fn count_outputs(
        &self,
        recorded: &mut Recorded,
        screen: &Screen,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Counted {
        let uncounted = std::mem::take(&mut recorded.uncounted);
        if uncounted.is_empty() {
            return Counted { lines: Vec::new(), left: 0 };
        }
        screen.say(format!(
            "counting the tokens of {} outputs that the server did not count",
            uncounted.len()
        ));
        let cores = thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        let share = uncounted.len().div_ceil(cores);
        let count = |part: &[(usize, String)]| -> Vec<Attempt> {
            part.iter()
                .map(|(_, text)| if stop() { Attempt::Left } else { self.length(text) })
                .collect()
        };
        let attempts: Vec<Attempt> = thread::scope(|scope| {
            let parts: Vec<_> =
                uncounted.chunks(share).map(|part| scope.spawn(|| count(part))).collect();
            let joined = parts.into_iter().map(|part| part.join());
            joined
                .flat_map(|part| part.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        });
        let left = attempts.iter().filter(|attempt| **attempt == Attempt::Left).count();
        let mut lines = Vec::with_capacity(uncounted.len());
        for ((position, _), attempt) in uncounted.iter().zip(attempts) {
            let Attempt::Counted(count) = attempt else { continue };
            let record = &mut recorded.log.records[*position];
            let output_tokens = OutputTokens { count, source: TokenSource::LocalTokenizer };
            record.output_tokens = Some(output_tokens);
            lines.push(Count { index: record.index, output_tokens });
        }
        Counted { lines, left }
    }

    fn length(&self, text: &str) -> Attempt {
        let length = self.tokenizer.encode(text).ok().and_then(|ids| u32::try_from(ids.len()).ok());
        length.map_or(Attempt::Failed, Attempt::Counted)
    }

    /// What it is called in the log.
    pub(crate) fn label(&self) -> String {
        match self.kind {
            Kind::Simulator => "embedded, as the simulator's own".to_owned(),
            _ => self.tokenizer.label(),
        }
    }

    /// Whether its counts are estimates.
    pub(crate) fn estimates(&self) -> bool {
        self.kind != Kind::Simulator && self.tokenizer.estimates()
    }
}
