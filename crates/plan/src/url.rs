//! The URL of a target, taken apart: scheme, authority, path and query.
//!
//! It is checked here so that a plan with an unusable URL never comes to be; what the engine needs of it, it reads for itself.
//! User names and passwords inside a URL are refused: they would end up in logs.

use std::fmt;

use crate::PlanError;
use crate::resolve::Environment;
use crate::secret::{Filled, names_a_secret};

/// A URL that requests can go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// How.
    pub scheme: Scheme,
    /// The host and, where one is given, the port, as in the URL: `127.0.0.1:8000`, `[::1]`. Empty for the simulator.
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
    /// If it is not an `http`, `https` or `sim` URL with a host, or holds a secret in plain sight.
    pub fn parse(
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
        let front = Filled::look_up(front, setting, environment)?;
        let front = front.expose();
        let query = query.map(|query| query.split('#').next().unwrap_or_default());
        let Some((scheme, rest)) = front.split_once("://") else {
            return wrong("not a URL: it has no http:// or https:// before the host", EXAMPLE);
        };
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            "sim" => Scheme::Sim,
            _ => return wrong("not a URL for requests: only http, https and sim are", EXAMPLE),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if front.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return wrong("a URL holds no blanks", EXAMPLE);
        }
        if authority.contains('@') {
            return wrong(
                "a user name or password inside a URL would be shown in logs",
                "leave it out, and send it as a header: Authorization: Basic ${VARIABLE}",
            );
        }
        match scheme {
            Scheme::Sim if !authority.is_empty() => {
                return wrong(
                    "the simulator has no host",
                    "write sim:// alone, or sim://?ttft_ms=200&itl_ms=20",
                );
            }
            Scheme::Sim => {}
            Scheme::Http | Scheme::Https => check_authority(authority)
                .map_err(|problem| PlanError::at(setting, problem).with_hint(EXAMPLE))?,
        }
        let query = query.map(|query| look_up_query(query, setting, environment)).transpose()?;
        Ok(Self { scheme, authority: authority.into(), path: path.into(), query })
    }

    /// Whether the path ends in `endpoint`, whole segments only.
    pub fn ends_in(&self, endpoint: &str) -> bool {
        let path = self.path.trim_end_matches('/');
        path.strip_suffix(endpoint).is_some_and(|before| before.ends_with('/'))
    }

    /// The URL with its secrets in it, to send requests to; never to be shown.
    pub fn expose(&self) -> String {
        self.text(self.query.as_ref().map(Filled::expose))
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
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        if names_a_secret(name) && !value.contains("${") {
            return Err(PlanError::at(setting, format!("{name} holds a secret in plain sight"))
                .with_hint(format!("name a variable instead: {name}=${{VARIABLE}}")));
        }
    }
    Filled::look_up(query, setting, environment)
}

const EXAMPLE: &str = "for example http://127.0.0.1:8000/v1/chat/completions";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::tests::Fixed;

    fn parse(written: &str) -> Result<Url, PlanError> {
        Url::parse(written, "target.url", &Fixed::with([("HOST", "example"), ("CODE", "s3cret")]))
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
            "sim://host",
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
        let url = parse("https://${HOST}/v1?api_key=${CODE}").unwrap();
        assert_eq!(url.to_string(), "https://example/v1?api_key=${CODE}");
        assert_eq!(url.expose(), "https://example/v1?api_key=s3cret");
        assert!(!format!("{url:?}").contains("s3cret"));
    }

    #[test]
    fn an_endpoint_is_found_at_the_end_in_whole_segments() {
        assert!(parse("http://h/v1/chat/completions/").unwrap().ends_in("chat/completions"));
        assert!(!parse("http://h/v1/mychat/completions").unwrap().ends_in("chat/completions"));
    }
}
