//! One histogram of the many that a page has under one name: one for each engine, model, kind of request.
//!
//! Deliberately without percentiles: those are for whoever has two of them and wants to know what came between.

use std::collections::BTreeMap;

use tokometer_record::Histogram;

use super::{Identity, Page};
use crate::server::Detail;

/// The histogram of this name, added up over its labels. Of those that differ only in `repeated` labels, which tell one
/// thing several times, the one that has observed most stands for all. `None` where there is none of which both sum and
/// count are told.
pub(crate) fn histogram(
    page: &Page<'_>,
    name: &str,
    repeated: &[&str],
    detail: Detail,
) -> Option<Histogram> {
    let mut told: BTreeMap<Identity<'_>, Histogram> = BTreeMap::new();
    for (series, one) in of_each_series(page, name, detail) {
        let identity = series.into_iter().filter(|(label, _)| !repeated.contains(label)).collect();
        let best = told.entry(identity).or_default();
        if best.count <= one.count {
            *best = one;
        }
    }
    let all = added_up(told.into_values().collect())?;
    (all.sum.is_finite() && all.count.is_finite()).then_some(all)
}

fn of_each_series<'p>(
    page: &Page<'p>,
    name: &str,
    detail: Detail,
) -> BTreeMap<Identity<'p>, Histogram> {
    let read = |ending: &str| {
        page.named(&format!("{name}{ending}"))
            .iter()
            .filter(|sample| 0.0 <= sample.value && sample.value.is_finite())
    };
    let counts: BTreeMap<_, _> =
        read("_count").map(|sample| (sample.identity(&[]), sample.value)).collect();
    let mut whole: BTreeMap<_, _> = read("_sum")
        .filter_map(|sample| {
            let identity = sample.identity(&[]);
            let count = *counts.get(&identity)?;
            Some((identity, Histogram { sum: sample.value, count, buckets: Vec::new() }))
        })
        .collect();
    if detail == Detail::Whole {
        for sample in read("_bucket") {
            let bound = sample
                .label("le")
                .and_then(|bound| bound.parse().ok())
                .filter(|bound: &f64| bound.is_finite());
            if let (Some(bound), Some(histogram)) =
                (bound, whole.get_mut(&sample.identity(&["le"])))
            {
                histogram.buckets.push((bound, sample.value));
            }
        }
    }
    for histogram in whole.values_mut() {
        histogram.buckets.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        histogram.buckets.dedup_by(|(a, _), (b, _)| a == b);
    }
    whole
}

/// Bounds that not all of them have are left out: how much of the others lies below is not known.
fn added_up(histograms: Vec<Histogram>) -> Option<Histogram> {
    let mut histograms = histograms.into_iter();
    let first = histograms.next()?;
    let add = |mut all: Histogram, one: Histogram| {
        all.sum += one.sum;
        all.count += one.count;
        all.buckets.retain_mut(|(bound, below)| {
            match one.buckets.binary_search_by(|(own, _)| own.total_cmp(bound)) {
                Ok(place) => {
                    *below += one.buckets[place].1;
                    below.is_finite()
                }
                Err(_) => false,
            }
        });
        all
    };
    Some(histograms.fold(first, add))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(page: &str, repeated: &[&str]) -> Option<Histogram> {
        histogram(&Page::read(page), "t", repeated, Detail::Whole)
    }

    /// A histogram of one series: `(labels, below 0.1, below 1, count, sum)`.
    fn series(labels: &str, below: [u32; 2], count: u32, sum: f64) -> String {
        let [first, second] = below;
        format!(
            "t_bucket{{{labels}le=\"0.1\"}} {first}\nt_bucket{{{labels}le=\"1.0\"}} {second}\n\
             t_bucket{{{labels}le=\"+Inf\"}} {count}\nt_count{{{labels}}} {count}\nt_sum{{{labels}}} {sum}\n"
        )
    }

    #[test]
    fn engines_are_added_up_bucket_by_bucket_and_the_last_bucket_is_the_count() {
        let page =
            series("engine=\"0\",", [1, 3], 4, 2.5) + &series("engine=\"1\",", [10, 30], 40, 25.0);
        let expected =
            Histogram { sum: 27.5, count: 44.0, buckets: vec![(0.1, 11.0), (1.0, 33.0)] };
        assert_eq!(read(&page, &[]), Some(expected));
    }

    #[test]
    fn ranks_that_repeat_one_another_are_not_added_up() {
        let rank = |dp: u32, tp: u32, scale: u32| {
            series(
                &format!("dp=\"{dp}\",tp=\"{tp}\","),
                [scale, 3 * scale],
                4 * scale,
                f64::from(scale),
            )
        };
        let page = rank(0, 0, 1) + &rank(0, 1, 1) + &rank(1, 2, 10) + &rank(1, 3, 9);
        let expected =
            Histogram { sum: 11.0, count: 44.0, buckets: vec![(0.1, 11.0), (1.0, 33.0)] };
        assert_eq!(read(&page, &["tp"]), Some(expected));
    }

    #[test]
    fn bounds_come_in_order_and_are_numbers_however_they_are_written() {
        let page = "t_bucket{le=\"1e1\"} 5\nt_bucket{le=\"2\"} 4\nt_bucket{le=\"x\"} 4\nt_sum 9\nt_count 6\n";
        assert_eq!(read(page, &[]).unwrap().buckets, [(2.0, 4.0), (10.0, 5.0)]);
    }

    #[test]
    fn a_bound_that_one_series_lacks_is_left_out() {
        let page = series("m=\"a\",", [1, 3], 4, 2.5)
            + "t_bucket{m=\"b\",le=\"1\"} 7\nt_sum{m=\"b\"} 1\nt_count{m=\"b\"} 8\n";
        assert_eq!(
            read(&page, &[]),
            Some(Histogram { sum: 3.5, count: 12.0, buckets: vec![(1.0, 10.0)] })
        );
    }

    #[test]
    fn a_series_whose_page_was_cut_short_is_left_out() {
        let page = series("engine=\"0\",", [1, 3], 4, 2.5)
            + "t_bucket{engine=\"1\",le=\"0.1\"} 7\nt_count{engine=\"1\"} 8\n";
        assert_eq!(read(&page, &[]).unwrap().count, 4.0);
        assert_eq!(read("t_bucket{le=\"1\"} 3\nt_count 3\n", &[]), None);
        assert_eq!(read("t_sum 3\nt_count NaN\n", &[]), None);
    }

    #[test]
    fn in_brief_there_are_no_buckets() {
        let page = series("", [1, 3], 4, 2.5);
        let brief = histogram(&Page::read(&page), "t", &[], Detail::Brief);
        assert_eq!(brief, Some(Histogram { sum: 2.5, count: 4.0, buckets: Vec::new() }));
    }
}
