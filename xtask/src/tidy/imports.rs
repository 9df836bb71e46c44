//! Who may import whom: the manifests, held against the code map of ARCHITECTURE.md.
//!
//! What a crate uses in its tests is its own affair: development dependencies are not looked at.

use std::path::Path;
use std::process::Command;

use super::{File, Problem, lines};
use crate::Failed;

/// Finds imports that the code map does not have, and async runtimes where it says there are none.
pub(super) fn check(root: &Path, files: &[File]) -> Result<Vec<Problem>, Failed> {
    let Some(map) = files.iter().find(|file| file.path == MAP) else {
        return Ok(vec![Problem::new(
            MAP,
            1,
            "is missing",
            "it holds the table of who may import whom",
        )]);
    };
    let rules = match rules(&map.text) {
        Ok(rules) => rules,
        Err(problem) => return Ok(vec![problem]),
    };
    let mut problems = Vec::new();
    for (folder, manifest) in files.iter().filter_map(|file| Some((folder(&file.path)?, file))) {
        match rules.iter().find(|rule| rule.folder == folder) {
            Some(rule) => {
                problems.extend(against(rule, manifest));
                problems.extend(runtimes(root, rule, manifest)?);
            }
            None => {
                let what = format!("`{folder}` is not in the code map of {MAP}");
                problems.push(Problem::new(
                    &manifest.path,
                    1,
                    what,
                    "say there what it holds and may import",
                ));
            }
        }
    }
    Ok(problems)
}

/// A row of the code map.
#[derive(Debug, PartialEq, Eq)]
struct Rule {
    /// The crate, by the name of its folder.
    folder: String,
    imports: Imports,
    asynchronous: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Imports {
    All,
    Only(Vec<String>),
}

/// Reads the code map: the table whose columns are the crate, what it holds, what it may import of ours, and whether it is async.
fn rules(map: &str) -> Result<Vec<Rule>, Problem> {
    let mut table = lines(map).skip_while(|(_, line)| !line.starts_with("| crate |"));
    let Some((heading, _)) = table.next() else {
        let mend = "give it the columns crate, what it holds, may import of ours, async";
        return Err(Problem::new(MAP, 1, "has no table that begins with `| crate |`", mend));
    };
    let rows = table.take_while(|(_, line)| line.starts_with('|')).skip(1);
    let rules: Vec<_> = rows
        .map(|(number, line)| {
            let wrong = || Problem::new(MAP, number, "is no row of the code map", ROW);
            let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [name, _, imports, asynchronous] = cells[..] else { return Err(wrong()) };
            let imports = match imports {
                "all" => Imports::All,
                "–" => Imports::Only(Vec::new()),
                list => Imports::Only(
                    list.split(", ").map(quoted).collect::<Option<_>>().ok_or_else(wrong)?,
                ),
            };
            let folder = quoted(name).ok_or_else(wrong)?;
            Ok(Rule { folder, imports, asynchronous: asynchronous != "no" })
        })
        .collect::<Result<_, _>>()?;
    if rules.is_empty() {
        return Err(Problem::new(MAP, heading, "the code map is empty", ROW));
    }
    Ok(rules)
}

/// The name between backticks.
fn quoted(cell: &str) -> Option<String> {
    cell.strip_prefix('`')?.strip_suffix('`').map(str::to_owned)
}

/// The folder below `crates/` whose manifest this is.
fn folder(path: &str) -> Option<&str> {
    let folder = path.strip_prefix("crates/")?.strip_suffix("/Cargo.toml")?;
    (!folder.contains('/')).then_some(folder)
}

/// Holds one manifest against its rule.
fn against(rule: &Rule, manifest: &File) -> Vec<Problem> {
    let Rule { folder, imports, asynchronous } = rule;
    let found = dependencies(&manifest.text).filter_map(|(number, name)| {
        let (what, mend) = if let Some(ours) = name.strip_prefix("tokometer") {
            let ours = ours.strip_prefix('-').unwrap_or("cli");
            let allowed = match imports {
                Imports::All => true,
                Imports::Only(allowed) => allowed.iter().any(|allowed| allowed == ours),
            };
            if allowed {
                return None;
            }
            (
                format!("`{folder}` may not import `{ours}`"),
                "move what it needs, or change the code map and say why",
            )
        } else if !asynchronous && is_runtime(&name) {
            (
                format!("`{folder}` is not async, but uses `{name}`"),
                "leave sockets and timers to `engine` and `sim`",
            )
        } else {
            return None;
        };
        Some(Problem::new(&manifest.path, number, what, format!("{mend} ({MAP})")))
    });
    found.collect()
}

/// Finds a runtime that comes in by way of another dependency.
fn runtimes(root: &Path, rule: &Rule, manifest: &File) -> Result<Vec<Problem>, Failed> {
    if rule.asynchronous {
        return Ok(Vec::new());
    }
    let package = format!("tokometer-{}", rule.folder);
    let tree = ["tree", "--locked", "--edges", "normal", "--prefix", "none", "--package", &package];
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo).current_dir(root).args(tree).output()?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(
            format!("cargo cannot tell the dependencies of {package}: {}", words.trim()).into()
        );
    }
    let direct: Vec<_> = dependencies(&manifest.text).map(|(_, name)| name).collect();
    let indirect = packages(std::str::from_utf8(&output.stdout)?)
        .filter(|name| is_runtime(name) && !direct.iter().any(|direct| direct == name));
    let problems = indirect.map(|name| {
        let what =
            format!("`{}` is not async, but another dependency brings `{name}`", rule.folder);
        let mend = format!("see `cargo tree --edges normal --package {package} --invert {name}`");
        Problem::new(&manifest.path, 1, what, mend)
    });
    Ok(problems.collect())
}

