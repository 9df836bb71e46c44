//! Presets: deployments as YAML, with units in the names. `sim fit` writes them, `--preset` reads them, and some come with the program.
//!
//! Here what a file or keys say becomes a [`Deployment`], or is refused by name. vLLM's names and its rules: what it would not start
//! with, this does not start with either. Deliberately times nothing.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::hardware::PresetError;
use crate::hardware::engine::EngineSettings;
use crate::hardware::fitted::Fit;
use crate::hardware::roofline::Estimate;
use crate::model::{Deployment, Frontend, Linear, StepTime};

/// A deployment as it is written down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// What is deployed, in one line.
    pub description: String,
    /// Where the numbers come from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// The name of the model that it serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The most tokens that prompt and output may have together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_model_len: Option<NonZeroU32>,
    /// How long steps take.
    pub step: Step,
    /// What the server does with a request before an engine has it.
    #[serde(default, skip_serializing_if = "FrontendTimes::is_nothing")]
    pub frontend: FrontendTimes,
    /// How engines are set up.
    #[serde(default, skip_serializing_if = "EngineSettings::is_usual")]
    pub engine: EngineSettings,
    /// How well it tells what it was made from, if it was fitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fit: Option<Fit>,
}

/// How long steps take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// By coefficients, fitted to measurements of one setup.
    Coefficients(Coefficients),
    /// By an estimate from a GPU and an architecture.
    Roofline(Estimate),
}

/// The coefficients of [`Linear`], in microseconds and nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coefficients {
    /// Microseconds of each step.
    pub base_us: f64,
    /// Microseconds for each token of a prompt.
    #[serde(default)]
    pub per_prefill_token_us: f64,
    /// Microseconds for each token of an output.
    #[serde(default)]
    pub per_decode_token_us: f64,
    /// Nanoseconds for each token of the KV cache that is read for decoding.
    #[serde(default)]
    pub per_context_token_ns: f64,
    /// Nanoseconds for each pair of tokens in a prompt's attention.
    #[serde(default)]
    pub per_attention_ns: f64,
}

/// The times of [`Frontend`], in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrontendTimes {
    /// Microseconds for each request.
    #[serde(default)]
    pub per_request_us: f64,
    /// Microseconds for each token of its prompt.
    #[serde(default)]
    pub per_prompt_token_us: f64,
}

/// What a preset becomes.
#[derive(Clone, Debug, PartialEq)]
pub struct Deployed {
    /// The engines.
    pub deployment: Deployment,
    /// The name of the model that they serve, if it is known.
    pub model: Option<String>,
    /// The most tokens that prompt and output may have together, if it is known.
    pub max_model_len: Option<NonZeroU32>,
}

impl Preset {
    /// Reads a preset. `file` is what errors call it.
    ///
    /// # Errors
    /// If it is not YAML, lacks a key or has one too many, with the line and the column.
    pub fn from_yaml(text: &str, file: &str) -> Result<Self, PresetError> {
        serde_saphyr::from_str(text).map_err(|error| {
            let place = match error.location() {
                Some(at) => format!("{file}:{}:{}", at.line(), at.column()),
                None => file.to_owned(),
            };
            PresetError::Invalid { place, why: explained(&error) }
        })
    }

    /// Writes it down, as [`Preset::from_yaml`] reads it.
    pub fn to_yaml(&self) -> String {
        let options = serde_saphyr::ser_options! { compact_list_indent: false };
        serde_saphyr::to_string_with_options(self, options)
            .expect("a preset has only names, numbers and texts, which YAML has too")
    }

