//! `tokometer sim`: the simulator as a server, until Ctrl-C.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use tokometer_sim::KEYS;
use tokometer_workload::tokenizer::{self, Hub};

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
    #[arg(long, default_value = "8801")]
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
    let running = simulator::start(options, tokenizer, address, arguments.truth.clone())?;
    screen.say(format!(
        "the simulator serves http://{}/v1/chat/completions and /v1/completions until Ctrl-C",
        running.address()
    ));
    wait_for_signal(&signals)?;
    drop(running);
    Ok(Exit::Done)
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
    format!("Options, here and in sim:// URLs:\n{}", lines.join("\n"))
}
