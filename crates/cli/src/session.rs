//! A run from its plan to its reports: prepare, load, record, sum up, tell. Data flows one way.
//!
//! Everything that can be found out before the load is found out before the load, so that a run that begins is a run that was
//! possible. From the first record on nothing is lost: whatever happens, the log stands, and reports can be made from it.

mod acquaint;
mod explain;
mod folder;
mod header;
mod journal;
mod measure;
mod progress;
mod recorder;
mod service;
mod so_far;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;

use tokometer_engine::{Finished, Urgency};
use tokometer_metrics::summary::{Ending, PointSummary, summarize};
use tokometer_plan::{Plan, Point, Resolved, Scheme};
use tokometer_record::{End, Header, Line, PointEnd, PointLog};
use tokometer_report::dialect::{self, Dialect};
use tokometer_workload::Ask;
use tokometer_workload::prepare::{Body, asks};

use crate::dialect::evalscope;
use crate::exit::Exit;
use crate::interruption::Interruption;
use crate::limits;
use crate::screen::Screen;
use crate::trouble::Trouble;
use folder::Folder;
use journal::Journal;
use measure::Measure;
use progress::{Preparing, View};
use recorder::{Desk, Recorded, Recorder, Tally};
use service::Service;

pub(crate) use folder::LOG;

/// How a run ended, and where it is kept.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit code that it deserves.
    pub(crate) exit: Exit,
    /// Its folder.
    pub(crate) folder: PathBuf,
}

/// Runs the plan and tells of it on `screen`; the advice that came with it goes into the run's journal too.
///
/// # Errors
/// If it cannot begin, or its log cannot be written.
pub(crate) fn run(resolved: &Resolved, screen: &Screen) -> Result<Ended, Trouble> {
    let Resolved { plan, advice } = resolved;
    let interruption = Interruption::listen(screen, plan.drain)?;
    limits::prepare(plan)?;
    Folder::check(plan)?;
    let mut measure = Measure::open(plan, screen)?;
    measure.check_prompts(plan)?;
    let service = Service::start(plan, &measure.for_simulator())?;
    let model = acquaint(plan, &service, &mut measure, &interruption, screen)?;
    let mut run = Run::begin(plan, model, measure, service, interruption, screen)?;
    for advice in advice {
        run.journal.warning(advice);
    }
    let points = plan.points.iter().zip(folder::point_names(&plan.points));
    for (index, (point, name)) in points.enumerate() {
        let asks = run.prepare(point)?;
        if index > 0 {
            run.pause();
        }
        if run.interruption.urgency() != Urgency::None {
            break;
        }
        run.point(index, point, name, asks)?;
        if run.interruption.urgency() != Urgency::None {
            break;
        }
    }
    run.end()
}

/// Finds out what the plan left open, and that the service answers. Returns the model's name.
fn acquaint(
    plan: &Plan,
    service: &Service,
    measure: &mut Measure,
    interruption: &Interruption,
    screen: &Screen,
) -> Result<String, Trouble> {
    let engine = &service.engine;
    let look = plan.target.test_connection || plan.model.is_none();
    if look {
        screen.say(format!("testing the connection to {}", plan.target.url));
    }
    let models = if look { acquaint::models(engine, plan)? } else { None };
    let model = acquaint::choose_model(plan, models.as_deref())?;
    if plan.model.is_none() {
        screen.say(format!("model: {model}, the only one that {} has", plan.target.url));
    }
    measure.meet(engine, &model, screen);
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
    Ok(model)
}

/// A run that has begun: there is a folder and a log.
struct Run<'a> {
    plan: &'a Plan,
    screen: &'a Screen,
    service: Service,
    measure: Measure,
    interruption: Interruption,
    body: Body,
    model: String,
    folder: Folder,
    journal: Journal,
    recorder: Recorder,
    header: Header,
    dialect: &'static Dialect,
    summaries: Vec<PointSummary>,
    /// Whether every point so far came to its end.
    complete: bool,
}

impl<'a> Run<'a> {
    fn begin(
        plan: &'a Plan,
        model: String,
        measure: Measure,
        service: Service,
        interruption: Interruption,
        screen: &'a Screen,
    ) -> Result<Self, Trouble> {
        let folder = Folder::create(&plan.output, &model, &service.began)?;
        let unwritten = |error: std::io::Error| unwritten(&folder, &error);
        let journal = Journal::open(&folder.journal(), plan.output.debug).map_err(unwritten)?;
        journal.info(format_args!("Save the result to: {}", folder.path().display()));
        if plan.target.test_connection {
            journal.info("Test connection successful.");
        }
        let header = header::of(plan, &model, &measure, &service, &folder);
        let dialect = dialect::by_name(&header.dialect).map_err(unwritten)?;
        let recorder = Recorder::create(&folder.log(), header.clone()).map_err(unwritten)?;
        let body = plan.body(&model);
        interruption.load_begins();
        Ok(Self {
            plan,
            screen,
            service,
            measure,
            interruption,
            body,
            model,
            folder,
            journal,
            recorder,
            header,
            dialect,
            summaries: Vec::with_capacity(plan.points.len()),
            complete: true,
        })
    }

    /// Makes the requests of a point ready.
    fn prepare(&self, point: &Point) -> Result<Arc<[Ask]>, Trouble> {
        let dataset = self.measure.prompts(self.plan, point.offset)?;
        let now = || self.service.engine.now();
        let showing = Preparing::new(self.screen, point.requests(), &now);
        let ready = |count| showing.ready(count);
        let asks = asks(
            &*dataset,
            &self.body,
            self.measure.counter(),
            point.seed,
            point.requests(),
            &ready,
        )
        .map_err(|error| explain::prepare(&error))?;
        showing.done();
        Ok(asks.into())
    }

