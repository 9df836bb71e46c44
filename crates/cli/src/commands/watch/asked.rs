//! What a command line asks to be watched: addresses, logs, credentials.
//!
//! Credentials go to the servers that are watched, and to no exporter of GPU metrics: that is another service. Deliberately nothing is
//! opened here.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use tokometer_plan::{Environment, Filled, OwnMetrics, Scheme, Telemetry, Url};
use tokometer_telemetry::fetch::Endpoint;
use tokometer_telemetry::watch::Sources;

use super::Arguments;
use super::amounts::rounded;
use crate::dialect::credentials::{API_KEY, headers, hide_parameters, key_beside};
use crate::surroundings::Surroundings;
use crate::trouble::Trouble;

/// What is to be watched, and how.
///
/// # Errors
/// If an address, a header or a length of time is none. Nothing that was typed is repeated that may be a secret.
pub(super) fn sources(
    arguments: &Arguments,
    surroundings: &mut Surroundings,
) -> Result<Sources, Trouble> {
    let every = interval(arguments.every)?;
    if let Some(url) = arguments.log.iter().find(|path| path.to_string_lossy().contains("://")) {
        let position = arguments.log.iter().position(|path| path == url).unwrap_or_default() + 1;
        return Err(Trouble::input(format!("--log: value {position} is an address, not a file"))
            .with_hint(
                "addresses stand before the flags: tokometer watch http://a:8000 --log FILE",
            ));
    }
    let mut pages = |urls: &[String], what: &str| -> Result<Vec<Url>, Trouble> {
        let each = urls.iter().enumerate();
        each.map(|(index, url)| page(url, &format!("{what} {}", index + 1), surroundings)).collect()
    };
    let mut servers = pages(&arguments.urls, "address")?;
    // A server that is named twice is watched once: it is not two.
    let mut named = BTreeSet::new();
    servers.retain(|url| named.insert(url.to_string()));
    let gpus = pages(&arguments.gpu_metrics, "--gpu-metrics")?;
    let sent = credentials(arguments, surroundings)?;
    let nvidia_smi = servers.iter().any(Url::is_this_machine);
    let heard = Telemetry {
        server_metrics: servers,
        own_metrics: OwnMetrics::Never,
        server_logs: arguments.log.clone(),
        gpu_metrics: gpus,
        nvidia_smi,
        every,
    };
    let secrets = [heard.secrets(), sent.secrets].concat();
    let endpoint = |url: &Url, headers: &[(String, String)]| Endpoint {
        url: url.expose(),
        shown: url.to_string(),
        headers: headers.to_vec(),
        insecure: arguments.insecure,
        ca_cert: arguments.ca_cert.as_ref().map(PathBuf::from),
        proxy: None,
        secrets: secrets.clone(),
    };
    Ok(Sources {
        metrics: heard.server_metrics.iter().map(|url| endpoint(url, &sent.headers)).collect(),
        perhaps: Vec::new(),
        gpus: heard.gpu_metrics.iter().map(|url| endpoint(url, &[])).collect(),
        nvidia_smi,
        logs: heard.server_logs,
        every,
    })
}

/// The length of time from one reading to the next.
fn interval(seconds: f64) -> Result<Duration, Trouble> {
    if !seconds.is_finite() {
        return Err(Trouble::input(format!("--every: {seconds} is no number of seconds"))
            .with_hint("1 shows what there is to see"));
    }
    if seconds > LONGEST.as_secs_f64() {
        return Err(Trouble::input(format!("--every: {} s is too long", rounded(seconds, 0)))
            .with_hint("a day, 86400 s, is the most; for a single reading there is --once"));
    }
    match Duration::try_from_secs_f64(seconds) {
        Ok(every) if every >= LEAST => Ok(every),
        _ => Err(Trouble::input(format!("--every: {seconds} s is too short"))
            .with_hint("reading has its price: 0.1 s or more; 1 s shows what there is to see")),
    }
}

