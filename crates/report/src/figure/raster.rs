//! Figures as PNG.
//!
//! A pure function of the figure where the program's own font has every sign. Only for signs that it lacks are the system's fonts
//! read, for a model's name may be in any script.

use resvg::tiny_skia::{Color, Pixmap, Transform};
use resvg::usvg::{Options, Tree};

use super::{MOST_PIXELS, fonts};

/// Why a figure is no PNG.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RasterError {
    /// It would have no pixels, or more than [`MOST_PIXELS`].
    Size {
        /// From left to right.
        width: u64,
        /// From top to bottom.
        height: u64,
    },
    /// It could not be painted or packed; the painter's words.
    Painting(String),
}

impl std::fmt::Display for RasterError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Size { width, height } => write!(
                f,
                "a figure of {width} × {height} pixels cannot be drawn: it must have at least one, and {MOST_PIXELS} at most"
            ),
            Self::Painting(why) => write!(f, "the figure cannot be drawn: {why}"),
        }
    }
}

impl std::error::Error for RasterError {}

/// The SVG as PNG, at that many pixels per inch.
pub(crate) fn png(svg: &str, dpi: u32) -> Result<Vec<u8>, RasterError> {
    // One point is one unit; the resolution comes in below.
    let options = Options { dpi: 72.0, fontdb: fonts::that_write(svg), ..Options::default() };
    let painting = |error: &dyn std::fmt::Display| RasterError::Painting(error.to_string());
    let tree = Tree::from_str(svg, &options).map_err(|error| painting(&error))?;
    let scale = f64::from(dpi) / 72.0;
    let pixels = |points: f32| (f64::from(points) * scale).round() as u64;
    let (width, height) = (pixels(tree.size().width()), pixels(tree.size().height()));
    let size = || RasterError::Size { width, height };
    if width.saturating_mul(height) > MOST_PIXELS {
        return Err(size());
    }
    let (Ok(wide), Ok(high)) = (u32::try_from(width), u32::try_from(height)) else {
        return Err(size());
    };
    let mut pixmap = Pixmap::new(wide, high).ok_or_else(size)?;
    // A figure may end within a pixel, which is paper then.
    pixmap.fill(Color::WHITE);
    let scale = scale as f32;
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixmap.as_mut());
    packed(&pixmap, dpi).map_err(|error| painting(&error))
}

/// The pixels, of which the paper makes every one opaque, with their resolution.
fn packed(pixmap: &Pixmap, dpi: u32) -> Result<Vec<u8>, png::EncodingError> {
    let colours: Vec<u8> =
        pixmap.data().chunks_exact(4).flat_map(|pixel| &pixel[..3]).copied().collect();
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, pixmap.width(), pixmap.height());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let per_metre = (f64::from(dpi) / 0.0254).round() as u32;
    encoder.set_pixel_dims(Some(png::PixelDimensions {
        xppu: per_metre,
        yppu: per_metre,
        unit: png::Unit::Meter,
    }));
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&colours)?;
    writer.finish()?;
    Ok(file)
}
