//! The URL of a target, taken apart: scheme, authority, path and query.
//!
//! It is checked here so that a plan with an unusable URL never comes to be; what the engine needs of it, it reads for itself.
//! User names and passwords inside a URL are refused, for they would end up in logs; so are variables before its query, for the
//! host and the path are shown.

use std::fmt;
use std::net::IpAddr;

use crate::PlanError;
use crate::environment::Environment;
use crate::secret::{Filled, names_a_secret};

/// A URL that requests can go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// How.
    pub scheme: Scheme,
    /// The host and, where one is given, the port, as in the URL: `127.0.0.1:8000`, `[::1]`. For the simulator, the name of its preset,
    /// or nothing.
    pub authority: String,
    /// The path, beginning with `/` unless it is empty.
    pub path: String,
    /// What follows the `?`. May refer to secrets.
    pub query: Option<Filled>,
}

/// How a target is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// HTTP without TLS.
    Http,
    /// HTTP over TLS.
    Https,
    /// The embedded simulator, started for the run.
    Sim,
}

impl Url {
    /// Reads the URL `written` in the setting of that path.
    ///
    /// # Errors
    /// If it is not an `http`, `https` or `sim` URL with a host, holds a secret in plain sight, or refers to a variable before its
    /// query.
    pub fn parse(
        written: &str,
        setting: &str,
        environment: &dyn Environment,
    ) -> Result<Self, PlanError> {
        Self::parse_for(&FOR_REQUESTS, written, setting, environment)
    }

    /// The same of a page that is read, to which nothing is sent but its address.
    ///
    /// # Errors
    /// As [`Url::parse`], with advice for such an address.
    pub(crate) fn parse_page(
        written: &str,
        setting: &str,
        environment: &dyn Environment,
    ) -> Result<Self, PlanError> {
        Self::parse_for(&FOR_PAGES, written, setting, environment)
    }

    fn parse_for(
        purpose: &Purpose,
        written: &str,
        setting: &str,
        environment: &dyn Environment,
    ) -> Result<Self, PlanError> {
        let wrong = |problem: &str, hint: &str| {
            Err(PlanError::at(setting, problem.to_owned()).with_hint(hint.to_owned()))
        };
        let (front, query) = match written.trim().split_once('?') {
            Some((front, query)) => (front, Some(query)),
            None => (written.trim(), None),
        };
        if front.contains("${") {
            return wrong(
                "only the query of a URL may refer to variables: its host and path are shown",
                "write the host and the path out, and secrets as parameters: ?api_key=${VARIABLE}",
            );
        }
        let query = query.map(|query| query.split('#').next().unwrap_or_default());
        let Some((scheme, rest)) = front.split_once("://") else {
            return wrong(
                "not a URL: it has no http:// or https:// before the host",
                purpose.example,
            );
        };
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            "sim" => Scheme::Sim,
            _ => return wrong(purpose.schemes, purpose.example),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if front.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return wrong("a URL holds no blanks", purpose.example);
        }
        if authority.contains('@') {
            return wrong(
                "a user name or password inside a URL would be shown in logs",
                purpose.instead_of_a_password,
            );
        }
        match scheme {
            Scheme::Sim if !is_preset(authority) => {
                return wrong(
                    "the simulator has no host and no port: in their place stands the name of a preset, or nothing",
                    "write sim://h100-llama-3.1-8b, or sim://?ttft_ms=200&itl_ms=20; a preset in a file is sim://?preset=FILE",
                );
            }
            Scheme::Sim => {}
            Scheme::Http | Scheme::Https => check_authority(authority)
                .map_err(|problem| PlanError::at(setting, problem).with_hint(purpose.example))?,
        }
        let query = query.map(|query| look_up_query(query, setting, environment)).transpose()?;
        if let (Scheme::Http | Scheme::Https, Some(query)) = (scheme, &query) {
            check_query(query, setting)?;
        }
        Ok(Self { scheme, authority: authority.into(), path: path.into(), query })
    }

    /// Whether the path ends in `endpoint`, whole segments only.
    pub fn ends_in(&self, endpoint: &str) -> bool {
        let path = self.path.trim_end_matches('/');
        path.strip_suffix(endpoint).is_some_and(|before| before.ends_with('/'))
    }

    /// Whether its host is the machine that this program runs on, as far as its name tells. A simulator is no machine.
    pub fn is_this_machine(&self) -> bool {
        let host = match self.authority.strip_prefix('[') {
            Some(bracketed) => bracketed.split(']').next().unwrap_or_default(),
            None => self.authority.split(':').next().unwrap_or_default(),
        };
        let here = |address: IpAddr| address.is_loopback() || address.is_unspecified();
        self.scheme != Scheme::Sim
            && (host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(here))
    }

    /// The URL with its secrets in it, to send requests to; never to be shown.
    pub fn expose(&self) -> String {
        self.text(self.query.as_ref().map(Filled::expose))
    }

    /// What of its query no message may repeat: what its variables stand for, and the values of parameters whose names speak of a
    /// secret, as they are sent and as a server reads them.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let Some(query) = &self.query else { return Vec::new() };
        let named = pairs(query.expose()).filter(|(name, _)| names_a_secret(&decoded(name)));
        let values = query.references().chain(named.map(|(_, value)| value));
        values.flat_map(|value| [value.to_owned(), decoded(value)]).collect()
    }

    fn text(&self, query: Option<&str>) -> String {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
            Scheme::Sim => "sim",
        };
        let (mark, query) = query.map_or(("", ""), |query| ("?", query));
        format!("{scheme}://{}{}{mark}{query}", self.authority, self.path)
    }
}

