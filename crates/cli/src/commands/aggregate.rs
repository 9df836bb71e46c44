//! `tokometer aggregate`: gather the results of a folder into one table: CSV with English and Chinese headings, Parquet or JSON.
//!
//! What a result is, and what a table looks like, is the concern of `tokometer_report::gathered`; here is which folder is meant, and
//! where the table goes. Behind it the simple charts are drawn, as the tool does whose form this is. A file that cannot be read never makes a row: it is named, and the exit code tells of it.

mod chosen;
mod listed;

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use jiff::Zoned;
use tokometer_report::gathered::{AGGREGATE, Skipped, Table, read_results};

use crate::commands::{counted, visualize};
use crate::exit::Exit;
use crate::screen::Screen;
use crate::trouble::Trouble;

/// What `aggregate` takes.
#[derive(Debug, Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", crate::exit::TABLE))]
pub(crate) struct Arguments {
    /// The folder: a name in results/, or a path, such as outputs/20260102_110437 [default: the newest in results/]
    #[arg(long, value_name = "NAME", conflicts_with = "list")]
    dir: Option<PathBuf>,
    /// Show the folders that there are: when, which model, how many results, and whether they are aggregated
    #[arg(long)]
    list: bool,
    /// What kind of file to write
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Csv)]
    format: Format,
    /// The file to write; - for stdout [default: aggregate_results_<date> in the folder]
    #[arg(long, short, value_name = "FILE", conflicts_with = "list")]
    output: Option<PathBuf>,
    /// Write the table and draw no charts
    #[arg(long, conflicts_with = "list")]
    no_charts: bool,
    /// The folder that folders of results lie in
    #[arg(long, value_name = "DIR", default_value = "results")]
    results_dir: PathBuf,
}

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Row 1 English, row 2 Chinese, one result a row from row 3 on
    Csv,
    /// Typed columns; the Chinese names are in the file's metadata
    Parquet,
    /// A list of objects
    Json,
}

/// Gather the results of a folder into one table: CSV with English and Chinese headings, Parquet or JSON.
///
/// # Errors
/// If there is no such folder, no result in it, or the table cannot be written.
pub(crate) fn aggregate(arguments: &Arguments) -> Result<Exit, Trouble> {
    let screen = Screen::new();
    if arguments.list {
        screen.print(listed::folders(&arguments.results_dir)?);
        return screen.check().map(|()| Exit::Done);
    }
    let folder = chosen::folder(arguments.dir.as_deref(), &arguments.results_dir)?;
    let (table, skipped) = read_results(&folder).map_err(|error| {
        Trouble::failed(format!("cannot read the folder {}: {error}", folder.display()))
    })?;
    for passed in &skipped {
        screen.say(format!("skipped: {}: {}", passed.path.display(), passed.why));
    }
    if table.rows.is_empty() {
        return Err(nothing(&folder, &skipped));
    }
    arguments.write(&folder, &table, &screen)?;
    screen.check()?;
    match skipped.is_empty() {
        true => Ok(Exit::Done),
        false => {
            let again = match folder.join("batch.yaml").is_file() {
                true => {
                    let path = quoted(&folder);
                    format!(
                        "; to run what is missing: tokometer batch --config {path}/batch.yaml --resume {path}"
                    )
                }
                false => String::new(),
            };
            screen.say(format!("note: what was skipped makes no row{again}"));
            Ok(Exit::Incomplete)
        }
    }
}

impl Arguments {
    fn write(&self, folder: &Path, table: &Table, screen: &Screen) -> Result<(), Trouble> {
        if self.output.as_deref() == Some(Path::new("-")) {
            match self.format {
                Format::Csv => screen.print(table.to_csv()),
                Format::Json => screen.print(format!("{:#}\n", table.to_json())),
                Format::Parquet => {
                    return Err(Trouble::input("--output -: Parquet is no text for stdout")
                        .with_hint("name a file: --output results.parquet"));
                }
            }
            return Ok(());
        }
        let path = self.output.clone().unwrap_or_else(|| {
            let date = Zoned::now().strftime("%Y%m%d");
            folder.join(format!("{AGGREGATE}{date}.{}", self.format.extension()))
        });
        let bytes = match self.format {
            Format::Csv => table.to_csv().into_bytes(),
            Format::Json => format!("{:#}\n", table.to_json()).into_bytes(),
            Format::Parquet => table.to_parquet().map_err(|error| {
                Trouble::failed(format!("cannot make Parquet of the table: {error}"))
            })?,
        };
        fs::write(&path, bytes).map_err(|error| {
            Trouble::failed(format!("cannot write {}: {error}", path.display()))
                .with_hint("name a file elsewhere with --output FILE")
        })?;
        screen.say(format!(
            "gathered {} into {}{}",
            counted(table.rows.len(), "result"),
            path.display(),
            self.format.about()
        ));
        // Whoever asked for another file or another form did not ask for pictures.
        if self.format == Format::Csv && self.output.is_none() {
            self.charts(&path, folder, screen);
        }
        Ok(())
    }

    /// The simple charts beside the table. That they cannot be drawn is said and takes nothing from the table.
    fn charts(&self, table: &Path, folder: &Path, screen: &Screen) {
        if !self.no_charts
            && let Err(trouble) = visualize::simple(table.to_owned(), folder.join(CHARTS))
        {
            screen.say(format!("note: no charts: {}", trouble.what()));
        }
        screen.say(format!("every chart: tokometer visualize --csv {}", quoted(table)));
    }
}

impl Format {
    const fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Json => "json",
        }
    }

    const fn about(self) -> &'static str {
        match self {
            Self::Csv => ": row 1 English, row 2 Chinese, results from row 3 on",
            Self::Parquet => ": typed columns, the Chinese names in its metadata",
            Self::Json => "",
        }
    }
}

/// That there is nothing to gather.
fn nothing(folder: &Path, skipped: &[Skipped]) -> Trouble {
    let shown = folder.display();
    match skipped.len() {
        0 => Trouble::input(format!("there are no results in {shown}")).with_hint(
            "a folder of results holds bench_io<in>x<out>_mc<c>_np<n>.json or runs; tokometer batch makes one, tokometer aggregate --list shows those that there are",
        ),
        _ => Trouble::input(format!("there is no result in {shown} that can be read"))
            .with_hint("what is wrong with each is said above; tokometer runs show tells what else lies there"),
    }
}

/// A path as a shell takes it.
pub(super) fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    shlex::try_quote(&text).map_or_else(|_| text.to_string(), |quoted| quoted.into_owned())
}

/// The folder of the charts, in that of the results.
const CHARTS: &str = "charts";

const EXAMPLES: &str = "\
Examples:
  The newest folder in results/:
    tokometer aggregate
  Which folders there are:
    tokometer aggregate --list
  One of them, by its name:
    tokometer aggregate --dir DeepSeek-R1_20250728_145302
  The runs of tokometer perf:
    tokometer aggregate --dir outputs/20260102_110437
  For a data frame:
    tokometer aggregate --format parquet --output results.parquet";
