//! `cargo xtask …`: the project's own chores.
//!
//! Deliberately nothing that cargo itself does: building, linting and testing stay cargo's, and `.ci/run` puts them in a row.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing is what these chores are for"
)]

mod bench;
mod docs;
mod documents;
mod parity;
mod tidy;

use std::path::Path;
use std::process::ExitCode;

/// What went wrong, in words.
type Failed = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the repository");
    let done = match arguments.split_first().map(|(chore, rest)| (chore.as_str(), rest)) {
        Some(("tidy", [])) => tidy::run(root),
        Some(("docs", [])) => docs::write(root),
        Some(("bench", rest)) => bench::run(rest),
        Some(("documents", rest)) => documents::run(rest),
        Some(("parity", rest)) => parity::run(rest),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

const USAGE: &str = "\
usage: cargo xtask <chore>

  tidy             check what the compiler does not: who may import whom, the form of sources, generated docs
  docs             write the generated docs
  bench [STREAMS]  measure the client against the simulator (builds the release binary)
  documents        public documents' tables beside the simulator's; --live through the whole product, --calibrate to seek coefficients
  parity PEER …    a peer's client and ours by turns against one server (builds the release binary)";
