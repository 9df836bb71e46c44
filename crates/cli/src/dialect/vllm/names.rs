//! The flags that a command has, by their names, and which of them is meant by what was typed.
//!
//! `_` may stand for `-`, and the beginning of a name for the name. Deliberately nothing here knows what a flag means.

use clap::Command;

use crate::trouble::Trouble;

/// The flags that a command has.
#[derive(Debug)]
pub(super) struct Names(Vec<String>);

impl Names {
    /// Those of this command.
    pub(super) fn of(command: &Command) -> Self {
        let flags = command.get_arguments().filter_map(|arg| arg.get_long().map(str::to_owned));
        Self(flags.chain(["help".to_owned()]).collect())
    }

    /// Whether there is a flag of exactly that name, without its dashes.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|flag| flag == name)
    }

    /// The flags, without their dashes.
    pub(super) fn all(&self) -> impl Iterator<Item = &str> + Clone {
        self.0.iter().map(String::as_str)
    }

    /// The flag that `name`, without its dashes, stands for: itself, or the only one that it begins. What begins none is left as
    /// it is, for the parser to refuse.
    ///
    /// # Errors
    /// If it begins several.
    pub(super) fn meant(&self, name: &str) -> Result<String, Trouble> {
        let name = name.replace('_', "-");
        if self.has(&name) {
            return Ok(name);
        }
        let begun: Vec<&str> =
            self.0.iter().map(String::as_str).filter(|flag| flag.starts_with(&name)).collect();
        match begun[..] {
            [only] => Ok(only.to_owned()),
            [] => Ok(name),
            _ => {
                let flags: Vec<_> = begun.iter().map(|flag| format!("--{flag}")).collect();
                Err(Trouble::input(format!("--{name} could be {}", flags.join(", ")))
                    .with_hint("write as much of it as tells them apart"))
            }
        }
    }
}
