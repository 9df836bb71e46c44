//! `custom_audio`: the user's own sounds, to be transcribed, or to be talked about in a chat.
//!
//! A sound is sent as the bytes that its file has. How long it plays is read from it, for the figure of real time per second; a
//! file that does not tell is refused.

use std::sync::Arc;

use super::args::{self, Common};
use super::custom::Own;
use super::length::Fate;
use super::media::{self, Sound};
use super::rows::{self, Place, Row};
use super::sample::{Sample, Taking, Wrong};
use super::wording::{Asked, Template, Wording};
use super::{Dataset, DatasetError, Entry, File, Spec, file};
use crate::tokenizer::Tokenizer;

pub(super) const ENTRY: Entry = Entry {
    name: "custom_audio",
    help: "your own sounds: JSON lines with audio, the path of a WAV, FLAC, MP3 or Ogg file, and prompt for chats",
    file: Some(File { form: FORM, usual: None }),
    needs_tokenizer: false,
    length_control: false,
    takes_args: true,
    open,
};

fn open(
    spec: &Spec,
    tokenizer: Option<Arc<dyn Tokenizer>>,
) -> Result<Box<dyn Dataset>, DatasetError> {
    let (common, own): (Common, Own) = args::args_with_common(spec)?;
    if own.ensure_client_side_data {
        return Err(args::wrong(
            spec,
            "ensure_client_side_data",
            "it applies to custom_image only",
        ));
    }
    let path = file::path(&ENTRY, spec)?;
    let wording = Wording::new(spec, tokenizer, Template::Leave)?;
    let make = move |row: &Row, place: &Place| {
        let limit = own.output_len.of(row)?;
        sound(row, place, &wording, limit)
    };
    let tables = vec![rows::open_json(&path)?];
    let taking = Taking::new(common, spec.offset, FORM);
    Ok(Box::new(Sample::new(path, tables, taking, Box::new(make))))
}

fn sound(row: &Row, place: &Place, wording: &Wording, limit: Option<u32>) -> Result<Fate, Wrong> {
    let text = if row.contains_key("prompt") { file::field(row, "prompt")? } else { "" };
    let named = file::field(row, "audio")?;
    let wrong = |why| format!("field audio: {why}");
    let bytes = media::read(named, place).map_err(wrong)?;
    let sound = Sound::new(bytes).map_err(|why| wrong(format!("the file {named}: {why}")))?;
    wording.word(Asked::Sound(sound, text.to_owned()), limit)
}

const FORM: &str = r#"JSON lines such as {"prompt": "…", "audio": "a.wav"}"#;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;
    use tempfile::TempDir;
    use tokometer_wire::Prompt;

    use super::super as dataset;
    use super::*;
    use crate::fixtures::wav;
    use crate::seed::Seed;

    fn drawn(chat: bool, row: &str, sound: &[u8]) -> Result<dataset::Drawn, String> {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("a.wav"), sound).unwrap();
        let path = folder.path().join("own.jsonl");
        std::fs::write(&path, row).unwrap();
        let spec = Spec {
            name: "custom_audio".to_owned(),
            path: Some(path),
            apply_chat_template: chat,
            ..Spec::default()
        };
        let drawn = dataset::open(&spec, None).unwrap().draw(0, Seed::new(1));
        drawn.map_err(|error| error.to_string().replace(folder.path().to_str().unwrap(), "FOLDER"))
    }

    const ROW: &str = r#"{"prompt": "Write it down.", "audio": "a.wav"}"#;

    #[test]
    fn a_sound_is_uploaded_with_its_bytes_and_how_long_it_plays() {
        let sound = wav(8000, 12_000);
        let drawn = drawn(false, ROW, &sound).unwrap();
        assert_eq!(drawn.audio, Some(Duration::from_millis(1500)));
        let Prompt::Audio(audio) = drawn.prompt else { panic!("it is a sound") };
        assert_eq!((&audio.bytes[..], &*audio.name, &*audio.hint), (&sound[..], "audio.wav", ""));
        assert_eq!(drawn.max_tokens, None);
    }

    #[test]
    fn in_a_chat_it_is_a_part_behind_the_text() {
        let sound = wav(8000, 8000);
        let drawn = drawn(true, ROW, &sound).unwrap();
        assert_eq!(drawn.audio, Some(Duration::from_secs(1)));
        let Prompt::Messages(messages) = drawn.prompt else { panic!("it is a conversation") };
        assert_eq!(messages[0].content[0], json!({ "type": "text", "text": "Write it down." }));
        let part = &messages[0].content[1];
        assert_eq!(
            (&part["type"], &part["input_audio"]["format"]),
            (&json!("input_audio"), &json!("wav"))
        );
        assert!(part["input_audio"]["data"].as_str().unwrap().starts_with("UklGR"));
    }

    #[test]
    fn a_file_that_is_no_sound_is_named() {
        let error = drawn(false, ROW, b"RIFFoh no").unwrap_err();
        assert!(
            error.starts_with("FOLDER/own.jsonl:1: field audio: the file a.wav: it is neither WAV, FLAC, MP3 nor Ogg"),
            "{error}"
        );
        let error = drawn(false, ROW, &wav(8000, 0)).unwrap_err();
        assert!(error.contains("it does not tell how long it plays (wav)"), "{error}");
        let error = drawn(false, r#"{"prompt": "a"}"#, b"").unwrap_err();
        assert!(error.starts_with("FOLDER/own.jsonl:1: field audio is missing"), "{error}");
    }
}
