//! Where a tokenizer may lie already: in the caches of Hugging Face's and ModelScope's own tools, and in ours.
//!
//! Caches are only read here, and only a folder with a `tokenizer.json` counts.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::super::huggingface::TOKENIZER;
use super::{Hub, Name, Site};

/// The first cache that has it.
pub(super) fn find(hub: &Hub, name: &Name) -> Option<PathBuf> {
    let sites = hub.sites(name);
    let foreign = sites.iter().find_map(|site| match site {
        Site::HuggingFace => hugging_face(hub.hugging_face_cache.as_deref()?, name),
        Site::ModelScope => model_scope(&hub.model_scope_caches, name),
    });
    foreign.or_else(|| {
        sites.iter().map(|site| own(hub, name, *site)).find(|folder| has_tokenizer(folder))
    })
}

/// Its folder in our own cache.
pub(super) fn own(hub: &Hub, name: &Name, site: Site) -> PathBuf {
    let site_folder = match site {
        Site::HuggingFace => "huggingface",
        Site::ModelScope => "modelscope",
    };
    let model = name.id.replace('/', "--");
    let revision = name.revision_at(site).replace('/', "--");
    hub.own_cache.join(site_folder).join(model).join(revision)
}

/// `models--org--name/snapshots/{commit}`, the commit told by `refs/{revision}`.
fn hugging_face(cache: &Path, name: &Name) -> Option<PathBuf> {
    let model = cache.join(format!("models--{}", name.id.replace('/', "--")));
    let snapshots = model.join("snapshots");
    let revision = name.revision_at(Site::HuggingFace);
    let referred = fs::read_to_string(model.join("refs").join(revision));
    let commit = referred.map_or_else(|_| revision.to_owned(), |commit| commit.trim().to_owned());
    let named = snapshots.join(commit);
    if has_tokenizer(&named) {
        return Some(named);
    }
    if name.revision.is_some() {
        return None;
    }
    let any = fs::read_dir(snapshots).ok()?.filter_map(Result::ok).map(|entry| entry.path());
    any.filter(|folder| has_tokenizer(folder)).max_by_key(|folder| modified(folder))
}

/// `org/name`, where a dot in the name is written as three underscores. Revisions are not kept apart there.
fn model_scope(caches: &[PathBuf], name: &Name) -> Option<PathBuf> {
    if name.revision.as_deref().is_some_and(|revision| revision != "master") {
        return None;
    }
    let spelled = [name.id.clone(), name.id.replace('.', "___")];
    let candidates = caches.iter().flat_map(|cache| spelled.iter().map(|id| cache.join(id)));
    candidates.into_iter().find(|folder| has_tokenizer(folder))
}

fn has_tokenizer(folder: &Path) -> bool {
    folder.join(TOKENIZER).is_file()
}

fn modified(folder: &Path) -> SystemTime {
    fs::metadata(folder).and_then(|metadata| metadata.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
}
