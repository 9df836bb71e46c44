//! `tokometer bench sweep plot`: curves over the runs of an experiment, one figure or many, in rows and columns of panels.
//!
//! Runs at the same place of the axis at the bottom are one point: their mean, with their standard deviation as error bar. Where that
//! axis is a measured figure no two runs are at the same place, so the runs of a combination are one point, at the mean of both; vLLM
//! draws each of them, and no error bar.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use tokometer_metrics::compare::Sample;
use tokometer_report::compare::figure;
use tokometer_report::figure::{
    Axes, Axis, Colour, Dash, Figure, Look, Marker, Marks, Panel, Point, Scale, Series, Size,
};

use super::experiment::sanitized;
use super::results::{self, Row, check_variable, grouped};
use crate::commands::counted;
use crate::exit::Exit;
use crate::screen::Screen;
use crate::trouble::Trouble;

/// What `plot` takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct Arguments {
    /// The folder of an experiment
    #[arg(value_name = "EXPERIMENT_DIR")]
    experiment: PathBuf,
    /// A folder for the figures, within that of the experiment
    #[arg(long, value_name = "FOLDER", default_value = "")]
    fig_dir: String,
    /// A figure for each combination of these variables
    #[arg(long, value_name = "A,B,…", value_delimiter = ',')]
    fig_by: Vec<String>,
    /// A row of panels for each combination of these variables
    #[arg(long, value_name = "A,B,…", value_delimiter = ',')]
    row_by: Vec<String>,
    /// A column of panels for each combination of these variables
    #[arg(long, value_name = "A,B,…", value_delimiter = ',')]
    col_by: Vec<String>,
    /// A curve for each combination of these variables
    #[arg(long, value_name = "A,B,…", value_delimiter = ',')]
    curve_by: Vec<String>,
    /// The variable of the axis at the bottom
    #[arg(long, value_name = "NAME", default_value = "total_token_throughput")]
    var_x: String,
    /// The variable of the axis at the left
    #[arg(long, value_name = "NAME", default_value = "median_ttft_ms")]
    var_y: String,
    /// Only runs of which all these hold, by ==, !=, <=, >=, < and >: max_concurrency<1000,tp==2
    #[arg(long, value_name = "A<N,…", default_value = "")]
    filter_by: String,
    /// Round variables down to multiples: request_throughput%1
    #[arg(long, value_name = "A%SIZE,…", default_value = "")]
    bin_by: String,
    /// The scale of the axis at the bottom: linear, log or sqrt
    #[arg(long, value_name = "SCALE", value_parser = scale, default_value = "linear")]
    scale_x: Scale,
    /// The scale of the axis at the left: linear, log or sqrt
    #[arg(long, value_name = "SCALE", value_parser = scale, default_value = "linear")]
    scale_y: Scale,
    /// What the figures' files are called, before their group
    #[arg(long, value_name = "NAME", default_value = "FIGURE")]
    fig_name: String,
    /// Draw no error bars
    #[arg(long)]
    no_error_bars: bool,
    /// The height of a panel in inches; it is as wide
    #[arg(long, value_name = "INCHES", default_value_t = 6.4)]
    fig_height: f64,
    /// Pixels per inch
    #[arg(long, value_name = "DPI", default_value_t = 300)]
    fig_dpi: u32,
    /// Say which figures there would be, and draw none
    #[arg(long)]
    dry_run: bool,
}

