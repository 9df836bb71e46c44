//! What tokens cost where the price of the machines is given.
//!
//! Deliberately knows no prices and no currency: whoever gives a price knows its currency, and what it pays for.

/// What a million tokens cost: `price_per_hour` ÷ (`tokens_per_second` × 3600) × 1,000,000, in the currency of the price.
///
/// The price is that of everything that serves (of all GPUs together, not of one), and the tokens are those of the same: output
/// tokens for a price of output, input and output together for a price of both. It is the cost at this load, as if the machines did
/// nothing else and were never idle; with tokens of successes alone, failed requests make the rest dearer.
///
/// `None` where no token came, and where a figure is negative or not finite.
pub fn per_million(price_per_hour: f64, tokens_per_second: f64) -> Option<f64> {
    let priced = price_per_hour.is_finite() && price_per_hour >= 0.0;
    let flows = tokens_per_second.is_finite() && tokens_per_second > 0.0;
    let cost = price_per_hour / (tokens_per_second * SECONDS_PER_HOUR) * MILLION;
    (priced && flows && cost.is_finite()).then_some(cost)
}

const SECONDS_PER_HOUR: f64 = 3_600.0;

const MILLION: f64 = 1e6;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_million_tokens_cost_what_the_hours_cost_that_they_take() {
        // 1,000 tokens a second are 3.6 million an hour.
        assert_eq!(per_million(3.6, 1_000.0).map(|cost| (cost * 1e9).round()), Some(1e9));
        // Twice the tokens at the same price cost half.
        assert_eq!(per_million(3.6, 2_000.0).map(|cost| (cost * 1e9).round()), Some(5e8));
        assert_eq!(per_million(0.0, 5.0), Some(0.0));
    }

    #[test]
    fn what_never_comes_has_no_cost() {
        assert_eq!(per_million(2.0, 0.0), None);
        assert_eq!((per_million(2.0, -1.0), per_million(-2.0, 1.0)), (None, None));
        assert_eq!((per_million(f64::NAN, 1.0), per_million(1.0, f64::INFINITY)), (None, None));
        assert_eq!(per_million(f64::MAX, f64::MIN_POSITIVE), None);
    }

    proptest! {
        #[test]
        fn no_cost_is_nan_infinite_or_negative(price: f64, rate: f64) {
            prop_assert!(per_million(price, rate).is_none_or(|cost| cost.is_finite() && cost >= 0.0));
        }
    }
}
