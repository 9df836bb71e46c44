//! What groups and configurations are called beside each other: as briefly as they can be told apart.

use crate::cases::{Case, by_lengths};

/// The names of these cases.
pub(super) struct Labels<'a> {
    /// Each group with the name that it is shown by.
    groups: Vec<(String, String)>,
    /// The cases of each pair of lengths, with the lengths that all of them are shown by where nothing was asked for.
    together: Vec<(&'a Case, [Option<f64>; 2], bool)>,
}

impl<'a> Labels<'a> {
    /// Of these cases, which are all that stand in a chart.
    pub(super) fn of(cases: impl IntoIterator<Item = &'a Case>) -> Self {
        let cases: Vec<&Case> = cases.into_iter().collect();
        let together = by_lengths(cases.iter().copied()).into_iter().filter_map(|alike| {
            let first = *alike.first()?;
            let scatters = alike.iter().any(|case| {
                (case.input_len, case.output_len) != (first.input_len, first.output_len)
            });
            let mean = |of: fn(&Case) -> Option<f64>| {
                let known: Vec<f64> = alike.iter().filter_map(|case| of(case)).collect();
                (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
            };
            Some((first, [mean(|case| case.input_len), mean(|case| case.output_len)], scatters))
        });
        Self { groups: names(cases.iter().copied()), together: together.collect() }
    }

    /// A case in short, with its group where there are several: `70b 512x64_mc4`.
    pub(super) fn label(&self, case: &Case) -> String {
        self.with_group(case, &format!("{}_{}", self.lengths(case, "x"), case.load()))
    }

    /// Its lengths, with its group where there are several: `70b 512×64`.
    pub(super) fn row(&self, case: &Case) -> String {
        self.with_group(case, &self.lengths(case, "×"))
    }

    /// The lengths that all cases of its kind are shown by. Where they were measured and scatter, it is about their mean.
    pub(super) fn lengths(&self, case: &Case, times: &str) -> String {
        match self.together.iter().find(|(first, ..)| first.has_lengths_of(case)) {
            Some((_, means, true)) => {
                let (own, shown) = (case.lengths(times), case.lengths_or(times, *means));
                // What was asked for is shown as it was asked for, whatever it came out as.
                if case.lengths_or(times, [None; 2]) == own { own } else { format!("~{shown}") }
            }
            _ => case.lengths(times),
        }
    }

    /// The name of its group, where there are several.
    pub(super) fn group(&self, case: &Case) -> Option<String> {
        (self.groups.len() > 1).then(|| name(&self.groups, &case.group))
    }

    fn with_group(&self, case: &Case, told: &str) -> String {
        match self.group(case).filter(|group| !group.is_empty()) {
            Some(group) => format!("{group} {told}"),
            None => told.to_owned(),
        }
    }
}

/// Each group once, with the name that it is shown by: the last part of a path, without what all of them begin with, as far as that
/// tells all of them apart.
fn names<'a>(cases: impl Iterator<Item = &'a Case>) -> Vec<(String, String)> {
    let mut groups: Vec<&str> = Vec::new();
    for case in cases {
        if !groups.contains(&case.group.as_str()) {
            groups.push(&case.group);
        }
    }
    let last =
        |group: &&str| group.trim_end_matches('/').rsplit('/').next().unwrap_or(group).to_owned();
    let short: Vec<String> = groups.iter().map(last).collect();
    let are_unique = |names: &[String]| {
        names
            .iter()
            .enumerate()
            .all(|(place, name)| !name.is_empty() && !names[..place].contains(name))
    };
    let shared = shared(&short);
    let cut: Vec<String> = short.iter().map(|name| name[shared..].to_owned()).collect();
    let full = groups.iter().map(|group| (*group).to_owned()).collect();
    let chosen = [cut, short].into_iter().find(|names| are_unique(names)).unwrap_or(full);
    groups.iter().map(|group| (*group).to_owned()).zip(chosen).collect()
}

/// How many bytes all names begin with alike, up to and with a sign between words.
fn shared(names: &[String]) -> usize {
    let [first, others @ ..] = names else { return 0 };
    if others.is_empty() {
        return 0;
    }
    let ends = first.char_indices().filter(|(_, sign)| matches!(sign, '-' | '_' | ':' | ' '));
    let ends: Vec<usize> = ends.map(|(at, sign)| at + sign.len_utf8()).collect();
    let is_shared = |end: &&usize| others.iter().all(|name| name.starts_with(&first[..**end]));
    ends.iter().rev().find(is_shared).copied().unwrap_or(0)
}

/// The name that a group is shown by.
fn name(names: &[(String, String)], group: &str) -> String {
    names
        .iter()
        .find(|(known, _)| known == group)
        .map_or_else(|| group.to_owned(), |(_, name)| name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(groups: &[&str]) -> Vec<String> {
        let cases: Vec<Case> = groups
            .iter()
            .map(|group| Case { group: (*group).to_owned(), ..Case::default() })
            .collect();
        names(cases.iter()).into_iter().map(|(_, name)| name).collect()
    }

    #[test]
    fn groups_are_shown_by_what_tells_them_apart() {
        assert_eq!(shown(&["meta/llama-3.1-8b", "meta/llama-3.1-70b"]), ["8b", "70b"]);
        assert_eq!(shown(&["a/x", "b/x"]), ["a/x", "b/x"]);
        assert_eq!(shown(&["llama", "qwen"]), ["llama", "qwen"]);
        assert_eq!(shown(&["m-", "m-1"]), ["m-", "m-1"]);
        assert_eq!(shown(&["llama-8b"]), ["llama-8b"]);
    }

    #[test]
    fn a_case_bears_its_group_only_beside_others() {
        let of = |group: &str| Case {
            group: group.to_owned(),
            input_len: Some(8.0),
            output_len: Some(4.0),
            concurrency: Some(2.0),
            ..Case::default()
        };
        let two = [of("m-a"), of("m-b")];
        assert_eq!(Labels::of(&two).label(&two[1]), "b 8x4_mc2");
        assert_eq!(Labels::of(&two[..1]).label(&two[0]), "8x4_mc2");
    }

    #[test]
    fn measured_lengths_that_scatter_are_shown_by_their_mean() {
        let of =
            |input: f64| Case { input_len: Some(input), output_len: Some(64.0), ..Case::default() };
        let cases = [of(380.6), of(391.4)];
        let labels = Labels::of(&cases);
        assert_eq!(cases.each_ref().map(|case| labels.row(case)), ["~386×64", "~386×64"]);
    }
}
