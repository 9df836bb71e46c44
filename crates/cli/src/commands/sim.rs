//! `tokometer sim`: the simulator as a server, until Ctrl-C.

use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::Args;
use tokometer_sim::{KEYS, KINDS, PATHS};
use tokometer_wire::APIS;
use tokometer_workload::tokenizer::{self, Hub};

use crate::dialect::values::port;
use crate::exit::Exit;
use crate::interruption::{block_signals, wait_for_signal};
use crate::screen::Screen;
use crate::simulator;
use crate::trouble::Trouble;

/// What `sim` takes.
#[derive(Debug, Args)]
#[command(after_long_help = options_help())]
pub(crate) struct Arguments {
    /// The port; 0 takes a free one
    #[arg(long, default_value = "8801", value_parser = port, allow_negative_numbers = true)]
    port: u16,
    /// The address to listen at
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Mean time to the first token, in milliseconds
    #[arg(long, value_name = "MS")]
    ttft_ms: Option<String>,
    /// Mean time from token to token, in milliseconds
    #[arg(long, value_name = "MS")]
    itl_ms: Option<String>,
    /// Tokens that come together in one chunk
    #[arg(long, value_name = "N")]
    tokens_per_chunk: Option<String>,
    /// The name of the model that it serves; may be given several times; without it every name is served
    #[arg(long, value_name = "NAME")]
    model: Vec<String>,
    /// The key that requests must bear
    #[arg(long, value_name = "KEY")]
    api_key: Option<String>,
    /// Further options, as after sim://? in a URL; the list is below --help
    #[arg(long, value_name = "KEY=VALUE&…")]
    options: Option<String>,
    /// The tokenizer that it counts with: a folder, a tokenizer.json, or a model's name on a hub
    #[arg(long, value_name = "PATH|NAME")]
    tokenizer: Option<String>,
    /// A file for the moment of every emission
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
}

/// Serves until Ctrl-C.
///
/// # Errors
/// If it cannot be started.
pub(crate) fn sim(arguments: &Arguments) -> Result<Exit, Trouble> {
    let screen = Screen::new();
    // Before any thread is started: threads inherit what is blocked.
    let signals = block_signals()?;
    let tokenizer = match &arguments.tokenizer {
        Some(spec) => tokenizer::open(spec, &Hub::from_env())
            .map_err(|error| Trouble::input(format!("--tokenizer: {error}")))?,
        None => tokenizer::embedded(),
    };
    let options = simulator::options(&arguments.query(), &[])?;
    let address = SocketAddr::new(arguments.host, arguments.port);
    if let Some(truth) = &arguments.truth {
        check_writable(truth)?;
    }
    let running = simulator::start(options, tokenizer, address, arguments.truth.clone())
        .map_err(|error| not_started(address, &error))?;
    screen.say(format!(
        "the simulator serves http://{}/v1/chat/completions and its other endpoints (see --help) until Ctrl-C",
        running.address()
    ));
    wait_for_signal(&signals)?;
    drop(running);
    Ok(Exit::Done)
}

fn check_writable(truth: &Path) -> Result<(), Trouble> {
    let opened = File::options().create(true).append(true).open(truth);
    opened.map(drop).map_err(|error| {
        Trouble::failed(format!("--truth: cannot write {}: {error}", truth.display()))
            .with_hint("name a file in a folder that exists and may be written")
    })
}

fn not_started(address: SocketAddr, error: &io::Error) -> Trouble {
    let (flag, hint) = match error.kind() {
        io::ErrorKind::AddrInUse => ("--port: ", "choose another --port; 0 takes a free one"),
        io::ErrorKind::PermissionDenied => {
            ("--port: ", "choose a --port from 1024 on; 0 takes a free one")
        }
        io::ErrorKind::AddrNotAvailable => ("--host: ", "give an address of this machine"),
        _ => ("", "look whether this process has run into a limit (ulimit -a)"),
    };
    Trouble::failed(format!("{flag}cannot listen at {address}: {error}")).with_hint(hint)
}

impl Arguments {
    /// The options in the one form that the simulator reads.
    fn query(&self) -> String {
        let single = [
            ("ttft_ms", &self.ttft_ms),
            ("itl_ms", &self.itl_ms),
            ("tokens_per_chunk", &self.tokens_per_chunk),
            ("api_key", &self.api_key),
        ];
        let single = single.into_iter().filter_map(|(key, value)| Some((key, value.as_ref()?)));
        let pairs = single.chain(self.model.iter().map(|model| ("model", model)));
        let mut query: Vec<String> =
            pairs.map(|(key, value)| format!("{key}={}", escaped(value))).collect();
        query.extend(self.options.clone());
        query.join("&")
    }
}

/// The value with what has a meaning in a query written as `%XX`.
fn escaped(value: &str) -> String {
    let byte = |byte: u8| match byte {
        b'&' | b'=' | b'%' | b'+' | b'#' | b' ' => format!("%{byte:02X}"),
        0x80.. => format!("%{byte:02X}"),
        _ => char::from(byte).to_string(),
    };
    value.bytes().map(byte).collect()
}

fn options_help() -> String {
    let width = KEYS.iter().map(|(key, _)| key.len()).max().unwrap_or_default();
    let lines = KEYS.iter().map(|(key, help)| format!("  {key:width$}  {help}"));
    let lines: Vec<_> = lines.collect();
    let width = KINDS.iter().map(|(_, name, _)| name.len()).max().unwrap_or_default();
    let faults = KINDS.iter().map(|(_, name, help)| format!("  {name:width$}  {help}"));
    let faults: Vec<_> = faults.collect();
    let width = APIS.iter().map(|api| api.path().len()).max().unwrap_or_default();
    let apis = APIS.iter().map(|api| (api.path(), api.name()));
    let endpoints = apis.chain(PATHS.iter().copied());
    let endpoints = endpoints.map(|(path, help)| format!("  {path:width$}  {help}"));
    let endpoints: Vec<_> = endpoints.collect();
    format!(
        "Endpoints:\n{}\n\nOptions, here and in sim:// URLs:\n{}\n\nFaults, for fault=:\n{}",
        endpoints.join("\n"),
        lines.join("\n"),
        faults.join("\n")
    )
}
