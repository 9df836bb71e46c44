//! Addressed randomness: every draw is a pure function of the seed, a name and an index.
//!
//! Changing the dataset therefore leaves the arrivals as they were, and a run that is cut into shards is still the same run.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// The root, or a named branch, of a run's randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(u64);

impl Seed {
    /// The root for a number that the user chose.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number, to be written down.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The branch of that name: `arrivals`, `lengths`, `prompts`.
    pub fn stream(self, name: &str) -> Self {
        // FNV-1a over the name, then mixed: http://www.isthe.com/chongo/tech/comp/fnv/
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self(mix(self.0 ^ mix(hash)))
    }

    /// The branch of that index: a request, a point of a sweep.
    pub const fn at(self, index: u64) -> Self {
        Self(mix(self.0.wrapping_add(mix(index.wrapping_add(0x9e37_79b9_7f4a_7c15)))))
    }

    /// A generator for this branch.
    pub fn rng(self) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(self.0)
    }
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
const fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;

    #[test]
    fn branches_of_different_names_differ() {
        let seed = Seed::new(42);
        assert_ne!(
            seed.stream("arrivals").rng().next_u64(),
            seed.stream("lengths").rng().next_u64()
        );
    }

    #[test]
    fn the_same_address_gives_the_same_draw() {
        let draw = || Seed::new(42).stream("prompts").at(7).rng().next_u64();
        assert_eq!(draw(), draw());
    }

    #[test]
    fn neighbouring_indices_share_no_bits_to_speak_of() {
        let agree = (0..1000_u64)
            .map(|i| (Seed::new(1).at(i).number() ^ Seed::new(1).at(i + 1).number()).count_ones())
            .sum::<u32>();
        assert!((31_000..=33_000).contains(&agree), "{agree} of 64,000 bits differ");
    }
}
