//! Axes: how values become places, and which values are written beside them.
//!
//! An axis is straight in its scale's own measure: log₁₀ of a value on a logarithmic one, its root on one of roots.

use std::str::FromStr;

use crate::words::Words;

/// An axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// What is written along it.
    pub label: Words,
    /// How values become places.
    pub scale: Scale,
    /// Beyond which values it does not reach unless one lies there: 0 and 100 of shares in percent. Bars keep the room for what is
    /// written above them.
    pub within: Option<(f64, f64)>,
}

/// How values become places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scale {
    /// Equal differences are equally far.
    #[default]
    Linear,
    /// Equal ratios are equally far. Only what is greater than 0 stands on it.
    Log,
    /// Equal differences of square roots are equally far. Only what is not less than 0 stands on it.
    Sqrt,
}

/// From where to where values reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Extent {
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// A value marked on an axis.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tick {
    pub(crate) value: f64,
    pub(crate) text: String,
}

impl Axis {
    /// An axis on which equal differences are equally far.
    pub fn linear(label: impl Into<Words>) -> Self {
        Self { label: label.into(), scale: Scale::Linear, within: None }
    }

    /// Not reaching beyond these values unless one lies there.
    #[must_use]
    pub fn within(self, least: f64, most: f64) -> Self {
        Self { within: Some((least, most)), ..self }
    }

    /// The extent around these values with its room cut where the axis should not reach. What is cut at one end is given to the
    /// other, so that an extent that was widened stays as wide.
    pub(crate) fn bounded(&self, wide: Extent, values: Extent) -> Extent {
        let Some((least, most)) = self.within else { return wide };
        let (least, most) = (least.min(values.low), most.max(values.high));
        let cut = Extent { low: wide.low.max(least), high: wide.high.min(most) };
        let shifted = Extent {
            low: (cut.low - (wide.high - cut.high)).max(least).min(cut.low),
            high: (cut.high + (cut.low - wide.low)).min(most).max(cut.high),
        };
        let is_sound = |extent: &Extent| {
            extent.low < extent.high && self.bears(extent.low) && self.bears(extent.high)
        };
        match values.high - values.low < NOISE * values.high.abs().max(1.0) {
            // Of values as good as one: it is the widening that would be lost.
            true => Some(shifted).filter(is_sound).unwrap_or(wide),
            false => Some(cut).filter(is_sound).unwrap_or(wide),
        }
    }

    /// Whether the value can stand on it.
    pub(crate) fn bears(&self, value: f64) -> bool {
        self.scale.bears(value)
    }
}

impl FromStr for Scale {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "linear" => Ok(Self::Linear),
            "log" => Ok(Self::Log),
            "sqrt" => Ok(Self::Sqrt),
            _ => Err("takes linear, log or sqrt".to_owned()),
        }
    }
}

impl Scale {
    pub(crate) fn bears(self, value: f64) -> bool {
        value.is_finite()
            && match self {
                Self::Linear => true,
                Self::Log => value > 0.0,
                Self::Sqrt => value >= 0.0,
            }
    }

    /// The value in the scale's own measure.
    pub(crate) fn measure(self, value: f64) -> f64 {
        match self {
            Self::Linear => value,
            Self::Log => value.log10(),
            Self::Sqrt => value.max(0.0).sqrt(),
        }
    }

    /// The value of a measure, the nearest that can be told where there is none so large or so small.
    fn value(self, measure: f64) -> f64 {
        match self {
            Self::Linear => measure.clamp(-f64::MAX, f64::MAX),
            Self::Log => 10_f64.powf(measure.clamp(-307.0, 308.0)),
            Self::Sqrt => measure.max(0.0).powi(2).min(f64::MAX),
        }
    }

