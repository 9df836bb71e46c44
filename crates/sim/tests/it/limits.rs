//! What is refused, in the words of vLLM 0.32: the messages are those that it sent.

use serde_json::{Value, json};

use crate::client::{CHAT, COMPLETIONS, Piped, chat, with};

/// The error of a refused request.
async fn error(query: &str, request: &str, body: Value) -> Value {
    let answer = Piped::new(query).ask(request, &[], &body).await;
    assert_eq!(answer.status, 400, "{}", answer.text());
    answer.json()["error"].take()
}

/// Asserts that a chat with these fields is refused so.
async fn assert_refused(fields: Value, message: &str, parameter: Value) {
    let error = error("", CHAT, with(chat(30), fields.clone())).await;
    let expected =
        json!({ "message": message, "type": "BadRequestError", "param": parameter, "code": 400 });
    assert_eq!(error, expected, "{fields}");
}

#[tokio::test(start_paused = true)]
async fn ways_to_generate_that_there_are_not_are_refused() {
    let cases = [
        (json!({ "n": 0 }), "n must be at least 1, got 0.", Value::Null),
        (json!({ "n": 1_000_000_000 }), "n must be at most 128, got 1000000000.", Value::Null),
        (
            json!({ "temperature": -1 }),
            "temperature must be non-negative, got -1.0. (parameter=temperature, value=-1.0)",
            json!("temperature"),
        ),
        (
            json!({ "temperature": 2.5 }),
            "temperature must be in [0, 2], got 2.5. (parameter=temperature, value=2.5)",
            json!("temperature"),
        ),
        (
            json!({ "presence_penalty": 3 }),
            "presence_penalty must be in [-2, 2], got 3.0.",
            Value::Null,
        ),
        (
            json!({ "repetition_penalty": 0 }),
            "repetition_penalty must be greater than zero, got 0.0.",
            Value::Null,
        ),
        (
            json!({ "top_p": 0 }),
            "top_p must be in (0, 1], got 0.0. (parameter=top_p, value=0.0)",
            json!("top_p"),
        ),
        (json!({ "top_k": -2 }), "top_k must be 0 (disable), or at least 1, got -2.", Value::Null),
        (json!({ "min_p": 1.5 }), "min_p must be in [0, 1], got 1.5.", Value::Null),
        (
            json!({ "max_tokens": 0 }),
            "max_tokens must be at least 1, got 0. (parameter=max_tokens, value=0)",
            json!("max_tokens"),
        ),
        (
            json!({ "min_tokens": 50 }),
            "min_tokens must be less than or equal to max_tokens=30, got 50.",
            Value::Null,
        ),
        (json!({ "stop": [""] }), "stop cannot contain an empty string.", Value::Null),
        (
            json!({ "n": 2, "temperature": 0 }),
            "n must be 1 when using greedy sampling, got 2.",
            Value::Null,
        ),
        (
            json!({ "logprobs": true, "top_logprobs": 21 }),
            "Requested sample logprobs of 21, which is greater than max allowed: 20 (parameter=logprobs, value=21)",
            json!("logprobs"),
        ),
    ];
    for (fields, message, parameter) in cases {
        assert_refused(fields, message, parameter).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_output_that_is_longer_than_the_context_is_refused() {
    let error = error("max_model_len=100", CHAT, chat(101)).await;
    let message = "max_tokens=101 cannot be greater than max_model_len=100. Please request fewer output tokens. \
                   (parameter=max_tokens, value=101)";
    assert_eq!((&error["message"], &error["param"]), (&json!(message), &json!("max_tokens")));
}

#[tokio::test(start_paused = true)]
async fn a_prompt_that_is_longer_than_the_context_is_refused_as_far_as_it_was_counted() {
    let words = |known: &str, value: u32| {
        format!(
            "This model's maximum context length is 10 tokens. However, your prompt contains {known} input tokens, which \
             exceeds this limit even without any output tokens. Please reduce the length of the input prompt. \
             (parameter=input_tokens, value={value})"
        )
    };
    let body = |prompt: Value| json!({ "prompt": prompt, "max_tokens": 1 });
    let error = async |request, body| error("max_model_len=10", request, body).await;
    let told = error(CHAT, chat(1)).await;
    assert_eq!(
        (&told["message"], &told["param"]),
        (&json!(words("at least 11", 11)), &json!("input_tokens"))
    );
    let ids = error(COMPLETIONS, body(json!(vec![300; 15]))).await;
    assert_eq!(ids["message"], words("15", 15));
    let one_too_many = error(COMPLETIONS, body(json!(vec![300; 11]))).await;
    assert_eq!(one_too_many["message"], words("at least 11", 11));
    let embedded = json!({ "input": " the the the the the the the the the the the" });
    assert_eq!(error("POST /v1/embeddings", embedded).await["message"], words("at least 11", 11));
}

#[tokio::test(start_paused = true)]
async fn inputs_of_a_batch_need_only_fit_one_by_one() {
    let sim = Piped::new("max_model_len=10");
    let inputs = json!({ "input": [" the the the the the the", " the the the the the the"] });
    let answer = sim.ask("POST /v1/embeddings", &[], &inputs).await;
    assert_eq!((answer.status, &answer.json()["usage"]["prompt_tokens"]), (200, &json!(12)));
}

#[tokio::test(start_paused = true)]
async fn an_output_without_room_is_cut_short_and_refused_only_where_there_is_none() {
    let whole = json!({ "stream": false, "stream_options": null });
    // The prompt has 18 tokens.
    let answer =
        Piped::new("max_model_len=100").ask(CHAT, &[], &with(chat(90), whole)).await.json();
    assert_eq!(answer["usage"]["completion_tokens"], 82);
    assert_eq!(answer["choices"][0]["finish_reason"], "length");
    let full = error("max_model_len=18", CHAT, chat(5)).await;
    assert_eq!(
        full["message"],
        "max_tokens must be at least 1, got 0. (parameter=max_tokens, value=0)"
    );
    let least = error("max_model_len=100", CHAT, with(chat(90), json!({ "min_tokens": 90 }))).await;
    assert_eq!(least["message"], "min_tokens must be less than or equal to max_tokens=82, got 90.");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_no_json_is_refused_with_the_place() {
    let sim = Piped::new("");
    for path in [CHAT, COMPLETIONS, "POST /tokenize", "POST /detokenize"] {
        let answer = crate::client::ask(&mut sim.connect(1 << 16), path, &[], "{nope").await;
        let error = answer.json()["error"].take();
        assert_eq!((answer.status, &error["param"]), (400, &json!("body.1")), "{path}");
        assert!(error["message"].as_str().unwrap().starts_with("1 validation error:\n"), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn tools_are_refused_by_a_server_that_has_not_been_set_up_for_them() {
    let tools = json!([{ "type": "function", "function": { "name": "get_weather" } }]);
    let refused = async |query: &str, choice: Value| {
        let fields = json!({ "tools": tools, "tool_choice": choice });
        error(query, CHAT, with(chat(5), fields)).await["message"].as_str().unwrap().to_owned()
    };
    let named = json!({ "type": "function", "function": { "name": "get_weather" } });
    assert_eq!(
        refused("", json!("auto")).await,
        "\"auto\" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set"
    );
    assert_eq!(
        refused("", json!("required")).await,
        "tool_choice=\"required\" requires --tool-call-parser to be set"
    );
    assert_eq!(
        refused("", named).await,
        "tool_choice=function \"get_weather\" requires --tool-call-parser to be set"
    );
    let unknown = json!({ "type": "function", "function": { "name": "other" } });
    assert!(refused("tool_call_parser=hermes", unknown).await.contains("does not match any"));
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses_in_vllms_words_until_somebody_has_left() {
    let sim = Piped::new("base_us=10000&max_num_seqs=1&max_num_queued_reqs=2");
    let body = json!({ "prompt": "hello", "max_tokens": 5, "ignore_eos": true });
    let ask = || sim.ask(COMPLETIONS, &[], &body);
    let (first, second, third) = tokio::join!(ask(), ask(), ask());
    assert_eq!((first.status, second.status, third.status), (200, 200, 503));
    let error = json!({
        "message": "The engine is currently busy and cannot accept new requests. Please try again later or on a different instance.",
        "type": "Service Unavailable", "param": null, "code": 503,
    });
    assert_eq!(third.json(), json!({ "error": error }));
    assert_eq!(ask().await.status, 200);
    let three = with(chat(5), json!({ "n": 3 }));
    assert_eq!(sim.ask(CHAT, &[], &three).await.status, 503);
    let page = sim.ask("GET /metrics", &[], &Value::Null).await.text();
    let rejected = page.lines().find(|line| {
        line.starts_with("vllm:admission_rejections_total{") && line.contains("max_num_queued_reqs")
    });
    assert_eq!(rejected.and_then(|line| line.split(' ').next_back()), Some("2.0"));
}
