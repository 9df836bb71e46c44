//! Ranges and lists of replicas and loads, and the ladders on which the most load is sought.
//!
//! Deliberately knows no deployment: what is sought on a ladder is others' affair.

use tokometer_report::capacity::Load;

/// Numbers of replicas, ascending, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Replicas(pub(super) Vec<u32>);

/// Loads.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Span {
    /// Any from one to another, both included.
    Range(f64, f64),
    /// These alone, ascending, each once.
    List(Vec<f64>),
}

/// Reads `1..16`, `1,2,4` and `1..4,8`.
pub(super) fn replicas(text: &str) -> Result<Replicas, String> {
    let refuse =
        || format!("takes a range (1..16) or a list (1,2,4), of 1 to {MOST_REPLICAS} replicas");
    let number = |text: &str| {
        let number = text.trim().parse::<u32>().ok();
        number.filter(|number| (1..=MOST_REPLICAS).contains(number)).ok_or_else(refuse)
    };
    let mut all = Vec::new();
    for part in text.split(',') {
        match part.split_once("..") {
            Some((low, high)) => {
                let (low, high) = (number(low)?, number(high)?);
                if low > high {
                    return Err(format!("goes from {low} down to {high}: put the lesser first"));
                }
                all.extend(low..=high);
            }
            None => all.push(number(part)?),
        }
    }
    all.sort_unstable();
    all.dedup();
    Ok(Replicas(all))
}

/// Reads `1..200` and `5,10,20`: requests a second.
pub(super) fn rates(text: &str) -> Result<Span, String> {
    span(text, |text| {
        let rate = text.trim().parse::<f64>().ok();
        rate.filter(|rate| (LEAST_RATE..=MOST_RATE).contains(rate)).ok_or_else(|| {
            format!("takes a range (1..200) or a list (5,10,20), of {LEAST_RATE} to {MOST_RATE} requests a second")
        })
    })
}

/// Reads `1..500` and `1,10,100`: users.
pub(super) fn users(text: &str) -> Result<Span, String> {
    span(text, |text| {
        let users = text.trim().parse::<u32>().ok();
        let users = users.filter(|users| (1..=MOST_USERS).contains(users));
        users.map(f64::from).ok_or_else(|| {
            format!("takes a range (1..500) or a list (1,10,100), of 1 to {MOST_USERS} users")
        })
    })
}

fn span(text: &str, number: impl Fn(&str) -> Result<f64, String>) -> Result<Span, String> {
    if let Some((low, high)) = text.split_once("..") {
        let (low, high) = (number(low)?, number(high)?);
        return match low.total_cmp(&high) {
            std::cmp::Ordering::Less => Ok(Span::Range(low, high)),
            std::cmp::Ordering::Equal => Ok(Span::List(vec![low])),
            std::cmp::Ordering::Greater => {
                Err(format!("goes from {low} down to {high}: put the lesser first"))
            }
        };
    }
    let mut all: Vec<f64> = text.split(',').map(number).collect::<Result<_, _>>()?;
    all.sort_unstable_by(f64::total_cmp);
    all.dedup();
    Ok(Span::List(all))
}

impl Span {
    /// The loads among which the most is sought, ascending: those of a list, and of a range steps of 1 % to three figures, or of one
    /// user. Never empty.
    pub(super) fn ladder(&self, load: Load) -> Vec<f64> {
        let (low, high) = match self {
            Self::List(all) => return all.clone(),
            Self::Range(low, high) => (*low, *high),
        };
        let mut ladder = vec![low];
        let mut last = low;
        loop {
            let wanted = last * (1.0 + STEP);
            let next = match load {
                Load::Users => wanted.round().max(last + 1.0),
                Load::Rate => three_figures(wanted).max(three_figures(last + unit(last))),
            };
            if next >= high {
                ladder.push(high);
                return ladder;
            }
            ladder.push(next);
            last = next;
        }
    }

    /// Its ends.
    pub(super) fn ends(&self) -> (f64, f64) {
        match self {
            Self::Range(low, high) => (*low, *high),
            Self::List(all) => {
                (all.first().copied().unwrap_or_default(), all.last().copied().unwrap_or_default())
            }
        }
    }
}