/// A page of metrics: an address without a path means its `/metrics`.
fn page(written: &str, place: &str, surroundings: &mut Surroundings) -> Result<Url, Trouble> {
    let hidden = hide_parameters(written, surroundings);
    let mut url = Url::parse(&hidden, place, surroundings).map_err(|error| {
        // The hint of a URL for requests shows a path that this one has not.
        let trouble = Trouble::from(error);
        match trouble.what().contains("user name or password") {
            true => trouble,
            false => trouble.with_hint("for example http://127.0.0.1:8000"),
        }
    })?;
    if url.scheme == Scheme::Sim {
        return Err(Trouble::input(format!(
            "{place}: a sim:// URL is a simulator inside a command"
        ))
        .with_hint(
            "start one of its own, tokometer sim --port 8801, and watch http://127.0.0.1:8801",
        ));
    }
    if url.path.is_empty() || url.path == "/" {
        url.path = "/metrics".into();
    }
    Ok(url)
}

/// What is sent along with every request to a server.
struct Sent {
    headers: Vec<(String, String)>,
    /// What of it no message may repeat.
    secrets: Vec<String>,
}

fn credentials(arguments: &Arguments, surroundings: &mut Surroundings) -> Result<Sent, Trouble> {
    let typed = headers("--headers", &arguments.headers, surroundings)?;
    if let Some(key) = arguments.api_key.as_ref().filter(|key| !key.trim().is_empty()) {
        surroundings.set(API_KEY, key.clone());
    }
    let key = match arguments.api_key {
        Some(_) => Some(API_KEY.to_owned()).filter(|key| surroundings.has(key)),
        None => key_beside(&typed, surroundings),
    };
    let mut sent = Sent { headers: Vec::new(), secrets: Vec::new() };
    for (name, value) in typed {
        let value = Filled::look_up(&value, "--headers", surroundings)?;
        let whole = value.expose().trim().to_owned();
        if value.is_reference() {
            // `Bearer …`: the second word is the secret, and may be told without the first.
            sent.secrets.extend(whole.split_once(' ').map(|(_, secret)| secret.to_owned()));
            sent.secrets.push(whole.clone());
        }
        sent.headers.push((name, whole));
    }
    if let Some(key) = key.and_then(|variable| surroundings.variable(&variable)) {
        let key = key.trim().to_owned();
        sent.headers.push(("Authorization".into(), format!("Bearer {key}")));
        sent.secrets.push(key);
    }
    sent.secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    Ok(sent)
}

const LEAST: Duration = Duration::from_millis(100);