/// The names in a tree of packages, each on a line of its own.
fn packages(tree: &str) -> impl Iterator<Item = &str> {
    tree.lines().filter_map(|line| line.split(' ').next())
}

fn is_runtime(package: &str) -> bool {
    ["tokio", "hyper"].iter().any(|runtime| {
        package.strip_prefix(runtime).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    })
}

/// The packages that a manifest depends on, and the lines that say so. Development dependencies are left out.
fn dependencies(manifest: &str) -> impl Iterator<Item = (usize, String)> {
    let mut within = false;
    lines(manifest).filter_map(move |(number, line)| {
        let line = line.trim();
        if let Some(section) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            let section = section.rsplit_once("dev-dependencies").map_or(section, |_| "");
            within = section.ends_with("dependencies");
            // `[dependencies.name]`
            return section.rsplit_once("dependencies.").map(|(_, name)| (number, name.to_owned()));
        }
        let (key, value) = line.split_once('=')?;
        let key = key.trim().split('.').next()?.trim_matches('"');
        let renamed = value.split_once("package = \"").and_then(|(_, rest)| rest.split('"').next());
        within.then(|| (number, renamed.unwrap_or(key).to_owned()))
    })
}

const MAP: &str = "ARCHITECTURE.md";

const ROW: &str = "write | `name` | what it holds | `a`, `b` (or – or all) | no (or where) |";

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
# Map

| crate | what it holds | may import of ours | async |
|---|---|---|---|
| `record` | facts | – | no |
| `metrics` | figures | `record` | no |
| `sim` | a server | `clock`, `wire` | `server` only |
| `cli` | flags | all | signals only |

