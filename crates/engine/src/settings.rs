//! What stays the same for every request of a run: where to, how, and for how long.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use hyper::Uri;
use hyper::http::uri::InvalidUri;
use tokometer_wire::Api;

/// What stays the same for every request of a run.
#[derive(Clone)]
pub struct Settings {
    /// Where requests go.
    pub target: Target,
    /// The API they speak.
    pub api: &'static dyn Api,
    /// Whether responses are streamed.
    pub stream: bool,
    /// Headers of every request: names and values. Values may be secret and are never shown.
    pub headers: Vec<(String, String)>,
    /// What no message may repeat, even if the server does: keys, tokens, whatever their length.
    pub secrets: Vec<String>,
    /// Time limits.
    pub timeouts: Timeouts,
    /// How far the server's certificate is trusted.
    pub tls: Tls,
    /// Whether to speak HTTP/2: one stream a request over shared connections.
    pub http2: bool,
    /// A proxy, only where one was asked for. The environment is not consulted.
    pub proxy: Option<Proxy>,
    /// Threads that carry the load.
    pub workers: NonZeroUsize,
    /// Whether records keep the output's text.
    pub keep_output: bool,
    /// Whether records keep the prompt's text.
    pub keep_prompt: bool,
    /// What begins every `x-request-id`.
    pub request_id_prefix: String,
    /// How long requests in flight are awaited after the first interruption.
    pub drain: Duration,
}

/// Where requests go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Whether to speak TLS.
    pub tls: bool,
    /// The host's name or address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The path and query of the endpoint: `/v1/chat/completions`.
    pub path: String,
    /// The path above the API's own, for sibling endpoints such as `/v1/models` and `/tokenize`: `` or `/prefix`.
    pub root: String,
}

/// Time limits. `None`: no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// For resolving, connecting and the TLS handshake.
    pub connect: Option<Duration>,
    /// From the request to the first byte of its response.
    pub first_byte: Option<Duration>,
    /// From one read of the response to the next.
    pub between_chunks: Option<Duration>,
    /// For the whole request.
    pub total: Option<Duration>,
}

/// How far the server's certificate is trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Accept any certificate.
    pub insecure: bool,
    /// A PEM file of authorities to trust beside the system's.
    pub ca_cert: Option<PathBuf>,
}

/// An HTTP proxy, reached by CONNECT for TLS targets and by absolute URLs for others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The URL is not one that requests can go to.
    #[error("{url} is not a URL to send requests to: {why}")]
    Url {
        /// As given.
        url: String,
        /// What is wrong.
        why: String,
    },
    /// A header is not one.
    #[error("header {name} cannot be sent: {why}")]
    Header {
        /// Its name.
        name: String,
        /// What is wrong; never its value.
        why: String,
    },
    /// A file of authorities cannot be used.
    #[error("cannot use the certificates in {path}: {why}")]
    Certificates {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The operating system refused a thread, a timer or a runtime.
    #[error("cannot start a worker")]
    Worker(#[from] std::io::Error),
}

impl Settings {
    /// The URI of `path` as it stands in a request: absolute where HTTP/2 or a plain proxy wants it so.
    pub(crate) fn uri(&self, path: &str) -> Result<Uri, SettingsError> {
        let target = &self.target;
        let scheme = if target.tls { "https" } else { "http" };
        let absolute = format!("{scheme}://{}{path}", target.authority());
        let through_proxy = self.proxy.is_some() && !target.tls;
        let text = if self.http2 || through_proxy { absolute.as_str() } else { path };
        let failed = |why| SettingsError::Url { url: absolute.clone(), why };
        text.parse().map_err(|error: InvalidUri| failed(error.to_string()))
    }
}

// Neither headers nor secrets are shown.
impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("host", &self.target.host)
            .field("port", &self.target.port)
            .field("api", &self.api.name())
            .finish_non_exhaustive()
    }
}

