//! Data sets of Hugging Face, or of a mirror of it: which files one has, and those that are asked for.
//!
//! What was fetched is kept, the list of files with it. A file is fetched under another name and renamed once it is complete: of
//! the size that the hub told, and no page of HTML in its place.
//! Which files are wanted is for the reader of data sets to say. ModelScope's data sets are not to be had this way.

use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::TokenizerError;
use super::download::{agent, refused};
use super::{Hub, Name, Site};

/// A data set by its name.
#[derive(Debug)]
pub(crate) struct DataSet<'a> {
    hub: &'a Hub,
    name: Name,
    revision: String,
    /// Where it is kept.
    folder: PathBuf,
}

/// A file that a hub has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Remote {
    /// Its path in the data set, with slashes.
    #[serde(rename = "rfilename")]
    pub(crate) path: String,
    /// How many bytes it has, where the hub tells.
    pub(crate) size: Option<u64>,
}

/// What the hub tells of a data set, as far as it is wanted here.
#[derive(Serialize, Deserialize)]
struct Listing {
    siblings: Vec<Remote>,
}

/// Why a list or a file could not be had.
#[derive(Debug)]
pub(crate) enum Fault {
    /// There is no such thing at the hub.
    Absent(String),
    /// The hub cannot be reached, or refuses it.
    Hub(String),
    /// It could not be written down.
    Disk(TokenizerError),
}

impl Hub {
    /// The data set that `spec` names, `organisation/name` with an optional `@revision`. `None` if that is no name.
    pub(crate) fn data_set(&self, spec: &str) -> Option<DataSet<'_>> {
        let name = Name::parse(spec)?;
        let revision = name.revision_at(Site::HuggingFace).to_owned();
        Some(DataSet::new(self, name, revision))
    }

    /// What is at an address, without credentials.
    pub(crate) fn get(&self, url: &str) -> Result<Vec<u8>, String> {
        let unreachable = |error: ureq::Error| format!("cannot be fetched: {error}");
        let mut response = agent(self, url)?.get(url).call().map_err(unreachable)?;
        match response.status().as_u16() {
            200 => {}
            status => return Err(format!("cannot be fetched: its host answers {status}")),
        }
        let body = response.body_mut().with_config().limit(MOST_BYTES_OF_AN_ADDRESS);
        body.read_to_vec().map_err(unreachable)
    }

    /// Says something to whoever wants to be told.
    pub(crate) fn tell(&self, line: &str) {
        if let Some(tell) = &self.tell {
            tell(line);
        }
    }
}

impl<'a> DataSet<'a> {
    fn new(hub: &'a Hub, name: Name, revision: String) -> Self {
        let kept = |text: &str| text.replace('/', "--");
        let folder = hub.data_cache.join("huggingface").join(kept(&name.id)).join(kept(&revision));
        Self { hub, name, revision, folder }
    }

    /// Its name, without revision.
    pub(crate) fn id(&self) -> &str {
        &self.name.id
    }

    /// Where it is kept.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The branch that the hub fills with Parquet files of its own making, if no revision was asked for.
    pub(crate) fn converted(&self) -> Option<Self> {
        let asked = self.name.revision.is_some();
        (!asked).then(|| Self::new(self.hub, self.name.clone(), CONVERTED.to_owned()))
    }

    /// The files that it has: as they were listed once, as the cache of Hugging Face's own tools has them, or as the hub tells.
    pub(crate) fn files(&self) -> Result<Vec<Remote>, Fault> {
        if self.name.site == Some(Site::ModelScope) {
            let why = "data sets come from Hugging Face only, and the name begins with ms:";
            return Err(Fault::Absent(why.to_owned()));
        }
        if let Some(listing) = self.kept_listing() {
            return Ok(listing);
        }
        if self.hub.offline {
            let foreign = self.foreign().map(|folder| walk(&folder)).unwrap_or_default();
            if !foreign.is_empty() {
                return Ok(foreign);
            }
            let why = "it is in no local cache, and HF_HUB_OFFLINE forbids a download";
            return Err(Fault::Hub(why.to_owned()));
        }
        let (id, revision) = (&self.name.id, encoded(&self.revision));
        let path =
            format!("api/datasets/{id}/revision/{}?blobs=true", revision.replace('/', "%2F"));
        let body = match self.request(&path) {
            Ok(mut response) => {
                let body = response.body_mut().with_config().limit(MOST_BYTES_OF_A_LIST);
                body.read_to_vec().map_err(|error| self.fault(&format!("broke off: {error}")))?
            }
            Err(fault @ Fault::Hub(_)) => {
                let foreign = self.foreign().map(|folder| walk(&folder)).unwrap_or_default();
                return if foreign.is_empty() { Err(fault) } else { Ok(foreign) };
            }
            Err(fault) => return Err(fault),
        };
        let listing: Listing = serde_json::from_slice(&body)
            .map_err(|_| self.fault("answered something that is no list of files"))?;
        let files: Vec<Remote> =
            listing.siblings.into_iter().filter(|file| is_inside(&file.path)).collect();
        let listing = Listing { siblings: files };
        let text = serde_json::to_vec(&listing).map_err(|error| self.fault(&error.to_string()))?;
        let written = self.written_apart(LISTING, &mut &text[..]);
        written.and_then(|part| part.finish(&self.folder.join(LISTING))).map_err(Fault::Disk)?;
        Ok(listing.siblings)
    }