| other | table |
|---|---|
| `x` | y |
";

    fn only(names: &[&str]) -> Imports {
        Imports::Only(names.iter().map(|name| (*name).to_owned()).collect())
    }

    fn problems(folder: &str, manifest: &str) -> Vec<(usize, String)> {
        let rules = rules(TABLE).unwrap();
        let rule = rules.iter().find(|rule| rule.folder == folder).unwrap();
        let manifest = File { path: "Cargo.toml".into(), text: manifest.into() };
        against(rule, &manifest).into_iter().map(|problem| (problem.line, problem.what)).collect()
    }

    #[test]
    fn the_code_map_is_read_row_by_row() {
        let rule = |folder: &str, imports, asynchronous| Rule {
            folder: folder.into(),
            imports,
            asynchronous,
        };
        assert_eq!(
            rules(TABLE).unwrap(),
            [
                rule("record", only(&[]), false),
                rule("metrics", only(&["record"]), false),
                rule("sim", only(&["clock", "wire"]), true),
                rule("cli", Imports::All, true),
            ]
        );
    }

    #[test]
    fn a_map_that_cannot_be_read_is_a_problem_with_its_line() {
        assert_eq!(rules("no table").unwrap_err().line, 1);
        let broken = TABLE.replace("| `record` | no |", "| record | no |");
        assert_eq!(rules(&broken).unwrap_err().line, 6);
        let short = TABLE.replace(" | signals only |", " |");
        assert_eq!(rules(&short).unwrap_err().line, 8);
        assert_eq!(rules("| crate | x |\n|---|---|\n").unwrap_err().what, "the code map is empty");
    }

    #[test]
    fn imports_that_the_map_allows_are_fine() {
        assert_eq!(
            problems(
                "metrics",
                "[dependencies]\ntokometer-record.workspace = true\nserde = \"1\"\n"
            ),
            []
        );
        assert_eq!(
            problems("cli", "[dependencies]\ntokometer-sim.workspace = true\ntokio = \"1\"\n"),
            []
        );
        assert_eq!(problems("sim", "[dependencies]\nhyper = { workspace = true }\n"), []);
    }

    #[test]
    fn imports_that_it_does_not_are_named_with_their_line() {
        assert_eq!(
            problems(
                "metrics",
                "[package]\nname = \"x\"\n\n[dependencies]\ntokometer-wire.workspace = true\n"
            ),
            [(5, "`metrics` may not import `wire`".into())]
        );
        assert_eq!(
            problems("record", "[dependencies]\ntokometer = { path = \"../cli\" }\n"),
            [(2, "`record` may not import `cli`".into())]
        );
        assert_eq!(
            problems(
                "record",
                "[dependencies]\nhidden = { version = \"1\", package = \"tokometer-wire\" }\n"
            ),
            [(2, "`record` may not import `wire`".into())]
        );
    }

    #[test]
    fn a_runtime_where_there_is_to_be_none_is_found_in_every_section() {
        let what = |name: &str| format!("`record` is not async, but uses `{name}`");
        assert_eq!(
            problems("record", "[dependencies]\ntokio.workspace = true\n"),
            [(2, what("tokio"))]
        );
        assert_eq!(
            problems("record", "[dependencies.tokio-rustls]\nversion = \"1\"\n"),
            [(1, what("tokio-rustls"))]
        );
        assert_eq!(
            problems("record", "[target.\"cfg(unix)\".dependencies]\nhyper-util = \"1\"\n"),
            [(2, what("hyper-util"))]
        );
        assert_eq!(
            problems("record", "[build-dependencies]\nhyper = \"1\"\n"),
            [(2, what("hyper"))]
        );
    }

    #[test]
    fn what_tests_use_and_what_only_sounds_alike_is_not() {
        assert_eq!(
            problems(
                "record",
                "[dev-dependencies]\ntokio = \"1\"\n\n[dev-dependencies.hyper]\nversion = \"1\"\n"
            ),
            []
        );
        assert_eq!(
            problems("record", "[target.'cfg(unix)'.dev-dependencies]\ntokio = \"1\"\n"),
            []
        );
        assert_eq!(
            problems(
                "record",
                "[dependencies]\nhyperloglog = \"1\"\ntokiox = \"1\"\n[features]\ntokio = []\n"
            ),
            []
        );
    }

    #[test]
    fn a_list_over_several_lines_hides_nothing() {
        let manifest = "[dependencies]\nserde = { version = \"1\", features = [\n    \"derive\",\n] }\ntokio = \"1\"\n";
        assert_eq!(
            problems("record", manifest),
            [(5, "`record` is not async, but uses `tokio`".into())]
        );
    }

    #[test]
    fn the_names_of_a_tree_are_its_first_words() {
        let tree = "tokometer-wire v0.1.0 (x)\nbytes v1.12.2\nserde v1.0.0 (*)\n";
        assert_eq!(packages(tree).collect::<Vec<_>>(), ["tokometer-wire", "bytes", "serde"]);
    }

    #[test]
    fn only_a_crates_own_manifest_counts() {
        assert_eq!(folder("crates/wire/Cargo.toml"), Some("wire"));
        assert_eq!(folder("crates/wire/tests/x/Cargo.toml"), None);
        assert_eq!(folder("xtask/Cargo.toml"), None);
    }
}
