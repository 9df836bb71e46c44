//! Watches of real sockets and real files. Nothing here sleeps: what is asked for at once has been heard once it was
//! answered.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use tokometer_record::{Origin, RemarkKind, Signal};

use super::*;
use crate::served::{Reply, Server};

const KNOWN: &str = include_str!("../testdata/vllm.txt");
const UNKNOWN: &str = "# TYPE things counter\nthings_total 3\n";
const LINE: &str = "INFO Engine 000: Avg prompt throughput: 1.0 tokens/s, Avg generation throughput: 2.0 tokens/s, Running: 3 reqs, \
                    Waiting: 4 reqs, GPU KV cache usage: 5.0%\n";
/// Long enough for whatever answers at all.
const PATIENCE: Duration = Duration::from_secs(30);

/// Every look at it is a nanosecond later, so that no two moments are the same, and nothing is due within an hour.
fn clock() -> Clock {
    let ticks = AtomicU64::new(0);
    Arc::new(move || Offset::from_nanos(ticks.fetch_add(1, Ordering::SeqCst)))
}

fn rarely() -> Sources {
    Sources { every: Duration::from_secs(3600), ..Sources::default() }
}

fn endpoint(url: &str) -> Endpoint {
    Endpoint {
        url: url.to_owned(),
        shown: url.to_owned(),
        headers: Vec::new(),
        insecure: false,
        ca_cert: None,
        proxy: None,
        secrets: Vec::new(),
    }
}

fn page_of(server: &Server) -> Endpoint {
    endpoint(&server.url("/metrics"))
}

/// What is heard when everything is read now.
fn hear(watch: &Watch) -> Vec<Heard> {
    watch.read_now(PATIENCE);
    watch.heard()
}

fn kinds(heard: &[Heard]) -> Vec<RemarkKind> {
    heard
        .iter()
        .filter_map(|heard| match heard {
            Heard::Remark(remark) => Some(remark.kind),
            _ => None,
        })
        .collect()
}

/// What was heard, in a word each.
fn words(heard: &[Heard]) -> Vec<String> {
    heard
        .iter()
        .map(|heard| match heard {
            Heard::Scrape(_) => "scrape".to_owned(),
            Heard::Reading(reading) => reading.server.clone(),
            Heard::Gpus(_) => "gpus".to_owned(),
            Heard::Remark(remark) => format!("{:?}", remark.kind),
        })
        .collect()
}

