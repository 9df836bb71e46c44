//! Figures and settings in the words of findings.
//!
//! Deliberately no match for what `report` prints in tables: a finding is read, and three digits are enough to read.

use crate::ServerSide;
use crate::counted::grouped;
pub(super) use crate::counted::{count, plural};

/// A length of time in the unit that fits: `850 µs`, `12.3 ms`, `2.41 s`.
pub(super) fn time(seconds: f64) -> String {
    match seconds.abs() {
        0.0 => "0 s".to_owned(),
        length if length < 1e-3 => format!("{} µs", figure(seconds * 1e6)),
        length if length < 1.0 => format!("{} ms", figure(seconds * 1e3)),
        _ => format!("{} s", figure(seconds)),
    }
}

/// A figure with three digits, or as many as stand before its point: `0.042`, `1.5`, `12.3`, `3,120`.
pub(super) fn figure(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 99.95 => 0,
        size if size >= 9.995 => 1,
        size if size >= 0.9995 => 2,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    match text.split_once('.') {
        None => grouped(&text),
        Some(_) => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
    }
}

/// A share between 0 and 1 in per cent: `42.6 %`. It is 0 or 100 only if the share is.
pub(super) fn percent(share: f64) -> String {
    let shown = match 100.0 * share {
        percent if 0.0 < percent && percent < 0.1 => 0.1,
        percent if 99.9 < percent && percent < 100.0 => 99.9,
        percent => percent,
    };
    let text = format!("{shown:.1}");
    format!("{} %", text.strip_suffix(".0").unwrap_or(&text))
}

/// How much more it became, for what is this many times as much as before: `rose by 69.1 %`, `rose to 7.4 times as much`.
pub(super) fn rise(times: f64) -> String {
    match times {
        times if times > MOST_IN_PERCENT => format!("rose to {} times as much", figure(times)),
        times => format!("rose by {}", percent(times - 1.0)),
    }
}

/// What is this many times another: `42 % of it`, `8.4 times it`.
pub(super) fn of_it(times: f64) -> String {
    match times {
        times if times > MOST_IN_PERCENT => format!("{} times it", figure(times)),
        times => format!("{} of it", percent(times)),
    }
}

/// What a setting is called on the server that was heard; vLLM's name, said to be that, where it is neither of the two.
pub(super) fn setting(side: &ServerSide, vllm: &str, sglang: &str) -> String {
    let heard = |name: &str| side.servers.iter().any(|server| server == name);
    match (heard("vllm"), heard("sglang")) {
        (true, _) => vllm.to_owned(),
        (false, true) => sglang.to_owned(),
        (false, false) => format!("vLLM: {vllm}"),
    }
}

/// More than twice as much is told in times: nobody reads 840 % as what it is.
const MOST_IN_PERCENT: f64 = 2.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_many_times_as_much_is_not_told_in_per_cent() {
        assert_eq!([0.42, 2.0, 8.4].map(of_it), ["42 % of it", "200 % of it", "8.4 times it"]);
        assert_eq!([1.691, 7.4].map(rise), ["rose by 69.1 %", "rose to 7.4 times as much"]);
    }

    #[test]
    fn lengths_of_time_have_the_unit_that_fits() {
        let told = [0.0, 0.000_85, 0.012_34, 0.5, 2.412, 75.04, 1_234.4].map(time);
        assert_eq!(told, ["0 s", "850 µs", "12.3 ms", "500 ms", "2.41 s", "75 s", "1,234 s"]);
    }

    #[test]
    fn figures_have_three_digits_or_all_before_the_point() {
        let told = [0.0, 0.042, 0.9999, 1.5, 9.999, 12.34, 99.96, 3_120.4, 1_234_567.0].map(figure);
        assert_eq!(told, ["0", "0.042", "1", "1.5", "10", "12.3", "100", "3,120", "1,234,567"]);
    }

    #[test]
    fn a_share_is_nothing_or_all_only_if_it_is() {
        let told = [0.0, 0.000_01, 0.426, 0.5, 0.999_99, 1.0].map(percent);
        assert_eq!(told, ["0 %", "0.1 %", "42.6 %", "50 %", "99.9 %", "100 %"]);
    }

    #[test]
    fn counts_stand_in_groups_of_three() {
        assert_eq!([0, 999, 1_000, 197_632].map(count), ["0", "999", "1,000", "197,632"]);
        assert_eq!([1, 1_000].map(|n| plural(n, "token", "tokens")), ["1 token", "1,000 tokens"]);
    }

    #[test]
    fn a_setting_has_the_name_that_the_server_has_for_it() {
        let side = |servers: &[&str]| ServerSide {
            servers: servers.iter().map(|&name| name.to_owned()).collect(),
            ..ServerSide::default()
        };
        let told = |servers: &[&str]| setting(&side(servers), "--a", "--b");
        assert_eq!([told(&["vllm"]), told(&["sglang"]), told(&[])], ["--a", "--b", "vLLM: --a"]);
    }
}
