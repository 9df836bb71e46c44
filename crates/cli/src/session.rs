//! A run from its plan to its reports: prepare, load, record, sum up, tell. Data flows one way.
//!
//! Everything that can be found out before the load is found out before the load, so that a run that begins is a run that was
//! possible. From the first record on nothing is lost: whatever happens, the log stands, and reports can be made from it.

mod acquaint;
mod ahead;
mod deployment;
mod ended;
mod explain;
mod folder;
mod header;
mod hearing;
mod journal;
mod measure;
mod profile;
mod progress;
mod recorder;
mod scene;
mod service;
mod settle;
mod so_far;
mod version;

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;

use tokometer_engine::{Finished, Job, Urgency};
use tokometer_metrics::summary::{Ending, PointSummary, summarize};
use tokometer_plan::{Plan, Point, Reporting, Resolved, Scheme};
use tokometer_record::{End, Header, Line, PointEnd, PointLog};
use tokometer_report::dialect::{self, Dialect, Told, vllm};
use tokometer_workload::Ask;

use crate::interruption::Interruption;
use crate::limits::descriptors;
use crate::screen::Screen;
use crate::trouble::Trouble;
use folder::Folder;
use hearing::Hearing;
use journal::{Detail, Journal};
use measure::Measure;
use profile::Profile;
use progress::View;
use recorder::{Desk, Recorded, Recorder, Tally};
use scene::Scene;
use service::Service;

pub(crate) use ahead::{Unmet, look_ahead};
pub(crate) use ended::{Ended, exit_of};
pub(crate) use folder::{LOG, basename, safe};

/// Runs the plan and tells of it on `screen`; the advice that came with it goes into the run's journal too.
///
/// # Errors
/// If it cannot begin, a point of it cannot be made ready, or its log cannot be written. What had ended by then is reported all
/// the same.
pub(crate) fn run(resolved: &Resolved, screen: &Screen) -> Result<Ended, Trouble> {
    let interruption = Interruption::listen(screen, resolved.plan.drain)?;
    run_among(resolved, &interruption, screen)
}

/// As [`run`], for one of many runs that the user interrupts together.
///
/// # Errors
/// As [`run`].
pub(crate) fn run_among(
    resolved: &Resolved,
    interruption: &Interruption,
    screen: &Screen,
) -> Result<Ended, Trouble> {
    let Resolved { plan, advice } = resolved;
    let interruption = interruption.clone();
    let doubt = descriptors::prepare(plan)?;
    doubt.iter().for_each(|doubt| screen.say(format!("note: {doubt}")));
    Folder::check(plan)?;
    folder::check_results(plan)?;
    let mut measure = Measure::open(plan, screen)?;
    measure.check_prompts(plan)?;
    let service = Service::start(plan, &measure.for_simulator())?;
    let (model, root) = acquaint(plan, &service, &mut measure, &interruption, screen)?;
    let settled = settle::settle(plan, &measure, root, screen)?;
    let plan = &*settled;
    let body = plan.body(&model);
    let probe = plan.probe_rate.map(|rate| measure.probe(plan, &model, rate)).transpose()?;
    let served_by = version::ask(&service.engine, plan);
    let scene =
        Scene { plan, probe, screen, interruption, service, measure, body, model, served_by };
    scene.check_memory()?;
    let first = plan.points.first().map(|point| scene.prepare(point)).transpose()?.flatten();
    let mut run = Run::begin(scene)?;
    for advice in advice.iter().chain(&doubt) {
        run.journal.warning(advice);
    }
    let outcome = run.points(first);
    run.end(outcome)
}

