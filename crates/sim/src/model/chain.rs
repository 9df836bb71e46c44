//! Chains of hashes: what a block of tokens is called in a prefix cache, so that equal beginnings have equal names.
//!
//! Deliberately no cryptography: nobody attacks a simulator, and two different blocks share one of 2⁶⁴ names once in a lifetime.

use crate::model::split_mix;

/// The chain of `tokens`: one hash for each full block of `block_size`, each of which covers all tokens up to the block's end.
pub fn chain(tokens: impl IntoIterator<Item = u32>, block_size: u32) -> Vec<u64> {
    let (mut hashes, mut hash, mut filled) = (Vec::new(), SEED, 0);
    for token in tokens {
        hash = split_mix(hash ^ u64::from(token));
        filled += 1;
        if filled == block_size {
            hashes.push(hash);
            filled = 0;
        }
    }
    hashes
}

const SEED: u64 = 0x746f_6b6f_6d65_7465;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_beginnings_have_equal_names_and_nothing_after_a_difference_has() {
        let one = chain(0..40, 8);
        let other = chain((0..17).chain(90..113), 8);
        assert_eq!((one.len(), other.len()), (5, 5));
        assert_eq!(one[..2], other[..2]);
        assert!(one[2..].iter().all(|hash| !other.contains(hash)));
    }
}
