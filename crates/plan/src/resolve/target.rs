//! Where requests go: the endpoint, credentials, time limits, the proxy.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config;
use crate::endpoint::{self, Form, Kind};
use crate::error::PlanError;
use crate::plan::{Key, Proxy, Spoken, Target, Timeouts};
use crate::secret::{Filled, names_a_secret};
use crate::url::{Scheme, Url};
use crate::written::{Limit, Span};

use super::fit::utf8;
use crate::environment::Environment;

/// The target, and what its URL, as it was typed, leads to.
pub(super) fn resolve(
    config: config::Target,
    form: Form,
    environment: &dyn Environment,
    advice: &mut Vec<String>,
) -> Result<(Target, Kind), PlanError> {
    let Some(url) = config.url else {
        return Err(PlanError::at("target.url", "says where the server is, and is missing")
            .with_hint("for example http://127.0.0.1:8000/v1/chat/completions"));
    };
    let url = Url::parse(&url, "target.url", environment)?;
    let endpoint = endpoint::choose(url, config.api.as_deref(), form, advice)?;
    let timeouts = timeouts(config.timeouts);
    let headers = headers(config.headers, environment)?;
    let key = config.api_key_env.map(|name| key(&name, environment)).transpose()?;
    if key.is_some() && headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization")) {
        return Err(PlanError::at(
            "target.headers",
            "Authorization is given twice: here, and by the key",
        )
        .with_hint("leave one of them out"));
    }
    let insecure = config.tls.insecure.unwrap_or(false);
    if insecure && endpoint.url.scheme == Scheme::Https {
        advice.push("the server's certificate will not be checked (insecure)".into());
    }
    if config.tls.ca_cert.is_some() && endpoint.url.scheme != Scheme::Https {
        advice.push(
            "the file of authorities (ca_cert) changes nothing: only https:// has certificates"
                .into(),
        );
    }
    let target = Target {
        url: endpoint.url,
        api: Spoken(endpoint.api),
        key,
        headers,
        timeouts,
        insecure,
        ca_cert: config.tls.ca_cert.map(|path| utf8(path, "target.tls.ca_cert")).transpose()?,
        http2: config.http2.unwrap_or(false),
        proxy: config.proxy.map(|url| proxy(&url, environment)).transpose()?,
        test_connection: config.test_connection.unwrap_or(true),
        ready_within: config.ready_within.map_or(Duration::ZERO, |Span(length)| length),
        profile: config.profile.unwrap_or(false),
        request_id_prefix: config.request_id_prefix.map(request_id_prefix).transpose()?,
    };
    Ok((target, endpoint.typed))
}

fn timeouts(config: config::Timeouts) -> Timeouts {
    let limit = |typed: Option<Limit>| typed.and_then(|Limit(limit)| limit);
    Timeouts {
        connect: limit(config.connect),
        first_byte: limit(config.first_byte),
        between_chunks: limit(config.between_chunks),
        total: config.total.map_or(Some(TOTAL), |Limit(limit)| limit),
    }
}

fn key(name: &str, environment: &dyn Environment) -> Result<Key, PlanError> {
    let setting = "target.api_key_env";
    if name.is_empty() || name.contains(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
        return Err(PlanError::at(
            setting,
            "holds the name of an environment variable, not the key itself",
        )
        .with_hint("export OPENAI_API_KEY=… and write api_key_env: OPENAI_API_KEY"));
    }
    let secret = Filled::look_up(&format!("${{{name}}}"), setting, environment)?;
    if secret.expose().trim().is_empty() {
        return Err(PlanError::at(setting, format!("the environment variable {name} is empty")));
    }
    check_header_value("target.api_key_env", secret.expose())?;
    Ok(Key { variable: name.to_owned(), secret })
}

fn headers(
    config: BTreeMap<String, String>,
    environment: &dyn Environment,
) -> Result<Vec<(String, Filled)>, PlanError> {
    let header = |(name, written): (String, String)| {
        let setting = format!("target.headers.{name}");
        if name.is_empty() || !name.bytes().all(is_token_byte) {
            return Err(PlanError::at(setting, "not a name that a header can have")
                .with_hint("names are made of letters, digits and -"));
        }
        let value = Filled::look_up(&written, &setting, environment)?;
        if names_a_secret(&name) && !value.is_reference() {
            return Err(PlanError::at(setting, "holds a secret in plain sight").with_hint(
                format!("name an environment variable instead: {name}: ${{VARIABLE}}"),
            ));
        }
        check_header_value(&setting, value.expose())?;
        Ok((name, value))
    };
    config.into_iter().map(header).collect()
}

/// RFC 9110, section 5.6.2: what names of fields are made of.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn check_header_value(setting: &str, value: &str) -> Result<(), PlanError> {
    match value.contains(|c: char| c.is_control() && c != '\t') {
        true => Err(PlanError::at(
            setting,
            "holds a line break or another control character, which no header can",
        )),
        false => Ok(()),
    }
}

fn request_id_prefix(prefix: String) -> Result<String, PlanError> {
    check_header_value("target.request_id_prefix", &prefix)?;
    match prefix.is_ascii() {
        true => Ok(prefix),
        false => Err(PlanError::at(
            "target.request_id_prefix",
            "holds letters that a header cannot carry everywhere",
        )
        .with_hint("use letters, digits and - only")),
    }
}

fn proxy(written: &str, environment: &dyn Environment) -> Result<Proxy, PlanError> {
    let setting = "target.proxy";
    let example = "for example http://127.0.0.1:3128";
    if written.split(['/', '?', '#']).nth(2).is_some_and(|authority| authority.contains('@')) {
        return Err(PlanError::at(
            setting,
            "a proxy that wants a user name and a password is not in this version",
        )
        .with_hint("leave them out, or go through a proxy that wants none"));
    }
    let url = Url::parse(written, setting, environment)?;
    let wrong = |problem: &str| PlanError::at(setting, problem.to_owned()).with_hint(example);
    if url.scheme != Scheme::Http {
        return Err(wrong("only proxies reached by http:// are understood"));
    }
    if !matches!(url.path.as_str(), "" | "/") || url.query.is_some() {
        return Err(wrong("a proxy has no path"));
    }
    let (host, port) = match url.authority.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && !port.ends_with(']') => (host, port.parse().ok()),
        _ => (url.authority.as_str(), None),
    };
    let Some(port) = port else { return Err(wrong("the proxy's port is missing")) };
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    Ok(Proxy { host, port })
}

const TOTAL: Duration = Duration::from_secs(6 * 3600);