/// Finds out what the plan left open, and that the service answers. Returns the model's name, and what it was made from where
/// the service told both.
fn acquaint(
    plan: &Plan,
    service: &Service,
    measure: &mut Measure,
    interruption: &Interruption,
    screen: &Screen,
) -> Result<(String, Option<String>), Trouble> {
    let engine = &service.engine;
    let told_of_none = matches!(plan.report, Reporting::Evalscope);
    let look = plan.target.test_connection || plan.model.is_none() || !told_of_none;
    if !plan.target.ready_within.is_zero() {
        let pause = |length| interruption.pause(length);
        acquaint::await_service(engine, plan, &pause, screen);
    }
    if plan.target.test_connection {
        screen.step(format!("testing the connection to {}", plan.target.url));
    } else if look {
        screen.step(format!("asking {} for its model", plan.target.url));
    }
    let listed = if look { acquaint::models(engine, plan)? } else { None };
    let root = listed.as_ref().and_then(|models| models.root.clone());
    let models = listed.map(|models| models.names);
    let model = acquaint::choose_model(plan, models.as_deref())?;
    if plan.model.is_none() {
        let which = match models.as_deref() {
            Some([_, _, ..]) => "the first of those",
            _ => "the only one",
        };
        screen.say(format!("model: {model}, {which} that {} has", plan.target.url));
    }
    measure.meet(service, plan, &model, screen);
    measure.check_prompts(plan)?;
    if plan.target.test_connection {
        let ask = measure.hello(plan, &model)?;
        acquaint::try_one(engine, plan, models.as_deref(), &ask, interruption.interrupt())?;
        if let (Some(models), Some(named)) = (&models, &plan.model)
            && !models.is_empty()
            && !models.contains(named)
            && plan.target.url.scheme != Scheme::Sim
        {
            screen.say(format!(
                "note: {} answers for {named}, which it does not list",
                plan.target.url
            ));
        }
    }
    Ok((model, root.filter(|_| plan.model.is_none())))
}

/// A run that has begun: there is a folder and a log.
struct Run<'a> {
    scene: Scene<'a>,
    folder: Folder,
    journal: Journal,
    recorder: Recorder,
    hearing: Hearing,
    header: Header,
    dialect: &'static Dialect,
    summaries: Vec<PointSummary>,
    /// Whether every point so far came to its end.
    complete: bool,
}

impl<'a> Run<'a> {
    fn begin(scene: Scene<'a>) -> Result<Self, Trouble> {
        let Scene { plan, model, service, .. } = &scene;
        scene.interruption.run_begins();
        let folder = Folder::create(&plan.output, model, &service.began)?;
        let unwritten = |error: std::io::Error| unwritten(&folder, &error);
        let detail = if plan.output.debug { Detail::Debug } else { Detail::Usual };
        let journal = Journal::open(&folder.journal(), detail).map_err(unwritten)?;
        journal.info(format_args!("Save the result to: {}", folder.path().display()));
        if plan.target.test_connection {
            journal.info("Test connection successful.");
        }
        let header = header::of(&scene, &folder);
        let dialect = dialect::by_name(&header.dialect).map_err(unwritten)?;
        let recorder = Recorder::create(&folder.log(), header.clone()).map_err(unwritten)?;
        let hearing = Hearing::begin(plan, service);
        let summaries = Vec::with_capacity(plan.points.len());
        Ok(Self {
            scene,
            folder,
            journal,
            recorder,
            hearing,
            header,
            dialect,
            summaries,
            complete: true,
        })
    }

    /// Runs the points of the sweep, one after the other, until the user wants no more; `ready` are the requests of the first.
    fn points(&mut self, ready: Option<Arc<[Ask]>>) -> Result<(), Trouble> {
        let plan = self.scene.plan;
        let mut ready = ready;
        let names = folder::point_names(&plan.points);
        for (index, (point, name)) in plan.points.iter().zip(names).enumerate() {
            let asks = match ready.take() {
                Some(asks) => asks,
                None => {
                    let Some(asks) = self.scene.prepare(point)? else { break };
                    self.pause();
                    asks
                }
            };
            if self.is_interrupted() {
                break;
            }
            self.point(index, point, name, asks)?;
            if self.is_interrupted() {
                break;
            }
        }
        Ok(())
    }

    fn is_interrupted(&self) -> bool {
        self.scene.interruption.urgency() != Urgency::None
    }

    fn pause(&self) {
        let length = self.scene.plan.pause;
        let seconds = length.as_secs_f64();
        self.journal.info(format_args!("Sleeping for {seconds} seconds before the next run..."));
        self.scene.interruption.pause(length);
    }

