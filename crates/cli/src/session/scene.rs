//! What a run stands on, before it begins and while it goes on: its plan, the service, and the requests of its points.

use std::ops::ControlFlow;
use std::sync::Arc;

use tokometer_engine::{Probe, Urgency};
use tokometer_plan::{Plan, Point};
use tokometer_workload::Ask;
use tokometer_workload::prepare::{Body, PrepareError, asks};

use super::explain;
use super::measure::Measure;
use super::progress::Preparing;
use super::service::Service;
use crate::interruption::Interruption;
use crate::limits::memory;
use crate::screen::Screen;
use crate::trouble::Trouble;

/// What a run stands on, before it begins and while it goes on.
pub(super) struct Scene<'a> {
    pub(super) plan: &'a Plan,
    /// What feels the service's pulse beside the load.
    pub(super) probe: Option<Probe>,
    pub(super) screen: &'a Screen,
    pub(super) interruption: Interruption,
    pub(super) service: Service,
    pub(super) measure: Measure,
    pub(super) body: Body,
    pub(super) model: String,
    /// The version of the server, where it tells it.
    pub(super) served_by: Option<String>,
}

impl Scene<'_> {
    /// Refuses a plan whose requests would not fit into memory.
    pub(super) fn check_memory(&self) -> Result<(), Trouble> {
        let Some(largest) = memory::largest(self.plan) else { return Ok(()) };
        let go_on = |_| ControlFlow::Continue(());
        let count = largest.requests().min(memory::SAMPLE);
        let sample = self.asks(largest, count, &go_on);
        let sample = sample.map_err(|error| explain::prepare(&error, self.plan))?;
        memory::check(self.plan, &sample)
    }

    /// Makes the requests of a point ready. `None` if the user wants no more.
    pub(super) fn prepare(&self, point: &Point) -> Result<Option<Arc<[Ask]>>, Trouble> {
        let now = || self.service.engine.now();
        let showing = Preparing::new(self.screen, point.requests(), &now);
        let progress = |count| {
            showing.ready(count);
            match self.interruption.urgency() {
                Urgency::None => ControlFlow::Continue(()),
                Urgency::Drain | Urgency::Stop => ControlFlow::Break(()),
            }
        };
        let made = self.asks(point, point.requests(), &progress);
        self.measure.close_dataset();
        showing.done();
        match made {
            Ok(asks) => Ok(Some(asks.into())),
            Err(PrepareError::Stopped) => Ok(None),
            Err(error) => Err(explain::prepare(&error, self.plan)),
        }
    }

    pub(super) fn asks(
        &self,
        point: &Point,
        count: u64,
        progress: &(dyn Fn(u64) -> ControlFlow<()> + Sync),
    ) -> Result<Vec<Ask>, PrepareError> {
        let dataset = self.measure.prompts(self.plan, point.offset)?;
        asks(&*dataset, &self.body, self.measure.counter(), point.seed, count, progress)
    }
}
