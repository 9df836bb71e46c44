//! `tokometer bench sweep plot_pareto`: output tokens per second and user against those per second and GPU.
//!
//! A point of the frontier is one that no other beats on both. A user is a place of the concurrency that was asked for, or else of the
//! peak that was seen; a request rate is never taken for a number of users.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use serde_json::Value;
use tokometer_report::figure::{Axes, Axis, Figure, Look, Marks, Panel, Point, Series, Size};

use super::parameters::python;
use super::results::{self, Row, check_variable};
use crate::commands::counted;
use crate::exit::Exit;
use crate::screen::Screen;
use crate::trouble::Trouble;

/// What `plot_pareto` takes.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The folder of an experiment
    #[arg(value_name = "EXPERIMENT_DIR")]
    experiment: PathBuf,
    /// The variable that holds the number of users; without it in a run, max_concurrent_requests
    #[arg(long, value_name = "NAME", default_value = USERS)]
    user_count_var: String,
    /// The variable that holds the number of GPUs; else num_gpus, gpu_count, or the product of the parallel sizes
    #[arg(long, value_name = "NAME")]
    gpu_count_var: Option<String>,
    /// What is written beside each point of the frontier
    #[arg(
        long,
        value_name = "A,B,…",
        value_delimiter = ',',
        default_value = "max_concurrency,gpu_count"
    )]
    label_by: Vec<String>,
    /// Say what would be drawn, and draw nothing
    #[arg(long)]
    dry_run: bool,
}

/// A run in the figure.
#[derive(Clone, Debug)]
struct Spot {
    per_user: f64,
    per_gpu: f64,
    row: Row,
}

/// Draws the figure.
///
/// # Errors
/// If there are no results that can be drawn, or the figure cannot be written.
pub(crate) fn plot_pareto(arguments: &Arguments) -> Result<Exit, Trouble> {
    let screen = Screen::new();
    let rows = results::read(&arguments.experiment)?;
    arguments.check_variables(&rows)?;
    let all = rows.len();
    let mut spots = Vec::new();
    for row in rows {
        spots.extend(arguments.spot(row)?);
    }
    if spots.len() < all {
        screen.say(format!(
            "warning: without a number of users ({} or max_concurrent_requests), and left out: {} of {}",
            arguments.user_count_var,
            all - spots.len(),
            counted(all, "run")
        ));
    }
    if spots.is_empty() {
        return Err(Trouble::input("no run has both an output throughput and a number of users")
            .with_hint("--user-count-var names the variable that holds it"));
    }
    let frontier = frontier(&spots);
    let path = arguments.experiment.join("pareto").join("PARETO.png");
    if arguments.dry_run {
        screen.print(format!(
            "{}: {}, {} on the frontier\n",
            path.display(),
            counted(spots.len(), "point"),
            frontier.len()
        ));
        return Ok(Exit::Done);
    }
    let figure = arguments.figure(&spots, &frontier);
    let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
    let written = folder.and_then(|()| figure.save(&path));
    written.map_err(|error| Trouble::caused(format!("cannot write {}", path.display()), &error))?;
    screen.say(format!("{}, {} on the frontier", counted(spots.len(), "point"), frontier.len()));
    match figure.labels_left_out() {
        0 => {}
        left_out => screen.say(format!(
            "warning: no place for {} of {}, whose points stand there without; --label-by with fewer or shorter names leaves more room",
            left_out,
            counted(frontier.len(), "label")
        )),
    }
    screen.print(format!("{}\n", path.display()));
    screen.check()?;
    Ok(Exit::Done)
}

impl Arguments {
    /// Refuses variables that no run has, but for those that are looked for in any case.
    fn check_variables(&self, rows: &[Row]) -> Result<(), Trouble> {
        let users = ("--user-count-var", self.user_count_var.as_str());
        let gpus = self.gpu_count_var.iter().map(|variable| ("--gpu-count-var", variable.as_str()));
        let labels = self.label_by.iter().map(|variable| ("--label-by", variable.trim()));
        for (flag, variable) in std::iter::once(users).chain(gpus).chain(labels) {
            let has = |row: &Row| find(row, variable).is_some();
            let is_looked_for = match flag {
                "--label-by" => variable.is_empty() || OWN.contains(&variable),
                _ => false,
            };
            if variable != USERS && !is_looked_for && !rows.iter().any(has) {
                check_variable(flag, variable, rows)?;
            }
        }
        Ok(())
    }

