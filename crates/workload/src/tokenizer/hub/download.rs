//! Fetching a tokenizer's files from a hub.
//!
//! All files are fetched into a folder of another name, which is renamed once they are complete, so that an interrupted
//! download leaves nothing that looks finished. There are no retries: the next hub is the retry.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ureq::Agent;
use ureq::config::{AutoHeaderValue, RedirectAuthHeaders};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::super::TokenizerError;
use super::super::huggingface::{CONFIG, TEMPLATE, TEMPLATE_JSON, TOKENIZER};
use super::{Hub, Name, Site};

/// Why nothing was fetched.
#[derive(Debug)]
pub(super) enum Fault {
    /// The hub does not have it or does not answer: what it said, with its name and address.
    Hub(String),
    /// It could not be written down.
    Disk(TokenizerError),
}

/// Fetches the files of `name` into `folder`.
pub(super) fn fetch(hub: &Hub, site: Site, name: &Name, folder: &Path) -> Result<(), Fault> {
    let source = Source::new(hub, site, name).map_err(Fault::Hub)?;
    let part = Part::create(folder).map_err(Fault::Disk)?;
    if !source.file(TOKENIZER, &part)? {
        return Err(Fault::Hub(format!(
            "{} has no such model, or no {TOKENIZER} in it (404)",
            source.title
        )));
    }
    for optional in [CONFIG, TEMPLATE, TEMPLATE_JSON] {
        source.file(optional, &part)?;
    }
    part.finish(folder).map_err(Fault::Disk)
}

/// One model at one hub.
struct Source<'a> {
    agent: Agent,
    /// Everything before the file's name.
    base: String,
    token: Option<&'a str>,
    /// The hub, as errors name it.
    title: String,
}

impl<'a> Source<'a> {
    fn new(hub: &'a Hub, site: Site, name: &Name) -> Result<Self, String> {
        let revision = name.revision_at(site).replace('/', "%2F");
        let (title, endpoint, base, token) = match site {
            Site::HuggingFace => {
                let endpoint = &hub.hugging_face;
                let base = format!("{endpoint}/{}/resolve/{revision}", name.id);
                ("Hugging Face", endpoint, base, hub.token.as_deref())
            }
            Site::ModelScope => {
                let endpoint = &hub.model_scope;
                let base = format!("{endpoint}/models/{}/resolve/{revision}", name.id);
                ("ModelScope", endpoint, base, None)
            }
        };
        let title = format!("{title} ({endpoint})");
        let agent = agent(hub, endpoint).map_err(|why| format!("{title}: {why}"))?;
        Ok(Self { agent, base, token, title })
    }

    /// Fetches one file. False if the hub has no such file.
    fn file(&self, file: &str, part: &Part) -> Result<bool, Fault> {
        let fault = |why: &str| Fault::Hub(format!("{} {why}", self.title));
        let mut request = self.agent.get(format!("{}/{file}", self.base));
        if let Some(token) = self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let mut response =
            request.call().map_err(|error| fault(&format!("cannot be reached: {error}")))?;
        match response.status().as_u16() {
            200 => {}
            404 => return Ok(false),
            status @ (401 | 403) => {
                return Err(fault(&refused(status, self.token)));
            }
            status => return Err(fault(&format!("answers {status} for {file}"))),
        }
        let body = response.body_mut().with_config().limit(MOST_BYTES).read_to_vec();
        let bytes = body.map_err(|error| fault(&format!("broke off {file}: {error}")))?;
        if file == TOKENIZER && !looks_like_json(&bytes) {
            // Captive portals and blocked addresses answer 200 with a page.
            return Err(fault(&format!("answered something that is no {file}")));
        }
        part.write(file, &bytes).map_err(Fault::Disk)?;
        Ok(true)
    }
}

/// What a refusal means.
pub(super) fn refused(status: u16, token: Option<&str>) -> String {
    let why = match token {
        None => "it does not exist, or needs permission: set HF_TOKEN",
        Some(_) => "it does not exist, or HF_TOKEN has no permission for it",
    };
    format!("refuses it ({status}): {why}")
}

fn looks_like_json(bytes: &[u8]) -> bool {
    bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{')
}

pub(super) fn agent(hub: &Hub, endpoint: &str) -> Result<Agent, String> {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .redirect_auth_headers(RedirectAuthHeaders::SameHost)
        .user_agent(AutoHeaderValue::Provided(Arc::new(AGENT.to_owned())))
        .timeout_connect(Some(CONNECT))
        .timeout_recv_response(Some(STALL))
        .timeout_per_read(Some(STALL));
    let config = if hub.proxies { config } else { config.proxy(None) };
    let config = if endpoint.starts_with("https:") { config.tls_config(tls()?) } else { config };
    Ok(config.build().new_agent())
}

/// TLS that trusts the authorities of the system.
fn tls() -> Result<TlsConfig, String> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        return Err("this system has no certificates of authorities: install ca-certificates, or \
                    name a file in SSL_CERT_FILE"
            .to_owned());
    }
    let roots = found.certs.iter().map(|der| Certificate::from_der(der).to_owned());
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::from(roots))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build())
}

/// A folder in the making. It goes away unless it is finished.
struct Part {
    path: PathBuf,
}

impl Part {
    fn create(folder: &Path) -> Result<Self, TokenizerError> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let name = folder.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        let (process, number) = (std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let path = folder.with_file_name(format!(".{name}.{process}-{number}.part"));
        fs::create_dir_all(&path).map_err(|error| TokenizerError::io("create", &path, error))?;
        Ok(Self { path })
    }

    fn write(&self, file: &str, bytes: &[u8]) -> Result<(), TokenizerError> {
        let path = self.path.join(file);
        fs::write(&path, bytes).map_err(|error| TokenizerError::io("write", &path, error))
    }

    /// Gives the folder its name. Another process may have been faster; then its folder is as good.
    fn finish(self, folder: &Path) -> Result<(), TokenizerError> {
        match fs::rename(&self.path, folder) {
            Ok(()) => Ok(()),
            Err(_) if folder.join(TOKENIZER).is_file() => Ok(()),
            Err(error) => Err(TokenizerError::io("write", folder, error)),
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // After a rename there is nothing left to remove; before it, what is left is of no use to anyone.
        let _: io::Result<()> = fs::remove_dir_all(&self.path);
    }
}

const AGENT: &str = concat!("tokometer/", env!("CARGO_PKG_VERSION"));
const CONNECT: Duration = Duration::from_secs(10);
const STALL: Duration = Duration::from_secs(30);
/// The largest tokenizers have about 35 MB.
const MOST_BYTES: u64 = 256 << 20;
