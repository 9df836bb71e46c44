//! The server's own words, found in the body of an error and made fit to print.
//!
//! Deliberately no judgement of what the error is: its kind is the caller's, from the status and the moment. Nor are secrets
//! sought here: a caller that sent one takes it out, and only then makes the words as short as it wants them, for of a secret
//! that is cut first a part would stay.

use serde_json::Value;

/// The server's message in the body of an HTTP error: from the JSON of OpenAI, vLLM, FastAPI and their like, from plain text or
/// from a page of HTML. One line, control characters escaped, never empty; its end is cut off only beyond 65,536 characters.
pub fn error_message(body: &[u8]) -> String {
    let json = serde_json::from_slice::<Value>(body).ok();
    if let Some(words) = json.as_ref().and_then(words) {
        return shown(&words);
    }
    let text = String::from_utf8_lossy(&body[..body.len().min(READ)]);
    if text.trim_start().starts_with('<') { shown(&page_text(&text)) } else { shown(&text) }
}

/// The message of a response that tells of an error by its form: `{"error": …}`, or `{"object": "error", …}`. `None` if it does
/// not.
pub(crate) fn told(response: &Value) -> Option<String> {
    let error = match response.get("error") {
        None | Some(Value::Null | Value::Bool(false)) => None,
        Some(Value::String(text)) if text.is_empty() => None,
        error => error,
    };
    let error = error.or_else(|| (response.get("object")? == "error").then_some(response))?;
    Some(shown(&words(error).unwrap_or_else(|| error.to_string())))
}

