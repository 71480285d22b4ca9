//! Values of header fields that are more than text.

pub mod accept;
pub mod accept_encoding;
pub mod charset;
pub mod content_disposition;
pub mod forwarded;
pub mod location;
pub mod params;
pub mod urlencoded;
