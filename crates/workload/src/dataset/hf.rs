//! `hf`: data sets of Hugging Face, by their hub's name or out of a local folder or file.
//!
//! How a row becomes a prompt is known for the data sets of vLLM's registry, by name. Of any other the column with the prompt is
//! found by its name. Files are read as they are published; data sets that only a script can make are not to be had.

mod bfcl;
mod choice;
mod columns;
mod known;

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use self::choice::{Unchosen, Wanted};
use self::known::{KNOWN, Known, Mapping};
use super::args::{self, Common};
use super::rows::{self, Place, Row, Table};
use super::sample::{Make, Order, Sample, Taking};
use super::wording::{Template, Wording};
use super::{Dataset, DatasetError, Entry, File, Spec};
use crate::tokenizer::{DataSet, DataSetFault, Hub, Remote, Tokenizer, walk};

pub(super) const ENTRY: Entry = Entry {
    name: "hf",
    help: "a data set of Hugging Face: its hub's name, or a local folder or file of Parquet, JSON lines, JSON or CSV",
    file: Some(File { form: FORM, usual: None }),
    needs_tokenizer: false,
    length_control: false,
    takes_args: true,
    open: |spec, tokenizer| open(spec, tokenizer, &Hub::from_env()),
};

/// Its own settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Own {
    /// The hub's name of what lies at a local path.
    name: Option<String>,
    subset: Option<String>,
    split: Option<String>,
    output_len: Option<NonZero<u32>>,
    chat_template: Option<bool>,
    blazedit_min_distance: f64,
    blazedit_max_distance: f64,
    asr_min_audio_len_sec: f64,
    asr_max_audio_len_sec: Option<f64>,
    bfcl_categories: Vec<String>,
}

impl Default for Own {
    fn default() -> Self {
        Self {
            name: None,
            subset: None,
            split: None,
            output_len: None,
            chat_template: None,
            blazedit_min_distance: 0.0,
            blazedit_max_distance: 1.0,
            asr_min_audio_len_sec: 0.0,
            asr_max_audio_len_sec: None,
            bfcl_categories: Vec::new(),
        }
    }
}

/// Opens it; what is named and not local is fetched by way of `hub`.
pub(super) fn open(
    spec: &Spec,
    tokenizer: Option<Arc<dyn Tokenizer>>,
    hub: &Hub,
) -> Result<Box<dyn Dataset>, DatasetError> {
    let (common, own): (Common, Own) = args::args_with_common(spec)?;
    let Some(path) = &spec.path else {
        let why = format!("it needs --dataset-path: {FORM}");
        return Err(DatasetError::Setting { dataset: ENTRY.name, why });
    };
    let source = Source::find(path, hub)?;
    let known = known(&own, &source)?;
    check(spec, known, tokenizer.is_some())?;
    let wanted = Wanted {
        subset: own.subset.as_deref(),
        usual_subset: known.and_then(|known| known.subset),
        split: own.split.as_deref(),
        usual_split: known.map_or("train", |known| known.split),
        names: known.map_or_else(Vec::new, |known| known.files(&own.bfcl_categories)),
    };
    let mut tables = source.tables(&wanted, hub)?;
    if known.is_none() {
        guess(&mut tables, &source, hub)?;
    }
    let usual = match known {
        Some(known) if !known.template => Template::Leave,
        _ => Template::IfThere,
    };
    let wording = Wording::new(spec, tokenizer, Template::of(own.chat_template, usual))?;
    let form = known.map_or(FORM, |known| known.form);
    let mut taking = Taking::new(common, spec.offset, form);
    if taking.order == Order::AsFiled && known.is_some_and(|known| known.in_turn) {
        taking.order = Order::InTurn;
    }
    let make = make(known, wording, own);
    Ok(Box::new(Sample::new(source.path(), tables, taking, make)))
}

/// What a row asks, by the mapping of its data set.
fn make(known: Option<&'static Known>, wording: Wording, own: Own) -> Make {
    let mapping: Mapping = known.map_or(columns::map, |known| known.map);
    Box::new(move |row: &Row, place: &Place| {
        let context = known::Context { known, own: &own, wording: &wording, place };
        mapping(row, &context)
    })
}

/// Says which column the prompts of an unknown data set come from, or refuses it if its first row has none.
fn guess(
    tables: &mut [Box<dyn Table>],
    source: &Source<'_>,
    hub: &Hub,
) -> Result<(), DatasetError> {
    let Some(table) = tables.iter_mut().find(|table| table.len() > 0) else { return Ok(()) };
    let (place, row) = table.item(0)?.row();
    let column = row.and_then(|row| columns::find(&row));
    let column = column.map_err(|why| place.wrong(why, FORM))?;
    hub.tell(&format!(
        "no mapping is known for {}: prompts are taken from its column {column}",
        source.named()
    ));
    Ok(())
}

