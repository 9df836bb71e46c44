//! The server's own tokenizer, asked over its `/tokenize` and `/detokenize`.
//!
//! Exact by definition, and needs no files; each question costs a round trip. The vocabulary is not told, so prompts are made
//! of common words. Whoever holds the connection answers for time limits and credentials.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use tokometer_wire::Message;

use super::{ChatTemplate, TokenizeService, Tokenizer, TokenizerError, common_words, length};

/// A server that tokenizes.
#[derive(Debug)]
pub(super) struct Server {
    service: Arc<dyn TokenizeService>,
    model: String,
    plain: Vec<u32>,
    chats: bool,
}

impl Server {
    /// Learns whether the server answers, whether it takes messages, and the ids of common words.
    pub(super) fn new(
        service: Arc<dyn TokenizeService>,
        model: &str,
    ) -> Result<Self, TokenizerError> {
        let mut server = Self { service, model: model.to_owned(), plain: Vec::new(), chats: false };
        let words: Vec<&str> = common_words().collect();
        let mut plain = Vec::with_capacity(words.len());
        for words in words.chunks(WORDS_AT_ONCE) {
            let ids = server.encode(&format!("{ANCHOR} {}", words.join(" ")))?;
            // The anchor keeps the first word from standing at the text's beginning, where its id would be another.
            plain.extend(ids.into_iter().skip(1));
        }
        plain.sort_unstable();
        plain.dedup();
        if plain.is_empty() {
            return Err(TokenizerError::Service {
                path: TOKENIZE,
                why: "turned common words into no tokens".to_owned(),
            });
        }
        server.decode(&plain[..1])?;
        server.plain = plain;
        let hello = Message { role: "user".into(), content: ANCHOR.into(), more: Map::new() };
        server.chats = server.counted(&server.conversation(&[hello])).is_ok();
        Ok(server)
    }

    fn conversation(&self, messages: &[Message]) -> Value {
        json!({ "model": self.model, "messages": messages, "add_generation_prompt": true })
    }

    fn ask(&self, path: &'static str, body: &Value) -> Result<Value, TokenizerError> {
        self.service
            .post(path, body)
            .map_err(|why| TokenizerError::Service { path, why: format!("does not answer: {why}") })
    }

    /// The count of an answer of `/tokenize`: told, or else the tokens' number.
    fn counted(&self, body: &Value) -> Result<u32, TokenizerError> {
        let answer = self.ask(TOKENIZE, body)?;
        match answer.get("count").and_then(Value::as_u64).map(u32::try_from) {
            Some(Ok(count)) => Ok(count),
            _ => Ok(length(&ids(&answer)?)),
        }
    }
}

impl Tokenizer for Server {
    fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        let body = json!({ "model": self.model, "prompt": text, "add_special_tokens": false });
        ids(&self.ask(TOKENIZE, &body)?)
    }

    fn decode(&self, ids: &[u32]) -> Result<String, TokenizerError> {
        let answer = self.ask(DETOKENIZE, &json!({ "model": self.model, "tokens": ids }))?;
        // SGLang calls it `text`.
        let text = answer.get("prompt").or_else(|| answer.get("text")).and_then(Value::as_str);
        text.map(str::to_owned).ok_or_else(|| TokenizerError::Service {
            path: DETOKENIZE,
            why: format!("answered without a text in `prompt`: {}", excerpt(&answer)),
        })
    }

    fn plain(&self) -> &[u32] {
        &self.plain
    }

    /// Never: the server does not tell which ids are special.
    fn is_special(&self, _id: u32) -> bool {
        false
    }

    fn template(&self) -> Option<&ChatTemplate> {
        None
    }

    fn count(&self, text: &str) -> Result<u32, TokenizerError> {
        self.counted(&json!({ "model": self.model, "prompt": text }))
    }

    fn count_messages(&self, messages: &[Message]) -> Result<Option<u32>, TokenizerError> {
        if !self.chats {
            return Ok(None);
        }
        self.counted(&self.conversation(messages)).map(Some)
    }

    fn label(&self) -> String {
        "server".to_owned()
    }

    fn estimates(&self) -> bool {
        false
    }
}

fn ids(answer: &Value) -> Result<Vec<u32>, TokenizerError> {
    let wrong = || TokenizerError::Service {
        path: TOKENIZE,
        why: format!("answered without a list of ids in `tokens`: {}", excerpt(answer)),
    };
    let tokens = answer.get("tokens").and_then(Value::as_array).ok_or_else(wrong)?;
    let id = |token: &Value| token.as_u64().and_then(|id| u32::try_from(id).ok());
    tokens.iter().map(|token| id(token).ok_or_else(wrong)).collect()
}

fn excerpt(answer: &Value) -> String {
    answer.to_string().chars().take(200).collect()
}

const TOKENIZE: &str = "/tokenize";
const DETOKENIZE: &str = "/detokenize";