    /// Where a run stands; nowhere where it does not say for how many users it was.
    fn spot(&self, mut row: Row) -> Result<Option<Spot>, Trouble> {
        let Some(throughput) = row.number("output_throughput").filter(|value| value.is_finite())
        else {
            return Err(Trouble::input("a run has no output_throughput")
                .with_hint("results of embeddings and scores have no Pareto frontier"));
        };
        let users = match positive(&row, &self.user_count_var)? {
            Some(users) => Some(users),
            None => positive(&row, "max_concurrent_requests")?,
        };
        let Some(users) = users else { return Ok(None) };
        let gpus = self.gpus(&row)?;
        row.fields.insert("gpu_count".to_owned(), number(gpus));
        row.fields.insert("user_count_estimate".to_owned(), number(users));
        Ok(Some(Spot { per_user: throughput / users, per_gpu: throughput / gpus, row }))
    }

    fn gpus(&self, row: &Row) -> Result<f64, Trouble> {
        let named = self.gpu_count_var.iter().map(String::as_str).chain(["num_gpus", "gpu_count"]);
        for variable in named {
            if let Some(gpus) = positive(row, variable)? {
                return Ok(gpus);
            }
        }
        let mut gpus = 1.0;
        for [long, short] in SIZES {
            let size = match positive(row, long)? {
                Some(size) => Some(size),
                None => positive(row, short)?,
            };
            gpus *= size.unwrap_or(1.0);
        }
        Ok(gpus)
    }

    fn figure(&self, spots: &[Spot], frontier: &[Spot]) -> Figure {
        let point = |spot: &Spot| Point::at(spot.per_user, spot.per_gpu);
        let labelled = |spot: &Spot| {
            let parts = self.label_by.iter().filter_map(|variable| {
                let variable = variable.trim();
                Some(format!("{variable}={}", python(find(&spot.row, variable)?)))
            });
            let label = parts.collect::<Vec<_>>().join("\n");
            Point { label: Some(label).filter(|label| !label.is_empty()), ..point(spot) }
        };
        let all = Series {
            name: Some("All runs".to_owned().into()),
            look: Look::muted(),
            points: spots.iter().map(point).collect(),
            errors: tokometer_report::figure::Errors::default(),
        };
        let best = Series {
            name: Some("Pareto frontier".to_owned().into()),
            look: Look::kind(0),
            points: frontier.iter().map(labelled).collect(),
            errors: tokometer_report::figure::Errors::default(),
        };
        let panel = Panel {
            title: String::new().into(),
            x: Axis::linear("Tokens/s/user"),
            y: Axis::linear("Tokens/s/GPU"),
            marks: Marks::Series(vec![all, best]),
            rules: Vec::new(),
        };
        Figure {
            title: String::new().into(),
            panels: vec![panel],
            columns: 1,
            panel: Size { width: 6.4, height: 4.8 },
            dpi: DPI,
            axes: Axes::Own,
            legend: None,
        }
    }
}

/// The points that no other beats on both axes, from left to right.
fn frontier(spots: &[Spot]) -> Vec<Spot> {
    let mut sorted: Vec<&Spot> = spots.iter().collect();
    sorted.sort_by(|a, b| b.per_user.total_cmp(&a.per_user).then(b.per_gpu.total_cmp(&a.per_gpu)));
    let mut best = f64::NEG_INFINITY;
    let mut frontier: Vec<Spot> = Vec::new();
    for spot in sorted {
        if spot.per_gpu > best {
            best = spot.per_gpu;
            frontier.push(spot.clone());
        }
    }
    frontier.reverse();
    frontier
}

/// The value of a variable, with `_` or `-` in its name.
fn find<'a>(row: &'a Row, variable: &str) -> Option<&'a Value> {
    let names = [variable.to_owned(), variable.replace('_', "-"), variable.replace('-', "_")];
    names.iter().find_map(|name| row.fields.get(name))
}

/// A number above 0 that is finite; none where there is nothing, or no limit.
fn positive(row: &Row, variable: &str) -> Result<Option<f64>, Trouble> {
    let number = match find(row, variable) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.parse().ok(),
        Some(_) => None,
    };
    match number {
        None => {
            Err(Trouble::input(format!("{variable} is no number in a run: {}", row.text(variable))))
        }
        Some(number) => Ok(Some(number).filter(|number| number.is_finite() && *number > 0.0)),
    }
}

