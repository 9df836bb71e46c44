//! The faults that one response was given, by rules and by its request. Deliberately draws nothing.

use crate::faults::{Fault, FaultError, Kind, Settings, parse};

/// The faults of one response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Given(Vec<Fault>);

impl FromIterator<Fault> for Given {
    fn from_iter<I: IntoIterator<Item = Fault>>(faults: I) -> Self {
        Self(faults.into_iter().collect())
    }
}

impl Given {
    /// Adds what a request asks for itself, in the form `name, name; after=3; ms=500`.
    pub(crate) fn add(&mut self, asked: &str) -> Result<(), FaultError> {
        let mut parts = asked.split(';');
        let kinds = parse(parts.next().unwrap_or_default())?;
        let mut settings = Settings::default();
        for setting in parts {
            let (name, value) = setting.split_once('=').unwrap_or((setting, ""));
            settings.set(name.trim(), value.trim())?;
        }
        self.0.extend(kinds.into_iter().map(|kind| settings.of(kind)));
        Ok(())
    }

    /// The fault of that kind, if it was given.
    pub(crate) fn get(&self, kind: Kind) -> Option<&Fault> {
        self.0.iter().find(|fault| fault.kind == kind)
    }

    /// Whether a fault of that kind was given.
    pub(crate) fn has(&self, kind: Kind) -> bool {
        self.get(kind).is_some()
    }

    /// The faults of those kinds.
    pub(crate) fn all_of(&self, kinds: &[Kind]) -> impl Iterator<Item = Fault> {
        self.0.iter().filter(|fault| kinds.contains(&fault.kind)).copied()
    }

    /// The fault that answers with a status, if one was given.
    pub(crate) fn refusal(&self) -> Option<&Fault> {
        self.0.iter().find(|fault| fault.kind.status().is_some())
    }

    /// The names of all that were given.
    pub(crate) fn names(&self) -> Vec<String> {
        self.0.iter().map(|fault| fault.kind.name().to_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_header_names_faults_and_their_settings() {
        let mut given = Given::default();
        given.add("stall_between, crlf; after=2; ms=1.5; tokens=9; retry_after=30").unwrap();
        let stall = given.get(Kind::StallBetween).unwrap();
        assert_eq!((stall.after, stall.length), (2, Duration::from_micros(1500)));
        assert_eq!((stall.tokens, stall.retry_after), (9, 30));
        assert_eq!(given.names(), ["stall_between", "crlf"]);
    }

    #[test]
    fn what_is_no_fault_or_no_setting_is_refused_by_name() {
        let error = |asked| Given::default().add(asked).unwrap_err().to_string();
        assert!(error("rset").starts_with("no fault is called \"rset\"; there are status_400, "));
        assert_eq!(error("reset; ms=-1"), "ms of a fault is a number of milliseconds, not \"-1\"");
        assert_eq!(
            error("reset; for=3"),
            "a setting of a fault is after, ms, tokens or retry_after, not \"for\""
        );
    }
}
