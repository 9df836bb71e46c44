//! Every API of `wire`, asked as the client asks it: what comes, when, and what the truth says of it.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokio::time::Instant;
use tokometer_sim::{Tokens, Words};
use tokometer_wire::sse::Decoder;
use tokometer_wire::{
    APIS, Answers, Api, Audio, Channel, Delta, Input, Options, Prompt, Request, Usage, by_name,
};

use crate::client::{Answer, Piped, ask};

/// A prompt that the API carries, and how many tokens of it are counted.
fn prompt(api: &dyn Api) -> (Prompt, u32) {
    let text = || Prompt::Text(" the people".into());
    match api.name() {
        "openai-embeddings" | "infinity-embeddings" => {
            (Prompt::Batch(vec![Input::Text(" the".into()), Input::Tokens(vec![1, 2])]), 3)
        }
        // The query counts with each document.
        "rerank" => {
            let documents = vec![" of and".into(), " to".into()];
            (Prompt::Rerank { query: " the".into(), documents }, 5)
        }
        "openai-audio" => {
            let hint = " the people of".into();
            (Prompt::Audio(Audio { bytes: "sound".into(), name: "0.wav".into(), hint }), 3)
        }
        "openai-completions" | "sglang-generate" | "tgi-generate" | "pooling" => (text(), 2),
        // Two words, and eight bytes for each end of the template.
        _ => (text(), 18),
    }
}

async fn asked(sim: &Piped, api: &dyn Api, stream: bool) -> Answer {
    let options = Options { max_tokens: Some(5), stream, ..Options::default() };
    let (prompt, _) = prompt(api);
    let request = Request { model: Some("m"), prompt: &prompt, options: &options, template: None };
    let body = String::from_utf8(api.request(&request).unwrap().to_vec()).unwrap();
    let path = if stream { api.path() } else { api.whole_path() };
    let headers = [("content-type", api.content_type()), ("x-request-id", "r")];
    ask(&mut sim.connect(1 << 16), &format!("POST {path}"), &headers, &body).await
}

/// What a client heard of a stream, and when.
#[derive(Default)]
struct Heard {
    /// Milliseconds to each event with new output.
    moments: Vec<f64>,
    text: String,
    usage: Option<Usage>,
    finish_reason: Option<String>,
    done: bool,
}

fn heard(api: &dyn Api, answer: &Answer, start: Instant) -> Heard {
    let mut heard = Heard::default();
    let mut decoder = Decoder::new();
    for (at, bytes) in &answer.chunks {
        let at = (*at - start).as_micros() as f64 / 1e3;
        decoder.push(bytes, |event| heard.hear(&api.delta(event.data).unwrap(), at)).unwrap();
    }
    assert!(!decoder.pending(), "{}: the last event is whole", api.name());
    heard
}

impl Heard {
    fn hear(&mut self, delta: &Delta<'_>, at: f64) {
        for piece in &delta.pieces {
            if delta.cumulative {
                self.text.clear();
            }
            self.text.push_str(&piece.text);
            self.moments.push(at);
        }
        self.usage = delta.usage.map(|usage| usage.after(self.usage)).or(self.usage);
        let reason = delta.finish_reason.as_ref().map(ToString::to_string);
        self.finish_reason = self.finish_reason.take().or(reason);
        self.done |= delta.done;
    }
}

fn generating() -> impl Iterator<Item = &'static dyn Api> {
    APIS.iter().copied().filter(|api| api.answers() == Answers::Output)
}