    /// The file on this machine: out of a cache, or fetched.
    pub(crate) fn file(&self, remote: &Remote) -> Result<PathBuf, Fault> {
        let kept = self.folder.join(&remote.path);
        if fs::metadata(&kept).is_ok_and(|found| found.is_file() && remote.is_of(found.len())) {
            return Ok(kept);
        }
        let foreign = self.foreign().map(|folder| folder.join(&remote.path));
        if let Some(foreign) = foreign.filter(|path| path.is_file()) {
            return Ok(foreign);
        }
        if self.hub.offline {
            let lacks = if kept.is_file() { "is not whole" } else { "is in no local cache" };
            let why = format!("{} {lacks}, and HF_HUB_OFFLINE forbids a download", remote.path);
            return Err(Fault::Hub(why));
        }
        let size =
            remote.size.map_or_else(String::new, |size| format!(" ({:.1} MB)", size as f64 / 1e6));
        self.hub.tell(&format!("fetching {} of the data set {}{size}", remote.path, self.name));
        let (id, revision) = (&self.name.id, encoded(&self.revision));
        let path = format!(
            "datasets/{id}/resolve/{}/{}",
            revision.replace('/', "%2F"),
            encoded(&remote.path)
        );
        let mut response = self.request(&path)?;
        let body = response.body_mut().with_config().limit(u64::MAX);
        let part = match self.written_apart(&remote.path, &mut body.reader()) {
            Ok(part) => part,
            Err(TokenizerError::Io { action: "fetch", source, .. }) => {
                return Err(self.fault(&format!("broke off {}: {source}", remote.path)));
            }
            Err(error) => return Err(Fault::Disk(error)),
        };
        if part.is_page {
            let why = format!("answered a page of HTML for {}", remote.path);
            return Err(self.fault(&why));
        }
        if !remote.is_of(part.bytes) {
            let (bytes, size) = (part.bytes, remote.size.unwrap_or(0));
            let why = format!("answered {bytes} bytes for {}, which has {size}", remote.path);
            return Err(self.fault(&why));
        }
        part.finish(&kept).map_err(Fault::Disk)?;
        Ok(kept)
    }

    fn request(&self, path: &str) -> Result<ureq::http::Response<ureq::Body>, Fault> {
        let endpoint = &self.hub.hugging_face;
        let agent = agent(self.hub, endpoint).map_err(|why| self.fault(&why))?;
        let mut request = agent.get(format!("{endpoint}/{path}"));
        if let Some(token) = &self.hub.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let response =
            request.call().map_err(|error| self.fault(&format!("cannot be reached: {error}")))?;
        match response.status().as_u16() {
            200 => Ok(response),
            404 => Err(Fault::Absent(format!(
                "Hugging Face ({endpoint}) has no such data set, or not that revision of it (404)"
            ))),
            status @ (401 | 403) => Err(self.fault(&refused(status, self.hub.token.as_deref()))),
            status => Err(self.fault(&format!("answers {status}"))),
        }
    }

    fn fault(&self, why: &str) -> Fault {
        Fault::Hub(format!("Hugging Face ({}) {why}", self.hub.hugging_face))
    }

    fn kept_listing(&self) -> Option<Vec<Remote>> {
        let text = fs::read(self.folder.join(LISTING)).ok()?;
        let listing: Listing = serde_json::from_slice(&text).ok()?;
        Some(listing.siblings)
    }

