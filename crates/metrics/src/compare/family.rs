//! Many figures at once: how sure each must be so that none of them differs by chance.

/// The p of each test, raised so that holding each against one level keeps the chance that any true nothing is taken for something
/// below that level, however the tests hang together (Holm, Scandinavian Journal of Statistics 6, 1979). In their order.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut adjusted = vec![1.0; p.len()];
    let mut greatest: f64 = 0.0;
    for (rank, &test) in order.iter().enumerate() {
        greatest = greatest.max((p.len() - rank) as f64 * p[test]).min(1.0);
        adjusted[test] = greatest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn holm_gives_what_r_gives() {
        // p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")
        let adjusted = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (got, expected) in adjusted.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((got - expected).abs() < 1e-12, "{adjusted:?}");
        }
        assert!(holm(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn the_adjusted_are_between_their_own_and_bonferroni_s(
            p in prop::collection::vec(0.0_f64..=1.0, 1..30),
        ) {
            for (own, adjusted) in p.iter().zip(holm(&p)) {
                prop_assert!(*own <= adjusted && adjusted <= (own * p.len() as f64).min(1.0) + 1e-12);
            }
        }
    }
}
