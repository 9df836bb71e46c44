//! What happens to a request before an engine has it: one process takes them one after the other.
//!
//! Deliberately decides nothing about engines: who is next, and when it is ready, is all that is known here.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::{Frontend, Job, Ticket};

/// Requests at the frontend, in the order in which they came.
#[derive(Clone, Debug)]
pub(super) struct Desk {
    frontend: Frontend,
    /// When it has done all that it was given.
    idle: Duration,
    queue: VecDeque<Arrival>,
}

#[derive(Clone, Debug)]
struct Arrival {
    ready: Duration,
    ticket: Ticket,
    /// `None` once it was given up: the work is done all the same.
    job: Option<Job>,
}

impl Desk {
    pub(super) const fn new(frontend: Frontend) -> Self {
        Self { frontend, idle: Duration::ZERO, queue: VecDeque::new() }
    }

    /// A request arrives, and waits for those that came before it.
    pub(super) fn take(&mut self, at: Duration, ticket: Ticket, job: Job) {
        let Frontend { per_request, per_prompt_token } = self.frontend;
        let work = per_request.saturating_add(per_prompt_token.saturating_mul(job.prompt_tokens));
        self.idle = self.idle.max(at).saturating_add(work);
        self.queue.push_back(Arrival { ready: self.idle, ticket, job: Some(job) });
    }

    /// When the next request is ready.
    pub(super) fn next(&self) -> Option<Duration> {
        self.queue.front().map(|arrival| arrival.ready)
    }

    /// A request that is ready at `now`.
    pub(super) fn ready(&mut self, now: Duration) -> Option<(Ticket, Job)> {
        self.next().filter(|ready| *ready <= now)?;
        let arrival = self.queue.pop_front()?;
        self.skip();
        arrival.job.map(|job| (arrival.ticket, job))
    }

    /// Nobody waits for that request any more.
    pub(super) fn give_up(&mut self, ticket: Ticket) {
        if let Ok(index) = self.queue.binary_search_by_key(&ticket, |arrival| arrival.ticket) {
            self.queue[index].job = None;
            self.skip();
        }
    }

    /// No request that was given up is the first, so that nobody waits for it.
    fn skip(&mut self) {
        while self.queue.front().is_some_and(|arrival| arrival.job.is_none()) {
            self.queue.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::Finish;

    const MILLI: Duration = Duration::from_millis(1);

    fn job(prompt_tokens: u32) -> Job {
        Job {
            request: 0,
            choice: 0,
            prompt_tokens,
            output_tokens: 1,
            finish: Finish::Length,
            priority: 0,
            chain: Arc::default(),
        }
    }

    fn desk() -> Desk {
        Desk::new(Frontend { per_request: 2 * MILLI, per_prompt_token: MILLI })
    }

    #[test]
    fn requests_that_come_together_wait_for_each_other() {
        let mut desk = desk();
        desk.take(5 * MILLI, Ticket(0), job(3));
        desk.take(5 * MILLI, Ticket(1), job(1));
        assert_eq!(desk.next(), Some(10 * MILLI));
        assert_eq!(desk.ready(9 * MILLI), None);
        assert_eq!(desk.ready(10 * MILLI), Some((Ticket(0), job(3))));
        assert_eq!(desk.next(), Some(13 * MILLI));
    }

    #[test]
    fn an_idle_frontend_begins_at_once() {
        let mut desk = desk();
        desk.take(Duration::ZERO, Ticket(0), job(1));
        desk.take(20 * MILLI, Ticket(1), job(1));
        assert!(desk.ready(3 * MILLI).is_some());
        assert_eq!(desk.next(), Some(23 * MILLI));
    }

    #[test]
    fn a_request_given_up_is_never_ready_but_its_work_is_done() {
        let mut desk = desk();
        for ticket in 0..4 {
            desk.take(Duration::ZERO, Ticket(ticket), job(1));
        }
        desk.give_up(Ticket(2));
        desk.give_up(Ticket(0));
        assert_eq!(desk.next(), Some(6 * MILLI));
        assert_eq!(desk.ready(12 * MILLI).unwrap().0, Ticket(1));
        assert_eq!(desk.next(), Some(12 * MILLI));
        desk.give_up(Ticket(3));
        assert_eq!(desk.next(), None);
    }
}