/// Whole numbers without a point.
fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        Value::from(value as i64)
    } else {
        Value::from(value)
    }
}

/// The variable that holds the number of users where nothing else is said. A run need not have it.
const USERS: &str = "max_concurrency";

/// What is known of every point, whatever its run holds.
const OWN: [&str; 2] = ["gpu_count", "user_count_estimate"];

/// The sizes whose product is the number of GPUs, by their long and their short name.
const SIZES: [[&str; 2]; 3] = [
    ["tensor_parallel_size", "tp"],
    ["pipeline_parallel_size", "pp"],
    ["data_parallel_size", "dp"],
];

const DPI: u32 = 200;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::results::tests::rows;
    use super::*;

    fn arguments() -> Arguments {
        Arguments {
            experiment: PathBuf::from("x"),
            user_count_var: "max_concurrency".to_owned(),
            gpu_count_var: None,
            label_by: vec!["max_concurrency".to_owned(), "gpu_count".to_owned()],
            dry_run: false,
        }
    }

    fn spot(fields: Value) -> Option<(f64, f64)> {
        let row = rows(&[fields]).remove(0);
        arguments().spot(row).unwrap().map(|spot| (spot.per_user, spot.per_gpu))
    }

    #[test]
    fn users_and_gpus_are_taken_from_where_they_stand() {
        assert_eq!(
            spot(
                json!({"output_throughput": 100.0, "max_concurrency": 10, "tp": 2, "pipeline-parallel-size": 2})
            ),
            Some((10.0, 25.0))
        );
        assert_eq!(
            spot(
                json!({"output_throughput": 100.0, "max_concurrency": null, "max_concurrent_requests": 20, "num_gpus": 4})
            ),
            Some((5.0, 25.0))
        );
        assert_eq!(spot(json!({"output_throughput": 100.0, "request_rate": 10.0})), None);
    }

    #[test]
    fn names_that_no_run_has_are_refused_with_those_there_are() {
        let rows = rows(&[json!({"output_throughput": 8.0, "tensor-parallel-size": 4})]);
        let check = |change: fn(&mut Arguments)| {
            let mut arguments = arguments();
            change(&mut arguments);
            arguments.check_variables(&rows).map_err(|trouble| trouble.to_string())
        };
        assert_eq!(check(|_| {}), Ok(()));
        assert_eq!(
            check(|it| it.label_by =
                vec!["tensor_parallel_size".into(), " user_count_estimate".into()]),
            Ok(())
        );
        type Change = fn(&mut Arguments);
        let refused: [(Change, &str); 3] = [
            (|it| it.user_count_var = "nosuch".into(), "--user-count-var: no run has a nosuch"),
            (|it| it.gpu_count_var = Some("nosuch".into()), "--gpu-count-var: no run has a nosuch"),
            (|it| it.label_by.push("nosuch".into()), "--label-by: no run has a nosuch"),
        ];
        for (change, part) in refused {
            let said = check(change).unwrap_err();
            assert!(
                said.contains(part) && said.contains("output_throughput, tensor-parallel-size"),
                "{said}"
            );
        }
    }

    #[test]
    fn the_frontier_is_what_nothing_beats() {
        let at = |per_user: f64, per_gpu: f64| Spot {
            per_user,
            per_gpu,
            row: rows(&[json!({})]).remove(0),
        };
        let spots =
            [at(1.0, 9.0), at(2.0, 5.0), at(2.0, 7.0), at(3.0, 7.0), at(4.0, 1.0), at(0.5, 9.0)];
        let found: Vec<_> =
            frontier(&spots).iter().map(|spot| (spot.per_user, spot.per_gpu)).collect();
        assert_eq!(found, [(1.0, 9.0), (3.0, 7.0), (4.0, 1.0)]);
    }

    #[test]
    fn labels_are_of_what_a_run_has() {
        let row = rows(&[json!({"output_throughput": 8.0, "max_concurrency": 4})]).remove(0);
        let spots = vec![arguments().spot(row).unwrap().unwrap()];
        let figure = arguments().figure(&spots, &frontier(&spots));
        let Marks::Series(series) = &figure.panels[0].marks else { unreachable!() };
        assert_eq!(series[1].points[0].label.as_deref(), Some("max_concurrency=4\ngpu_count=1"));
    }
}
