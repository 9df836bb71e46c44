//! Text as markup: escaped, in both languages where it has two, and data inside of a script element.
//!
//! Everything that a page holds goes through here. Deliberately no templates: markup is written where it is made.

use serde_json::Value;

use crate::words::{LANGUAGES, Words};

/// A text that stands in the page as it is: no character of it is markup, controls the display, or turns the direction of writing.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || is_directional(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// A text in each language; the page's style shows the one that is chosen.
pub(super) fn both(words: &Words) -> String {
    if words.is_the_same() {
        return escaped(words);
    }
    let each = LANGUAGES.iter().map(|&language| {
        let code = language.code();
        format!("<span class=\"{code}\" lang=\"{code}\">{}</span>", escaped(words.told(language)))
    });
    each.collect()
}

/// The text in each language, as attributes that the page's script turns into one named `name`: `data-aria-label-en="…"`.
pub(super) fn attribute(name: &str, words: &Words) -> String {
    let each = LANGUAGES.iter().map(|&language| {
        format!(" data-{name}-{}=\"{}\"", language.code(), escaped(words.told(language)))
    });
    format!(" {name}=\"{}\"{}", escaped(words), each.collect::<String>())
}

/// A text that exists in English alone.
pub(super) fn english(text: &str) -> String {
    format!("<span lang=\"en\">{}</span>", escaped(text))
}

/// Data for a script element. It holds neither `<` nor `>` nor `&`, so that nothing in it can end the element or begin a comment.
pub(super) fn data(value: &Value) -> String {
    let text = value.to_string();
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out
}

fn is_directional(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_script_in_a_model_s_name_is_text() {
        let name = "</script><img src=x onerror=alert(1)>";
        assert_eq!(escaped(name), "&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;");
        assert_eq!(
            data(&json!(name)),
            "\"\\u003c/script\\u003e\\u003cimg src=x onerror=alert(1)\\u003e\""
        );
    }

    #[test]
    fn both_languages_stand_in_the_page_and_a_text_without_two_forms_once() {
        let words = Words::fixed("Requests", "请求");
        assert_eq!(
            both(&words),
            "<span class=\"en\" lang=\"en\">Requests</span><span class=\"zh\" lang=\"zh\">请求</span>"
        );
        assert_eq!(both(&"Qwen3".into()), "Qwen3");
        assert_eq!(
            attribute("aria-label", &words),
            " aria-label=\"Requests\" data-aria-label-en=\"Requests\" data-aria-label-zh=\"请求\""
        );
    }

    proptest! {
        #[test]
        fn no_text_is_markup(text in any::<String>()) {
            let safe = escaped(&text);
            prop_assert!(!safe.contains(['<', '>', '"', '\'']));
            let tags = both(&Words::both(text.clone(), text + "!")).matches('<').count();
            prop_assert_eq!(tags, 4);
        }

        #[test]
        fn data_never_ends_its_element_and_is_read_back_as_it_was(text in any::<String>(), key in "[</!>a-z-]{0,12}") {
            let value = json!({ key: text, "nested": ["</script>", "<!--", "]]>"] });
            let written = data(&value);
            let separators = ['\u{2028}', '\u{2029}'];
            prop_assert!(!written.contains(['<', '>', '&']) && !written.contains(separators));
            prop_assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), value);
        }
    }
}
