//! Chat templates: Jinja as transformers renders it.
//!
//! A template gets the messages, `add_generation_prompt`, the special tokens (`bos_token`, …), and `tools` and `documents`
//! as none. Blocks are trimmed, loops may be broken off, and values have Python's methods. Deliberately left out are images,
//! tools and the keyword arguments that a server may add of its own.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Serde, Value};
use minijinja::{Environment, Error, ErrorKind};
use serde::Serialize;
use serde_json::Map;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};
use tokometer_wire::Message;

use super::TokenizerError;

/// How a model wants a conversation written down.
#[derive(Debug)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    specials: Map<String, serde_json::Value>,
    tokenizer: String,
}

impl ChatTemplate {
    /// Reads a template. `specials` are in its scope; `tokenizer` names it in errors; `today` is what `strftime_now` tells.
    ///
    /// # Errors
    /// What is wrong with the template, and in which line.
    pub(crate) fn parse(
        source: &str,
        specials: Map<String, serde_json::Value>,
        tokenizer: &str,
        today: jiff::Zoned,
    ) -> Result<Self, String> {
        let mut environment = Environment::new();
        let mut syntax = SyntaxConfig::builder();
        syntax.trim_blocks(true).lstrip_blocks(true);
        environment.set_syntax(syntax.build().map_err(|error| error.to_string())?);
        environment
            .set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_filter("tojson", to_json);
        environment.add_function("raise_exception", |message: String| -> Result<Value, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, message))
        });
        environment.add_function("strftime_now", move |format: String| {
            jiff::fmt::strtime::format(format, &today)
                .map_err(|error| Error::new(ErrorKind::InvalidOperation, error.to_string()))
        });
        environment
            .add_template_owned("chat", without_generation_blocks(source))
            .map_err(|error| error.to_string())?;
        Ok(Self { environment, specials, tokenizer: tokenizer.to_owned() })
    }

    /// The conversation as the model reads it; `add_generation_prompt` opens the answer. `None` if the messages hold more
    /// than text, for how those are written down is the server's affair.
    ///
    /// # Errors
    /// If the template raises an exception, or cannot be applied to these messages.
    pub fn render(
        &self,
        messages: &[Message],
        add_generation_prompt: bool,
    ) -> Result<Option<String>, TokenizerError> {
        let Some(messages) = messages.iter().map(plain).collect::<Option<Vec<_>>>() else {
            return Ok(None);
        };
        let scope = Scope {
            specials: &self.specials,
            messages: &messages,
            add_generation_prompt,
            tools: None,
            documents: None,
        };
        let rendered = self
            .environment
            .get_template("chat")
            .and_then(|chat| chat.render(Value::from(Serde(scope))));
        rendered.map(Some).map_err(|error| TokenizerError::Template {
            tokenizer: self.tokenizer.clone(),
            why: error.detail().map_or_else(|| error.to_string(), str::to_owned),
        })
    }
}

#[derive(Serialize)]
struct Scope<'a> {
    #[serde(flatten)]
    specials: &'a Map<String, serde_json::Value>,
    messages: &'a [Message],
    add_generation_prompt: bool,
    tools: Option<()>,
    documents: Option<()>,
}

/// The message with its content as one string: text parts are joined by newlines, as vLLM does. `None` if a part is not text.
fn plain(message: &Message) -> Option<Message> {
    let serde_json::Value::Array(parts) = &message.content else { return Some(message.clone()) };
    let texts: Option<Vec<&str>> = parts
        .iter()
        .map(|part| part.as_str().or_else(|| part.get("text").and_then(serde_json::Value::as_str)))
        .collect();
    Some(Message { content: texts?.join("\n").into(), ..message.clone() })
}

/// The source with transformers' own block, `{% generation %}`, made into one that every Jinja knows. It only marks the
/// assistant's words for training.
fn without_generation_blocks(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        let Some(length) = rest[start..].find("%}") else { break };
        let (before, tag) = (&rest[..start + 2], &rest[start + 2..start + length]);
        out.push_str(before);
        match tag.trim_matches(['-', '+']).trim() {
            "generation" => out.push_str(&tag.replace("generation", "if true")),
            "endgeneration" => out.push_str(&tag.replace("endgeneration", "endif")),
            _ => out.push_str(tag),
        }
        rest = &rest[start + length..];
    }
    out.push_str(rest);
    out
}

/// `tojson` as transformers has it: Python's `json.dumps` without escapes for HTML or beyond ASCII.
fn to_json(value: &Value, indent: Option<usize>, options: Kwargs) -> Result<Value, Error> {
    let indent = match indent {
        Some(indent) => Some(indent),
        None => options.get::<Option<usize>>("indent")?,
    };
    // Of Python's other options, none changes what is written for the values that templates have.
    let _: Option<bool> = options.get("ensure_ascii")?;
    let mut out = Vec::new();
    let written = match indent {
        Some(width) => {
            let spaces = " ".repeat(width.min(64));
            let formatter = PrettyFormatter::with_indent(spaces.as_bytes());
            value.serialize(&mut Serializer::with_formatter(&mut out, formatter))
        }
        None => value.serialize(&mut Serializer::with_formatter(&mut out, Spaced)),
    };
    written.map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))?;
    let text = String::from_utf8(out)
        .map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))?;
    Ok(Value::from_safe_string(text))
}

