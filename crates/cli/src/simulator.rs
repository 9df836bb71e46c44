//! The embedded simulator, counting tokens as the client does.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use tokometer_engine::redacted;
use tokometer_plan::known_words;
use tokometer_sim::{KEYS, Options, OptionsError, Running, Tokens};
use tokometer_wire::Message;
use tokometer_workload::tokenizer::Tokenizer;

use crate::trouble::Trouble;

/// Reads what a `sim://` URL asks of the simulator. What is wrong with it is told without `secrets`.
///
/// # Errors
/// If it is no query of the simulator's.
pub(crate) fn options(query: &str, secrets: &[String]) -> Result<Options, Trouble> {
    Options::from_query(query).map_err(|error| match error {
        OptionsError::Unknown { key } => {
            let key = redacted(&key, secrets);
            Trouble::input(format!("the simulator has no option {key}"))
                .with_hint(known_words(&key, KEYS.iter().map(|(key, _)| *key)))
        }
        other => Trouble::input(redacted(&format!("the simulator's options: {other}"), secrets))
            .with_hint("tokometer sim --help lists them"),
    })
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
