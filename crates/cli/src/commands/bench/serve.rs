//! `tokometer bench serve`: the command line of `vllm bench serve`.

use std::path::Path;

use tokometer_plan::{PlanError, resolve};
use tokometer_workload::tokenizer::{self, Hub};

use crate::commands::{announce, by_flag, show};
use crate::dialect::vllm::{self, Flags};
use crate::exit::Exit;
use crate::screen::Screen;
use crate::session;
use crate::surroundings::Surroundings;
use crate::trouble::Trouble;

/// Runs what the flags say, or shows it as a plan.
///
/// # Errors
/// If it cannot be run.
pub(crate) fn serve(flags: Flags) -> Result<Exit, Trouble> {
    let screen = if flags.shows_progress() { Screen::new() } else { Screen::without_progress() };
    let (dry, based) = (flags.dry_run(), flags.names_base_url());
    let mut surroundings = Surroundings::default();
    let places = flags.places().clone();
    let placed = |trouble: Trouble| match trouble.flag().and_then(|flag| places.get(flag)) {
        Some(place) => {
            let place = place.clone();
            trouble.at(&place)
        }
        None => trouble,
    };
    let config = vllm::settings(flags, &mut surroundings, &at_hand).map_err(placed)?;
    let dataset = config.prompts.dataset.clone().unwrap_or_default();
    let resolved =
        resolve(config, &surroundings).map_err(|error| placed(by_own_flag(error, &dataset)))?;
    announce(&resolved, &surroundings, &screen);
    if dry {
        return show(&resolved, &surroundings, &screen);
    }
    let ended = session::run(&resolved, &screen).map(|ended| ended.exit);
    ended.map_err(|trouble| placed(trouble.in_words(|text| vllm::by_flags(text, &dataset, based))))
}

/// Whether the flags make a plan that can be run, as far as that can be told without asking anybody.
///
/// # Errors
/// If they do not.
pub(crate) fn check(flags: Flags) -> Result<(), Trouble> {
    let mut surroundings = Surroundings::default();
    let config = vllm::settings(flags, &mut surroundings, &|_| false)?;
    let dataset = config.prompts.dataset.clone().unwrap_or_default();
    resolve(config, &surroundings).map(drop).map_err(|error| by_own_flag(error, &dataset))
}

/// Whether the tokenizer of that model can be had without asking anybody: it is a folder, or lies in a hub's cache.
pub(crate) fn at_hand(model: &str) -> bool {
    if Path::new(model).exists() {
        return Path::new(model).join("tokenizer.json").exists();
    }
    let offline = |name: &str| match name {
        "HF_HUB_OFFLINE" => Some("1".to_owned()),
        name => std::env::var(name).ok(),
    };
    tokenizer::open(model, &Hub::from_variables(offline)).is_ok()
}

/// The error in terms of this command's flags.
fn by_own_flag(error: PlanError, dataset: &str) -> Trouble {
    by_flag(error, "bench serve", |setting| vllm::flag_of(setting, dataset))
}
