//! `tokometer sim` without a subcommand: the simulator as a server, until Ctrl-C.

pub(super) mod flags;
pub(super) mod help;

use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use tokometer_sim::{Deployment, Options, Routing, check_certificate};
use tokometer_workload::tokenizer::{self, Hub};

use crate::dialect::values::port;
use crate::exit::Exit;
use crate::interruption::{block_signals, wait_for_signal};
use crate::screen::Screen;
use crate::simulator::{self, escaped};
use crate::trouble::Trouble;

/// What `sim` takes.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The port; 0 takes a free one
    #[arg(long, default_value = "8801", value_parser = port, allow_negative_numbers = true)]
    port: u16,
    /// The address to listen at
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Further options, as after sim://? in a URL; the list is below --help
    #[arg(long, value_name = "KEY=VALUE&…")]
    options: Option<String>,
    /// The tokenizer that it counts with: a folder, a tokenizer.json, or a model's name on a hub
    #[arg(long, value_name = "PATH|NAME")]
    tokenizer: Option<String>,
    /// A file for the moment of every emission
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    #[command(flatten)]
    flags: flags::Flags,
}

/// Serves until Ctrl-C.
///
/// # Errors
/// If it cannot be started.
pub(crate) fn serve(arguments: &Arguments) -> Result<Exit, Trouble> {
    let screen = Screen::new();
    // Before any thread is started: threads inherit what is blocked.
    let signals = block_signals()?;
    let tokenizer = match &arguments.tokenizer {
        Some(spec) => tokenizer::open(spec, &Hub::from_env())
            .map_err(|error| Trouble::input(format!("--tokenizer: {error}")))?,
        None => tokenizer::embedded(),
    };
    let options = arguments.read()?;
    let scheme = if options.serving.certified.is_some() { "https" } else { "http" };
    let engines = options.deployment.as_ref().map(described);
    let address = SocketAddr::new(arguments.host, arguments.port);
    if let Some(truth) = &arguments.truth {
        check_writable(truth)?;
    }
    let truth = arguments.truth.clone();
    let running = match arguments.flags.disable_log_stats {
        true => simulator::start(options, tokenizer, address, truth),
        false => {
            let log = (log_interval()?, arguments.flags.aggregate_engine_logging);
            simulator::start_logging(options, tokenizer, address, truth, log)
        }
    };
    let running = running.map_err(|error| not_started(address, &error))?;
    if let Some(engines) = engines {
        screen.say(engines);
    }
    screen.say(format!(
        "the simulator serves {scheme}://{}/v1/chat/completions and its other endpoints (see --help) until Ctrl-C",
        running.address()
    ));
    wait_for_signal(&signals)?;
    drop(running);
    Ok(Exit::Done)
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
    /// The options, of which what is wrong is told with its flag.
    fn read(&self) -> Result<Options, Trouble> {
        let given = self.flags.pairs();
        let options = simulator::options(&self.query(&given), &[]).map_err(|trouble| {
            trouble.in_words(|words| with_flag(words, &given).unwrap_or_else(|| words.to_owned()))
        })?;
        check_certificate(&options).map_err(|error| {
            Trouble::input(format!("--ssl-certfile: {error}"))
                .with_hint("give a certificate and its private key, both as PEM")
        })?;
        Ok(options)
    }

    /// The options in the one form that the simulator reads.
    fn query(&self, given: &[(&str, &str)]) -> String {
        let flags = given.iter().map(|(key, value)| format!("{key}={}", escaped(value)));
        flags.chain(self.options.clone()).collect::<Vec<_>>().join("&")
    }
}

/// The words, which may speak of a key, as speaking of the flag that it was given by.
pub(super) fn with_flag(words: &str, given: &[(&str, &str)]) -> Option<String> {
    let rest = words.strip_prefix(simulator::OPTIONS)?;
    let (key, _) = given
        .iter()
        .find(|(key, _)| rest.strip_prefix(key).is_some_and(|after| after.starts_with(' ')))?;
    Some(format!("--{}{}", key.replace('_', "-"), &rest[key.len()..]))
}

/// What engines are, in one line.
pub(super) fn described(deployment: &Deployment) -> String {
    let engine = &deployment.engine;
    let mut facts = vec![
        match deployment.replicas.get() {
            1 => format!("engine {}", deployment.name),
            several => format!("{several} engines {}", deployment.name),
        },
        format!("max_num_seqs {}", engine.max_num_seqs),
        format!("max_num_batched_tokens {}", engine.max_num_batched_tokens),
        format!(
            "KV cache of {} blocks of {} tokens ({} tokens)",
            engine.blocks,
            engine.block_size,
            u64::from(engine.blocks.get()) * u64::from(engine.block_size.get())
        ),
        format!("prefix caching {}", if engine.prefix_caching { "on" } else { "off" }),
    ];
    if !engine.chunked_prefill {
        facts.push("prompts in one step".to_owned());
    }
    if let Some(speculation) = &engine.speculation {
        facts.push(format!("drafts of {} ({})", speculation.tokens, speculation.method));
    }
    if deployment.replicas.get() > 1 {
        facts.push(format!(
            "requests go to {}",
            match deployment.routing {
                Routing::RoundRobin => "each in turn",
                Routing::LeastRequests => "the one with the fewest",
                Routing::Prefix => "the one that has most of the prompt cached",
            }
        ));
    }
    facts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_are_described_in_one_line() {
        let described =
            |query: &str| described(&Options::from_query(query).unwrap().deployment.unwrap());
        assert_eq!(
            described("preset=h100-llama-3.1-8b&max_num_seqs=64"),
            "engine h100-llama-3.1-8b, max_num_seqs 64, max_num_batched_tokens 8192, KV cache of 29205 blocks of 16 tokens (467280 \
             tokens), prefix caching on"
        );
        let several = described(
            "base_us=5&data_parallel_size=2&no_enable_prefix_caching&no_enable_chunked_prefill&acceptance=0.5\
             &speculative_config={\"method\":\"mtp\",\"num_speculative_tokens\":1}",
        );
        assert!(several.starts_with("2 engines coefficients, "), "{several}");
        assert!(
            several.ends_with("prefix caching off, prompts in one step, drafts of 1 (mtp), requests go to the one with the fewest"),
            "{several}"
        );
    }

    #[test]
    fn what_is_wrong_with_a_flag_is_told_by_its_name() {
        let given = [("max_num_seqs", "0"), ("seed", "x")];
        let words = format!("{}max_num_seqs takes a whole number", simulator::OPTIONS);
        assert_eq!(with_flag(&words, &given).unwrap(), "--max-num-seqs takes a whole number");
        let words = format!("{}block_size takes a whole number", simulator::OPTIONS);
        assert_eq!(with_flag(&words, &given), None);
    }
}
