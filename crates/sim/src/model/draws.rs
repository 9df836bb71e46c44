//! Random numbers with addresses: each draw of each request is the same whatever else is drawn.
//!
//! Deliberately holds no state: a generator is made where it is needed.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// What a draw is for. Draws for one purpose leave the others as they are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    Ttft,
    Gaps,
    Length,
    Text,
    Fault,
    Name,
    Acceptance,
    StepNoise,
}

/// The generator for one purpose of one choice of one request.
pub(crate) fn rng(seed: u64, purpose: Purpose, request: u64, choice: u32) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ u64::from(choice).rotate_right(16));
    rng.set_stream(request.wrapping_mul(PURPOSES).wrapping_add(purpose as u64));
    rng
}

/// How many purposes there may be.
const PURPOSES: u64 = 8;
