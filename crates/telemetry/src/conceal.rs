//! Secrets taken out of what was heard: a server may repeat the key that it was sent, or the address that it was asked at.
//!
//! Done once, to all that leaves a watch. Names of metrics and figures are left as they are: a server puts what it repeats into labels.

use std::collections::BTreeMap;

use tokometer_record::{Gpu, Scrape};

use crate::watch::Heard;

/// What nothing that was heard may repeat.
#[derive(Clone, Debug, Default)]
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    /// Longer ones are sought first, so that none is found in part.
    pub(crate) fn new<'s>(secrets: impl IntoIterator<Item = &'s String>) -> Self {
        let mut secrets: Vec<_> =
            secrets.into_iter().filter(|secret| !secret.is_empty()).cloned().collect();
        secrets.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        secrets.dedup();
        Self(secrets)
    }

    /// The words without any of them.
    pub(crate) fn out_of(&self, words: &str) -> String {
        self.0.iter().fold(words.to_owned(), |words, secret| words.replace(secret, "***"))
    }

    /// The same without any of them. Where it was heard is left: that is an address as it may be shown.
    pub(crate) fn out_of_heard(&self, heard: Heard) -> Heard {
        if self.0.is_empty() {
            return heard;
        }
        match heard {
            Heard::Scrape(scrape) => {
                Heard::Scrape(Scrape { samples: self.out_of_samples(scrape.samples), ..scrape })
            }
            Heard::Reading(mut reading) => {
                reading.engine = reading.engine.map(|engine| self.out_of(&engine));
                Heard::Reading(reading)
            }
            Heard::Gpus(mut reading) => {
                reading.gpus.iter_mut().for_each(|gpu| self.out_of_gpu(gpu));
                Heard::Gpus(reading)
            }
            Heard::Remark(mut remark) => {
                remark.detail = self.out_of(&remark.detail);
                Heard::Remark(remark)
            }
        }
    }

    /// Samples that only a secret told apart are one then, and the first of them is kept.
    fn out_of_samples(&self, samples: BTreeMap<String, f64>) -> BTreeMap<String, f64> {
        let mut plain = BTreeMap::new();
        for (key, value) in samples {
            let (name, labels) = key.split_at(key.find('{').unwrap_or(key.len()));
            plain.entry(format!("{name}{}", self.out_of(labels))).or_insert(value);
        }
        plain
    }

    fn out_of_gpu(&self, gpu: &mut Gpu) {
        for words in [&mut gpu.id, &mut gpu.uuid, &mut gpu.name] {
            *words = self.out_of(words);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokometer_record::{GpuReading, Offset, Remark, RemarkKind};

    use super::*;

    fn secrets() -> Secrets {
        let secrets = ["s3cret", "", "s3cret-long"].map(str::to_owned);
        Secrets::new(&secrets)
    }

    #[test]
    fn the_longest_secret_is_taken_out_whole() {
        assert_eq!(secrets().out_of("a s3cret-long, a s3cret"), "a ***, a ***");
    }

    #[test]
    fn of_a_sample_the_labels_lose_their_secrets_and_the_name_stays() {
        let key = |key: &str| (key.to_owned(), 1.0);
        let samples =
            [key("s3cret_total{path=\"/m?t=s3cret\",n=\"1\"}"), key("a{k=\"s3cret\"}"), key("b")];
        let scrape = Scrape { at: Offset::ZERO, source: "s".into(), samples: samples.into() };
        let Heard::Scrape(plain) = secrets().out_of_heard(Heard::Scrape(scrape)) else { panic!() };
        let keys: Vec<_> = plain.samples.keys().map(String::as_str).collect();
        assert_eq!(keys, ["a{k=\"***\"}", "b", "s3cret_total{path=\"/m?t=***\",n=\"1\"}"]);
    }

    #[test]
    fn gpus_and_remarks_repeat_none() {
        let gpu = Gpu {
            id: "s3cret 0".into(),
            uuid: "GPU-s3cret".into(),
            name: "H100 s3cret".into(),
            values: BTreeMap::new(),
        };
        let reading = GpuReading { at: Offset::ZERO, source: "s".into(), gpus: vec![gpu] };
        let Heard::Gpus(plain) = secrets().out_of_heard(Heard::Gpus(reading)) else { panic!() };
        let gpu = &plain.gpus[0];
        assert_eq!([&gpu.id, &gpu.uuid, &gpu.name], ["*** 0", "GPU-***", "H100 ***"]);
        let (kind, detail) = (RemarkKind::Unreachable, "no s3cret".to_owned());
        let remark = Remark { at: Offset::ZERO, source: "s".into(), kind, detail };
        let Heard::Remark(plain) = secrets().out_of_heard(Heard::Remark(remark)) else { panic!() };
        assert_eq!(plain.detail, "no ***");
    }
}
