//! The whole page, against that of a real server.

use super::*;

/// The page of a real server that had answered 1556 sequences.
const CAPTURED: &str = include_str!("../testdata/vllm-0.32.0.txt");

/// What the page of one with speculation had besides, right before `vllm:estimated_flops_per_gpu_total`.
const SPECULATING: &str = include_str!("../testdata/vllm-0.32.0-speculation.txt");

/// A page without its values, and without what only Python says.
fn skeleton(page: &str) -> Vec<String> {
    let lines = page.lines().filter(|line| !line.contains("python_"));
    let lines = lines.filter(|line| cfg!(target_os = "linux") || !line.contains("process_"));
    lines
        .map(|line| match line.rsplit_once(' ') {
            _ if line.starts_with('#') => line.to_owned(),
            Some((key, _)) if key.starts_with("vllm:cache_config_info") => names_of_labels(key),
            Some((key, _)) => key.to_owned(),
            None => line.to_owned(),
        })
        .collect()
}

fn names_of_labels(key: &str) -> String {
    let pairs = key.split('"').step_by(2);
    pairs.collect::<String>()
}

/// What the captured server answered over HTTP, each for the first time in this order.
fn as_captured(counts: &Counts) {
    for (handler, method, status) in [
        ("/v1/models", "GET", 200),
        ("/v1/completions", "POST", 200),
        ("/openapi.json", "GET", 200),
        ("/v1/chat/completions", "POST", 200),
        ("/v1/chat/completions", "POST", 400),
        ("/v1/completions", "POST", 404),
        ("/v1/messages/count_tokens", "POST", 200),
        ("/health", "GET", 200),
        ("/metrics", "GET", 200),
    ] {
        counts.http(
            Duration::ZERO,
            &Exchange {
                handler,
                method,
                status,
                took: SECOND,
                request_bytes: 5,
                response_bytes: 7,
            },
        );
    }
}

#[test]
fn the_page_has_vllms_families_labels_buckets_and_words_in_its_order() {
    let counts = Counts::new(captured());
    as_captured(&counts);
    let (ours, theirs) = (skeleton(&counts.page(SECOND)), skeleton(CAPTURED));
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(ours.len(), theirs.len());
    // What is left out is Python's alone.
    let left_out = CAPTURED.lines().count() - theirs.len();
    assert!(!cfg!(target_os = "linux") || left_out == 18, "{left_out}");
}

#[test]
fn speculation_adds_vllms_families_and_nothing_else() {
    let without = skeleton(&Counts::new(captured()).page(SECOND));
    let with = with(|_, fleet| fleet.drafted = Some(number(4))).page(SECOND);
    let (with, theirs) = (skeleton(&with), skeleton(SPECULATING));
    let place = with.iter().position(|line| line.contains("spec_decode")).unwrap();
    assert_eq!(with[place..place + theirs.len()], theirs);
    assert!(with[place + theirs.len()].starts_with("# HELP vllm:estimated_flops_per_gpu_total "));
    let rest: Vec<_> = [&with[..place], &with[place + theirs.len()..]].concat();
    assert_eq!(rest, without);
}

#[test]
fn what_is_said_of_the_cache_is_what_vllm_said_of_one_of_that_size() {
    let labels = |page: &str| -> BTreeMap<String, String> {
        let line = page.lines().find(|line| line.starts_with("vllm:cache_config_info{")).unwrap();
        let (_, labels) = line.split_once('{').unwrap();
        let parts: Vec<_> = labels.split('"').collect();
        let pairs = parts.chunks_exact(2).map(|pair| (pair[0].to_owned(), pair[1].to_owned()));
        pairs.collect()
    };
    let (ours, theirs) = (labels(&Counts::new(captured()).page(SECOND)), labels(CAPTURED));
    let other: Vec<_> = theirs.iter().filter(|(name, value)| ours[*name] != **value).collect();
    // Theirs was on a CPU, where the memory of the cache is given in bytes.
    assert_eq!(other, [(&",kv_cache_memory_bytes=".to_owned(), &"2147483648".to_owned())]);
}

