//! Why requests failed: kinds with counts, and under each kind the server's own words.
//!
//! Deliberately gives no advice: what to do about a kind is for the report to say.

use std::collections::BTreeMap;

use serde_json::Value;
use tokometer_record::{FailureKind, Record};

/// The failures of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureGroup {
    /// The kind.
    pub kind: FailureKind,
    /// How many requests failed so.
    pub count: u64,
    /// The most frequent messages, at most [`FailureGroup::MESSAGES`], most frequent first.
    pub messages: Vec<MessageGroup>,
    /// How many failures had other messages than those.
    pub others: u64,
}

/// Failures of one kind whose messages differ in numbers and identifiers at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageGroup {
    /// The first of the messages, as it came.
    pub message: String,
    /// How many there were.
    pub count: u64,
    /// Which request of the point had the first.
    pub index: u64,
    /// That request's `x-request-id`, to find it in the server's log.
    pub request_id: String,
}

impl FailureGroup {
    /// How many messages are kept of each kind.
    pub const MESSAGES: usize = 3;

    /// Groups the failures among `records`, the most frequent kind first, and last of all those that the user cancelled.
    pub fn of<'a>(records: impl IntoIterator<Item = &'a Record>) -> Vec<Self> {
        let mut kinds: BTreeMap<FailureKind, BTreeMap<String, MessageGroup>> = BTreeMap::new();
        for record in records {
            let Some(failure) = record.failure() else { continue };
            let messages = kinds.entry(failure.kind).or_default();
            let group = messages.entry(shape(&failure.message)).or_insert_with(|| MessageGroup {
                message: failure.message.clone(),
                count: 0,
                index: record.index,
                request_id: record.request_id.clone(),
            });
            group.count += 1;
        }
        let mut groups: Vec<_> =
            kinds.into_iter().map(|(kind, messages)| Self::new(kind, messages)).collect();
        groups.sort_by_key(|group| (group.cancelled(), std::cmp::Reverse(group.count)));
        groups
    }

    /// Whether these requests were cancelled by the user: nobody's failing.
    pub fn cancelled(&self) -> bool {
        self.kind == FailureKind::Cancelled
    }

    fn new(kind: FailureKind, messages: BTreeMap<String, MessageGroup>) -> Self {
        let mut messages: Vec<_> = messages.into_values().collect();
        messages.sort_by_key(|group| (std::cmp::Reverse(group.count), group.index));
        let count = messages.iter().map(|group| group.count).sum();
        messages.truncate(Self::MESSAGES);
        let others = count - messages.iter().map(|group| group.count).sum::<u64>();
        Self { kind, count, messages, others }
    }
}

/// What a server's message says: of a body of JSON the text under the names that servers give to messages, and anything else as it is.
pub fn gist(message: &str) -> String {
    let body: Option<Value> = serde_json::from_str(message).ok();
    let said = body.as_ref().and_then(|body| {
        let places = ["/error/message", "/message", "/detail", "/error"];
        places.iter().find_map(|place| body.pointer(place)?.as_str())
    });
    said.filter(|said| !said.trim().is_empty()).unwrap_or(message).to_owned()
}

/// The message without what tells one request from another: each word that holds a digit becomes `#`.
fn shape(message: &str) -> String {
    let mut shape = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(start) = rest.find(|c: char| c.is_alphanumeric()) {
        let (between, from_word) = rest.split_at(start);
        let end = from_word.find(|c: char| !c.is_alphanumeric()).unwrap_or(from_word.len());
        let (word, after) = from_word.split_at(end);
        shape.push_str(between);
        shape.push_str(if word.contains(|c: char| c.is_ascii_digit()) { "#" } else { word });
        rest = after;
    }
    shape.push_str(rest);
    shape
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::testing::{failed, ok};

    #[test]
    fn the_gist_of_a_body_is_its_message() {
        let bodies = [
            r#"{"error":{"message":"queue is full","code":429}}"#,
            r#"{"object":"error","message":"no such model"}"#,
            r#"{"detail":"Not Found"}"#,
            r#"{"error":"overloaded"}"#,
            r#"{"detail":[{"msg":"field required"}]}"#,
            r#"{"error":{"message":""}}"#,
            r#"{"error":{"message":"cut o"#,
            "upstream connect error",
        ];
        let gists = bodies.map(gist);
        assert_eq!(gists[..4], ["queue is full", "no such model", "Not Found", "overloaded"]);
        assert_eq!(gists[4..], bodies[4..]);
    }

    #[test]
    fn kinds_are_counted_and_the_most_frequent_comes_first() {
        let records = [
            failed(0, FailureKind::Reset, "connection reset by peer"),
            ok(1, 0, &[5]),
            failed(2, FailureKind::Status(503), "overloaded"),
            failed(3, FailureKind::Status(503), "overloaded"),
        ];
        let groups = FailureGroup::of(&records);
        let counted: Vec<_> = groups.iter().map(|group| (group.kind, group.count)).collect();
        assert_eq!(counted, [(FailureKind::Status(503), 2), (FailureKind::Reset, 1)]);
        assert_eq!(groups[0].messages[0].index, 2);
        assert_eq!(groups[0].messages[0].request_id, "r-2");
    }

    #[test]
    fn what_the_user_cancelled_comes_last_however_frequent() {
        let records = [
            failed(0, FailureKind::Cancelled, "the run was stopped"),
            failed(1, FailureKind::Cancelled, "the run was stopped"),
            failed(2, FailureKind::Reset, "connection reset by peer"),
        ];
        let groups = FailureGroup::of(&records);
        let told: Vec<_> = groups.iter().map(|group| (group.cancelled(), group.count)).collect();
        assert_eq!(told, [(false, 1), (true, 2)]);
    }

    #[test]
    fn messages_that_differ_in_identifiers_are_one() {
        let records = [
            failed(0, FailureKind::Status(500), "request 7f3a91 failed after 12 ms"),
            failed(1, FailureKind::Status(500), "request 00b2c4 failed after 9 ms"),
        ];
        let messages = &FailureGroup::of(&records)[0].messages;
        assert_eq!(messages.len(), 1);
        assert_eq!(messages[0].count, 2);
        assert_eq!(messages[0].message, "request 7f3a91 failed after 12 ms");
    }

    #[test]
    fn only_the_most_frequent_messages_are_kept_and_the_rest_is_counted() {
        let words = ["alpha", "beta", "beta", "gamma", "delta", "epsilon"];
        let records: Vec<_> = (0..)
            .zip(words)
            .map(|(index, word)| failed(index, FailureKind::BadJson, word))
            .collect();
        let group = &FailureGroup::of(&records)[0];
        let kept: Vec<_> = group.messages.iter().map(|m| m.message.as_str()).collect();
        assert_eq!(kept, ["beta", "alpha", "gamma"]);
        assert_eq!((group.count, group.others), (6, 2));
    }

    #[test]
    fn a_message_without_words_keeps_its_shape() {
        assert_eq!(shape("…: !"), "…: !");
        assert_eq!(shape("HTTP/1.1 500é"), "HTTP/#.# #");
    }
}