    /// What it deploys. `name` is what it is called.
    ///
    /// # Errors
    /// If something in it makes no sense, or its model does not fit its GPUs.
    pub fn deployed(&self, name: &str) -> Result<Deployed, PresetError> {
        match &self.step {
            Step::Coefficients(coefficients) => {
                let max_model_len = self.max_model_len;
                let engine =
                    self.engine.resolved(USUAL_LIMITS, max_model_len, |_, _| Ok(USUAL_BLOCKS))?;
                let deployment =
                    self.with(name, engine, StepTime::Linear(coefficients.linear()?))?;
                Ok(Deployed { deployment, model: self.model.clone(), max_model_len })
            }
            Step::Roofline(estimate) => {
                let pairing = estimate.pairing()?;
                let context = NonZeroU32::new(pairing.architecture.context);
                let max_model_len = self.max_model_len.or(context);
                let longest = max_model_len.map_or(0, NonZeroU32::get);
                let limits = pairing.usual_limits();
                let blocks = |block_size, limits| pairing.blocks(block_size, limits, longest);
                let engine = self.engine.resolved(limits, max_model_len, blocks)?;
                let step = StepTime::Roofline(pairing.step());
                let model = self.model.clone().or_else(|| pairing.architecture.model.clone());
                let name = if name.is_empty() { pairing.name() } else { name.to_owned() };
                let deployment = self.with(&name, engine, step)?;
                Ok(Deployed { deployment, model, max_model_len })
            }
        }
    }

    fn with(
        &self,
        name: &str,
        engine: crate::model::Engine,
        step: StepTime,
    ) -> Result<Deployment, PresetError> {
        Ok(Deployment {
            name: name.to_owned(),
            engine,
            step,
            frontend: self.frontend.frontend()?,
            replicas: self.engine.data_parallel_size.unwrap_or(NonZeroU32::MIN),
            routing: self.engine.routing()?,
            noise: self.engine.noise()?,
        })
    }
}

impl Coefficients {
    /// Those of a measured step.
    pub fn of(linear: &Linear) -> Self {
        Self {
            base_us: linear.base / MICRO,
            per_prefill_token_us: linear.per_prefill_token / MICRO,
            per_decode_token_us: linear.per_decode_token / MICRO,
            per_context_token_ns: linear.per_context_token / NANO,
            per_attention_ns: linear.per_attention / NANO,
        }
    }

    /// In seconds.
    ///
    /// # Errors
    /// If one is negative or endless, or all steps would take no time.
    fn linear(&self) -> Result<Linear, PresetError> {
        let seconds = |key, number: f64, unit: f64| amount(key, number).map(|number| number * unit);
        if self.base_us == 0.0 {
            return Err(PresetError::refused(
                "base_us",
                "is 0, but every step takes some time".into(),
            ));
        }
        Ok(Linear {
            base: seconds("base_us", self.base_us, MICRO)?,
            per_prefill_token: seconds("per_prefill_token_us", self.per_prefill_token_us, MICRO)?,
            per_decode_token: seconds("per_decode_token_us", self.per_decode_token_us, MICRO)?,
            per_context_token: seconds("per_context_token_ns", self.per_context_token_ns, NANO)?,
            per_attention: seconds("per_attention_ns", self.per_attention_ns, NANO)?,
        })
    }
}

impl FrontendTimes {
    /// Those of a frontend.
    pub fn of(frontend: &Frontend) -> Self {
        Self {
            per_request_us: frontend.per_request.as_secs_f64() / MICRO,
            per_prompt_token_us: frontend.per_prompt_token.as_secs_f64() / MICRO,
        }
    }

    fn frontend(&self) -> Result<Frontend, PresetError> {
        let length = |key, number| Ok(Duration::from_secs_f64(amount(key, number)? * MICRO));
        Ok(Frontend {
            per_request: length("per_request_us", self.per_request_us)?,
            per_prompt_token: length("per_prompt_token_us", self.per_prompt_token_us)?,
        })
    }

    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// A time that is neither negative nor longer than a day.
fn amount(key: &'static str, number: f64) -> Result<f64, PresetError> {
    match (0.0..=LONGEST).contains(&number) {
        true => Ok(number),
        false => Err(PresetError::refused(
            key,
            format!("takes a number from 0 on, a day at most, not {number}"),
        )),
    }
}

/// The line of an error that says what is wrong, without an excerpt of the file.
fn explained(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().render_with_formatter(&serde_saphyr::UserMessageFormatter);
    text.lines().next().unwrap_or_default().to_owned()
}

const MICRO: f64 = 1e-6;
const NANO: f64 = 1e-9;

/// A day in microseconds. In nanoseconds it is less, and still more than any step takes for one token.
const LONGEST: f64 = 86_400e6;

/// The most requests and the most tokens in a step where neither a GPU nor anybody says something: vLLM's for GPUs of less than 70 GiB.
const USUAL_LIMITS: (u32, u32) = (256, 2048);

/// Blocks where neither a GPU nor anybody says something: a million tokens in blocks of 16.
const USUAL_BLOCKS: NonZeroU32 = NonZeroU32::new(65_536).expect("not 0");

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Preset, PresetError> {
        Preset::from_yaml(text, "my.yaml")
    }