#[test]
fn every_number_of_the_captures_is_written_as_it_stood() {
    let lines = CAPTURED.lines().chain(SPECULATING.lines());
    let mut seen = 0;
    for line in lines.filter(|line| !line.starts_with('#')) {
        let (_, number) = line.rsplit_once(' ').unwrap();
        let mut page = text::Page::default();
        page.sample("x", &[], number.parse().unwrap());
        assert_eq!(page.into_text(), format!("x {number}\n"));
        seen += 1;
    }
    assert!(seen > 500, "{seen}");
}

#[test]
fn our_own_reader_reads_every_sample_of_the_page() {
    let counts = Counts::new(captured());
    as_captured(&counts);
    let page = counts.page(SECOND);
    let written = page.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(samples(&page).count(), written);
}

#[test]
fn each_replica_has_samples_of_its_own() {
    let counts = with(|_, fleet| fleet.replicas = number(2));
    let mut share = Counts::begin(&counts, asked(10, 5, Duration::ZERO));
    share.scheduled(SECOND, 1, 4);
    share.emitted(2 * SECOND, 3);
    let page = counts.page(SECOND);
    let of = |engine: &str| {
        let lines = page.lines().filter(|line| line.contains(&format!("engine=\"{engine}\"")));
        lines.filter_map(|line| Some(line.split_once('{')?.0.to_owned())).collect::<Vec<_>>()
    };
    assert_eq!(of("0").len(), of("1").len());
    assert!(of("2").is_empty());
    let first: String = page
        .lines()
        .filter(|line| !line.contains("engine=\"1\""))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(skeleton(&first), skeleton(&Counts::new(captured()).page(SECOND)));
    let generated = |engine: &str| {
        values(&counts)[&format!(
            "vllm:generation_tokens_total{{engine=\"{engine}\",model_name=\"tiny-qwen\"}}"
        )]
    };
    assert_eq!((generated("0"), generated("1")), (0.0, 3.0));
}

#[test]
fn http_is_counted_by_handler_method_and_class_of_status() {
    let counts = Counts::new(captured());
    as_captured(&counts);
    as_captured(&counts);
    let values = values(&counts);
    let requests = |labels: &str| values[&format!("http_requests_total{{{labels}}}")];
    let chat = "handler=\"/v1/chat/completions\",method=\"POST\"";
    assert_eq!(requests(&format!("{chat},status=\"2xx\"")), 2.0);
    assert_eq!(requests(&format!("{chat},status=\"4xx\"")), 2.0);
    assert_eq!(values["http_request_size_bytes_sum{handler=\"/v1/chat/completions\"}"], 20.0);
    assert_eq!(values["http_response_size_bytes_sum{handler=\"/v1/models\"}"], 14.0);
    assert_eq!(values[&format!("http_request_duration_seconds_count{{{chat}}}")], 4.0);
    // Neither /health nor /metrics.
    assert_eq!(values["http_request_duration_highr_seconds_count"], 14.0);
}

#[test]
fn adapters_are_told_by_name_with_the_moment_at_which_it_was_so() {
    let counts = with(|about, _| about.loras = Some(number(1)));
    let lora = |name: &str| Asked { lora: Some(name.into()), ..asked(1, 1, Duration::ZERO) };
    let mut first = Counts::begin(&counts, lora("a"));
    let second = Counts::begin(&counts, lora("b"));
    first.scheduled(SECOND, 0, 0);
    counts.stepped(0, SECOND, &Speculated::default());
    drop((first, second));
    counts.stepped(0, 2 * SECOND, &Speculated::default());
    let page = counts.page(3 * SECOND);
    let told: Vec<_> = page.lines().filter(|line| line.contains("lora_requests_info")).collect();
    assert_eq!(
        told,
        [
            "# HELP vllm:lora_requests_info Running stats on lora requests.",
            "# TYPE vllm:lora_requests_info gauge",
            "vllm:lora_requests_info{max_lora=\"1\",running_lora_adapters=\"a\",waiting_lora_adapters=\"b\"} 1.795425995e+09",
            "vllm:lora_requests_info{max_lora=\"1\",running_lora_adapters=\"\",waiting_lora_adapters=\"\"} 1.795425996e+09",
        ]
    );
}
