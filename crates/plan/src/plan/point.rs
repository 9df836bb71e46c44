//! A point of the sweep: how much is asked, and when.

use std::num::{NonZeroU64, NonZeroUsize};

use tokometer_workload::arrivals::{self, Arrivals};
use tokometer_workload::load::Load;
use tokometer_workload::seed::Seed;

use crate::config::{self, RampShape};
use crate::written::{Burstiness, Pace, Rate};

/// A point of the sweep.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// The load, ready for the engine; but for [`Pacing::Recorded`], whose moments stand in the dataset. There its arrivals are
    /// [`Arrivals::AtOnce`] until the dataset was opened, and whoever opens it puts [`Arrivals::Trace`] in their place.
    pub load: Load,
    /// The most requests in flight at once. `None` in open loop.
    pub parallel: Option<NonZeroUsize>,
    /// When requests are wanted.
    pub pacing: Pacing,
    /// Requests, the warm-up not counted.
    pub number: NonZeroU64,
    /// A seed of the point's own, so that its prompts are not those of the point before.
    pub seed: Seed,
    /// Where in the dataset, or in the vocabulary, its prompts begin.
    pub offset: u64,
}

/// When requests are wanted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pacing {
    /// As soon as there is a place: under a cap a closed loop, without one all at once.
    AtOnce,
    /// So many a second.
    Rate {
        /// Requests per second, in the mean.
        rate: Rate,
        /// How even the gaps are. `None`: a Poisson process, as with a burstiness of 1.
        burstiness: Option<Burstiness>,
    },
    /// At a rate that changes over the point's time.
    Ramp(Ramp),
    /// At the moments that the dataset recorded.
    Recorded,
}

/// A rate that changes over a point's time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ramp {
    /// How it changes.
    pub shape: RampShape,
    /// Requests per second at the beginning: finite; above zero in an exponential one, zero or more in a linear one.
    pub from: f64,
    /// Requests per second at the end, likewise. One of both is above zero.
    pub to: f64,
    /// How even the gaps are. `None`: a Poisson process, as with a burstiness of 1.
    pub burstiness: Option<Burstiness>,
}

impl Point {
    /// All requests of the point, the warm-up included.
    pub fn requests(&self) -> u64 {
        self.number.get() + self.load.warmup.requests()
    }

    /// How many requests are in flight at once whatever the server does: all places of a cap, or all requests where nothing limits
    /// them. `None` where a schedule paces requests and nothing caps them.
    pub fn at_once(&self) -> Option<u64> {
        match (self.parallel, self.pacing) {
            (Some(parallel), _) => Some(parallel.get() as u64),
            (None, Pacing::AtOnce) => Some(self.number.get().max(self.load.warmup.requests())),
            (None, _) => None,
        }
    }

    /// The one rate at which requests are wanted. `None` where it changes, or none was given.
    pub const fn rate(&self) -> Option<Rate> {
        match self.pacing {
            Pacing::Rate { rate, .. } => Some(rate),
            _ => None,
        }
    }

    pub(super) fn to_config(&self) -> config::Point {
        let mut point = config::Point {
            parallel: self.parallel.and_then(|n| u32::try_from(n.get()).ok()?.try_into().ok()),
            rate: None,
            burstiness: None,
            ramp: None,
            recorded: None,
            number: self.number,
        };
        match self.pacing {
            // A cap says it by itself.
            Pacing::AtOnce => point.rate = self.parallel.is_none().then_some(Pace::AtOnce),
            Pacing::Rate { rate, burstiness } => {
                point.rate = Some(Pace::Rate(rate));
                point.burstiness = burstiness;
            }
            Pacing::Ramp(Ramp { shape, from, to, burstiness }) => {
                point.ramp = Some(config::Ramp { shape, from, to });
                point.burstiness = burstiness;
            }
            Pacing::Recorded => point.recorded = Some(true),
        }
        point
    }
}

impl Pacing {
    /// The arrival process, as far as it is known without the dataset.
    pub(crate) fn arrivals(self) -> Arrivals {
        match self {
            Self::AtOnce | Self::Recorded => Arrivals::AtOnce,
            Self::Rate { rate, burstiness } => {
                let rate = rate.per_second();
                match burstiness.map_or(POISSON, Burstiness::shape) {
                    POISSON => Arrivals::Poisson { rate },
                    f64::INFINITY => Arrivals::Constant { rate },
                    burstiness => Arrivals::Gamma { rate, burstiness },
                }
            }
            Self::Ramp(Ramp { shape, from, to, burstiness }) => Arrivals::Ramp(arrivals::Ramp {
                shape: match shape {
                    RampShape::Linear => arrivals::Shape::Linear,
                    RampShape::Exponential => arrivals::Shape::Exponential,
                },
                from,
                to,
                burstiness: burstiness.map_or(POISSON, Burstiness::shape),
            }),
        }
    }
}

/// The burstiness at which a gamma process is a Poisson process.
const POISSON: f64 = 1.0;
