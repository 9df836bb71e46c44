//! What each endpoint says. The fields are those of vLLM 0.32.

use serde_json::{Value, json};
use tokometer_sim::{Tokens, Words};
use tokometer_wire::{Channel, Usage};

use crate::client::{CHAT, COMPLETIONS, Piped, chat, with};

/// What a streamed response said in a choice.
fn said(answer: &crate::client::Answer, api: &str, choice: u32) -> String {
    let pieces = answer.deltas(api, |delta| {
        let of_choice = delta.pieces.iter().filter(|piece| piece.choice == choice);
        of_choice.map(|piece| piece.text.to_string()).collect::<String>()
    });
    pieces.concat()
}

#[tokio::test(start_paused = true)]
async fn a_streamed_chat_opens_says_its_tokens_gives_its_usage_and_ends() {
    let answer = Piped::new("").chat(5).await;
    assert_eq!(answer.status, 200);
    assert!(
        answer.head.contains("content-type: text/event-stream; charset=utf-8\r\n"),
        "{}",
        answer.head
    );
    assert!(answer.head.contains("transfer-encoding: chunked\r\n"), "{}", answer.head);
    assert!(answer.head.contains("server: uvicorn\r\n"), "{}", answer.head);
    let events = answer.events();
    assert!(
        events[0].starts_with(r#"{"id":"chatcmpl-r","object":"chat.completion.chunk","created":"#)
    );
    assert!(events[0].contains(
        r#""model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""}"#
    ));
    assert_eq!(Words.encode(&said(&answer, "openai-chat", 0)).len(), 5);
    let reasons = answer.deltas("openai-chat", |delta| {
        delta.finish_reason.clone().map(|reason| reason.to_string())
    });
    assert_eq!(reasons[5].as_deref(), Some("length"));
    assert!(reasons.iter().enumerate().all(|(i, reason)| i == 5 || reason.is_none()));
    let usages = answer.deltas("openai-chat", |delta| delta.usage);
    // Two words, and eight bytes for each end of the template.
    let usage = Usage { prompt_tokens: Some(18), completion_tokens: 5, cached_tokens: None };
    assert_eq!(usages, [None, None, None, None, None, None, Some(usage), None]);
    assert_eq!(events[7], "[DONE]");
}

#[tokio::test(start_paused = true)]
async fn usage_comes_only_when_it_is_asked_for() {
    let sim = Piped::new("");
    let answer = sim.ask(CHAT, &[], &with(chat(3), json!({ "stream_options": null }))).await;
    assert!(answer.deltas("openai-chat", |delta| delta.usage.is_none()).iter().all(|none| *none));
}

#[tokio::test(start_paused = true)]
async fn continuous_usage_counts_with_every_chunk() {
    let sim = Piped::new("tokens_per_chunk=2");
    let options = json!({ "include_usage": true, "continuous_usage_stats": true });
    let answer = sim.ask(CHAT, &[], &with(chat(5), json!({ "stream_options": options }))).await;
    let counts =
        answer.deltas("openai-chat", |delta| delta.usage.map(|usage| usage.completion_tokens));
    assert_eq!(counts, [Some(0), Some(2), Some(4), Some(5), Some(5), None]);
}

#[tokio::test(start_paused = true)]
async fn a_streamed_completion_has_no_opening_event() {
    let sim = Piped::new("");
    let body =
        json!({ "prompt": " the people", "stream": true, "max_tokens": 3, "ignore_eos": true });
    let answer = sim.ask(COMPLETIONS, &[("x-request-id", "r")], &body).await;
    let events = answer.events();
    assert!(
        events[0].starts_with(r#"{"id":"cmpl-r","object":"text_completion","#),
        "{}",
        events[0]
    );
    assert_eq!(events.len(), 4);
    assert_eq!(Words.encode(&said(&answer, "openai-completions", 0)).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_completion_that_says_no_limit_ends_after_sixteen_tokens_and_a_chat_by_itself() {
    let sim = Piped::new("output_tokens=30");
    let completion = sim.ask(COMPLETIONS, &[], &json!({ "prompt": "x" })).await.json();
    assert_eq!(completion["usage"]["completion_tokens"], 16);
    assert_eq!(completion["choices"][0]["finish_reason"], "length");
    let body = json!({ "messages": [{ "role": "user", "content": "x" }] });
    let chat = sim.ask(CHAT, &[], &body).await.json();
    assert_eq!(chat["usage"]["completion_tokens"], 30);
    assert_eq!(chat["choices"][0]["finish_reason"], "stop");
}

#[tokio::test(start_paused = true)]
async fn a_whole_chat_has_its_text_and_its_usage() {
    let sim = Piped::new("");
    let body = with(chat(5), json!({ "stream": false, "stream_options": null }));
    let answer = sim.ask(CHAT, &[], &body).await;
    assert!(answer.head.contains("content-type: application/json\r\n"));
    let told = answer.json();
    assert_eq!(told["object"], "chat.completion");
    let text = told["choices"][0]["message"]["content"].as_str().unwrap();
    assert_eq!(Words.encode(text).len(), 5);
    assert_eq!(told["usage"]["prompt_tokens"], 18);
}

#[tokio::test(start_paused = true)]
async fn a_streamed_response_says_what_the_whole_one_says() {
    let whole = with(chat(9), json!({ "stream": false, "stream_options": null }));
    let told = Piped::new("").ask(CHAT, &[], &whole).await.json();
    let streamed = Piped::new("").chat(9).await;
    assert_eq!(told["choices"][0]["message"]["content"], said(&streamed, "openai-chat", 0));
}

#[tokio::test(start_paused = true)]
async fn choices_say_different_things_of_the_same_length() {
    let sim = Piped::new("");
    let body = with(chat(4), json!({ "n": 2 }));
    let answer = sim.ask(CHAT, &[], &body).await;
    let (one, other) = (said(&answer, "openai-chat", 0), said(&answer, "openai-chat", 1));
    assert_eq!((Words.encode(&one).len(), Words.encode(&other).len()), (4, 4));
    assert_ne!(one, other);
    let usage =
        answer.deltas("openai-chat", |delta| delta.usage).into_iter().flatten().next().unwrap();
    assert_eq!(usage.completion_tokens, 8);
    let whole = with(body, json!({ "stream": false, "stream_options": null }));
    let told = Piped::new("").ask(CHAT, &[], &whole).await.json();
    assert_eq!(told["choices"][1]["message"]["content"], other);
}

#[tokio::test(start_paused = true)]
async fn a_prompt_of_token_ids_counts_as_it_is() {
    let sim = Piped::new("");
    let told = sim.ask(COMPLETIONS, &[], &json!({ "prompt": [1, 2, 3] })).await.json();
    assert_eq!(told["usage"]["prompt_tokens"], 3);
}

#[tokio::test(start_paused = true)]
async fn a_long_prompt_is_counted_like_a_short_one() {
    let sim = Piped::new("max_model_len=100000");
    let told = sim.ask(COMPLETIONS, &[], &json!({ "prompt": " the".repeat(20_000) })).await.json();
    assert_eq!(told["usage"]["prompt_tokens"], 20_000);
}

#[tokio::test(start_paused = true)]
async fn models_are_listed_with_their_length() {
    let listed = Piped::new("model=a,b&max_model_len=4096")
        .ask("GET /v1/models", &[], &json!(""))
        .await
        .json();
    let names: Vec<&Value> =
        listed["data"].as_array().unwrap().iter().map(|card| &card["id"]).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(listed["data"][0]["max_model_len"], 4096);
    let unnamed = Piped::new("").ask("GET /v1/models", &[], &json!("")).await.json();
    assert_eq!(unnamed["data"][0]["id"], "simulated");
}

#[tokio::test(start_paused = true)]
async fn texts_and_conversations_are_tokenized_and_tokens_turned_back() {
    let sim = Piped::new("max_model_len=4096");
    let told = sim.ask("POST /tokenize", &[], &json!({ "prompt": " the!" })).await;
    assert_eq!(
        told.text(),
        r#"{"count":2,"max_model_len":4096,"tokens":[256,33],"token_strs":null}"#
    );
    let messages = json!({ "messages": [{ "role": "user", "content": " the" }] });
    assert_eq!(sim.ask("POST /tokenize", &[], &messages).await.json()["count"], 17);
    let told = sim.ask("POST /detokenize", &[], &json!({ "tokens": [256, 33] })).await;
    assert_eq!(told.text(), r#"{"prompt":" the!"}"#);
}

#[tokio::test(start_paused = true)]
async fn health_is_an_empty_success_and_the_version_is_the_simulators() {
    let sim = Piped::new("");
    let health = sim.ask("GET /health", &[], &json!("")).await;
    assert_eq!((health.status, health.text().as_str()), (200, ""));
    let version = sim.ask("GET /version", &[], &json!("")).await.json();
    assert_eq!(version["version"], concat!("tokometer-sim ", env!("CARGO_PKG_VERSION")));
}

/// Status and message of a refused request.
async fn refused(query: &str, body: Value) -> (u16, String) {
    let answer = Piped::new(query).ask(CHAT, &[], &body).await;
    (answer.status, answer.json()["error"]["message"].as_str().unwrap().to_owned())
}

#[tokio::test(start_paused = true)]
async fn an_unknown_model_is_not_found() {
    let (status, message) = refused("model=a", chat(1)).await;
    assert_eq!(
        (status, message.as_str()),
        (404, "The model `m` does not exist. Valid aliases: a.")
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_of_no_named_model_answers_to_every_name() {
    assert_eq!(Piped::new("").chat(1).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_request_is_refused_with_the_reason() {
    let sim = Piped::new("");
    for path in [CHAT, COMPLETIONS, "POST /tokenize", "POST /detokenize"] {
        let mut socket = sim.connect(1 << 16);
        let answer = crate::client::ask(&mut socket, path, &[], "{\"model\": ").await;
        assert_eq!(
            (answer.status, &answer.json()["error"]["type"]),
            (400, &json!("Bad Request")),
            "{path}"
        );
    }
    let answer = sim.ask(CHAT, &[], &json!({ "model": "m" })).await;
    assert_eq!(answer.json()["error"]["param"], "body.messages");
}

#[tokio::test(start_paused = true)]
async fn a_path_or_a_method_that_is_not_there_is_refused() {
    let sim = Piped::new("");
    let answer = sim.ask("GET /nowhere", &[], &json!("")).await;
    assert_eq!((answer.status, answer.text().as_str()), (404, r#"{"detail":"Not Found"}"#));
    for request in ["GET /v1/chat/completions", "POST /v1/models", "GET /tokenize"] {
        let answer = sim.ask(request, &[], &json!("")).await;
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (405, r#"{"detail":"Method Not Allowed"}"#)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_with_a_key_serves_only_those_who_bear_it() {
    let sim = Piped::new("api_key=sesame");
    for headers in
        [&[][..], &[("authorization", "Bearer wrong")], &[("authorization", "Basic sesame")]]
    {
        let answer = sim.ask(CHAT, headers, &chat(1)).await;
        assert_eq!((answer.status, answer.text().as_str()), (401, r#"{"error":"Unauthorized"}"#));
    }
    assert_eq!(sim.ask(CHAT, &[("authorization", "Bearer sesame")], &chat(1)).await.status, 200);
    assert_eq!(sim.ask("GET /v1/models", &[], &json!("")).await.status, 401);
    assert_eq!(sim.ask("GET /health", &[], &json!("")).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn the_truth_tells_the_status_of_each_request() {
    let sim = Piped::new("model=m");
    sim.chat(1).await;
    sim.ask(CHAT, &[], &with(chat(1), json!({ "model": "x" }))).await;
    let statuses: Vec<u16> = sim.truth.served().iter().map(|served| served.status).collect();
    assert_eq!(statuses, [200, 404]);
}

#[tokio::test(start_paused = true)]
async fn a_request_without_an_id_is_given_one() {
    let sim = Piped::new("");
    let answer = sim.ask(CHAT, &[], &chat(1)).await;
    let given = sim.truth.served()[0].request_id.clone();
    assert!(answer.events()[0].contains(&format!("\"id\":\"chatcmpl-{given}\"")));
    assert_eq!(given.len(), 16);
}

#[tokio::test(start_paused = true)]
async fn reasoning_precedes_the_answer_and_tools_are_called() {
    let channels = |answer: &crate::client::Answer| {
        answer.deltas("openai-chat", |delta| delta.pieces.first().map(|piece| piece.channel))
    };
    let answer = Piped::new("fault=reasoning").chat(4).await;
    let (thinks, says) = (Some(Channel::Reasoning), Some(Channel::Content));
    assert_eq!(channels(&answer), [None, thinks, thinks, says, says, None, None]);
    let answer = Piped::new("fault=tool_call&output_tokens=2")
        .ask(CHAT, &[], &with(chat(9), json!({"ignore_eos": false})))
        .await;
    let calls = Some(Channel::ToolCall);
    assert_eq!(channels(&answer), [None, calls, calls, None, None]);
    let reasons = answer.deltas("openai-chat", |delta| {
        delta.finish_reason.clone().map(|reason| reason.to_string())
    });
    assert_eq!(reasons[2].as_deref(), Some("tool_calls"));
}

#[tokio::test(start_paused = true)]
async fn models_and_their_adapters_have_cards_of_vllms_form() {
    let sim = Piped::new("model=base,alias&lora_modules=sql%3D/adapters/sql&max_model_len=4096");
    let told = sim.ask("GET /v1/models", &[], &json!("")).await.json();
    let captured: Value = serde_json::from_str(include_str!("../captures/models.json")).unwrap();
    let keys = |card: &Value| card.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let cards = told["data"].as_array().unwrap();
    for card in cards {
        assert_eq!(keys(card), keys(&captured["data"][0]));
        assert_eq!(keys(&card["permission"][0]), keys(&captured["data"][0]["permission"][0]));
    }
    let said =
        |card: &Value| ["id", "root", "parent", "max_model_len"].map(|key| card[key].clone());
    assert_eq!(said(&cards[1]), [json!("alias"), json!("alias"), Value::Null, json!(4096)]);
    assert_eq!(said(&cards[2]), [json!("sql"), json!("/adapters/sql"), json!("base"), Value::Null]);
}

#[tokio::test(start_paused = true)]
async fn an_adapter_answers_by_its_own_name_and_an_alias_by_the_first() {
    let sim = Piped::new("model=base,alias&lora_modules=sql%3Dp");
    for (asked, answers) in [("sql", "sql"), ("alias", "base"), ("base", "base")] {
        let told = sim.ask(CHAT, &[], &with(chat(1), json!({ "model": asked }))).await;
        let event: Value = serde_json::from_str(&told.events()[0]).unwrap();
        assert_eq!(event["model"], answers);
    }
    let refused = sim.ask(CHAT, &[], &with(chat(1), json!({ "model": "x" }))).await;
    let message = "The model `x` does not exist. Valid aliases: base, alias.";
    assert_eq!((refused.status, &refused.json()["error"]["message"]), (404, &json!(message)));
}

#[tokio::test(start_paused = true)]
async fn endpoints_that_only_succeed_have_no_body_and_no_type() {
    let sim = Piped::new("");
    let paths = [
        "GET /health",
        "GET /ping",
        "POST /ping",
        "POST /reset_mm_cache",
        "POST /reset_encoder_cache",
    ];
    for path in paths {
        let answer = sim.ask(path, &[], &json!("")).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, ""), "{path}");
        assert!(!answer.head.contains("content-type"), "{}", answer.head);
    }
}

#[tokio::test(start_paused = true)]
async fn tokens_of_anthropics_messages_are_counted() {
    let sim = Piped::new("model=m");
    let path = "POST /v1/messages/count_tokens";
    let asked = json!({ "model": "m", "messages": [{ "role": "user", "content": " the people" }] });
    let told = sim.ask(path, &[], &asked).await;
    assert_eq!(
        told.text(),
        r#"{"input_tokens":18,"context_management":{"original_input_tokens":18}}"#
    );
    let unknown = sim.ask(path, &[], &with(asked, json!({ "model": "x" }))).await;
    assert_eq!((unknown.status, &unknown.json()["type"]), (404, &json!("error")));
}

#[tokio::test(start_paused = true)]
async fn the_load_is_the_number_of_requests_that_are_being_answered() {
    let sim = Piped::new("ttft_ms=100&itl_ms=100");
    let load = async || sim.ask("GET /load", &[], &json!("")).await.text();
    assert_eq!(load().await, r#"{"server_load":0}"#);
    let ((), _, _) = tokio::join!(
        async {
            tokio::time::sleep(crate::client::MILLI * 50).await;
            assert_eq!(load().await, r#"{"server_load":2}"#);
        },
        sim.chat(3),
        sim.chat(3),
    );
    assert_eq!(load().await, r#"{"server_load":0}"#);
}

#[tokio::test(start_paused = true)]
async fn the_server_tells_how_it_is_set_up_as_text_and_as_json() {
    let sim = Piped::new("model=m&max_model_len=4096");
    let text = sim.ask("GET /server_info", &[], &json!("")).await.json();
    let keys: Vec<_> = text.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["vllm_config", "vllm_env", "system_env"]);
    assert!(text["vllm_config"].is_string());
    let told = sim.ask("GET /server_info?config_format=json", &[], &json!("")).await.json();
    assert_eq!(told["vllm_config"]["model_config"]["max_model_len"], 4096);
    assert_eq!(sim.ask("GET /server_info?config_format=xml", &[], &json!("")).await.status, 400);
}

#[tokio::test(start_paused = true)]
async fn http_requests_are_counted_once_they_are_answered_and_whoever_has_no_key_is_not() {
    let sim = Piped::new("api_key=k&fault=reset&fault_requests=1");
    let key = ("authorization", "Bearer k");
    sim.ask(CHAT, &[], &chat(1)).await;
    sim.ask(CHAT, &[key], &chat(1)).await;
    sim.ask(CHAT, &[key], &chat(1)).await;
    sim.ask("GET /nowhere", &[], &Value::Null).await;
    let page = sim.ask("GET /metrics", &[], &Value::Null).await.text();
    let counted: Vec<&str> =
        page.lines().filter(|line| line.starts_with("http_requests_total{")).collect();
    assert_eq!(
        counted,
        [
            r#"http_requests_total{handler="/v1/chat/completions",method="POST",status="2xx"} 1.0"#,
            r#"http_requests_total{handler="none",method="GET",status="4xx"} 1.0"#,
        ]
    );
}
