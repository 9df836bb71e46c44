//! What is counted of HTTP requests, whatever they ask for: the families of vLLM's instrumentation of its web framework.
//!
//! Deliberately knows no path: which handler a request has is for `server` to say, and it names only paths that exist, so that nobody
//! makes the page grow by asking for others.

use std::time::Duration;

use crate::counts::histogram::Histogram;
use crate::counts::text::Page;

/// A request that was answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exchange<'e> {
    /// The path that answers it, as it is registered; `none` where there is no such path.
    pub(crate) handler: &'e str,
    pub(crate) method: &'e str,
    pub(crate) status: u16,
    /// From its head to the last byte of the response.
    pub(crate) took: Duration,
    /// Its `content-length`, 0 without one.
    pub(crate) request_bytes: u64,
    /// The `content-length` of the response, 0 without one, as where it is streamed.
    pub(crate) response_bytes: u64,
}

/// What was counted so far. In the order in which things were first seen.
#[derive(Debug)]
pub(super) struct Http {
    requests: Vec<Requests>,
    sizes: Vec<Sizes>,
    durations: Vec<Durations>,
    all: Histogram,
}

#[derive(Debug)]
struct Requests {
    handler: String,
    method: String,
    /// The first digit of the status.
    class: u16,
    count: u64,
    since: Duration,
}

#[derive(Debug)]
struct Sizes {
    handler: String,
    count: u64,
    request: u64,
    response: u64,
    since: Duration,
}

#[derive(Debug)]
struct Durations {
    handler: String,
    method: String,
    took: Histogram,
    since: Duration,
}

impl Default for Http {
    fn default() -> Self {
        let (requests, sizes, durations) = (Vec::new(), Vec::new(), Vec::new());
        Self { requests, sizes, durations, all: Histogram::of_times(MANY) }
    }
}

impl Http {
    /// Counts a request that was answered at `at`.
    pub(super) fn count(&mut self, at: Duration, exchange: &Exchange<'_>) {
        let Exchange { handler, method, .. } = *exchange;
        // vLLM leaves out what asks after the server itself, by any part of the path.
        if LEFT_OUT.iter().any(|part| handler.contains(part)) {
            return;
        }
        let class = exchange.status / 100;
        let known = self.requests.iter_mut().find(|known| {
            (known.handler.as_str(), known.method.as_str(), known.class) == (handler, method, class)
        });
        match known {
            Some(known) => known.count += 1,
            None => {
                let (handler, method) = (handler.to_owned(), method.to_owned());
                self.requests.push(Requests { handler, method, class, count: 1, since: at });
            }
        }
        self.count_sizes(at, exchange);
        self.all.observe_time(exchange.took);
        self.durations(at, handler, method).observe_time(exchange.took);
    }

    fn count_sizes(&mut self, at: Duration, exchange: &Exchange<'_>) {
        let (request, response) = (exchange.request_bytes, exchange.response_bytes);
        match self.sizes.iter_mut().find(|known| known.handler == exchange.handler) {
            Some(known) => {
                known.count += 1;
                known.request += request;
                known.response += response;
            }
            None => {
                let handler = exchange.handler.to_owned();
                self.sizes.push(Sizes { handler, count: 1, request, response, since: at });
            }
        }
    }

    fn durations(&mut self, at: Duration, handler: &str, method: &str) -> &Histogram {
        let known = self
            .durations
            .iter()
            .position(|known| (known.handler.as_str(), known.method.as_str()) == (handler, method));
        let index = known.unwrap_or_else(|| {
            let (handler, method) = (handler.to_owned(), method.to_owned());
            let took = Histogram::of_times(FEW);
            self.durations.push(Durations { handler, method, took, since: at });
            self.durations.len() - 1
        });
        &self.durations[index].took
    }

    /// Writes all families. `started` is when the server did, since 1970.
    pub(super) fn write(&self, started: Duration, page: &mut Page) {
        self.write_requests(started, page);
        self.write_sizes(
            started,
            page,
            ("http_request_size_bytes", "incoming requests"),
            |sizes| sizes.request,
        );
        self.write_sizes(
            started,
            page,
            ("http_response_size_bytes", "outgoing responses"),
            |sizes| sizes.response,
        );
        let name = "http_request_duration_highr_seconds";
        let help = "Latency with many buckets but no API specific labels. \
                    Made for more accurate percentile calculations. ";
        page.family(name, "histogram", help);
        page.histogram(name, &[], &self.all);
        page.created(name, help);
        page.sample(&format!("{name}_created"), &[], started.as_secs_f64());
        let name = "http_request_duration_seconds";
        let help = "Latency with only few buckets by handler. \
                    Made to be only used if aggregation by handler is important. ";
        page.family(name, "histogram", help);
        for known in &self.durations {
            page.histogram(name, &known.labels(), &known.took);
        }
        if !self.durations.is_empty() {
            page.created(name, help);
        }
        for known in &self.durations {
            let created = (started + known.since).as_secs_f64();
            page.sample(&format!("{name}_created"), &known.labels(), created);
        }
    }

    fn write_requests(&self, started: Duration, page: &mut Page) {
        let help = "Total number of requests by method, status and handler.";
        page.family("http_requests_total", "counter", help);
        for known in &self.requests {
            let status = format!("{}xx", known.class);
            page.sample("http_requests_total", &known.labels(&status), known.count as f64);
        }
        if !self.requests.is_empty() {
            page.created("http_requests", help);
        }
        for known in &self.requests {
            let (status, created) = (format!("{}xx", known.class), started + known.since);
            page.sample("http_requests_created", &known.labels(&status), created.as_secs_f64());
        }
    }

    fn write_sizes(
        &self,
        started: Duration,
        page: &mut Page,
        (name, of_what): (&str, &str),
        bytes: impl Fn(&Sizes) -> u64,
    ) {
        let help = format!(
            "Content length of {of_what} by handler. \
             Only value of header is respected. Otherwise ignored. No percentile calculated. "
        );
        page.family(name, "summary", &help);
        for known in &self.sizes {
            let labels = [("handler", known.handler.as_str())];
            page.sample(&format!("{name}_count"), &labels, known.count as f64);
            page.sample(&format!("{name}_sum"), &labels, bytes(known) as f64);
        }
        if !self.sizes.is_empty() {
            page.created(name, &help);
        }
        for known in &self.sizes {
            let labels = [("handler", known.handler.as_str())];
            let created = (started + known.since).as_secs_f64();
            page.sample(&format!("{name}_created"), &labels, created);
        }
    }
}

impl Requests {
    fn labels<'r>(&'r self, status: &'r str) -> [(&'r str, &'r str); 3] {
        [("handler", &self.handler), ("method", &self.method), ("status", status)]
    }
}

impl Durations {
    fn labels(&self) -> [(&str, &str); 2] {
        [("handler", &self.handler), ("method", &self.method)]
    }
}

/// Paths that vLLM does not count.
const LEFT_OUT: [&str; 6] = ["/metrics", "/health", "/load", "/ping", "/version", "/server_info"];

const MANY: &[f64] = &[
    0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0,
    7.5, 10.0, 30.0, 60.0,
];

const FEW: &[f64] = &[0.1, 0.5, 1.0];