    /// About `wanted` round values within the extent, ascending, each with its text; of an axis of whole numbers only such. At least
    /// three, where the extent has as many and so many are wanted.
    pub(crate) fn ticks(self, extent: Extent, wanted: usize, whole: bool) -> Vec<Tick> {
        let ticks = self.about(extent, wanted, whole);
        if ticks.len() >= FEWEST || wanted < FEWEST {
            return ticks;
        }
        // A value alone tells nothing of the distance to the next.
        let more = (wanted + 1..wanted + 5).map(|wanted| self.about(extent, wanted, whole));
        let evenly = (FEWEST..FEWEST + 4).map(|wanted| even(extent, wanted, whole));
        more.chain(evenly).find(|more| more.len() >= FEWEST).unwrap_or(ticks)
    }

    fn about(self, extent: Extent, wanted: usize, whole: bool) -> Vec<Tick> {
        let spans_much = extent.low > 0.0 && extent.high >= 6.0 * extent.low;
        match self {
            Self::Log if spans_much => logarithmic(extent, wanted),
            Self::Sqrt => of_roots(extent, wanted, whole),
            _ => even(extent, wanted, whole),
        }
    }

    /// Values between those marked, for fine lines: on a logarithmic axis the digits of each decade.
    pub(crate) fn between(self, extent: Extent) -> Vec<f64> {
        let (first, last) = (extent.low.log10().floor(), extent.high.log10().ceil());
        // An axis that others made reach below 0 has no first decade.
        if self != Self::Log || !(first.is_finite() && last - first <= 8.0) {
            return Vec::new();
        }
        let decades = (first as i32)..=(last as i32);
        let values = decades
            .flat_map(|decade| (2..10).map(move |digit| f64::from(digit) * 10_f64.powi(decade)));
        values.filter(|&value| extent.holds(value)).collect()
    }
}

impl Extent {
    pub(crate) const fn at(value: f64) -> Self {
        Self { low: value, high: value }
    }

    /// Of so many things side by side, the middle of the first at 0.
    pub(crate) fn slots(things: usize) -> Self {
        Self { low: -0.5, high: things.max(1) as f64 - 0.5 }
    }

    pub(crate) const fn take(&mut self, value: f64) {
        self.low = self.low.min(value);
        self.high = self.high.max(value);
    }

