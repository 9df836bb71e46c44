//! What tests of this crate share: a small tokenizer of real make, files that go away by themselves, and a hub on loopback.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread::JoinHandle;

use serde_json::Value;
use tempfile::TempDir;
use tokometer_wire::Message;

use crate::dataset::Spec;
use crate::tokenizer::{self, Hub, Tokenizer};

/// The folder with the small tokenizer: byte-level BPE of 1,404 tokens with Qwen's pre-tokenizer and ChatML, trained for
/// these tests on text made up for them.
pub(crate) fn tiny_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/tiny")
}

/// The small tokenizer, opened once for all tests.
pub(crate) fn tiny() -> Arc<dyn Tokenizer> {
    static TINY: LazyLock<Arc<dyn Tokenizer>> = LazyLock::new(|| {
        let hub = Hub::from_variables(|_| None);
        tokenizer::open(tiny_folder().to_str().unwrap(), &hub).unwrap()
    });
    Arc::clone(&TINY)
}

/// A folder with the small tokenizer's files, each changed by `change` or, given none by it, left out.
pub(crate) fn tiny_changed(change: impl Fn(&str, String) -> Option<String>) -> TempDir {
    let folder = TempDir::new().unwrap();
    for name in ["tokenizer.json", "tokenizer_config.json"] {
        let text = std::fs::read_to_string(tiny_folder().join(name)).unwrap();
        if let Some(text) = change(name, text) {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
    }
    folder
}

/// The tokenizer in a folder.
pub(crate) fn open(folder: &TempDir) -> Arc<dyn Tokenizer> {
    tokenizer::open(folder.path().to_str().unwrap(), &Hub::from_variables(|_| None)).unwrap()
}

/// The small tokenizer, where a server puts one special token before a text, and a chat template whose ends merge with what it is
/// put around.
pub(crate) fn with_special() -> Arc<dyn Tokenizer> {
    let folder = tiny_changed(|name, text| {
        Some(match name {
            "tokenizer.json" => {
                let processor = r#"{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<|endoftext|>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"pair":[],"special_tokens":{"<|endoftext|>":{"id":"<|endoftext|>","ids":[1400],"tokens":["<|endoftext|>"]}}}"#;
                let mut parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
                parsed["post_processor"] = serde_json::from_str(processor).unwrap();
                parsed.to_string()
            }
            _ => r#"{"chat_template": "user {{ messages[0].content|trim }}s\n"}"#.to_owned(),
        })
    });
    open(&folder)
}

/// The dataset of that name with these settings of its own, for an endpoint that completes text.
pub(crate) fn spec_of(name: &str, args: Value) -> Spec {
    let Value::Object(args) = args else { panic!("settings are an object") };
    Spec { name: name.to_owned(), apply_chat_template: false, args, ..Spec::default() }
}

/// A file of that content in a folder of its own.
pub(crate) fn file(content: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data");
    std::fs::write(&path, content).unwrap();
    (folder, path)
}

/// A message of the user.
pub(crate) fn user(text: &str) -> Message {
    Message { role: "user".into(), content: text.into(), more: serde_json::Map::new() }
}

/// A WAV file of silence: one channel, 16 bits.
pub(crate) fn wav(rate: u32, samples: u32) -> Vec<u8> {
    let data = samples * 2;
    let mut wav = Vec::new();
    wav.extend(b"RIFF");
    wav.extend((36 + data).to_le_bytes());
    wav.extend(b"WAVEfmt ");
    wav.extend(16_u32.to_le_bytes());
    wav.extend([1_u16, 1].map(u16::to_le_bytes).concat());
    wav.extend([rate, rate * 2].map(u32::to_le_bytes).concat());
    wav.extend([2_u16, 16].map(u16::to_le_bytes).concat());
    wav.extend(b"data");
    wav.extend(data.to_le_bytes());
    wav.resize(44 + data as usize, 0);
    wav
}

/// A hub on loopback. It keeps the head of every request it was sent.
pub(crate) struct Imitation {
    address: SocketAddr,
    pub(crate) heads: Arc<Mutex<Vec<String>>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Imitation {
    /// `answer` is told the path asked for and gives the whole response.
    pub(crate) fn start(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let over = Arc::new(AtomicBool::new(false));
        let (kept, ended) = (Arc::clone(&heads), Arc::clone(&over));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if ended.load(Ordering::SeqCst) {
                    break;
                }
                let mut stream = stream.unwrap();
                let lines = BufReader::new(&stream).lines().map(Result::unwrap);
                let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
                let path = head[0].split(' ').nth(1).unwrap().to_owned();
                kept.lock().unwrap().push(head.join("\n"));
                stream.write_all(&answer(&path)).unwrap();
            }
        });
        Self { address, heads, over, thread: Some(thread) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn paths(&self) -> Vec<String> {
        let heads = self.heads.lock().unwrap();
        heads.iter().map(|head| head.split(' ').nth(1).unwrap().to_owned()).collect()
    }
}

impl Drop for Imitation {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        self.thread.take().unwrap().join().unwrap();
    }
}

/// A response with a body.
pub(crate) fn response(status: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// What a hub says of what it does not have.
pub(crate) fn absent() -> Vec<u8> {
    response("404 Not Found", b"no")
}
