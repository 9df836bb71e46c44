//! Keys of what a server does wrong: `fault`, and what is said of the fault just before.
//!
//! Deliberately knows no fault by name: they are for [`crate::faults`].

use crate::faults::{self, Faults, Rule};
use crate::options::query::{length, number, numbers, share};
use crate::options::{Group, OptionsError};

/// The keys.
pub(super) const GROUP: Group = Group {
    title: "What goes wrong",
    keys: &[
        ("fault", "faults with commas between them; may be given several times"),
        ("fault_rate", "the share of requests that get the faults named just before"),
        ("fault_requests", "the numbers of the requests that get them, from 0: 3,7-9"),
        (
            "fault_from_ms",
            "from which moment on they are given, in milliseconds since the server's start",
        ),
        ("fault_until_ms", "from which moment on they are given no more"),
        ("fault_after", "how many chunks come before them"),
        ("fault_ms", "how long they last, in milliseconds"),
        ("fault_tokens", "how many tokens they are about: of a chunk, or too many in the usage"),
        ("fault_retry_after", "after how many seconds a client is told to try again"),
        ("connections", "the most connections at once; further ones are accepted and reset"),
    ],
};

/// Takes one of [`GROUP`]'s keys.
pub(super) fn set(all: &mut Faults, key: &str, value: &str) -> Result<(), OptionsError> {
    if key == "fault" {
        all.rules.push(Rule::always(faults::parse(value)?));
        return Ok(());
    }
    if key == "connections" {
        all.connections = Some(number(key, value)?);
        return Ok(());
    }
    let without = || OptionsError::WithoutFault { key: key.to_owned() };
    let rule = all.rules.last_mut().ok_or_else(without)?;
    match key {
        "fault_rate" => rule.when.rate = Some(share(key, value)?),
        "fault_requests" => rule.when.requests = numbers(key, value)?,
        "fault_from_ms" => rule.when.from = length(key, value)?,
        "fault_until_ms" => rule.when.until = Some(length(key, value)?),
        _ => rule.settings.set(key.strip_prefix("fault_").unwrap_or(key), value)?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::faults::{Kind, Settings, When};
    use crate::options::Options;

    #[test]
    fn settings_of_a_fault_belong_to_the_fault_before_them() {
        let query = "fault=reset,crlf&fault_rate=0.1&fault=stall_between&fault_requests=3,7-9&fault_after=2&fault_ms=50\
                     &fault_tokens=7&fault_retry_after=9&fault_from_ms=1000&fault_until_ms=2000&connections=5";
        let faults = Options::from_query(query).unwrap().faults;
        assert_eq!(faults.connections, Some(5));
        let [first, second] = &faults.rules[..] else { panic!("{faults:?}") };
        let rate = When { rate: Some(0.1), ..When::default() };
        assert_eq!((&first.kinds[..], &first.when), (&[Kind::Reset, Kind::Crlf][..], &rate));
        let millis = Duration::from_millis;
        let (requests, until) = (vec![3..=3, 7..=9], Some(millis(2000)));
        assert_eq!(second.when, When { rate: None, requests, from: millis(1000), until });
        let (after, length) = (Some(2), Some(millis(50)));
        let settings = Settings { after, length, tokens: Some(7), retry_after: Some(9) };
        assert_eq!(second.settings, settings);
    }
}
