//! What was written is read, whatever became of the file in between.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use super::*;
use crate::{Channel, Chunk, Connection, Outcome, Phase, PromptTokens, TokenSource};

fn header() -> Header {
    Header { version: VERSION, model: "m".into(), ..Header::default() }
}

fn record(index: u64) -> Record {
    Record {
        index,
        phase: Phase::Measured,
        scheduled: Offset::ZERO,
        started: Offset::from_nanos(1),
        connection: Connection::Reused,
        connected: Some(Offset::from_nanos(1)),
        sent: Some(Offset::from_nanos(2)),
        headers: Some(Offset::from_nanos(3)),
        chunks: vec![Chunk { at: Offset::from_nanos(4), tokens: 1, channel: Channel::Content }]
            .into(),
        end: Offset::from_nanos(5),
        streamed: true,
        outcome: Outcome::Ok,
        status: Some(200),
        prompt_tokens: PromptTokens { local: Some(7), server: None, cached: None },
        output_tokens: Some(OutputTokens { count: 1, source: TokenSource::ChunkCount }),
        asked_output: None,
        audio: None,
        inputs: None,
        finish_reason: Some("stop".into()),
        request_id: format!("r-{index}"),
        prompt: None,
        output: None,
    }
}

/// A log with these bytes behind a header and the beginning of a point.
fn log_of(lines: &[Line], tail: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.jsonl");
    let mut writer = Writer::create(&path).unwrap();
    for line in [Line::Header(header()), Line::Point(Point::default())].iter().chain(lines) {
        writer.append(line).unwrap();
    }
    writer.flush().unwrap();
    let mut file = File::options().append(true).open(&path).unwrap();
    file.write_all(tail.as_bytes()).unwrap();
    (folder, path)
}

#[test]
fn what_was_written_is_read() {
    let (_folder, path) = log_of(&[Line::Record(record(0)), Line::Record(record(1))], "");
    let log = read(&path).unwrap();
    assert_eq!(log.header, header());
    assert_eq!(log.points[0].records, [record(0), record(1)]);
    assert_eq!(log.end, None);
}

#[test]
fn a_line_that_a_crash_cut_off_is_passed_over() {
    let (_folder, path) = log_of(&[Line::Record(record(0))], "{\"record\":{\"index\":1,\"pha");
    assert_eq!(read(&path).unwrap().points[0].records, [record(0)]);
}

#[test]
fn a_line_cut_inside_a_character_is_passed_over() {
    let (_folder, path) = log_of(&[Line::Record(record(0))], "");
    let mut file = File::options().append(true).open(&path).unwrap();
    let whole = "{\"record\":{\"output\":\"é";
    file.write_all(&whole.as_bytes()[..whole.len() - 1]).unwrap();
    assert_eq!(read(&path).unwrap().points[0].records, [record(0)]);
}

#[test]
fn a_damaged_line_in_the_middle_is_passed_over_and_named() {
    let (_folder, path) = log_of(&[], "nonsense\n{\"end\":{\"at\":1,\"complete\":true}}\n");
    let log = read(&path).unwrap();
    assert_eq!((log.damaged, log.end.is_some()), (vec![3], true));
}

#[test]
fn a_count_made_afterwards_replaces_the_estimate() {
    let counted = OutputTokens { count: 9, source: TokenSource::LocalTokenizer };
    let count = Line::Count(Count { index: 0, output_tokens: counted });
    let (_folder, path) = log_of(&[Line::Record(record(0)), count], "");
    assert_eq!(read(&path).unwrap().points[0].records[0].output_tokens, Some(counted));
}

#[test]
fn a_newer_log_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.jsonl");
    let mut writer = Writer::create(&path).unwrap();
    writer.append(&Line::Header(Header { version: VERSION + 1, ..header() })).unwrap();
    writer.flush().unwrap();
    assert!(matches!(read(&path), Err(LogError::Newer { found, .. }) if found == VERSION + 1));
}