/// Draws the figures.
///
/// # Errors
/// If there are no results, a variable is not among theirs, or a figure cannot be written.
pub(crate) fn plot(arguments: &Arguments) -> Result<Exit, Trouble> {
    let screen = Screen::new();
    let arguments = arguments.clone().with_names_only();
    if !(MOST_MODEST..=GRANDEST).contains(&arguments.fig_height) {
        return Err(Trouble::input(format!(
            "--fig-height: must be from {MOST_MODEST} to {GRANDEST} inches, not {}",
            arguments.fig_height
        )));
    }
    let rows = results::read(&arguments.experiment)?;
    arguments.check_variables(&rows)?;
    let mut rows = kept(&rows, &arguments.filter_by)?;
    bin(&mut rows, &arguments.bin_by)?;
    if rows.is_empty() {
        return Err(Trouble::input(format!(
            "--filter-by: no run is left of {}",
            arguments.filter_by
        )));
    }
    let folder = arguments.experiment.join(&arguments.fig_dir);
    let groups = grouped(&rows, &arguments.fig_by);
    let figures: Vec<(PathBuf, Figure)> = groups
        .iter()
        .map(|(group, rows)| {
            let parts = [std::slice::from_ref(&arguments.fig_name), group].concat();
            let path = folder.join(sanitized(&format!("{}.png", parts.join("-"))));
            (path, Figure { title: group.join(", ").into(), ..arguments.figure(rows) })
        })
        .collect();
    if figures.iter().all(|(_, figure)| figure.points() == 0) {
        return Err(arguments.nothing_to_draw(&rows));
    }
    for ((path, figure), (_, rows)) in figures.iter().zip(&groups) {
        if figure.points() == 0 {
            let why = arguments.nothing_to_draw(rows);
            screen.say(format!("warning: {} is not drawn: {}", path.display(), why.what()));
            continue;
        }
        if arguments.dry_run {
            let rows = counted(figure.panels.len() / figure.columns.max(1), "row");
            let columns = counted(figure.columns, "column");
            screen.print(format!("{}: {rows} × {columns}\n", path.display()));
            continue;
        }
        warn(&screen, figure);
        let written = fs::create_dir_all(&folder).and_then(|()| figure.save(path));
        written
            .map_err(|error| Trouble::caused(format!("cannot write {}", path.display()), &error))?;
        screen.print(format!("{}\n", path.display()));
    }
    screen.check()?;
    Ok(Exit::Done)
}

/// Says what of the data a figure does not show.
fn warn(screen: &Screen, figure: &Figure) {
    match figure.left_out() {
        0 => {}
        left_out => screen.say(format!(
            "warning: {} cannot stand on these axes (infinite, or not above 0 on a logarithmic one) and {} not drawn",
            counted(left_out, "point"),
            if left_out == 1 { "is" } else { "are" },
        )),
    }
}

impl Arguments {
    /// Without the names of nothing that an empty list is made of.
    fn with_names_only(mut self) -> Self {
        for list in [&mut self.fig_by, &mut self.row_by, &mut self.col_by, &mut self.curve_by] {
            list.iter_mut().for_each(|name| *name = name.trim().to_owned());
            list.retain(|name| !name.is_empty());
        }
        self
    }

    fn check_variables(&self, rows: &[Row]) -> Result<(), Trouble> {
        let lists = [
            ("--fig-by", &self.fig_by),
            ("--row-by", &self.row_by),
            ("--col-by", &self.col_by),
            ("--curve-by", &self.curve_by),
        ];
        for (flag, variables) in lists {
            variables.iter().try_for_each(|variable| check_variable(flag, variable, rows))?;
        }
        for (flag, variable) in [("--var-x", &self.var_x), ("--var-y", &self.var_y)] {
            check_variable(flag, variable, rows)?;
            if rows.iter().all(|row| row.number(variable).is_none()) {
                return Err(Trouble::input(format!("{flag}: {variable} is no number in any run")));
            }
        }
        Ok(())
    }

    /// Why a figure of these runs would be empty.
    fn nothing_to_draw(&self, rows: &[Row]) -> Trouble {
        let axes = [(&self.var_x, self.scale_x), (&self.var_y, self.scale_y)];
        let mut reasons: Vec<String> = Vec::new();
        for (variable, scale) in axes {
            let mut add = |why: &str, holds: &dyn Fn(Option<f64>) -> bool| match rows
                .iter()
                .filter(|row| holds(row.number(variable)))
                .count()
            {
                0 => {}
                runs => reasons.push(format!(
                    "{variable} is {why} in {runs} of {}",
                    counted(rows.len(), "run")
                )),
            };
            let finite = |value: Option<f64>| value.filter(|value| value.is_finite());
            add("no number", &|value| value.is_none_or(f64::is_nan));
            add("infinite", &|value| value.is_some_and(f64::is_infinite));
            match scale {
                Scale::Linear => {}
                Scale::Log => {
                    add("not above 0", &|value| finite(value).is_some_and(|value| value <= 0.0))
                }
                Scale::Sqrt => {
                    add("below 0", &|value| finite(value).is_some_and(|value| value < 0.0))
                }
            }
        }
        Trouble::input(format!("there is nothing to draw: {}", reasons.join(", "))).with_hint(
            "--var-x and --var-y take any figure or setting of the runs that is a finite number",
        )
    }

