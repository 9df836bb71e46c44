//! One choice of a response under way: what is emitted next, and the script of what is said then.
//!
//! Deliberately writes nothing: that is for `playback`.

use smallvec::SmallVec;

use crate::model::{Emission, Generation};
use crate::said::script::Script;

/// A choice that is being generated.
#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) index: u32,
    source: Source,
    /// What is emitted next, if that is known.
    pub(crate) next: Option<Emission>,
    /// Tokens that it will have, and those that have been taken.
    total: u32,
    taken: u32,
    /// Whether nothing follows what has been taken.
    ended: bool,
    pub(crate) script: Script,
}

/// Where emissions come from.
#[derive(Debug)]
pub(crate) enum Source {
    /// From a generation at its own pace, which can be asked ahead.
    Own(Box<Generation>),
    /// From outside, as they happen.
    Told(Told),
}

/// Emissions from outside that have not been taken.
#[derive(Debug)]
pub(crate) struct Told {
    ready: SmallVec<[Emission; 1]>,
    /// Tokens that are held back until a chunk is full.
    held: u32,
    per_chunk: u32,
}

impl Source {
    /// Emissions that will be told, put together until there are `per_chunk` tokens.
    pub(crate) const fn told(per_chunk: u32) -> Self {
        Self::Told(Told { ready: SmallVec::new_const(), held: 0, per_chunk })
    }
}

impl Choice {
    /// The choice of that number, which will have `total` tokens.
    pub(crate) fn new(index: u32, source: Source, total: u32, script: Script) -> Self {
        let mut choice = Self { index, source, next: None, total, taken: 0, ended: false, script };
        choice.look_ahead();
        choice
    }

    /// Takes in what was emitted. For a choice that is told of it.
    pub(crate) fn told(&mut self, emission: Emission) {
        if let Source::Told(told) = &mut self.source {
            told.push(emission);
        }
        self.look_ahead();
    }

    /// The next emission, if it is known.
    pub(crate) fn take(&mut self) -> Option<Emission> {
        let emission = self.next.take()?;
        self.taken += emission.tokens;
        self.ended = emission.finish.is_some();
        self.look_ahead();
        Some(emission)
    }

    /// Tokens that have been taken.
    pub(crate) const fn taken(&self) -> u32 {
        self.taken
    }

    /// Whether everything has been taken.
    pub(crate) const fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether something will follow that has yet to be told.
    pub(crate) const fn waits(&self) -> bool {
        self.next.is_none() && !self.ended
    }

    /// Whether everything is known that it will ever say.
    pub(crate) fn is_known(&self) -> bool {
        let ends = |emission: &Emission| emission.finish.is_some();
        match &self.source {
            Source::Own(_) => true,
            Source::Told(told) => self.ended || self.next.iter().chain(&told.ready).any(ends),
        }
    }

    /// Whether its emissions come from outside, as they happen.
    pub(crate) const fn is_told(&self) -> bool {
        matches!(self.source, Source::Told(_))
    }

    /// How many emissions are still to come, at most.
    pub(crate) fn emissions_left(&self) -> usize {
        match &self.source {
            Source::Own(generation) => generation.len() + usize::from(self.next.is_some()),
            Source::Told(told) => (self.total - self.taken).div_ceil(told.per_chunk) as usize,
        }
    }

    fn look_ahead(&mut self) {
        if self.next.is_none() && !self.ended {
            self.next = match &mut self.source {
                Source::Own(generation) => generation.next(),
                Source::Told(told) => (!told.ready.is_empty()).then(|| told.ready.remove(0)),
            };
        }
    }
}

impl Told {
    fn push(&mut self, emission: Emission) {
        let tokens = self.held + emission.tokens;
        if tokens < self.per_chunk && emission.finish.is_none() {
            self.held = tokens;
        } else {
            self.held = 0;
            self.ready.push(Emission { tokens, ..emission });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::Finish;
    use crate::said::Text;

    fn emission(millis: u64, tokens: u32, last: bool) -> Emission {
        Emission {
            at: Duration::from_millis(millis),
            tokens,
            finish: last.then_some(Finish::Length),
        }
    }

    #[test]
    fn what_is_told_comes_out_in_order_and_the_last_ends_it() {
        let mut choice = Choice::new(0, Source::told(1), 3, Script::plain(Text::new(1, 0, 0)));
        assert!(choice.waits() && choice.take().is_none());
        choice.told(emission(1, 1, false));
        choice.told(emission(2, 2, true));
        assert_eq!((choice.emissions_left(), choice.waits()), (3, false));
        assert_eq!(choice.take(), Some(emission(1, 1, false)));
        assert_eq!(choice.take(), Some(emission(2, 2, true)));
        assert!(choice.has_ended() && !choice.waits());
    }

    #[test]
    fn tokens_are_held_back_until_a_chunk_is_full_or_the_output_ends() {
        let mut choice = Choice::new(0, Source::told(3), 5, Script::plain(Text::new(1, 0, 0)));
        (1..=4).for_each(|at| choice.told(emission(at, 1, false)));
        choice.told(emission(5, 1, true));
        assert_eq!(choice.take(), Some(emission(3, 3, false)));
        assert_eq!(choice.take(), Some(emission(5, 2, true)));
    }
}