#[test]
fn a_log_is_never_overwritten() {
    let (_folder, path) = log_of(&[], "");
    assert_eq!(Writer::create(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
}

#[test]
fn an_empty_file_is_no_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.jsonl");
    File::create(&path).unwrap();
    assert!(matches!(read(&path), Err(LogError::NoHeader { .. })));
}

/// A log of so many points of as many requests, and where it lies.
fn long_log(points: u64, requests: u64) -> (tempfile::TempDir, PathBuf) {
    let lines = (0..points).flat_map(|index| {
        let point = Point { index: index as usize, ..Point::default() };
        let records = (0..requests).map(record).map(Line::Record);
        [Line::Point(point)].into_iter().chain(records)
    });
    let lines: Vec<Line> = lines.collect();
    log_of(&lines, "{\"end\":{\"at\":1,\"complete\":true}}\n")
}

#[test]
fn a_log_of_many_blocks_is_read_in_order() {
    // Some three megabytes.
    let (_folder, path) = long_log(3, 4_000);
    let log = read(&path).unwrap();
    assert_eq!(
        log.points.iter().map(|log| log.records.len()).collect::<Vec<_>>(),
        [0, 4_000, 4_000, 4_000]
    );
    for log in &log.points[1..] {
        assert!((0..).zip(&log.records).all(|(index, record)| record.index == index));
    }
    assert_eq!(log.end, Some(End { at: Offset::from_nanos(1), complete: true }));
}

#[test]
fn point_by_point_is_what_the_whole_is() {
    let (_folder, path) = long_log(2, 10);
    let whole = read(&path).unwrap();
    let mut points = Points::open(&path).unwrap();
    assert_eq!(points.header(), &whole.header);
    assert_eq!(points.by_ref().map(Result::unwrap).collect::<Vec<_>>(), whole.points);
    assert_eq!((points.end(), points.damaged()), (whole.end, &whole.damaged[..]));
}

#[test]
fn whoever_stops_half_way_waits_for_nobody() {
    let (_folder, path) = long_log(3, 4_000);
    assert_eq!(Points::open(&path).unwrap().next().unwrap().unwrap().records, []);
}

#[test]
fn damage_far_behind_is_named_by_its_line() {
    let (_folder, path) = long_log(1, 4_000);
    let mut file = File::options().append(true).open(&path).unwrap();
    file.write_all(
        b"nonsense\n\n{\"pulse\":{\"at\":1,\"in_flight\":0,\"loop_lag\":0,\"cpu\":0}}\n{\"cut",
    )
    .unwrap();
    let log = read(&path).unwrap();
    // Header, two points, 4,000 records, the end.
    assert_eq!((log.damaged, log.points[1].pulses.len()), (vec![4_005, 4_006], 1));
}

#[test]
fn what_belongs_to_no_point_is_told_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.jsonl");
    let mut writer = Writer::create(&path).unwrap();
    writer.append(&Line::Header(header())).unwrap();
    writer.append(&Line::Record(record(0))).unwrap();
    writer.flush().unwrap();
    assert!(matches!(read(&path), Err(LogError::Misplaced { line: 2, .. })));
}

#[test]
fn a_log_of_the_first_version_is_read() {
    let old = "{\"header\":{\"version\":1,\"program\":\"0.1.0\",\"began\":\"\",\"dialect\":\"evalscope\",\"name\":\"\",\"model\":\"m\",\"api\":\"\",\
        \"url\":\"\",\"dataset\":\"\",\"tokenizer\":\"\",\"tokens_estimated\":false,\"arguments\":null,\"plan\":\"\"}}\n\
        {\"point\":{\"index\":0,\"name\":\"p\",\"began\":0,\"requests\":1,\"warmup\":0,\"concurrency\":1,\"rate\":null,\"open_loop\":false,\
        \"duration\":null,\"seed\":0,\"arguments\":null}}\n\
        {\"record\":{\"index\":0,\"phase\":\"measured\",\"scheduled\":0,\"started\":1,\"connection\":\"reused\",\
        \"chunks\":[[127562201,0,\"r\"],[146046499,0,\"c\"],[166658989,2,\"c\"]],\"end\":200000000,\"streamed\":true,\"outcome\":\"ok\",\"status\":200,\
        \"prompt_tokens\":{\"local\":9},\"request_id\":\"r-0\"}}\n";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.jsonl");
    std::fs::write(&path, old).unwrap();
    let log = read(&path).unwrap();
    let chunks: Vec<_> = log.points[0].records[0].chunks.iter().collect();
    let chunk = |at, tokens, channel| Chunk { at: Offset::from_nanos(at), tokens, channel };
    let expected = [
        chunk(127_562_201, 0, Channel::Reasoning),
        chunk(146_046_499, 0, Channel::Content),
        chunk(166_658_989, 2, Channel::Content),
    ];
    assert_eq!((log.header.version, chunks), (1, expected.to_vec()));
}

#[test]
fn a_large_log_takes_few_bytes_a_chunk_on_disk_and_in_memory() {
    const REQUESTS: u64 = 2_000;
    const TOKENS: u64 = 200;
    // Gaps about 20 ms, none like the one before: a linear congruential generator's.
    let mut word = 1_u64;
    let mut gap = || {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        15_000_000 + word % 10_000_000
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.jsonl");
    let mut writer = Writer::create(&path).unwrap();
    writer.append(&Line::Header(header())).unwrap();
    writer.append(&Line::Point(Point::default())).unwrap();
    for index in 0..REQUESTS {
        let mut at = index * 1_000_000;
        let chunks = (0..TOKENS).map(|_| {
            at += gap();
            Chunk { at: Offset::from_nanos(at), tokens: 0, channel: Channel::Content }
        });
        writer.append(&Line::Record(Record { chunks: chunks.collect(), ..record(index) })).unwrap();
    }
    writer.flush().unwrap();
    let log = read(&path).unwrap();
    let records = &log.points[0].records;
    let chunks: u64 = records.iter().map(|record| record.chunks.len() as u64).sum();
    let kept: usize = records.iter().map(|record| record.chunks.footprint()).sum();
    assert_eq!(chunks, REQUESTS * TOKENS);
    assert!(kept as u64 * 10 <= chunks * 41, "{kept} bytes for {chunks} chunks");
    let written = std::fs::metadata(&path).unwrap().len();
    assert!(written <= chunks * 12, "{written} bytes for {chunks} chunks");
}

#[test]
fn the_header_alone_is_read_whatever_stands_behind_it() {
    let (folder, path) = log_of(&[], "nonsense\nnonsense\n");
    assert_eq!(super::header(&path).unwrap(), header());
    let empty = folder.path().join("empty.jsonl");
    File::create(&empty).unwrap();
    assert!(matches!(super::header(&empty), Err(LogError::NoHeader { .. })));
}
