//! Fetches a page of metrics: one GET over a connection of its own, which is kept for the next.
//!
//! Deliberately not the client that makes the load: what is asked here must neither wait for its connections nor take
//! one. A redirect is followed only where it stays with the same server, so that no credentials go elsewhere. There are
//! no retries: the next reading is the retry.

mod tls;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ureq::config::AutoHeaderValue;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{ConnectProxyConnector, Connector as _, TcpConnector};
use ureq::{Agent, Proxy};

use crate::conceal::Secrets;
use tls::Tls;

/// A page of metrics and how it is asked for.
#[derive(Clone)]
pub struct Endpoint {
    /// Its address.
    pub url: String,
    /// Its address as it may be shown: without credentials.
    pub shown: String,
    /// Headers to send.
    pub headers: Vec<(String, String)>,
    /// Accept any certificate.
    pub insecure: bool,
    /// A PEM file of authorities to trust beside the system's.
    pub ca_cert: Option<PathBuf>,
    /// An HTTP proxy, `http://host:port`.
    pub proxy: Option<String>,
    /// What no message may repeat.
    pub secrets: Vec<String>,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("shown", &self.shown).finish_non_exhaustive()
    }
}

/// Why there is no page. The words are short fragments, free of secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nothing answered, or not in time, or not all of it: why.
    Unreachable(String),
    /// It answered with this status.
    Status(u16),
    /// It says that the page is elsewhere, and what is meant for one server goes to no other.
    Elsewhere {
        /// The status by which it says so.
        status: u16,
        /// Where: scheme, host and port alone.
        to: String,
    },
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) => f.write_str(why),
            Self::Status(status @ (401 | 403)) => write!(f, "it wants credentials (HTTP {status})"),
            Self::Status(404) => f.write_str("there is no such page (HTTP 404)"),
            Self::Status(status) => write!(f, "it answers with HTTP {status}"),
            Self::Elsewhere { status, to } => {
                write!(f, "it redirects to {to}, which was not asked for (HTTP {status})")
            }
        }
    }
}

/// Fetches one page, again and again.
#[derive(Debug)]
pub struct Fetch {
    endpoint: Endpoint,
    agent: Agent,
    limit: Duration,
}

impl Fetch {
    /// Makes ready to fetch the page, each time within this limit, from the name's look-up to the page's last byte.
    /// Nothing is asked yet.
    ///
    /// # Errors
    /// [`Failure::Unreachable`] if the proxy is none, or the authorities cannot be read.
    pub fn new(endpoint: Endpoint, limit: Duration) -> Result<Self, Failure> {
        let unreachable = |why: String| Failure::Unreachable(harmless(&why, &endpoint.secrets));
        let proxy = match &endpoint.proxy {
            None => None,
            Some(proxy) => {
                let parsed = Proxy::new(proxy);
                Some(parsed.map_err(|_| unreachable("the proxy's address is none".to_owned()))?)
            }
        };
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(AutoHeaderValue::Provided(Arc::new(AGENT.to_owned())))
            .accept(AutoHeaderValue::Provided(Arc::new(ACCEPT.to_owned())))
            .max_idle_connections(1)
            .timeout_global(Some(limit))
            .proxy(proxy);
        let config = config.build();
        let plain = ().chain(ConnectProxyConnector::default()).chain(TcpConnector::default());
        let agent = if is_secure(&endpoint) {
            let secure = plain.chain(Tls::new(&endpoint).map_err(unreachable)?);
            Agent::with_parts(config, secure, DefaultResolver::default())
        } else {
            Agent::with_parts(config, plain, DefaultResolver::default())
        };
        Ok(Self { endpoint, agent, limit })
    }