fn add(path: &Path, text: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

#[test]
fn a_known_server_is_read_whole_and_kept_as_it_stood() {
    let server = Server::new(Reply::page(KNOWN));
    let watch = Watch::start(Sources { metrics: vec![page_of(&server)], ..rarely() }, clock());
    let heard = hear(&watch);
    assert_eq!(words(&heard), ["scrape", "vllm"]);
    let Heard::Reading(reading) = &heard[1] else { panic!("{heard:?}") };
    assert_eq!(
        (reading.origin, reading.source.as_str()),
        (Origin::Metrics, server.url("/metrics").as_str())
    );
    assert!(reading.timings.values().any(|histogram| !histogram.buckets.is_empty()));
    assert_eq!(watch.heard(), []);
}

#[test]
fn in_between_a_known_server_is_read_without_buckets() {
    let server = Server::new(Reply::page(KNOWN));
    let every = Duration::from_millis(1);
    let sources = Sources { metrics: vec![page_of(&server)], every, ..Sources::default() };
    let watch = Watch::start(sources, clock());
    // The second is asked once the first was heard.
    server.wait_for(2);
    let heard = watch.heard();
    let Heard::Reading(reading) = &heard[0] else { panic!("{heard:?}") };
    assert!(!reading.timings.is_empty());
    assert!(reading.timings.values().all(|histogram| histogram.buckets.is_empty()));
}

#[test]
fn an_unknown_server_is_kept_as_it_stands_and_remarked_upon_once() {
    let server = Server::new(Reply::page(UNKNOWN));
    let watch = Watch::start(Sources { metrics: vec![page_of(&server)], ..rarely() }, clock());
    assert_eq!(words(&hear(&watch)), ["scrape", "UnknownServer"]);
    assert_eq!(words(&hear(&watch)), ["scrape"]);
}

#[test]
fn a_page_that_was_cut_short_is_no_reading() {
    let server = Server::new(Reply::page(&KNOWN[..KNOWN.len() / 2]));
    let watch = Watch::start(Sources { metrics: vec![page_of(&server)], ..rarely() }, clock());
    assert_eq!(kinds(&hear(&watch)), [RemarkKind::Unreachable]);
    server.reply(Reply::page(KNOWN));
    assert_eq!(words(&hear(&watch)), ["Recovered", "scrape", "vllm"]);
}

#[test]
fn what_is_amiss_is_said_when_it_changes() {
    let server = Server::new(Reply::Close);
    let watch = Watch::start(Sources { metrics: vec![page_of(&server)], ..rarely() }, clock());
    assert_eq!(kinds(&hear(&watch)), [RemarkKind::Unreachable]);
    assert_eq!(hear(&watch), []);
    server.reply(Reply::status(404));
    assert_eq!(kinds(&hear(&watch)), [RemarkKind::NoMetrics]);
    server.reply(Reply::page("<html>hello</html>"));
    assert_eq!(hear(&watch), []);
    server.reply(Reply::page(KNOWN));
    assert_eq!(words(&hear(&watch)), ["Recovered", "scrape", "vllm"]);
    server.reply(Reply::Close);
    assert_eq!(kinds(&hear(&watch)), [RemarkKind::Unreachable]);
}

#[test]
fn a_page_that_may_be_there_is_silent_until_it_has_answered_once() {
    let server = Server::new(Reply::status(404));
    let watch = Watch::start(Sources { perhaps: vec![page_of(&server)], ..rarely() }, clock());
    assert_eq!(hear(&watch), []);
    server.reply(Reply::page(KNOWN));
    assert_eq!(words(&hear(&watch)), ["scrape", "vllm"]);
    server.reply(Reply::status(404));
    assert_eq!(kinds(&hear(&watch)), [RemarkKind::NoMetrics]);
}

#[test]
fn a_page_that_never_answered_is_asked_again_only_when_everything_is_read() {
    let silent = Server::new(Reply::status(404));
    let other = Server::new(Reply::page(KNOWN));
    let sources = Sources {
        perhaps: vec![page_of(&silent)],
        metrics: vec![page_of(&other)],
        every: Duration::from_millis(1),
        ..Sources::default()
    };
    let watch = Watch::start(sources, clock());
    watch.read_now(PATIENCE);
    let asked = silent.asked().len();
    assert!(asked <= 2, "{asked}");
    let so_far = other.asked().len();
    other.wait_for(so_far + 5);
    assert_eq!(silent.asked().len(), asked);
    watch.read_now(PATIENCE);
    assert_eq!(silent.asked().len(), asked + 1);
}

#[test]
fn a_source_that_hangs_delays_no_other() {
    let hanging = Server::new(Reply::Hang);
    let well = Server::new(Reply::page(KNOWN));
    let sources = Sources { metrics: vec![page_of(&hanging), page_of(&well)], ..rarely() };
    let watch = Watch::start(sources, clock());
    watch.read_now(PATIENCE);
    let heard = watch.heard();
    assert_eq!(words(&heard), ["scrape", "vllm", "Unreachable"]);
    let Heard::Remark(remark) = &heard[2] else { panic!("{heard:?}") };
    assert_eq!(remark.detail, "no answer within 5s");
}

#[test]
fn who_asks_waits_no_longer_than_it_said_and_a_watch_ends_while_a_source_hangs() {
    let hanging = Server::new(Reply::Hang);
    let watch = Watch::start(Sources { metrics: vec![page_of(&hanging)], ..rarely() }, clock());
    watch.read_now(Duration::from_millis(1));
    hanging.wait_for(1);
    assert_eq!(watch.heard(), []);
    drop(watch);
}

#[test]
fn a_page_that_hangs_from_the_start_is_said_once_and_waited_for_once() {
    let patience = Patience { known: PATIENCE, unknown: Duration::from_millis(40) };
    for is_certain in [true, false] {
        let (hanging, well) = (Server::new(Reply::Hang), Server::new(Reply::page(KNOWN)));
        let page = vec![page_of(&hanging)];
        let (mut metrics, mut perhaps) = (vec![page_of(&well)], Vec::new());
        if is_certain { &mut metrics } else { &mut perhaps }.extend(page);
        let watch = Watch::start(Sources { metrics, perhaps, ..rarely() }, clock());
        // That the other one has answered, however slowly this machine goes.
        watch.read_now(Duration::from_millis(1));
        well.wait_for(1);
        watch.read_those_who_answer(&patience, &|| true);
        let heard = watch.heard();
        assert_eq!(kinds(&heard), [RemarkKind::Unreachable]);
        let silent = heard.iter().find_map(|heard| match heard {
            Heard::Remark(remark) => Some(remark),
            _ => None,
        });
        let remark = silent.unwrap();
        assert_eq!(remark.source, hanging.url("/metrics"));
        assert!(remark.detail.starts_with("its page did not answer within 40ms"), "{remark:?}");
        let forever = Patience { unknown: Duration::from_secs(3600), ..patience };
        watch.read_those_who_answer(&forever, &|| true);
        // Now its connections are closed, which would be worth a word had there been none.
        drop(hanging);
        watch.read_now(PATIENCE);
        assert_eq!(kinds(&watch.heard()), []);
    }
}

#[test]
fn nothing_that_is_heard_repeats_a_secret() {
    let page = "things_total{path=\"/metrics?token=s3cret\"} 3\n";
    let server = Server::new(Reply::page(page));
    let secret = Endpoint { secrets: vec!["s3cret".to_owned()], ..page_of(&server) };
    // What one server was sent, another one may tell.
    let gpu = "DCGM_FI_DEV_GPU_UTIL{gpu=\"0\",modelName=\"s3cret\"} 5\n";
    let gpus = Server::new(Reply::page(gpu));
    let sources = Sources { metrics: vec![secret], gpus: vec![page_of(&gpus)], ..rarely() };
    let heard = hear(&Watch::start(sources, clock()));
    assert!(heard.len() >= 2, "{heard:?}");
    assert!(!format!("{heard:?}").contains("s3cret"), "{heard:?}");
}

#[test]
fn a_dropped_watch_asks_no_more() {
    let server = Server::new(Reply::page(KNOWN));
    let every = Duration::from_millis(1);
    let sources = Sources { metrics: vec![page_of(&server)], every, ..Sources::default() };
    let pace = {
        let watch = Watch::start(sources, clock());
        server.wait_for(3);
        Arc::clone(&watch.pace)
    };
    assert_eq!(pace.wait(0, Duration::ZERO), Turn::Stop);
}

#[test]
fn a_source_that_is_named_twice_is_watched_once() {
    let server = Server::new(Reply::page(KNOWN));
    let log = tempfile::NamedTempFile::new().unwrap();
    let sources = Sources {
        metrics: vec![page_of(&server), page_of(&server)],
        perhaps: vec![page_of(&server)],
        logs: vec![log.path().to_owned(), log.path().to_owned()],
        ..rarely()
    };
    let watch = Watch::start(sources, clock());
    watch.read_now(PATIENCE);
    assert_eq!(server.asked().len(), 1);
    let costs = watch.cost();
    let polls: Vec<_> = costs.iter().map(|cost| (cost.source.as_str(), cost.polls)).collect();
    assert_eq!(polls, [(server.url("/metrics").as_str(), 1), (log.path().to_str().unwrap(), 1)]);
    assert!(costs.iter().all(|cost| cost.total > Duration::ZERO && cost.longest == cost.total));
}

#[test]
fn a_page_without_gpus_is_remarked_upon_where_gpus_were_asked_for() {
    let server = Server::new(Reply::page(KNOWN));
    let watch = Watch::start(Sources { gpus: vec![page_of(&server)], ..rarely() }, clock());
    assert_eq!(kinds(&hear(&watch)), [RemarkKind::NoMetrics]);
}

#[test]
fn an_exporter_of_gpu_metrics_is_read() {
    let page = "DCGM_FI_DEV_GPU_UTIL{gpu=\"0\",modelName=\"H100\"} 50\n";
    let server = Server::new(Reply::page(page));
    let watch = Watch::start(Sources { gpus: vec![page_of(&server)], ..rarely() }, clock());
    assert_eq!(words(&hear(&watch)), ["gpus"]);
}

#[test]
fn a_log_is_heard_from_its_end_over_rotation_and_absence() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.log");
    add(&path, LINE);
    let watch = Watch::start(Sources { logs: vec![path.clone()], ..rarely() }, clock());
    assert_eq!(hear(&watch), []);

    add(&path, LINE);
    let heard = hear(&watch);
    let [Heard::Reading(reading)] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!(reading.origin, Origin::Log);
    assert_eq!(reading.source, path.display().to_string());
    assert_eq!(reading.values.get(&Signal::Waiting), Some(&4.0));

    fs::rename(&path, folder.path().join("server.log.1")).unwrap();
    add(&path, LINE);
    assert_eq!(words(&hear(&watch)), ["LogRotated", "vllm"]);
    fs::write(&path, "").unwrap();
    assert_eq!(words(&hear(&watch)), ["LogTruncated"]);
    fs::remove_file(&path).unwrap();
    assert_eq!(words(&hear(&watch)), ["LogVanished"]);
    assert_eq!(hear(&watch), []);
    add(&path, LINE);
    assert_eq!(words(&hear(&watch)), ["Recovered", "vllm"]);
}