    fn figure(&self, rows: &[Row]) -> Figure {
        let curves = Curves::of(rows, &self.curve_by);
        let row_groups: Vec<Vec<String>> =
            grouped(rows, &self.row_by).into_iter().map(|(group, _)| group).collect();
        let column_groups: Vec<Vec<String>> =
            grouped(rows, &self.col_by).into_iter().map(|(group, _)| group).collect();
        let mut panels = Vec::new();
        for row_group in &row_groups {
            for column_group in &column_groups {
                let within = |row: &&Row| {
                    row.group(&self.row_by) == *row_group
                        && row.group(&self.col_by) == *column_group
                };
                let own: Vec<Row> = rows.iter().filter(within).cloned().collect();
                panels.push(Panel {
                    title: [row_group.as_slice(), column_group.as_slice()]
                        .concat()
                        .join("\n")
                        .into(),
                    x: Axis { scale: self.scale_x, ..Axis::linear(label(&self.var_x)) },
                    y: Axis { scale: self.scale_y, ..Axis::linear(label(&self.var_y)) },
                    marks: Marks::Series(self.series(&own, &curves)),
                    rules: Vec::new(),
                });
            }
        }
        Figure {
            title: String::new().into(),
            panels,
            columns: column_groups.len(),
            panel: Size { width: self.fig_height, height: self.fig_height },
            dpi: self.fig_dpi,
            axes: Axes::Shared,
            legend: (!self.curve_by.is_empty()).then(|| self.curve_by.join(", ").into()),
        }
    }

    fn series(&self, rows: &[Row], curves: &Curves) -> Vec<Series> {
        let of = |(group, rows): (Vec<String>, Vec<Row>)| {
            let values: Vec<&str> =
                group.iter().filter_map(|pair| Some(pair.split_once('=')?.1)).collect();
            let name = (!values.is_empty()).then(|| values.join(", "));
            Series {
                name: name.map(Into::into),
                look: curves.look(&group),
                points: self.points(&rows),
                errors: tokometer_report::figure::Errors::default(),
            }
        };
        grouped(rows, &self.curve_by).into_iter().map(of).collect()
    }

    /// The points of a curve, from left to right.
    fn points(&self, rows: &[Row]) -> Vec<Point> {
        let binned = self.bin_by.split(',').any(|bin| bin.split('%').next() == Some(&self.var_x));
        let measured = figure(&self.var_x).is_some() && !binned;
        let mut places: Vec<Place> = Vec::new();
        for row in rows {
            let (Some(x), Some(y)) = (row.number(&self.var_x), row.number(&self.var_y)) else {
                continue;
            };
            let same = |place: &&mut Place| {
                if measured { place.combination == row.combination } else { place.xs[0] == x }
            };
            match places.iter_mut().find(same) {
                Some(place) => {
                    place.xs.push(x);
                    place.ys.push(y);
                }
                None => {
                    places.push(Place { combination: row.combination, xs: vec![x], ys: vec![y] })
                }
            }
        }
        let mut points: Vec<Point> =
            places.iter().map(|place| place.point(!self.no_error_bars)).collect();
        points.sort_by(|a, b| a.x.total_cmp(&b.x));
        points
    }
}

/// Runs that are one point.
struct Place {
    combination: usize,
    /// At least one.
    xs: Vec<f64>,
    ys: Vec<f64>,
}

impl Place {
    /// The mean of both, with the standard deviation of what is at the left. What is infinite stands for itself, and is left out when
    /// it is drawn.
    fn point(&self, error_bars: bool) -> Point {
        let x = Sample::of(&self.xs).map_or(self.xs[0], |sample| sample.mean);
        let Some(y) = Sample::of(&self.ys) else { return Point::at(x, f64::NAN) };
        let error = y.sd.filter(|sd| error_bars && *sd > 0.0).map(|sd| (y.mean - sd, y.mean + sd));
        Point { x, y: y.mean, error, label: None }
    }
}

/// How each curve looks, in every panel alike: its colour by the first variable, dashes and marker by the second, width by the third;
/// with more of them, each combination is a kind of its own.
struct Curves {
    /// The values of each variable, or all combinations.
    values: Vec<Vec<String>>,
    whole: bool,
}

impl Curves {
    fn of(rows: &[Row], variables: &[String]) -> Self {
        let whole = variables.len() > 3;
        let names = |variables: &[String]| {
            grouped(rows, variables).into_iter().map(|(group, _)| group.join("\n")).collect()
        };
        let values = match whole {
            true => vec![names(variables)],
            false => {
                variables.iter().map(|variable| names(std::slice::from_ref(variable))).collect()
            }
        };
        Self { values, whole }
    }

