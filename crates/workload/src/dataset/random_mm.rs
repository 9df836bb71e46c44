//! `random-mm`: random text and images of noise, as chat messages.
//!
//! How many images a request has and how large they are is drawn as vLLM draws it; the text is that of `random` with the
//! same settings. Every pixel is drawn by itself, which compresses worse than any photograph. Video is refused: no
//! maintained crate writes it.

use std::ops::RangeInclusive;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;
use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokometer_wire::{Input, Message, Prompt};

use super::args::{args_with_common, wrong};
use super::exact::{Exact, Form, Measured};
use super::random_vllm::{INPUT_LEN, RangeRatio, Stretches, Wanted};
use super::{Dataset, DatasetError, Drawn, Entry, Spec};
use crate::seed::Seed;
use crate::tokenizer::Tokenizer;

pub(super) const ENTRY: Entry = Entry {
    name: "random-mm",
    help: "random text with images of noise",
    file: None,
    needs_tokenizer: true,
    length_control: false,
    takes_args: true,
    open: |spec, tokenizer| match tokenizer {
        Some(tokenizer) => Ok(Box::new(Pictured::new(spec, tokenizer)?)),
        None => Err(DatasetError::NoTokenizer { what: "--dataset random-mm".to_owned() }),
    },
};

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Args {
    input_len: u32,
    output_len: Option<u32>,
    range_ratio: RangeRatio,
    prefix_len: u32,
    batch_size: u32,
    base_items_per_request: u32,
    num_mm_items_range_ratio: f64,
    limit_mm_per_prompt: Limits,
    bucket_config: Vec<Bucket>,
}

/// The most items of each kind in a request. None: there are none of the kind.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    image: Option<u32>,
    #[serde(rename = "video")]
    _video: Option<u32>,
}

/// One size of items.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bucket {
    width: u16,
    height: u16,
    /// 1 is an image, more a video.
    frames: u32,
    /// How often the size is drawn, in any unit: all together are brought to 1.
    probability: f64,
}

impl Default for Args {
    fn default() -> Self {
        let bucket = |height, width| Bucket { width, height, frames: 1, probability: 0.5 };
        Self {
            input_len: INPUT_LEN,
            output_len: None,
            range_ratio: RangeRatio::default(),
            prefix_len: 0,
            batch_size: 1,
            base_items_per_request: 1,
            num_mm_items_range_ratio: 0.0,
            limit_mm_per_prompt: Limits { image: Some(255), _video: Some(1) },
            bucket_config: vec![bucket(256, 256), bucket(720, 1280)],
        }
    }
}

/// Text with pictures.
#[derive(Debug)]
struct Pictured {
    stretches: Stretches,
    items: RangeInclusive<u32>,
    sizes: Vec<Size>,
}

/// A size of pictures.
#[derive(Clone, Copy, Debug)]
struct Size {
    width: u16,
    height: u16,
    /// The probability of this size and all before it, in the buckets' own unit.
    up_to: f64,
}

impl Pictured {
    fn new(spec: &Spec, tokenizer: Arc<dyn Tokenizer>) -> Result<Self, DatasetError> {
        let (_, args) = args_with_common::<Args>(spec)?;
        let setting =
            |why: &str| DatasetError::Setting { dataset: ENTRY.name, why: why.to_owned() };
        if spec.tokenize_prompt || !spec.apply_chat_template {
            return Err(setting("images are sent in chat messages: use a chat API"));
        }
        if args.batch_size != 1 {
            return Err(wrong(spec, "batch_size", "a request with images has one prompt: give 1"));
        }
        let sizes = sizes(spec, &args.bucket_config)?;
        let items = items(spec, &args)?;
        let exact = Exact::new(ENTRY.name, tokenizer, Form::Text, Measured::Alone)?;
        let wanted = Wanted {
            input: args.input_len,
            output: args.output_len,
            range: args.range_ratio,
            prefix: args.prefix_len,
        };
        Ok(Self { stretches: Stretches::new(spec, exact, wanted)?, items, sizes })
    }

    fn size(&self, rng: &mut ChaCha8Rng) -> Size {
        let whole = self.sizes.last().map_or(0.0, |size| size.up_to);
        let drawn = rng.random::<f64>() * whole;
        let last = self.sizes.len() - 1;
        self.sizes[self.sizes.partition_point(|size| size.up_to <= drawn).min(last)]
    }
}

