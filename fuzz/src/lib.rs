//! What must hold for any bytes from the network. The targets in `fuzz_targets/` hand bytes to these functions.
//!
//! ```text
//! cargo +nightly fuzz run sse -- -max_total_time=60
//! ```
//!
//! Without a nightly toolchain, `RUSTC_BOOTSTRAP=1 cargo fuzz run sse` does the same on a stable one.

use bytes::BytesMut;
use tokometer_wire::api::{Reply, SoFar};
use tokometer_wire::sse::{Decoder, Event};
use tokometer_wire::{Api, Delta, error_message};

/// However a stream is cut, it gives the same events and leaves the same rest. The first bytes say where to cut.
///
/// # Panics
/// If it does not.
pub fn streams(bytes: &[u8]) {
    let Some((cuts, stream)) = bytes.split_at_checked(4) else { return };
    let whole = decode([stream]);
    let mut start = 0;
    let mut reads = Vec::new();
    for cut in cuts {
        let end = stream.len().min(start + usize::from(*cut));
        reads.push(&stream[start..end]);
        start = end;
    }
    reads.push(&stream[start..]);
    assert_eq!(decode(reads), whole);
    assert_eq!(decode(stream.chunks(1)), whole);
}

/// Any bytes are read or refused, and what is read is written so that it is read as the same again.
///
/// # Panics
/// If they are not.
pub fn codec(api: &dyn Api, bytes: &[u8]) {
    let mut written = BytesMut::new();
    if let Ok(delta) = api.delta(bytes) {
        api.event(&REPLY, &mut SoFar::default(), &delta, &mut written);
        let (events, rest) = decode([&*written]);
        assert_eq!(rest, None);
        match events.as_slice() {
            [] => assert_eq!(told(&delta), told(&Delta::default())),
            [(data, None)] => {
                let again = api.delta(data).expect("what was written is read");
                assert_eq!(told(&again), told(&delta));
            }
            other => panic!("one delta gave {other:?}"),
        }
    }
    written.clear();
    if let Ok(delta) = api.body(bytes) {
        api.whole(&REPLY, &delta, &mut written);
        let again = api.body(&written).expect("what was written is read");
        assert_eq!(told(&again), told(&delta));
    }
    asked(api, bytes);
}

/// Any bytes are read or refused, and what is read is written so that it is read again: for APIs whose events refer to others, so
/// that one alone does not tell all that was written.
///
/// # Panics
/// If they are not.
pub fn story(api: &dyn Api, bytes: &[u8]) {
    let (mut written, mut so_far) = (BytesMut::new(), SoFar::default());
    // Each line is an event of one stream.
    for line in bytes.split(|byte| *byte == b'\n') {
        if let Ok(delta) = api.delta(line) {
            api.event(&REPLY, &mut so_far, &delta, &mut written);
        }
    }
    let (events, rest) = decode([&*written]);
    assert_eq!(rest, None);
    for (data, _) in events {
        api.delta(&data).expect("what was written is read");
    }
    written.clear();
    if let Ok(delta) = api.body(bytes) {
        api.whole(&REPLY, &delta, &mut written);
        api.body(&written).expect("what was written is read");
    }
    asked(api, bytes);
}

/// Any bytes are a request that is understood the same again, or none; and they have words that are fit to print.
fn asked(api: &dyn Api, bytes: &[u8]) {
    // A form is not written from its fields again.
    if let Ok(asked) = api.parse(bytes) && api.content_type() == "application/json" {
        let again = serde_json::to_vec(&asked.fields).expect("JSON values are JSON");
        assert_eq!(api.parse(&again).expect("what was understood is understood again"), asked);
    }
    let message = error_message(bytes);
    assert!(!message.is_empty() && message.chars().count() <= 65_536);
    assert!(!message.chars().any(char::is_control));
}

/// All that a delta tells, free of its lifetime.
fn told(delta: &Delta<'_>) -> String {
    format!("{delta:?}")
}

/// The events of these reads, and what the stream's end left unfinished.
fn decode<'r>(reads: impl IntoIterator<Item = &'r [u8]>) -> (Vec<Owned>, Option<Owned>) {
    let mut decoder = Decoder::new();
    let mut events = Vec::new();
    for read in reads {
        decoder.push(read, |event| events.push(owned(event))).expect("inputs are below the limit");
    }
    let mut rest = None;
    decoder.finish(|event| rest = Some(owned(event)));
    (events, rest)
}

/// An event's data and name.
type Owned = (Vec<u8>, Option<Vec<u8>>);

fn owned(event: Event<'_>) -> Owned {
    (event.data.to_vec(), event.name.map(<[u8]>::to_vec))
}

const REPLY: Reply<'_> = Reply { id: "id", model: "m", created: 1 };
