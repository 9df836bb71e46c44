//! Which program serves, as far as it tells: vLLM at `/version`, TGI at `/info`, SGLang at `/get_server_info`.
//!
//! Asked before the load, and only of a service whose connection is tested anyway. Whatever goes wrong, it has told nothing; deliberately
//! no guess is made of names in headers.

use serde_json::Value;
use tokometer_engine::{Answer, Engine};
use tokometer_plan::Plan;

/// Its version, with the revision that it was built of where it tells that: `0.32.0`, `3.3.4 (revision 9f38d93)`.
pub(super) fn ask(engine: &Engine, plan: &Plan) -> Option<String> {
    if !plan.target.test_connection {
        return None;
    }
    PLACES.iter().find_map(|place| told(&engine.get(place).ok()?))
}

fn told(answer: &Answer) -> Option<String> {
    if !(200..300).contains(&answer.status) {
        return None;
    }
    let body: Value = serde_json::from_slice(&answer.body).ok()?;
    let version = plain(body.get("version")?)?;
    let revision = REVISIONS.iter().find_map(|key| plain(body.get(*key)?));
    Some(match revision {
        Some(revision) => format!("{version} (revision {revision})"),
        None => version.to_owned(),
    })
}

/// A word that may be a version: nothing else is taken over from a server.
fn plain(told: &Value) -> Option<&str> {
    let told = told.as_str()?;
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+' | '_');
    (!told.is_empty() && told.len() <= LONGEST && told.chars().all(fits)).then_some(told)
}

const PLACES: &[&str] = &["/version", "/info", "/get_server_info"];

const REVISIONS: &[&str] = &["sha", "revision", "git_sha"];

/// Characters of the longest word that is believed to be a version.
const LONGEST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &str) -> Option<String> {
        told(&Answer { status, body: body.to_owned().into() })
    }

    #[test]
    fn a_version_is_told_with_its_revision() {
        assert_eq!(of(200, r#"{"version": "0.32.0"}"#).as_deref(), Some("0.32.0"));
        let tgi = r#"{"model_id": "m", "version": "3.3.4", "sha": "9f38d93"}"#;
        assert_eq!(of(200, tgi).as_deref(), Some("3.3.4 (revision 9f38d93)"));
    }

    #[test]
    fn what_is_no_version_is_not_taken_for_one() {
        assert_eq!(of(404, r#"{"version": "0.32.0"}"#), None);
        assert_eq!(of(200, "<html>"), None);
        assert_eq!(of(200, r#"{"version": 3}"#), None);
        assert_eq!(of(200, r#"{"version": "<script>alert(1)</script>"}"#), None);
    }
}