    /// Puts one point's load on the service, and records, sums up and tells of it.
    fn point(
        &mut self,
        index: usize,
        point: &Point,
        name: String,
        asks: Arc<[Ask]>,
    ) -> Result<(), Trouble> {
        self.hear_before_load();
        if self.is_interrupted() {
            return Ok(());
        }
        let Scene { plan, screen, model, .. } = &self.scene;
        let path = self.folder.path().join(&name);
        let arguments = header::arguments(plan, point, model, &path.to_string_lossy());
        self.journal.info("Starting benchmark with args: ");
        self.journal.info(format_args!("{arguments:#}"));
        if !screen.is_live() {
            screen.step(format_args!("{name} ({} of {})", index + 1, plan.points.len()));
        }
        let line = header::point(index, point, name, self.scene.service.engine.now(), arguments);
        let (finished, mut recorded) = self.load(point, line, &asks)?;
        drop(asks);
        if let Some(error) = recorded.trouble.take() {
            return Err(unwritten(&self.folder, &error));
        }
        let end = self.end_point(index, &finished, &mut recorded)?;
        self.complete &= end.complete;
        recorded.log.end = Some(end);
        if self.scene.interruption.urgency() == Urgency::Stop {
            return Ok(());
        }
        self.tell(&path, &recorded.log)
    }

    /// Hears the service's own side before a load, and says what of it cannot be heard: later is too late to do something about it.
    fn hear_before_load(&self) {
        for remark in self.hearing.before_load(&|| !self.is_interrupted()) {
            let note = format!("{}: {}", remark.source, remark.detail);
            self.scene.screen.say(format_args!("note: {note}"));
            self.journal.warning(note);
        }
    }

    /// Puts the load on the service, while one thread records and another one shows how it goes.
    fn load(
        &mut self,
        point: &Point,
        line: tokometer_record::Point,
        asks: &Arc<[Ask]>,
    ) -> Result<(Finished, Recorded), Trouble> {
        let Scene { plan, probe, screen, interruption, service, .. } = &self.scene;
        let engine = &service.engine;
        if plan.target.profile {
            profile::profile(service, Profile::Start)?;
        }
        let (events, happened) = channel();
        let (going, done) = channel::<()>();
        let tally = Tally::default();
        let now = || engine.now();
        let name = line.name.clone();
        let view =
            View { screen, name: &name, point, live: engine.live(), tally: &tally, now: &now };
        let desk = Desk {
            now: &now,
            journal: &self.journal,
            log_every: plan.output.log_every.get(),
            tally: &tally,
            interrupt: interruption.interrupt(),
            hearing: &self.hearing,
        };
        let recorder = &mut self.recorder;
        let outcome = thread::scope(|scope| {
            let (desk, view) = (&desk, &view);
            let recording = scope.spawn(move || recorder.record(line, &happened, desk));
            let showing = scope.spawn(move || progress::show_load(view, &done));
            let finished = interruption.during_load(|| {
                let probe = probe.clone();
                let job = Job { load: &point.load, asks, seed: point.seed, probe };
                engine.run(&job, &events, interruption.interrupt())
            });
            drop((events, going));
            let recorded =
                recording.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            showing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            (finished, recorded)
        });
        if plan.target.profile
            && let Err(trouble) = profile::profile(service, Profile::Stop)
        {
            // The load is measured all the same.
            screen.say(trouble);
        }
        Ok(outcome)
    }

    /// Counts what the server did not count, unless the user wants no more, and ends the point in the log.
    fn end_point(
        &mut self,
        index: usize,
        finished: &Finished,
        recorded: &mut Recorded,
    ) -> Result<PointEnd, Trouble> {
        let Scene { interruption, measure, screen, service, .. } = &self.scene;
        let signals = interruption.signals();
        let stop = || interruption.urgency() == Urgency::Stop || interruption.signals() > signals;
        if !stop() {
            let pause = |length| interruption.pause(length);
            let lines = self.hearing.after_load(&pause, &|| !stop());
            let heard = self.recorder.hear(&mut recorded.log, lines);
            let silent: Vec<Line> =
                self.hearing.silent(&recorded.log, service.engine.now()).collect();
            let written = heard.and_then(|()| self.recorder.hear(&mut recorded.log, silent));
            written.map_err(|error| unwritten(&self.folder, &error))?;
        }
        let counted = measure.count_outputs(recorded, screen, &stop);
        if counted.left > 0 {
            let left = format!(
                "{} outputs were left uncounted: their tokens are estimates, one a chunk",
                counted.left
            );
            screen.say(format_args!("note: {left}"));
            self.journal.warning(left);
        }
        let complete = finished.complete && counted.left == 0;
        let end = PointEnd {
            index,
            at: service.engine.now(),
            complete,
            measured_from: Some(finished.measured_from),
            client: finished.client,
        };
        let written = self.recorder.end_point(&counted.lines, end.clone());
        written.map_err(|error| unwritten(&self.folder, &error))?;
        Ok(end)
    }