    pub(crate) const fn joined(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    /// Widened around its middle to that part of it, where it is shorter: what differs by less is noise, and is to look alike.
    pub(crate) fn no_finer_than(self, part: f64) -> Self {
        let middle = self.low / 2.0 + self.high / 2.0;
        let half = middle.abs() * part / 2.0;
        if self.high / 2.0 - self.low / 2.0 >= half {
            return self;
        }
        Self { low: (middle - half).max(-f64::MAX), high: (middle + half).min(f64::MAX) }
    }

    /// Wide enough for three whole numbers, where there are such: an axis of counts has no halves. One that is nowhere below 0 stays so.
    pub(crate) fn holding_three_whole(self, scale: Scale) -> Self {
        if self.high - self.low >= 2.0 || self.low.abs().max(self.high.abs()) > MOST_WHOLE {
            return self;
        }
        let middle = f64::midpoint(self.low, self.high).round();
        let (low, high) = (middle - 1.0, middle + 1.0);
        let least = match scale {
            Scale::Log => 1.0,
            Scale::Linear | Scale::Sqrt if self.low >= 0.0 => 0.0,
            Scale::Linear | Scale::Sqrt => low,
        };
        let up = (least - low).max(0.0);
        Self { low: (low + up).min(self.low), high: (high + up).max(self.high) }
    }

    pub(crate) fn holds(self, value: f64) -> bool {
        let slack = (self.high - self.low) * 1e-9;
        self.low - slack <= value && value <= self.high + slack
    }

    /// With a twentieth of its length on either side, in the scale's measure. One that lies near 0 begins there, for that tells how
    /// large its differences are.
    pub(crate) fn with_room(self, scale: Scale) -> Self {
        if scale == Scale::Linear
            && self.high > 0.0
            && 0.0 <= self.low
            && self.low <= 0.4 * self.high
        {
            return Self { low: 0.0, high: (self.high * 1.06).min(f64::MAX) };
        }
        let (low, high) = (scale.measure(self.low), scale.measure(self.high));
        let room = match high - low {
            length if length > low.abs().max(high.abs()) * 1e-9 => length * 0.06,
            _ if scale == Scale::Log => 0.2,
            _ => (high.abs() * 0.1).max(0.5),
        };
        Self { low: scale.value(low - room), high: scale.value(high + room) }
    }

    /// With so much of its length more at its upper end, in the scale's measure.
    pub(crate) fn with_room_above(self, scale: Scale, part: f64) -> Self {
        let (low, high) = (scale.measure(self.low), scale.measure(self.high));
        Self { high: scale.value(high + (high - low) * part), ..self }
    }

    /// Reaching a value too, with a little room behind it, unless that would leave less than a third of the axis to what it spans.
    pub(crate) fn reaching(self, scale: Scale, value: f64) -> Self {
        if !scale.bears(value) || self.holds(value) {
            return self;
        }
        let (low, high) = (scale.measure(self.low), scale.measure(self.high));
        let at = scale.measure(value);
        let (low, high) =
            if at < low { (at - (high - at) * 0.04, high) } else { (low, at + (at - low) * 0.06) };
        let wide = Self { low: scale.value(low), high: scale.value(high) };
        let old = scale.measure(self.high) - scale.measure(self.low);
        let is_sensible = (high - low).is_finite() && high - low <= 3.0 * old;
        if is_sensible && scale.bears(wide.low) && scale.bears(wide.high) { wide } else { self }
    }

    /// With a fiftieth of its length on either side.
    pub(crate) fn with_margin(self) -> Self {
        let room = (self.high - self.low) * 0.02;
        Self { low: self.low - room, high: self.high + room }
    }
}

/// Values along an axis, from which its scale can be read.
pub(crate) const FEWEST: usize = 3;

/// Values that lie closer together than this part of them are drawn as if they were alike: repeats of a run differ by as much.
pub(crate) const NOISE: f64 = 0.05;

/// Greater whole numbers have no neighbours that can be told apart on an axis.
const MOST_WHOLE: f64 = 1e12;

/// Round values at even distances.
fn even(extent: Extent, wanted: usize, whole: bool) -> Vec<Tick> {
    let length = extent.high - extent.low;
    if !(length.is_finite() && length > 0.0) {
        return Vec::new();
    }
    let step = round_step(length / wanted.max(1) as f64);
    let step = if whole { step.max(1.0) } else { step };
    let first = (extent.low / step - 1e-9).ceil();
    let last = (extent.high / step + 1e-9).floor();
    if !(last - first).is_finite() || last - first > 1_000.0 {
        return Vec::new();
    }
    let count = (last - first).max(-1.0) as i64;
    let largest = extent.low.abs().max(extent.high.abs());
    let tick = |index: i64| {
        let value = (first + index as f64) * step;
        Tick { value, text: text(value, step, largest) }
    };
    (0..=count).map(tick).collect()
}

/// The least of 1, 2, 2.5 and 5 times a power of ten that is not much below `wanted`. Not 2.5 itself: counts of things have no halves.
fn round_step(wanted: f64) -> f64 {
    let power = 10_f64.powf(wanted.log10().floor());
    let digits = [1.0, 2.0, 2.5, 5.0, 10.0];
    let fits = |digit: &f64| digit * power >= wanted * 0.8 && digit * power != 2.5;
    digits.into_iter().find(fits).unwrap_or(10.0) * power
}

/// Powers of ten, with 2 and 5 between them where there is room; only every n-th power where there is none.
fn logarithmic(extent: Extent, wanted: usize) -> Vec<Tick> {
    // The powers of ten that there are.
    let power = |value: f64| value.clamp(-308.0, 308.0) as i32;
    let (first, last) = (power(extent.low.log10().floor()), power(extent.high.log10().ceil()));
    let within = |digits: &[u8]| -> Vec<f64> {
        let values = (first..=last).flat_map(|decade| {
            digits.iter().map(move |&digit| f64::from(digit) * 10_f64.powi(decade))
        });
        values.filter(|&value| extent.holds(value)).collect()
    };
    let choices = [within(&[1, 2, 5]), within(&[1, 3]), within(&[1])];
    let fitting = choices.iter().find(|values| values.len() <= wanted.max(2) + 1);
    let values = match fitting {
        Some(values) => values.clone(),
        None => {
            let every = choices[2].len().div_ceil(wanted.max(2));
            choices[2].iter().copied().step_by(every).collect()
        }
    };
    values.into_iter().map(|value| Tick { value, text: text(value, value, value) }).collect()
}

/// Of each part of an axis of roots the roundest value, where it is not too near the one before, so that they are about evenly far.
fn of_roots(extent: Extent, wanted: usize, whole: bool) -> Vec<Tick> {
    let (low, high) = (extent.low.max(0.0).sqrt(), extent.high.max(0.0).sqrt());
    let part = (high - low) / wanted.max(1) as f64;
    if !(part.is_finite() && part > 0.0) {
        return Vec::new();
    }
    let near = |place: f64| {
        let ends = ((place - part / 2.0).max(0.0).powi(2), (place + part / 2.0).powi(2));
        roundest(ends, whole).filter(|&value| extent.holds(value))
    };
    let mut values: Vec<f64> = Vec::new();
    for value in (0..=wanted).filter_map(|index| near(low + index as f64 * part)) {
        let is_apart = |before: &f64| value.sqrt() - before.sqrt() >= 0.6 * part;
        if values.last().is_none_or(is_apart) {
            values.push(value);
        }
    }
    values.into_iter().map(|value| Tick { value, text: text(value, value, extent.high) }).collect()
}

/// The multiple of 1, 2 or 5 times the largest power of ten that lies between the ends, the nearest to their middle.
fn roundest((low, high): (f64, f64), whole: bool) -> Option<f64> {
    if low <= 0.0 {
        return Some(0.0);
    }
    let middle = f64::midpoint(low, high);
    let largest = high.log10().floor() as i32;
    let steps = (largest - 3..=largest)
        .rev()
        .flat_map(|power| [5.0, 2.0, 1.0].map(|digit| digit * 10_f64.powi(power)));
    steps.filter(|&step| !whole || step >= 1.0).find_map(|step| {
        let nearest = ((middle / step).round() * step).max(step);
        let next = (low / step).ceil() * step;
        [nearest, next].into_iter().find(|value| (low..=high).contains(value))
    })
}

/// A value on an axis whose values are `step` apart and reach up to `largest`.
pub(crate) fn text(value: f64, step: f64, largest: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    if largest >= 1e15 {
        return signed(format!("{value:.2e}"));
    }
    for (unit, sign) in [(1e12, "T"), (1e9, "G"), (1e6, "M")] {
        if largest >= unit {
            return signed(decimals(value / unit, step / unit)) + sign;
        }
    }
    if largest < 1e-4 {
        return signed(format!("{value:.1e}").replace(".0e", "e"));
    }
    signed(decimals(value, step))
}

/// With as many decimals as values `step` apart need, in groups of three before the point.
fn decimals(value: f64, step: f64) -> String {
    let needed = |digits: &usize| {
        let shifted = step * 10_f64.powi(*digits as i32);
        (shifted - shifted.round()).abs() < 1e-6 * shifted.max(1.0) && shifted.round() >= 1.0
    };
    let digits = (0..9).find(needed).unwrap_or(9);
    let text = format!("{:.digits$}", value.abs());
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), crate::number::count);
    let sign = if value < 0.0 { "-" } else { "" };
    format!("{sign}{whole}{rest}")
}

