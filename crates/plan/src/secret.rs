//! Text that refers to environment variables, so that a secret is named in a plan and never held by it.
//!
//! [`Filled`] keeps both what was written and what it stands for, and shows only the former: in `Debug`, in YAML, in every
//! message. What it stands for is had by [`Filled::expose`] alone.

use std::fmt;

use crate::PlanError;
use crate::resolve::Environment;

/// A text that may hold `${VARIABLE}`, with its variables looked up. `$${` stands for `${` itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Filled {
    written: String,
    value: String,
}

impl Filled {
    /// Looks up the variables of `written`, which stands in the setting of that path.
    ///
    /// # Errors
    /// If a variable is not set, or a `${` is not closed.
    pub fn look_up(
        written: &str,
        setting: &str,
        environment: &dyn Environment,
    ) -> Result<Self, PlanError> {
        let mut value = String::with_capacity(written.len());
        let mut rest = written;
        while let Some(at) = rest.find("${") {
            let (before, from) = rest.split_at(at);
            if let Some(literal) = before.strip_suffix('$') {
                value.push_str(literal);
                value.push_str("${");
                rest = &from[2..];
                continue;
            }
            value.push_str(before);
            let Some((name, after)) = from[2..].split_once('}') else {
                return Err(PlanError::at(setting, "a ${ is not closed by a }").with_hint(
                    "write ${NAME} for an environment variable, $${ for the characters",
                ));
            };
            let found = environment.variable(name).ok_or_else(|| {
                PlanError::at(setting, format!("the environment variable {name} is not set"))
                    .with_hint(format!("set it first: export {name}=…"))
            })?;
            value.push_str(&found);
            rest = after;
        }
        value.push_str(rest);
        Ok(Self { written: written.to_owned(), value })
    }

    /// The text with its `${VARIABLE}`s, fit to be shown.
    pub fn written(&self) -> &str {
        &self.written
    }

    /// What the text stands for: perhaps a secret, never to be shown.
    pub fn expose(&self) -> &str {
        &self.value
    }

    /// Whether anything in it is to be kept from sight.
    pub fn is_reference(&self) -> bool {
        self.written != self.value
    }
}

impl fmt::Debug for Filled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.written, f)
    }
}

/// Whether a header or a parameter of that name holds a secret: `Authorization`, `X-Api-Key`, `access_token`, `Cookie`.
pub fn names_a_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    name.split(['-', '_', '.']).any(|word| SECRET_WORDS.iter().any(|end| word.ends_with(end)))
}

/// How words end that name secrets.
const SECRET_WORDS: &[&str] =
    &["authorization", "auth", "key", "token", "secret", "cookie", "password", "credential"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::tests::Fixed;

    fn fill(written: &str) -> Result<Filled, PlanError> {
        let environment = Fixed::with([("TOKEN", "s3cret"), ("EMPTY", "")]);
        Filled::look_up(written, "target.headers.X-Test", &environment)
    }

    #[test]
    fn variables_are_looked_up_wherever_they_stand() {
        assert_eq!(fill("Bearer ${TOKEN}/${EMPTY}!").unwrap().expose(), "Bearer s3cret/!");
    }

    #[test]
    fn a_doubled_dollar_is_a_dollar() {
        assert_eq!(fill("a$${TOKEN}").unwrap().expose(), "a${TOKEN}");
    }

    #[test]
    fn what_a_reference_stands_for_is_not_shown() {
        assert_eq!(format!("{:?}", fill("Bearer ${TOKEN}").unwrap()), "\"Bearer ${TOKEN}\"");
    }

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        let error = fill("${NOWHERE}").unwrap_err();
        assert_eq!(
            error.to_string(),
            "target.headers.X-Test: the environment variable NOWHERE is not set"
        );
    }

    #[test]
    fn an_open_reference_is_refused() {
        assert!(fill("${TOKEN").is_err());
    }

    #[test]
    fn names_of_secrets_are_told_from_others() {
        for name in ["Authorization", "X-Api-Key", "apikey", "access_token", "Cookie", "X-Auth"] {
            assert!(names_a_secret(name), "{name}");
        }
        for name in ["X-Max-Tokens", "Accept", "X-Team", "keyboard", "User-Agent"] {
            assert!(!names_a_secret(name), "{name}");
        }
    }
}
