//! The server of a sweep: started, awaited, cleared of what one run would leave to the next, and stopped.
//!
//! Where no command was given it is one that runs already, and it is neither started nor stopped.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokometer_engine::{Engine, Settings, Target, Timeouts, Tls};
use tokometer_wire::APIS;

use super::child::{Group, Output, say_last_lines};
use super::halt::Halt;
use super::secrets::hidden;
use super::signals::Signals;
use super::words::Words;
use crate::screen::Screen;
use crate::surroundings::now;
use crate::trouble::{Trouble, chain};

/// Where a server is spoken to outside any load.
pub(crate) struct Address {
    /// As it may be shown.
    base: String,
    engine: Engine,
}

/// A server, for as long as this lives.
pub(crate) struct Server {
    address: Address,
    started: Option<Started>,
    signals: Signals,
}

struct Started {
    group: Group,
    log: Option<PathBuf>,
    /// How long its log was before it started.
    known: u64,
}

/// How a server is to be started.
pub(crate) struct Order<'a> {
    /// The command, or none for a server that runs already.
    pub(crate) command: Option<&'a Words>,
    /// The benchmark's command, which may say where the server is.
    pub(crate) bench: &'a Words,
    /// Where its output goes, unless it is shown.
    pub(crate) log: Option<&'a Path>,
    /// How long it may take until it is ready.
    pub(crate) within: Duration,
}

impl Server {
    /// Starts it, and waits until it is ready.
    ///
    /// # Errors
    /// If it cannot be started, ends before it is ready, is not ready in time, or something else answers where it would.
    pub(crate) fn start(
        order: &Order<'_>,
        signals: &Signals,
        screen: &Screen,
    ) -> Result<Self, Halt> {
        let address = Address::of(order.bench, order.command)?;
        let Some(command) = order.command else {
            let server = Self { address, started: None, signals: signals.clone() };
            server.found()?;
            return Ok(server);
        };
        if address.answers().is_some() {
            let trouble = Trouble::failed(format!("something answers at {} already", address.base));
            return Err(Halt::from(trouble.with_hint(
                "stop it, or leave --serve-cmd out to measure it; or give the server another --port",
            )));
        }
        screen.say(format!("starting the server: {}", command.shown()));
        let output = order.log.map_or(Output::Shown, Output::File);
        let known = order.log.and_then(|log| log.metadata().ok()).map_or(0, |log| log.len());
        let group = Group::start(command, output, &[("VLLM_SERVER_DEV_MODE", "1")])?;
        let started = Started { group, log: order.log.map(Path::to_owned), known };
        let mut server = Self { address, started: Some(started), signals: signals.clone() };
        server.await_ready(order.within, screen)?;
        Ok(server)
    }

    /// # Errors
    /// If the server has ended, with its last words.
    pub(crate) fn check_alive(&mut self, screen: &Screen) -> Result<(), Trouble> {
        let Some(started) = &mut self.started else { return Ok(()) };
        match started.group.ended() {
            None => Ok(()),
            Some(status) => {
                Err(ended(started, &format!("the server has ended ({status})"), screen))
            }
        }
    }

    /// Clears the caches that would make the next run faster than the one before. A server that has no way to is told of once.
    pub(crate) fn reset_caches(&self, screen: &Screen, told: &mut bool) {
        let mut missing = 0;
        for path in CACHES {
            match self.address.engine.post(path, &[]) {
                Ok(answer) if (200..300).contains(&answer.status) => {}
                Ok(answer) if [404, 405, 501].contains(&answer.status) => missing += 1,
                Ok(answer) => screen.say(format!(
                    "warning: {}{path}: HTTP {}: the cache was not cleared, and the next run may profit from it",
                    self.address.base, answer.status
                )),
                Err(failure) => screen.say(format!(
                    "warning: {}{path}: {}: the cache was not cleared",
                    self.address.base, failure.message
                )),
            }
        }
        if missing == CACHES.len() && !*told {
            *told = true;
            screen.say(
                "warning: the server has no way to clear its caches (vLLM: VLLM_SERVER_DEV_MODE=1): later runs of the same prompts may be \
                 faster than the first; --after-bench-cmd can clear them otherwise",
            );
        }
    }

    /// Stops it, if it was started here.
    pub(crate) fn stop(mut self, screen: &Screen) {
        if let Some(mut started) = self.started.take() {
            screen.say("stopping the server");
            started.group.stop(&self.signals);
        }
    }

    /// # Errors
    /// If nothing answers where a server was said to be.
    fn found(&self) -> Result<(), Trouble> {
        match self.address.answers() {
            Some(_) => Ok(()),
            None => Err(Trouble::failed(format!("no server answers at {}", self.address.base))
                .with_hint("start one, give --serve-cmd to have it started, or say where it is by --base-url in --bench-cmd")),
        }
    }

