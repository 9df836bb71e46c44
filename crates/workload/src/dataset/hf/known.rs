//! The data sets whose rows are known: those of vLLM's registry. Each is an entry of a table, and how its row becomes a prompt.
//!
//! Splits, answers' lengths and what is passed over are those of vLLM's benchmarks, so that the same names measure the same.

use std::time::Duration;

use serde_json::Value;
use tokometer_wire::Message;

use super::super::file::{self, kind};
use super::super::length::{Fate, message};
use super::super::media::{self, Sound, image_part, text_part, video_part};
use super::super::rows::{Place, Row};
use super::super::sample::{Skip, Wrong};
use super::super::sharegpt::{measured, turns};
use super::super::spec_bench::first_of;
use super::super::wording::{Asked, Limits, Wording};
use super::{Own, bfcl};

/// What a row asks.
pub(super) type Mapping = fn(&Row, &Context<'_>) -> Result<Fate, Wrong>;

/// A data set, or several of the same make.
#[derive(Debug)]
pub(super) struct Known {
    /// The hub's names.
    pub(super) names: &'static [&'static str],
    /// The split that is usually taken.
    pub(super) split: &'static str,
    /// The subset that is usually taken.
    pub(super) subset: Option<&'static str>,
    /// Tokens of an answer. `None`: as many as the row's own answer has.
    pub(super) output_len: Option<u32>,
    /// Whether the tokenizer's template is put around prompts on an endpoint that puts none.
    pub(super) template: bool,
    /// Whether it can go to a chat endpoint only.
    pub(super) chat_only: bool,
    /// Whether it is a file a category, of which the rows come in turn.
    pub(super) in_turn: bool,
    /// What a row is like, for errors.
    pub(super) form: &'static str,
    pub(super) map: Mapping,
}

/// What a mapping may ask about beside its row.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) known: Option<&'static Known>,
    pub(super) own: &'a Own,
    pub(super) wording: &'a Wording,
    pub(super) place: &'a Place,
}

impl Known {
    /// The files by name, for data sets that are a file a category.
    pub(super) fn files(&self, categories: &[String]) -> Vec<String> {
        if self.in_turn { bfcl::files(categories) } else { Vec::new() }
    }
}

impl Context<'_> {
    /// Tokens of the answer, where the row does not tell.
    pub(super) fn limit(&self) -> Option<u32> {
        let usual = self.known.and_then(|known| known.output_len);
        self.own.output_len.map(std::num::NonZero::get).or(usual)
    }

    fn word(&self, asked: Asked) -> Result<Fate, Wrong> {
        self.wording.word(asked, self.limit())
    }

    fn text(&self, text: impl Into<String>) -> Result<Fate, Wrong> {
        self.word(Asked::Text(text.into()))
    }
}

/// What most entries have in common: text, a template around it, the split `train`.
const TEXT: Known = Known {
    names: &[],
    split: "train",
    subset: None,
    output_len: None,
    template: true,
    chat_only: false,
    in_turn: false,
    form: "",
    map: super::columns::map,
};

