//! Tokenizers and data sets by name: from the caches that a machine already has, or from Hugging Face or ModelScope.
//!
//! Of a model only the few small files that make a tokenizer are fetched, never weights; of a data set, the files asked for. What was fetched is kept, and asked for again
//! only once its folder is deleted. Credentials go to the hub they belong to and are shown nowhere.

mod caches;
mod data_set;
mod download;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::TokenizerError;

pub(crate) use data_set::{DataSet, Fault as DataSetFault, Remote, walk};

/// A hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
    /// Hugging Face, or a mirror of it.
    HuggingFace,
    /// ModelScope.
    ModelScope,
}

/// Where tokenizers come from by name, in which order, and where they are kept.
#[derive(Clone)]
pub struct Hub {
    hugging_face: String,
    model_scope: String,
    first: Site,
    token: Option<String>,
    offline: bool,
    proxies: bool,
    /// Hugging Face's own cache: `models--org--name/snapshots/…` are in it.
    hugging_face_cache: Option<PathBuf>,
    /// Where ModelScope's own cache may have its `org/name`.
    model_scope_caches: Vec<PathBuf>,
    own_cache: PathBuf,
    data_cache: PathBuf,
    tell: Option<Tell>,
}

/// Is told, in a line, what is being fetched.
pub type Tell = Arc<dyn Fn(&str) + Send + Sync>;

impl Hub {
    /// The hubs as the environment describes them: `HF_ENDPOINT`, `HF_TOKEN`, `HF_HUB_OFFLINE`, `HF_HUB_CACHE`, `HF_HOME`,
    /// `MODELSCOPE_ENDPOINT`, `MODELSCOPE_CACHE`, `VLLM_USE_MODELSCOPE`, `XDG_CACHE_HOME`, `HOME`. Proxies of the
    /// environment are used for downloads.
    pub fn from_env() -> Self {
        Self { proxies: true, ..Self::from_variables(|name| std::env::var(name).ok()) }
    }

    /// The hubs as the given variables describe them, and without proxies.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let on = |name: &str| {
            set(name).is_some_and(|value| {
                !matches!(value.to_ascii_lowercase().as_str(), "0" | "false" | "no" | "off")
            })
        };
        let home = set("HOME").or_else(|| set("USERPROFILE")).map(PathBuf::from);
        let caches = set("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .or_else(|| home.map(|home| home.join(".cache")));
        let in_caches = |path: &str| caches.as_ref().map(|caches| caches.join(path));

        let hugging_face_cache = set("HF_HUB_CACHE")
            .or_else(|| set("HUGGINGFACE_HUB_CACHE"))
            .map(PathBuf::from)
            .or_else(|| set("HF_HOME").map(|home| Path::new(&home).join("hub")))
            .or_else(|| in_caches("huggingface/hub"));
        let model_scope_root =
            set("MODELSCOPE_CACHE").map(PathBuf::from).or_else(|| in_caches("modelscope"));
        let model_scope_caches = model_scope_root.map_or_else(Vec::new, |root| {
            ["hub/models", "models", "hub", ""].iter().map(|below| root.join(below)).collect()
        });
        let own_cache = in_caches("tokometer/tokenizers")
            .unwrap_or_else(|| std::env::temp_dir().join("tokometer-tokenizers"));
        let data_cache = in_caches("tokometer/datasets")
            .unwrap_or_else(|| std::env::temp_dir().join("tokometer-datasets"));

        let named = |name: &str| set(name).map(|endpoint| with_scheme(&endpoint));
        let hugging_face = named("HF_ENDPOINT");
        let model_scope = named("MODELSCOPE_ENDPOINT").or_else(|| named("MODELSCOPE_DOMAIN"));
        let first =
            if on("VLLM_USE_MODELSCOPE") || (model_scope.is_some() && hugging_face.is_none()) {
                Site::ModelScope
            } else {
                Site::HuggingFace
            };
        Self {
            hugging_face: hugging_face.unwrap_or_else(|| HUGGING_FACE.to_owned()),
            model_scope: model_scope.unwrap_or_else(|| MODEL_SCOPE.to_owned()),
            first,
            token: set("HF_TOKEN").map(|token| token.trim().to_owned()),
            offline: on("HF_HUB_OFFLINE"),
            proxies: false,
            hugging_face_cache,
            model_scope_caches,
            own_cache,
            data_cache,
            tell: None,
        }
    }

    /// The same hubs, telling `tell` of every file of a data set before it is fetched.
    #[must_use]
    pub fn telling(self, tell: Tell) -> Self {
        Self { tell: Some(tell), ..self }
    }

    /// The folder with the files of that name: out of a cache, or fetched.
    pub(super) fn fetch(&self, name: &Name) -> Result<PathBuf, TokenizerError> {
        if let Some(folder) = caches::find(self, name) {
            return Ok(folder);
        }
        let sites = self.sites(name);
        if self.offline {
            return Err(TokenizerError::Hub {
                name: name.to_string(),
                tried: vec![
                    "it is in no local cache, and HF_HUB_OFFLINE forbids a download".to_owned(),
                ],
                hint: "give a local folder with a tokenizer.json, or unset HF_HUB_OFFLINE",
            });
        }
        let mut tried = match name.site {
            Some(_) => Vec::new(),
            None => vec!["there is no such path here".to_owned()],
        };
        for site in sites {
            let folder = caches::own(self, name, site);
            match download::fetch(self, site, name, &folder) {
                Ok(()) => return Ok(folder),
                Err(download::Fault::Disk(error)) => return Err(error),
                Err(download::Fault::Hub(why)) => tried.push(why),
            }
        }
        Err(TokenizerError::Hub {
            name: name.to_string(),
            tried,
            hint: "check the name, or give a local folder with a tokenizer.json",
        })
    }

    /// The hubs to ask, in order.
    fn sites(&self, name: &Name) -> Vec<Site> {
        match (name.site, self.first) {
            (Some(site), _) => vec![site],
            (None, Site::HuggingFace) => vec![Site::HuggingFace, Site::ModelScope],
            (None, Site::ModelScope) => vec![Site::ModelScope, Site::HuggingFace],
        }
    }
}

