//! How far back an encoder may look, which is what its memory depends on.
//!
//! Left to themselves, brotli takes windows of 4 MiB and zstd's highest levels 128 MiB with tables of several times
//! that, for each body. A server has many bodies at once, and RFC 9659 lets clients refuse zstd windows beyond 8 MiB.

/// For a stream, as a power of two: it may stay open for hours, and there may be thousands.
pub const STREAM_BITS: u32 = 16;

/// At most, for a body whose length is known, as a power of two: it is compressed in one call and its memory freed.
pub const WHOLE_BITS: u32 = 20;

/// The smallest that is worth asking for, as a power of two.
const LEAST_BITS: u32 = 12;

/// The window for a body of `length` bytes, `None` for a stream, as a power of two.
#[must_use]
pub fn bits(length: Option<u64>) -> u32 {
    length.map_or(STREAM_BITS, |length| {
        let needed = u64::BITS - length.saturating_sub(1).leading_zeros();
        needed.clamp(LEAST_BITS, WHOLE_BITS)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_holds_the_body_up_to_a_limit() {
        for (length, expected) in
            [(0, 12), (1, 12), (4096, 12), (4097, 13), (65_536, 16), (65_537, 17), (1 << 20, 20), (u64::MAX, 20)]
        {
            assert_eq!(bits(Some(length)), expected, "{length}");
        }
        assert_eq!(bits(None), STREAM_BITS);
    }
}
