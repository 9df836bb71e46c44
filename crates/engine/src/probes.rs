//! Side probes: a small request at a steady rate beside a load, to feel what an idle user would.
//!
//! They are an open loop like any other, run by the same driver over connections of their own, so that neither the load's cap nor its
//! queue keeps them waiting. They begin and end with the load, and earlier where the user wants that. Deliberately not shown to the
//! load's spectators.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokometer_clock::Timer;
use tokometer_record::Phase;
use tokometer_workload::Ask;
use tokometer_workload::arrivals::Arrivals;
use tokometer_workload::load::{Load, Stop, Warmup};
use tokometer_workload::seed::Seed;

use crate::Event;
use crate::drive::{Crew, Drive};
use crate::live::{Interrupt, Urgency};
use crate::transport::Connect;

/// Probes that are ready to begin.
pub(crate) struct Probes<C: Connect> {
    pub(crate) crew: Crew<C>,
    /// Probes per second.
    pub(crate) rate: f64,
    pub(crate) ask: Ask,
    pub(crate) seed: Seed,
    pub(crate) timer: Timer,
    pub(crate) drain: Duration,
    pub(crate) events: Sender<Event>,
}

/// Probes under way.
pub(crate) struct Probing {
    /// Their own, for they end with the load.
    interrupt: Interrupt,
    task: JoinHandle<()>,
}

impl<C: Connect> Probes<C> {
    /// Begins to probe. What the user asks of the load is asked of the probes too.
    pub(crate) fn start(self, user: &Interrupt) -> Probing {
        let interrupt = Interrupt::default();
        let (own, user) = (interrupt.clone(), user.clone());
        let runtime = self.crew.runtime.clone();
        let task = runtime.spawn(async move {
            tokio::select! {
                () = self.run(&own) => {}
                () = pass_on(&user, &own) => {}
            }
        });
        Probing { interrupt, task }
    }

    async fn run(self, interrupt: &Interrupt) {
        let load = Load {
            arrivals: Arrivals::Constant { rate: self.rate },
            in_flight: None,
            stop: Stop { requests: u64::MAX - FIRST, after: None },
            warmup: Warmup::None,
        };
        let drive = Drive {
            load: &load,
            asks: &Arc::from([self.ask]),
            seed: self.seed,
            phase: Phase::Probe,
            first: FIRST,
            crews: &[self.crew],
            timer: &self.timer,
            drain: self.drain,
            events: &self.events,
            interrupt,
        };
        drive.run().await;
    }
}

/// Passes on what is asked of one to the other. Never returns.
async fn pass_on(from: &Interrupt, to: &Interrupt) {
    for urgency in [Urgency::Drain, Urgency::Stop] {
        from.reached(urgency).await;
        to.raise(urgency);
    }
    std::future::pending().await
}

impl Probing {
    /// Sends no more and awaits what is in flight, as patiently as the user is.
    pub(crate) async fn end(self) {
        self.interrupt.raise(Urgency::Drain);
        // A probe that panics has told of itself; the load's figures stand without it.
        let _ = self.task.await;
    }
}

/// The index of the first probe: far from those of a load's own requests.
const FIRST: u64 = 1 << 48;
