//! Programs that run on behalf of a sweep, each in a process group of its own, so that a signal reaches all of it and nothing else.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::secrets::hidden;
use super::signals::Signals;
use super::words::Words;
use crate::screen::Screen;
use crate::surroundings::now;
use crate::trouble::Trouble;

/// Where the output of a program goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Output<'a> {
    /// To where this program's own goes.
    Shown,
    /// To the end of a file.
    File(&'a Path),
}

/// A program with its process group, which is stopped when this is dropped.
#[derive(Debug)]
pub(crate) struct Group {
    child: Child,
    group: Pid,
}

impl Group {
    /// Starts a program.
    ///
    /// # Errors
    /// If it cannot be started, or its output has nowhere to go.
    pub(crate) fn start(
        words: &Words,
        output: Output<'_>,
        variables: &[(&str, &str)],
    ) -> Result<Self, Trouble> {
        let mut command = words.command();
        command.stdin(Stdio::null()).process_group(0).envs(variables.iter().copied());
        if let Output::File(path) = output {
            let cannot = |error: io::Error| {
                Trouble::caused(format!("cannot write {}", path.display()), &error)
            };
            let file = File::options().create(true).append(true).open(path).map_err(cannot)?;
            command.stdout(file.try_clone().map_err(cannot)?).stderr(file);
        }
        let child = command.spawn().map_err(|error| {
            let program = words.program();
            Trouble::failed(format!("cannot start {}: {error}", hidden(program))).with_hint(
                match program.contains('=') {
                    true => "no shell is involved: env NAME=VALUE COMMAND … sets a variable",
                    false => "look whether the command is installed, and spelt right",
                },
            )
        })?;
        let group = Pid::from_raw(child.id().cast_signed());
        Ok(Self { child, group })
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits for its end. Every signal that this program gets is handed on as an interruption; at the third the group is killed.
    ///
    /// # Errors
    /// If the system cannot tell.
    pub(crate) fn wait(&mut self, signals: &Signals) -> Result<ExitStatus, Trouble> {
        // A signal that came while it was being started is handed on as well.
        let mut known = 0;
        loop {
            let ended = self.child.try_wait();
            if let Some(status) =
                ended.map_err(|error| Trouble::caused("cannot await a command", &error))?
            {
                return Ok(status);
            }
            signals.pause(LOOK_AGAIN, known);
            if signals.count() > known {
                known = signals.count();
                self.signal(if known < 3 { Signal::SIGINT } else { Signal::SIGKILL });
            }
        }
    }

    /// Asks all of it to end, and after a while makes it.
    pub(crate) fn stop(&mut self, signals: &Signals) {
        self.signal(Signal::SIGTERM);
        let deadline = now() + PATIENCE;
        // A second Ctrl-C, or a third, is somebody who does not want to wait.
        let known = signals.count();
        while !self.is_gone() && now() < deadline && signals.count() <= known {
            signals.pause(LOOK_AGAIN, known);
        }
        self.signal(Signal::SIGKILL);
        drop(self.child.wait());
    }

    /// Whether nothing of it is left, but for what its own system has not taken note of.
    fn is_gone(&mut self) -> bool {
        let ended = self.ended().is_some();
        ended && killpg(self.group, None) == Err(Errno::ESRCH)
    }

    /// That nobody is left to hear it is no trouble.
    fn signal(&self, signal: Signal) {
        let _ = killpg(self.group, signal);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.is_gone() {
            self.stop(&Signals::default());
        }
    }
}

/// Says the last lines of what stands in a log behind its first `known` bytes, but for what could steer a terminal.
pub(crate) fn say_last_lines(log: &Path, known: u64, screen: &Screen) {
    let bytes = fs::read(log).unwrap_or_default();
    let known = usize::try_from(known).unwrap_or(usize::MAX).min(bytes.len());
    let text = String::from_utf8_lossy(&bytes[known..]);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    for line in &lines[lines.len().saturating_sub(LAST_LINES)..] {
        let harmless: String = line.chars().filter(|sign| !sign.is_control()).take(400).collect();
        screen.say(format!("  | {harmless}"));
    }
}

/// How many lines of a log are said where a program has failed.
const LAST_LINES: usize = 12;

/// How often a program is looked after.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// How long a program may take to end when it is asked to.
const PATIENCE: Duration = Duration::from_secs(10);
