//! What several prompts have in common, made once, by whichever thread needs it first.
//!
//! What is made is a pure function of its address, so that keeping it changes no prompt, and where too much would be kept it
//! is made anew each time.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::DatasetError;
use crate::seed::Seed;

/// Things by their addresses.
pub(super) struct Once<T>(Mutex<HashMap<u64, Made<T>>>);

type Made<T> = Arc<OnceLock<Result<T, DatasetError>>>;

impl<T: Clone> Once<T> {
    /// What is at that address: as it was made once, or as `make` makes it. No more than `most` things are kept.
    pub(super) fn at(
        &self,
        address: Seed,
        most: usize,
        make: impl FnOnce() -> Result<T, DatasetError>,
    ) -> Result<T, DatasetError> {
        match self.place(address, most) {
            // Others who want it wait for it; those who want another thing do not.
            Some(place) => place.get_or_init(make).clone(),
            None => make(),
        }
    }

    fn place(&self, address: Seed, most: usize) -> Option<Made<T>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match kept.get(&address.number()) {
            Some(place) => Some(Arc::clone(place)),
            None if kept.len() >= most => None,
            None => Some(Arc::clone(kept.entry(address.number()).or_default())),
        }
    }
}

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> fmt::Debug for Once<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Once").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn a_thing_is_made_once_however_many_threads_want_it() {
        let (once, made) = (Once::default(), AtomicU32::new(0));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for number in 0..3 {
                        let thing = once.at(Seed::new(number), 3, || {
                            made.fetch_add(1, Ordering::Relaxed);
                            Ok(number)
                        });
                        assert_eq!(thing.unwrap(), number);
                    }
                });
            }
        });
        assert_eq!(made.into_inner(), 3);
    }

    #[test]
    fn what_is_too_much_to_keep_is_made_anew() {
        let once = Once::default();
        let at = |number, thing| once.at(Seed::new(number), 2, || Ok(thing)).unwrap();
        assert_eq!([at(1, 'a'), at(2, 'b'), at(3, 'c')], ['a', 'b', 'c']);
        assert_eq!([at(1, 'x'), at(2, 'x'), at(3, 'x')], ['a', 'b', 'x']);
    }
}