/// All of them.
pub(super) const KNOWN: &[Known] = &[
    Known {
        names: &["lmarena-ai/VisionArena-Chat", "lmarena-ai/vision-arena-bench-v0.1"],
        output_len: Some(128),
        chat_only: true,
        form: "rows of conversation (or turns) and images, as in VisionArena",
        map: vision_arena,
        ..TEXT
    },
    Known {
        names: &["yale-nlp/MMVU"],
        split: "validation",
        output_len: Some(128),
        chat_only: true,
        form: "rows of question, choices and video, as in MMVU",
        map: mmvu,
        ..TEXT
    },
    Known {
        names: &["likaixin/InstructCoder"],
        output_len: Some(200),
        form: "rows of input and instruction, as in InstructCoder",
        map: |row, context| {
            let (input, instruction) =
                (file::field(row, "input")?, file::field(row, "instruction")?);
            context.text(format!("{input}\n\n{instruction} {JUST_CODE}"))
        },
        ..TEXT
    },
    Known {
        names: &["philschmid/mt-bench"],
        output_len: Some(256),
        form: "rows of turns, as in MT-Bench",
        map: |row, context| context.text(first_of(row, "turns")?),
        ..TEXT
    },
    Known {
        names: &["openai/openai_humaneval"],
        split: "test",
        output_len: Some(256),
        form: "rows of prompt, as in HumanEval",
        map: |row, context| context.text(file::field(row, "prompt")?),
        ..TEXT
    },
    Known {
        names: &["openai/gsm8k"],
        split: "test",
        subset: Some("main"),
        output_len: Some(256),
        form: "rows of question, as in GSM8K",
        map: |row, context| context.text(file::field(row, "question")?),
        ..TEXT
    },
    Known {
        names: &["lmms-lab/LLaVA-OneVision-Data"],
        chat_only: true,
        form: "rows of conversations and image, as in LLaVA-OneVision-Data",
        map: conversations,
        ..TEXT
    },
    Known {
        names: &["Aeala/ShareGPT_Vicuna_unfiltered"],
        template: false,
        form: "rows of conversations, as in ShareGPT",
        map: conversations,
        ..TEXT
    },
    Known {
        names: &["AI-MO/aimo-validation-aime", "AI-MO/NuminaMath-1.5", "AI-MO/NuminaMath-CoT"],
        template: false,
        form: "rows of problem and solution, as in AIMO",
        map: aimo,
        ..TEXT
    },
    Known {
        names: &["zed-industries/zeta"],
        template: false,
        form: "rows of events, input and output, as in zeta",
        map: zeta,
        ..TEXT
    },
    Known {
        names: &[
            "openslr/librispeech_asr",
            "facebook/voxpopuli",
            "LIUM/tedlium",
            "edinburghcstr/ami",
            "speechcolab/gigaspeech",
            "kensho/spgispeech",
            "ArtificialAnalysis/Earnings22-Cleaned-AA",
            "D4nt3/esb-datasets-earnings22-validation-tiny-filtered",
        ],
        output_len: Some(1024),
        template: false,
        form: "rows of audio: bytes of WAV, FLAC, MP3 or Ogg, or the path of such a file",
        map: speech,
        ..TEXT
    },
    Known {
        names: &["vdaita/edit_5k_char", "vdaita/edit_10k_char"],
        output_len: Some(4000),
        form: "rows of code, change_request and norm_distance, as in Blazedit",
        map: blazedit,
        ..TEXT
    },
    Known {
        names: &["mgoin/mlperf-inference-llama2-data", "mgoin/mlperf-inference-llama3.1-data"],
        form: "rows of system_prompt, question and output, as in MLPerf's",
        map: mlperf,
        ..TEXT
    },
    Known {
        names: &["Lin-Chen/MMStar"],
        split: "val",
        output_len: Some(128),
        chat_only: true,
        form: "rows of question and image, as in MMStar",
        map: |row, context| {
            let question = file::field(row, "question")?;
            let question = question.split_once("Options:").map_or(question, |(before, _)| before);
            let parts = vec![text_part(question.trim()), image(row, "image", context.place)?];
            context.word(Asked::Parts(parts))
        },
        ..TEXT
    },
    Known {
        names: &["gorilla-llm/Berkeley-Function-Calling-Leaderboard"],
        output_len: Some(512),
        chat_only: true,
        in_turn: true,
        form: "JSON lines of question and function, as in BFCL_v3_simple.json",
        map: bfcl::map,
        ..TEXT
    },
];

fn vision_arena(row: &Row, context: &Context<'_>) -> Result<Fate, Wrong> {
    let column = if row.contains_key("turns") { "turns" } else { "conversation" };
    let first = row.get(column).and_then(|turns| turns.get(0)?.get(0)?.get("content")?.as_str());
    let Some(text) = first else {
        return Err(Wrong::Row(format!("field {column} has no [0][0].content that is a string")));
    };
    let picture = match row.get("images") {
        Some(Value::Array(images)) if !images.is_empty() => {
            picture(&images[0], context.place).map_err(|why| format!("field images: {why}"))?
        }
        Some(Value::Array(_)) => {
            return Err(Wrong::Row("field images is an empty list".to_owned()));
        }
        Some(other) => {
            return Err(Wrong::Row(format!("field images is {}, not a list", kind(other))));
        }
        None => return Err(Wrong::Row("field images is missing".to_owned())),
    };
    context.word(Asked::Parts(vec![text_part(text), picture]))
}

