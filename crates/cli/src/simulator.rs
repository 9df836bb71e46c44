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
    let options = match preset {
        "" => options(query, secrets),
        // A URL's host holds nothing that has a meaning in a query.
        preset => options(&format!("preset={preset}&{query}"), secrets),
    }?;
    match options.serving.certified {
        None => Ok(options),
        Some(_) => Err(Trouble::input(
            "a sim:// URL is no place for ssl_certfile: it is spoken to in plain HTTP",
        )
        .with_hint("start tokometer sim --ssl-certfile FILE, and load it with an https:// URL")),
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

/// Reads what flags ask of the simulator, each of them a key of its, and what `further` says after them in a query's form. What is wrong
/// is told by the flag.
///
/// # Errors
/// If it is no query of the simulator's.
pub(crate) fn options_of_flags(
    given: &[(&str, &str)],
    further: Option<&str>,
) -> Result<Options, Trouble> {
    let flags = given.iter().map(|(key, value)| format!("{key}={}", escaped(value)));
    let query: Vec<String> = flags.chain(further.map(str::to_owned)).collect();
    options(&query.join("&"), &[]).map_err(|trouble| {
        trouble.in_words(|words| with_flag(words, given).unwrap_or_else(|| words.to_owned()))
    })
}

/// The words, which may speak of a key, as speaking of the flag that it was given by.
fn with_flag(words: &str, given: &[(&str, &str)]) -> Option<String> {
    let rest = words.strip_prefix(OPTIONS)?;
    let (key, _) = given
        .iter()
        .find(|(key, _)| rest.strip_prefix(key).is_some_and(|after| after.starts_with(' ')))?;
    Some(format!("--{}{}", key.replace('_', "-"), &rest[key.len()..]))
}

/// What stands before what is wrong with an option.
const OPTIONS: &str = "the simulator's options: ";

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
/// If it cannot be started, or is to log by an interval that is none.
pub(crate) fn start_on_loopback(
    options: Options,
    tokenizer: Arc<dyn Tokenizer>,
) -> Result<Running, Trouble> {
    let log = log(&options)?;
    start(options, tokenizer, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), None, log)
        .map_err(|error| Trouble::caused("cannot start the simulator", &error))
}

/// Starts a simulator at `address`; `truth` is the file that its emissions are written to, and `log` is where it says what it does.
///
/// # Errors
/// If the address is taken, or the file cannot be written.
pub(crate) fn start(
    options: Options,
    tokenizer: Arc<dyn Tokenizer>,
    address: SocketAddr,
    truth: Option<PathBuf>,
    log: Option<Log>,
) -> io::Result<Running> {
    let tokens = Arc::new(SameTokens(tokenizer));
    match log {
        None => tokometer_sim::spawn(options, tokens, address, truth),
        Some(log) => tokometer_sim::spawn_logging(options, tokens, address, truth, log),
    }
}

/// Where the simulator says what it does, in vLLM's lines: on stderr, if its options ask for it.
///
/// # Errors
/// If the variable for vLLM's interval holds none.
pub(crate) fn log(options: &Options) -> Result<Option<Log>, Trouble> {
    if !options.serving.log_stats {
        return Ok(None);
    }
    let screen = Screen::new();
    Ok(Some(Log {
        every: log_interval()?,
        together: options.serving.aggregate_engine_logging,
        time: Box::new(|| Zoned::now().strftime("%m-%d %H:%M:%S").to_string()),
        line: Box::new(move |line| screen.say(line)),
    }))
}

/// How long from one log line to the next.
fn log_interval() -> Result<Duration, Trouble> {
    const NAME: &str = "VLLM_LOG_STATS_INTERVAL";
    let Some(value) = std::env::var_os(NAME) else { return Ok(Duration::from_secs(10)) };
    let seconds = value.to_str().and_then(|value| value.trim().parse::<f64>().ok());
    let interval = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    interval.filter(|interval| !interval.is_zero()).ok_or_else(|| {
        Trouble::input(format!("{NAME} is a number of seconds above 0, not {value:?}"))
            .with_hint("unset it, or pass --disable-log-stats")
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_flag_is_told_by_its_name() {
        let given = [("max_num_seqs", "0"), ("seed", "x")];
        let words = format!("{OPTIONS}max_num_seqs takes a whole number");
        assert_eq!(with_flag(&words, &given).unwrap(), "--max-num-seqs takes a whole number");
        let words = format!("{OPTIONS}block_size takes a whole number");
        assert_eq!(with_flag(&words, &given), None);
    }
}