/// The sizes that are drawn at all.
fn sizes(spec: &Spec, buckets: &[Bucket]) -> Result<Vec<Size>, DatasetError> {
    let mut sizes = Vec::new();
    let mut up_to = 0.0;
    for (index, bucket) in buckets.iter().enumerate() {
        let Bucket { width, height, frames, probability } = *bucket;
        let wrong = |field: &str, why: String| {
            Err(wrong(spec, &format!("bucket_config[{index}].{field}"), why))
        };
        if !(probability.is_finite() && probability >= 0.0) {
            return wrong("probability", format!("{probability} is no probability"));
        }
        if frames == 0 {
            return wrong("frames", "an image has 1 frame, a video more".to_owned());
        }
        if probability == 0.0 {
            continue;
        }
        if frames > 1 {
            return wrong(
                "frames",
                format!(
                    "{width}×{height} with {frames} frames is a video, which cannot be made here: set its probability to 0"
                ),
            );
        }
        if width == 0 || height == 0 {
            let field = if width == 0 { "width" } else { "height" };
            return wrong(field, "an image has at least 1 pixel each way".to_owned());
        }
        if u32::from(width) * u32::from(height) > MOST_PIXELS {
            let why = format!("{width}×{height} are more than {MOST_PIXELS} pixels");
            return wrong("width", why);
        }
        up_to += probability;
        sizes.push(Size { width, height, up_to });
    }
    if sizes.is_empty() {
        return Err(wrong(spec, "bucket_config", "no size has a probability above 0"));
    }
    Ok(sizes)
}

/// How many items a request may have.
fn items(spec: &Spec, args: &Args) -> Result<RangeInclusive<u32>, DatasetError> {
    let (base, ratio) = (args.base_items_per_request, args.num_mm_items_range_ratio);
    if !(0.0..=1.0).contains(&ratio) {
        let why = format!("{ratio} is outside [0, 1]: give a part of the items, such as 0.5");
        return Err(wrong(spec, "num_mm_items_range_ratio", why));
    }
    let Some(limit) = args.limit_mm_per_prompt.image else {
        return Err(wrong(spec, "limit_mm_per_prompt.image", "images are sent: give their limit"));
    };
    let fewest = (f64::from(base) * (1.0 - ratio)).floor() as u32;
    let most = ((f64::from(base) * (1.0 + ratio)).ceil() as u32).min(limit);
    if fewest > most {
        let why = format!("at least {fewest} images a request are wanted, and {limit} allowed");
        return Err(wrong(spec, "limit_mm_per_prompt.image", why));
    }
    Ok(fewest..=most)
}

/// A part of a message with an image of noise.
fn image(size: Size, rng: &mut ChaCha8Rng) -> Result<Value, DatasetError> {
    let (width, height) = (size.width, size.height);
    let mut pixels = vec![0; usize::from(width) * usize::from(height) * CHANNELS];
    rng.fill_bytes(&mut pixels);
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, QUALITY)
        .encode(&pixels, width.into(), height.into(), ExtendedColorType::Rgb8)
        .map_err(|error| DatasetError::Setting {
            dataset: ENTRY.name,
            why: format!("no JPEG of {width}×{height} pixels can be made: {error}"),
        })?;
    let url = format!("data:image/jpeg;base64,{}", STANDARD.encode(&jpeg));
    Ok(json!({ "type": "image_url", "image_url": { "url": url } }))
}

impl Dataset for Pictured {
    fn draw(&self, index: u64, seed: Seed) -> Result<Drawn, DatasetError> {
        let text = match self.stretches.input(index, seed)? {
            Input::Text(text) => Value::from(text),
            Input::Tokens(ids) => Value::from(ids),
        };
        let mut parts = vec![json!({ "type": "text", "text": text })];
        let mut rng = seed.stream("images").at(index).rng();
        for _ in 0..rng.random_range(self.items.clone()) {
            parts.push(image(self.size(&mut rng), &mut rng)?);
        }
        let content = Value::Array(parts);
        let message = Message { role: "user".to_owned(), content, more: Map::new() };
        // How many tokens an image takes is the model's own affair.
        let drawn = Drawn::of(Prompt::Messages(vec![message]), None);
        Ok(drawn.answered_within(self.stretches.output(index, seed)))
    }

    fn len(&self) -> Option<u64> {
        None
    }
}

