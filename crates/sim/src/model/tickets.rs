//! What is kept of jobs that have not ended, by their tickets. Tickets follow each other, so nothing has to be searched.
//!
//! Deliberately knows nothing of what is kept: a fleet keeps where a job is, a server who waits for it.

use std::collections::VecDeque;

use crate::model::Ticket;

/// Something for each of the jobs that have not ended.
#[derive(Clone, Debug)]
pub(crate) struct ByTicket<T> {
    /// The ticket of the first that is held.
    first: u64,
    held: VecDeque<Option<T>>,
}

impl<T> Default for ByTicket<T> {
    fn default() -> Self {
        Self { first: 0, held: VecDeque::new() }
    }
}

impl<T> ByTicket<T> {
    /// Keeps something under the next ticket, from 0 on.
    pub(crate) fn push(&mut self, value: T) -> Ticket {
        self.held.push_back(Some(value));
        Ticket(self.first + self.held.len() as u64 - 1)
    }

    /// What is kept under that ticket.
    pub(crate) fn of(&mut self, ticket: Ticket) -> Option<&mut T> {
        self.held(ticket)?.as_mut()
    }

    /// Takes what is kept under that ticket. What is gone at the front is forgotten.
    pub(crate) fn take(&mut self, ticket: Ticket) -> Option<T> {
        let taken = self.held(ticket)?.take();
        while self.held.front().is_some_and(Option::is_none) {
            self.held.pop_front();
            self.first += 1;
        }
        taken
    }

    fn held(&mut self, ticket: Ticket) -> Option<&mut Option<T>> {
        let index = ticket.0.checked_sub(self.first)?;
        self.held.get_mut(usize::try_from(index).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_found_by_ticket_and_forgotten_from_the_front() {
        let mut kept = ByTicket { first: 7, ..ByTicket::default() };
        assert_eq!(["a", "b", "c"].map(|name| kept.push(name)), [7, 8, 9].map(Ticket));
        assert!(kept.take(Ticket(8)).is_some());
        assert!(kept.of(Ticket(8)).is_none() && kept.of(Ticket(9)).is_some());
        assert_eq!(kept.held.len(), 3);
        assert!(kept.take(Ticket(7)).is_some());
        assert_eq!((kept.held.len(), kept.first), (1, 9));
        assert!(kept.of(Ticket(3)).is_none());
        kept.take(Ticket(9));
        for _ in 10..=12 {
            kept.push("d");
        }
        assert!(kept.of(Ticket(12)).is_some());
    }
}