    /// Fetches the page now.
    ///
    /// # Errors
    /// [`Failure`] if there is none.
    pub fn page(&self) -> Result<String, Failure> {
        let mut url = self.endpoint.url.clone();
        for _ in 0..=MOST_REDIRECTS {
            match self.get(&url)? {
                Answer::Page(page) => return Ok(page),
                Answer::Redirect { status, to } => {
                    let there = to.as_deref().and_then(|to| same_server(&url, to));
                    url = there.ok_or_else(|| self.elsewhere(status, to.as_deref()))?;
                }
            }
        }
        Err(self.unreachable("it redirects in circles"))
    }

    fn get(&self, url: &str) -> Result<Answer, Failure> {
        let mut request = self.agent.get(url);
        for (name, value) in &self.endpoint.headers {
            request = request.header(name, value);
        }
        let mut response = request.call().map_err(|error| self.failed(&error))?;
        let status = response.status().as_u16();
        match status {
            200 => {}
            301 | 302 | 303 | 307 | 308 => {
                let to = response.headers().get("location").and_then(|to| to.to_str().ok());
                return Ok(Answer::Redirect { status, to: to.map(str::to_owned) });
            }
            _ => {
                // Read to its end, so that the connection can be used again.
                let _ = response.body_mut().with_config().limit(MOST_BYTES).read_to_vec();
                return Err(Failure::Status(status));
            }
        }
        let body = response.body_mut().with_config().limit(MOST_BYTES).read_to_vec();
        let bytes = body.map_err(|error| self.failed(&error))?;
        Ok(Answer::Page(match String::from_utf8(bytes) {
            Ok(page) => page,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        }))
    }

    fn failed(&self, error: &ureq::Error) -> Failure {
        let why = match error {
            ureq::Error::Timeout(_) => format!("no answer within {:?}", self.limit),
            ureq::Error::HostNotFound => "there is no such host".to_owned(),
            ureq::Error::BodyExceedsLimit(most) => {
                format!("its page has more than {} MiB", most >> 20)
            }
            ureq::Error::BadUri(_) => "its address is none".to_owned(),
            // A timeout below HTTP, as of a connection that is not made.
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => {
                format!("no answer within {:?}", self.limit)
            }
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                "the connection was closed before the answer".to_owned()
            }
            ureq::Error::Io(error) if error.raw_os_error().is_some() => error.kind().to_string(),
            ureq::Error::Io(error) => match encrypted(error) {
                Some(rustls::Error::InvalidCertificate(why)) => {
                    format!("its certificate is not trusted: {why}")
                }
                Some(rustls::Error::InvalidMessage(_)) => {
                    "it does not speak TLS there: try http://".to_owned()
                }
                _ => error.to_string(),
            },
            other => other.to_string(),
        };
        self.unreachable(&why)
    }

    fn elsewhere(&self, status: u16, to: Option<&str>) -> Failure {
        match to.and_then(origin) {
            None => Failure::Status(status),
            Some(to) => Failure::Elsewhere { status, to: harmless(&to, &self.endpoint.secrets) },
        }
    }

    fn unreachable(&self, why: &str) -> Failure {
        Failure::Unreachable(harmless(why, &self.endpoint.secrets))
    }
}

/// What TLS found amiss, inside what reading and writing found amiss.
fn encrypted(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

enum Answer {
    Page(String),
    Redirect { status: u16, to: Option<String> },
}

/// Where a redirect leads, if that is the server that gave it: a path, or an address of the same scheme, host and port.
fn same_server(from: &str, to: &str) -> Option<String> {
    let (scheme, rest) = from.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let origin = &from[..scheme.len() + "://".len() + authority.len()];
    if to.starts_with('/') && !to.starts_with("//") {
        return Some(format!("{origin}{to}"));
    }
    let host = authority.rsplit('@').next()?;
    let (to_scheme, to_rest) = to.split_once("://")?;
    let to_authority = to_rest.split(['/', '?', '#']).next()?;
    let same = to_scheme.eq_ignore_ascii_case(scheme) && to_authority.eq_ignore_ascii_case(host);
    same.then(|| format!("{origin}{}", &to_rest[to_authority.len()..]))
}

/// Scheme, host and port of an address, without credentials.
fn origin(address: &str) -> Option<String> {
    let (scheme, rest) = address.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next().filter(|host| !host.is_empty())?;
    Some(format!("{scheme}://{host}"))
}

fn is_secure(endpoint: &Endpoint) -> bool {
    let begins = |url: &str| url.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("https:"));
    begins(&endpoint.url) || endpoint.proxy.as_deref().is_some_and(begins)
}

