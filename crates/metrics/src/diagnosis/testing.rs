//! Rules tried on points made by hand.

use tokometer_record::{Offset, PointLog};

use super::{Facts, Finding};
use crate::summary::summarize;
use crate::{Run, ServerSide};

type Find = fn(&Facts<'_>) -> Option<Finding>;

/// What the rule finds in this log, with this said by the server.
pub(super) fn found(rule: Find, log: &PointLog, side: ServerSide) -> Option<Finding> {
    let mut summary = summarize(log);
    summary.side = side;
    rule(&Facts { run: &Run::of(log), summary: &summary })
}

/// As [`found`], where there must be a finding; with evidence, and with words as findings have them.
pub(super) fn finding(rule: Find, log: &PointLog, side: ServerSide) -> Finding {
    let found = found(rule, log, side).expect("there is something to find");
    assert!(!found.evidence.is_empty(), "{found:?}");
    assert!(found.what.ends_with('.') && found.next.ends_with('.'), "{found:?}");
    assert_eq!(found.points, [log.point.index]);
    found
}

/// The rule must have nothing to say.
pub(super) fn silent(rule: Find, log: &PointLog, side: ServerSide) {
    assert_eq!(found(rule, log, side), None);
}

/// A moment in seconds.
pub(super) fn second(moment: f64) -> Offset {
    Offset::from_nanos((moment * 1e9) as u64)
}
