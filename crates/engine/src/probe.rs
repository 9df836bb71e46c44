//! Requests that are not part of a load: is the server there, what does it serve, how does it tokenize.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use http_body_util::{BodyExt as _, Collected, Limited};
use hyper::Request;
use tokometer_record::{Failure, FailureKind, TimeoutPhase};

use crate::Answer;
use crate::connection::{Body, Pool};
use crate::failures;
use crate::settings::Timeouts;
use crate::transport::Connect;

/// One request on a connection of its own.
pub(crate) async fn ask<C: Connect>(
    pool: &Pool<C>,
    request: Request<Body>,
    timeouts: Timeouts,
) -> Result<Answer, Failure> {
    let connect = timeouts.connect.unwrap_or(PATIENCE);
    let opened = tokio::time::timeout(connect, pool.open()).await;
    let (mut connection, _) = opened.map_err(|_| timed_out(TimeoutPhase::Connect, connect))??;
    let patience = timeouts.first_byte.unwrap_or(PATIENCE);
    let answered = tokio::time::timeout(patience, async {
        let mut response = connection.send(request);
        let response = poll_fn(|cx| {
            connection.drive(cx);
            response.as_mut().poll(cx)
        })
        .await
        .map_err(|error| failures::of_hyper(&error, 0))?;
        let status = response.status().as_u16();
        let mut body = Box::pin(Limited::new(response.into_body(), LONGEST_ANSWER).collect());
        let body = poll_fn(|cx| {
            connection.drive(cx);
            match body.as_mut().poll(cx) {
                Poll::Ready(read) => Poll::Ready(read.map(Collected::to_bytes)),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
        .map_err(|error| Failure::new(FailureKind::Protocol, error.to_string()))?;
        Ok(Answer { status, body: body.into() })
    });
    answered.await.map_err(|_| timed_out(TimeoutPhase::FirstByte, patience))?
}

fn timed_out(phase: TimeoutPhase, after: Duration) -> Failure {
    let kind = FailureKind::Timeout(phase);
    Failure::new(kind, format!("{kind} after {after:?}"))
}

/// For requests that any server answers at once, where the user set no limit.
const PATIENCE: Duration = Duration::from_secs(30);

/// More than any answer of this kind takes.
const LONGEST_ANSWER: usize = 64 << 20;