impl Target {
    /// Reads `http://host:8000/v1/chat/completions`, at which `api` is spoken.
    ///
    /// # Errors
    /// If it is not an `http` or `https` URL with a host.
    pub fn parse(url: &str, api: &dyn Api) -> Result<Self, SettingsError> {
        let failed = |why: &str| SettingsError::Url { url: url.into(), why: why.into() };
        let uri: Uri = url.parse().map_err(|error| failed(&format!("{error}")))?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(failed("it must begin with http:// or https://")),
        };
        let authority = uri.authority().ok_or_else(|| failed("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(SettingsError::Url {
                url: format!("{}://…@{}", if tls { "https" } else { "http" }, authority.host()),
                why: "credentials do not belong in a URL; send them as a header".into(),
            });
        }
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        if host.is_empty() {
            return Err(failed("it names no host"));
        }
        let default = if tls { 443 } else { 80 };
        let names_port = authority.as_str().len() > authority.host().len();
        let port = if names_port { authority.port_u16().unwrap_or(0) } else { default };
        if port == 0 {
            return Err(failed("the port is not a number from 1 to 65535"));
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let root = root(uri.path(), api);
        Ok(Self { tls, host: host.into(), port, path: path.into(), root: root.into() })
    }

    /// `host:port`, as the `Host` header and a proxy want it.
    pub(crate) fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// What of a path lies above the API's own. Empty where nothing tells.
fn root<'p>(path: &'p str, api: &dyn Api) -> &'p str {
    if let Some(at) = path.rfind("/v1/") {
        return &path[..at];
    }
    let path = path.trim_end_matches('/');
    let own = [api.path(), api.whole_path()].into_iter().chain(api.other_paths().iter().copied());
    // Some gateways have the endpoints without the version.
    let ends = own.flat_map(|own| [own, own.strip_prefix("/v1").unwrap_or(own)]);
    let above = ends.filter_map(|end| path.strip_suffix(end));
    above.min_by_key(|above| above.len()).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Target, SettingsError> {
        Target::parse(url, tokometer_wire::APIS[0])
    }

    #[test]
    fn the_root_is_what_precedes_the_apis_own_path() {
        for (api, path, root) in [
            ("sglang-generate", "/svc/generate", "/svc"),
            ("tgi-generate", "/svc/generate_stream", "/svc"),
            ("tgi-generate", "/svc/generate", "/svc"),
            ("pooling", "/svc/pooling?x=1", "/svc"),
            ("infinity-embeddings", "/svc/embeddings/", "/svc"),
            ("infinity-embeddings", "/svc/v1/embeddings", "/svc"),
            ("rerank", "/svc/rerank", "/svc"),
            ("rerank", "/svc/v2/rerank", "/svc"),
            ("openai-chat", "/svc/chat/completions", "/svc"),
            ("pooling", "/pooling", ""),
            ("pooling", "/svc/elsewhere", ""),
        ] {
            let api = tokometer_wire::by_name(api).unwrap();
            let target = Target::parse(&format!("http://gw{path}"), api).unwrap();
            assert_eq!((target.path.as_str(), target.root.as_str()), (path, root));
        }
    }

    #[test]
    fn a_url_is_taken_apart() {
        let target = parse("http://127.0.0.1:8801/v1/chat/completions").unwrap();
        assert_eq!((target.tls, target.host.as_str(), target.port), (false, "127.0.0.1", 8801));
        assert_eq!((target.path.as_str(), target.root.as_str()), ("/v1/chat/completions", ""));
    }

    #[test]
    fn the_root_is_what_precedes_v1() {
        let target = parse("https://host/a/b/v1/completions?x=1").unwrap();
        assert_eq!((target.root.as_str(), target.port), ("/a/b", 443));
        assert_eq!(target.path, "/a/b/v1/completions?x=1");
    }

    #[test]
    fn an_ipv6_host_loses_its_brackets_and_gets_them_back() {
        let target = parse("http://[::1]:8000/v1/completions").unwrap();
        assert_eq!((target.host.as_str(), target.authority().as_str()), ("::1", "[::1]:8000"));
    }

    #[test]
    fn other_schemes_are_refused() {
        for url in [
            "ftp://host/",
            "host:8000",
            "/v1",
            "",
            "http://",
            "http://host:0/",
            "http://host:99999/",
        ] {
            assert!(parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn credentials_in_a_url_are_refused_and_not_repeated() {
        let error = parse("http://user:secret@host/v1").unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
    }
}