    fn pause(&self) {
        let seconds = self.plan.pause.as_secs_f64();
        self.journal.info(format_args!("Sleeping for {seconds} seconds before the next run..."));
        self.interruption.pause(self.plan.pause);
    }

    /// Puts one point's load on the service, and records, sums up and tells of it.
    fn point(
        &mut self,
        index: usize,
        point: &Point,
        name: String,
        asks: Arc<[Ask]>,
    ) -> Result<(), Trouble> {
        let path = self.folder.path().join(&name);
        let arguments =
            evalscope::arguments::of_point(self.plan, point, &self.model, &path.to_string_lossy());
        self.journal.info("Starting benchmark with args: ");
        self.journal.info(format_args!("{arguments:#}"));
        if !self.screen.is_live() {
            self.screen.say(format_args!("{name} ({} of {})", index + 1, self.plan.points.len()));
        }
        let line = header::point(index, point, name, self.service.engine.now(), arguments);
        let (finished, mut recorded) = self.load(point, line, &asks);
        if let Some(error) = recorded.trouble.take() {
            return Err(unwritten(&self.folder, &error));
        }
        let counts = match self.interruption.urgency() {
            Urgency::Stop => Vec::new(),
            _ => self.measure.count_outputs(&mut recorded, self.screen),
        };
        let at = self.service.engine.now();
        let end = PointEnd { index, at, complete: finished.complete, client: finished.client };
        let written = self.recorder.end_point(&counts, end.clone());
        written.map_err(|error| unwritten(&self.folder, &error))?;
        self.complete &= finished.complete;
        recorded.log.end = Some(end);
        if self.interruption.urgency() == Urgency::Stop {
            return Ok(());
        }
        self.tell(&path, &recorded.log)
    }

    /// Puts the load on the service, while one thread records and another one shows how it goes.
    fn load(
        &mut self,
        point: &Point,
        line: tokometer_record::Point,
        asks: &Arc<[Ask]>,
    ) -> (Finished, Recorded) {
        let engine = &self.service.engine;
        let (events, happened) = channel();
        let (going, done) = channel::<()>();
        let tally = Tally::default();
        let now = || engine.now();
        let name = line.name.clone();
        let view = View {
            screen: self.screen,
            name: &name,
            point,
            live: engine.live(),
            tally: &tally,
            now: &now,
        };
        let desk = Desk {
            now: &now,
            journal: &self.journal,
            log_every: self.plan.output.log_every.get(),
            tally: &tally,
            interrupt: self.interruption.interrupt(),
        };
        let recorder = &mut self.recorder;
        let interrupt = self.interruption.interrupt();
        thread::scope(|scope| {
            let (desk, view) = (&desk, &view);
            let recording = scope.spawn(move || recorder.record(line, &happened, desk));
            let showing = scope.spawn(move || progress::show_load(view, &done));
            let finished = engine.run(&point.load, asks, point.seed, &events, interrupt);
            drop((events, going));
            let recorded =
                recording.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            showing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            (finished, recorded)
        })
    }

    /// Writes a point's files and shows its tables.
    fn tell(&mut self, path: &std::path::Path, log: &PointLog) -> Result<(), Trouble> {
        let summary = summarize(log);
        (self.dialect.write_point)(path, &self.header, &summary)
            .map_err(|error| unwritten(&self.folder, &error))?;
        let text = |style| (self.dialect.point_text)(&self.header, &summary, style);
        self.journal.info(format_args!("\n{}", text(tokometer_report::Style::Plain)));
        self.journal.info(format_args!("Save the summary to: {}", path.display()));
        self.screen.print(format_args!("{}\n", text(Screen::style())));
        self.summaries.push(summary);
        Ok(())
    }

    /// Ends the log, writes the run's files and shows its summary.
    fn end(mut self) -> Result<Ended, Trouble> {
        let interrupted = self.interruption.urgency() != Urgency::None;
        let complete = self.complete && !interrupted;
        let end = Line::End(End { at: self.service.engine.now(), complete });
        self.recorder.append(&end).map_err(|error| unwritten(&self.folder, &error))?;
        let folder = self.folder.path().to_owned();
        if self.interruption.urgency() == Urgency::Stop {
            self.screen.say(format!(
                "what had ended by then is kept; its reports: tokometer report {}",
                folder.display()
            ));
            return Ok(Ended { exit: Exit::Interrupted, folder });
        }
        (self.dialect.write_run)(&folder, &self.header, &self.summaries)
            .map_err(|error| unwritten(&self.folder, &error))?;
        let shown = folder.display().to_string();
        self.screen.print((self.dialect.run_text)(
            &self.header,
            &self.summaries,
            &shown,
            Screen::style(),
        ));
        let summary = folder.join("performance_summary.txt");
        self.journal.info(format_args!("Performance summary saved to: {}", summary.display()));
        self.screen.say(format!("Performance summary saved to: {}", summary.display()));
        Ok(Ended { exit: exit_of(&self.summaries, interrupted), folder })
    }
}

/// The exit code that these points deserve.
pub(crate) fn exit_of(summaries: &[PointSummary], interrupted: bool) -> Exit {
    let cut = summaries.iter().any(|summary| summary.ending != Ending::Complete);
    let failed = summaries.iter().any(|summary| summary.counts.failed > 0);
    let limited = summaries.iter().any(|summary| !summary.verdict.is_valid());
    Exit::of_run(interrupted || cut, failed, limited)
}

fn unwritten(folder: &Folder, error: &std::io::Error) -> Trouble {
    Trouble::failed(format!("cannot write into {}: {error}", folder.path().display()))
        .with_hint("check the disk and the permissions there")
}