#[test]
fn a_log_that_is_missing_is_said_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.log");
    let watch = Watch::start(Sources { logs: vec![path.clone()], ..rarely() }, clock());
    assert_eq!(kinds(&hear(&watch)), [RemarkKind::LogMissing]);
    assert_eq!(hear(&watch), []);
    add(&path, LINE);
    assert_eq!(words(&hear(&watch)), ["Recovered", "vllm"]);
}

#[test]
fn lines_that_cannot_be_read_are_said_once_between_two_whole_readings() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let watch = Watch::start(Sources { logs: vec![log.path().to_owned()], ..rarely() }, clock());
    let garbled = "Engine 000: Avg prompt throughput: what\n";
    add(log.path(), &garbled.repeat(3));
    assert_eq!(kinds(&hear(&watch)), [RemarkKind::LogUnreadable]);
    add(log.path(), garbled);
    assert_eq!(kinds(&hear(&watch)), [RemarkKind::LogUnreadable]);
}

#[test]
fn a_log_that_says_nothing_for_long_is_remarked_upon() {
    let log = tempfile::NamedTempFile::new().unwrap();
    // Every look at this clock is a second later.
    let ticks = AtomicU64::new(0);
    let slow: Clock =
        Arc::new(move || Offset::ZERO + Duration::from_secs(ticks.fetch_add(1, Ordering::SeqCst)));
    let watch =
        Watch::start(Sources { logs: vec![log.path().to_owned()], ..rarely() }, Arc::clone(&slow));
    add(log.path(), LINE);
    assert_eq!(words(&hear(&watch)), ["vllm"]);
    (0..20).for_each(|_| _ = slow());
    assert_eq!(kinds(&hear(&watch)), [RemarkKind::LogSilent]);
    assert_eq!(hear(&watch), []);
}

