//! Keys of a server whose requests each go at a pace of their own: `ttft_ms`, `itl_ms`, and how long outputs are.
//!
//! Deliberately knows no engine: what a deployment does instead is for `deployment`.

use std::time::Duration;

use crate::model::Delay;
use crate::options::query::{length, number, wrong};
use crate::options::{Group, Options, OptionsError};

/// The keys.
pub(super) const GROUP: Group = Group {
    title: "A pace of its own for each request, without engines",
    keys: &[
        ("ttft_ms", "mean time to the first token, in milliseconds"),
        ("ttft_dist", "its distribution: constant, normal, lognormal, exponential or uniform"),
        ("ttft_spread_ms", "its standard deviation; for uniform, how far it strays to either side"),
        ("itl_ms", "mean time from token to token, in milliseconds"),
        ("itl_dist", "its distribution"),
        ("itl_spread_ms", "its standard deviation; for uniform, how far it strays to either side"),
        ("tokens_per_chunk", "tokens that come together in one chunk"),
    ],
};

/// What was said of the pace.
#[derive(Default)]
pub(super) struct Said {
    ttft: Spread,
    itl: Spread,
    /// The first key that was given.
    pub(super) key: Option<String>,
}

impl Said {
    /// Takes one of [`GROUP`]'s keys.
    pub(super) fn set(
        &mut self,
        options: &mut Options,
        key: &str,
        value: &str,
    ) -> Result<(), OptionsError> {
        self.key.get_or_insert_with(|| key.to_owned());
        match key {
            "ttft_ms" => self.ttft.mean = Some(length(key, value)?),
            "ttft_dist" => self.ttft.form = Some(form(key, value)?),
            "ttft_spread_ms" => self.ttft.spread = Some(length(key, value)?),
            "itl_ms" => self.itl.mean = Some(length(key, value)?),
            "itl_dist" => self.itl.form = Some(form(key, value)?),
            "itl_spread_ms" => self.itl.spread = Some(length(key, value)?),
            "tokens_per_chunk" => options.tokens_per_chunk = number(key, value)?,
            _ => return Err(OptionsError::Unknown { key: key.to_owned() }),
        }
        Ok(())
    }

    /// Makes delays of it.
    pub(super) fn settle(&self, options: &mut Options) {
        options.ttft = self.ttft.over(options.ttft);
        options.itl = self.itl.over(options.itl);
    }
}

/// What a query says of a delay.
#[derive(Default)]
struct Spread {
    mean: Option<Duration>,
    form: Option<Form>,
    spread: Option<Duration>,
}

#[derive(Clone, Copy)]
enum Form {
    Constant,
    Normal,
    LogNormal,
    Exponential,
    Uniform,
}

impl Spread {
    /// The delay that is meant, where `default` is what it is when nothing is said. A spread without a form means normal.
    fn over(&self, default: Delay) -> Delay {
        let Delay::Constant(usual) = default else { return default };
        let mean = self.mean.unwrap_or(usual);
        let deviation = self.spread.unwrap_or(mean / 10);
        let form = self.form.unwrap_or(match self.spread {
            Some(_) => Form::Normal,
            None => Form::Constant,
        });
        match form {
            Form::Constant => Delay::Constant(mean),
            Form::Normal => Delay::Normal { mean, deviation },
            Form::LogNormal => Delay::LogNormal { mean, deviation },
            Form::Exponential => Delay::Exponential { mean },
            Form::Uniform => {
                Delay::Uniform { low: mean.saturating_sub(deviation), high: mean + deviation }
            }
        }
    }
}

fn form(key: &str, value: &str) -> Result<Form, OptionsError> {
    Ok(match value {
        "constant" => Form::Constant,
        "normal" => Form::Normal,
        "lognormal" => Form::LogNormal,
        "exponential" => Form::Exponential,
        "uniform" => Form::Uniform,
        _ => return Err(wrong(key, "constant, normal, lognormal, exponential or uniform", value)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    #[test]
    fn distributions_have_a_mean_and_a_spread() {
        let ttft = |query| Options::from_query(query).unwrap().ttft;
        let (mean, deviation) = (100 * MILLI, 20 * MILLI);
        assert_eq!(ttft("ttft_spread_ms=20"), Delay::Normal { mean, deviation });
        assert_eq!(
            ttft("ttft_dist=lognormal&ttft_spread_ms=20"),
            Delay::LogNormal { mean, deviation }
        );
        assert_eq!(ttft("ttft_dist=exponential"), Delay::Exponential { mean });
        let uniform = Delay::Uniform { low: 80 * MILLI, high: 120 * MILLI };
        assert_eq!(ttft("ttft_dist=uniform&ttft_spread_ms=20"), uniform);
    }
}
