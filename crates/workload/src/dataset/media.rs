//! Images and audio as requests carry them: base64 of a file's own bytes, and how long a sound plays.
//!
//! Nothing is decoded, scaled or encoded anew: the server gets the bytes that the file has. (vLLM's client makes a JPEG of every
//! image out of Parquet, and WAV of every sound.) What a file is, is told by its first bytes and not by its name.

use std::io::Cursor;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;
use tokometer_wire::Audio;

use super::rows::Place;

/// A sound, with how long it plays.
#[derive(Clone, Debug)]
pub(super) struct Sound {
    pub(super) bytes: Bytes,
    /// `wav`, `flac`, `mp3` or `ogg`.
    pub(super) form: &'static str,
    pub(super) plays: Duration,
}

/// Text as a content part of a chat message.
pub(super) fn text_part(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

/// An image by its address as a content part.
pub(super) fn image_part(url: &str) -> Value {
    json!({ "type": "image_url", "image_url": { "url": url } })
}

/// A video by its address as a content part.
pub(super) fn video_part(url: &str) -> Value {
    json!({ "type": "video_url", "video_url": { "url": url } })
}

/// Whether it is an address that the server is to fetch, or a data URL.
pub(super) fn is_url(text: &str) -> bool {
    ["http://", "https://", "data:"].iter().any(|scheme| text.starts_with(scheme))
}

/// The URL of an image that a row names: a URL as it stands, or the data URL of a file beside the row's own. With `fetch`, what
/// is at an address is fetched by it and sent along.
pub(super) fn image_named(
    named: &str,
    place: &Place,
    fetch: Option<&Fetch>,
) -> Result<String, String> {
    match fetch {
        Some(fetch) if named.starts_with("http") && is_url(named) => {
            let bytes = fetch(named).map_err(|why| format!("the image {named} {why}"))?;
            image_url(&bytes).map_err(|why| format!("the image {named}: {why}"))
        }
        _ if is_url(named) => Ok(named.to_owned()),
        _ => image_url(&read(named, place)?).map_err(|why| format!("the file {named}: {why}")),
    }
}

/// Gets what is at an address.
pub(super) type Fetch = dyn Fn(&str) -> Result<Vec<u8>, String> + Send + Sync;

/// The bytes of a file that a row names.
pub(super) fn read(named: &str, place: &Place) -> Result<Vec<u8>, String> {
    let path = place.beside(named);
    std::fs::read(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

/// The data URL of an image, or what is wrong with it.
pub(super) fn image_url(bytes: &[u8]) -> Result<String, String> {
    data_url(image_type(bytes)?, &STANDARD.encode(bytes))
}

/// The data URL of an image that is base64 already.
pub(super) fn image_url_of_base64(encoded: &str) -> Result<String, String> {
    // As much as tells the type: 64 characters are 48 bytes.
    let head = encoded.as_bytes();
    let head = STANDARD.decode(&head[..head.len().min(64)]);
    let head = head.map_err(|_| "it is not base64".to_owned())?;
    data_url(image_type(&head)?, encoded)
}

fn data_url(kind: &str, encoded: &str) -> Result<String, String> {
    Ok(format!("data:{kind};base64,{encoded}"))
}

fn image_type(bytes: &[u8]) -> Result<&'static str, String> {
    let within = |at: usize, mark: &[u8]| bytes.get(at..at + mark.len()) == Some(mark);
    let known = [
        (0, &b"\x89PNG\r\n\x1a\n"[..], "image/png"),
        (0, b"\xff\xd8\xff", "image/jpeg"),
        (0, b"GIF8", "image/gif"),
        (8, b"WEBP", "image/webp"),
        (0, b"BM", "image/bmp"),
        (0, b"II*\0", "image/tiff"),
        (0, b"MM\0*", "image/tiff"),
        (4, b"ftypavif", "image/avif"),
    ];
    let found = known.iter().find(|(at, mark, _)| within(*at, mark));
    let wrong = || "it is no image: neither PNG, JPEG, GIF, WebP, BMP, TIFF nor AVIF".to_owned();
    found.map(|(.., kind)| *kind).ok_or_else(wrong)
}

impl Sound {
    /// Reads what a file of sound says of itself.
    pub(super) fn new(bytes: Vec<u8>) -> Result<Self, String> {
        let form = sound_form(&bytes)?;
        let bytes = Bytes::from(bytes);
        let plays = plays(&bytes, form)
            .ok_or_else(|| format!("it does not tell how long it plays ({form})"))?;
        Ok(Self { bytes, form, plays })
    }

    /// The same of base64.
    pub(super) fn of_base64(encoded: &str) -> Result<Self, String> {
        let bytes = STANDARD.decode(encoded).map_err(|_| "it is not base64".to_owned())?;
        Self::new(bytes)
    }

    /// As a content part of a chat message.
    pub(super) fn part(&self) -> Value {
        let data = STANDARD.encode(&self.bytes);
        json!({ "type": "input_audio", "input_audio": { "data": data, "format": self.form } })
    }

    /// As a file to be uploaded.
    pub(super) fn upload(self) -> Audio {
        Audio { name: format!("audio.{}", self.form), bytes: self.bytes, hint: String::new() }
    }
}

fn sound_form(bytes: &[u8]) -> Result<&'static str, String> {
    let within = |at: usize, mark: &[u8]| bytes.get(at..at + mark.len()) == Some(mark);
    match bytes {
        _ if within(0, b"RIFF") && within(8, b"WAVE") => Ok("wav"),
        _ if within(0, b"fLaC") => Ok("flac"),
        _ if within(0, b"OggS") => Ok("ogg"),
        _ if within(0, b"ID3") => Ok("mp3"),
        // Eleven set bits begin a frame of MPEG audio; layer III is 01.
        [0xff, second, ..] if second & 0xe6 == 0xe2 => Ok("mp3"),
        _ => Err("it is neither WAV, FLAC, MP3 nor Ogg".to_owned()),
    }
}

/// How long a sound plays by its header, by its last page (Ogg), or by its bit rate (MP3 without a table of contents).
fn plays(bytes: &Bytes, form: &str) -> Option<Duration> {
    let source = Box::new(Cursor::new(bytes.clone()));
    let stream = MediaSourceStream::new(source, MediaSourceStreamOptions::default());
    let mut hint = Hint::new();
    hint.with_extension(form);
    let (format, metadata) = (FormatOptions::default(), MetadataOptions::default());
    let reader = symphonia::default::get_probe().probe(&hint, stream, format, metadata).ok()?;
    let track = reader.default_track(TrackType::Audio)?;
    let time = track.time_base?.calc_duration(track.duration?)?;
    let seconds = time.as_secs_f64();
    (seconds > 0.0).then(|| Duration::try_from_secs_f64(seconds).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_sound_tells_how_long_it_plays() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/sounds");
        // Three quarters of a second of silence; MP3 has whole frames, and what its encoder puts before them.
        for (name, form, slack) in [
            ("sound.flac", "flac", 0.0),
            ("vorbis.ogg", "ogg", 0.0),
            ("opus.ogg", "ogg", 0.01),
            ("sound.mp3", "mp3", 0.15),
        ] {
            let sound = Sound::new(std::fs::read(folder.join(name)).unwrap()).unwrap();
            assert_eq!(sound.form, form);
            let off = (sound.plays.as_secs_f64() - 0.75).abs();
            assert!(off <= slack, "{name}: {:?}", sound.plays);
        }
    }

    #[test]
    fn images_are_told_by_their_first_bytes() {
        assert!(image_url(b"\xff\xd8\xffrest").unwrap().starts_with("data:image/jpeg;base64,/9j/"));
        assert!(image_url(b"RIFF....WEBPrest").unwrap().starts_with("data:image/webp;"));
        assert!(image_url(b"").is_err());
        assert!(image_url_of_base64("not base64!").is_err());
        assert_eq!(image_url_of_base64("/9j/").unwrap(), "data:image/jpeg;base64,/9j/");
    }
}
