//! What each API is asked with: every field under the API's own name, and nothing that it has no place for.

use serde_json::{Map, Value, json};
use tokometer_wire::{Api, Audio, Input, LimitName, Message, Options, Prompt, Request, by_name};

fn api(name: &str) -> &'static dyn Api {
    by_name(name).unwrap()
}

fn body(name: &str, prompt: &Prompt, options: &Options) -> Value {
    let request = Request { model: Some("m"), prompt, options, template: None };
    serde_json::from_slice(&api(name).request(&request).unwrap()).unwrap()
}

fn map(value: Value) -> Map<String, Value> {
    let Value::Object(map) = value else { panic!("{value} is not an object") };
    map
}

fn text() -> Prompt {
    Prompt::Text("hi".into())
}

fn streamed() -> Options {
    let extra = map(json!({ "ignore_eos": true }));
    Options { max_tokens: Some(7), stream: true, extra, ..Options::default() }
}

fn refusal(name: &str, options: Options) -> String {
    let options = Options { max_tokens: options.max_tokens.or(Some(1)), ..options };
    let request = Request { model: None, prompt: &text(), options: &options, template: None };
    api(name).request(&request).unwrap_err().to_string()
}

#[test]
fn a_response_is_asked_for_with_an_input_and_is_not_stored() {
    let asked = body("openai-responses", &text(), &streamed());
    let expected = json!({
        "model": "m", "input": "hi", "max_output_tokens": 7, "stream": true, "store": false, "ignore_eos": true,
    });
    assert_eq!(asked, expected);
}

#[test]
fn the_parts_of_a_conversation_get_the_names_of_each_api() {
    let content = json!([
        { "type": "text", "text": "a" },
        { "type": "image_url", "image_url": { "url": "data:image/png;base64,AA==" } },
    ]);
    let messages: Vec<Message> = serde_json::from_value(json!([
        { "role": "system", "content": "s" },
        { "role": "user", "content": content },
    ]))
    .unwrap();
    let prompt = Prompt::Messages(messages);
    let responses = body("openai-responses", &prompt, &streamed());
    assert_eq!(
        responses["input"][1]["content"],
        json!([
            { "type": "input_text", "text": "a" },
            { "type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "auto" },
        ])
    );
    let anthropic = body("anthropic-messages", &prompt, &streamed());
    let source = json!({ "type": "base64", "media_type": "image/png", "data": "AA==" });
    assert_eq!(
        anthropic,
        json!({
            "model": "m", "system": "s",
            "messages": [{ "role": "user", "content": [
                { "type": "text", "text": "a" }, { "type": "image", "source": source },
            ] }],
            "max_tokens": 7, "stream": true, "ignore_eos": true,
        })
    );
}

#[test]
fn anthropic_is_asked_in_its_version_and_never_without_a_limit() {
    assert_eq!(api("anthropic-messages").headers(), [("anthropic-version", "2023-06-01")]);
    let (prompt, options) = (text(), Options::default());
    let request = Request { model: None, prompt: &prompt, options: &options, template: None };
    let error = api("anthropic-messages").request(&request).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the anthropic-messages API cannot carry a request without max_tokens"
    );
    let template = map(json!({ "max_tokens": 3 }));
    let request = Request { template: Some(&template), ..request };
    assert!(api("anthropic-messages").request(&request).is_ok());
}

#[test]
fn inputs_to_embed_are_one_or_several_texts_or_ids() {
    let batch = Prompt::Batch(vec![Input::Text("a".into()), Input::Text("b".into())]);
    let options = Options::default();
    assert_eq!(
        body("openai-embeddings", &batch, &options),
        json!({ "model": "m", "input": ["a", "b"], "truncate_prompt_tokens": -1 })
    );
    let ids = Prompt::Batch(vec![Input::Tokens(vec![1, 2])]);
    assert_eq!(body("openai-embeddings", &ids, &options)["input"], json!([[1, 2]]));
    let one = Prompt::Tokens(vec![1, 2]);
    assert_eq!(
        body("pooling", &one, &options),
        json!({ "model": "m", "truncate_prompt_tokens": -1, "input": [1, 2] })
    );
    assert_eq!(
        body("openai-embeddings-chat", &text(), &options),
        json!({
            "model": "m", "messages": [{ "role": "user", "content": "hi" }], "truncate_prompt_tokens": -1,
        })
    );
    assert_eq!(
        body("infinity-embeddings", &text(), &options),
        json!({ "model": "m", "input": "hi" })
    );
}

#[test]
fn the_users_own_fields_win_over_those_that_are_always_sent() {
    let extra = map(json!({ "truncate_prompt_tokens": 5, "dimensions": 2 }));
    let options = Options { extra, ..Options::default() };
    assert_eq!(
        body("openai-embeddings", &text(), &options),
        json!({ "model": "m", "input": "hi", "truncate_prompt_tokens": 5, "dimensions": 2 })
    );
}

#[test]
fn infinity_is_sent_the_one_image_of_a_conversation_with_its_modality() {
    let image = json!({ "type": "image_url", "image_url": { "url": "http://h/a.png" } });
    let of = |parts: Value| {
        let message = json!([{ "role": "user", "content": parts }]);
        Prompt::Messages(serde_json::from_value(message).unwrap())
    };
    let one = body("infinity-embeddings", &of(json!([image])), &Options::default());
    assert_eq!(one, json!({ "model": "m", "input": "http://h/a.png", "modality": "image" }));
    let options = Options::default();
    let two = of(json!([image, image]));
    let request = Request { model: None, prompt: &two, options: &options, template: None };
    assert!(api("infinity-embeddings").request(&request).is_err());
}

