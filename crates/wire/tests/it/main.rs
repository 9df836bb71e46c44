//! Tests of `wire` from outside: what real servers sent, and what holds for every input.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod captures;
mod codecs;
mod requests;
mod streams;

use tokometer_wire::sse::Decoder;

/// The data of the events in these reads, and what the stream's end left unfinished.
fn decode<'r>(reads: impl IntoIterator<Item = &'r [u8]>) -> (Vec<Event>, Option<Event>) {
    let mut decoder = Decoder::new();
    let mut events = Vec::new();
    for read in reads {
        decoder.push(read, |event| events.push(owned(event))).expect("within the limit");
    }
    let mut rest = None;
    decoder.finish(|event| rest = Some(owned(event)));
    (events, rest)
}

/// An event's data and name.
type Event = (Vec<u8>, Option<Vec<u8>>);

fn owned(event: tokometer_wire::sse::Event<'_>) -> Event {
    (event.data.to_vec(), event.name.map(<[u8]>::to_vec))
}
