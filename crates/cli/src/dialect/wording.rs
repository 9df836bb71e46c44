//! What is said of a setting, in the words of whoever typed it: the flag of his command, or the setting's place in his plan.
//!
//! The rooms below name settings by the flags of `tokometer perf`. For the others those names are put into their own words here, at the last
//! moment; what has no name of its own in the other tongue is left as it is.

use super::evalscope;

/// The text with every flag of `perf` replaced by what `other` calls the setting behind it.
pub(crate) fn translated(text: &str, other: impl Fn(&str) -> Option<String>) -> String {
    let mut said = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("--") {
        let (before, from) = rest.split_at(at);
        said.push_str(before);
        let length =
            from.find(|c: char| c != '-' && !c.is_ascii_alphanumeric()).unwrap_or(from.len());
        let (flag, after) = from.split_at(length);
        let own = evalscope::setting_of(flag).and_then(&other);
        said.push_str(own.as_deref().unwrap_or(flag));
        rest = after;
    }
    said.push_str(rest);
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    fn as_settings(text: &str) -> String {
        translated(text, |setting| Some(setting.to_owned()))
    }

    #[test]
    fn a_flag_becomes_the_setting_behind_it() {
        assert_eq!(as_settings("check --dataset-path"), "check prompts.path");
        assert_eq!(as_settings("--model: no"), "model: no");
        assert_eq!(as_settings("a (--url, --headers)"), "a (target.url, target.headers)");
    }

    #[test]
    fn what_is_no_flag_of_perf_stays() {
        for text in ["vllm --profiler-config x", "a -- b", "--", "no flag", "ends in --"] {
            assert_eq!(as_settings(text), text);
        }
    }

    #[test]
    fn what_has_no_name_in_the_other_tongue_stays() {
        assert_eq!(translated("check --dataset-path", |_| None), "check --dataset-path");
    }
}