/// Says whether there is a token, never which.
impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("hugging_face", &self.hugging_face)
            .field("model_scope", &self.model_scope)
            .field("first", &self.first)
            .field("token", &self.token.as_ref().map(|_| "…"))
            .field("offline", &self.offline)
            .field("own_cache", &self.own_cache)
            .finish_non_exhaustive()
    }
}

/// A hub's name for a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// The hub it insists on.
    site: Option<Site>,
    /// `organisation/model`, or one word for the oldest models of Hugging Face.
    id: String,
    revision: Option<String>,
}

impl Name {
    /// Reads `Qwen/Qwen3-8B`, `ms:Qwen/Qwen3-8B`, `org/name@revision`. `None` if it cannot be a name.
    pub(super) fn parse(spec: &str) -> Option<Self> {
        let (site, rest) = match spec.split_once(':') {
            Some(("hf", rest)) => (Some(Site::HuggingFace), rest),
            Some(("ms", rest)) => (Some(Site::ModelScope), rest),
            _ => (None, spec),
        };
        let (id, revision) = match rest.split_once('@') {
            Some((id, revision)) => (id, Some(revision)),
            None => (rest, None),
        };
        let parts: Vec<&str> = id.split('/').collect();
        let named = parts.len() <= 2 && parts.iter().all(|part| is_word(part));
        let revised = revision.is_none_or(|revision| revision.split('/').all(is_word));
        (named && revised).then(|| Self {
            site,
            id: id.to_owned(),
            revision: revision.map(str::to_owned),
        })
    }

    fn revision_at(&self, site: Site) -> &str {
        let usual = match site {
            Site::HuggingFace => "main",
            Site::ModelScope => "master",
        };
        self.revision.as_deref().unwrap_or(usual)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.revision {
            Some(revision) => write!(f, "{}@{revision}", self.id),
            None => f.write_str(&self.id),
        }
    }
}

/// Whether it may stand between slashes: letters, digits and `-._`, not opening with a dot, so that it is no way out of a
/// folder.
fn is_word(part: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    !part.is_empty() && !part.starts_with('.') && part.bytes().all(allowed)
}

