//! The course of a batch: its combinations, one after the other, each kept with its result or with its reason.
//!
//! Deliberately nothing is judged here: what is in the folder afterwards says what came of the batch.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tokometer_engine::Urgency;
use tokometer_metrics::FailureGroup;
use tokometer_metrics::summary::PointSummary;
use tokometer_plan::{Resolved, Span};

use super::closing::Row;
use super::folder::{Folder, State};
use super::forecast::{Forecast, in_words};
use super::gist::{first_line, gist};
use crate::commands::aggregate::quoted;
use crate::dialect::llm_benchmark::{Batch, Planned, by_keys};
use crate::exit::Exit;
use crate::interruption::Interruption;
use crate::screen::Screen;
use crate::session::{self, Ended};
use crate::surroundings::now;
use crate::trouble::Trouble;

/// The combinations that have no result yet, by their places.
pub(super) fn pending(batch: &Batch, before: Option<&Folder>) -> Vec<usize> {
    let has_result = |planned: &Planned| {
        before.is_some_and(|folder| folder.result(&planned.combination.name).is_some())
    };
    let each = batch.planned.iter().enumerate();
    each.filter(|(_, planned)| !has_result(planned)).map(|(index, _)| index).collect()
}

/// What a batch is run with.
pub(super) struct Course<'a> {
    pub(super) batch: &'a Batch,
    pub(super) folder: &'a Folder,
    /// What the file of the batch is called.
    pub(super) config: &'a Path,
}

/// What came of a combination.
enum Outcome {
    /// Its result is kept.
    Kept(Box<Value>),
    /// It has none, for this reason.
    Failed(String),
    /// The user wanted no more.
    Interrupted,
}