/// The URL as it may be shown, secrets by their variables' names.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(self.query.as_ref().map(Filled::written)))
    }
}

/// Whether it can be the name of a preset. Which there are, the simulator knows.
fn is_preset(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
}

fn check_authority(authority: &str) -> Result<(), &'static str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(bracketed) => {
            let (host, after) = bracketed.split_once(']').ok_or("a [ is not closed by a ]")?;
            host.parse::<std::net::Ipv6Addr>().map_err(|_| "between [ and ] stands no address")?;
            match after.strip_prefix(':') {
                None if !after.is_empty() => return Err("after the ] stands no port"),
                port => (host, port),
            }
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    if host.is_empty() {
        return Err("the URL names no host");
    }
    match port.map(str::parse::<u16>) {
        None | Some(Ok(1..)) => Ok(()),
        Some(_) => Err("the port is not a number from 1 to 65535"),
    }
}

fn look_up_query(
    query: &str,
    setting: &str,
    environment: &dyn Environment,
) -> Result<Filled, PlanError> {
    for (name, value) in pairs(query) {
        if names_a_secret(&decoded(name)) && !value.contains("${") {
            return Err(PlanError::at(setting, format!("{name} holds a secret in plain sight"))
                .with_hint(format!("name a variable instead: {name}=${{VARIABLE}}")));
        }
    }
    Filled::look_up(query, setting, environment)
}

/// Refuses what no request line can carry, without repeating it.
fn check_query(query: &Filled, setting: &str) -> Result<(), PlanError> {
    let unfit = |c: char| c.is_whitespace() || c.is_control() || "\"<>".contains(c);
    match query.expose().contains(unfit) {
        true => Err(PlanError::at(setting, "the query holds a blank, a quote or an angle bracket")
            .with_hint("write such characters as %XX: a blank is %20")),
        false => Ok(()),
    }
}

fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').filter_map(|pair| pair.split_once('='))
}

/// The text with each `%XX` as the byte that it stands for, and `+` as a blank.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = hex.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let (byte, after) = match (first, byte) {
            (b'%', Some(byte)) => (byte, &after[2..]),
            (b'+', _) => (b' ', after),
            (&byte, _) => (byte, after),
        };
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What a URL is for, in the words of advice.
struct Purpose {
    schemes: &'static str,
    example: &'static str,
    instead_of_a_password: &'static str,
}

