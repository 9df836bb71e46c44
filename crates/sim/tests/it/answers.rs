//! Answers that say more than words: several choices, log probabilities, stop strings, reasoning, calls of tools. Their forms are held
//! against what vLLM 0.32 sent.

use serde_json::{Value, json};
use tokometer_sim::{Tokens, Words};
use tokometer_wire::sse::Decoder;

use crate::client::{Answer, CHAT, COMPLETIONS, Piped, chat, with};

/// The form of a value: its keys in order, and what kind of thing is under each. Lists have the form of their items, once each.
fn form(key: &str, value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(_) => "bool".into(),
        Value::Number(number) if key == "index" => number.to_string(),
        Value::Number(_) => "number".into(),
        Value::String(text) if ["object", "role", "type", "finish_reason"].contains(&key) => {
            format!("{text:?}")
        }
        Value::String(_) => "text".into(),
        Value::Array(items) => {
            let mut forms: Vec<_> = items.iter().map(|item| form(key, item)).collect();
            forms.dedup();
            format!("[{}]", forms.join(" "))
        }
        // The keys are tokens.
        Value::Object(map) if key == "top_logprobs" && !map.contains_key("token") => {
            format!("{{{} tokens}}", map.len())
        }
        Value::Object(map) => {
            let fields = map.iter().map(|(key, value)| format!("{key}:{}", form(key, value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(" "))
        }
    }
}

fn event_form(data: &str) -> String {
    serde_json::from_str(data).map_or_else(|_| data.to_owned(), |event| form("", &event))
}

fn captured_events(text: &str) -> Vec<String> {
    text.lines().filter_map(|line| line.strip_prefix("data: ")).map(event_form).collect()
}

fn events(answer: &Answer) -> Vec<String> {
    answer.events().iter().map(|event| event_form(event)).collect()
}

fn whole(body: Value) -> Value {
    with(body, json!({ "stream": false, "stream_options": null }))
}

fn completion(fields: Value) -> Value {
    with(json!({ "model": "m", "prompt": " the", "max_tokens": 3, "ignore_eos": true }), fields)
}

#[tokio::test(start_paused = true)]
async fn several_choices_have_the_form_that_vllm_gives_them() {
    let sim = Piped::new("");
    let two = with(chat(3), json!({ "n": 2 }));
    let streamed = sim.ask(CHAT, &[], &two).await;
    assert_eq!(events(&streamed), captured_events(include_str!("../captures/chat-n2-stream.txt")));
    let told = sim.ask(CHAT, &[], &whole(two)).await.json();
    let captured = serde_json::from_str(include_str!("../captures/chat-n2.json")).unwrap();
    assert_eq!(form("", &told), form("", &captured));
}

#[tokio::test(start_paused = true)]
async fn log_probabilities_have_the_form_that_vllm_gives_them() {
    let sim = Piped::new("");
    let asked =
        with(chat(3), json!({ "logprobs": true, "top_logprobs": 2, "stream_options": null }));
    let streamed = events(&sim.ask(CHAT, &[], &asked).await);
    let captured = captured_events(include_str!("../captures/chat-logprobs-stream.txt"));
    // The captured one sent its last two tokens together.
    assert_eq!((&streamed[..2], &streamed[3..]), (&captured[..2], &captured[2..]));
    let told = sim.ask(CHAT, &[], &whole(asked)).await.json();
    let captured = serde_json::from_str(include_str!("../captures/chat-logprobs.json")).unwrap();
    assert_eq!(form("", &told), form("", &captured));

    let asked = completion(json!({ "logprobs": 3, "stream": true }));
    let streamed = events(&sim.ask(COMPLETIONS, &[], &asked).await);
    assert_eq!(
        streamed,
        captured_events(include_str!("../captures/completions-logprobs-stream.txt"))
    );
    let told = sim.ask(COMPLETIONS, &[], &whole(asked)).await.json();
    let captured =
        serde_json::from_str(include_str!("../captures/completions-logprobs.json")).unwrap();
    assert_eq!(form("", &told), form("", &captured));
}

#[tokio::test(start_paused = true)]
async fn log_probabilities_are_of_the_tokens_that_were_said() {
    let sim = Piped::new("");
    let told = sim.ask(COMPLETIONS, &[], &completion(json!({ "logprobs": 2 }))).await.json();
    let choice = &told["choices"][0];
    let tokens = choice["logprobs"]["tokens"].as_array().unwrap();
    let texts: Vec<&str> = tokens.iter().map(|token| token.as_str().unwrap()).collect();
    assert_eq!(texts.concat(), choice["text"].as_str().unwrap());
    let offsets = &choice["logprobs"]["text_offset"];
    assert_eq!(*offsets, json!([0, texts[0].len(), texts[0].len() + texts[1].len()]));
    for (place, token) in choice["logprobs"]["top_logprobs"].as_array().unwrap().iter().zip(&texts)
    {
        let place = place.as_object().unwrap();
        assert_eq!((place.len(), place.keys().next().unwrap().as_str()), (2, *token));
        assert!(place.values().all(|logprob| logprob.as_f64().unwrap() < 0.0));
    }
    // In a stream the offsets go on from event to event.
    let streamed =
        sim.ask(COMPLETIONS, &[], &completion(json!({ "logprobs": 0, "stream": true }))).await;
    let second: Value = serde_json::from_str(&streamed.events()[1]).unwrap();
    let first: Value = serde_json::from_str(&streamed.events()[0]).unwrap();
    let length = first["choices"][0]["text"].as_str().unwrap().len();
    assert_eq!(second["choices"][0]["logprobs"]["text_offset"], json!([length]));
}

/// The text of a completion of 40 tokens, the only request of a server.
async fn text(fields: Value) -> Value {
    let asked = with(completion(json!({ "max_tokens": 40 })), fields);
    Piped::new("").ask(COMPLETIONS, &[], &asked).await.json()
}

#[tokio::test(start_paused = true)]
async fn a_stop_string_ends_the_output_with_the_token_that_completes_it() {
    let plain = text(json!({})).await["choices"][0]["text"].as_str().unwrap().to_owned();
    // From the middle of one word into the next.
    let at = plain.len() / 2;
    let stop = &plain[at..at + 4];
    let at = plain.find(stop).unwrap();
    let stopped = text(json!({ "stop": stop })).await;
    let choice = &stopped["choices"][0];
    assert_eq!(choice["text"], plain[..at]);
    assert_eq!((&choice["finish_reason"], &choice["stop_reason"]), (&json!("stop"), &json!(stop)));
    let told = stopped["usage"]["completion_tokens"].as_u64().unwrap() as usize;
    let ids = Words.encode(&plain);
    let through = |tokens: usize| Words.decode(&ids[..tokens]).len();
    assert!(
        through(told - 1) < at + stop.len() && at + stop.len() <= through(told),
        "{told} tokens"
    );
    let captured = serde_json::from_str(include_str!("../captures/completions-stop.json")).unwrap();
    assert_eq!(form("", &stopped), form("", &captured));
    let kept = text(json!({ "stop": [stop], "include_stop_str_in_output": true })).await;
    assert_eq!(kept["choices"][0]["text"], plain[..at + stop.len()]);
    let later = text(json!({ "stop": [stop], "min_tokens": 40 })).await;
    assert_eq!(later["choices"][0]["text"], plain);
}

#[tokio::test(start_paused = true)]
async fn a_stream_holds_back_what_may_begin_a_stop_string_and_says_in_its_last_event_what_ended_it()
{
    let plain = text(json!({})).await["choices"][0]["text"].as_str().unwrap().to_owned();
    let stop = &plain[plain.len() - 12..];
    let asked = completion(json!({ "max_tokens": 40, "stop": stop, "stream": true }));
    let sim = Piped::new("");
    let answer = sim.ask(COMPLETIONS, &[], &asked).await;
    let events: Vec<Value> =
        answer.events().iter().filter_map(|event| serde_json::from_str(event).ok()).collect();
    let texts: Vec<&str> =
        events.iter().map(|event| event["choices"][0]["text"].as_str().unwrap()).collect();
    assert_eq!(texts[0], "", "the first word is shorter than what is held back");
    assert_eq!(texts.concat(), plain[..plain.find(stop).unwrap()]);
    assert_eq!(events.last().unwrap()["choices"][0]["stop_reason"], stop);
    assert_eq!(sim.written().len(), events.len(), "every chunk is an emission");
}

/// What a streamed response of an API said, and why it ended.
fn heard(api: &str, answer: &Answer) -> (String, String) {
    let api = tokometer_wire::by_name(api).unwrap();
    let (mut said, mut reason) = (String::new(), String::new());
    let mut decoder = Decoder::new();
    for (_, bytes) in &answer.chunks {
        let hear = |event: tokometer_wire::sse::Event<'_>| {
            let delta = api.delta(event.data).unwrap();
            for piece in &delta.pieces {
                if delta.cumulative {
                    said.clear();
                }
                said += &piece.text;
            }
            reason += delta.finish_reason.as_deref().unwrap_or_default();
        };
        decoder.push(bytes, hear).unwrap();
    }
    assert!(answer.complete);
    (said, reason)
}