/// The words in a JSON error: the first of the fields that bear them, however deep.
fn words(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => (!text.trim().is_empty()).then(|| text.clone()),
        Value::Array(items) => {
            let all: Vec<_> = items.iter().filter_map(words).collect();
            (!all.is_empty()).then(|| all.join("; "))
        }
        Value::Object(fields) => {
            let words = BEARERS.iter().find_map(|name| words(fields.get(*name)?))?;
            Some(match fields.get("loc").and_then(place) {
                Some(place) => format!("{place}: {words}"),
                None => words,
            })
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// FastAPI's way of saying which field is wrong: `["body", "max_tokens"]`.
fn place(loc: &Value) -> Option<String> {
    let steps = loc.as_array()?.iter().map(|step| match step {
        Value::String(name) => name.clone(),
        step => step.to_string(),
    });
    Some(steps.collect::<Vec<_>>().join("."))
}

/// The text of a page of HTML: its body's, or else its title.
fn page_text(page: &str) -> String {
    let (mut text, mut title) = (String::new(), String::new());
    let mut within = String::new();
    for part in page.split('<') {
        let (tag, after) = part.split_once('>').unwrap_or((part, ""));
        let name = tag.split([' ', '\t', '\n', '\r', '/']).find(|word| !word.is_empty());
        let name = name.unwrap_or_default().to_ascii_lowercase();
        match within.as_str() {
            "script" | "style" | "title" if tag.starts_with('/') && name == within => {
                within.clear();
            }
            "script" | "style" | "title" => continue,
            _ => within = if tag.starts_with('/') { String::new() } else { name },
        }
        match within.as_str() {
            "script" | "style" => {}
            "title" => title.push_str(after),
            _ => {
                text.push(' ');
                text.push_str(after);
            }
        }
    }
    let text = if text.trim().is_empty() { title } else { text };
    // The ampersand last, or `&amp;lt;` would become a bracket.
    [
        ("&nbsp;", " "),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ]
    .iter()
    .fold(text, |text, (entity, character)| text.replace(entity, character))
}

/// `text` on one line, shortened, and without any character that would move a terminal's cursor or turn its text around.
fn shown(text: &str) -> String {
    let mut line = String::new();
    let mut length = 0;
    for word in text.split_whitespace() {
        if length > 0 {
            line.push(' ');
            length += 1;
        }
        for character in word.chars() {
            if acts(character) {
                let escaped = character.escape_unicode();
                length += escaped.len();
                line.extend(escaped);
            } else {
                length += 1;
                line.push(character);
            }
            if length > LONGEST {
                return line.chars().take(LONGEST - 1).chain(['…']).collect();
            }
        }
    }
    if line.is_empty() { NO_WORDS.into() } else { line }
}

/// Whether a terminal would act on a character instead of showing it.
fn acts(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// The fields that bear an error's words, most telling first.
const BEARERS: [&str; 6] = ["message", "error", "detail", "msg", "error_msg", "errors"];

/// What is said of a body that says nothing.
const NO_WORDS: &str = "the server gave no reason";

/// The most characters that are handed on.
const LONGEST: usize = 64 << 10;

/// How many bytes of a text are read: what is shown is near its beginning.
const READ: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn of(body: &str) -> String {
        error_message(body.as_bytes())
    }

    #[test]
    fn openai_and_vllm_errors_give_their_message() {
        let body = r#"{"error":{"message":"The model `nope` does not exist.","type":"NotFoundError","param":"model","code":404}}"#;
        assert_eq!(of(body), "The model `nope` does not exist.");
        assert_eq!(of(r#"{"object":"error","message":"too long","code":400}"#), "too long");
        assert_eq!(of(r#"{"error":"overloaded","error_type":"overloaded"}"#), "overloaded");
    }

    #[test]
    fn fastapi_errors_give_their_detail_and_its_place() {
        assert_eq!(of(r#"{"detail":"Not Found"}"#), "Not Found");
        let body = r#"{"detail":[{"type":"missing","loc":["body","messages",0],"msg":"Field required","input":{}},
            {"loc":["body","n"],"msg":"not a number"}]}"#;
        assert_eq!(of(body), "body.messages.0: Field required; body.n: not a number");
    }

    #[test]
    fn json_without_words_is_shown_as_it_is() {
        assert_eq!(of(r#"{"error": {"code": 17}}"#), r#"{"error": {"code": 17}}"#);
        assert_eq!(of(r#"{"message":"","code":3}"#), r#"{"message":"","code":3}"#);
    }

    #[test]
    fn plain_text_is_kept_on_one_line() {
        assert_eq!(
            of("  upstream connect error\r\n or disconnect \n"),
            "upstream connect error or disconnect"
        );
    }

    #[test]
    fn a_page_gives_its_text_or_else_its_title() {
        let page = "<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title><style>p > a {x: y}</style></head>\n\
            <body><script>if (a < b) c()</script><center><h1>502 Bad&nbsp;Gateway</h1></center><hr/>nginx &amp;lt; 1.18</body></html>";
        assert_eq!(of(page), "502 Bad Gateway nginx &lt; 1.18");
        assert_eq!(of("<html><title>Sorry</title><body></body></html>"), "Sorry");
        assert_eq!(of("<html><title>cut"), "cut");
    }

    #[test]
    fn a_body_that_says_nothing_gives_a_message_all_the_same() {
        for body in ["", " \n", "\"\"", "<html></html>", "\u{2028}"] {
            assert!(!of(body).trim().is_empty(), "{body:?}");
        }
        assert_eq!(of(""), "the server gave no reason");
    }

    #[test]
    fn only_endless_messages_are_cut() {
        let of_length = |length| of(&Value::from("é".repeat(length)).to_string());
        assert_eq!(of_length(LONGEST), "é".repeat(LONGEST));
        assert_eq!(of_length(LONGEST + 1), "é".repeat(LONGEST - 1) + "…");
        let escaped = of(&Value::from("x\u{1b}".repeat(LONGEST)).to_string());
        assert_eq!(escaped.chars().count(), LONGEST);
    }

    #[test]
    fn characters_that_act_on_a_terminal_are_escaped() {
        assert_eq!(of("a\u{1b}[31mb\u{0}\u{202e}c"), "a\\u{1b}[31mb\\u{0}\\u{202e}c");
        assert_eq!(of(r#"{"error":"a\u001b]0;x\u0007"}"#), "a\\u{1b}]0;x\\u{7}");
        assert_eq!(error_message(b"caf\xe9"), "caf\u{fffd}");
    }

    #[test]
    fn showing_what_was_shown_changes_nothing() {
        for body in ["a\u{1b}b  c", &"ab ".repeat(200), "", "<p>x", "\u{1}".repeat(99).as_str()] {
            let once = shown(body);
            assert_eq!(shown(&once), once);
        }
    }

    #[test]
    fn only_the_form_of_an_error_makes_one() {
        let told = |json: &str| told(&serde_json::from_str(json).unwrap());
        assert_eq!(told(r#"{"error":{"message":"m"}}"#).as_deref(), Some("m"));
        assert_eq!(told(r#"{"error":{"code":1}}"#).as_deref(), Some(r#"{"code":1}"#));
        assert_eq!(told(r#"{"object":"error","message":"m"}"#).as_deref(), Some("m"));
        for none in [
            r#"{"message":"m"}"#,
            r#"{"error":null}"#,
            r#"{"error":false}"#,
            r#"{"error":""}"#,
            "[]",
        ] {
            assert_eq!(told(none), None, "{none}");
        }
    }
}
