//! What went wrong, in the words of whoever typed flags of vLLM's: the rooms below name settings by the flags of `perf`, and
//! settings of datasets by their place in a plan.

use super::settings::flag_of;
use crate::dialect::wording::translated;

/// The text with every flag of `perf`, and every setting of the dataset, replaced by the flag of vLLM's behind it.
pub(crate) fn by_flags(text: &str, dataset: &str) -> String {
    let text = translated(text, |setting| {
        let flag = match setting {
            "load.points" => Some("--max-concurrency"),
            setting => flag_of(setting, dataset),
        };
        flag.map(str::to_owned)
    });
    let text = text.split(' ').map(|word| match word.trim_end_matches([',', ';', ':', '.']) {
        // `perf` has no setting of its own for it: it is one of a point's.
        "--number" => word.replace("--number", "--num-prompts"),
        _ => word.to_owned(),
    });
    settings_of_dataset(&text.collect::<Vec<_>>().join(" "), dataset)
}

/// `prompts.args.input_len of the dataset random: …` becomes `--random-input-len: …`.
fn settings_of_dataset(text: &str, dataset: &str) -> String {
    let of = format!(" of the dataset {dataset}");
    let found = || {
        let (before, from) = text.split_once("prompts.args.")?;
        let (path, after) = from.split_once(of.as_str())?;
        if path.contains(' ') {
            return None;
        }
        let name = path.split(['.', '[']).next().unwrap_or(path);
        let flag = flag_of(&format!("prompts.args.{name}"), dataset)?;
        Some(format!("{before}{flag}{}{after}", &path[name.len()..]))
    };
    found().unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_of_perf_become_vllms() {
        let said = |text: &str| by_flags(text, "sharegpt");
        assert_eq!(said("check --dataset-path"), "check --dataset-path");
        assert_eq!(said("give --tokenizer-path a folder"), "give --tokenizer a folder");
        assert_eq!(said("name it: --model NAME"), "name it: --model NAME");
        assert_eq!(said("lower --number, or add memory"), "lower --num-prompts, or add memory");
        assert_eq!(said("--dataset sharegpt needs one"), "--dataset-name sharegpt needs one");
    }

    #[test]
    fn settings_of_the_dataset_become_its_flags() {
        let said = |text: &str| by_flags(text, "random-mm");
        assert_eq!(
            said("prompts.args.input_len of the dataset random-mm: 0 leaves none"),
            "--random-input-len: 0 leaves none"
        );
        assert_eq!(
            said("prompts.args.bucket_config[0].frames of the dataset random-mm: a video"),
            "--random-mm-bucket-config[0].frames: a video"
        );
        let other = "the name as prompts.args.name (--hf-name)";
        assert_eq!(said(other), other);
    }
}