    fn deployed(text: &str) -> Result<Deployed, PresetError> {
        read(text).and_then(|preset| preset.deployed("mine"))
    }

    const SMALLEST: &str = "description: mine\nstep:\n  coefficients:\n    base_us: 10000\n";

    #[test]
    fn the_smallest_preset_has_the_usual_engine() {
        let Deployed { deployment, model, max_model_len } = deployed(SMALLEST).unwrap();
        assert_eq!((deployment.name.as_str(), model, max_model_len), ("mine", None, None));
        assert_eq!(deployment.step, StepTime::Linear(Linear { base: 0.01, ..Linear::default() }));
        let engine = deployment.engine;
        assert_eq!((engine.max_num_seqs.get(), engine.max_num_batched_tokens.get()), (256, 2048));
        assert_eq!((engine.blocks, engine.block_size.get()), (USUAL_BLOCKS, 16));
        assert!(engine.prefix_caching && engine.chunked_prefill && engine.speculation.is_none());
    }

    #[test]
    fn units_are_those_in_the_names() {
        let text = format!(
            "{SMALLEST}    per_prefill_token_us: 20\n    per_decode_token_us: 3\n    per_context_token_ns: 50\n    \
             per_attention_ns: 0.5\nfrontend: {{per_request_us: 700, per_prompt_token_us: 2.5}}\n"
        );
        let deployment = deployed(&text).unwrap().deployment;
        let StepTime::Linear(linear) = deployment.step else { panic!("not linear") };
        let close = |a: f64, b: f64| (a / b - 1.0).abs() < 1e-12;
        assert!(close(linear.per_prefill_token, 2e-5) && close(linear.per_decode_token, 3e-6));
        assert!(close(linear.per_context_token, 5e-8) && close(linear.per_attention, 5e-10));
        assert_eq!(deployment.frontend.per_request, Duration::from_micros(700));
        assert_eq!(deployment.frontend.per_prompt_token, Duration::from_nanos(2500));
        let back = Coefficients::of(&linear);
        assert!(close(back.base_us, 10_000.0) && close(back.per_attention_ns, 0.5));
        assert_eq!(FrontendTimes::of(&deployment.frontend).per_request_us, 700.0);
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let preset = read(SMALLEST).unwrap();
        assert_eq!(read(&preset.to_yaml()).unwrap(), preset);
    }

    #[test]
    fn errors_name_the_file_the_line_and_the_key() {
        let error = |text: &str| deployed(text).unwrap_err().to_string();
        assert!(
            error("description: x\nstepp: 1\n").starts_with("my.yaml:2:1: "),
            "{}",
            error("description: x\nstepp: 1\n")
        );
        assert!(error("description: x\nstepp: 1\n").contains("stepp"));
        assert!(error("description: x\n").contains("step"), "{}", error("description: x\n"));
        let text = SMALLEST.replace("base_us: 10000", "base_us: ten");
        assert!(error(&text).starts_with("my.yaml:4:"), "{}", error(&text));
        assert_eq!(
            error(&SMALLEST.replace("10000", "0")),
            "base_us is 0, but every step takes some time"
        );
        assert_eq!(
            error(&SMALLEST.replace("10000", "-1")),
            "base_us takes a number from 0 on, a day at most, not -1"
        );
        let text = format!("{SMALLEST}frontend: {{per_request_us: -5}}\n");
        assert_eq!(error(&text), "per_request_us takes a number from 0 on, a day at most, not -5");
    }
}