const FOR_REQUESTS: Purpose = Purpose {
    schemes: "not a URL for requests: only http, https and sim are",
    example: "for example http://127.0.0.1:8000/v1/chat/completions",
    instead_of_a_password: "leave it out, and send it as a header: Authorization: Basic ${VARIABLE}",
};

const FOR_PAGES: Purpose = Purpose {
    schemes: "not the URL of a page: only http and https are",
    example: "for example http://127.0.0.1:8000/metrics",
    instead_of_a_password: "headers are sent to the target's own /metrics alone: give an address that wants no password, \
                            or a parameter, ?token=${VARIABLE}",
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::testing::Fixed;

    fn parse(written: &str) -> Result<Url, PlanError> {
        Url::parse(written, "target.url", &Fixed::with([("CODE", "s3cret")]))
    }

    #[test]
    fn a_url_is_taken_apart_and_put_together() {
        for url in [
            "http://127.0.0.1:8000/v1/chat/completions",
            "https://example/openai/v1/completions?api-version=1",
            "http://[::1]:8000/v1",
            "http://[::1]",
            "sim://",
            "sim://?ttft_ms=200&itl_ms=20",
            "sim:///v1/completions?ttft_ms=5",
            "sim://h100-llama-3.1-8b",
            "sim://h100-llama-3.1-8b/v1/completions?max_num_seqs=64",
        ] {
            assert_eq!(parse(url).unwrap().to_string(), url);
        }
    }

    #[test]
    fn what_is_no_url_for_requests_is_refused() {
        for url in [
            "",
            "127.0.0.1:8000/v1",
            "ftp://host/",
            "http://",
            "http:///v1",
            "http://host:port/v1",
            "http://host:0/v1",
            "http://host:70000/v1",
            "http://a b/v1",
            "http://[::1/v1",
            "http://[zz]/v1",
            "http://[::1]8000/v1",
            "sim://host:8000",
            "sim://[::1]",
        ] {
            assert!(parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn credentials_inside_are_refused_and_not_repeated() {
        let error = parse("http://me:s3cret@host/v1").unwrap_err();
        assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
    }

    #[test]
    fn a_secret_in_the_query_must_be_a_reference_and_is_not_shown() {
        assert!(parse("https://host/v1?api_key=s3cret").is_err());
        assert!(parse("https://host/v1?api%5Fkey=s3cret").is_err());
        let url = parse("https://example/v1?api_key=${CODE}").unwrap();
        assert_eq!(url.to_string(), "https://example/v1?api_key=${CODE}");
        assert_eq!(url.expose(), "https://example/v1?api_key=s3cret");
        assert!(!format!("{url:?}").contains("s3cret"));
    }

    #[test]
    fn a_variable_before_the_query_is_refused() {
        for url in ["https://${HOST}/v1", "https://host/${CODE}/v1", "${CODE}://host", "${CODE}"] {
            let error = parse(url).unwrap_err();
            assert!(error.to_string().contains("only the query"), "{error}");
        }
    }

    #[test]
    fn secrets_of_the_query_are_known_as_sent_and_as_read() {
        let environment = Fixed::with([("TEAM", "blue"), ("CODE", "s%2Fx+y")]);
        let url = "http://h/v1?v=1&team=${TEAM}&sig=a${CODE}";
        let url = Url::parse(url, "target.url", &environment).unwrap();
        let secrets = ["blue", "blue", "s%2Fx+y", "s/x y", "as%2Fx+y", "as/x y"];
        assert_eq!(url.secrets(), secrets);
    }

    #[test]
    fn what_no_query_can_hold_is_refused_and_not_repeated() {
        let environment = Fixed::with([("CODE", "s3 cret")]);
        let error = Url::parse("http://h/v1?key=${CODE}", "target.url", &environment).unwrap_err();
        assert!(!format!("{error:?}").contains("cret"), "{error:?}");
    }

    #[test]
    fn an_endpoint_is_found_at_the_end_in_whole_segments() {
        assert!(parse("http://h/v1/chat/completions/").unwrap().ends_in("chat/completions"));
        assert!(!parse("http://h/v1/mychat/completions").unwrap().ends_in("chat/completions"));
    }
}
