//! Streams whose events repeat all that was said, and servers of the same API that send only what is new.
//!
//! Nothing in an event tells which of the two it does (SGLang's `--incremental-streaming-output`), but its text does: what does not
//! go on from the text before is news. As long as both are possible every event is noted, so that nothing is lost when it turns
//! out that there were no repetitions. Deliberately looks at texts and counts only.

use tokometer_record::Offset;
use tokometer_wire::{Channel, Delta, Piece};

/// What a stream has repeated so far.
#[derive(Debug, Default)]
pub(crate) struct Repeats {
    /// How many bytes each choice has said.
    said: Vec<usize>,
    manner: Manner,
}

/// What the events of a stream hold.
#[derive(Debug)]
enum Manner {
    /// All that was said, as far as can be seen.
    InDoubt(Doubt),
    /// All that was said.
    Everything,
    /// Only what is new.
    News,
}

/// What was read while either was possible.
#[derive(Debug, Default)]
pub(crate) struct Doubt {
    events: Vec<Noted>,
    /// The longest text of each choice.
    texts: Vec<String>,
    /// How many events in a row have had the same text as the one before, though the server counted more tokens.
    silent: u32,
}

/// An event that was read while in doubt.
#[derive(Clone, Copy, Debug)]
struct Noted {
    at: Offset,
    /// Tokens so far, by the server's count.
    counted: u32,
    channel: Channel,
    choice: usize,
    /// How much of the choice's text it held.
    length: usize,
}

impl Default for Manner {
    fn default() -> Self {
        Self::InDoubt(Doubt::default())
    }
}

impl Repeats {
    /// Takes off what was said before. If the event shows that nothing was ever repeated, all events before it are handed back:
    /// they were not read as they should have been.
    pub(crate) fn take_off(
        &mut self,
        delta: &mut Delta<'_>,
        at: Offset,
        counted: u32,
    ) -> Option<Doubt> {
        if let Manner::InDoubt(doubt) = &mut self.manner {
            match doubt.judge(delta, counted) {
                Some(Manner::News) => {
                    let doubt = std::mem::take(doubt);
                    self.manner = Manner::News;
                    return Some(doubt);
                }
                Some(known) => self.manner = known,
                None => doubt.note(delta, at, counted),
            }
        }
        if !matches!(self.manner, Manner::News) {
            delta.pieces.retain(|piece| self.keep_what_is_new(piece));
        }
        None
    }

    /// Takes off what the choice has said before. Whether anything is left.
    fn keep_what_is_new(&mut self, piece: &mut Piece<'_>) -> bool {
        let said = seat(&mut self.said, piece.choice);
        let before = *said;
        *said = before.max(piece.text.len());
        let new = piece.text.get(before..).unwrap_or_default();
        if new.len() < piece.text.len() {
            piece.text = new.to_owned().into();
        }
        !piece.text.is_empty()
    }
}

impl Doubt {
    /// What an event shows of the stream. `None` if either is still possible.
    fn judge(&mut self, delta: &Delta<'_>, counted: u32) -> Option<Manner> {
        let grew = self.events.last().is_some_and(|last| counted > last.counted);
        for piece in &delta.pieces {
            let before = self.texts.get(number(piece.choice)).map_or("", String::as_str);
            // At its end a text may lose the words at which it was to stop.
            let shortened = delta.finish_reason.is_some() && before.starts_with(&*piece.text);
            if !piece.text.starts_with(before) && !shortened {
                return Some(Manner::News);
            }
            let longer = piece.text.len() > before.len();
            if longer && before.len() >= NO_COINCIDENCE {
                return Some(Manner::Everything);
            }
            self.silent = if longer || !grew { 0 } else { self.silent + 1 };
            if self.silent > MOST_SILENT {
                return Some(Manner::News);
            }
        }
        None
    }

    fn note(&mut self, delta: &Delta<'_>, at: Offset, counted: u32) {
        for piece in &delta.pieces {
            let (choice, length) = (number(piece.choice), piece.text.len());
            let text = seat(&mut self.texts, piece.choice);
            if length > text.len() {
                text.replace_range(.., &piece.text);
            }
            self.events.push(Noted { at, counted, channel: piece.channel, choice, length });
        }
    }

    /// What the events held, if all of it was new: moment, tokens so far, kind and text of each.
    pub(crate) fn news(&self) -> impl Iterator<Item = (Offset, u32, Channel, &str)> {
        self.events.iter().map(|event| {
            let text = self.texts[event.choice].get(..event.length).unwrap_or_default();
            (event.at, event.counted, event.channel, text)
        })
    }
}

/// What belongs to a choice. A server that numbers its choices wildly is not worth the memory.
fn seat<T: Default>(seats: &mut Vec<T>, choice: u32) -> &mut T {
    let number = number(choice);
    if seats.len() <= number {
        seats.resize_with(number + 1, T::default);
    }
    &mut seats[number]
}

fn number(choice: u32) -> usize {
    choice.min(MOST_CHOICES) as usize
}

/// The highest number of a choice for which it is kept what was said.
const MOST_CHOICES: u32 = 1024;

/// A text of so many bytes, repeated and gone on with, is repeated because the server repeats all that was said.
const NO_COINCIDENCE: usize = 16;

/// A character takes up to four tokens, of which all but the last show nothing. More tokens in a row that leave a text as it is are
/// the same word again and again.
const MOST_SILENT: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left of these events' texts, and the texts of those that were to be read again.
    fn read(events: &[(&str, u32)]) -> (Vec<String>, Vec<String>) {
        let mut repeats = Repeats::default();
        let (mut left, mut again) = (Vec::new(), Vec::new());
        for (text, counted) in events {
            let piece = Piece { choice: 0, channel: Channel::Content, text: (*text).into() };
            let mut delta = Delta { pieces: [piece].into(), ..Delta::default() };
            if let Some(doubt) = repeats.take_off(&mut delta, Offset::ZERO, *counted) {
                left.clear();
                again = doubt.news().map(|(_, _, _, text)| text.to_owned()).collect();
            }
            left.extend(delta.pieces.into_iter().map(|piece| piece.text.into_owned()));
        }
        (left, again)
    }

    #[test]
    fn of_a_text_that_grows_only_what_is_new_is_left() {
        let (left, again) = read(&[("a", 1), ("a b", 2), ("a b", 3), ("a b c", 4)]);
        assert_eq!((left.concat().as_str(), left.len(), again.len()), ("a b c", 3, 0));
    }

    #[test]
    fn a_text_that_does_not_go_on_from_the_one_before_is_news_and_so_was_all_before_it() {
        let (left, again) = read(&[("ha", 1), ("ha", 2), ("haha", 4), (" so", 5), ("ha", 6)]);
        assert_eq!(
            (left.concat(), again),
            (" soha".into(), vec!["ha".into(), "ha".into(), "haha".into()])
        );
    }

    #[test]
    fn the_same_word_again_and_again_is_news() {
        let words: Vec<_> = (1..=9).map(|counted| ("!", counted)).collect();
        let (left, again) = read(&words);
        assert_eq!(left.len() + again.len(), 9);
    }

    #[test]
    fn once_a_long_text_was_repeated_a_change_in_it_makes_no_news() {
        let long = "a text of some length";
        let more = format!("{long} and more");
        let (left, again) =
            read(&[(long, 5), (more.as_str(), 7), ("another", 8), (&format!("{more}!"), 9)]);
        assert_eq!((left.concat(), again.len()), (format!("{more}!"), 0));
    }
}
