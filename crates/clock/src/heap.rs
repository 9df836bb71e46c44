//! Deadlines in order, each of which can be moved or taken out again.
//!
//! A sleep that ends early, and timeouts nearly always do, must leave nothing behind: with a plain heap a million requests under
//! a limit of ten minutes would leave a million dead entries. So every sleep keeps a seat that knows its place in the heap. This
//! file deliberately knows no clock and no descriptor.

use std::task::Waker;

use tokio::time::Instant;

/// Deadlines and whom to wake, the earliest first.
#[derive(Debug, Default)]
pub(crate) struct Heap {
    /// A binary heap: no entry is earlier than the one at half its place.
    order: Vec<Entry>,
    seats: Vec<Seat>,
    vacant: Vec<Key>,
}

/// A seat in a heap, kept until it is given back with [`Heap::leave`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(usize);

#[derive(Clone, Copy, Debug)]
struct Entry {
    deadline: Instant,
    key: Key,
}

#[derive(Debug, Default)]
struct Seat {
    /// Where in `order` its deadline stands. `None` while it waits for nothing.
    place: Option<usize>,
    waker: Option<Waker>,
}

impl Heap {
    /// The earliest deadline.
    pub(crate) fn first(&self) -> Option<Instant> {
        self.order.first().map(|entry| entry.deadline)
    }

    /// Takes a seat, which waits for nothing yet.
    pub(crate) fn sit(&mut self) -> Key {
        self.vacant.pop().unwrap_or_else(|| {
            self.seats.push(Seat::default());
            Key(self.seats.len() - 1)
        })
    }

    /// Gives a seat back. The waker it held comes back too, for dropping one may run foreign code.
    pub(crate) fn leave(&mut self, key: Key) -> Option<Waker> {
        if let Some(place) = self.seats[key.0].place.take() {
            self.take_out(place);
        }
        self.vacant.push(key);
        self.seats[key.0].waker.take()
    }

    /// Has `waker` woken at `deadline`, in place of whatever the seat waited for before. A waker that is no longer needed comes
    /// back.
    pub(crate) fn wait(&mut self, key: Key, deadline: Instant, waker: &Waker) -> Option<Waker> {
        let seat = &mut self.seats[key.0];
        let place = match seat.place {
            Some(place) => {
                self.order[place].deadline = deadline;
                place
            }
            None => {
                self.order.push(Entry { deadline, key });
                self.order.len() - 1
            }
        };
        seat.place = Some(place);
        let old = match &seat.waker {
            Some(held) if held.will_wake(waker) => None,
            _ => seat.waker.replace(waker.clone()),
        };
        self.settle(place);
        old
    }

    /// Moves every waker whose deadline is not after `now` into `due`, in order of deadline. Their seats stay taken.
    pub(crate) fn take_due(&mut self, now: Instant, due: &mut Vec<Waker>) {
        while let Some(&Entry { deadline, key }) = self.order.first()
            && deadline <= now
        {
            self.seats[key.0].place = None;
            self.take_out(0);
            due.extend(self.seats[key.0].waker.take());
        }
    }

    /// How many seats wait.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    fn take_out(&mut self, place: usize) {
        self.order.swap_remove(place);
        if place < self.order.len() {
            self.settle(place);
        }
    }

    /// Moves the entry at `place` up or down to where it belongs.
    fn settle(&mut self, mut place: usize) {
        let entry = self.order[place];
        while place > 0 && entry.deadline < self.order[(place - 1) / 2].deadline {
            self.put(place, self.order[(place - 1) / 2]);
            place = (place - 1) / 2;
        }
        while let Some(child) = self.earlier_child(place)
            && self.order[child].deadline < entry.deadline
        {
            self.put(place, self.order[child]);
            place = child;
        }
        self.put(place, entry);
    }

    fn earlier_child(&self, place: usize) -> Option<usize> {
        let (left, right) = (2 * place + 1, 2 * place + 2);
        let earlier = match (self.order.get(left), self.order.get(right)) {
            (Some(one), Some(other)) if other.deadline < one.deadline => right,
            (Some(_), _) => left,
            (None, _) => return None,
        };
        Some(earlier)
    }

    fn put(&mut self, place: usize, entry: Entry) {
        self.order[place] = entry;
        self.seats[entry.key.0].place = Some(place);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;
    use std::time::Duration;

    use super::*;

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Bell(AtomicUsize);

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn deadlines_come_out_in_order() {
        let (mut heap, start) = (Heap::default(), Instant::now());
        let bells = [30, 10, 20].map(|millis| {
            let bell = Arc::new(Bell::default());
            let key = heap.sit();
            heap.wait(key, start + Duration::from_millis(millis), &bell.clone().into());
            bell
        });
        let mut due = Vec::new();
        heap.take_due(start + Duration::from_millis(20), &mut due);
        due.drain(..).for_each(Waker::wake);
        assert_eq!(bells.map(|bell| bell.0.load(Ordering::Relaxed)), [0, 1, 1]);
        assert_eq!(heap.first(), Some(start + Duration::from_millis(30)));
    }

    #[test]
    fn a_seat_given_back_leaves_nothing_behind() {
        let (mut heap, start) = (Heap::default(), Instant::now());
        let key = heap.sit();
        heap.wait(key, start, Waker::noop());
        assert!(heap.leave(key).is_some(), "its waker comes back");
        assert_eq!((heap.len(), heap.sit()), (0, key));
    }

    #[test]
    fn any_order_of_moves_agrees_with_a_sorted_map() {
        let (mut heap, start) = (Heap::default(), Instant::now());
        let mut model = BTreeMap::<usize, Instant>::new();
        let keys = (0..50).map(|_| heap.sit()).collect::<Vec<_>>();
        let mut bits = 7_u64;
        for _ in 0..20_000 {
            // A linear congruential generator, by Knuth's constants.
            bits = bits
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let (key, millis) = ((bits >> 33) as usize % 50, (bits >> 45) % 1000);
            let deadline = start + Duration::from_millis(millis);
            match (bits >> 40) % 4 {
                0 => {
                    heap.leave(keys[key]);
                    assert_eq!(heap.sit(), keys[key]);
                    model.remove(&key);
                }
                1 => {
                    let now = start + Duration::from_millis(millis / 4);
                    let mut due = Vec::new();
                    heap.take_due(now, &mut due);
                    let before = model.len();
                    model.retain(|_, deadline| *deadline > now);
                    assert_eq!(due.len(), before - model.len());
                }
                _ => {
                    heap.wait(keys[key], deadline, Waker::noop());
                    model.insert(key, deadline);
                }
            }
            assert_eq!(heap.first(), model.values().min().copied());
            assert_eq!(heap.len(), model.len());
        }
    }
}