/// The mapping of that name: the one given, or the hub's.
fn known(own: &Own, source: &Source<'_>) -> Result<Option<&'static Known>, DatasetError> {
    let find = |name: &str| KNOWN.iter().find(|known| known.names.contains(&name));
    match (&own.name, source) {
        (Some(name), _) => match find(name) {
            Some(known) => Ok(Some(known)),
            None => {
                let all: Vec<&str> = KNOWN.iter().flat_map(|known| known.names).copied().collect();
                let why = format!("there is no mapping for {name}; there are {}", all.join(", "));
                Err(DatasetError::Argument {
                    dataset: ENTRY.name.to_owned(),
                    field: "name".to_owned(),
                    why,
                })
            }
        },
        (None, Source::Hub(data_set)) => Ok(find(data_set.id())),
        (None, Source::Local(_)) => Ok(None),
    }
}

/// Whether the endpoint and the tokenizer are such as the mapping needs.
fn check(
    spec: &Spec,
    known: Option<&'static Known>,
    has_tokenizer: bool,
) -> Result<(), DatasetError> {
    let Some(known) = known else { return Ok(()) };
    if known.chat_only && !spec.apply_chat_template {
        let why = format!("{} needs a chat endpoint", known.names[0]);
        return Err(DatasetError::Setting { dataset: ENTRY.name, why });
    }
    if known.output_len.is_none() && !has_tokenizer {
        let what = format!("--dataset hf with {}", known.names[0]);
        return Err(DatasetError::NoTokenizer { what });
    }
    Ok(())
}

/// Where the files are.
enum Source<'a> {
    Local(PathBuf),
    Hub(DataSet<'a>),
}

impl<'a> Source<'a> {
    fn find(path: &Path, hub: &'a Hub) -> Result<Self, DatasetError> {
        if path.exists() {
            return Ok(Self::Local(path.to_owned()));
        }
        let named = path.to_str().and_then(|name| hub.data_set(name));
        named.map(Self::Hub).ok_or_else(|| DatasetError::Hub {
            name: path.display().to_string(),
            tried: vec!["there is no such path here, and it is no hub's name either".to_owned()],
            hint: "give a folder, a file, or a name such as openai/gsm8k".to_owned(),
        })
    }

    /// What it is called.
    fn named(&self) -> String {
        match self {
            Self::Local(path) => path.display().to_string(),
            Self::Hub(data_set) => data_set.id().to_owned(),
        }
    }

    fn path(&self) -> PathBuf {
        match self {
            Self::Local(path) => path.clone(),
            Self::Hub(data_set) => data_set.folder().to_owned(),
        }
    }

    /// The files that are wanted, opened.
    fn tables(&self, wanted: &Wanted<'_>, hub: &Hub) -> Result<Vec<Box<dyn Table>>, DatasetError> {
        match self {
            Self::Local(path) if path.is_dir() => {
                let chosen = wanted.choose(&walk(path)).map_err(|why| unchosen_in(path, &why))?;
                chosen.told(&self.named(), hub);
                chosen.files.iter().map(|file| open_table(&path.join(&file.path))).collect()
            }
            Self::Local(path) => Ok(vec![open_table(path)?]),
            Self::Hub(data_set) => {
                fetched(data_set, wanted, hub)?.iter().map(|path| open_table(path)).collect()
            }
        }
    }
}

/// The error for a folder in which no files could be chosen.
fn unchosen_in(path: &Path, why: &Unchosen) -> DatasetError {
    match why.setting() {
        Some(setting) => DatasetError::Argument {
            dataset: ENTRY.name.to_owned(),
            field: setting.to_owned(),
            why: format!("{}: {why}", path.display()),
        },
        None => DatasetError::Empty { path: path.to_owned(), why: why.to_string() },
    }
}

/// What to do where no files of a hub's data set could be chosen.
fn advice(why: &Unchosen) -> String {
    match why.setting() {
        Some(setting) => {
            format!("give prompts.args.{setting} of the dataset hf, or a local folder")
        }
        None => "give another data set, or a local folder of this one".to_owned(),
    }
}

fn open_table(path: &Path) -> Result<Box<dyn Table>, DatasetError> {
    rows::open(path)
}

/// The chosen files of a hub's data set. Where it has none that can be read, those that the hub made itself.
fn fetched(
    data_set: &DataSet<'_>,
    wanted: &Wanted<'_>,
    hub: &Hub,
) -> Result<Vec<PathBuf>, DatasetError> {
    let wrong = |fault| hub_error(data_set.id(), fault);
    let own = data_set.files().map_err(wrong)?;
    let (of, chosen) = match wanted.choose(&own) {
        Ok(chosen) => (None, chosen),
        Err(why) => {
            let absent = || DatasetError::Hub {
                name: data_set.id().to_owned(),
                tried: vec![why.to_string()],
                hint: advice(&why),
            };
            if !why.has_no_data() {
                return Err(absent());
            }
            let converted = data_set.converted().ok_or_else(absent)?;
            let files = converted.files().map_err(|fault| match fault {
                DataSetFault::Absent(_) => absent(),
                fault => hub_error(data_set.id(), fault),
            })?;
            let chosen = wanted.choose(&files).map_err(|why| DatasetError::Hub {
                name: data_set.id().to_owned(),
                tried: vec![why.to_string()],
                hint: advice(&why),
            })?;
            (Some(converted), chosen)
        }
    };
    let from = of.as_ref().unwrap_or(data_set);
    chosen.told(data_set.id(), hub);
    within_bounds(&chosen.files).iter().map(|file| from.file(file).map_err(wrong)).collect()
}

/// The first of them up to the most that is fetched; at least one.
fn within_bounds(files: &[Remote]) -> &[Remote] {
    let mut bytes = 0_u64;
    let fitting = files.iter().take_while(|file| {
        let before = bytes;
        bytes = bytes.saturating_add(file.size.unwrap_or(0));
        before == 0 || bytes <= MOST_BYTES
    });
    &files[..fitting.count()]
}

fn hub_error(name: &str, fault: DataSetFault) -> DatasetError {
    let (why, hint) = match fault {
        DataSetFault::Disk(error) => return DatasetError::Tokenizer(error),
        DataSetFault::Absent(why) => {
            (why, "check the name, or give a local folder or file of the data set")
        }
        DataSetFault::Hub(why) => (
            why,
            "without a network, fetch it elsewhere (hf download --repo-type dataset NAME --local-dir FOLDER), then give \
             FOLDER as --dataset-path and NAME as prompts.args.name of the dataset hf",
        ),
    };
    let tried = vec!["there is no such path here".to_owned(), why];
    DatasetError::Hub { name: name.to_owned(), tried, hint: hint.to_owned() }
}

const FORM: &str = "a hub's name such as openai/gsm8k, or a local folder or file of Parquet, JSON lines, JSON or CSV with a column \
                    prompt, question, instruction, text, messages or conversations";
/// Some data sets have terabytes, and a load needs a few thousand rows.
const MOST_BYTES: u64 = 4 << 30;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Mutex;

    use serde_json::{Value, json};
    use tempfile::TempDir;
    use tokometer_wire::Prompt;

    use super::super::{self as dataset, Drawn};
    use super::*;
    use crate::fixtures::{Imitation, absent, response, spec_of, tiny, user, wav};
    use crate::seed::Seed;

    fn spec(path: &Path, args: Value) -> Spec {
        let path = Some(path.to_owned());
        Spec { path, apply_chat_template: true, ..spec_of("hf", args) }
    }

    fn nowhere() -> Hub {
        Hub::from_variables(|_| None)
    }

    fn local(name: &str, content: &str) -> (TempDir, PathBuf) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        (folder, path)
    }

    /// The first row of a file in the mapping of that name.
    fn first_of(name: &str, row: &Value, chat: bool, args: Value) -> Result<Drawn, String> {
        let (_folder, path) = local("data.jsonl", &row.to_string());
        let mut spec = spec(&path, args);
        spec.args.insert("name".to_owned(), name.into());
        spec.apply_chat_template = chat;
        let data = dataset::open_from(&spec, Some(tiny()), &nowhere());
        data.and_then(|data| data.draw(0, Seed::new(1)))
            .map_err(|error| error.to_string().replace(path.to_str().unwrap(), "FILE"))
    }

    fn text(drawn: &Drawn) -> &str {
        match &drawn.prompt {
            Prompt::Text(text) => text,
            Prompt::Messages(messages) => messages.last().unwrap().content.as_str().unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn parts(drawn: &Drawn) -> &Value {
        match &drawn.prompt {
            Prompt::Messages(messages) => &messages[0].content,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn text_comes_from_the_columns_of_its_data_set() {
        for (name, row, expected, limit) in [
            ("openai/gsm8k", json!({ "question": "how many?" }), "how many?", 256),
            ("openai/openai_humaneval", json!({ "prompt": "def f():" }), "def f():", 256),
            ("philschmid/mt-bench", json!({ "turns": ["one", "two"] }), "one", 256),
            (
                "likaixin/InstructCoder",
                json!({ "input": "x = 1", "instruction": "Rename x." }),
                "x = 1\n\nRename x. Just output the code, do not include any explanation.",
                200,
            ),
        ] {
            let drawn = first_of(name, &row, true, json!({})).unwrap();
            assert_eq!((text(&drawn), drawn.max_tokens), (expected, Some(limit)));
            let drawn = first_of(name, &row, true, json!({ "output_len": 5 })).unwrap();
            assert_eq!(drawn.max_tokens, Some(5));
            let written = first_of(name, &row, false, json!({})).unwrap();
            assert!(text(&written).starts_with("<|im_start|>"), "{written:?}");
        }
    }

    #[test]
    fn an_answer_is_as_long_as_the_rows_own() {
        let answer = "the answer is forty two and no more";
        let tokens = tiny().count(answer).unwrap();
        let rows = [
            (
                "AI-MO/NuminaMath-CoT",
                json!({ "problem": "what is six times seven", "solution": answer }),
            ),
            (
                "Aeala/ShareGPT_Vicuna_unfiltered",
                json!({ "conversations": [{ "value": "what is six times seven" }, { "value": answer }] }),
            ),
            (
                "zed-industries/zeta",
                json!({ "events": "e", "input": "i", "output": format!("before <|editable_region_start|>{answer}") }),
            ),
            (
                "mgoin/mlperf-inference-llama2-data",
                json!({ "system_prompt": "be brief", "question": "what is six times seven", "output": answer }),
            ),
        ];
        for (name, row) in &rows[..2] {
            let drawn = first_of(name, row, false, json!({})).unwrap();
            assert_eq!((text(&drawn), drawn.max_tokens), ("what is six times seven", Some(tokens)));
        }
        let zeta = first_of(rows[2].0, &rows[2].1, false, json!({})).unwrap();
        assert!(
            text(&zeta).contains("### User Edits:\n\ne\n\n### User Excerpt:\n\ni\n\n"),
            "{zeta:?}"
        );
        let region = tiny().count(&format!("<|editable_region_start|>{answer}")).unwrap();
        assert_eq!(zeta.max_tokens, Some(region));
        let mlperf = first_of(rows[3].0, &rows[3].1, true, json!({})).unwrap();
        assert!(
            matches!(&mlperf.prompt, Prompt::Messages(messages) if messages.len() == 2 && messages[0].role == "system")
        );
        assert_eq!(mlperf.max_tokens, Some(tokens));
        let error =
            first_of(rows[0].0, &json!({ "problem": "x", "solution": "y" }), false, json!({}))
                .unwrap_err();
        assert!(
            error.contains("none of its 1 rows will do; line 1: the prompt has 1 tokens"),
            "{error}"
        );
    }

    #[test]
    fn edits_are_kept_by_their_distance() {
        let row = json!({ "code": "x = 1", "change_request": "x is 2", "norm_distance": 0.5 });
        let drawn = first_of("vdaita/edit_5k_char", &row, true, json!({})).unwrap();
        assert!(text(&drawn).contains("```python\nx = 1\n```\n\nChange request:\nx is 2\n"));
        assert_eq!(drawn.max_tokens, Some(4000));
        for args in
            [json!({ "blazedit_min_distance": 0.6 }), json!({ "blazedit_max_distance": 0.4 })]
        {
            assert!(first_of("vdaita/edit_5k_char", &row, true, args).is_err());
        }
    }

    #[test]
    fn images_and_videos_go_into_the_message() {
        let png = "iVBORw0KGgpyZXN0";
        let image = json!({ "type": "image_url", "image_url": { "url": format!("data:image/png;base64,{png}") } });
        let arena = json!({ "conversation": [[{ "role": "user", "content": "what is it" }]], "images": [{ "bytes": png, "path": null }] });
        let drawn = first_of("lmarena-ai/VisionArena-Chat", &arena, true, json!({})).unwrap();
        assert_eq!(*parts(&drawn), json!([{ "type": "text", "text": "what is it" }, image]));
        let star = json!({ "question": "which one? Options: A, B", "image": { "bytes": png } });
        let drawn = first_of("Lin-Chen/MMStar", &star, true, json!({})).unwrap();
        assert_eq!(*parts(&drawn), json!([{ "type": "text", "text": "which one?" }, image]));
        let error = first_of("Lin-Chen/MMStar", &star, false, json!({})).unwrap_err();
        assert!(error.contains("Lin-Chen/MMStar needs a chat endpoint"), "{error}");

        let video = json!({ "question": "why", "choices": { "A": "so", "B": null }, "video": "https://host/v.mp4" });
        let drawn = first_of("yale-nlp/MMVU", &video, true, json!({})).unwrap();
        assert_eq!(
            *parts(&drawn),
            json!([{ "type": "text", "text": "why A.so" }, { "type": "video_url", "video_url": { "url": "https://host/v.mp4" } }])
        );
        let file = json!({ "question": "why", "choices": {}, "video": "v.mp4" });
        let error = first_of("yale-nlp/MMVU", &file, true, json!({})).unwrap_err();
        assert!(
            error.starts_with("FILE:1: field video is v.mp4: only a URL can be sent"),
            "{error}"
        );
    }

    #[test]
    fn sounds_are_kept_by_how_long_they_play() {
        use base64::Engine;
        let bytes = base64::engine::general_purpose::STANDARD.encode(wav(8000, 16_000));
        let row = json!({ "audio": { "bytes": bytes, "path": "a.wav" } });
        let drawn = first_of("openslr/librispeech_asr", &row, false, json!({})).unwrap();
        assert_eq!(drawn.audio, Some(std::time::Duration::from_secs(2)));
        assert!(matches!(drawn.prompt, Prompt::Audio(_)));
        assert_eq!(drawn.max_tokens, Some(1024));
        for args in [json!({ "asr_min_audio_len_sec": 3 }), json!({ "asr_max_audio_len_sec": 1 })] {
            assert!(first_of("openslr/librispeech_asr", &row, false, args).is_err());
        }
        let row = json!({ "url": "far/away.mp3" });
        let error = first_of("ArtificialAnalysis/Earnings22-Cleaned-AA", &row, false, json!({}))
            .unwrap_err();
        assert!(
            error.starts_with(
                "FILE:1: field url: the file far/away.mp3 is not there: fetch the whole"
            ),
            "{error}"
        );
    }

    #[test]
    fn tools_come_from_their_categories_in_turn() {
        let folder = TempDir::new().unwrap();
        let row = |question: &str| {
            json!({
                "question": [[{ "role": "user", "content": question }]],
                "function": [{ "name": "f", "parameters": { "type": "dict", "properties": { "x": { "type": "float" } } } }],
            })
        };
        for (category, rows) in [("simple", vec![row("a"), row("b")]), ("multiple", vec![row("c")])]
        {
            let lines: Vec<String> = rows.iter().map(Value::to_string).collect();
            fs::write(folder.path().join(format!("BFCL_v3_{category}.json")), lines.join("\n"))
                .unwrap();
        }
        let open = |args| dataset::open_from(&spec(folder.path(), args), Some(tiny()), &nowhere());
        let name = "gorilla-llm/Berkeley-Function-Calling-Leaderboard";
        let data = open(
            json!({ "name": name, "shuffle": false, "bfcl_categories": ["simple", "multiple"] }),
        )
        .unwrap();
        let drawn: Vec<Drawn> =
            (0..3).map(|index| data.draw(index, Seed::new(1)).unwrap()).collect();
        assert_eq!(drawn.iter().map(text).collect::<Vec<_>>(), ["a", "c", "b"]);
        assert_eq!(
            Value::Object(drawn[0].extra.clone()),
            json!({
                "tools": [{ "type": "function", "function": { "name": "f", "parameters": { "type": "object", "properties": { "x": { "type": "number" } } } } }],
                "tool_choice": "auto",
            })
        );
        assert_eq!((drawn[0].max_tokens, drawn[0].tokens), (Some(512), None));
        let error = open(json!({ "name": name })).unwrap_err().to_string();
        assert!(error.contains("it has no file BFCL_v3_live_simple.json"), "{error}");
    }

    #[test]
    fn csv_and_json_lists_are_read_and_an_unknown_data_set_by_its_columns() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&told);
        let hub =
            nowhere().telling(Arc::new(move |line| kept.lock().unwrap().push(line.to_owned())));
        for (file, content, expected) in [
            ("a.csv", "id,question\n1,\"who, then?\"\n", "who, then?"),
            ("a.json", "[{\"id\": 1, \"instruction\": \"do\", \"input\": \"this\"}]", "do\n\nthis"),
            (
                "a.jsonl",
                "{\"messages\": [{\"role\": \"user\", \"content\": \"hi\"}, {\"role\": \"assistant\", \"content\": \"ho\"}]}",
                "hi",
            ),
        ] {
            let (_folder, path) = local(file, content);
            let data = dataset::open_from(&spec(&path, json!({})), None, &hub).unwrap();
            let drawn = data.draw(0, Seed::new(1)).unwrap();
            assert_eq!((text(&drawn), drawn.max_tokens), (expected, None));
        }
        let told = told.lock().unwrap();
        assert!(told[0].ends_with("prompts are taken from its column question"), "{told:?}");
        let (_folder, path) = local("a.csv", "id,answer\n1,2\n");
        let error =
            dataset::open_from(&spec(&path, json!({})), None, &hub).unwrap_err().to_string();
        assert!(
            error.contains("a.csv:2: it has none of the columns messages")
                && error.contains("it has id, answer"),
            "{error}"
        );
        let (_folder, path) = local("a.csv", "id,text\n1,2,3\n");
        let error =
            dataset::open_from(&spec(&path, json!({})), None, &hub).unwrap_err().to_string();
        assert!(error.contains("a.csv:2: it has 3 fields, and the heading has 2"), "{error}");
    }

    /// A Parquet file of two row groups: a string, a list of strings, and a struct of bytes and a string.
    fn parquet(path: &Path, questions: [&[&str]; 2]) {
        use parquet::data_type::{ByteArray, ByteArrayType};
        use parquet::file::properties::WriterProperties;
        use parquet::file::writer::SerializedFileWriter;
        use parquet::schema::parser::parse_message_type;
        let schema = "message schema {
            optional binary question (UTF8);
            optional group turns (LIST) { repeated group list { optional binary element (UTF8); } }
            optional group image { optional binary bytes; optional binary path (UTF8); }
        }";
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let compression = parquet::basic::Compression::SNAPPY;
        let properties = Arc::new(WriterProperties::builder().set_compression(compression).build());
        let mut writer =
            SerializedFileWriter::new(fs::File::create(path).unwrap(), schema, properties).unwrap();
        for group in questions {
            let mut rows = writer.next_row_group().unwrap();
            let mut write =
                |values: Vec<ByteArray>, definition: Vec<i16>, repetition: Option<Vec<i16>>| {
                    let mut column = rows.next_column().unwrap().unwrap();
                    let typed = column.typed::<ByteArrayType>();
                    typed.write_batch(&values, Some(&definition), repetition.as_deref()).unwrap();
                    column.close().unwrap();
                };
            let bytes = |text: &&str| ByteArray::from(text.as_bytes().to_vec());
            let count = group.len();
            write(group.iter().map(bytes).collect(), vec![1; count], None);
            let turns = group.iter().flat_map(|text| [bytes(text), bytes(&"later")]).collect();
            write(turns, vec![3; count * 2], Some([0, 1].repeat(count)));
            let png = ByteArray::from(b"\x89PNG\r\n\x1a\nrest".to_vec());
            write(vec![png; count], vec![2; count], None);
            write(Vec::new(), vec![1; count], None);
            rows.close().unwrap();
        }
        writer.close().unwrap();
    }

    #[test]
    fn parquet_is_read_with_its_lists_structs_and_bytes() {
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        parquet(&folder.path().join("data/val-00000-of-00001.parquet"), [&["a", "b"], &["c"]]);
        let open = |args| {
            dataset::open_from(&spec(folder.path(), args), Some(tiny()), &nowhere()).unwrap()
        };
        let data = open(json!({ "name": "Lin-Chen/MMStar", "shuffle": false }));
        let drawn = data.draw(2, Seed::new(1)).unwrap();
        assert_eq!(
            *parts(&drawn),
            json!([{ "type": "text", "text": "c" }, { "type": "image_url", "image_url": { "url": "data:image/png;base64,iVBORw0KGgpyZXN0" } }])
        );
        assert_eq!(data.available(9).unwrap(), 3);
        let turns =
            open(json!({ "name": "philschmid/mt-bench", "split": "val", "shuffle": false }));
        assert_eq!(text(&turns.draw(1, Seed::new(1)).unwrap()), "b");
        let wrong =
            open(json!({ "name": "openai/openai_humaneval", "split": "val", "shuffle": false }));
        let error = wrong.draw(0, Seed::new(1)).unwrap_err().to_string();
        assert!(error.contains("val-00000-of-00001.parquet, row 1: field prompt is missing; the file should be rows of prompt"), "{error}");
    }

    #[test]
    fn shuffled_parquet_gives_every_row_once_and_group_by_group() {
        let (folder, _) = local("none", "");
        let path = folder.path().join("a.parquet");
        let names: Vec<String> = (0..40).map(|number| format!("q{number}")).collect();
        let all: Vec<&str> = names.iter().map(String::as_str).collect();
        parquet(&path, [&all[..20], &all[20..]]);
        let data = dataset::open_from(&spec(&path, json!({})), None, &nowhere()).unwrap();
        let drawn: Vec<String> = (0..40)
            .map(|index| text(&data.draw(index, Seed::new(5)).unwrap()).to_owned())
            .collect();
        let first = all[..20].contains(&drawn[0].as_str());
        assert!(drawn[..20].iter().all(|name| all[..20].contains(&name.as_str()) == first));
        assert_ne!(drawn, names);
        let mut sorted = drawn;
        sorted.sort();
        let mut expected = names.clone();
        expected.sort();
        assert_eq!(sorted, expected);
    }

    #[test]
    fn what_is_no_parquet_is_refused() {
        let (_folder, path) = local("a.parquet", "PAR1 no, it is not");
        let error =
            dataset::open_from(&spec(&path, json!({})), None, &nowhere()).unwrap_err().to_string();
        assert!(error.contains("a.parquet gives no prompt: as Parquet:"), "{error}");
    }

    #[test]
    fn damage_in_parquet_is_an_error_and_no_more() {
        let (folder, _) = local("none", "");
        let path = folder.path().join("a.parquet");
        parquet(&path, [&["one", "two"], &["three"]]);
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] = damaged[at].wrapping_add(101);
            fs::write(&path, damaged).unwrap();
            if let Ok(data) = dataset::open_from(&spec(&path, json!({})), None, &nowhere()) {
                drop(data.draw(2, Seed::new(1)));
            }
        }
    }

    fn hub_at(home: &TempDir, url: &str, more: &[(&str, &str)]) -> Hub {
        let fixed = [("HOME", home.path().to_str().unwrap()), ("HF_ENDPOINT", url)];
        let all: Vec<(&str, &str)> = more.iter().copied().chain(fixed).collect();
        Hub::from_variables(|name| {
            all.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    const KEPT: &str = ".cache/tokometer/datasets";

    fn gsm8k(path: &str) -> Vec<u8> {
        match path {
            "/api/datasets/openai/gsm8k/revision/main?blobs=true" => response(
                "200 OK",
                br#"{"id": "openai/gsm8k", "siblings": [{"rfilename": "README.md", "size": 3}, {"rfilename": "main/test-00000.jsonl", "size": 25},
                    {"rfilename": "main/train-00000.jsonl"}, {"rfilename": "../../escape/main/test.jsonl"}]}"#,
            ),
            "/datasets/openai/gsm8k/resolve/main/main/test-00000.jsonl" => {
                response("200 OK", br#"{"question": "how many?"}"#)
            }
            _ => absent(),
        }
    }

    #[test]
    fn a_hubs_data_set_is_fetched_once_and_only_what_is_wanted_of_it() {
        let site = Imitation::start(gsm8k);
        let home = TempDir::new().unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&told);
        let hub = hub_at(&home, &site.url(), &[("HF_TOKEN", "hf_secret")])
            .telling(Arc::new(move |line| kept.lock().unwrap().push(line.to_owned())));
        let spec = spec(Path::new("openai/gsm8k"), json!({}));
        let drawn =
            dataset::open_from(&spec, Some(tiny()), &hub).unwrap().draw(0, Seed::new(1)).unwrap();
        assert_eq!(drawn.prompt, Prompt::Messages(vec![user("how many?")]));
        assert_eq!(site.paths().len(), 2);
        assert!(site.heads.lock().unwrap().iter().all(|head| head.contains("Bearer hf_secret")));
        assert_eq!(
            *told.lock().unwrap(),
            ["fetching main/test-00000.jsonl of the data set openai/gsm8k (0.0 MB)"]
        );
        let cut_off = hub_at(&home, "http://127.0.0.1:1", &[("HF_HUB_OFFLINE", "1")]);
        dataset::open_from(&spec, Some(tiny()), &cut_off).unwrap().draw(0, Seed::new(1)).unwrap();
        assert_eq!(site.paths().len(), 2);
    }

    #[test]
    fn what_is_not_the_file_that_the_hub_lists_is_refused_and_not_kept() {
        for (answer, expected) in [
            ("{\"question\": \"how m", "answered 19 bytes for main/test-00000.jsonl, which has 25"),
            ("\n<!DOCTYPE HTML><p>pay", "answered a page of HTML for main/test-00000.jsonl"),
        ] {
            let site = Imitation::start(move |path| match path {
                path if path.starts_with("/api/") => gsm8k(path),
                _ => response("200 OK", answer.as_bytes()),
            });
            let home = TempDir::new().unwrap();
            let spec = spec(Path::new("openai/gsm8k"), json!({}));
            let hub = hub_at(&home, &site.url(), &[]);
            let error = dataset::open_from(&spec, Some(tiny()), &hub).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            let kept = walk(&home.path().join(KEPT));
            let kept: Vec<&str> =
                kept.iter().filter_map(|file| file.path.rsplit('/').next()).collect();
            assert_eq!(kept, [".files.json"]);
        }
    }

    #[test]
    fn a_kept_file_of_another_size_is_fetched_anew() {
        let site = Imitation::start(gsm8k);
        let home = TempDir::new().unwrap();
        let spec = spec(Path::new("openai/gsm8k"), json!({}));
        let open = |more: &[(&str, &str)]| {
            dataset::open_from(&spec, Some(tiny()), &hub_at(&home, &site.url(), more))
        };
        open(&[]).unwrap();
        let kept = home.path().join(KEPT);
        let file = walk(&kept).into_iter().find(|file| file.path.ends_with("jsonl")).unwrap();
        fs::write(kept.join(&file.path), "<html>").unwrap();
        let error = open(&[("HF_HUB_OFFLINE", "1")]).unwrap_err().to_string();
        assert!(
            error.contains("main/test-00000.jsonl is not whole, and HF_HUB_OFFLINE"),
            "{error}"
        );
        let drawn = open(&[]).unwrap().draw(0, Seed::new(1)).unwrap();
        assert_eq!(text(&drawn), "how many?");
    }

    #[test]
    fn without_a_network_it_says_what_to_do() {
        let home = TempDir::new().unwrap();
        let refused = |more: &[(&str, &str)]| {
            let hub = hub_at(&home, "http://127.0.0.1:1", more);
            let spec = spec(Path::new("openai/gsm8k"), json!({}));
            dataset::open_from(&spec, Some(tiny()), &hub).unwrap_err().to_string()
        };
        let error = refused(&[]);
        assert!(error.starts_with("cannot get the data set openai/gsm8k: there is no such path here; Hugging Face (http://127.0.0.1:1) cannot be reached"), "{error}");
        assert!(error.contains("prompts.args.name of the dataset hf"), "{error}");
        assert!(refused(&[("HF_HUB_OFFLINE", "1")]).contains("HF_HUB_OFFLINE forbids a download"));
    }

    #[test]
    fn the_cache_of_the_hubs_own_tools_is_looked_into() {
        let home = TempDir::new().unwrap();
        let data_set = home.path().join(".cache/huggingface/hub/datasets--openai--gsm8k");
        fs::create_dir_all(data_set.join("refs")).unwrap();
        fs::create_dir_all(data_set.join("snapshots/abc/main")).unwrap();
        fs::write(data_set.join("refs/main"), "abc").unwrap();
        fs::write(data_set.join("snapshots/abc/main/test.jsonl"), r#"{"question": "cached?"}"#)
            .unwrap();
        let hub = hub_at(&home, "http://127.0.0.1:1", &[]);
        let spec = spec(Path::new("openai/gsm8k"), json!({}));
        let drawn =
            dataset::open_from(&spec, Some(tiny()), &hub).unwrap().draw(0, Seed::new(1)).unwrap();
        assert_eq!(text(&drawn), "cached?");
    }

    #[test]
    fn a_data_set_that_a_script_makes_is_taken_as_the_hub_converted_it() {
        let site = Imitation::start(|path| match path {
            "/api/datasets/org/old/revision/main?blobs=true" => {
                response("200 OK", br#"{"siblings": [{"rfilename": "old.py"}]}"#)
            }
            "/api/datasets/org/old/revision/refs%2Fconvert%2Fparquet?blobs=true" => {
                response("200 OK", br#"{"siblings": [{"rfilename": "default/train/0000.jsonl"}]}"#)
            }
            "/datasets/org/old/resolve/refs%2Fconvert%2Fparquet/default/train/0000.jsonl" => {
                response("200 OK", br#"{"text": "converted"}"#)
            }
            _ => absent(),
        });
        let home = TempDir::new().unwrap();
        let hub = hub_at(&home, &site.url(), &[]);
        let spec = spec(Path::new("org/old"), json!({}));
        let drawn = dataset::open_from(&spec, None, &hub).unwrap().draw(0, Seed::new(1)).unwrap();
        assert_eq!(text(&drawn), "converted");
    }

    #[test]
    fn a_name_that_the_hub_does_not_know_and_one_that_is_none_are_refused() {
        let site = Imitation::start(|_| absent());
        let home = TempDir::new().unwrap();
        let hub = hub_at(&home, &site.url(), &[]);
        let refused = |name: &str, args| {
            dataset::open_from(&spec(Path::new(name), args), None, &hub).unwrap_err().to_string()
        };
        assert!(refused("org/none", json!({})).contains("has no such data set"));
        assert!(refused("no/such/path", json!({})).contains("it is no hub's name either"));
        let error = refused("org/none", json!({ "name": "org/unknown" }));
        assert!(error.starts_with("prompts.args.name of the dataset hf: there is no mapping for org/unknown; there are lmarena-ai"), "{error}");
        assert!(refused("ms:org/none", json!({})).contains("from Hugging Face only"));
    }
}