fn mmvu(row: &Row, context: &Context<'_>) -> Result<Fate, Wrong> {
    let question = file::field(row, "question")?;
    let choices = match row.get("choices") {
        Some(Value::Object(choices)) => choices,
        Some(other) => {
            return Err(Wrong::Row(format!("field choices is {}, not an object", kind(other))));
        }
        None => return Err(Wrong::Row("field choices is missing".to_owned())),
    };
    let choices: Vec<String> = choices
        .iter()
        .filter_map(|(letter, choice)| Some(format!("{letter}.{}", choice.as_str()?)))
        .collect();
    let video = file::field(row, "video")?;
    if !media::is_url(video) {
        return Err(Wrong::Row(format!("field video is {video}: only a URL can be sent")));
    }
    let text = format!("{question} {}", choices.join(" "));
    context.word(Asked::Parts(vec![text_part(&text), video_part(video)]))
}

fn conversations(row: &Row, context: &Context<'_>) -> Result<Fate, Wrong> {
    let (question, answer) = turns(row)?;
    let asked = match row.get("image") {
        None | Some(Value::Null) => Asked::Text(question.to_owned()),
        Some(_) if !context.wording.chat() => {
            return Err(Wrong::Row("an image needs a chat endpoint".to_owned()));
        }
        Some(_) => Asked::Parts(vec![text_part(question), image(row, "image", context.place)?]),
    };
    let chosen = context.own.output_len;
    let limits = chosen.is_none().then_some(Limits::USUAL);
    measured(context.wording, asked, question, answer, chosen, limits)
}

fn aimo(row: &Row, context: &Context<'_>) -> Result<Fate, Wrong> {
    let (problem, solution) = (file::field(row, "problem")?, file::field(row, "solution")?);
    let chosen = context.own.output_len;
    let limits = chosen.is_none().then_some(Limits { prompt: 2048, total: 32_000 });
    let asked = Asked::Text(problem.to_owned());
    measured(context.wording, asked, problem, solution, chosen, limits)
}

/// The prompt that zeta was trained with: see the data set's own card and notebook.
fn zeta(row: &Row, context: &Context<'_>) -> Result<Fate, Wrong> {
    let (events, input) = (file::field(row, "events")?, file::field(row, "input")?);
    let output = file::field(row, "output")?;
    let region = output.find(EDITABLE).map_or(output, |start| &output[start..]);
    let prompt = format!(
        "### Instruction:\nYou are a code completion assistant and your task is to analyze user edits and then rewrite an excerpt \
         that the user provides, suggesting the appropriate edits within the excerpt, taking into account the cursor location.\n\n\
         ### User Edits:\n\n{events}\n\n### User Excerpt:\n\n{input}\n\n### Response:\n\n"
    );
    let asked = Asked::Text(prompt.clone());
    measured(context.wording, asked, &prompt, region, context.own.output_len, None)
}

fn speech(row: &Row, context: &Context<'_>) -> Result<Fate, Wrong> {
    let sound = sound(row, context.place)?;
    let seconds = sound.plays.as_secs_f64();
    let longest = context.own.asr_max_audio_len_sec.unwrap_or(f64::INFINITY);
    if seconds < context.own.asr_min_audio_len_sec || seconds > longest {
        let why = format!(
            "its sound plays {seconds:.1} s, and the bounds are asr_min_audio_len_sec and asr_max_audio_len_sec"
        );
        return Err(Skip::Bounds(why).into());
    }
    debug_assert!(sound.plays > Duration::ZERO, "a sound that does not tell its length is refused");
    context.word(Asked::Sound(sound, String::new()))
}