    fn await_ready(&mut self, within: Duration, screen: &Screen) -> Result<(), Halt> {
        let deadline = now() + within;
        loop {
            if self.signals.count() > 0 {
                return Err(Halt::Interrupted);
            }
            self.check_alive(screen)?;
            if self.address.is_ready() {
                return Ok(());
            }
            if now() >= deadline {
                let what = format!(
                    "the server was not ready within {} s: GET {}/health",
                    within.as_secs(),
                    self.address.base
                );
                let trouble = match &self.started {
                    Some(started) => ended(started, &what, screen),
                    None => Trouble::failed(what),
                };
                return Err(Halt::from(trouble));
            }
            self.signals.pause(ASK_AGAIN, 0);
        }
    }
}

impl Address {
    /// As the benchmark says it, or else the server's command; 127.0.0.1 and port 8000 are what both take for granted.
    fn of(bench: &Words, server: Option<&Words>) -> Result<Self, Trouble> {
        let base = base(bench, server);
        let unusable = |error| {
            let (base, why) = (hidden(&base), hidden(&chain(&error)));
            Trouble::input(format!("--bench-cmd: no server can be at {base}: {why}"))
        };
        let target = Target::parse(&format!("{base}/v1/models"), APIS[0]).map_err(unusable)?;
        let settings = Settings {
            target,
            api: APIS[0],
            stream: false,
            headers: Vec::new(),
            secrets: Vec::new(),
            timeouts: Timeouts {
                connect: Some(PROMPT),
                first_byte: Some(PROMPT),
                ..Timeouts::default()
            },
            tls: Tls { insecure: bench.has("insecure"), ca_cert: None },
            http2: false,
            proxy: None,
            workers: NonZeroUsize::MIN,
            keep_output: false,
            keep_prompt: false,
            request_id_prefix: "tokometer-sweep-".to_owned(),
            drain: Duration::ZERO,
        };
        let engine = Engine::start(settings).map_err(|error| {
            Trouble::failed(format!("cannot speak to {}: {}", hidden(&base), chain(&error)))
        })?;
        Ok(Self { base: hidden(&base), engine })
    }

    /// Whether it serves. A server that knows no `/health` is asked for its models.
    fn is_ready(&self) -> bool {
        match self.answers() {
            Some(404 | 405) => self
                .engine
                .get("/v1/models")
                .is_ok_and(|answer| (200..300).contains(&answer.status)),
            status => status.is_some_and(|status| (200..300).contains(&status)),
        }
    }

    /// The status of its `/health`, if anything answers.
    fn answers(&self) -> Option<u16> {
        self.engine.get("/health").ok().map(|answer| answer.status)
    }
}

/// What stands before `/v1` and `/health`. A `--base-url` may end in the former, with an `--endpoint` that goes on from there.
fn base(bench: &Words, server: Option<&Words>) -> String {
    if let Some(base) = bench.value("base-url") {
        let base = base.trim_end_matches('/');
        return base.strip_suffix("/v1").unwrap_or(base).trim_end_matches('/').to_owned();
    }
    let says = |name| bench.value(name).or_else(|| server?.value(name));
    let short = || server?.value_of_short("-p");
    let host = match says("host") {
        None | Some("0.0.0.0" | "localhost") => "127.0.0.1".to_owned(),
        Some("::") => "[::1]".to_owned(),
        Some(host) if host.contains(':') && !host.starts_with('[') => format!("[{host}]"),
        Some(host) => host.to_owned(),
    };
    let port = says("port").or_else(short).unwrap_or("8000");
    format!("http://{host}:{port}")
}

/// What went wrong with a server, its last words said before.
fn ended(started: &Started, what: &str, screen: &Screen) -> Trouble {
    let Some(log) = &started.log else { return Trouble::failed(what) };
    say_last_lines(log, started.known, screen);
    Trouble::failed(what).with_hint(format!("its whole output is in {}", log.display()))
}

/// What vLLM clears its caches by.
const CACHES: [&str; 3] = ["/reset_prefix_cache", "/reset_mm_cache", "/reset_encoder_cache"];

/// How long a server that is ready takes to say so.
const PROMPT: Duration = Duration::from_secs(10);

/// How often a server is asked whether it is ready.
const ASK_AGAIN: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;

    fn base_of(bench: &str, server: Option<&str>) -> String {
        let server = server.map(|server| Words::split("--serve-cmd", server).unwrap());
        base(&Words::split("--bench-cmd", bench).unwrap(), server.as_ref())
    }

    #[test]
    fn the_benchmark_says_where_the_server_is_and_else_its_own_command() {
        assert_eq!(base_of("b --base-url http://h:1/p/", None), "http://h:1/p");
        assert_eq!(base_of("b --base-url http://h:1/v1", None), "http://h:1");
        assert_eq!(base_of("b --base-url http://h:1/p/v1/", None), "http://h:1/p");
        assert_eq!(base_of("b --port 9", Some("s --port 8 --host 0.0.0.0")), "http://127.0.0.1:9");
        assert_eq!(base_of("b", Some("s -p 8 --host ::1")), "http://[::1]:8");
        assert_eq!(base_of("b", None), "http://127.0.0.1:8000");
    }
}
