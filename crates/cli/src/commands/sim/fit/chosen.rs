//! Which points are fitted to, and which are held out to see what the fit is worth.
//!
//! Deliberately knows no log: a point is known by its load.

use tokometer_sim::fit::Place;

use crate::trouble::Trouble;

/// What `--points` and `--holdout` say.
#[derive(Debug)]
pub(super) struct Points {
    fitted: Vec<f64>,
    held_out: Vec<f64>,
}

/// What a point is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It is fitted to.
    Fitted,
    /// It is forecast with what was fitted to others.
    HeldOut,
}

impl Points {
    /// Both lists.
    ///
    /// # Errors
    /// If a point is in both.
    pub(super) fn new(fitted: &[f64], held_out: &[f64]) -> Result<Self, Trouble> {
        match held_out.iter().find(|point| fitted.contains(point)) {
            Some(both) => Err(Trouble::input(format!("--holdout: {both} is among the --points too"))
                .with_hint("a point that was fitted to shows nothing of what the fit is worth: leave it out of one of them")),
            None => Ok(Self { fitted: fitted.to_vec(), held_out: held_out.to_vec() }),
        }
    }

    /// What the point is there for. `None` if it is not asked for.
    pub(super) fn role(&self, place: Place) -> Option<Role> {
        let among = |list: &[f64]| list.iter().any(|number| place.is(*number));
        match (among(&self.held_out), self.fitted.is_empty() || among(&self.fitted)) {
            (true, _) => Some(Role::HeldOut),
            (false, true) => Some(Role::Fitted),
            (false, false) => None,
        }
    }

    /// Refuses a number that no point has.
    ///
    /// # Errors
    /// If there is one.
    pub(super) fn check(&self, places: &[Place]) -> Result<(), Trouble> {
        let lists = [("--points", &self.fitted), ("--holdout", &self.held_out)];
        for (flag, list) in lists {
            let missing = list.iter().find(|number| !places.iter().any(|place| place.is(**number)));
            if let Some(missing) = missing {
                let mut there: Vec<String> = places.iter().map(Place::to_string).collect();
                there.dedup();
                return Err(Trouble::input(format!("{flag}: the runs have no point {missing}"))
                    .with_hint(format!("they have {}", there.join(", "))));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_word_every_point_is_fitted_to_but_those_held_out() {
        let points = Points::new(&[], &[8.0]).unwrap();
        assert_eq!(points.role(Place::InFlight(4)), Some(Role::Fitted));
        assert_eq!(points.role(Place::InFlight(8)), Some(Role::HeldOut));
        assert_eq!(points.role(Place::Scheduled), Some(Role::Fitted));
    }

    #[test]
    fn what_is_named_nowhere_is_left_out() {
        let points = Points::new(&[1.0, 2.5], &[8.0]).unwrap();
        assert_eq!(points.role(Place::Rate(2.5)), Some(Role::Fitted));
        assert_eq!(points.role(Place::InFlight(16)), None);
    }

    #[test]
    fn a_point_cannot_be_both_and_must_be_there() {
        let both = Points::new(&[1.0, 8.0], &[8.0]).unwrap_err();
        assert!(both.to_string().starts_with("error: --holdout: 8 is among the --points too\n"));
        let points = Points::new(&[2.0], &[]).unwrap();
        let missing = points.check(&[Place::InFlight(1), Place::InFlight(4)]).unwrap_err();
        assert_eq!(
            missing.to_string(),
            "error: --points: the runs have no point 2\nhint: they have 1, 4"
        );
    }
}
