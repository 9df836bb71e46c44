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

/// What SplitMix64 draws in that state, after which it is [`GOLDEN`] further (Steele, Lea, Flood: Fast splittable pseudorandom number
/// generators, 2014). A few nanoseconds, and a hash of 64 bits as well.
pub(crate) const fn split_mix(state: u64) -> u64 {
    let mut bits = state.wrapping_add(GOLDEN);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// How far a state of SplitMix64 is from the next.
pub(crate) const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// How many purposes there may be.
const PURPOSES: u64 = 8;