    fn look(&self, group: &[String]) -> Look {
        let joined = [group.join("\n")];
        let group = if self.whole { &joined } else { group };
        let place = |variable: usize| {
            let values = self.values.get(variable)?;
            values.iter().position(|value| *value == group[variable])
        };
        let first = place(0).unwrap_or(0);
        let kinds = self.values.first().map_or(1, Vec::len);
        let colour = match kinds {
            ..=MOST_KINDS => Colour::Kind(first),
            _ => Colour::Step(first as f64 / (kinds - 1) as f64),
        };
        // With one variable alone the marker tells its values too, so that colour never has to.
        let second = place(1).unwrap_or(0);
        let marker = if self.values.len() > 1 { second } else { first };
        Look {
            colour,
            dash: Dash::Kind(second),
            width: 1.6 + 0.9 * place(2).unwrap_or(0).min(4) as f64,
            marker: Marker::Kind(marker),
        }
    }
}

/// What an axis is called: a figure by its title, anything else by its name.
pub(crate) fn label(variable: &str) -> String {
    figure(variable).map_or_else(|| variable.to_owned(), |figure| figure.title)
}

fn scale(text: &str) -> Result<Scale, String> {
    text.parse()
}

/// The rows of which every condition holds.
fn kept(rows: &[Row], conditions: &str) -> Result<Vec<Row>, Trouble> {
    let mut rows = rows.to_vec();
    for condition in conditions.split(',').map(str::trim).filter(|condition| !condition.is_empty())
    {
        let found = OPERATORS
            .iter()
            .find_map(|operator| Some((*operator, condition.split_once(operator)?)));
        let Some((operator, (variable, target))) = found else {
            return Err(Trouble::input(format!(
                "--filter-by takes NAME, one of {}, and a value; not {condition}",
                OPERATORS.join(" ")
            )));
        };
        let (variable, target) =
            (variable.trim(), target.trim().trim_matches('\'').trim_matches('"'));
        check_variable("--filter-by", variable, &rows)?;
        let number = target.parse::<f64>().ok();
        let equal = |row: &Row| match (row.number(variable), number) {
            (Some(value), Some(number)) => value == number,
            _ => row.text(variable) == target,
        };
        if !matches!(operator, "==" | "!=") && number.is_none() {
            return Err(Trouble::input(format!(
                "--filter-by: {variable}{operator} takes a number, not {target}"
            )));
        }
        let ordered = |row: &Row, holds: fn(f64, f64) -> bool| {
            row.number(variable).zip(number).is_some_and(|(value, number)| holds(value, number))
        };
        rows.retain(|row| match operator {
            "==" => equal(row),
            "!=" => !equal(row),
            "<=" => ordered(row, |a, b| a <= b),
            ">=" => ordered(row, |a, b| a >= b),
            "<" => ordered(row, |a, b| a < b),
            _ => ordered(row, |a, b| a > b),
        });
        if rows.is_empty() {
            break;
        }
    }
    Ok(rows)
}

/// Rounds variables down to multiples.
fn bin(rows: &mut [Row], bins: &str) -> Result<(), Trouble> {
    for bin in bins.split(',').map(str::trim).filter(|bin| !bin.is_empty()) {
        let parts = bin
            .split_once('%')
            .and_then(|(variable, size)| Some((variable.trim(), size.trim().parse::<f64>().ok()?)));
        let Some((variable, size)) = parts.filter(|(_, size)| *size > 0.0 && size.is_finite())
        else {
            return Err(Trouble::input(format!(
                "--bin-by takes NAME%SIZE with a size above 0, not {bin}"
            )));
        };
        check_variable("--bin-by", variable, rows)?;
        for row in rows.iter_mut() {
            if let Some(value) = row.number(variable).filter(|value| value.is_finite()) {
                row.fields.insert(variable.to_owned(), ((value / size).floor() * size).into());
            }
        }
    }
    Ok(())
}

/// Longer ones first, for the shorter ones begin them.
const OPERATORS: [&str; 6] = ["==", "!=", "<=", ">=", "<", ">"];

/// More values than this are told apart by steps of one colour.
const MOST_KINDS: usize = 7;

const MOST_MODEST: f64 = 1.0;