const CHANNELS: usize = 3;
/// Pixels of the largest image that is made.
const MOST_PIXELS: u32 = 1 << 26;
/// As Pillow saves them, if nothing is said.
const QUALITY: u8 = 75;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::dataset;
    use crate::fixtures::{spec_of, tiny};

    fn spec(args: Value) -> Spec {
        Spec { apply_chat_template: true, ..spec_of(ENTRY.name, args) }
    }

    fn bucket(width: u16, height: u16, probability: f64) -> Value {
        json!({ "width": width, "height": height, "frames": 1, "probability": probability })
    }

    fn open(args: Value) -> Box<dyn Dataset> {
        dataset::open(&spec(args), Some(tiny())).unwrap()
    }

    fn refusal(args: Value) -> String {
        dataset::open(&spec(args), Some(tiny())).unwrap_err().to_string()
    }

    /// The text, and the sizes of the images as a reader of JPEG finds them.
    fn parts(data: &dyn Dataset, index: u64) -> (String, Vec<(u32, u32)>) {
        let Prompt::Messages(messages) = data.prompt(index, Seed::new(1)).unwrap() else {
            panic!("messages were asked for")
        };
        let parts = messages[0].content.as_array().unwrap();
        assert_eq!(parts[0]["type"], "text");
        let sizes = parts[1..].iter().map(|part| {
            assert_eq!(part["type"], "image_url");
            let url = part["image_url"]["url"].as_str().unwrap();
            let jpeg =
                STANDARD.decode(url.strip_prefix("data:image/jpeg;base64,").unwrap()).unwrap();
            let image =
                image::load_from_memory_with_format(&jpeg, image::ImageFormat::Jpeg).unwrap();
            (image.width(), image.height())
        });
        (parts[0]["text"].as_str().unwrap().to_owned(), sizes.collect())
    }

    #[test]
    fn a_message_has_text_of_its_length_and_images_that_can_be_read() {
        let data = open(json!({
            "input_len": 25, "output_len": 6, "base_items_per_request": 2, "bucket_config": [bucket(40, 24, 1.0)],
        }));
        let (text, sizes) = parts(&*data, 3);
        assert_eq!(tiny().encode(&text).unwrap().len(), 25);
        assert_eq!(sizes, [(40, 24), (40, 24)]);
        let drawn = data.draw(3, Seed::new(1)).unwrap();
        assert_eq!((drawn.tokens, drawn.max_tokens), (None, Some(6)));
        assert_eq!(data.draw(3, Seed::new(1)).unwrap(), drawn);
        assert_ne!(data.draw(4, Seed::new(1)).unwrap(), drawn);
    }

    #[test]
    fn sizes_are_drawn_by_their_probabilities() {
        let data = open(json!({
            "input_len": 2,
            "bucket_config": [bucket(8, 8, 3.0), bucket(16, 8, 0.0), bucket(8, 16, 1.0)],
        }));
        let mut times: BTreeMap<(u32, u32), f64> = BTreeMap::new();
        for index in 0..400 {
            for size in parts(&*data, index).1 {
                *times.entry(size).or_default() += 1.0;
            }
        }
        assert_eq!(times.keys().copied().collect::<Vec<_>>(), [(8, 8), (8, 16)]);
        // 3.29 deviations of 400 draws at three quarters.
        assert!((times[&(8, 8)] - 300.0).abs() < 3.29 * (400.0 * 0.75 * 0.25_f64).sqrt());
    }

    #[test]
    fn how_many_items_there_are_is_drawn_and_limited() {
        let numbers = |limit: u32| {
            let data = open(json!({
                "input_len": 2, "base_items_per_request": 2, "num_mm_items_range_ratio": 1.0,
                "limit_mm_per_prompt": { "image": limit }, "bucket_config": [bucket(8, 8, 1.0)],
            }));
            let mut numbers: Vec<usize> =
                (0..60).map(|index| parts(&*data, index).1.len()).collect();
            numbers.sort_unstable();
            numbers.dedup();
            numbers
        };
        assert_eq!(numbers(255), [0, 1, 2, 3, 4]);
        assert_eq!(numbers(3), [0, 1, 2, 3]);
    }

    #[test]
    fn videos_are_refused_unless_none_is_drawn() {
        let video = |probability: f64| {
            json!({ "bucket_config": [
                bucket(8, 8, 0.5),
                { "width": 1280, "height": 720, "frames": 16, "probability": probability },
            ] })
        };
        assert_eq!(
            refusal(video(0.1)),
            "prompts.args.bucket_config[1].frames of the dataset random-mm: 1280×720 with 16 frames is a video, which cannot \
             be made here: set its probability to 0"
        );
        drop(open(video(0.0)));
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        let error = refusal(json!({ "bucket_config": [bucket(8, 8, -1.0)] }));
        assert!(error.contains("bucket_config[0].probability") && error.contains("-1"), "{error}");
        assert!(refusal(json!({ "bucket_config": [bucket(0, 8, 1.0)] })).contains("[0].width"));
        let large = refusal(json!({ "bucket_config": [bucket(u16::MAX, u16::MAX, 1.0)] }));
        assert!(large.contains("65535×65535 are more than 67108864 pixels"), "{large}");
        assert!(refusal(json!({ "bucket_config": [] })).contains("no size has a probability"));
        assert!(refusal(json!({ "num_mm_items_range_ratio": 1.1 })).contains("outside [0, 1]"));
        assert!(
            refusal(json!({ "limit_mm_per_prompt": { "video": 1 } }))
                .contains("limit_mm_per_prompt.image")
        );
        let few = json!({ "limit_mm_per_prompt": { "image": 1 }, "base_items_per_request": 2 });
        assert!(refusal(few).contains("at least 2 images a request are wanted, and 1 allowed"));
        assert!(refusal(json!({ "batch_size": 2 })).contains("prompts.args.batch_size"));
        let completions = Spec { apply_chat_template: false, ..spec(json!({})) };
        let error = dataset::open(&completions, Some(tiny())).unwrap_err().to_string();
        assert!(error.ends_with("images are sent in chat messages: use a chat API"), "{error}");
    }
}
