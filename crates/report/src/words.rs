//! Words for people in each language that reports are written in: English, and Chinese where it is asked for.
//!
//! A text that is the same in both (a model's name, a unit) has one form. Deliberately no dictionary here: whoever has something to
//! say gives both forms where they stand, so that neither can be forgotten.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

/// A language that reports are written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Chinese in simplified characters.
    Chinese,
}

/// Every language.
pub const LANGUAGES: &[Language] = &[Language::English, Language::Chinese];

/// A text, in English and, where it differs there, in Chinese. As a `str` it is the English one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Words {
    english: Cow<'static, str>,
    chinese: Option<Cow<'static, str>>,
}

impl Language {
    /// Its code, as in HTML and on the command line: `en`, `zh`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Language {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = |language: &&Self| language.code() == text;
        LANGUAGES
            .iter()
            .copied()
            .find(|language| known(&language))
            .ok_or_else(|| "takes en or zh".to_owned())
    }
}

impl Words {
    /// A text that differs between the languages.
    pub fn both(
        english: impl Into<Cow<'static, str>>,
        chinese: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { english: english.into(), chinese: Some(chinese.into()) }
    }

    /// A text that differs between the languages, fit for a constant.
    pub const fn fixed(english: &'static str, chinese: &'static str) -> Self {
        Self { english: Cow::Borrowed(english), chinese: Some(Cow::Borrowed(chinese)) }
    }

    /// The text in a language.
    pub fn told(&self, language: Language) -> &str {
        match (language, &self.chinese) {
            (Language::Chinese, Some(chinese)) => chinese,
            _ => &self.english,
        }
    }

    /// Whether it is the same in every language.
    pub fn is_the_same(&self) -> bool {
        self.chinese.as_ref().is_none_or(|chinese| *chinese == self.english)
    }

    /// The text in a language alone: its only form.
    #[must_use]
    pub fn only(&self, language: Language) -> Self {
        self.told(language).to_owned().into()
    }
}

impl Deref for Words {
    type Target = str;

    fn deref(&self) -> &str {
        &self.english
    }
}

impl From<&str> for Words {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<&String> for Words {
    fn from(text: &String) -> Self {
        text.clone().into()
    }
}

impl From<String> for Words {
    fn from(text: String) -> Self {
        Self { english: text.into(), chinese: None }
    }
}

impl From<&Self> for Words {
    fn from(words: &Self) -> Self {
        words.clone()
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.english)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_one_form_is_the_same_in_every_language() {
        let (name, words) = (Words::from("Qwen3-32B"), Words::fixed("Requests", "请求"));
        assert_eq!(
            LANGUAGES.iter().map(|&language| name.told(language)).collect::<Vec<_>>(),
            ["Qwen3-32B"; 2]
        );
        assert_eq!(
            LANGUAGES.iter().map(|&language| words.told(language)).collect::<Vec<_>>(),
            ["Requests", "请求"]
        );
        assert_eq!((name.is_the_same(), words.is_the_same()), (true, false));
        assert_eq!(&*words.only(Language::Chinese), "请求");
    }

    #[test]
    fn languages_are_named_by_their_codes() {
        assert_eq!("zh".parse(), Ok(Language::Chinese));
        assert_eq!("de".parse::<Language>(), Err("takes en or zh".to_owned()));
    }
}