#[tokio::test(start_paused = true)]
async fn a_stop_string_ends_the_output_of_other_apis_too() {
    let messages = json!([{ "role": "user", "content": " the" }]);
    let anthropic = |stop: Value| json!({ "messages": messages, "max_tokens": 40, "stream": true, "stop_sequences": stop });
    let sglang = |stop: Value| json!({ "text": " the", "stream": true, "sampling_params": { "max_new_tokens": 40, "stop": stop } });
    let tgi = |stop: Value| json!({ "inputs": " the", "parameters": { "max_new_tokens": 40, "stop": stop } });
    type Body<'b> = &'b dyn Fn(Value) -> Value;
    let cases = [
        ("anthropic-messages", "POST /v1/messages", &anthropic as Body<'_>),
        ("sglang-generate", "POST /generate", &sglang),
        ("tgi-generate", "POST /generate_stream", &tgi),
    ];
    for (api, path, body) in cases {
        let ask = async |stop: Value| heard(api, &Piped::new("").ask(path, &[], &body(stop)).await);
        let (plain, reason) = ask(Value::Null).await;
        assert_eq!((Words.encode(&plain).len(), reason.as_str()), (40, "length"), "{api}");
        let stop = &plain[plain.len() / 2..plain.len() / 2 + 6];
        let (stopped, reason) = ask(json!([stop])).await;
        let at = plain.find(stop).unwrap();
        assert_eq!((stopped.as_str(), reason.as_str()), (&plain[..at], "stop"), "{api}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_model_that_reasons_does_so_first_and_only_where_it_may() {
    let sim = Piped::new("reasoning_parser=qwen3&reasoning_share=0.25");
    let told = sim.ask(CHAT, &[], &whole(chat(8))).await.json();
    let message = &told["choices"][0]["message"];
    let tokens = |name: &str| Words.encode(message[name].as_str().unwrap()).len();
    assert_eq!((tokens("reasoning"), tokens("content")), (2, 6));
    assert_eq!(told["usage"]["completion_tokens"], 8);
    let still = json!({ "chat_template_kwargs": { "enable_thinking": false } });
    let told = sim.ask(CHAT, &[], &whole(with(chat(8), still))).await.json();
    assert_eq!(told["choices"][0]["message"]["reasoning"], Value::Null);
}

fn weather(choice: Value) -> Value {
    let schema = json!({
        "type": "object", "required": ["city", "days"],
        "properties": { "city": { "type": "string" }, "days": { "type": "integer", "minimum": 1, "maximum": 5 } },
    });
    let function = |name: &str| json!({ "type": "function", "function": { "name": name, "parameters": schema } });
    let tools = json!([function("get_time"), function("get_weather")]);
    with(chat(500), json!({ "tools": tools, "tool_choice": choice }))
}

#[tokio::test(start_paused = true)]
async fn a_call_is_of_the_right_function_with_arguments_that_fit_and_tokens_that_are_right() {
    let named = json!({ "type": "function", "function": { "name": "get_weather" } });
    let cases = [
        (named, "stop", json!("")),
        (json!("required"), "tool_calls", json!("")),
        (json!("auto"), "tool_calls", Value::Null),
    ];
    for (choice, reason, content) in cases {
        let sim = Piped::new("tool_call_parser=hermes&enable_auto_tool_choice");
        let told = sim.ask(CHAT, &[], &whole(weather(choice.clone()))).await.json();
        let (message, finish) =
            (&told["choices"][0]["message"], &told["choices"][0]["finish_reason"]);
        assert_eq!((finish, &message["content"]), (&json!(reason), &content), "{choice}");
        let call = &message["tool_calls"][0];
        assert_eq!(
            form("", call),
            r#"{id:text type:"function" function:{name:text arguments:text}}"#
        );
        let name = call["function"]["name"].as_str().unwrap();
        assert!(if choice.is_object() {
            name == "get_weather"
        } else {
            ["get_weather", "get_time"].contains(&name)
        });
        let arguments = call["function"]["arguments"].as_str().unwrap();
        let read: Value = serde_json::from_str(arguments).unwrap();
        assert!(
            read["city"].is_string() && (1..=5).contains(&read["days"].as_i64().unwrap()),
            "{read}"
        );
        assert_eq!(told["usage"]["completion_tokens"], Words.encode(arguments).len());
    }
}

#[tokio::test(start_paused = true)]
async fn a_streamed_call_tells_its_id_and_name_once_and_then_only_arguments() {
    let sim = Piped::new("tool_call_parser=hermes&tokens_per_chunk=4");
    let answer = sim.ask(CHAT, &[], &weather(json!("required"))).await;
    let events: Vec<Value> =
        answer.events().iter().filter_map(|event| serde_json::from_str(event).ok()).collect();
    let calls: Vec<&Value> = events
        .iter()
        .map(|event| &event["choices"][0]["delta"]["tool_calls"][0])
        .filter(|call| call.is_object())
        .collect();
    assert_eq!(
        form("", calls[0]),
        r#"{id:text type:"function" index:0 function:{name:text arguments:text}}"#
    );
    assert!(calls.len() > 2);
    for call in &calls[1..] {
        assert_eq!(form("", call), "{index:0 function:{arguments:text}}");
    }
    let arguments: String =
        calls.iter().map(|call| call["function"]["arguments"].as_str().unwrap()).collect();
    assert!(serde_json::from_str::<Value>(&arguments).unwrap().is_object());
    let usage = events.iter().find_map(|event| event.get("usage")).unwrap();
    assert_eq!(usage["completion_tokens"], Words.encode(&arguments).len());
    assert_eq!(events[events.len() - 2]["choices"][0]["finish_reason"], "tool_calls");
    // The same call comes whole, to the same request of the same server set up again.
    let again = Piped::new("tool_call_parser=hermes");
    let told = again.ask(CHAT, &[], &whole(weather(json!("required")))).await.json();
    assert_eq!(told["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"], arguments);
}

#[tokio::test(start_paused = true)]
async fn a_model_that_need_not_call_a_tool_says_words() {
    let sim = Piped::new("tool_call_parser=hermes");
    let told = sim
        .ask(CHAT, &[], &whole(with(weather(json!("auto")), json!({ "max_tokens": 3 }))))
        .await
        .json();
    assert!(told["choices"][0]["message"]["tool_calls"].is_null());
    assert_eq!(told["usage"]["completion_tokens"], 3);
}
