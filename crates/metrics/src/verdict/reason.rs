//! In which ways a client can limit a run, and why a run can not be judged: each with its figures, in words.
//!
//! Deliberately finds nothing out: what speaks against a run is looked for in the parent.

use std::fmt;

/// One way in which the client limited a run. Its `Display` tells what was measured and against which limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reason {
    /// Requests failed because this process had no file descriptor left.
    Descriptors {
        /// How many.
        failed: usize,
        /// Of how many that ended.
        of: usize,
    },
    /// Requests were started late.
    LateStarts {
        /// How late at p99, in seconds.
        lateness: f64,
        /// How late they may be, in seconds.
        limit: f64,
    },
    /// The event loop was late, and so were the stamps of chunks.
    LateStamps {
        /// How late at p99, in seconds.
        lag: f64,
        /// How late it may be, in seconds.
        limit: f64,
    },
    /// As [`Reason::LateStamps`], by the pulses of a log without an end.
    Stalls {
        /// The share of the time in which the event loop was certainly later than the limit, in per cent.
        share: f64,
        /// How late it may be for all but 1 % of the time, in seconds.
        limit: f64,
    },
    /// Fewer requests were in flight than were asked for although others waited.
    Concurrency {
        /// Asked for.
        asked: u64,
        /// Held.
        held: f64,
    },
    /// As [`Reason::Concurrency`], for requests so short that handing a place on takes a good part of their time.
    HandOver {
        /// Asked for.
        asked: u64,
        /// Held.
        held: f64,
        /// How long a request took its place, on average, in seconds.
        length: f64,
    },
    /// Requests were sent more slowly than the schedule wanted.
    Rate {
        /// Wanted, in requests per second.
        wanted: f64,
        /// Achieved, in requests per second.
        achieved: f64,
    },
    /// The workers used nearly all of their cores, and lagged.
    Processor {
        /// The share of the workers' cores, in per cent.
        share: f64,
        /// The greater of the two lags at p99, in seconds.
        lag: f64,
    },
}

impl Reason {
    /// What to do about it.
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::Descriptors { .. } => {
                "the server never saw them: raise the limit (ulimit -n) or lower the concurrency"
            }
            Self::LateStarts { .. } => {
                "latencies counted from the start hide this wait: read those from the schedule, lower the load, or give the \
                 client more workers"
            }
            Self::LateStamps { .. } | Self::Stalls { .. } => {
                "TTFT and gaps are overstated by up to this much: give the client cores of its own, away from the server \
                 and other work, or lower the load"
            }
            Self::Concurrency { .. } => {
                "the server was under less load than asked for: give the client more workers, or ask for less concurrency"
            }
            Self::HandOver { .. } => {
                "requests are so short that handing a place on takes a good part of their time, and throughput is partly the \
                 client's: ask for longer outputs, or for more places and read the figures as those of the places held"
            }
            Self::Rate { .. } => {
                "the server was under less load than asked for: lower the rate, or spread it over more workers"
            }
            Self::Processor { .. } => {
                "the client is at its own limit: give it more workers and cores"
            }
        }
    }

    /// A stable name for machine-readable output.
    pub const fn key(&self) -> &'static str {
        match self {
            Self::Descriptors { .. } => "descriptors",
            Self::LateStarts { .. } => "late_starts",
            Self::LateStamps { .. } | Self::Stalls { .. } => "late_stamps",
            Self::Concurrency { .. } => "concurrency",
            Self::HandOver { .. } => "hand_over",
            Self::Rate { .. } => "rate",
            Self::Processor { .. } => "processor",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |seconds: f64| seconds * 1e3;
        match *self {
            Self::Descriptors { failed, of } => {
                let requests = if of == 1 { "request" } else { "requests" };
                write!(
                    f,
                    "{failed} of {of} {requests} failed because the client was out of file descriptors"
                )
            }
            Self::LateStarts { lateness, limit } => write!(
                f,
                "requests started {:.1} ms late at p99 (limit {:.1} ms)",
                ms(lateness),
                ms(limit)
            ),
            Self::LateStamps { lag, limit } => write!(
                f,
                "the client's event loop was {:.1} ms late at p99 (limit {:.1} ms)",
                ms(lag),
                ms(limit)
            ),
            Self::Stalls { share, limit } => write!(
                f,
                "the client's event loop was more than {:.1} ms late for at least {share:.1} % of the time (limit 1 %)",
                ms(limit)
            ),
            Self::Concurrency { asked, held } => {
                write!(
                    f,
                    "{held:.1} requests were in flight of {asked} asked for, while others waited"
                )
            }
            Self::HandOver { asked, held, length } => write!(
                f,
                "{held:.1} requests were in flight of {asked} asked for (each took its place for {:.2} ms, and handing it on took \
                 another {:.2} ms)",
                ms(length),
                ms(length * (asked as f64 - held) / held)
            ),
            Self::Rate { wanted, achieved } => {
                write!(f, "{achieved:.2} requests per second were sent of {wanted:.2} scheduled")
            }
            Self::Processor { share, lag } => write!(
                f,
                "the client's workers used {share:.0} % of their cores and were {:.1} ms late at p99",
                ms(lag)
            ),
        }
    }
}

/// Why it cannot be told whether the client kept up. Its `Display` completes "not judged, for …".
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Doubt {
    /// There is nothing to judge.
    NoRequests,
    /// The load was over before the event loop was probed.
    NotProbed,
    /// The log ends before its first pulse.
    NoPulse,
    /// The pulses of a log without an end leave it open how much of the time the event loop was late.
    Stalls {
        /// In how many seconds it was, at some moment, later than the limit.
        late: usize,
        /// Of how many.
        of: usize,
        /// The limit, in seconds.
        limit: f64,
    },
    /// A log without an end lacks the requests that were in flight then, and without them the load that was held is not known.
    Concurrency {
        /// Asked for.
        asked: u64,
        /// Held at least.
        held: f64,
    },
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NoRequests => f.write_str("no request ended"),
            Self::NotProbed => {
                f.write_str("the load was over before the client's event loop was probed")
            }
            Self::NoPulse => {
                f.write_str("the log breaks off before it tells anything of the client itself")
            }
            Self::Stalls { late, of, limit } => write!(
                f,
                "the log has no end, and what is left does not tell how long the client's event loop was late: in {late} of {of} \
                 {} it was by more than {:.1} ms at some moment",
                if of == 1 { "second" } else { "seconds" },
                limit * 1e3
            ),
            Self::Concurrency { asked, held } => write!(
                f,
                "the log has no end and lacks the requests that were in flight then: {held:.1} of {asked} asked for are certain"
            ),
        }
    }
}