const LONGEST: Duration = Duration::from_secs(86_400);

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(urls: &[&str]) -> Arguments {
        Arguments {
            urls: urls.iter().map(|url| (*url).to_owned()).collect(),
            log: Vec::new(),
            gpu_metrics: Vec::new(),
            every: 1.0,
            api_key: None,
            headers: Vec::new(),
            insecure: false,
            ca_cert: None,
            once: false,
            plain: false,
        }
    }

    fn read(arguments: &Arguments) -> Result<Sources, Trouble> {
        let mut surroundings = Surroundings::default();
        // What the tests' own environment holds does not count.
        surroundings.set(API_KEY, String::new());
        sources(arguments, &mut surroundings)
    }

    #[test]
    fn an_address_without_a_path_means_its_metrics() {
        let sources =
            read(&arguments(&["http://a:8000", "https://b/", "http://c/x/stats"])).unwrap();
        let shown: Vec<_> = sources.metrics.iter().map(|page| page.shown.as_str()).collect();
        assert_eq!(shown, ["http://a:8000/metrics", "https://b/metrics", "http://c/x/stats"]);
        assert!(!sources.nvidia_smi);
    }

    #[test]
    fn gpus_of_this_machine_are_asked_where_a_server_is_on_it() {
        assert!(read(&arguments(&["http://localhost:8000"])).unwrap().nvidia_smi);
        assert!(read(&arguments(&["http://[::1]:8000"])).unwrap().nvidia_smi);
    }

    #[test]
    fn a_secret_is_sent_to_servers_alone_and_shown_nowhere() {
        let sources = read(&Arguments {
            api_key: Some("k3y-s3cret".into()),
            headers: vec!["X-Auth-Token=t0ken-s3cret".into(), "X-Team=blue".into()],
            gpu_metrics: vec!["http://a:9400".into()],
            ..arguments(&["http://a:8000?token=q-s3cret"])
        })
        .unwrap();
        let [server, gpus] = [&sources.metrics[0], &sources.gpus[0]];
        assert_eq!(server.url, "http://a:8000/metrics?token=q-s3cret");
        assert_eq!(
            server.headers,
            [
                ("X-Auth-Token".to_owned(), "t0ken-s3cret".to_owned()),
                ("X-Team".into(), "blue".into()),
                ("Authorization".into(), "Bearer k3y-s3cret".into()),
            ]
        );
        assert_eq!(gpus.headers, []);
        assert!(!server.shown.contains("s3cret"), "{}", server.shown);
        assert!(!format!("{sources:?}").contains("s3cret"), "{sources:?}");
        for secret in ["k3y-s3cret", "t0ken-s3cret", "q-s3cret"] {
            assert!(server.secrets.iter().any(|known| known == secret), "{secret}");
        }
    }

    #[test]
    fn a_header_that_authorizes_takes_the_place_of_the_environments_key() {
        let mut surroundings = Surroundings::default();
        surroundings.set(API_KEY, "k3y".into());
        let own = Arguments {
            headers: vec!["authorization=Basic abc".into()],
            ..arguments(&["http://a:8000"])
        };
        let sources = sources(&own, &mut surroundings).unwrap();
        assert_eq!(sources.metrics[0].headers, [("authorization".into(), "Basic abc".to_owned())]);
    }

    #[test]
    fn what_cannot_be_watched_is_refused_and_not_repeated() {
        let said = |arguments: &Arguments| read(arguments).unwrap_err().to_string();
        let stray = said(&arguments(&["http://a:8000", "s3cret"]));
        insta::assert_snapshot!(stray, @"
        error: address 2: not a URL: it has no http:// or https:// before the host
        hint: for example http://127.0.0.1:8000
        ");
        let named = said(&arguments(&["http://me:s3cret@a:8000"]));
        assert!(!named.contains("s3cret"), "{named}");
        assert!(said(&arguments(&["sim://"])).starts_with("error: address 1: a sim:// URL"));
        let log = Arguments { log: vec!["http://a".into()], ..arguments(&["http://a:8000"]) };
        assert!(said(&log).starts_with("error: --log: value 1 is an address"));
    }

    #[test]
    fn an_interval_is_a_tenth_of_a_second_or_more_and_a_day_at_most() {
        let what = |every: f64| {
            let asked = Arguments { every, ..arguments(&["http://a:8000"]) };
            read(&asked).map(|sources| sources.every).map_err(|trouble| trouble.what().to_owned())
        };
        assert_eq!(what(0.1), Ok(Duration::from_millis(100)));
        assert_eq!(what(86_400.0), Ok(LONGEST));
        let refused = [
            (0.0, "--every: 0 s is too short"),
            (-1.0, "--every: -1 s is too short"),
            (0.01, "--every: 0.01 s is too short"),
            (86_401.0, "--every: 86401 s is too long"),
            (1e19, "--every: 1.00e19 s is too long"),
            (1e300, "--every: 1.00e300 s is too long"),
            (f64::INFINITY, "--every: inf is no number of seconds"),
            (f64::NAN, "--every: NaN is no number of seconds"),
        ];
        for (every, words) in refused {
            assert_eq!(what(every), Err(words.to_owned()));
        }
    }

    #[test]
    fn an_address_that_is_named_twice_is_one_server() {
        let sources =
            read(&arguments(&["http://a:8000", "http://b", "http://a:8000/metrics"])).unwrap();
        let shown: Vec<_> = sources.metrics.iter().map(|page| page.shown.as_str()).collect();
        assert_eq!(shown, ["http://a:8000/metrics", "http://b/metrics"]);
    }
}