const GRANDEST: f64 = 40.0;

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::{Value, json};

    use super::super::results::tests::rows;
    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn arguments(line: &str) -> Arguments {
        Line::parse_from(["plot", "folder"].into_iter().chain(line.split_whitespace())).arguments
    }

    fn run(combination: usize, n: u64, tp: u64, throughput: f64, ttft: f64) -> Row {
        let Value::Object(fields) =
            json!({"n": n, "tp": tp, "output_throughput": throughput, "median_ttft_ms": ttft})
        else {
            unreachable!()
        };
        Row { fields, combination }
    }

    type Drawn = (f64, f64, Option<(f64, f64)>);

    fn points(figure: &Figure, panel: usize) -> Vec<Vec<Drawn>> {
        let Marks::Series(series) = &figure.panels[panel].marks else { unreachable!() };
        let of = |series: &Series| {
            series.points.iter().map(|point| (point.x, point.y, point.error)).collect()
        };
        series.iter().map(of).collect()
    }

    #[test]
    fn runs_at_the_same_place_are_their_mean_with_their_deviation() {
        let rows = [run(0, 4, 1, 10.0, 100.0), run(0, 4, 1, 12.0, 200.0), run(1, 2, 1, 5.0, 50.0)];
        let figure = arguments("--var-x n").figure(&rows);
        let sd = 5000.0_f64.sqrt();
        assert_eq!(
            points(&figure, 0),
            [vec![(2.0, 50.0, None), (4.0, 150.0, Some((150.0 - sd, 150.0 + sd)))]]
        );
        let figure = arguments("--var-x n --no-error-bars").figure(&rows);
        assert_eq!(points(&figure, 0)[0][1].2, None);
    }

    #[test]
    fn on_a_measured_axis_the_runs_of_a_combination_are_one_point() {
        let rows = [run(0, 4, 1, 10.0, 100.0), run(0, 4, 1, 12.0, 100.0), run(1, 2, 1, 5.0, 50.0)];
        let figure = arguments("--var-x output_throughput").figure(&rows);
        assert_eq!(points(&figure, 0), [vec![(5.0, 50.0, None), (11.0, 100.0, None)]]);
    }

    #[test]
    fn what_leaves_a_figure_empty_is_told() {
        let rows = rows(&[
            json!({"rate": "inf", "ttft": 0.0}),
            json!({"rate": "inf", "ttft": 5.0}),
            json!({"ttft": 5.0}),
        ]);
        let arguments = arguments("--var-x rate --var-y ttft --scale-y log");
        assert_eq!(arguments.figure(&rows).points(), 0);
        assert_eq!(
            arguments.nothing_to_draw(&rows).what(),
            "there is nothing to draw: rate is no number in 1 of 3 runs, rate is infinite in 2 of 3 runs, ttft is not above 0 in 1 of 3 runs"
        );
    }

    #[test]
    fn panels_stand_in_rows_and_columns_and_curves_look_alike_in_all() {
        let rows = [run(0, 1, 1, 1.0, 1.0), run(1, 1, 2, 1.0, 1.0), run(2, 2, 2, 1.0, 1.0)];
        let figure = arguments("--row-by n --col-by tp --curve-by tp --var-x n").figure(&rows);
        let titles: Vec<_> = figure.panels.iter().map(|panel| &*panel.title).collect();
        assert_eq!(
            (figure.columns, titles),
            (2, vec!["n=1\ntp=1", "n=1\ntp=2", "n=2\ntp=1", "n=2\ntp=2"])
        );
        let look = |panel: usize| match &figure.panels[panel].marks {
            Marks::Series(series) => series.first().map(|series| series.look),
            _ => unreachable!(),
        };
        assert_eq!((look(1), look(2)), (look(3), None));
        assert_ne!(look(0), look(1));
    }

    #[test]
    fn conditions_are_all_to_hold_and_longer_signs_are_read_first() {
        let rows = rows(&[
            json!({"n": 1, "m": "a"}),
            json!({"n": 2, "m": "b"}),
            json!({"n": 3, "m": "b"}),
        ]);
        let left = |conditions: &str| {
            kept(&rows, conditions)
                .map(|rows| rows.iter().map(|row| row.text("n")).collect::<Vec<_>>().join(" "))
        };
        for (conditions, expected) in [
            ("n<=2", "1 2"),
            ("n>=2,m=='b'", "2 3"),
            ("n!=2", "1 3"),
            ("n<2", "1"),
            ("m!=b", "1"),
            ("", "1 2 3"),
            ("n==2.0", "2"),
        ] {
            assert_eq!(left(conditions).unwrap(), expected, "{conditions}");
        }
        for wrong in ["n", "n~2", "x<2", "m<b"] {
            assert!(left(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn bins_round_down() {
        let mut rows = rows(&[json!({"n": 7.9}), json!({"n": -0.5})]);
        bin(&mut rows, "n%2").unwrap();
        assert_eq!((rows[0].number("n"), rows[1].number("n")), (Some(6.0), Some(-2.0)));
        for wrong in ["n", "n%0", "n%x", "x%1"] {
            assert!(bin(&mut rows, wrong).is_err(), "{wrong}");
        }
    }
}