#[test]
fn what_is_heard_of_many_is_in_the_order_of_its_moments() {
    let servers: Vec<_> = (0..4).map(|_| Server::new(Reply::page(KNOWN))).collect();
    let metrics = servers.iter().map(page_of).collect();
    let watch = Watch::start(Sources { metrics, ..rarely() }, clock());
    let heard = hear(&watch);
    assert_eq!(heard.len(), 8);
    assert!(heard.is_sorted_by_key(Heard::at));
}

#[test]
fn moments_that_were_missed_are_not_made_up_for() {
    let [every, second] = [Duration::from_millis(500), Duration::from_secs(1)];
    let at = |length| Offset::ZERO + length;
    assert_eq!(next(at(second), every, at(second)), at(second + every));
    assert_eq!(next(at(second), every, at(second + every / 2)), at(second + every));
    assert_eq!(next(at(second), every, at(second * 3 + every / 2)), at(second * 3 + every));
    // A wait that ended early moves nothing either.
    assert_eq!(next(at(second), every, at(every)), at(second + every));
}

#[test]
fn a_watch_of_nothing_hears_nothing() {
    let watch = Watch::start(Sources::default(), clock());
    assert_eq!(hear(&watch), []);
    assert_eq!(watch.cost(), []);
}

#[test]
fn a_watch_may_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Watch>();
}
