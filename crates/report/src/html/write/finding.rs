//! Findings as markup: what was found, how grave and how sure, what it rests on, and what to do next.
//!
//! Deliberately neither sorts nor chooses: the worst first is the page's doing.

use tokometer_metrics::diagnosis::{Severity, Sureness};

use super::super::body::Found;
use super::super::markup::{both, escaped};
use super::{class, deeper, prose};
use crate::chinese;
use crate::words::{Language, Words};

pub(super) fn findings_list(findings: &[Found], level: u8) -> String {
    let items: String = findings.iter().map(|found| finding(found, level)).collect();
    format!("<ol class=\"findings\">\n{items}</ol>\n")
}

fn finding(found: &Found, level: u8) -> String {
    let (mark, tone) = crate::findings::dress(found.severity);
    let title = found.title.as_ref().map_or_else(String::new, both);
    let next = deeper(level);
    let evidence: String =
        found.evidence.iter().map(|fact| format!("<li>{}</li>\n", prose(fact))).collect();
    let link = |(name, section): &(Words, String)| {
        format!("<a href=\"#{}\">{}</a>", escaped(section), both(name))
    };
    let at: Vec<String> = found.at.iter().take(MOST_POINTS).map(link).collect();
    let more = match found.at.len().saturating_sub(MOST_POINTS) {
        0 => String::new(),
        more => both(&Words::both(format!(", and {more} more"), format!("，以及另外 {more} 个"))),
    };
    let at = match at.is_empty() {
        true => String::new(),
        false => format!("<p class=\"at\">{} {}{more}</p>\n", both(&SEEN_AT), at.join(", ")),
    };
    let general = found.general.as_ref().map_or_else(String::new, |advice| {
        format!("<p class=\"zh\" lang=\"zh\">{}</p>\n", escaped(advice.told(Language::Chinese)))
    });
    format!(
        "<li class=\"finding {tone}\">\n<p class=\"badges\"><span class=\"badge\"><span aria-hidden=\"true\">{mark}</span> {severity}</span> \
         <span class=\"sure\">{sureness}</span></p>\n<h{level}>{title}</h{level}>\n<p class=\"what\">{what}</p>\n{at}{others}\
         <details open><summary><h{next}>{evidence_heading}</h{next}></summary>\n<ul>\n{evidence}</ul></details>\n\
         <div class=\"next\"><h{next}>{next_heading}</h{next}>\n{general}<p>{advice}</p></div>\n</li>\n",
        tone = class(tone),
        severity = both(&severity(found.severity)),
        sureness = both(&sureness(found.sureness)),
        what = prose(&found.what),
        others = others(&found.others, next),
        evidence_heading = both(&EVIDENCE),
        next_heading = both(&NEXT),
        advice = prose(&found.next),
    )
}

/// What the same rule found in other runs, folded.
fn others(others: &[(Words, Words)], level: u8) -> String {
    if others.is_empty() {
        return String::new();
    }
    let each: String = others
        .iter()
        .map(|(run, what)| format!("<li><b>{}</b>: {}</li>\n", both(run), prose(what)))
        .collect();
    let number = others.len();
    let heading = Words::both(
        match number {
            1 => "What was found of it in another run".to_owned(),
            _ => format!("What was found of it in {number} other runs"),
        },
        format!("在另外 {number} 次运行中的同类发现"),
    );
    format!(
        "<details class=\"others\"><summary><h{level}>{}</h{level}></summary>\n<ul>\n{each}</ul></details>\n",
        both(&heading)
    )
}

fn severity(severity: Severity) -> Words {
    Words::both(severity.key(), chinese::severity(severity))
}

fn sureness(sureness: Sureness) -> Words {
    Words::both(sureness.key(), chinese::sureness(sureness))
}

/// So many points that share a finding are named with it.
const MOST_POINTS: usize = 8;
const EVIDENCE: Words = Words::fixed("Evidence", "依据");
const NEXT: Words = Words::fixed("What next", "下一步");
const SEEN_AT: Words = Words::fixed("At:", "出现于：");