#[tokio::test(start_paused = true)]
async fn every_api_that_generates_streams_its_tokens_at_their_deadlines() {
    for api in generating() {
        let sim = Piped::new("ttft_ms=200&itl_ms=20");
        let answer = asked(&sim, api, true).await;
        let name = api.name();
        assert_eq!((answer.status, answer.complete), (200, true), "{name}: {}", answer.text());
        assert!(answer.head.contains("content-type: text/event-stream"), "{name}");
        let heard = heard(api, &answer, sim.start);
        assert_eq!(heard.moments, [200.0, 220.0, 240.0, 260.0, 280.0], "{name}");
        assert_eq!(sim.written(), [200.0, 220.0, 240.0, 260.0, 280.0].map(|at| (at, 1)), "{name}");
        assert_eq!(Words.encode(&heard.text).len(), 5, "{name}: {}", heard.text);
        let usage = heard.usage.unwrap();
        assert_eq!(usage.prompt_tokens, Some(prompt(api).1), "{name}");
        assert_eq!(usage.completion_tokens, 5, "{name}");
        assert_eq!(heard.finish_reason.as_deref(), Some("length"), "{name}");
        assert!(heard.done, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_api_that_generates_answers_whole_what_it_would_have_streamed() {
    for api in generating() {
        let streamed = Piped::new("ttft_ms=200&itl_ms=20");
        let streamed = heard(api, &asked(&streamed, api, true).await, streamed.start).text;
        let sim = Piped::new("ttft_ms=200&itl_ms=20");
        let answer = asked(&sim, api, false).await;
        let name = api.name();
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        assert!(answer.head.contains("content-type: application/json"), "{name}");
        assert_eq!(answer.millis(sim.start), [280.0], "{name}");
        assert_eq!(sim.written(), [(280.0, 5)], "{name}");
        let text = answer.text();
        let told = api.body(text.as_bytes()).unwrap();
        assert_eq!(told.pieces[0].text, streamed, "{name}");
        // A transcription tells nothing but its text.
        let tokens = (name != "openai-audio").then_some(5);
        assert_eq!(told.usage.map(|usage| usage.completion_tokens), tokens, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_api_that_answers_with_a_result_does_so_when_the_first_token_would_come() {
    for api in APIS.iter().filter(|api| api.answers() == Answers::Result) {
        let sim = Piped::new("ttft_ms=200&itl_ms=20");
        let answer = asked(&sim, *api, false).await;
        let name = api.name();
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        assert_eq!(answer.millis(sim.start), [200.0], "{name}");
        assert_eq!(sim.written(), [(200.0, 0)], "{name}: no token is generated");
        let text = answer.text();
        let told = api.body(text.as_bytes()).unwrap();
        assert_eq!(told.pieces[0].channel, Channel::Result, "{name}");
        let (_, tokens) = prompt(*api);
        let usage =
            Usage { prompt_tokens: Some(tokens), completion_tokens: 0, cached_tokens: None };
        assert_eq!(told.usage, Some(usage), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn there_is_a_result_for_every_input() {
    let sim = Piped::new("");
    let embedded = sim.ask("POST /v1/embeddings", &[], &json!({ "input": ["a", "b", "c"] })).await;
    let embedded = embedded.json();
    let indices: Vec<_> =
        embedded["data"].as_array().unwrap().iter().map(|item| &item["index"]).collect();
    assert_eq!(indices, [0, 1, 2]);
    let vector = embedded["data"][0]["embedding"].as_array().unwrap();
    let length: f64 = vector.iter().map(|x| x.as_f64().unwrap().powi(2)).sum();
    assert_eq!(length, 1.0);
    let ranked = json!({ "query": "q", "documents": ["a", "b"] });
    let ranked = sim.ask("POST /rerank", &[], &ranked).await.json();
    let results = ranked["results"].as_array().unwrap();
    assert_eq!((results.len(), &results[1]["document"]["text"]), (2, &json!("b")));
    assert!(results[0]["relevance_score"].as_f64() > results[1]["relevance_score"].as_f64());
}

#[tokio::test(start_paused = true)]
async fn apis_that_share_a_path_are_told_apart_by_the_body() {
    let sim = Piped::new("");
    let messages = json!({ "messages": [{ "role": "user", "content": " the people" }] });
    let embedded = sim.ask("POST /v1/embeddings", &[], &messages).await.json();
    assert_eq!(embedded["usage"]["prompt_tokens"], 18);
    let sglang = sim.ask("POST /generate", &[], &json!({ "text": " the" })).await.json();
    assert_eq!(sglang["meta_info"]["completion_tokens"], 128);
    let tgi = sim.ask("POST /generate", &[], &json!({ "inputs": " the" })).await.json();
    assert_eq!(tgi["details"]["generated_tokens"], 100);
    let neither = sim.ask("POST /v1/embeddings", &[], &json!({})).await;
    assert_eq!(neither.json()["error"]["param"], "body.input");
}

#[tokio::test(start_paused = true)]
async fn a_prompt_with_images_counts_its_texts_and_a_fixed_number_for_each_image() {
    let sim = Piped::new("");
    let tokens = async |content: Value| {
        let body = json!({ "messages": [{ "role": "user", "content": content }], "max_tokens": 1 });
        sim.ask("POST /v1/chat/completions", &[], &body).await.json()["usage"]["prompt_tokens"]
            .as_u64()
    };
    let text = |text: &str| json!({ "type": "text", "text": text });
    let image =
        json!({ "type": "image_url", "image_url": { "url": "data:image/jpeg;base64,AA==" } });
    let plain = tokens(json!(" the people\n the")).await.unwrap();
    assert_eq!(tokens(json!([text(" the people"), text(" the")])).await, Some(plain));
    let mixed = json!([text(" the people"), image, text(" the"), image]);
    assert_eq!(tokens(mixed).await, Some(plain + 2 * 256));
}

#[tokio::test(start_paused = true)]
async fn refusals_have_the_form_of_each_api() {
    let sim = Piped::new("");
    let refused = async |path: &str| sim.ask(&format!("POST {path}"), &[], &json!({})).await;
    let anthropic = refused("/v1/messages").await;
    let error = json!({ "type": "Bad Request", "message": "max_tokens: field required" });
    assert_eq!(
        (anthropic.status, anthropic.json()),
        (400, json!({ "type": "error", "error": error }))
    );
    let tgi = refused("/generate_stream").await.json();
    assert_eq!(tgi, json!({ "error": "inputs: field required", "error_type": "Bad Request" }));
    let sglang = refused("/generate").await.json();
    let words = "text: either text or input_ids is required";
    assert_eq!(sglang, json!({ "error": { "message": words } }));
    let audio = refused("/v1/audio/translations").await;
    assert_eq!(audio.status, 400);
    let message = audio.json()["error"]["message"].as_str().unwrap().to_owned();
    assert_eq!(message, "not a multipart form: it has no lines");
}

#[tokio::test(start_paused = true)]
async fn an_error_in_the_middle_of_a_stream_is_told_in_each_apis_form() {
    for api in generating() {
        let sim = Piped::new("fault=error_event&fault_after=2");
        let answer = asked(&sim, api, true).await;
        let mut failures = Vec::new();
        let mut decoder = Decoder::new();
        for (_, bytes) in &answer.chunks {
            let hear = |event: tokometer_wire::sse::Event<'_>| {
                failures
                    .extend(api.delta(event.data).unwrap().error.map(|words| words.to_string()));
            };
            decoder.push(bytes, hear).unwrap();
        }
        assert_eq!(failures.len(), 1, "{}", api.name());
        assert!(failures[0].starts_with("EngineCore encountered an issue"), "{}", api.name());
    }
}

#[tokio::test(start_paused = true)]
async fn an_api_that_opens_with_its_first_output_has_nothing_to_send_before() {
    for name in ["openai-completions", "tgi-generate", "sglang-generate"] {
        let api = by_name(name).unwrap();
        let sim = Piped::new("ttft_ms=200&itl_ms=20&fault=role_first");
        let answer = asked(&sim, api, true).await;
        assert!(answer.complete, "{name}");
        assert_eq!(answer.millis(sim.start)[0], 200.0, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_opening_is_sent_at_once_where_that_is_asked_for() {
    for name in ["openai-responses", "anthropic-messages"] {
        let api = by_name(name).unwrap();
        let sim = Piped::new("ttft_ms=200&itl_ms=20&fault=role_first");
        let answer = asked(&sim, api, true).await;
        assert_eq!(answer.millis(sim.start)[..2], [0.0, 200.0], "{name}");
        assert_eq!(heard(api, &answer, sim.start).moments.len(), 5, "{name}");
    }
}

/// The samples of `/metrics`.
async fn metrics(sim: &Piped) -> BTreeMap<String, f64> {
    let text = sim.ask("GET /metrics", &[], &json!("")).await.text();
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn metrics_count_what_was_served() {
    let sim = Piped::new("model=m");
    let of = |name: &str| format!("vllm:{name}{{engine=\"0\",model_name=\"m\"}}");
    let untouched = metrics(&sim).await;
    let mut totals = untouched.iter().filter(|(key, _)| key.contains("_total{"));
    assert!(totals.all(|(key, value)| *value == 0.0 || !key.starts_with("vllm:")));
    sim.chat(5).await;
    asked(&sim, by_name("openai-embeddings").unwrap(), false).await;
    // Refused: counted nowhere.
    sim.ask("POST /v1/chat/completions", &[], &json!({})).await;
    // Somebody who goes away in the middle.
    let mut gone = sim.connect(1 << 16);
    let body = crate::client::chat(50).to_string();
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: sim\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    tokio::io::AsyncWriteExt::write_all(&mut gone, request.as_bytes()).await.unwrap();
    tokio::time::advance(tokio::time::Duration::from_millis(1)).await;
    tokio::io::AsyncReadExt::read_u8(&mut gone).await.unwrap();
    assert_eq!(metrics(&sim).await[&of("num_requests_running")], 1.0);
    drop(gone);
    while sim.truth.served().len() < 4 {
        tokio::time::advance(tokio::time::Duration::from_millis(1)).await;
        tokio::task::yield_now().await;
    }
    let told = metrics(&sim).await;
    assert_eq!(told[&of("num_requests_running")], 0.0);
    assert_eq!(told[&of("num_requests_waiting")], 0.0);
    // A prompt counts with its first token, which whoever went away did not wait for.
    assert_eq!(told[&of("prompt_tokens_total")], 18.0 + 3.0);
    let emitted = sim.truth.served().into_iter().flat_map(|served| served.emissions);
    let emitted: u32 = emitted.map(|emitted| emitted.tokens).sum();
    assert_eq!(told[&of("generation_tokens_total")], f64::from(emitted));
    let ended = |reason: &str| {
        told[&format!(
            "vllm:request_success_total{{engine=\"0\",finished_reason=\"{reason}\",model_name=\"m\"}}"
        )]
    };
    assert_eq!(["length", "stop", "abort", "error"].map(ended), [1.0, 1.0, 1.0, 0.0]);
}

#[tokio::test(start_paused = true)]
async fn what_has_nothing_to_do_here_is_a_success() {
    let sim = Piped::new("");
    for path in ["/start_profile", "/stop_profile"] {
        let answer = sim.ask(&format!("POST {path}"), &[], &Value::Null).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, ""), "{path}");
    }
    let reset = sim.ask("POST /reset_prefix_cache", &[], &Value::Null).await;
    assert_eq!(reset.json(), json!({ "success": true }));
    assert_eq!(sim.ask("GET /reset_prefix_cache", &[], &Value::Null).await.status, 405);
}
