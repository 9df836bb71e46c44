//! The search for the least of a function of a few variables: the simplex of Nelder and Mead.
//!
//! What is sought here cannot be derived: a forecast leaps whenever a request makes or misses a step. Of the methods that need no
//! derivative this is the one that a page holds. `argmin` has it too, among a framework of solvers, and brings a dozen crates of
//! numbers and errors for it. Deliberately draws nothing: the same function gives the same answer.

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Least {
    /// Where.
    pub(super) at: Vec<f64>,
    /// How little.
    pub(super) value: f64,
    /// How often the function was asked.
    pub(super) asked: usize,
}

/// Seeks from each place of `from` for a while, and from where that led lowest until nothing is gained any more; `width` is how far it looks
/// about a place at first, and `turns` how many turns it may take before it begins anew. A value that is no number counts as more than
/// any other.
pub(super) fn least(
    from: &[Vec<f64>],
    width: f64,
    turns: usize,
    of: &mut dyn FnMut(&[f64]) -> f64,
) -> Least {
    let mut asked = 0;
    let mut ask = |at: &[f64]| {
        asked += 1;
        let value = of(at);
        (at.to_vec(), if value.is_nan() { f64::INFINITY } else { value })
    };
    // A valley that is entered from one side only need not be the lowest.
    let mut best = (Vec::new(), f64::INFINITY);
    for from in from {
        let begin = ask(from);
        let found = descend(begin, width, turns / WHILE, &mut ask);
        if found.1 < best.1 || best.0.is_empty() {
            best = found;
        }
    }
    // A simplex may shrink too early: it begins anew where it ended, until that gains nothing.
    for _ in 0..RESTARTS {
        let before = best.1;
        best = descend(best, width, turns, &mut ask);
        if before - best.1 <= GAIN * before {
            break;
        }
    }
    Least { at: best.0, value: best.1, asked }
}

/// A place, and the function's value there.
type Corner = (Vec<f64>, f64);

fn descend(
    from: Corner,
    width: f64,
    turns: usize,
    ask: &mut dyn FnMut(&[f64]) -> Corner,
) -> Corner {
    let n = from.0.len();
    let mut corners = vec![from];
    for variable in 0..n {
        let mut at = corners[0].0.clone();
        at[variable] += width;
        corners.push(ask(&at));
    }
    let mut left = turns;
    loop {
        corners.sort_by(|a, b| a.1.total_cmp(&b.1));
        let (least, worst) = (corners[0].1, corners[n].1);
        if n == 0 || left == 0 || worst - least <= FLAT * (worst.abs() + least.abs()) + TINY {
            return corners.swap_remove(0);
        }
        left -= 1;
        let centre: Vec<f64> = (0..n)
            .map(|i| corners[..n].iter().map(|corner| corner.0[i]).sum::<f64>() / n as f64)
            .collect();
        let towards = |corner: &Corner, by: f64| -> Vec<f64> {
            centre.iter().zip(&corner.0).map(|(c, x)| c + by * (x - c)).collect()
        };
        let reflected = ask(&towards(&corners[n], -1.0));
        corners[n] = if reflected.1 < least {
            let further = ask(&towards(&corners[n], -2.0));
            if further.1 < reflected.1 { further } else { reflected }
        } else if reflected.1 < corners[n - 1].1 {
            reflected
        } else {
            let nearer = if reflected.1 < worst { -0.5 } else { 0.5 };
            let contracted = ask(&towards(&corners[n], nearer));
            if contracted.1 < reflected.1.min(worst) {
                contracted
            } else {
                shrink(&mut corners, ask);
                continue;
            }
        };
    }
}

/// Draws every corner half way to the best one.
fn shrink(corners: &mut [Corner], ask: &mut dyn FnMut(&[f64]) -> Corner) {
    let Some((best, others)) = corners.split_first_mut() else { return };
    for corner in others {
        let half: Vec<f64> = best.0.iter().zip(&corner.0).map(|(b, x)| (b + x) / 2.0).collect();
        *corner = ask(&half);
    }
}

/// Of the turns from the lowest place, each other place has one in so many.
const WHILE: usize = 3;

/// How often the search may begin anew.
const RESTARTS: usize = 4;

/// A restart must lessen the value by this share to be followed by another.
const GAIN: f64 = 0.01;

/// A simplex whose values differ by less than this share has found what it can.
const FLAT: f64 = 1e-4;

/// … or by less than this altogether.
const TINY: f64 = 1e-12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_bottom_of_a_bent_valley() {
        let rosenbrock = |x: &[f64]| (1.0 - x[0]).powi(2) + 100.0 * (x[1] - x[0] * x[0]).powi(2);
        let found = least(&[vec![-1.2, 1.0]], 0.5, 2000, &mut |x| rosenbrock(x));
        assert!((found.at[0] - 1.0).abs() < 1e-2 && (found.at[1] - 1.0).abs() < 2e-2, "{found:?}");
    }

    #[test]
    fn steps_and_what_is_no_number_do_not_lead_it_astray() {
        let mut steps = |x: &[f64]| match x[0] < 0.0 {
            true => f64::NAN,
            false => ((x[0] - 2.0).abs() * 50.0).floor() / 50.0 + (x[1] - 1.0).abs(),
        };
        let found = least(&[vec![0.1, 5.0]], 0.5, 500, &mut steps);
        assert!((found.at[0] - 2.0).abs() < 0.1 && (found.at[1] - 1.0).abs() < 0.1, "{found:?}");
    }

    #[test]
    fn without_variables_there_is_only_one_answer() {
        assert_eq!(
            least(&[Vec::new()], 0.5, 10, &mut |_| 3.0),
            Least { at: Vec::new(), value: 3.0, asked: 1 }
        );
    }

    #[test]
    fn asks_no_more_than_it_may() {
        let found = least(&[vec![1.0, 1.0]], 0.5, 10, &mut |x| x[0] * x[0] + x[1] * x[1]);
        // Each turn asks twice, or four times where it shrinks; then there are the corners of each beginning.
        assert!(found.asked <= 1 + (1 + RESTARTS) * (2 + 10 * 4), "{}", found.asked);
    }

    #[test]
    fn of_two_valleys_it_finds_the_deeper_if_one_place_is_near_it() {
        let mut valleys = |x: &[f64]| ((x[0] - 1.0).powi(2) + 0.5).min((x[0] - 9.0).powi(2));
        let found = least(&[vec![0.0], vec![8.0]], 0.5, 60, &mut valleys);
        assert!((found.at[0] - 9.0).abs() < 0.05, "{found:?}");
    }
}