#[test]
fn documents_are_ranked_by_a_query() {
    let prompt = Prompt::Rerank { query: "q".into(), documents: vec!["a".into(), "b".into()] };
    assert_eq!(
        body("rerank", &prompt, &Options::default()),
        json!({ "model": "m", "query": "q", "documents": ["a", "b"], "truncate_prompt_tokens": -1 })
    );
}

#[test]
fn sglang_takes_its_settings_as_sampling_parameters() {
    let asked = body("sglang-generate", &text(), &streamed());
    let expected = json!({
        "text": "hi", "sampling_params": { "max_new_tokens": 7, "ignore_eos": true }, "stream": true,
    });
    assert_eq!(asked, expected);
    let ids = body("sglang-generate", &Prompt::Tokens(vec![1]), &Options::default());
    assert_eq!(ids, json!({ "input_ids": [1], "sampling_params": {}, "stream": false }));
    let own = map(json!({ "text": "own", "sampling_params": { "max_new_tokens": 2 } }));
    assert_eq!(
        body("sglang-generate", &Prompt::Body(own), &streamed()),
        json!({
            "text": "own", "sampling_params": { "max_new_tokens": 2, "ignore_eos": true }, "stream": true,
        })
    );
}

#[test]
fn tgi_gets_no_setting_that_it_refuses() {
    let options = Options {
        temperature: Some(0.0),
        top_p: Some(1.0),
        top_k: Some(-1),
        stop: vec!["x".into()],
        ..streamed()
    };
    let parameters = json!({ "max_new_tokens": 7, "stop": ["x"], "details": true });
    assert_eq!(
        body("tgi-generate", &text(), &options),
        json!({ "inputs": "hi", "parameters": parameters, "stream": true })
    );
}

#[test]
fn settings_that_an_api_has_no_place_for_are_refused_by_name() {
    let min_p = || Options { min_p: Some(0.1), ..Options::default() };
    assert_eq!(refusal("tgi-generate", min_p()), "the tgi-generate API cannot carry min_p");
    assert_eq!(
        refusal("anthropic-messages", min_p()),
        "the anthropic-messages API cannot carry min_p"
    );
    let choices = Options { n: Some(2), ..Options::default() };
    assert_eq!(
        refusal("sglang-generate", choices),
        "the sglang-generate API cannot carry several choices (n)"
    );
    let least = Options { min_tokens: Some(2), ..Options::default() };
    assert_eq!(
        refusal("openai-responses", least),
        "the openai-responses API cannot carry min_tokens"
    );
}

#[test]
fn chat_limits_its_output_by_either_name_and_completions_by_one() {
    let options = Options {
        max_tokens: Some(3),
        limit: LimitName::MaxCompletionTokens,
        logprobs: Some(true),
        top_logprobs: Some(4),
        min_p: Some(0.5),
        presence_penalty: Some(0.25),
        ..Options::default()
    };
    let chat = body("openai-chat", &text(), &options);
    assert_eq!(
        chat,
        json!({
            "model": "m", "messages": [{ "role": "user", "content": "hi" }], "max_completion_tokens": 3,
            "min_p": 0.5, "presence_penalty": 0.25, "logprobs": true, "top_logprobs": 4, "stream": false,
        })
    );
    let completions = body("openai-completions", &text(), &options);
    assert_eq!(
        completions,
        json!({
            "model": "m", "prompt": "hi", "max_tokens": 3, "min_p": 0.5, "presence_penalty": 0.25,
            "logprobs": 4, "stream": false,
        })
    );
    let own = map(json!({ "messages": [], "max_tokens": 9 }));
    let asked = body("openai-chat", &Prompt::Body(own), &options);
    assert_eq!((&asked["max_tokens"], asked.get("max_completion_tokens")), (&json!(9), None));
}

#[test]
fn audio_is_a_form_with_its_settings_as_text() {
    let audio = Audio { bytes: vec![1, 2].into(), name: "0.wav".into(), hint: String::new() };
    let mut options = streamed();
    options.extra.insert("language".into(), "en".into());
    let prompt = Prompt::Audio(audio);
    let request = Request { model: Some("m"), prompt: &prompt, options: &options, template: None };
    let form = api("openai-audio").request(&request).unwrap();
    let boundary = api("openai-audio").content_type().split_once("boundary=").unwrap().1;
    let field = |name: &str, value: &str| {
        format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        )
    };
    let expected = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"0.wav\"\r\n\
         Content-Type: audio/wav\r\n\r\n\u{1}\u{2}\r\n{}{}{}{}{}{}{}--{boundary}--\r\n",
        field("model", "m"),
        field("max_completion_tokens", "7"),
        field("stream", "true"),
        field("ignore_eos", "true"),
        field("language", "en"),
        field("stream_include_usage", "true"),
        field("stream_continuous_usage_stats", "true"),
    );
    assert_eq!(String::from_utf8(form.to_vec()).unwrap(), expected);
}
