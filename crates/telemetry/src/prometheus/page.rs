//! A page of metrics whose samples are looked up by their names.
//!
//! Decides nothing: which names are worth looking up is for whoever asks.

use std::collections::BTreeMap;

use super::{Sample, samples};

/// A page's samples, by their names.
#[derive(Debug)]
pub(crate) struct Page<'p> {
    by_name: BTreeMap<&'p str, Vec<Sample<'p>>>,
}

impl<'p> Page<'p> {
    /// Reads a page. The moments at which counters were made (`_created`) are left out.
    pub(crate) fn read(text: &'p str) -> Self {
        let mut by_name: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for sample in samples(text).filter(|sample| !sample.name.ends_with("_created")) {
            by_name.entry(sample.name).or_default().push(sample);
        }
        Self { by_name }
    }

    /// The samples of this name, in the page's order.
    pub(crate) fn named(&self, name: &str) -> &[Sample<'p>] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_found_by_their_whole_name() {
        let page = Page::read("a 1\na_total{x=\"1\"} 2\na_created 1.7e9\na_total{x=\"2\"} 3\n");
        let values = |name| page.named(name).iter().map(|sample| sample.value).collect::<Vec<_>>();
        assert_eq!(values("a"), [1.0]);
        assert_eq!(values("a_total"), [2.0, 3.0]);
        assert_eq!(values("a_created"), [0.0; 0]);
        assert_eq!(values("b"), [0.0; 0]);
    }
}