/// Round loads from a little below `low` up to `high`, a dozen at most: 1, 2, 3, 5, 7, 10, 20, …
pub(super) fn round_loads(low: f64, high: f64) -> Vec<f64> {
    let of = |digits: &[f64]| -> Vec<f64> {
        let decades = (low.log10().floor() as i32 - 1)..=(high.log10().ceil() as i32);
        let all = decades.flat_map(|decade| digits.iter().map(move |digit| scaled(*digit, decade)));
        all.filter(|load| 0.5 * low <= *load && *load <= high).collect()
    };
    let fine = of(&[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0]);
    let middle = of(&[1.0, 2.0, 3.0, 5.0, 7.0]);
    let coarse = of(&[1.0, 2.0, 5.0]);
    [fine, middle].into_iter().find(|loads| loads.len() <= 12).unwrap_or(coarse)
}

/// The load in three figures, as near to its decimals as a number can be.
pub(super) fn three_figures(load: f64) -> f64 {
    let decade = load.log10().floor() as i32 - 2;
    scaled((load / 10_f64.powi(decade)).round(), decade)
}

/// One in the third figure.
fn unit(load: f64) -> f64 {
    10_f64.powi(load.log10().floor() as i32 - 2)
}

fn scaled(digits: f64, decade: i32) -> f64 {
    match decade {
        0.. => digits * 10_f64.powi(decade),
        _ => digits / 10_f64.powi(-decade),
    }
}

/// How far the loads of a ladder lie apart, at least.
pub(super) const STEP: f64 = 0.01;

const MOST_REPLICAS: u32 = 1_024;
const LEAST_RATE: f64 = 0.001;
const MOST_RATE: f64 = 1e6;
const MOST_USERS: u32 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_are_a_range_a_list_or_both() {
        assert_eq!(replicas("1..4").unwrap().0, [1, 2, 3, 4]);
        assert_eq!(replicas("8,1..2,2").unwrap().0, [1, 2, 8]);
        assert_eq!(replicas("3").unwrap().0, [3]);
        for wrong in ["", "0", "4..1", "1..", "1..2000", "x", "-1", "1.5"] {
            assert!(replicas(wrong).is_err(), "{wrong}");
        }
        assert!(replicas("4..1").unwrap_err().contains("put the lesser first"));
    }

    #[test]
    fn loads_are_a_range_or_a_list() {
        assert_eq!(rates("0.5..20"), Ok(Span::Range(0.5, 20.0)));
        assert_eq!(rates("20,5,5"), Ok(Span::List(vec![5.0, 20.0])));
        assert_eq!(rates("7..7"), Ok(Span::List(vec![7.0])));
        assert_eq!(users("1..10"), Ok(Span::Range(1.0, 10.0)));
        for wrong in ["", "0", "-1..5", "nan", "inf", "5..1", "1e9"] {
            assert!(rates(wrong).is_err(), "{wrong}");
        }
        assert!(users("1.5").is_err());
    }

    #[test]
    fn a_ladder_climbs_in_steps_of_one_per_cent_from_end_to_end() {
        let ladder = Span::Range(1.0, 200.0).ladder(Load::Rate);
        assert_eq!((ladder[0], ladder[1], ladder.last()), (1.0, 1.01, Some(&200.0)));
        assert!(ladder.windows(2).all(|pair| {
            let ratio = pair[1] / pair[0];
            1.0 < ratio && ratio < 1.0151
        }));
        assert!(ladder.iter().all(|load| three_figures(*load) == *load), "{ladder:?}");
        assert!(ladder.len() < 600);
        let users = Span::Range(1.0, 1000.0).ladder(Load::Users);
        assert_eq!(users[..3], [1.0, 2.0, 3.0]);
        assert!(users.iter().all(|users| users.fract() == 0.0));
    }

    #[test]
    fn round_loads_are_a_dozen_at_most() {
        assert_eq!(round_loads(10.0, 20.0), [5.0, 6.0, 8.0, 10.0, 15.0, 20.0]);
        assert!(round_loads(0.3, 5_000.0).len() <= 14);
        assert_eq!(round_loads(4.0, 60.0).first(), Some(&2.0));
    }
}
