//! What requests are like: how long their prompts and outputs are, and which of them begin alike.
//!
//! Every draw is addressed: the i-th request is the same whatever else is asked for, so that two deployments, and two rates, are
//! compared under one and the same load. Deliberately no text: a forecast needs only lengths, and what blocks are called.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Arc;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

use super::Request;
use crate::model::{chain, log_normal};

/// What requests are like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Workload {
    /// Tokens of a prompt, without a shared beginning.
    pub input: Tokens,
    /// Tokens of an output.
    pub output: Tokens,
    /// What prompts begin with, where several begin alike.
    pub prefixes: Option<Prefixes>,
}

/// Beginnings that prompts share: each prompt has one of them, each as likely as another, before what is its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefixes {
    /// Tokens of each.
    pub tokens: NonZeroU32,
    /// How many different ones there are.
    pub kinds: NonZeroU32,
}

/// How many tokens: the same each time, or drawn. No draw is less than 1 or more than [`MOST_TOKENS`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tokens {
    /// Always as many.
    Fixed(u32),
    /// Any number between the two, both included, equally likely.
    Uniform {
        /// The fewest.
        low: u32,
        /// The most.
        high: u32,
    },
    /// The normal distribution, rounded.
    Normal {
        /// The mean.
        mean: f64,
        /// The standard deviation.
        deviation: f64,
    },
    /// The log-normal distribution, rounded: many short ones and a few very long ones, as people write.
    LogNormal {
        /// The mean of the lengths, not of their logarithms.
        mean: f64,
        /// The standard deviation of the lengths, not of their logarithms.
        deviation: f64,
    },
}

/// The most tokens of a prompt, or of an output.
pub const MOST_TOKENS: u32 = 10_000_000;

impl Workload {
    /// The first `count` requests for engines whose blocks have so many tokens. Only prompts that share a beginning have chains:
    /// those of others would name no block twice.
    pub fn requests(&self, count: usize, block_size: NonZeroU32, seed: u64) -> Vec<Request> {
        (0..count as u64).map(|index| self.request(index, block_size.get(), seed)).collect()
    }

    fn request(&self, index: u64, block_size: u32, seed: u64) -> Request {
        let own = self.input.draw(&mut rng(seed, Draw::Input, index));
        let output_tokens = self.output.draw(&mut rng(seed, Draw::Output, index));
        let Some(prefixes) = self.prefixes else {
            return Request { prompt_tokens: own, output_tokens, chain: Arc::new([]) };
        };
        let kind = rng(seed, Draw::Kind, index).random_range(0..prefixes.kinds.get());
        let shared = prefixes.tokens.get();
        let words = |mut rng: ChaCha8Rng, count: u32| (0..count).map(move |_| rng.random::<u32>());
        let beginning = words(rng(seed, Draw::Beginning, u64::from(kind)), shared);
        let rest = words(rng(seed, Draw::Rest, index), own.saturating_add(output_tokens));
        let chain = chain(beginning.chain(rest), block_size).into();
        Request { prompt_tokens: own.saturating_add(shared), output_tokens, chain }
    }
}

impl Tokens {
    /// The mean, before what is too little is raised.
    pub fn mean(&self) -> f64 {
        match *self {
            Self::Fixed(tokens) => f64::from(tokens),
            Self::Uniform { low, high } => f64::midpoint(f64::from(low), f64::from(high)),
            Self::Normal { mean, .. } | Self::LogNormal { mean, .. } => mean,
        }
    }

    fn draw(&self, rng: &mut ChaCha8Rng) -> u32 {
        let tokens = match *self {
            Self::Fixed(tokens) => f64::from(tokens),
            Self::Uniform { low, high } => f64::from(rng.random_range(low..=high.max(low))),
            Self::Normal { mean, deviation } => {
                let z: f64 = StandardNormal.sample(rng);
                (mean + z * deviation).round()
            }
            Self::LogNormal { mean, deviation } => {
                log_normal(mean, deviation, StandardNormal.sample(rng)).round()
            }
        };
        tokens.clamp(1.0, f64::from(MOST_TOKENS)) as u32
    }
}

impl FromStr for Tokens {
    type Err = String;

    /// Reads `512`, `256-1024`, `512±128` (or `512+-128`), `512~300`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let whole = |text: &str| {
            text.trim().parse::<u32>().ok().filter(|tokens| (1..=MOST_TOKENS).contains(tokens))
        };
        let real = |text: &str| {
            let number = text.trim().parse::<f64>().ok();
            number.filter(|number| {
                number.is_finite() && (0.0..=f64::from(MOST_TOKENS)).contains(number)
            })
        };
        let refuse = || format!("takes {FORMS}");
        let normal = text.split_once('±').or_else(|| text.split_once("+-"));
        if let Some((mean, deviation)) = normal {
            let mean = real(mean).filter(|mean| *mean >= 1.0).ok_or_else(refuse)?;
            return Ok(Self::Normal { mean, deviation: real(deviation).ok_or_else(refuse)? });
        }
        if let Some((mean, deviation)) = text.split_once('~') {
            let mean = real(mean).filter(|mean| *mean >= 1.0).ok_or_else(refuse)?;
            return Ok(Self::LogNormal { mean, deviation: real(deviation).ok_or_else(refuse)? });
        }
        if let Some((low, high)) = text.split_once('-') {
            let (low, high) = (whole(low).ok_or_else(refuse)?, whole(high).ok_or_else(refuse)?);
            return if low <= high { Ok(Self::Uniform { low, high }) } else { Err(refuse()) };
        }
        whole(text).map(Self::Fixed).ok_or_else(refuse)
    }
}

