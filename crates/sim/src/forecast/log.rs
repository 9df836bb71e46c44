//! A forecast as a client would have written it down that stood beside the server: what left an engine was read at the same moment.
//!
//! Deliberately the whole of what connects the two: figures of a forecast are those that measured runs have, or none.

use std::ops::Range;

use tokometer_record::{
    Channel, Chunk, Connection, Failure, FailureKind, Offset, Outcome as Ending, OutputTokens,
    Phase, Point, PointLog, PromptTokens, Record, TokenSource,
};

use super::{Arrivals, Forecast, Outcome, Request};

impl Forecast {
    /// The log of `requests`, which arrived as `arrivals` has it. Only those `counted` are measured; the others, before and after,
    /// stand in it as a warm-up does. One that never ended has failed.
    pub fn log(
        &self,
        requests: &[Request],
        arrivals: &Arrivals,
        counted: Range<usize>,
    ) -> PointLog {
        let told = requests.iter().zip(&self.outcomes).enumerate();
        let records = told.map(|(index, (request, outcome))| {
            let phase = if counted.contains(&index) { Phase::Measured } else { Phase::Warmup };
            record(index, phase, request, outcome)
        });
        let point = Point {
            requests: counted.len() as u64,
            warmup: requests.len().saturating_sub(counted.len()) as u64,
            concurrency: match arrivals {
                Arrivals::At(_) => None,
                Arrivals::InFlight(most) => Some(*most),
            },
            open_loop: matches!(arrivals, Arrivals::At(_)),
            ..Point::default()
        };
        let records = records.collect();
        PointLog { records, ..PointLog::begun(point) }
    }
}

fn record(index: usize, phase: Phase, request: &Request, outcome: &Outcome) -> Record {
    let arrival = Offset::after(outcome.arrival);
    let bearing = outcome.emissions.iter().filter(|(_, tokens)| *tokens > 0);
    let chunks: Vec<Chunk> = bearing
        .map(|&(at, tokens)| Chunk { at: Offset::after(at), tokens, channel: Channel::Content })
        .collect();
    let count = chunks.iter().map(|chunk| chunk.tokens).sum();
    Record {
        index: index as u64,
        phase,
        scheduled: arrival,
        started: arrival,
        connection: Connection::Reused,
        connected: None,
        sent: None,
        headers: None,
        end: outcome.ended.map_or(arrival, Offset::after),
        chunks: chunks.into(),
        streamed: true,
        outcome: match outcome.ended {
            Some(_) => Ending::Ok,
            None => Ending::Failed(Failure::new(
                FailureKind::EmptyStream,
                "the engines never had room for it",
            )),
        },
        status: None,
        prompt_tokens: PromptTokens {
            local: None,
            server: Some(request.prompt_tokens),
            cached: Some(outcome.cached),
        },
        output_tokens: Some(OutputTokens { count, source: TokenSource::Usage }),
        asked_output: Some(request.output_tokens),
        audio: None,
        inputs: None,
        finish_reason: None,
        request_id: String::new(),
        prompt: None,
        output: None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_log_says_what_happened_and_counts_only_what_is_to_be_counted() {
        let ms = Duration::from_millis;
        let request = Request { prompt_tokens: 7, output_tokens: 3, chain: [].into() };
        let done = Outcome {
            arrival: ms(10),
            scheduled: Some(ms(10)),
            emissions: vec![(ms(50), 1), (ms(60), 2)],
            ended: Some(ms(60)),
            cached: 4,
            ..Outcome::default()
        };
        let never = Outcome { arrival: ms(20), ..Outcome::default() };
        let forecast = Forecast { outcomes: vec![done, never], ..Forecast::default() };
        let log = forecast.log(&[request.clone(), request], &Arrivals::InFlight(2), 0..1);
        let [done, never] = log.records.as_slice() else { unreachable!() };
        assert_eq!((done.started, done.end), (Offset::after(ms(10)), Offset::after(ms(60))));
        assert_eq!(done.output_tokens.unwrap().count, 3);
        assert_eq!((done.prompt_tokens.count(), done.prompt_tokens.cached), (Some(7), Some(4)));
        assert_eq!((done.phase, never.phase), (Phase::Measured, Phase::Warmup));
        assert!(done.succeeded() && !never.succeeded());
        assert_eq!((log.point.concurrency, log.point.requests), (Some(2), 1));
    }
}
