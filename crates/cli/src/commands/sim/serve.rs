//! `tokometer sim` without a subcommand: the simulator as a server, until Ctrl-C.

pub(super) mod flags;
pub(super) mod help;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use tokometer_sim::{Deployment, Options, Routing, check_certificate};
use tokometer_workload::tokenizer::{self, Hub};

use crate::commands::check_writable;
use crate::dialect::values::port;
use crate::exit::Exit;
use crate::interruption::{block_signals, wait_for_signal};
use crate::screen::Screen;
use crate::simulator;
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
        check_writable("--truth", truth)?;
    }
    let log = simulator::log(&options)?;
    let running = simulator::start(options, tokenizer, address, arguments.truth.clone(), log)
        .map_err(|error| not_started(address, &error))?;
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
        let options = simulator::options_of_flags(&self.flags.pairs(), self.options.as_deref())?;
        check_certificate(&options).map_err(|error| {
            Trouble::input(format!("--ssl-certfile: {error}"))
                .with_hint("give a certificate and its private key, both as PEM")
        })?;
        Ok(options)
    }
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
}
