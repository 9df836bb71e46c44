//! Ids that carry their text in themselves, for all that is no known word.
//!
//! The two highest bits tell what the other thirty hold: up to four ASCII characters, up to six small letters with or
//! without a space before them, or other characters: one of them some times over, or two. How much goes into one id follows what large vocabularies do on average.

/// Whether the id carries its text.
pub(super) const fn is_packed(id: u32) -> bool {
    id >> 30 != 0
}

/// The id of one to four ASCII characters.
pub(super) fn ascii(characters: &[u8]) -> u32 {
    debug_assert!((1..=4).contains(&characters.len()) && characters.is_ascii(), "{characters:?}");
    let packed = characters.iter().rev().fold(0, |packed, byte| packed << 7 | u32::from(*byte));
    ASCII << 30 | (characters.len() as u32 - 1) << 28 | packed
}

/// Cuts letters that make no known word, with at most one space before them.
pub(super) fn fragments(letters: &str, ids: &mut Vec<u32>) {
    let word = letters.trim_start_matches(' ');
    let small = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase());
    let rest = if small(word) {
        let first = word.len().min(SMALL_AT_ONCE);
        ids.push(small_letters(&word.as_bytes()[..first], letters.len() > word.len()));
        &word[first..]
    } else if small(&word[1..]) {
        // The capital goes with the small letters that there is still room for.
        let first = letters.len().min(4);
        ids.push(ascii(&letters.as_bytes()[..first]));
        &letters[first..]
    } else {
        ids.extend(letters.as_bytes().chunks(CAPITALS_AT_ONCE).map(ascii));
        return;
    };
    ids.extend(rest.as_bytes().chunks(SMALL_AT_ONCE).map(|letters| small_letters(letters, false)));
}

/// The id of one to six small letters, behind a space or not.
fn small_letters(letters: &[u8], spaced: bool) -> u32 {
    let number = |letter: &u8| u32::from(letter - b'a') + 1;
    let packed = letters.iter().rev().fold(0, |packed, letter| packed * 27 + number(letter));
    SMALL << 30 | (packed * 2 + u32::from(spaced))
}

/// Encodes the beginning of `text`, which opens with neither an ASCII letter nor punctuation, nor with a space before one.
pub(super) fn take_other(text: &str, ids: &mut Vec<u32>) -> usize {
    let mut characters = text.chars();
    let Some(first) = characters.next() else { return 0 };
    let next = characters.next();
    if let Some(next) = next
        && let Some(code) = pair(first, next)
    {
        ids.push(code);
        let mut taken = first.len_utf8() + next.len_utf8();
        // Two of five ideographs make a token each, one stands alone: five in three tokens.
        if is_chinese(first)
            && let (Some(third), Some(fourth), Some(fifth)) =
                (characters.next(), characters.next(), characters.next())
            && let Some(code) = pair(third, fourth)
            && is_chinese(third)
            && is_chinese(fifth)
        {
            ids.extend([code, OTHER << 30 | 1 << 21 | u32::from(fifth)]);
            taken += third.len_utf8() + fourth.len_utf8() + fifth.len_utf8();
        }
        return taken;
    }
    let mut run = 1;
    if first.is_ascii_whitespace() {
        run = text.chars().take_while(|c| *c == first).take(LONGEST_RUN).count();
        let then = text[run..].chars().next();
        // The last of several spaces belongs to the word behind it.
        if first == ' ' && run > 1 && then.is_some_and(|c| !c.is_whitespace()) {
            run -= 1;
        }
    }
    ids.push(OTHER << 30 | (run as u32) << 21 | first as u32);
    run * first.len_utf8()
}

/// The id of two characters that share one token more often than not: both Chinese, or both of another script's letters.
fn pair(first: char, second: char) -> Option<u32> {
    let chinese = |c: char| (u32::from(c)).checked_sub(CHINESE).filter(|n| *n < CHINESE_COUNT);
    let letter = |c: char| {
        u32::from(c).checked_sub(LETTERS).filter(|n| *n < LETTERS_COUNT && c.is_alphabetic())
    };
    let code = match (chinese(first), chinese(second)) {
        (Some(first), Some(second)) => first * CHINESE_COUNT + second,
        _ => CHINESE_COUNT * CHINESE_COUNT + letter(first)? * LETTERS_COUNT + letter(second)?,
    };
    Some(OTHER << 30 | PAIR | code)
}

/// Appends the text of a packed id. What no encoder writes comes out as U+FFFD.
pub(super) fn write(id: u32, text: &mut String) {
    let bits = id & ((1 << 30) - 1);
    match id >> 30 {
        ASCII => {
            let count = (bits >> 28) + 1;
            text.extend((0..count).map(|at| char::from((bits >> (7 * at) & 0x7f) as u8)));
        }
        SMALL => {
            if bits % 2 == 1 {
                text.push(' ');
            }
            let mut packed = bits / 2;
            while !packed.is_multiple_of(27) {
                text.push(char::from(b'a' + (packed % 27 - 1) as u8));
                packed /= 27;
            }
        }
        _ if bits & PAIR != 0 => {
            let code = bits & !PAIR;
            let (base, count, code) = match code.checked_sub(CHINESE_COUNT * CHINESE_COUNT) {
                None => (CHINESE, CHINESE_COUNT, code),
                Some(code) => (LETTERS, LETTERS_COUNT, code),
            };
            text.push(character(base + code / count));
            text.push(character(base + code % count));
        }
        _ => {
            let c = character(bits & 0x1f_ffff);
            text.extend(std::iter::repeat_n(c, (bits >> 21) as usize));
        }
    }
}

fn is_chinese(c: char) -> bool {
    (CHINESE..CHINESE + CHINESE_COUNT).contains(&u32::from(c))
}

fn character(code: u32) -> char {
    char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
}

const ASCII: u32 = 1;
const SMALL: u32 = 2;
const OTHER: u32 = 3;
/// The bit that tells two characters from a run of one.
const PAIR: u32 = 1 << 29;

/// The first of the unified ideographs, and how many there are in their block.
const CHINESE: u32 = 0x4e00;
const CHINESE_COUNT: u32 = 0x5200;
/// The letters of Europe, the Near East and India. Their pairs fill what pairs of ideographs leave of 29 bits.
const LETTERS: u32 = 0x80;
const LETTERS_COUNT: u32 = 0x2000;

const SMALL_AT_ONCE: usize = 6;
const CAPITALS_AT_ONCE: usize = 3;
const LONGEST_RUN: usize = 128;
