//! What went wrong, in the words of whoever typed flags of vLLM's: the rooms below name settings by the flags of `perf`, and
//! settings of datasets by their place in a plan.

use super::settings::flag_of;
use crate::dialect::wording::translated;

/// The text with every flag of `perf`, and every setting of the dataset, replaced by the flag of vLLM's behind it. `based` tells whether
/// the server was named by `--base-url`.
pub(crate) fn by_flags(text: &str, dataset: &str, based: bool) -> String {
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
    let text = settings_of_dataset(&text.collect::<Vec<_>>().join(" "), dataset);
    match based {
        true => text,
        false => BY_HOST.iter().fold(text, |text, (url, host)| text.replace(url, host)),
    }
}

/// What is said of a URL, where it was not typed.
const BY_HOST: &[(&str, &str)] = &[
    ("the host and the port of --base-url", "--host and --port (or give --base-url)"),
    ("the host of --base-url", "--host (or give --base-url)"),
    ("the port of --base-url", "--port (or give --base-url)"),
    ("the path of --base-url", "--endpoint"),
    ("try https://", "try --base-url https://…"),
    ("check --base-url", "check --host, --port and --endpoint"),
];

/// `prompts.args.input_len of the dataset random: …` becomes `--random-input-len: …`. A setting that has its flag beside it stays.
fn settings_of_dataset(text: &str, dataset: &str) -> String {
    let of = format!(" of the dataset {dataset}");
    let mut parts = text.split("prompts.args.");
    let mut said = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let in_name = |sign: char| sign.is_ascii_alphanumeric() || sign == '_';
        let (name, after) = part.split_at(part.find(|sign| !in_name(sign)).unwrap_or(part.len()));
        match flag_of(&format!("prompts.args.{name}"), dataset) {
            Some(flag) if !after.starts_with(" (--") => {
                said.push_str(flag);
                said.push_str(&after.replacen(&of, "", 1));
            }
            _ => said.extend(["prompts.args.", part]),
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_of_perf_become_vllms() {
        let said = |text: &str| by_flags(text, "sharegpt", true);
        assert_eq!(said("check --dataset-path"), "check --dataset-path");
        assert_eq!(said("give --tokenizer-path a folder"), "give --tokenizer a folder");
        assert_eq!(said("name it: --model NAME"), "name it: --model NAME");
        assert_eq!(said("lower --number, or add memory"), "lower --num-prompts, or add memory");
        assert_eq!(said("--dataset sharegpt needs one"), "--dataset-name sharegpt needs one");
    }

    #[test]
    fn settings_of_the_dataset_become_its_flags() {
        let said = |text: &str| by_flags(text, "random-mm", true);
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
        assert_eq!(by_flags(other, "hf", true), other);
        assert_eq!(
            by_flags(
                "no field; prompts.args.label_output_length names another",
                "timed_trace",
                true
            ),
            "no field; --timed-trace-label-output-length names another"
        );
    }

    #[test]
    fn a_server_is_spoken_of_as_it_was_typed() {
        let said = |based| by_flags("check the host and the port of --url", "random", based);
        assert_eq!(said(true), "check the host and the port of --base-url");
        assert_eq!(said(false), "check --host and --port (or give --base-url)");
    }
}
