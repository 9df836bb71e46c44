//! `evalscope perf` 1.14.1: from its flags to the native form, and from a plan to its `benchmark_args.json`.

pub(crate) mod arguments;
mod flags;
mod later;
mod settings;

pub(crate) use flags::Flags;
pub(crate) use settings::{flag_of, setting_of, settings};

#[cfg(test)]
mod tests {
    use clap::{Args, Command};

    use super::*;

    /// Every flag of `evalscope perf` 1.14.1, in the order of its help.
    const FLAGS: &str = "\
        model attn-implementation api tokenizer-path url port headers api-key connect-timeout read-timeout total-timeout \
        no-test-connection scenario number parallel rate warmup-num enable-pd-metrics open-loop sleep-interval duration \
        sla-auto-tune sla-variable sla-params sla-num-runs sla-upper-bound sla-lower-bound sla-fixed-parallel \
        sla-number-multiplier db-commit-interval queue-size-multiplier in-flight-task-multiplier num-workers \
        log-every-n-query debug visualizer wandb-api-key swanlab-api-key swanlab-host name alias \
        enable-progress-tracker max-prompt-length min-prompt-length prefix-length prefix-count prompt query-template \
        apply-chat-template no-apply-chat-template image-width image-height image-format image-num image-patch-size \
        outputs-dir no-timestamp dataset dataset-path data-source dataset-offset dataset-args frequency-penalty \
        repetition-penalty logprobs max-tokens min-tokens n-choices seed stop stop-token-ids stream no-stream temperature \
        top-p top-k extra-args tokenize-prompt multi-turn min-turns max-turns multi-turn-args";

    fn known() -> Vec<String> {
        let command = Flags::augment_args(Command::new("perf"));
        command.get_arguments().filter_map(|arg| arg.get_long().map(str::to_owned)).collect()
    }

    #[test]
    fn every_flag_of_evalscope_is_known() {
        let known = known();
        for flag in FLAGS.split_whitespace() {
            assert!(known.iter().any(|known| known == flag), "--{flag}");
        }
    }

    #[test]
    fn what_errors_call_settings_are_flags() {
        let known = known();
        for (_, flag) in settings::FLAGS {
            assert!(known.iter().any(|known| format!("--{known}") == *flag), "{flag}");
        }
    }
}