/// The words, shortened, and free of secrets and of what stands before an `@` in an address.
fn harmless(words: &str, secrets: &[String]) -> String {
    let words = Secrets::new(secrets).out_of(words);
    let mut plain = String::with_capacity(words.len());
    for (index, piece) in words.split("://").enumerate() {
        let mut piece = piece;
        if index > 0 {
            plain.push_str("://");
            let authority = piece.find(['/', '?', '#', ' ']).unwrap_or(piece.len());
            piece = piece[..authority].rfind('@').map_or(piece, |at| &piece[at + 1..]);
        }
        plain.push_str(piece);
    }
    match plain.char_indices().nth(LONGEST_REASON) {
        Some((end, _)) => format!("{}…", &plain[..end]),
        None => plain,
    }
}

/// How long a page may take, from the name's look-up to its last byte, where nothing else is said.
pub const LIMIT: Duration = Duration::from_secs(5);
const AGENT: &str = concat!("tokometer/", env!("CARGO_PKG_VERSION"));
/// The text form first, which every server has; OpenMetrics where there is nothing else.
const ACCEPT: &str =
    "text/plain;version=0.0.4,application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1";
/// The page of a large vLLM deployment has about 1 MiB.
const MOST_BYTES: u64 = 16 << 20;
const MOST_REDIRECTS: usize = 3;
/// In characters.
const LONGEST_REASON: usize = 160;

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;
    use crate::served::{Reply, Server};

    /// Long enough for whatever answers at all.
    const PATIENCE: Duration = Duration::from_secs(30);

    fn endpoint(url: &str) -> Endpoint {
        Endpoint {
            url: url.to_owned(),
            shown: url.to_owned(),
            headers: Vec::new(),
            insecure: false,
            ca_cert: None,
            proxy: None,
            secrets: Vec::new(),
        }
    }

    fn fetch(url: &str) -> Fetch {
        Fetch::new(endpoint(url), PATIENCE).unwrap()
    }

    fn why(result: Result<String, Failure>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn a_page_is_fetched_over_one_connection_again_and_again() {
        let server = Server::new(Reply::page("up 1\n"));
        let fetch = fetch(&server.url("/metrics"));
        for _ in 0..3 {
            assert_eq!(fetch.page().as_deref(), Ok("up 1\n"));
        }
        let asked = server.asked();
        assert_eq!(asked.len(), 3);
        assert!(asked.iter().all(|request| request.starts_with("GET /metrics HTTP/1.1\r\n")));
        assert_eq!(server.connections(), 1);
    }

    #[test]
    fn headers_are_sent_and_the_text_form_is_asked_for() {
        let server = Server::new(Reply::page("up 1\n"));
        let headers = vec![("Authorization".to_owned(), "Bearer abc".to_owned())];
        let endpoint = Endpoint { headers, ..endpoint(&server.url("/metrics")) };
        Fetch::new(endpoint, PATIENCE).unwrap().page().unwrap();
        let asked = server.asked().remove(0).to_lowercase();
        assert!(asked.contains("\r\nauthorization: bearer abc\r\n"), "{asked}");
        assert!(asked.contains("\r\naccept: text/plain;version=0.0.4,"), "{asked}");
    }

    #[test]
    fn another_status_is_told() {
        let server = Server::new(Reply::status(404));
        assert_eq!(fetch(&server.url("/")).page(), Err(Failure::Status(404)));
    }

    #[test]
    fn silence_ends_with_the_limit() {
        let server = Server::new(Reply::Hang);
        let limit = Duration::from_millis(50);
        let fetch = Fetch::new(endpoint(&server.url("/")), limit).unwrap();
        assert_eq!(why(fetch.page()), "no answer within 50ms");
    }

    #[test]
    fn a_page_that_ends_early_is_no_page() {
        let server = Server::new(Reply::Half(
            "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nup 1\n".to_owned(),
        ));
        assert!(matches!(fetch(&server.url("/")).page(), Err(Failure::Unreachable(_))));
    }

    #[test]
    fn a_closed_port_and_a_closed_connection_are_unreachable() {
        let server = Server::new(Reply::Close);
        let url = server.url("/");
        assert_eq!(why(fetch(&url).page()), "the connection was closed before the answer");
        drop(server);
        assert_eq!(why(fetch(&url).page()), "connection refused");
    }

    #[test]
    fn a_redirect_is_followed_to_the_same_server_alone() {
        let page = Server::new(Reply::page("up 1\n"));
        let away = Server::new(Reply::redirect(&page.url("/metrics?token=s3cret")));
        let there = page.url("");
        let told = format!("it redirects to {there}, which was not asked for (HTTP 307)");
        assert_eq!(why(fetch(&away.url("/metrics")).page()), told);
        assert_eq!(page.asked().len(), 0);

        let circle = Server::new(Reply::redirect("/metrics/"));
        assert_eq!(why(fetch(&circle.url("/metrics")).page()), "it redirects in circles");
        assert!(circle.asked()[1].starts_with("GET /metrics/ HTTP/1.1\r\n"));
    }

    #[test]
    fn a_port_without_tls_is_said_to_be_one() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}/metrics", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
            // What the client says is read, lest the connection be reset before the answer has arrived.
            let _ = stream.read(&mut [0; 4096]);
        });
        assert_eq!(why(fetch(&url).page()), "it does not speak TLS there: try http://");
        server.join().unwrap();
    }

    #[test]
    fn the_same_server_has_the_same_scheme_host_and_port() {
        let from = "http://user:word@a:8000/metrics";
        let there = Some("http://user:word@a:8000/metrics/".to_owned());
        assert_eq!(same_server(from, "/metrics/"), there);
        assert_eq!(same_server(from, "http://A:8000/metrics/"), there);
        for elsewhere in [
            "http://b:8000/",
            "https://a:8000/",
            "http://a/",
            "//b/metrics",
            "metrics/",
            "http://a:8000@b/",
        ] {
            assert_eq!(same_server(from, elsewhere), None, "{elsewhere}");
        }
    }

    #[test]
    fn no_reason_tells_a_secret() {
        let secrets = ["s3cret".to_owned()];
        let words = "cannot reach http://me:pass@word@host:1/?key=s3cret or http://b/a@c";
        assert_eq!(
            harmless(words, &secrets),
            "cannot reach http://host:1/?key=*** or http://b/a@c"
        );
        assert_eq!(harmless(&"é".repeat(999), &[]).chars().count(), LONGEST_REASON + 1);
    }

    #[test]
    fn what_cannot_be_asked_is_said_in_words() {
        let proxy = Endpoint { proxy: Some("::".to_owned()), ..endpoint("http://a/") };
        let refused = Fetch::new(proxy, LIMIT).unwrap_err();
        assert_eq!(refused.to_string(), "the proxy's address is none");
        let path = Some("no/such/file.pem".into());
        let trust = Endpoint { ca_cert: path, ..endpoint("https://a/") };
        let refused = Fetch::new(trust, LIMIT).unwrap_err().to_string();
        assert!(
            refused.starts_with("cannot read certificates from no/such/file.pem: "),
            "{refused}"
        );
        assert!(matches!(fetch("not an address").page(), Err(Failure::Unreachable(_))));
    }
}
