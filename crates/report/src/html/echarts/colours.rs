//! Colours on a screen: those of the paper's palette in two shades, one for a light ground and one for a dark one.
//!
//! Every shade stands out from its ground by 3 : 1 at least (WCAG 2.2, 1.4.11), but for the palest steps of an ordered scale.

use serde_json::{Value, json};

use crate::figure::Colour;

/// A colour on either ground.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Themed {
    light: [u8; 3],
    dark: [u8; 3],
}

impl Themed {
    /// Limits, and what is marked.
    pub(super) const RULE: Self = Self::of(0xb4_23_18, 0xff_7b_72);

    const fn of(light: u32, dark: u32) -> Self {
        Self { light: channels(light), dark: channels(dark) }
    }

    /// In the form of the option.
    pub(super) fn value(self) -> Value {
        json!({ "light": css(self.light), "dark": css(self.dark) })
    }

    /// Of a series or a layer.
    pub(super) fn role(colour: Colour) -> Self {
        match colour {
            Colour::Kind(n) => KINDS[n % KINDS.len()],
            Colour::Step(at) => {
                Self { light: mixed(&STEPS_ON_LIGHT, at), dark: mixed(&STEPS_ON_DARK, at) }
            }
            Colour::Muted => Self::of(0x6e_77_81, 0x9a_a4_af),
        }
    }
}

/// The shades of cells from the least to the greatest: the greater, the further from the ground.
pub(super) fn shades() -> Value {
    let all = |steps: &[[u8; 3]]| steps.iter().map(|&step| css(step)).collect::<Vec<_>>();
    json!({ "light": all(&SHADES_ON_LIGHT), "dark": all(&SHADES_ON_DARK) })
}

/// What is legible on the shade at a share of the scale.
pub(super) fn ink(share: f64) -> Value {
    let on = |ground: [u8; 3]| if luminance(ground) > 0.18 { "#000000" } else { "#ffffff" };
    json!({ "light": on(mixed(&SHADES_ON_LIGHT, share)), "dark": on(mixed(&SHADES_ON_DARK, share)) })
}

const fn channels(rgb: u32) -> [u8; 3] {
    let [_, red, green, blue] = rgb.to_be_bytes();
    [red, green, blue]
}

fn css([red, green, blue]: [u8; 3]) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

fn mixed(steps: &[[u8; 3]], at: f64) -> [u8; 3] {
    let at = if at.is_finite() { at.clamp(0.0, 1.0) } else { 0.0 };
    let place = at * (steps.len() - 1) as f64;
    let below = (place.floor() as usize).min(steps.len() - 2);
    let share = place - below as f64;
    [0, 1, 2].map(|channel| {
        let (low, high) = (f64::from(steps[below][channel]), f64::from(steps[below + 1][channel]));
        (low + (high - low) * share).round() as u8
    })
}

/// Relative luminance, as WCAG defines it.
fn luminance(colour: [u8; 3]) -> f64 {
    let [red, green, blue] = colour.map(|channel| {
        let value = f64::from(channel) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

/// Okabe and Ito's, as on paper; the pale ones darker on a light ground, the dark ones paler on a dark one.
const KINDS: [Themed; 7] = [
    Themed::of(0x00_72_b2, 0x3d_9b_dc),
    Themed::of(0xd5_5e_00, 0xf0_7f_2a),
    Themed::of(0x00_8a_65, 0x1f_c0_96),
    Themed::of(0xb5_5f_91, 0xdd_8f_bb),
    Themed::of(0xa8_74_00, 0xe6_b0_3a),
    Themed::of(0x2f_8f_c4, 0x8c_d2_f5),
    Themed::of(0x1b_1f_24, 0xf0_f3_f6),
];

/// Viridis without its palest end, from there on, and without its darkest. Even a cell of the least value is seen.
const SHADES_ON_LIGHT: [[u8; 3]; 5] =
    [[122, 209, 81], [34, 168, 132], [42, 120, 142], [65, 68, 135], [68, 1, 84]];
const SHADES_ON_DARK: [[u8; 3]; 5] =
    [[70, 84, 150], [42, 120, 142], [34, 168, 132], [122, 209, 81], [253, 231, 37]];

/// Viridis without its end that is lost on the ground.
const STEPS_ON_LIGHT: [[u8; 3]; 4] = [[68, 1, 84], [65, 68, 135], [42, 120, 142], [30, 150, 118]];
const STEPS_ON_DARK: [[u8; 3]; 4] =
    [[70, 120, 180], [34, 168, 132], [122, 209, 81], [253, 231, 37]];

#[cfg(test)]
mod tests {
    use super::*;

    const LIGHT: [u8; 3] = [255, 255, 255];
    const DARK: [u8; 3] = channels(0x16_1b_22);

    fn contrast(a: [u8; 3], b: [u8; 3]) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn every_colour_of_a_kind_stands_out_from_its_ground() {
        let kinds = (0..KINDS.len()).map(Colour::Kind);
        let steps = [0.0, 0.25, 0.5, 0.75, 1.0].map(Colour::Step);
        for role in kinds.chain(steps).chain([Colour::Muted]) {
            let Themed { light, dark } = Themed::role(role);
            let (on_light, on_dark) = (contrast(light, LIGHT), contrast(dark, DARK));
            assert!(on_light >= 3.0 && on_dark >= 3.0, "{role:?}: {on_light:.2} and {on_dark:.2}");
        }
    }

    #[test]
    fn a_cell_s_value_can_be_read_on_every_shade() {
        let shares = || (0..=20).map(|n| f64::from(n) / 20.0);
        let shade = |share| [mixed(&SHADES_ON_LIGHT, share), mixed(&SHADES_ON_DARK, share)];
        for (share, ground) in shares().flat_map(|share| shade(share).map(|ground| (share, ground)))
        {
            let ink = if luminance(ground) > 0.18 { [0; 3] } else { [255; 3] };
            assert!(contrast(ground, ink) >= 4.5, "{share}");
        }
    }
}
