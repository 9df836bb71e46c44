//! The commands, a file each.

pub(crate) mod bench;
pub(crate) mod demo;
pub(crate) mod perf;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod sim;

use tokometer_plan::Plan;

/// A plan as it is shown to be kept: YAML, with a line on top that says what it is.
fn as_file(plan: &Plan) -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "# A plan of tokometer {version}: run it with `tokometer run FILE`; docs/plan.md explains it.\n{}",
        plan.to_yaml()
    )
}