/// Python's spacing: `, ` between items and `: ` behind keys.
struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + std::io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(
        &mut self,
        out: &mut W,
    ) -> std::io::Result<()> {
        out.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use serde_json::json;

    use super::*;
    use crate::fixtures::user;

    fn parse(source: &str) -> ChatTemplate {
        let specials = json!({ "bos_token": "<s>" }).as_object().unwrap().clone();
        let today = date(2026, 3, 9).at(12, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC).unwrap();
        ChatTemplate::parse(source, specials, "tiny", today).unwrap()
    }

    fn render(source: &str, messages: &[Message]) -> String {
        parse(source).render(messages, true).unwrap().unwrap()
    }

    #[test]
    fn the_answer_is_opened_only_if_asked() {
        let chatml = parse(
            "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}",
        );
        let rendered = |open| chatml.render(&[user("hi")], open).unwrap().unwrap();
        assert_eq!(rendered(true), "<user>hi<assistant>");
        assert_eq!(rendered(false), "<user>hi");
    }

    #[test]
    fn blocks_take_no_space() {
        let source = "{% if true %}\n  {% for m in messages %}\n{{ m.content }}\n  {% endfor %}\n{% endif %}\nend\n";
        assert_eq!(render(source, &[user("a"), user("b")]), "a\nb\nend");
    }

    #[test]
    fn special_tokens_are_in_scope_and_absent_ones_are_nothing() {
        assert_eq!(
            render("{{ bos_token }}{{ eos_token }}{% if eos_token is defined %}!{% endif %}", &[]),
            "<s>"
        );
    }

    #[test]
    fn tools_are_none_and_not_undefined() {
        let source = "{% if tools is defined and tools is none %}none{% endif %}{% if not tools %}!{% endif %}";
        assert_eq!(render(source, &[]), "none!");
    }

    #[test]
    fn an_exception_says_what_the_template_says() {
        let template = parse("{{ raise_exception('roles must alternate') }}");
        let error = template.render(&[], true).unwrap_err().to_string();
        assert!(
            error.starts_with("the chat template of tiny failed: roles must alternate;"),
            "{error}"
        );
    }

    #[test]
    fn today_is_told_in_the_format_asked_for() {
        assert_eq!(render("{{ strftime_now('%d %b %Y') }}", &[]), "09 Mar 2026");
    }

    #[test]
    fn a_bad_time_format_is_an_error_and_no_panic() {
        parse("{{ strftime_now('%') }}").render(&[], true).unwrap_err();
    }

    #[test]
    fn json_is_written_as_python_writes_it() {
        let mut message = user("a<b & 'c'");
        message.more.insert("z".into(), json!({ "y": [1, "é"], "a": null }));
        assert_eq!(
            render("{{ messages[0]|tojson }}", &[message]),
            r#"{"role": "user", "content": "a<b & 'c'", "z": {"y": [1, "é"], "a": null}}"#
        );
    }

    #[test]
    fn json_is_indented_if_asked() {
        assert_eq!(
            render("{{ [1, {'a': 2}]|tojson(indent=2) }}", &[]),
            "[\n  1,\n  {\n    \"a\": 2\n  }\n]"
        );
    }

    #[test]
    fn loops_can_be_broken_off() {
        let source = "{% for m in messages %}{% if loop.index > 1 %}{% break %}{% endif %}{{ m.content }}{% endfor %}";
        assert_eq!(render(source, &[user("a"), user("b")]), "a");
    }

    #[test]
    fn values_have_the_methods_of_python() {
        let source = "{% set ns = namespace(last='') %}{% for m in messages[::-1] %}{% if m.content.startswith('a') %}\
                      {% set ns.last = m.content.split('-')[-1].strip() %}{% endif %}{% endfor %}{{ ns.last.upper() }}\
                      {{ messages[0].get('name', 'nobody') }}{% for key, value in messages[0].items() %} {{ key }}{% endfor %}";
        assert_eq!(render(source, &[user("a- x "), user("b")]), "Xnobody role content");
    }

    #[test]
    fn marks_for_training_are_passed_over() {
        let source = "{% for m in messages %}{%- generation -%} {{ m.content }} {%- endgeneration %}{% endfor %}.";
        assert_eq!(render(source, &[user("a")]), "a.");
    }

    #[test]
    fn text_parts_are_joined_and_other_parts_are_not_guessed_at() {
        let template = parse("{{ messages[0].content }}");
        let with = |parts| Message { content: parts, ..user("") };
        let text = with(json!([{ "type": "text", "text": "a" }, { "type": "text", "text": "b" }]));
        assert_eq!(template.render(&[text], true).unwrap().as_deref(), Some("a\nb"));
        let image = with(json!([{ "type": "image_url", "image_url": { "url": "data:" } }]));
        assert_eq!(template.render(&[image], true).unwrap(), None);
    }

    #[test]
    fn a_broken_template_is_refused_with_its_line() {
        let error =
            ChatTemplate::parse("a\n{% if %}", Map::new(), "tiny", jiff::Zoned::now()).unwrap_err();
        assert!(error.contains(":2"), "{error}");
    }
}
