//! The embedded simulator, counting tokens as the client does.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Zoned;
use tokometer_engine::redacted;
use tokometer_plan::known_words;
use tokometer_sim::hardware::PresetError;
use tokometer_sim::{Log, Options, OptionsError, Running, Tokens, keys};
use tokometer_wire::Message;
use tokometer_workload::tokenizer::Tokenizer;

use crate::screen::Screen;
use crate::trouble::Trouble;

/// Reads what a `sim://` URL asks of the simulator: the preset that stands in place of a host, if one does, and the query.
///
/// # Errors
/// If there is no such preset, or it is no query of the simulator's.
pub(crate) fn options_of_url(
    preset: &str,
    query: &str,
    secrets: &[String],
) -> Result<Options, Trouble> {
    match preset {
        "" => options(query, secrets),
        // A URL's host holds nothing that has a meaning in a query.
        preset => options(&format!("preset={preset}&{query}"), secrets),
    }
}

/// Reads what a `sim://` URL asks of the simulator. What is wrong with it is told without `secrets`.
///
/// # Errors
/// If it is no query of the simulator's.
pub(crate) fn options(query: &str, secrets: &[String]) -> Result<Options, Trouble> {
    Options::from_query(query).map_err(|error| match error {
        OptionsError::Unknown { key } => {
            let key = redacted(&key, secrets);
            Trouble::input(format!("the simulator has no option {key}"))
                .with_hint(known_words(&key, keys()))
        }
        OptionsError::Preset(error) => preset_trouble(&error, secrets),
        other => Trouble::input(redacted(&format!("{OPTIONS}{other}"), secrets))
            .with_hint("tokometer sim --help lists them"),
    })
}

/// What stands before what is wrong with an option.
pub(crate) const OPTIONS: &str = "the simulator's options: ";

/// The value with what has a meaning in a query written as `%XX`.
pub(crate) fn escaped(value: &str) -> String {
    let byte = |byte: u8| match byte {
        b'&' | b'=' | b'%' | b'+' | b'#' | b' ' | 0x80.. => format!("%{byte:02X}"),
        _ => char::from(byte).to_string(),
    };
    value.bytes().map(byte).collect()
}

/// What is wrong with what is named as deployed, and what there is instead.
fn preset_trouble(error: &PresetError, secrets: &[String]) -> Trouble {
    let words = redacted(&error.to_string(), secrets);
    match (error, words.split_once("; ")) {
        (
            PresetError::Unknown { .. }
            | PresetError::Gpu { .. }
            | PresetError::Architecture { .. }
            | PresetError::DoesNotFit { .. },
            Some((what, instead)),
        ) => Trouble::input(what).with_hint(instead),
        (PresetError::Unreadable { .. }, _) => Trouble::input(words)
            .with_hint("name a file that tokometer sim fit wrote, or a preset; tokometer sim --help lists them"),
        _ => Trouble::input(words).with_hint("tokometer sim --help lists every option"),
    }
}

/// Starts a simulator on loopback, at a port of the system's choice.
///
/// # Errors
/// If it cannot be started.
pub(crate) fn start_on_loopback(
    options: Options,
    tokenizer: Arc<dyn Tokenizer>,
) -> Result<Running, Trouble> {
    start(options, tokenizer, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), None)
        .map_err(|error| Trouble::caused("cannot start the simulator", &error))
}

/// Starts a simulator at `address`; `truth` is the file that its emissions are written to.
///
/// # Errors
/// If the address is taken, or the file cannot be written.
pub(crate) fn start(
    options: Options,
    tokenizer: Arc<dyn Tokenizer>,
    address: SocketAddr,
    truth: Option<PathBuf>,
) -> io::Result<Running> {
    tokometer_sim::spawn(options, Arc::new(SameTokens(tokenizer)), address, truth)
}

/// As [`start`], with a log of what it does on stderr, in vLLM's lines.
///
/// # Errors
/// As [`start`].
pub(crate) fn start_logging(
    options: Options,
    tokenizer: Arc<dyn Tokenizer>,
    address: SocketAddr,
    truth: Option<PathBuf>,
    (every, together): (Duration, bool),
) -> io::Result<Running> {
    let screen = Screen::new();
    let log = Log {
        every,
        together,
        time: Box::new(|| Zoned::now().strftime("%m-%d %H:%M:%S").to_string()),
        line: Box::new(move |line| screen.say(line)),
    };
    tokometer_sim::spawn_logging(options, Arc::new(SameTokens(tokenizer)), address, truth, log)
}

/// The client's tokenizer as the simulator needs one. What it cannot encode or decode counts as nothing.
#[derive(Debug)]
struct SameTokens(Arc<dyn Tokenizer>);

impl Tokens for SameTokens {
    fn encode(&self, text: &str) -> Vec<u32> {
        self.0.encode(text).unwrap_or_default()
    }

    fn decode(&self, ids: &[u32]) -> String {
        self.0.decode(ids).unwrap_or_default()
    }

    fn chat(&self, messages: &[Message]) -> Option<String> {
        self.0.template()?.render(messages, true).ok()?
    }
}