    /// Its folder in the cache of Hugging Face's own tools.
    fn foreign(&self) -> Option<PathBuf> {
        let cache = self.hub.hugging_face_cache.as_deref()?;
        let data_set = cache.join(format!("datasets--{}", self.name.id.replace('/', "--")));
        let commit = fs::read_to_string(data_set.join("refs").join(&self.revision));
        let commit = commit.map_or_else(|_| self.revision.clone(), |text| text.trim().to_owned());
        let folder = data_set.join("snapshots").join(commit);
        folder.is_dir().then_some(folder)
    }

    /// Writes a file under another name, from which it is still to be renamed.
    fn written_apart(&self, path: &str, from: &mut dyn io::Read) -> Result<Part, TokenizerError> {
        let path = self.folder.join(path);
        let folder = path.parent().unwrap_or(&self.folder);
        fs::create_dir_all(folder).map_err(|error| TokenizerError::io("create", folder, error))?;
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.part", std::process::id()));
        let mut part = Part { path: path.with_file_name(name), bytes: 0, is_page: false };
        part.fill(from)?;
        Ok(part)
    }
}

impl Remote {
    /// Whether so many bytes are those that it has, as far as the hub tells.
    fn is_of(&self, bytes: u64) -> bool {
        self.size.is_none_or(|size| size == bytes)
    }
}

/// A file in the making. It goes away unless it is finished.
#[derive(Debug)]
struct Part {
    path: PathBuf,
    bytes: u64,
    /// Whether it begins as a page of HTML does, which captive portals and blocked addresses answer with a 200.
    is_page: bool,
}

impl Part {
    /// Copies to the file. Whether the reading failed or the writing is told by the action.
    fn fill(&mut self, from: &mut dyn io::Read) -> Result<(), TokenizerError> {
        let unwritable = |error| TokenizerError::io("write", &self.path, error);
        let mut file = File::create(&self.path).map_err(unwritable)?;
        let mut head = Vec::new();
        let mut buffer = vec![0; 1 << 16];
        loop {
            match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => {
                    io::Write::write_all(&mut file, &buffer[..read]).map_err(unwritable)?;
                    head.extend(&buffer[..read.min(HEAD.saturating_sub(head.len()))]);
                    self.bytes += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(TokenizerError::io("fetch", &self.path, error)),
            }
        }
        self.is_page = is_html(&head);
        Ok(())
    }

    fn finish(self, path: &Path) -> Result<(), TokenizerError> {
        fs::rename(&self.path, path).map_err(|error| TokenizerError::io("write", path, error))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // After a rename there is nothing left to remove; before it, what is left is of no use to anyone.
        let _: io::Result<()> = fs::remove_file(&self.path);
    }
}

fn is_html(head: &[u8]) -> bool {
    let head = head.strip_prefix("\u{feff}".as_bytes()).unwrap_or(head).trim_ascii_start();
    ["<!doctype html", "<html"].iter().any(|opening| {
        head.get(..opening.len()).is_some_and(|head| head.eq_ignore_ascii_case(opening.as_bytes()))
    })
}

/// The files below a folder, as paths with slashes.
pub(crate) fn walk(folder: &Path) -> Vec<Remote> {
    let mut files = Vec::new();
    walk_into(folder, "", 0, &mut files);
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

fn walk_into(folder: &Path, above: &str, depth: u8, files: &mut Vec<Remote>) {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    for entry in entries {
        let path = format!("{above}{}", entry.file_name().to_string_lossy());
        // Links are followed: caches consist of them.
        match fs::metadata(entry.path()) {
            Ok(found) if found.is_dir() && depth < DEEPEST => {
                walk_into(&entry.path(), &format!("{path}/"), depth + 1, files);
            }
            Ok(found) if found.is_file() => files.push(Remote { path, size: Some(found.len()) }),
            _ => {}
        }
    }
}

/// Whether a path stays inside its folder.
fn is_inside(path: &str) -> bool {
    let parts = Path::new(path).components();
    !path.is_empty() && parts.into_iter().all(|part| matches!(part, Component::Normal(_)))
}

/// A path with what may not stand in an address written as %XX.
fn encoded(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(byte.into());
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

const CONVERTED: &str = "refs/convert/parquet";
const LISTING: &str = ".files.json";
/// As much of a file as tells whether it is a page.
const HEAD: usize = 256;
const DEEPEST: u8 = 5;
const MOST_BYTES_OF_A_LIST: u64 = 256 << 20;
const MOST_BYTES_OF_AN_ADDRESS: u64 = 256 << 20;