/// The sound of a row: its bytes, or a file beside it.
fn sound(row: &Row, place: &Place) -> Result<Sound, Wrong> {
    let wrong = |why: String| Wrong::Row(format!("field audio: {why}"));
    let (column, named) = match (row.get("audio"), row.get("url")) {
        (Some(Value::Object(audio)), _) => match (audio.get("bytes"), audio.get("path")) {
            (Some(Value::String(bytes)), _) => return Sound::of_base64(bytes).map_err(wrong),
            (_, Some(Value::String(path))) => ("audio", path.as_str()),
            _ => return Err(wrong("it has neither bytes nor a path".to_owned())),
        },
        (Some(Value::String(path)), _) => ("audio", path.as_str()),
        (None, Some(Value::String(path))) => ("url", path.as_str()),
        (Some(other), _) => {
            return Err(wrong(format!("it is {}, neither bytes nor a path", kind(other))));
        }
        (None, _) => return Err(Wrong::Row("field audio is missing".to_owned())),
    };
    let wrong = |why: String| Wrong::Row(format!("field {column}: {why}"));
    // The path is relative to the data set, whose files may lie in folders of it.
    let folders = place.path.ancestors().skip(1).take(4);
    let found = folders.map(|folder| folder.join(named)).find(|path| path.is_file());
    let Some(path) = found else {
        return Err(wrong(format!(
            "the file {named} is not there: fetch the whole data set and give its folder"
        )));
    };
    let bytes = std::fs::read(&path)
        .map_err(|error| wrong(format!("cannot read {}: {error}", path.display())))?;
    Sound::new(bytes).map_err(|why| wrong(format!("the file {named}: {why}")))
}

/// The prompt of Blazedit: see its create_refined_dataset.py.
fn blazedit(row: &Row, context: &Context<'_>) -> Result<Fate, Wrong> {
    let (code, change) = (file::field(row, "code")?, file::field(row, "change_request")?);
    let distance = match row.get("norm_distance") {
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.parse().ok(),
        _ => None,
    };
    let Some(distance) = distance else {
        return Err(Wrong::Row("field norm_distance is missing or no number".to_owned()));
    };
    if distance < context.own.blazedit_min_distance || distance > context.own.blazedit_max_distance
    {
        let why = format!(
            "field norm_distance is {distance}, and the bounds are blazedit_min_distance and blazedit_max_distance"
        );
        return Err(Skip::Bounds(why).into());
    }
    context.text(format!(
        "Given a code file, please apply the change requests and generate the new file.\n\nOriginal file:\n```python\n{code}\n```\n\n\
         Change request:\n{change}\n\nPlease generate the new code file in the \"New file\" section below."
    ))
}

fn mlperf(row: &Row, context: &Context<'_>) -> Result<Fate, Wrong> {
    let (system, question) = (file::field(row, "system_prompt")?, file::field(row, "question")?);
    let answer = match context.own.output_len {
        Some(chosen) => chosen.get(),
        None => context.wording.counts(file::field(row, "output")?)?,
    };
    let messages: Vec<Message> =
        vec![message("system", system.to_owned()), message("user", question.to_owned())];
    let prompt = context.wording.counts_of(&messages)?;
    Limits::USUAL.keep(prompt, answer, false)?;
    context.wording.word(Asked::Conversation(messages), Some(answer))
}

/// The image of a row as a content part.
fn image(row: &Row, column: &str, place: &Place) -> Result<Value, String> {
    let Some(value) = row.get(column) else { return Err(format!("field {column} is missing")) };
    picture(value, place).map_err(|why| format!("field {column}: {why}"))
}

/// An image as a content part: bytes out of Parquet, a path or an address.
fn picture(value: &Value, place: &Place) -> Result<Value, String> {
    let url = match value {
        Value::Object(image) => match (image.get("bytes"), image.get("path")) {
            (Some(Value::String(bytes)), _) => media::image_url_of_base64(bytes)?,
            (_, Some(Value::String(path))) => media::image_named(path, place, None)?,
            _ => return Err("it has neither bytes nor a path".to_owned()),
        },
        Value::String(named) => media::image_named(named, place, None)?,
        other => return Err(format!("it is {}, neither bytes nor a path", kind(other))),
    };
    Ok(image_part(&url))
}

/// What vLLM adds to every instruction.
const JUST_CODE: &str = "Just output the code, do not include any explanation.";
const EDITABLE: &str = "<|editable_region_start|>";
