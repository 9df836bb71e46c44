//! How a series looks: its colour, dashes, width and marker, chosen so that colour alone never has to tell two apart.
//!
//! The categories are the palette of Okabe and Ito (Color Universal Design, 2008), which people of every colour vision can tell
//! apart, without its yellow, which is too pale for lines on white. Ordered values take steps of viridis, dark to light.

/// How a series is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// Its colour.
    pub colour: Colour,
    /// The dashes of its line.
    pub dash: Dash,
    /// The width of its line in points.
    pub width: f64,
    /// What stands at each point.
    pub marker: Marker,
}

/// A colour by its role.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Colour {
    /// The n-th of a few kinds; after the seventh they come again.
    Kind(usize),
    /// A place between the least (0) and the greatest (1) of many ordered kinds.
    Step(f64),
    /// What is only there for comparison.
    Muted,
}

/// The dashes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dash {
    /// No line at all: the points alone.
    None,
    /// The n-th kind of dashes, the 0th being an unbroken line; after the fifth they come again.
    Kind(usize),
}

/// What stands at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marker {
    /// Nothing.
    None,
    /// The n-th shape, the 0th being a disc; after the sixth they come again.
    Kind(usize),
}

/// The shape of a marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Disc,
    Square,
    Triangle,
    Diamond,
    Cross,
    Plus,
}

impl Look {
    /// The look of the n-th of a few series: its own colour and its own marker on an unbroken line.
    pub const fn kind(n: usize) -> Self {
        Self { colour: Colour::Kind(n), dash: Dash::Kind(0), width: 1.6, marker: Marker::Kind(n) }
    }

    /// Whether a line joins its points.
    pub(crate) fn is_joined(self) -> bool {
        self.dash != Dash::None
    }

    /// Points alone, for comparison.
    pub const fn muted() -> Self {
        Self { colour: Colour::Muted, dash: Dash::None, width: 1.6, marker: Marker::Kind(0) }
    }
}

impl Colour {
    /// In the form of CSS.
    pub(crate) fn css(self) -> String {
        match self {
            Self::Kind(n) => KINDS[n % KINDS.len()].to_owned(),
            Self::Step(at) => css(mixed(&STEPS, at)),
            Self::Muted => MUTED.to_owned(),
        }
    }
}

impl Dash {
    /// The lengths of strokes and gaps, in widths of the line; empty for an unbroken one.
    pub(crate) fn lengths(self) -> &'static [f64] {
        match self {
            Self::None => &[],
            Self::Kind(n) => DASHES[n % DASHES.len()],
        }
    }
}

impl Marker {
    pub(crate) fn shape(self) -> Option<Shape> {
        match self {
            Self::None => None,
            Self::Kind(n) => Some(SHAPES[n % SHAPES.len()]),
        }
    }
}

/// The colour of a cell whose value stands so far (0 to 1) between the least and the greatest: the greater, the darker.
pub(crate) fn shade(at: f64) -> String {
    css(mixed(&SHADES, 1.0 - if at.is_finite() { at } else { 0.0 }))
}

/// Colours at even distances from the least value to the greatest, between which [`shade`] mixes: for whoever draws its scale.
pub(crate) fn shades() -> Vec<String> {
    SHADES.iter().rev().map(|&colour| css(colour)).collect()
}

/// Whether white letters stand out from that shade more than black ones: by the contrast of WCAG 2.1, from relative luminances.
pub(crate) fn is_dark(at: f64) -> bool {
    let channel = |value: u8| {
        let value = f64::from(value) / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    let [red, green, blue] =
        mixed(&SHADES, 1.0 - if at.is_finite() { at } else { 0.0 }).map(channel);
    let luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    // The ink is nearly black: it has a luminance of 0.02.
    1.05 / (luminance + 0.05) > (luminance + 0.05) / (0.02 + 0.05)
}

/// The colour so far along, between the two that are nearest.
fn mixed(colours: &[[u8; 3]], at: f64) -> [u8; 3] {
    let at = if at.is_finite() { at.clamp(0.0, 1.0) } else { 0.0 };
    let place = at * (colours.len() - 1) as f64;
    let below = (place.floor() as usize).min(colours.len() - 2);
    let share = place - below as f64;
    [0, 1, 2].map(|channel| {
        let (low, high) =
            (f64::from(colours[below][channel]), f64::from(colours[below + 1][channel]));
        (low + (high - low) * share).round() as u8
    })
}

fn css([red, green, blue]: [u8; 3]) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

const KINDS: [&str; 7] =
    ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];

const MUTED: &str = "#8c8c8c";

/// Viridis at 0, 0.2, 0.4, 0.6 and 0.8; its light end is too pale for lines on white.
const STEPS: [[u8; 3]; 5] =
    [[68, 1, 84], [65, 68, 135], [42, 120, 142], [34, 168, 132], [122, 209, 81]];

/// Viridis whole, in tenths: areas may be as pale as its end.
const SHADES: [[u8; 3]; 11] = [
    [68, 1, 84],
    [72, 36, 117],
    [65, 68, 135],
    [53, 95, 141],
    [42, 120, 142],
    [33, 145, 140],
    [34, 168, 132],
    [68, 191, 112],
    [122, 209, 81],
    [189, 223, 38],
    [253, 231, 37],
];

const DASHES: [&[f64]; 5] = [&[], &[4.0, 2.0], &[1.2, 1.6], &[5.0, 1.6, 1.2, 1.6], &[8.0, 2.5]];

const SHAPES: [Shape; 6] =
    [Shape::Disc, Shape::Square, Shape::Triangle, Shape::Diamond, Shape::Cross, Shape::Plus];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_the_steps_are_their_first_and_last_colour() {
        assert_eq!(Colour::Step(0.0).css(), "#440154");
        assert_eq!(Colour::Step(1.0).css(), "#7ad151");
        assert_eq!(Colour::Step(f64::NAN).css(), "#440154");
    }

    #[test]
    fn the_greater_a_value_the_darker_its_cell_and_its_letters_stand_out() {
        assert_eq!((shade(0.0), shade(1.0)), ("#fde725".to_owned(), "#440154".to_owned()));
        assert_eq!(shades().first(), Some(&shade(0.0)));
        assert_eq!((is_dark(0.0), is_dark(1.0), is_dark(f64::NAN)), (false, true, false));
        let darks: Vec<bool> = (0..=20).map(|step| is_dark(f64::from(step) / 20.0)).collect();
        assert!(darks.is_sorted(), "{darks:?}");
    }

    #[test]
    fn kinds_come_again_and_never_run_out() {
        assert_eq!(Colour::Kind(7).css(), Colour::Kind(0).css());
        assert_eq!(Marker::Kind(6).shape(), Some(Shape::Disc));
        assert!(Dash::Kind(5).lengths().is_empty());
    }
}
