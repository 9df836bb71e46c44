//! A look ahead: whether many runs on one service are possible, before the first of them begins.
//!
//! What a run would be refused for before its load is found here for all of them, and the service is met once. Deliberately no
//! folder is made and no load is sent.

use tokometer_plan::Plan;

use super::deployment::{self, Deployment};
use super::folder::Folder;
use super::measure::Measure;
use super::service::Service;
use super::{Scene, acquaint};
use crate::interruption::Interruption;
use crate::limits::descriptors;
use crate::screen::Screen;
use crate::trouble::Trouble;

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Met {
    /// How the service is deployed, as far as it tells.
    pub(crate) deployment: Deployment,
}

/// Why the runs cannot be.
#[derive(Debug)]
pub(crate) struct Unmet {
    /// Which of them it is about, where it is not about all.
    pub(crate) of: Option<usize>,
    /// Why.
    pub(crate) trouble: Trouble,
}

/// Looks at everything that the plans need: connections, prompts, memory, and the service, which is the same for all of them, as the
/// tokenizer is.
///
/// # Errors
/// If one of the runs would be refused before its load.
pub(crate) fn look_ahead(
    plans: &[&Plan],
    interruption: &Interruption,
    screen: &Screen,
) -> Result<Met, Unmet> {
    let Some(&first) = plans.first() else { return Ok(Met::default()) };
    for (index, plan) in plans.iter().enumerate() {
        let of_this = |trouble| Unmet { of: Some(index), trouble };
        if let Some(doubt) = descriptors::prepare(plan).map_err(of_this)? {
            screen.say(format_args!("note: {doubt}"));
        }
        Folder::check(plan).map_err(of_this)?;
    }
    let of_all = |trouble| Unmet { of: None, trouble };
    let mut measure = Measure::open(first, screen).map_err(of_all)?;
    measure.check_prompts(first).map_err(of_all)?;
    let service = Service::start(first, &measure.for_simulator()).map_err(of_all)?;
    let (model, _) =
        acquaint(first, &service, &mut measure, interruption, screen).map_err(of_all)?;
    let deployment = deployment::ask(&service.engine, first, &model);
    let (body, interruption) = (first.body(&model), interruption.clone());
    let mut scene = Scene {
        plan: first,
        probe: None,
        screen,
        interruption,
        service,
        measure,
        body,
        model,
        served_by: None,
    };
    for (index, &plan) in plans.iter().enumerate() {
        let of_this = |trouble| Unmet { of: Some(index), trouble };
        scene.plan = plan;
        scene.body = plan.body(&scene.model);
        scene.measure.check_others(plan).map_err(of_this)?;
        scene.check_memory().map_err(of_this)?;
    }
    Ok(Met { deployment })
}