/// With the sign that is as long as a plus.
fn signed(text: String) -> String {
    text.replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(scale: Scale, low: f64, high: f64, wanted: usize) -> Vec<String> {
        scale.ticks(Extent { low, high }, wanted, false).into_iter().map(|tick| tick.text).collect()
    }

    #[test]
    fn even_ticks_are_round_and_have_the_decimals_they_need() {
        assert_eq!(texts(Scale::Linear, 0.0, 1.06, 4), ["0", "0.25", "0.50", "0.75", "1.00"]);
        assert_eq!(
            texts(Scale::Linear, -2.0, 12_500.0, 5),
            ["0", "2,500", "5,000", "7,500", "10,000", "12,500"]
        );
        assert_eq!(texts(Scale::Linear, 0.0, 3e6, 3), ["0", "1M", "2M", "3M"]);
        assert_eq!(texts(Scale::Linear, -1.0, 1.0, 2), ["−1", "0", "1"]);
        assert_eq!(texts(Scale::Linear, 0.0, 2e-5, 2), ["0", "1e−5", "2e−5"]);
    }

    #[test]
    fn logarithmic_ticks_are_powers_of_ten_and_what_fits_between_them() {
        assert_eq!(texts(Scale::Log, 0.9, 120.0, 8), ["1", "2", "5", "10", "20", "50", "100"]);
        assert_eq!(texts(Scale::Log, 0.9, 1.2e4, 6), ["1", "10", "100", "1,000", "10,000"]);
        assert_eq!(texts(Scale::Log, 0.01, 1e9, 4), ["0.01", "10", "10,000", "10M"]);
    }

    #[test]
    fn an_axis_of_whole_numbers_has_no_halves() {
        let texts = |scale: Scale, low, high| -> Vec<String> {
            let ticks = scale.ticks(Extent { low, high }, 9, true);
            ticks.into_iter().map(|tick| tick.text).collect()
        };
        assert_eq!(texts(Scale::Linear, 0.0, 4.2), ["0", "1", "2", "3", "4"]);
        assert_eq!(texts(Scale::Log, 0.9, 4.4), ["1", "2", "3", "4"]);
        assert_eq!(texts(Scale::Sqrt, 0.8, 4.4), ["1", "2", "3", "4"]);
    }

    #[test]
    fn an_axis_of_roots_is_marked_where_small_values_lie_too() {
        assert_eq!(texts(Scale::Sqrt, 0.0, 150.0, 5), ["0", "10", "50", "100", "150"]);
        let texts = texts(Scale::Sqrt, 0.9, 220.0, 9);
        let below_ten = texts.iter().filter(|text| text.parse::<f64>().unwrap() < 10.0).count();
        assert!(below_ten >= 1, "{texts:?}");
        let whole = Scale::Sqrt.ticks(Extent { low: 0.85, high: 9.0 }, 10, true);
        assert!(whole.len() >= 6, "{whole:?}");
    }

    #[test]
    fn an_axis_has_three_ticks_wherever_there_are_as_many_values() {
        for scale in [Scale::Linear, Scale::Log, Scale::Sqrt] {
            for (low, high) in
                [(30.2_f64, 31.8), (0.0, 62_000.0), (9.19, 10.9), (11.0, 96.0), (0.97, 1.03)]
            {
                let ticks = texts(scale, low.max(0.01), high, 3);
                assert!((3..=9).contains(&ticks.len()), "{scale:?} {low} {high}: {ticks:?}");
            }
        }
    }

    #[test]
    fn a_single_count_has_its_neighbours_beside_it() {
        for scale in [Scale::Linear, Scale::Log, Scale::Sqrt] {
            for value in [1.0, 31.0, 4_096.0] {
                let alone = Extent::at(value).holding_three_whole(scale);
                let ticks = scale.ticks(alone.with_room(scale), 6, true);
                assert!(ticks.len() >= 3 && alone.holds(value), "{scale:?} {value}: {ticks:?}");
                assert!(ticks.iter().all(|tick| tick.value.fract() == 0.0), "{ticks:?}");
            }
        }
        assert_eq!(
            Extent::at(0.0).holding_three_whole(Scale::Linear),
            Extent { low: 0.0, high: 2.0 }
        );
        let long = Extent { low: 3.0, high: 5.0 };
        assert_eq!(long.holding_three_whole(Scale::Linear), long);
    }

    #[test]
    fn what_differs_by_noise_alone_lies_close_together() {
        let jitter = Extent { low: 99.95, high: 100.05 }.no_finer_than(NOISE);
        assert!(
            (jitter.low - 97.5).abs() < 1e-9 && (jitter.high - 102.5).abs() < 1e-9,
            "{jitter:?}"
        );
        let real = Extent { low: 90.0, high: 100.0 };
        assert_eq!(real.no_finer_than(NOISE), real);
        let negative = Extent { low: -100.05, high: -99.95 }.no_finer_than(NOISE);
        assert!(negative.low < -102.0 && -98.0 < negative.high);
        assert!(Extent::at(f64::MAX).no_finer_than(NOISE).high.is_finite());
        assert_eq!(Extent::at(0.0).no_finer_than(NOISE), Extent::at(0.0));
    }

    #[test]
    fn an_axis_of_shares_ends_at_100_unless_a_value_lies_beyond() {
        let axis = Axis::linear("%").within(0.0, 100.0);
        let bounded = |low: f64, high: f64| {
            let values = Extent { low, high };
            axis.bounded(values.with_room(Scale::Linear), values)
        };
        assert_eq!(bounded(10.0, 100.0), Extent { low: 0.0, high: 100.0 });
        assert_eq!(bounded(60.0, 100.0).high, 100.0);
        // All at one value: as wide as it was, and within.
        let alone = bounded(100.0, 100.0);
        assert!(alone.high == 100.0 && alone.high - alone.low > 10.0, "{alone:?}");
        assert!(bounded(10.0, 130.0).high >= 130.0);
        assert!(Axis::linear("%").bounded(alone, alone) == alone);
        // Bounds that make no sense bound nothing.
        let odd = Axis::linear("").within(f64::NAN, f64::NEG_INFINITY);
        let values = Extent { low: 1.0, high: 2.0 };
        assert!(odd.bounded(values, values).holds(1.5));
    }

    #[test]
    fn a_logarithmic_axis_within_a_decade_is_marked_evenly() {
        assert_eq!(texts(Scale::Log, 22.0, 41.0, 4), ["25", "30", "35", "40"]);
    }

    #[test]
    fn a_single_value_gets_room_around_it() {
        let room = Extent::at(5.0).with_room(Scale::Linear);
        assert!(room.low < 5.0 && 5.0 < room.high);
        let room = Extent::at(5.0).with_room(Scale::Log);
        assert!(0.0 < room.low && room.low < 5.0 && 5.0 < room.high);
        let room = Extent::at(0.0).with_room(Scale::Linear);
        assert!(room.low <= 0.0 && 0.0 < room.high, "{room:?}");
    }

    #[test]
    fn an_extent_reaches_what_is_near_and_not_what_would_crush_it() {
        let extent = Extent { low: 0.0, high: 100.0 };
        assert_eq!(extent.reaching(Scale::Linear, 50.0), extent);
        assert!(extent.reaching(Scale::Linear, 200.0).high > 200.0);
        assert_eq!(extent.reaching(Scale::Linear, 2_000.0), extent);
        assert_eq!(extent.reaching(Scale::Linear, f64::NAN), extent);
        let decade = Extent { low: 10.0, high: 100.0 };
        assert!(decade.reaching(Scale::Log, 500.0).holds(500.0));
        assert_eq!(decade.reaching(Scale::Log, -1.0), decade);
    }

    #[test]
    fn extents_that_cannot_be_marked_have_no_ticks() {
        assert!(texts(Scale::Linear, 1.0, 1.0, 5).is_empty());
        assert!(texts(Scale::Linear, f64::NAN, 1.0, 5).is_empty());
        assert!(texts(Scale::Linear, -1e308, 1e308, 5).len() < 20);
        assert!(Scale::Log.between(Extent { low: -1.0, high: 10.0 }).is_empty());
        let room = Extent::at(f64::MAX).with_room(Scale::Log);
        assert!(room.high.is_finite() && texts(Scale::Log, room.low, f64::INFINITY, 5).len() < 20);
    }
}
