//! `cargo xtask parity`: a peer's own client and ours, by turns, with the same arguments against one server.
//!
//! Both write their result files, and the figures are read from those, so that what is compared is what users would compare. Where the two
//! agree, ours means what the peer's means; where they cannot (the peer saturates), docs/performance.md has the truth to hold both against.

mod peer;

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Failed;
use crate::bench::{Running, await_port, build};
use peer::{PEERS, Peer, Scene};

/// Runs both by turns and prints the table.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failed> {
    let asked = Asked::read(arguments)?;
    let ours = build()?;
    let folder = std::env::temp_dir().join(format!("tokometer-parity-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let (_simulator, address) = match &asked.server {
        Some(address) => (None, address.clone()),
        None => simulator(&ours, &asked)?,
    };
    println!(
        "| concurrency | figure | {} | tokometer | difference | allowed | |\n|---:|---|---:|---:|---:|---:|---|",
        asked.peer.name
    );
    let mut differing = 0;
    for &concurrency in &asked.concurrency {
        let mut pairs = Vec::with_capacity(asked.pairs);
        for pair in 0..asked.pairs {
            let scene = Scene {
                address: &address,
                model: &asked.model,
                tokenizer: &asked.tokenizer,
                concurrency,
                // Enough for ten turns of every place.
                requests: asked.requests.max(concurrency * 10),
                tokens: asked.tokens,
                chat: asked.chat,
                // Two seeds a pair, so that neither finds the other's prompts in the server's cache.
                seed: 1000 * concurrency + 2 * pair,
                folder: folder.join(format!("{concurrency}-{pair}")),
            };
            pairs.push(both(&asked, &ours, &scene, pair)?);
        }
        for (at, figure) in asked.peer.figures.iter().enumerate() {
            let column = |side: fn(&Pair) -> &Vec<f64>| {
                pairs.iter().map(|pair| side(pair)[at]).collect::<Vec<_>>()
            };
            let row = Row::of(&column(|pair| &pair.theirs), &column(|pair| &pair.ours), figure);
            println!("| {concurrency} | {} | {row} |", figure.title);
            differing += u32::from(!row.agrees());
        }
    }
    fs::remove_dir_all(&folder)?;
    match differing {
        0 => Ok(()),
        n => Err(format!("{n} figures differ by more than is allowed").into()),
    }
}

/// The figures of one pair of runs, in the order of the peer's list.
struct Pair {
    theirs: Vec<f64>,
    ours: Vec<f64>,
}

/// Runs the two, who goes first changing from pair to pair.
fn both(asked: &Asked, ours: &Path, scene: &Scene<'_>, pair: usize) -> Result<Pair, Failed> {
    let theirs = || asked.peer.run(&asked.command, scene, "peer", 0);
    let own = || asked.peer.run(ours, scene, "ours", 1);
    let (theirs, ours) = match pair.is_multiple_of(2) {
        true => (theirs()?, own()?),
        false => {
            let own = own()?;
            (theirs()?, own)
        }
    };
    Ok(Pair { theirs, ours })
}

/// How a figure may differ.
#[derive(Clone, Copy)]
pub(crate) enum Allowed {
    /// By this share of the peer's.
    Share(f64),
    /// By 2 % of the peer's, or by half a millisecond where that is more.
    Latency,
}

struct Row {
    theirs: f64,
    ours: f64,
    allowed: f64,
}

impl Row {
    /// The means over the pairs.
    fn of(theirs: &[f64], ours: &[f64], figure: &peer::Figure) -> Self {
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let (theirs, ours) = (mean(theirs), mean(ours));
        let allowed = match figure.allowed {
            Allowed::Share(share) => theirs.abs() * share,
            Allowed::Latency => (theirs.abs() * 0.02).max(0.5),
        };
        Self { theirs, ours, allowed }
    }
}

impl Row {
    /// Whether the two are as near as they must be; what is no number is not.
    fn agrees(&self) -> bool {
        (self.ours - self.theirs).abs() <= self.allowed
    }
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let difference = self.ours - self.theirs;
        let verdict = if self.agrees() { "agrees" } else { "**differs**" };
        let share = 100.0 * difference / self.theirs;
        write!(
            f,
            "{:.3} | {:.3} | {difference:+.3} ({share:+.2} %) | ±{:.3} | {verdict}",
            self.theirs, self.ours, self.allowed
        )
    }
}

/// What was asked for.
struct Asked {
    peer: &'static Peer,
    command: PathBuf,
    server: Option<String>,
    model: String,
    tokenizer: String,
    pairs: usize,
    concurrency: Vec<usize>,
    requests: usize,
    tokens: usize,
    /// Whether conversations are sent, or plain prompts.
    chat: bool,
}

impl Asked {
    fn read(arguments: &[String]) -> Result<Self, Failed> {
        let [name, command, tokenizer, rest @ ..] = arguments else {
            return Err(USAGE.into());
        };
        let peer = PEERS.iter().find(|peer| peer.name == name).ok_or(USAGE)?;
        let mut asked = Self {
            peer,
            command: command.into(),
            server: None,
            model: "parity".into(),
            tokenizer: tokenizer.clone(),
            pairs: 5,
            concurrency: vec![1, 20],
            requests: 20,
            tokens: 32,
            chat: true,
        };
        for pair in rest.chunks(2) {
            let [flag, value] = pair else { return Err(USAGE.into()) };
            match flag.as_str() {
                "--server" => asked.server = Some(value.clone()),
                "--model" => asked.model.clone_from(value),
                "--pairs" => asked.pairs = value.parse()?,
                "--requests" => asked.requests = value.parse()?,
                "--tokens" => asked.tokens = value.parse()?,
                "--api" => asked.chat = value == "chat",
                "--concurrency" => {
                    asked.concurrency =
                        value.split(',').map(str::parse).collect::<Result<_, _>>()?;
                }
                _ => return Err(USAGE.into()),
            }
        }
        Ok(asked)
    }
}

/// A simulator for both, and its address.
fn simulator(binary: &Path, asked: &Asked) -> Result<(Option<Running>, String), Failed> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut simulator = Command::new(binary);
    simulator.args(["sim", "--port", &port.to_string(), "--model", &asked.model]);
    simulator.args(["--ttft-ms", "200", "--itl-ms", "20", "--tokenizer", &asked.tokenizer]);
    let simulator = Running::of(simulator.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
    await_port(port)?;
    Ok((Some(simulator), format!("127.0.0.1:{port}")))
}

const USAGE: &str = "usage: cargo xtask parity vllm|evalscope COMMAND TOKENIZER [--server HOST:PORT --model NAME] [--api chat|completions] \
                     [--pairs N] [--concurrency 1,20] [--requests N] [--tokens N]; without a server the simulator is one";
