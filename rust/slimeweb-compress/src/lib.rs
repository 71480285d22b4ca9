//! Encoders for the content codings that browsers know: gzip, brotli and zstd.
//!
//! [`open`] makes an [`Encoder`] for one body. It knows neither HTTP nor Python; the extension module
//! `slimeweb_compress._native` (feature `python`) is a thin face over it.
//!
//! - [`coding`]: which codings there are, and their levels
//! - [`encoder`]: what an encoder does
//! - [`window`]: how far back an encoder may look, which is what its memory depends on
//! - `gzip`, `brotli`, `zstd`: one encoder each

pub mod coding;
pub mod encoder;
pub mod window;

mod brotli;
mod gzip;
mod open;
mod output;
#[cfg(feature = "python")]
mod python;
mod zstd;

pub use coding::Coding;
pub use encoder::{Encoder, Error, Flush};
pub use open::open;
