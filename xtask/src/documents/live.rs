//! A document's row through the whole product: the client's release binary, its embedded simulator, and loopback between them.
//!
//! Requests that were refused are answered with 503: those after the ones that were served, all sent in the first moments. Deliberately
//! reads nothing but the run's log.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tokometer_record::PointLog;

use super::tables::{Document, Row};
use crate::Failed;
use crate::bench::build;

/// The binary, and a folder for its runs, which goes when this does.
pub(super) struct Live {
    binary: PathBuf,
    folder: PathBuf,
}

impl Live {
    pub(super) fn begin() -> Result<Self, Failed> {
        let binary = build()?;
        let folder =
            std::env::temp_dir().join(format!("tokometer-documents-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        Ok(Self { binary, folder })
    }

    pub(super) fn run(&self, document: &Document, row: &Row) -> Result<PointLog, Failed> {
        let name = format!("{}-{}-{}", document.preset, row.parallel, row.output_tokens);
        let folder = self.folder.join(&name);
        let log = folder.join("run.jsonl");
        // Two tools' figures of one load need it only once.
        if !log.exists() {
            let (prompt, output) = (row.prompt_tokens.to_string(), row.output_tokens.to_string());
            let mut client = Command::new(&self.binary);
            client.args(["perf", "--api", "openai", "--dataset", "random", "--model", "document"]);
            client.args(["--url", &url(document, row), "--no-test-connection"]);
            client.args(["--parallel", &row.parallel.to_string()]);
            client.args(["--number", &row.number.to_string()]);
            client.args(["--min-prompt-length", &prompt, "--max-prompt-length", &prompt]);
            client.args(["--min-tokens", &output, "--max-tokens", &output]);
            client.args(["--extra-args", r#"{"ignore_eos": true}"#, "--name", &name]);
            client.arg("--no-timestamp").arg("--outputs-dir").arg(&self.folder);
            let output = client.stdout(Stdio::null()).stderr(Stdio::piped()).output()?;
            match output.status.code() {
                Some(0 | REQUESTS_FAILED) => {}
                Some(CLIENT_LIMITED) => {
                    eprintln!(
                        "note: the client was the limit itself at {} of {}",
                        row.load, document.preset
                    );
                }
                _ => {
                    let words = String::from_utf8_lossy(&output.stderr);
                    return Err(format!("the client failed: {words}").into());
                }
            }
        }
        let mut log = tokometer_record::read(&log)?;
        if log.points.is_empty() {
            return Err("the run has no point".into());
        }
        Ok(log.points.swap_remove(0))
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // What lies among temporary files goes sooner or later.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn url(document: &Document, row: &Row) -> String {
    let mut url = format!("sim://{}", document.preset);
    if row.served < row.number {
        let refused = format!("?fault=status_503&fault_requests={}-{}", row.served, row.number - 1);
        url.push_str(&refused);
    }
    url
}

/// The client's exit code where requests failed.
const REQUESTS_FAILED: i32 = 3;

/// The client's exit code where it was the limit itself.
const CLIENT_LIMITED: i32 = 4;