impl Course<'_> {
    /// Runs these combinations, until the user wants no more.
    pub(super) fn run(&self, pending: &[usize], interruption: &Interruption, screen: &Screen) {
        let total = self.batch.planned.len();
        let done = total - pending.len();
        let part = screen.of_part();
        let mut forecast = Forecast::default();
        screen.say(format_args!("results go to {}", self.folder.path().display()));
        if done > 0 {
            screen.say(format_args!("{done} of {total} combinations have their result already"));
        }
        self.tell(State::Running, screen);
        for (place, &index) in pending.iter().enumerate() {
            if place > 0 {
                self.pause(interruption, screen);
            }
            if interruption.urgency() != Urgency::None {
                break;
            }
            let planned = &self.batch.planned[index];
            let combination = &planned.combination;
            let number = done + place + 1;
            screen.say(format_args!(
                "\ncombination {number} of {total}: {} ({combination})",
                combination.name
            ));
            let began = now();
            let outcome =
                self.one(planned, interruption, &part).unwrap_or_else(|trouble| match interruption
                    .urgency()
                {
                    Urgency::None => Outcome::Failed(self.in_keys(&trouble, planned)),
                    Urgency::Drain | Urgency::Stop => Outcome::Interrupted,
                });
            let took = now().saturating_sub(began);
            let rest = &pending[place + 1..];
            let left = |forecast: Forecast| {
                let rest = rest.iter().map(|&index| &self.batch.planned[index].combination);
                match forecast.of(rest).filter(|_| place + 1 < pending.len()) {
                    Some(left) => {
                        let pauses = self.length_of_pause()
                            * u32::try_from(pending.len() - place - 1).unwrap_or(u32::MAX);
                        format!("; about {} left, if the rest goes alike", in_words(left + pauses))
                    }
                    None => String::new(),
                }
            };
            match outcome {
                Outcome::Kept(result) => {
                    forecast.took(combination, took);
                    let row = Row::of_result(&combination.name, &result);
                    screen.say(format_args!(
                        "  in {}: {}{}",
                        in_words(took),
                        row.in_words(),
                        left(forecast)
                    ));
                }
                Outcome::Failed(why) => {
                    screen.say(format_args!("  failed: {}", gist(&why)));
                    self.explain(planned, &why, screen);
                }
                Outcome::Interrupted => break,
            }
        }
        let interrupted = interruption.urgency() != Urgency::None;
        self.tell(if interrupted { State::Interrupted } else { State::Ended }, screen);
        if interrupted {
            let folder = quoted(self.folder.path());
            screen.say(format_args!(
                "the batch was interrupted; go on with: tokometer batch --config {} --resume {folder}",
                quoted(self.config)
            ));
        }
        screen.say("");
    }

    /// Writes down how far it came. A folder that takes no file says so when a result is to be kept.
    fn tell(&self, state: State, screen: &Screen) {
        let names = self.batch.planned.iter().map(|planned| planned.combination.name.as_str());
        if let Err(trouble) = self.folder.keep_status(state, names) {
            screen.say(trouble);
        }
    }

    fn pause(&self, interruption: &Interruption, screen: &Screen) {
        let length = self.length_of_pause();
        if !length.is_zero() {
            screen.say(format_args!("pausing for {}", in_words(length)));
            interruption.pause(length);
        }
    }

    fn length_of_pause(&self) -> Duration {
        self.batch.config.pause.map_or(Duration::ZERO, |Span(length)| length)
    }

    /// Runs a combination and keeps its result.
    fn one(
        &self,
        planned: &Planned,
        interruption: &Interruption,
        screen: &Screen,
    ) -> Result<Outcome, Trouble> {
        let name = &planned.combination.name;
        self.folder.make_room(name)?;
        let mut plan = planned.resolved.plan.clone();
        plan.output.dir = self.folder.runs();
        plan.output.name = Some(name.clone());
        plan.output.timestamp = false;
        let ended =
            session::run_among(&Resolved { plan, advice: Vec::new() }, interruption, screen)?;
        if ended.exit == Exit::Interrupted {
            return Ok(Outcome::Interrupted);
        }
        match useless(&ended) {
            Some(why) => Ok(Outcome::Failed(why)),
            None => self.keep(name, &ended),
        }
    }

    fn keep(&self, name: &str, ended: &Ended) -> Result<Outcome, Trouble> {
        let written = ended.result();
        self.folder.keep_result(name, &written)?;
        match self.folder.result(name) {
            Some(result) => Ok(Outcome::Kept(Box::new(result))),
            None => {
                Ok(Outcome::Failed(format!("its result cannot be read: {}", written.display())))
            }
        }
    }

    fn in_keys(&self, trouble: &Trouble, planned: &Planned) -> String {
        let trouble = by_keys(trouble, &self.batch.config, Some(&planned.combination));
        let told = trouble.to_string();
        told.strip_prefix("error: ").unwrap_or(&told).to_owned()
    }

    /// Writes down why a combination has no result.
    fn explain(&self, planned: &Planned, why: &str, screen: &Screen) {
        let combination = &planned.combination;
        let folder = quoted(self.folder.path());
        let text = format!(
            "{}: {why}\n\ncombination: {combination}\nits log, if it came so far: {}\nto run again what is missing: tokometer batch \
             --config {} --resume {folder}\n",
            combination.name,
            self.folder.runs().join(&combination.name).join(session::LOG).display(),
            quoted(self.config),
        );
        if let Err(trouble) = self.folder.keep_error(&combination.name, &text) {
            screen.say(trouble);
        }
    }
}

/// Why a run that came to its end has no figures, if it has none.
pub(crate) fn useless(ended: &Ended) -> Option<String> {
    let Some(summary) = ended.summaries.first() else {
        return Some("nothing was measured".to_owned());
    };
    (summary.counts.succeeded == 0).then(|| why_none(summary))
}

fn why_none(summary: &PointSummary) -> String {
    let measured = summary.counts.measured;
    let group = |group: &FailureGroup| {
        let message = group.messages.first().map(|message| message.message.as_str());
        let message = message.map(|message| format!(": {}", first_line(message)));
        format!("{} of {measured}: {}{}", group.count, group.kind, message.unwrap_or_default())
    };
    let groups: Vec<String> = summary.failures.iter().map(group).collect();
    match groups.is_empty() {
        true => "no request came to its end".to_owned(),
        false => format!("no request succeeded: {}", groups.join("; ")),
    }
}