    /// Writes a point's files and shows its tables.
    fn tell(&mut self, path: &Path, log: &PointLog) -> Result<(), Trouble> {
        let summary = summarize(log);
        let told = Told { header: &self.header, log, summary: &summary };
        (self.dialect.write_point)(path, &told).map_err(|error| unwritten(&self.folder, &error))?;
        let text = |style| (self.dialect.point_text)(&told, style);
        self.journal.info(format_args!("\n{}", text(tokometer_report::Style::Plain)));
        self.journal.info(format_args!("Save the summary to: {}", path.display()));
        self.scene.screen.print(format_args!("{}\n", text(Screen::style())));
        let saved = match self.scene.plan.report {
            Reporting::Evalscope => Ok(()),
            Reporting::Vllm(_) => self.save(&told),
        };
        // A file that cannot be written takes nothing from the run.
        self.summaries.push(summary);
        saved
    }

    /// Writes the file of results that `bench serve` was asked for.
    fn save(&self, told: &Told<'_>) -> Result<(), Trouble> {
        let saved = vllm::save(told).map_err(|error| {
            Trouble::caused("cannot write the file of results", &error)
                .with_hint("check --result-dir and --result-filename; the run itself is kept")
        })?;
        if let Some(file) = saved {
            self.scene.screen.step(format_args!("result saved to {}", file.display()));
        }
        Ok(())
    }

    /// Ends the log, writes the run's files and shows its summary. A run that broke off is reported as far as it came, and its
    /// trouble handed on.
    fn end(mut self, outcome: Result<(), Trouble>) -> Result<Ended, Trouble> {
        let ending = match outcome {
            Ok(()) if self.complete && !self.is_interrupted() => Ending::Complete,
            _ => Ending::Interrupted,
        };
        if let Err(trouble) = &outcome {
            self.journal.warning(trouble);
        }
        let told = self.tell_of_all(ending);
        outcome?;
        told?;
        self.scene.screen.check()?;
        Ok(Ended {
            exit: exit_of(&self.summaries, ending),
            folder: self.folder.path().to_owned(),
            summaries: self.summaries,
        })
    }

    fn tell_of_all(&mut self, ending: Ending) -> Result<(), Trouble> {
        let Scene { screen, interruption, service, .. } = &self.scene;
        let unwritten = |error| unwritten(&self.folder, &error);
        let complete = ending == Ending::Complete;
        let end = Line::End(End { at: service.engine.now(), complete });
        self.recorder.append(&end).map_err(unwritten)?;
        let folder = self.folder.path();
        if interruption.urgency() == Urgency::Stop {
            screen.say(format!(
                "what had ended by then is kept; its reports: tokometer report {}",
                folder.display()
            ));
            return Ok(());
        }
        (self.dialect.write_run)(folder, &self.header, &self.summaries).map_err(unwritten)?;
        let shown = folder.display().to_string();
        let style = Screen::style();
        screen.print((self.dialect.run_text)(&self.header, &self.summaries, &shown, style));
        match self.scene.plan.report {
            Reporting::Evalscope => {
                let summary = folder.join("performance_summary.txt");
                let said = format!("Performance summary saved to: {}", summary.display());
                self.journal.info(&said);
                screen.say(said);
            }
            Reporting::Vllm(_) => screen.step(format_args!("the run is kept in {shown}")),
        }
        Ok(())
    }
}

fn unwritten(folder: &Folder, error: &std::io::Error) -> Trouble {
    Trouble::failed(format!("cannot write into {}: {error}", folder.path().display()))
        .with_hint("check the disk and the permissions there")
}
