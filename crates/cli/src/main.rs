//! tokometer: a load tester for LLM inference services.
//!
//! A table of contents. The command line is read, one command runs, and how it went becomes the exit code.

mod command_line;
mod commands;
mod dialect;
mod exit;
mod interruption;
mod limits;
mod refusal;
mod screen;
mod session;
mod simulator;
mod surroundings;
mod trouble;

use std::process::ExitCode;

use command_line::Command;
use exit::Exit;
use screen::Screen;
use trouble::Trouble;

fn main() -> ExitCode {
    let outcome = match command_line::read() {
        Ok(Command::Perf(flags)) => commands::perf::perf(*flags),
        Ok(Command::Bench(command)) => commands::bench::bench(command),
        Ok(Command::Run(arguments)) => commands::run::run(&arguments),
        Ok(Command::Report(arguments)) => commands::report::report(&arguments),
        Ok(Command::Batch(arguments)) => commands::batch::batch(&arguments),
        Ok(Command::Single(arguments)) => commands::single::single(&arguments),
        Ok(Command::Aggregate(arguments)) => commands::aggregate::aggregate(&arguments),
        Ok(Command::Visualize(arguments)) => commands::visualize::visualize(&arguments),
        Ok(Command::Compare(arguments)) => commands::compare::compare(&arguments),
        Ok(Command::Runs(arguments)) => commands::runs::runs(&arguments),
        Ok(Command::Explain(arguments)) => commands::explain::explain(&arguments),
        Ok(Command::Watch(arguments)) => commands::watch::watch(&arguments),
        Ok(Command::Sim(arguments)) => commands::sim::sim(&arguments),
        Ok(Command::Demo(arguments)) => commands::demo::demo(&arguments),
        Err(outcome) => outcome,
    };
    ended(outcome).into()
}

fn ended(outcome: Result<Exit, Trouble>) -> Exit {
    match outcome {
        Ok(exit) => exit,
        Err(trouble) => {
            Screen::new().say(&trouble);
            trouble.exit()
        }
    }
}
