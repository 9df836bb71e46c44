//! What holds for every stream of server-sent events and every way of cutting it.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::{Event, decode};

/// Bytes of which events are made, thick with what matters to a decoder.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let telling: &[&[u8]] = &[
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\n",
        b"\r\r",
        b"\r\n\r\n",
        b"data",
        b"data:",
        b"data: ",
        b"event",
        b"event:",
        b"id: 1",
        b":",
        b" ",
        b"a",
        b"\xEF\xBB\xBF",
        b"\xEF",
        b"\xF0\x9F",
        b"\x00",
    ];
    let part = prop_oneof![
        9 => select(telling).prop_map(<[u8]>::to_vec),
        1 => vec(any::<u8>(), 0..4),
    ];
    vec(part, 0..40).prop_map(|parts| parts.concat())
}

/// `bytes`, cut at these places.
fn cut<'b>(bytes: &'b [u8], places: &[Index]) -> Vec<&'b [u8]> {
    let mut places: Vec<_> = places.iter().map(|place| place.index(bytes.len() + 1)).collect();
    places.sort_unstable();
    let mut start = 0;
    let ends = places.into_iter().chain([bytes.len()]);
    ends.map(|end| &bytes[std::mem::replace(&mut start, end)..end]).collect()
}

/// The standard's algorithm, as it is written there, over the whole stream at once.
fn by_the_standard(stream: &[u8]) -> Vec<Event> {
    let stream = stream.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(stream);
    let mut lines = vec![Vec::new()];
    let mut bytes = stream.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\r' => {
                bytes.next_if_eq(&b'\n');
                lines.push(Vec::new());
            }
            b'\n' => lines.push(Vec::new()),
            byte => lines.last_mut().expect("a line is begun").push(byte),
        }
    }
    lines.pop();
    let (mut events, mut data, mut name) = (Vec::new(), Vec::new(), Vec::new());
    for line in lines {
        if line.is_empty() {
            if data.pop().is_some() {
                events.push((data.clone(), (!name.is_empty()).then(|| name.clone())));
            }
            data.clear();
            name.clear();
            continue;
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let (field, value) = match colon {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (&line[..], &[][..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => {
                data.extend(value);
                data.push(b'\n');
            }
            b"event" => name = value.to_vec(),
            _ => {}
        }
    }
    events
}

proptest! {
    #[test]
    fn any_bytes_however_cut_give_what_the_standard_says(stream in stream(), places in vec(any::<Index>(), 0..6)) {
        let whole = decode([&*stream]);
        prop_assert_eq!(&whole.0, &by_the_standard(&stream));
        prop_assert_eq!(decode(cut(&stream, &places)), whole.clone());
        prop_assert_eq!(decode(stream.chunks(1)), whole);
    }

    #[test]
    fn reading_what_was_written_gives_the_same_events(
        events in vec((vec("[^\r\n]{0,9}", 1..4), "[^\r\n]{0,5}", any::<bool>(), any::<bool>()), 0..8),
        end in select(&["\n", "\r", "\r\n"][..]),
        places in vec(any::<Index>(), 0..6),
    ) {
        let mut written = String::new();
        let mut expected = Vec::new();
        for (lines, name, spaced, commented) in events {
            if commented {
                written += &format!(": a comment{end}id: 1{end}");
            }
            if !name.is_empty() {
                written += &format!("event: {name}{end}");
            }
            for line in &lines {
                let space = if spaced || line.starts_with(' ') { " " } else { "" };
                written += &format!("data:{space}{line}{end}");
            }
            written += end;
            let name = (!name.is_empty()).then(|| name.into_bytes());
            expected.push((lines.join("\n").into_bytes(), name));
        }
        prop_assert_eq!(decode(cut(written.as_bytes(), &places)), (expected, None));
    }
}