impl fmt::Display for Tokens {
    /// As it is read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(tokens) => write!(f, "{tokens}"),
            Self::Uniform { low, high } => write!(f, "{low}-{high}"),
            Self::Normal { mean, deviation } => write!(f, "{mean}±{deviation}"),
            Self::LogNormal { mean, deviation } => write!(f, "{mean}~{deviation}"),
        }
    }
}

/// What a draw is for. Draws for one purpose leave the others as they are.
#[derive(Clone, Copy)]
enum Draw {
    Input,
    Output,
    Kind,
    Beginning,
    Rest,
}

/// The generator for one purpose of one request, or of one beginning.
fn rng(seed: u64, draw: Draw, index: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(index * DRAWS + draw as u64);
    rng
}

/// How many purposes there may be.
const DRAWS: u64 = 8;

const FORMS: &str = "a number of tokens (512), a range (256-1024), a mean and a deviation (512±128, or 512+-128), or the same of a \
                     log-normal distribution (512~300)";

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: NonZeroU32 = NonZeroU32::new(16).unwrap();

    fn workload(input: &str, output: &str) -> Workload {
        Workload { input: input.parse().unwrap(), output: output.parse().unwrap(), prefixes: None }
    }

    fn inputs(form: &str) -> Vec<f64> {
        let requests = workload(form, "1").requests(20_000, BLOCK, 7);
        requests.iter().map(|request| f64::from(request.prompt_tokens)).collect()
    }

    fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        (mean, (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt())
    }

    #[test]
    fn lengths_are_distributed_as_their_form_says() {
        for (form, mean, deviation) in [
            ("512", 512.0, 0.0),
            // √((200² − 1) / 12)
            ("101-300", 200.5, 57.7),
            ("500±50", 500.0, 50.0),
            ("500+-50", 500.0, 50.0),
            ("500~300", 500.0, 300.0),
        ] {
            let (was, spread) = mean_and_deviation(&inputs(form));
            assert!((was - mean).abs() < 0.02 * mean, "{form}: mean {was}");
            assert!((spread - deviation).abs() <= 0.06 * deviation, "{form}: deviation {spread}");
        }
        let uniform = inputs("1-3");
        assert!(uniform.iter().all(|tokens| (1.0..=3.0).contains(tokens)));
        assert!(inputs("2±9").iter().all(|tokens| *tokens >= 1.0));
    }

    #[test]
    fn a_request_is_the_same_however_many_there_are_and_whatever_form_the_other_length_has() {
        let of = |input: &str, count| workload(input, "10-500").requests(count, BLOCK, 3);
        assert_eq!(of("10-90", 5), of("10-90", 50)[..5]);
        let outputs = |input| of(input, 9).iter().map(|r| r.output_tokens).collect::<Vec<_>>();
        assert_eq!(outputs("10-90"), outputs("64"));
        assert_eq!(outputs("10-90"), outputs("64~30"));
    }

    #[test]
    fn prompts_with_one_beginning_share_the_names_of_its_full_blocks_and_no_others() {
        let prefixes =
            Prefixes { tokens: NonZeroU32::new(40).unwrap(), kinds: NonZeroU32::new(2).unwrap() };
        let workload = Workload { prefixes: Some(prefixes), ..workload("24", "16") };
        let requests = workload.requests(40, BLOCK, 1);
        assert!(requests.iter().all(|r| r.prompt_tokens == 64 && r.chain.len() == 5));
        let first = &requests[0].chain;
        let (alike, others): (Vec<_>, Vec<_>) =
            requests[1..].iter().partition(|r| r.chain[0] == first[0]);
        assert!(alike.len() > 5 && others.len() > 5);
        for request in &alike {
            assert_eq!(request.chain[..2], first[..2]);
        }
        for request in requests[1..].iter() {
            assert!(request.chain[2..].iter().all(|name| !first.contains(name)));
        }
    }

    #[test]
    fn what_is_no_length_is_refused_with_the_forms_there_are() {
        for wrong in
            ["", "0", "x", "9-3", "-5", "5-", "±3", "0±3", "5±-1", "nan±1", "5~inf", "99999999999"]
        {
            let error = wrong.parse::<Tokens>().unwrap_err();
            assert!(
                error.starts_with("takes a number of tokens (512), a range"),
                "{wrong}: {error}"
            );
        }
        for right in ["7", "3-9", "5±2", "5~2.5"] {
            assert_eq!(right.parse::<Tokens>().unwrap().to_string(), right);
        }
    }
}