fn with_scheme(endpoint: &str) -> String {
    let endpoint = endpoint.trim().trim_end_matches('/');
    if endpoint.contains("://") { endpoint.to_owned() } else { format!("https://{endpoint}") }
}

const HUGGING_FACE: &str = "https://huggingface.co";
const MODEL_SCOPE: &str = "https://www.modelscope.cn";

#[cfg(test)]
mod tests {
    use std::fs;
    use std::net::{TcpListener, TcpStream};

    use tempfile::TempDir;

    use super::*;
    use crate::fixtures::{Imitation, absent, response, tiny_folder, user};

    /// The small tokenizer's files below `base`, which ends with a slash, and nothing else.
    fn tiny_at(base: &'static str) -> impl Fn(&str) -> Vec<u8> {
        move |path| {
            let name = path.strip_prefix(base).unwrap_or("none");
            fs::read(tiny_folder().join(name))
                .map_or_else(|_| absent(), |body| response("200 OK", &body))
        }
    }

    /// Nobody listens there.
    fn nowhere() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    }

    /// A home of its own, and a hub with these two endpoints and further variables.
    fn hub(hugging_face: &str, model_scope: &str, more: &[(&str, &str)]) -> (TempDir, Hub) {
        let home = TempDir::new().unwrap();
        let hub = hub_at(&home, hugging_face, model_scope, more);
        (home, hub)
    }

    fn hub_at(home: &TempDir, hugging_face: &str, model_scope: &str, more: &[(&str, &str)]) -> Hub {
        let fixed = [
            ("HOME", home.path().to_str().unwrap()),
            ("HF_ENDPOINT", hugging_face),
            ("MODELSCOPE_ENDPOINT", model_scope),
        ];
        let all: Vec<(&str, &str)> = more.iter().copied().chain(fixed).collect();
        Hub::from_variables(|name| {
            all.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    const MODEL: &str = "/org/model.1/resolve/main/";

    #[test]
    fn a_model_is_fetched_with_its_template_and_no_weights() {
        let site = Imitation::start(tiny_at(MODEL));
        let (_home, hub) = hub(&site.url(), &nowhere(), &[]);
        let tokenizer = super::super::open("org/model.1", &hub).unwrap();
        assert_eq!(tokenizer.label(), "org/model.1");
        assert!(tokenizer.count_messages(&[user("hi")]).unwrap().is_some());
        let files = [
            "tokenizer.json",
            "tokenizer_config.json",
            "chat_template.jinja",
            "chat_template.json",
        ];
        assert_eq!(site.paths(), files.map(|file| format!("{MODEL}{file}")));
    }

    #[test]
    fn what_was_fetched_is_not_fetched_again() {
        let site = Imitation::start(tiny_at(MODEL));
        let (home, first) = hub(&site.url(), &nowhere(), &[]);
        super::super::open("org/model.1", &first).unwrap();
        let cut_off = hub_at(&home, &nowhere(), &nowhere(), &[("HF_HUB_OFFLINE", "1")]);
        super::super::open("org/model.1", &cut_off).unwrap();
        assert_eq!(site.paths().len(), 4);
    }

    #[test]
    fn redirects_are_followed_and_carry_no_token_elsewhere() {
        let elsewhere = Imitation::start(tiny_at("/blob/"));
        let target = elsewhere.url();
        let site = Imitation::start(move |path| {
            let Some(file) = path.strip_prefix(MODEL) else { return absent() };
            // 127.0.0.1 by another name, so that it is another host.
            let location = format!("{target}/blob/{file}").replace("127.0.0.1", "localhost");
            let head = format!(
                "HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            );
            head.into_bytes()
        });
        let (_home, hub) = hub(&site.url(), &nowhere(), &[("HF_TOKEN", "hf_secret")]);
        super::super::open("org/model.1", &hub).unwrap();
        assert!(site.heads.lock().unwrap().iter().all(|head| head.contains("Bearer hf_secret")));
        assert!(!elsewhere.heads.lock().unwrap().iter().any(|head| head.contains("hf_secret")));
    }

    #[test]
    fn a_name_that_no_hub_knows_is_refused_with_both() {
        let (first, second) = (Imitation::start(|_| absent()), Imitation::start(|_| absent()));
        let (_home, hub) = hub(&first.url(), &second.url(), &[]);
        let error = super::super::open("org/none", &hub).unwrap_err().to_string();
        assert_eq!(
            error,
            format!(
                "cannot get the tokenizer org/none: there is no such path here; Hugging Face ({}) has no such model, or no tokenizer.json in it (404); \
                 ModelScope ({}) has no such model, or no tokenizer.json in it (404); check the name, or give a local folder \
                 with a tokenizer.json",
                first.url(),
                second.url()
            )
        );
    }

    #[test]
    fn the_second_hub_is_asked_when_the_first_cannot_be_reached() {
        let site = Imitation::start(tiny_at("/models/org/model/resolve/master/"));
        let (_home, hub) = hub(&nowhere(), &site.url(), &[("HF_TOKEN", "hf_secret")]);
        super::super::open("org/model", &hub).unwrap();
        assert!(!site.heads.lock().unwrap().iter().any(|head| head.contains("hf_secret")));
    }

    #[test]
    fn a_hub_asked_for_by_prefix_is_the_only_one_asked() {
        let (first, second) = (Imitation::start(|_| absent()), Imitation::start(|_| absent()));
        let (_home, hub) = hub(&first.url(), &second.url(), &[]);
        super::super::open("ms:org/none@v1.0", &hub).unwrap_err();
        assert_eq!(first.paths(), [""; 0]);
        assert_eq!(second.paths(), ["/models/org/none/resolve/v1.0/tokenizer.json"]);
    }

    #[test]
    fn modelscope_is_first_where_vllm_would_use_it() {
        let (first, second) = (Imitation::start(|_| absent()), Imitation::start(|_| absent()));
        let (_home, hub) = hub(&first.url(), &second.url(), &[("VLLM_USE_MODELSCOPE", "True")]);
        let error = super::super::open("org/none", &hub).unwrap_err().to_string();
        assert!(error.find("ModelScope").unwrap() < error.find("Hugging Face").unwrap(), "{error}");
    }

    #[test]
    fn a_refusal_says_what_a_token_would_do() {
        let site = Imitation::start(|_| response("401 Unauthorized", b"gated"));
        let (_home, hub) = hub(&site.url(), &nowhere(), &[]);
        let error = super::super::open("hf:org/gated", &hub).unwrap_err().to_string();
        assert!(
            error
                .contains("refuses it (401): it does not exist, or needs permission: set HF_TOKEN"),
            "{error}"
        );
    }

    #[test]
    fn a_model_without_a_template_has_none() {
        let site = Imitation::start(|path| match path.ends_with("/tokenizer.json") {
            true => response("200 OK", &fs::read(tiny_folder().join("tokenizer.json")).unwrap()),
            false => absent(),
        });
        let (_home, hub) = hub(&site.url(), &nowhere(), &[]);
        assert!(super::super::open("org/base", &hub).unwrap().template().is_none());
    }

    #[test]
    fn a_download_that_breaks_off_leaves_nothing() {
        let site = Imitation::start(|_| {
            b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\nconnection: close\r\n\r\n{\"version\""
                .to_vec()
        });
        let (home, hub) = hub(&site.url(), &nowhere(), &[]);
        let error = super::super::open("hf:org/model", &hub).unwrap_err().to_string();
        assert!(error.contains("broke off tokenizer.json"), "{error}");
        let model = home.path().join(".cache/tokometer/tokenizers/huggingface/org--model");
        assert_eq!(fs::read_dir(model).unwrap().count(), 0);
    }

    #[test]
    fn a_failure_in_an_optional_file_fails_the_download() {
        let site = Imitation::start(|path| match path.ends_with("/tokenizer.json") {
            true => response("200 OK", b"{}"),
            false => response("500 Internal Server Error", b""),
        });
        let (_home, hub) = hub(&site.url(), &nowhere(), &[]);
        let error = super::super::open("hf:org/model", &hub).unwrap_err().to_string();
        assert!(error.contains("answers 500 for tokenizer_config.json"), "{error}");
    }

    #[test]
    fn a_page_is_no_tokenizer() {
        let site = Imitation::start(|_| response("200 OK", b"<html>log in</html>"));
        let (_home, hub) = hub(&site.url(), &nowhere(), &[]);
        let error = super::super::open("hf:org/model", &hub).unwrap_err().to_string();
        assert!(error.contains("answered something that is no tokenizer.json"), "{error}");
    }

    #[test]
    fn offline_nothing_is_asked() {
        let site = Imitation::start(tiny_at(MODEL));
        let (_home, hub) = hub(&site.url(), &site.url(), &[("HF_HUB_OFFLINE", "1")]);
        let error = super::super::open("org/model.1", &hub).unwrap_err().to_string();
        assert!(error.contains("HF_HUB_OFFLINE forbids a download"), "{error}");
        assert_eq!(site.paths(), [""; 0]);
    }

    fn copy_tiny(folder: &Path) {
        fs::create_dir_all(folder).unwrap();
        for file in ["tokenizer.json", "tokenizer_config.json"] {
            fs::copy(tiny_folder().join(file), folder.join(file)).unwrap();
        }
    }

    #[test]
    fn the_cache_of_hugging_faces_own_tools_is_used() {
        let (home, hub) = hub(&nowhere(), &nowhere(), &[]);
        let model = home.path().join(".cache/huggingface/hub/models--org--model");
        copy_tiny(&model.join("snapshots/abc"));
        fs::create_dir_all(model.join("refs")).unwrap();
        fs::write(model.join("refs/main"), "abc\n").unwrap();
        super::super::open("org/model", &hub).unwrap();
        super::super::open("org/model@abc", &hub).unwrap();
        super::super::open("org/model@v2", &hub).unwrap_err();
    }

    #[test]
    fn the_cache_of_modelscopes_own_tools_is_used() {
        let (home, hub) = hub(&nowhere(), &nowhere(), &[]);
        copy_tiny(&home.path().join(".cache/modelscope/hub/models/Qwen/Qwen3___6-27B"));
        super::super::open("Qwen/Qwen3.6-27B", &hub).unwrap();
    }

    #[test]
    fn a_hub_that_speaks_no_tls_cannot_be_reached_over_https() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("https://{}", listener.local_addr().unwrap());
        let thread = std::thread::spawn(move || drop(listener.accept().unwrap()));
        let (_home, hub) = hub(&endpoint, &nowhere(), &[]);
        let error = super::super::open("hf:org/model", &hub).unwrap_err().to_string();
        if error.contains("no certificates of authorities") {
            // A machine without them is told so before anything is sent.
            drop(TcpStream::connect(endpoint.trim_start_matches("https://")));
        } else {
            assert!(
                error.contains(&format!("Hugging Face ({endpoint}) cannot be reached")),
                "{error}"
            );
        }
        thread.join().unwrap();
    }

    #[test]
    fn a_token_is_not_shown() {
        let (_home, hub) = hub("http://a", "http://b", &[("HF_TOKEN", "hf_secret")]);
        assert!(!format!("{hub:?}").contains("hf_secret"));
    }

    #[test]
    fn names_are_told_from_paths() {
        for name in ["org/model", "gpt2", "hf:org/model", "ms:a/b@refs/pr/1", "a.b/c_d-e@v1.0"] {
            assert!(Name::parse(name).is_some(), "{name}");
        }
        for path in [
            "",
            "/models/x",
            "./x",
            "../x/y",
            "a/b/c",
            "a/../b",
            "a b/c",
            "org/model@",
            "org/model@../x",
            "~/x",
        ] {
            assert_eq!(Name::parse(path), None, "{path}");
        }
    }

    #[test]
    fn a_path_that_does_not_exist_is_named() {
        let (_home, hub) = hub(&nowhere(), &nowhere(), &[]);
        let error = super::super::open("/no/such/folder", &hub).unwrap_err().to_string();
        assert!(error.starts_with("there is no tokenizer at /no/such/folder:"), "{error}");
    }
}