/// Words in one question: well below any context length.
const WORDS_AT_ONCE: usize = 500;
const ANCHOR: &str = "a";

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::fixtures::{tiny, user};

    /// Answers as vLLM 0.32 does, with the small tokenizer.
    #[derive(Debug)]
    struct Vllm {
        tokenizer: Arc<dyn Tokenizer>,
        has_template: bool,
        asked: Mutex<Vec<Value>>,
    }

    impl Vllm {
        fn new(has_template: bool) -> Arc<Self> {
            Arc::new(Self { tokenizer: tiny(), has_template, asked: Mutex::new(Vec::new()) })
        }
    }

    impl TokenizeService for Vllm {
        fn post(&self, path: &str, body: &Value) -> Result<Value, String> {
            self.asked.lock().unwrap().push(body.clone());
            if path == DETOKENIZE {
                let tokens: Vec<u32> = serde_json::from_value(body["tokens"].clone()).unwrap();
                return Ok(json!({ "prompt": self.tokenizer.decode(&tokens).unwrap() }));
            }
            let text = match body.get("messages") {
                Some(_) if !self.has_template => return Err("400: no chat template".to_owned()),
                Some(messages) => {
                    let messages: Vec<Message> = serde_json::from_value(messages.clone()).unwrap();
                    self.tokenizer.template().unwrap().render(&messages, true).unwrap().unwrap()
                }
                None => body["prompt"].as_str().unwrap().to_owned(),
            };
            let tokens = self.tokenizer.encode(&text).unwrap();
            Ok(
                json!({ "count": tokens.len(), "max_model_len": 4096, "tokens": tokens, "token_strs": null }),
            )
        }
    }

    #[test]
    fn it_is_the_servers_own_tokenizer() {
        let service = Vllm::new(true);
        let server = Server::new(service, "m").unwrap();
        let text = "the people work";
        assert_eq!(server.encode(text).unwrap(), tiny().encode(text).unwrap());
        assert_eq!(server.decode(&tiny().encode(text).unwrap()).unwrap(), text);
        assert_eq!(server.count(text).unwrap(), tiny().count(text).unwrap());
        let messages = [user("the people")];
        assert_eq!(
            server.count_messages(&messages).unwrap(),
            tiny().count_messages(&messages).unwrap()
        );
    }

    #[test]
    fn it_asks_as_vllm_wants_to_be_asked() {
        let service = Vllm::new(true);
        let server = Server::new(Arc::clone(&service) as Arc<dyn TokenizeService>, "m").unwrap();
        service.asked.lock().unwrap().clear();
        server.encode("hi").unwrap();
        server.decode(&[1, 2]).unwrap();
        server.count_messages(&[user("hi")]).unwrap();
        assert_eq!(
            *service.asked.lock().unwrap(),
            [
                json!({ "model": "m", "prompt": "hi", "add_special_tokens": false }),
                json!({ "model": "m", "tokens": [1, 2] }),
                json!({ "model": "m", "messages": [{ "role": "user", "content": "hi" }], "add_generation_prompt": true }),
            ]
        );
    }

    #[test]
    fn prompts_can_be_made_of_its_words() {
        let server = Server::new(Vllm::new(true), "m").unwrap();
        assert!(server.plain().len() > 300, "{}", server.plain().len());
        assert!(server.plain().is_sorted());
    }

    #[test]
    fn a_server_without_a_template_counts_no_messages() {
        let server = Server::new(Vllm::new(false), "m").unwrap();
        assert_eq!(server.count_messages(&[user("hi")]).unwrap(), None);
    }

    /// Always says the same.
    #[derive(Debug)]
    struct Says(Result<Value, String>);

    impl TokenizeService for Says {
        fn post(&self, _path: &str, _body: &Value) -> Result<Value, String> {
            self.0.clone()
        }
    }

    fn refusal(answer: Result<Value, String>) -> String {
        Server::new(Arc::new(Says(answer)), "m").unwrap_err().to_string()
    }

    #[test]
    fn a_server_without_the_endpoint_is_refused_with_its_words() {
        assert_eq!(
            refusal(Err("404 Not Found".to_owned())),
            "the server's /tokenize does not answer: 404 Not Found"
        );
    }

    #[test]
    fn an_answer_of_another_form_is_refused() {
        for answer in [
            json!(null),
            json!([]),
            json!({}),
            json!({ "tokens": 3 }),
            json!({ "tokens": ["a"] }),
            json!({ "tokens": [-1] }),
        ] {
            let error = refusal(Ok(answer));
            assert!(
                error.starts_with("the server's /tokenize answered without a list of ids"),
                "{error}"
            );
        }
        assert_eq!(
            refusal(Ok(json!({ "tokens": [] }))),
            "the server's /tokenize turned common words into no tokens"
        );
    }
}
